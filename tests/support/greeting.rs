//! The first packet of a session, as servers write it.

use serde_json::json;

/// What a server tells a client at the start. By default it is that of a server of Engine.IO 4, and
/// [`patient`](Self::patient).
#[derive(Clone, Debug)]
pub(crate) struct Greeting {
    sid: String,
    upgrades: &'static [&'static str],
    ping_interval: u64,
    ping_timeout: u64,
    max_payload: Option<u64>,
}

impl Greeting {
    pub(crate) fn new(sid: impl Into<String>) -> Self {
        Self {
            sid: sid.into(),
            upgrades: &[],
            ping_interval: 0,
            ping_timeout: 0,
            max_payload: Some(1_000_000),
        }
        .patient()
    }

    /// Has heartbeats so far apart that no test sees one.
    pub(crate) fn patient(self) -> Self {
        self.heartbeat(25_000, 20_000)
    }

    pub(crate) fn sid(mut self, sid: &str) -> Self {
        sid.clone_into(&mut self.sid);
        self
    }

    /// The transports that the session may move to.
    pub(crate) fn upgrades(mut self, upgrades: &'static [&'static str]) -> Self {
        self.upgrades = upgrades;
        self
    }

    /// The time between two heartbeats, and that by which one may be late, in milliseconds.
    pub(crate) fn heartbeat(mut self, interval: u64, timeout: u64) -> Self {
        (self.ping_interval, self.ping_timeout) = (interval, timeout);
        self
    }

    /// Does not say how much the server takes at once, as servers before 4.5 do not. Nothing else
    /// tells the revisions apart here.
    pub(crate) fn without_max_payload(mut self) -> Self {
        self.max_payload = None;
        self
    }

    /// The packet: `0{"sid":…}`.
    pub(crate) fn text(&self) -> String {
        let mut packet = json!({
            "sid": self.sid,
            "upgrades": self.upgrades,
            "pingInterval": self.ping_interval,
            "pingTimeout": self.ping_timeout,
        });
        if let Some(bytes) = self.max_payload {
            packet["maxPayload"] = json!(bytes);
        }
        format!("0{packet}")
    }
}
