//! Changing the options of a connection that exists.

use std::time::Duration;

use crate::driver::client::Driver;
use crate::error::Result;
use crate::net::{Address, CacheBuster, ExtraHeader, check_header};
use crate::options::check::{Check, check_query};
use crate::options::{ManagerOptions, Transport};

/// Changes to the options of a [`Manager`](crate::Manager), for the next attempt to connect; what
/// is not named stays as it is.
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
#[derive(Default)]
#[must_use = "give it to `Manager::update`"]
pub struct Update {
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
    timeout: Change<Duration>,
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
    pub fn reconnection_attempts(mut self, attempts: Option<u32>) -> Self {
        self.reconnection_attempts = Change::To(attempts);
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
    pub fn reconnection_spread(mut self, spread: Option<Duration>) -> Self {
        self.reconnection_spread = Change::To(spread);
        self
    }

    /// See [`Builder::reconnection_reset_after`](crate::Builder::reconnection_reset_after); `None` is the
    /// default.
    pub fn reconnection_reset_after(mut self, lasting: Option<Duration>) -> Self {
        self.reconnection_reset_after = Change::To(lasting);
        self
    }

    /// See [`Builder::timeout`](crate::Builder::timeout); `None` is no limit.
    pub fn timeout(mut self, limit: Option<Duration>) -> Self {
        self.timeout = Change::To(limit);
        self
    }

    /// Makes the changes: all of them, or with an error none.
    pub(super) fn apply(self, driver: &Driver) -> Result<()> {
        let mut options = driver.look(|core| core.options().clone());
        self.change_options(&mut options);
        options.check()?;
        self.check_requests(&driver.cache_buster())?;
        driver.run(|core, _| core.change_options(|current| self.change_options(current)));
        driver.change_address(|address| self.change_address(address));
        Ok(())
    }

    /// Refuses what a request cannot carry.
    pub(super) fn check_requests(&self, buster: &CacheBuster) -> Result<()> {
        check_parameters(&self.query, buster)?;
        self.headers.iter().try_for_each(|header| check_header(&header.name, &header.value))
    }

    pub(super) fn change_options(&self, options: &mut ManagerOptions) {
        set(&mut options.transports, self.transports.as_ref());
        set(&mut options.upgrade, self.upgrade.as_ref());
        set(&mut options.reconnection, self.reconnection.as_ref());
        self.reconnection_attempts.apply(&mut options.reconnection_attempts);
        set(&mut options.reconnection_delay, self.reconnection_delay.as_ref());
        set(&mut options.reconnection_delay_max, self.reconnection_delay_max.as_ref());
        set(&mut options.randomization_factor, self.randomization_factor.as_ref());
        self.reconnection_spread.apply(&mut options.reconnection_spread);
        self.reconnection_reset_after.apply(&mut options.reconnection_reset_after);
        self.timeout.apply(&mut options.timeout);
    }

    fn change_address(self, address: &mut Address) {
        for (name, value) in self.query {
            address.query.retain(|(known, _)| *known != name);
            address.query.push((name, value));
        }
        for header in self.headers {
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
