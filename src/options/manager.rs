//! The options of one connection to one server.

use std::fmt;
use std::time::Duration;

use super::{Limits, ParserKind, Revision};
use crate::error::{Error, ErrorKind, Result};

/// A way to carry packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// HTTP long-polling: one request that waits for packets, and one for each batch to send.
    Polling,
    /// One WebSocket connection.
    WebSocket,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Transport {
    /// The name that stands in the query of a request.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Polling => "polling",
            Self::WebSocket => "websocket",
        }
    }
}

/// What [`Builder`](crate::Builder) collects for the connection itself.
#[derive(Clone, Debug)]
pub(crate) struct ManagerOptions {
    pub(crate) revision: Revision,
    pub(crate) parser: ParserKind,
    pub(crate) transports: Vec<Transport>,
    pub(crate) upgrade: bool,
    pub(crate) try_all_transports: bool,
    pub(crate) remember_upgrade: bool,
    pub(crate) reconnection: bool,
    pub(crate) reconnection_attempts: Option<u32>,
    pub(crate) reconnection_delay: Duration,
    pub(crate) reconnection_delay_max: Duration,
    pub(crate) randomization_factor: f64,
    pub(crate) timeout: Option<Duration>,
    pub(crate) namespace_timeout: Option<Duration>,
    pub(crate) limits: Limits,
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
            reconnection: true,
            reconnection_attempts: None,
            reconnection_delay: Duration::from_secs(1),
            reconnection_delay_max: Duration::from_secs(5),
            randomization_factor: 0.5,
            timeout: Some(Duration::from_secs(20)),
            namespace_timeout: Some(Duration::from_secs(20)),
            limits: Limits::default(),
        }
    }
}

impl ManagerOptions {
    /// Refuses what cannot work.
    pub(crate) fn check(&self) -> Result<()> {
        let refuse = |what: String| Err(Error::new(ErrorKind::InvalidOption, what));
        if self.transports.is_empty() {
            return refuse("there is no transport to use".into());
        }
        let listed =
            |transport| self.transports.iter().filter(|other| **other == transport).count();
        if let Some(twice) = self.transports.iter().find(|transport| listed(**transport) > 1) {
            return refuse(format!("the transport {twice} is listed twice"));
        }
        if !cfg!(feature = "polling") && self.transports.contains(&Transport::Polling) {
            return Err(Error::new(ErrorKind::Unsupported, "this build has no long-polling")
                .with_hint("enable the feature \"polling\""));
        }
        if !cfg!(feature = "msgpack") && self.parser == ParserKind::MessagePack {
            return Err(Error::new(ErrorKind::Unsupported, "this build has no MessagePack")
                .with_hint("enable the feature \"msgpack\""));
        }
        if !(0.0..=1.0).contains(&self.randomization_factor) {
            let factor = self.randomization_factor;
            return refuse(format!("randomization_factor is {factor}, not from 0 to 1"));
        }
        if self.reconnection_delay.is_zero() || self.reconnection_delay_max.is_zero() {
            return refuse("a reconnection delay of zero would hammer the server".into());
        }
        for (name, limit) in
            [("timeout", self.timeout), ("namespace_timeout", self.namespace_timeout)]
        {
            if limit.is_some_and(|limit| limit.is_zero()) {
                return refuse(format!("a {name} of zero would fail each attempt"));
            }
        }
        self.limits.check()
    }
}
