//! Changing the options of a connection that exists.

use std::time::Duration;

use crate::driver::client::Changes;
use crate::error::{Error, ErrorKind, Result};
use crate::net::{Address, CacheBuster, ExtraHeader, Site, check_header};
use crate::options::check::{Check, check_query};
use crate::options::endpoint::Location;
use crate::options::{ManagerOptions, Transport};

/// Changes to the options of a [`Manager`](crate::Manager), for the next attempt to connect; what
/// is not named stays as it is.
///
/// [`Manager::update`](crate::Manager::update) makes them for good,
/// [`Builder::before_attempt`](crate::Builder::before_attempt) for one attempt and its session.
///
/// ```no_run
/// # fn main() -> siot::Result<()> {
/// # let socket = siot::io("http://localhost:3000")?;
/// use siot::Update;
///
/// socket.manager().update(Update::new().query("token", "fresh"))?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
#[must_use = "give it to `Manager::update`"]
pub struct Update {
    /// The server, as a URL says it, which may be none.
    server: Option<Result<Location>>,
    pub(super) query: Vec<(String, String)>,
    pub(super) headers: Vec<ExtraHeader>,
    transports: Option<Vec<Transport>>,
    upgrade: Option<bool>,
    reconnection: Option<bool>,
    reconnection_attempts: Change<u32>,
    reconnection_delay: Option<Duration>,
    reconnection_delay_max: Option<Duration>,
    randomization_factor: Option<f64>,
    reconnection_spread: Change<Duration>,
    reconnection_reset_after: Change<Duration>,
    connect_timeout: Change<Duration>,
}

/// A change of an option that may have no value.
#[derive(Clone, Copy, Default)]
enum Change<T> {
    #[default]
    None,
    To(Option<T>),
}

impl<T: Copy> Change<T> {
    fn apply(self, option: &mut Option<T>) {
        if let Self::To(value) = self {
            *option = value;
        }
    }
}

impl Update {
    /// No changes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Another server: scheme, host and port, and the query of the URL, which takes the place of that of
    /// the URL before. The namespaces stay what they are; one in the URL is an error of kind
    /// [`ErrorKind::InvalidUrl`](crate::ErrorKind::InvalidUrl).
    ///
    /// With [`Manager::update`](crate::Manager::update) it takes the place of the first address, and
    /// the next attempt begins with it. An open session stays where it is. Headers and the
    /// [`query`](Self::query) go to the new server as they did to the old one, cookies do not; see
    /// [`Builder::before_attempt`](crate::Builder::before_attempt).
    ///
    /// ```no_run
    /// # fn main() -> siot::Result<()> {
    /// # let socket = siot::io("http://localhost:3000")?;
    /// use siot::Update;
    ///
    /// socket.manager().update(Update::new().url("https://new.example.com?region=north"))?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn url(mut self, url: impl AsRef<str>) -> Self {
        self.server = Some(Location::parse(url.as_ref()));
        self
    }

    /// Sets a parameter of the query; see [`Builder::query`](crate::Builder::query).
    pub fn query(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.query.push((name.into(), value.into()));
        self
    }

    /// Sets a header; see [`Builder::extra_header`](crate::Builder::extra_header).
    #[doc(alias = "extraHeaders")]
    pub fn extra_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push(ExtraHeader { name: name.into(), value: value.into(), only: None });
        self
    }

    /// See [`Builder::transports`](crate::Builder::transports).
    pub fn transports(mut self, transports: impl IntoIterator<Item = Transport>) -> Self {
        self.transports = Some(transports.into_iter().collect());
        self
    }

    /// See [`Builder::upgrade`](crate::Builder::upgrade).
    pub fn upgrade(mut self, upgrade: bool) -> Self {
        self.upgrade = Some(upgrade);
        self
    }

    /// See [`Builder::reconnection`](crate::Builder::reconnection). Switching it off ends a wait
    /// for the next attempt; switching it on starts none.
    pub fn reconnection(mut self, reconnection: bool) -> Self {
        self.reconnection = Some(reconnection);
        self
    }

    /// See [`Builder::reconnection_attempts`](crate::Builder::reconnection_attempts); `None` is any
    /// number.
    #[doc(alias = "reconnectionAttempts")]
    pub fn reconnection_attempts(mut self, attempts: impl Into<Option<u32>>) -> Self {
        self.reconnection_attempts = Change::To(attempts.into());
        self
    }

    /// See [`Builder::reconnection_delay`](crate::Builder::reconnection_delay).
    #[doc(alias = "reconnectionDelay")]
    pub fn reconnection_delay(mut self, delay: Duration) -> Self {
        self.reconnection_delay = Some(delay);
        self
    }

    /// See [`Builder::reconnection_delay_max`](crate::Builder::reconnection_delay_max).
    #[doc(alias = "reconnectionDelayMax")]
    pub fn reconnection_delay_max(mut self, delay: Duration) -> Self {
        self.reconnection_delay_max = Some(delay);
        self
    }

    /// See [`Builder::randomization_factor`](crate::Builder::randomization_factor).
    #[doc(alias = "randomizationFactor")]
    pub fn randomization_factor(mut self, factor: f64) -> Self {
        self.randomization_factor = Some(factor);
        self
    }

    /// See [`Builder::reconnection_spread`](crate::Builder::reconnection_spread); `None` is none.
    pub fn reconnection_spread(mut self, spread: impl Into<Option<Duration>>) -> Self {
        self.reconnection_spread = Change::To(spread.into());
        self
    }

    /// See [`Builder::reconnection_reset_after`](crate::Builder::reconnection_reset_after); `None` is the
    /// default.
    pub fn reconnection_reset_after(mut self, lasting: impl Into<Option<Duration>>) -> Self {
        self.reconnection_reset_after = Change::To(lasting.into());
        self
    }

    /// See [`Builder::connect_timeout`](crate::Builder::connect_timeout); `None` is no limit.
    pub fn connect_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.connect_timeout = Change::To(limit.into());
        self
    }

    /// Refuses what a request cannot carry.
    pub(super) fn check_requests(&self, buster: &CacheBuster) -> Result<()> {
        if let Some(server) = &self.server {
            let server = server.as_ref().map_err(Error::clone)?;
            check_url_query(&server.query, buster)?;
            check_no_namespace(server)?;
        }
        check_parameters(&self.query, buster)?;
        self.headers.iter().try_for_each(|header| check_header(&header.name, &header.value))
    }
}

impl Changes for Update {
    fn check(&self, options: &ManagerOptions, buster: &CacheBuster) -> Result<()> {
        let mut options = options.clone();
        self.change_options(&mut options);
        options.check()?;
        self.check_requests(buster)
    }

    fn change_options(&self, options: &mut ManagerOptions) {
        set(&mut options.transports, self.transports.as_ref());
        set(&mut options.upgrade, self.upgrade.as_ref());
        set(&mut options.reconnection, self.reconnection.as_ref());
        self.reconnection_attempts.apply(&mut options.reconnection_attempts);
        set(&mut options.reconnection_delay, self.reconnection_delay.as_ref());
        set(&mut options.reconnection_delay_max, self.reconnection_delay_max.as_ref());
        set(&mut options.randomization_factor, self.randomization_factor.as_ref());
        self.reconnection_spread.apply(&mut options.reconnection_spread);
        self.reconnection_reset_after.apply(&mut options.reconnection_reset_after);
        self.connect_timeout.apply(&mut options.connect_timeout);
    }

    fn change_address(&self, address: &mut Address) {
        if let Some(Ok(server)) = &self.server {
            address.server = site(server.clone());
        }
        for (name, value) in self.query.iter().cloned() {
            address.query.retain(|(known, _)| *known != name);
            address.query.push((name, value));
        }
        for header in self.headers.iter().cloned() {
            address.headers.retain(|known| !known.name.eq_ignore_ascii_case(&header.name));
            address.headers.push(header);
        }
    }
}

/// Refuses parameters of the query that the protocol or the timestamp sets.
pub(super) fn check_parameters(query: &[(String, String)], buster: &CacheBuster) -> Result<()> {
    let stamped = buster.requests != Some(false);
    check_query(query, &Address::RESERVED, stamped.then_some(buster.parameter.as_str()))
}

/// As [`check_parameters`], of what is in a URL.
pub(super) fn check_url_query(query: &[(String, String)], buster: &CacheBuster) -> Result<()> {
    check_parameters(query, buster).map_err(|error| {
        Error::new(ErrorKind::InvalidUrl, error.message().to_owned())
            .with_hint("a URL leads to a namespace; the path of the requests is Builder::path")
    })
}

/// Refuses a namespace where a URL says the server alone.
pub(super) fn check_no_namespace(location: &Location) -> Result<()> {
    if location.namespace == "/" {
        return Ok(());
    }
    let namespace = &location.namespace;
    let what = format!("the namespace {namespace:?} in the URL of another server");
    Err(Error::new(ErrorKind::InvalidUrl, what)
        .with_hint("the sockets have their namespaces; the path of the requests is Builder::path"))
}

pub(super) fn site(location: Location) -> Site {
    Site { endpoint: location.endpoint, query: location.query }
}

fn set<T: Clone>(option: &mut T, value: Option<&T>) {
    if let Some(value) = value {
        option.clone_from(value);
    }
}

impl std::fmt::Debug for Update {
    /// Says nothing of credentials.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Update").finish_non_exhaustive()
    }
}
