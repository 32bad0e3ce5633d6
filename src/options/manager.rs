//! The options of one connection to one server.

use std::time::Duration;

use super::limits::Limits;
use super::parser::ParserKind;
use super::revision::Revision;

/// A way to carry packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Transport {
    /// HTTP long-polling: one request that waits for packets, and one for each batch to send.
    Polling,
    /// One WebSocket connection.
    WebSocket,
}

/// What [`Builder`](crate::Builder) collects for the connection itself.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ManagerOptions {
    pub(crate) revision: Revision,
    pub(crate) parser: ParserKind,
    pub(crate) transports: Vec<Transport>,
    pub(crate) upgrade: bool,
    pub(crate) try_all_transports: bool,
    pub(crate) remember_upgrade: bool,
    pub(crate) force_base64: bool,
    pub(crate) max_packets_per_post: usize,
    pub(crate) reconnection: bool,
    pub(crate) reconnection_attempts: Option<u32>,
    pub(crate) reconnection_delay: Duration,
    pub(crate) reconnection_delay_max: Duration,
    pub(crate) randomization_factor: f64,
    pub(crate) reconnection_spread: Option<Duration>,
    pub(crate) reconnection_reset_after: Option<Duration>,
    pub(crate) spread_first_attempt: bool,
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) namespace_timeout: Option<Duration>,
    pub(crate) limits: Limits,
    /// How many addresses there are besides the first.
    pub(crate) backups: usize,
    pub(crate) fail_back_after: Option<Duration>,
    pub(crate) watch_network: bool,
    /// How many packets the flight recorder keeps.
    pub(crate) recorded_packets: usize,
}

impl Default for ManagerOptions {
    fn default() -> Self {
        Self {
            revision: Revision::Auto,
            parser: ParserKind::Json,
            transports: if cfg!(feature = "polling") {
                vec![Transport::Polling, Transport::WebSocket]
            } else {
                vec![Transport::WebSocket]
            },
            upgrade: true,
            try_all_transports: false,
            remember_upgrade: false,
            force_base64: false,
            max_packets_per_post: 16,
            reconnection: true,
            reconnection_attempts: None,
            reconnection_delay: Duration::from_secs(1),
            reconnection_delay_max: Duration::from_secs(5),
            randomization_factor: 0.5,
            reconnection_spread: None,
            reconnection_reset_after: None,
            spread_first_attempt: false,
            connect_timeout: Some(Duration::from_secs(20)),
            namespace_timeout: Some(Duration::from_secs(20)),
            limits: Limits::default(),
            backups: 0,
            fail_back_after: None,
            watch_network: false,
            recorded_packets: 0,
        }
    }
}

impl ManagerOptions {
    /// How long a session, or the membership of a namespace, has to last until delays start from the
    /// beginning.
    pub(crate) fn stable_time(&self) -> Duration {
        let longest = self.reconnection_delay_max.max(self.reconnection_spread.unwrap_or_default());
        self.reconnection_reset_after.unwrap_or(longest)
    }
}
