//! Options of where attempts to connect lead, and what they are made with.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use super::Builder;
use crate::client::update::Update;
use crate::driver::client::{Changes, refused_by_user};
use crate::event::attempt_info::AttemptInfo;

impl Builder {
    /// Asks a function before each attempt to connect, the first one and those to reconnect, what it is
    /// to be made with: another URL, a header with a fresh token. What the [`Update`] names is laid over
    /// the options for this attempt and the session that it opens, with its upgrade and all requests of
    /// long-polling; the next attempt begins with the usual options and asks again. Default: no
    /// function.
    ///
    /// It runs on a thread of its own and may block, within the [`connect_timeout`](Builder::connect_timeout) of the
    /// attempt. It is never called beside itself: when it takes longer, that attempt has failed, and what
    /// it gives at last is for the attempt that there is then. When it fails, panics, or gives an update
    /// that cannot be used, the attempt has failed with an error of the stage
    /// [`Stage::Prepare`](crate::Stage::Prepare), whose [`source`](std::error::Error::source) is the
    /// function's own error, and the next attempt follows as after every other failure.
    ///
    /// Headers go where the attempt goes: where a function, an [`Update`] or a
    /// [`backup_url`](Builder::backup_url) leads to another host, that one gets all headers and query
    /// parameters of the builder too, `Authorization` included. Cookies are the exception: each server
    /// gets its own alone. A certificate is verified for the host of the URL that is in force, unless
    /// [`Tls::server_name`](crate::Tls::server_name) says otherwise.
    ///
    /// A connection with such a function is not [shared](Builder::force_new) with other builders.
    ///
    /// ```no_run
    /// # fn main() -> siot::Result<()> {
    /// use siot::{Builder, Update};
    ///
    /// let socket = Builder::new("https://example.com")
    ///     .before_attempt(|_| -> std::io::Result<Update> {
    ///         let token = std::fs::read_to_string("/run/device/token")?;
    ///         Ok(Update::new().extra_header("Authorization", format!("Bearer {}", token.trim())))
    ///     })
    ///     .build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn before_attempt<E: Into<Box<dyn StdError + Send + Sync>>>(
        mut self,
        function: impl Fn(&AttemptInfo) -> Result<Update, E> + Send + Sync + 'static,
    ) -> Self {
        self.before_attempt = Some(Arc::new(move |attempt: &AttemptInfo| {
            let update = function(attempt).map_err(refused_by_user)?;
            Ok(Box::new(update) as Box<dyn Changes>)
        }));
        self
    }

    /// Adds another address of the same service, for when the one of [`new`](Builder::new) does not
    /// work. Any number may be added; their order is that of the calls. Default: none.
    ///
    /// Each attempt that fails moves on to the next address, and behind the last to the first, with the
    /// usual delays between attempts; a server that asks to be left alone (`Retry-After`) is, and holds up
    /// attempts at its own address only. A session that ends before any namespace was joined counts as a
    /// failed attempt. The address that worked stays the one to begin with
    /// ([`fail_back_after`](Builder::fail_back_after)). Scheme, host, port and query are those of each
    /// URL; the namespace is that of [`new`](Builder::new), and another one in this URL is refused when
    /// the connection is built. All else is the same for all of them; see
    /// [`before_attempt`](Builder::before_attempt) for headers, cookies and certificates.
    ///
    /// ```no_run
    /// # fn main() -> siot::Result<()> {
    /// use std::time::Duration;
    ///
    /// let socket = siot::Builder::new("https://primary.example.com/orders")
    ///     .backup_url("https://backup.example.com:8443")
    ///     .fail_back_after(Duration::from_secs(3600))
    ///     .build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn backup_url(mut self, url: impl Into<String>) -> Self {
        self.backups.push(url.into());
        self
    }

    /// Begins a reconnection with the first address again, when it comes this long after the first
    /// address was left. If that is still away, the next attempts go on from there. A session that is
    /// open with a [backup](Builder::backup_url) is left alone, however long it lasts. Default: `None`, never, so
    /// that the address that worked last is tried first.
    ///
    /// Zero is an error of kind [`ErrorKind::InvalidOption`](crate::ErrorKind::InvalidOption).
    pub fn fail_back_after(mut self, time: impl Into<Option<Duration>>) -> Self {
        self.options.fail_back_after = time.into();
        self
    }

    /// Whether the last address that worked is tried when the name of a host cannot be looked up: the
    /// name servers are away, while the server is not. Default: `false`.
    ///
    /// It is kept in memory, for each host that was reached, and used only where the look-up fails or
    /// takes too long: with this option 5 s, unless [`Timeouts::dns`](crate::Timeouts::dns) says
    /// otherwise. A [`ManagerEvent::Warning`](crate::ManagerEvent::Warning) tells of it. A certificate is
    /// still verified for the name.
    ///
    /// ```no_run
    /// # fn main() -> siot::Result<()> {
    /// let socket = siot::Builder::new("https://example.com").remember_address(true).build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn remember_address(mut self, remember: bool) -> Self {
        self.net.remember_address = remember;
        self
    }

    /// Whether to hear from the system when the network changes, and to act upon it as
    /// [`Manager::network_changed`](crate::Manager::network_changed) does: an address or a route is
    /// gone, or a link, an address or a default route is there that was not. Default: `false`.
    ///
    /// It takes one thread (`siot-net`) and three descriptors for all connections of the process that
    /// have this option, while there are any, and costs nothing while the network stays as it is. For
    /// Linux only (netlink); elsewhere it is an error of kind
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) when the connection is built, and
    /// [`ErrorKind::Resource`](crate::ErrorKind::Resource) where the system refuses it.
    ///
    /// ```no_run
    /// # fn main() -> siot::Result<()> {
    /// let socket = siot::Builder::new("https://example.com").watch_network(true).build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn watch_network(mut self, watch: bool) -> Self {
        self.options.watch_network = watch;
        self
    }
}
