//! Names of 0.1, for one release more.

use std::time::Duration;

use crate::client::builder::Builder;
use crate::client::manager::Manager;
use crate::client::socket::Socket;
use crate::client::update::Update;

impl Builder {
    /// The former name of [`connect_timeout`](Builder::connect_timeout).
    #[deprecated(since = "0.2.0", note = "use `connect_timeout`")]
    pub fn timeout(self, limit: impl Into<Option<Duration>>) -> Self {
        self.connect_timeout(limit)
    }
}

impl Update {
    /// The former name of [`connect_timeout`](Update::connect_timeout).
    #[deprecated(since = "0.2.0", note = "use `connect_timeout`")]
    pub fn timeout(self, limit: Option<Duration>) -> Self {
        self.connect_timeout(limit)
    }
}

impl Manager {
    /// The former name of [`connect_timeout`](Manager::connect_timeout).
    #[deprecated(since = "0.2.0", note = "use `connect_timeout`")]
    pub fn timeout(&self) -> Option<Duration> {
        self.connect_timeout()
    }
}

impl Socket {
    /// The former name of [`is_connected`](Socket::is_connected).
    #[deprecated(since = "0.2.0", note = "use `is_connected`")]
    pub fn connected(&self) -> bool {
        self.is_connected()
    }

    /// The former name of [`is_active`](Socket::is_active).
    #[deprecated(since = "0.2.0", note = "use `is_active`")]
    pub fn active(&self) -> bool {
        self.is_active()
    }

    /// The former name of [`is_recovered`](Socket::is_recovered).
    #[deprecated(since = "0.2.0", note = "use `is_recovered`")]
    pub fn recovered(&self) -> bool {
        self.is_recovered()
    }

    /// The former name of [`listener_count`](Socket::listener_count).
    #[deprecated(since = "0.2.0", note = "use `listener_count`")]
    pub fn listeners(&self, event: &str) -> usize {
        self.listener_count(event)
    }

    /// The former name of [`listener_count_any`](Socket::listener_count_any).
    #[deprecated(since = "0.2.0", note = "use `listener_count_any`")]
    pub fn listeners_any(&self) -> usize {
        self.listener_count_any()
    }

    /// The former name of [`listener_count_any_outgoing`](Socket::listener_count_any_outgoing).
    #[deprecated(since = "0.2.0", note = "use `listener_count_any_outgoing`")]
    pub fn listeners_any_outgoing(&self) -> usize {
        self.listener_count_any_outgoing()
    }
}
