//! What unit tests, and the programs that measure, make a driver of.
#![cfg_attr(not(test), allow(dead_code, reason = "the tests need more"))]

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::intake::Inlet;
use super::link::Link;
use super::outputs::Action;
use super::{AckHandle, Driver, PrepareFunction};
use crate::core::client::Emit;
use crate::core::engine::{Loss, Work};
use crate::core::ids::{LinkId, NamespaceId};
use crate::driver::ack_slot::AckSlot;
use crate::error::Error;
use crate::net::{Address, CacheBuster, Net, NetOptions, Site, Waker};
use crate::options::endpoint::Endpoint;
use crate::options::{Limits, ManagerOptions, Transport};
use crate::payload::Payload;
use crate::proto::dialect::choice::V4_DIALECT;
use crate::proto::packet::Packet;

#[cfg(test)]
pub(super) mod live;

/// What a server says of a session that it opens.
pub(super) const OPEN: &str =
    r#"{"sid":"s","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;

/// How long anything may take that should be quick, on a busy machine.
pub(super) const LIMIT: Duration = Duration::from_secs(60);

/// Waits for what another thread is about to do.
#[track_caller]
pub(super) fn eventually(mut has_come: impl FnMut() -> bool) {
    let start = Instant::now();
    while !has_come() {
        assert!(start.elapsed() < LIMIT, "it has not come");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Whether a thread that waits by this is woken, for which it waits no longer than the limit: a long one where it is to
/// be, since a busy machine may leave it alone for a while.
pub(super) fn is_woken(waker: &Waker, limit: Duration) -> bool {
    let start = Instant::now();
    waker.nap(limit).unwrap();
    start.elapsed() < limit
}

/// A connection by WebSocket to this port of the machine, which nobody has asked for yet.
pub(crate) fn driver(port: u16, limits: Limits) -> Arc<Driver> {
    driver_by(Transport::WebSocket, port, limits, None)
}

/// The same by this transport.
pub(super) fn driver_by(
    transport: Transport,
    port: u16,
    limits: Limits,
    before_attempt: Option<PrepareFunction>,
) -> Arc<Driver> {
    let options =
        ManagerOptions { transports: vec![transport], limits, ..ManagerOptions::default() };
    driver_of(options, port, before_attempt)
}

/// The same with these options.
pub(super) fn driver_of(
    options: ManagerOptions,
    port: u16,
    before_attempt: Option<PrepareFunction>,
) -> Arc<Driver> {
    let (max_message, receive_bytes) = (1 << 20, 1 << 20);
    let net = Net::new(NetOptions { max_message, receive_bytes, ..NetOptions::default() }).unwrap();
    let address = Address {
        server: Site {
            endpoint: Endpoint { secure: false, host: "127.0.0.1".into(), port },
            query: Vec::new(),
        },
        backups: Vec::new(),
        path: "/socket.io/".into(),
        query: Vec::new(),
        headers: Vec::new(),
        cache_buster: CacheBuster { parameter: "t".into(), requests: None },
        force_base64: false,
    };
    Driver::new(options, net, address, before_attempt).unwrap()
}

/// A connection whose link is played by the test: it has neither a socket nor a thread.
pub(crate) struct Played {
    pub(crate) driver: Arc<Driver>,
    /// `/`.
    pub(crate) namespace: NamespaceId,
    pub(crate) link: LinkId,
    pub(super) reader: Arc<Waker>,
    /// What was read and is not handed in yet.
    pub(crate) packets: VecDeque<Packet>,
}

impl Played {
    /// The attempt to connect has begun.
    pub(super) fn connecting(limits: Limits) -> Self {
        let driver = driver(9, limits);
        let namespace = driver.register_namespace("/");
        let link = dialled(&driver, |driver, actions| {
            driver.gather(actions, |monitor, now, _| monitor.core.connect(namespace, now));
        });
        let reader = Arc::new(Waker::new().unwrap());
        Self { driver, namespace, link, reader, packets: VecDeque::new() }
    }

    /// The session is open, and CONNECT is not answered.
    pub(super) fn open(limits: Limits) -> Self {
        let mut played = Self::connecting(limits);
        played.open_session();
        played
    }

    /// The namespace is joined.
    pub(crate) fn joined(limits: Limits) -> Self {
        let mut played = Self::open(limits);
        played.receive("0{\"sid\":\"n\"}");
        played.write();
        played
    }

    pub(super) fn open_session(&mut self) {
        let link = self.link;
        self.driver.run(|core, now| {
            core.connected(link, now);
            core.settle(link, V4_DIALECT);
        });
        self.packets.push_back(Packet::Open(OPEN.to_owned()));
        self.hand_in(false);
    }

    /// The session is lost, and the next attempt has begun.
    pub(super) fn lose(&mut self, error: Error) {
        let link = self.link;
        self.link = dialled(&self.driver, |driver, actions| {
            driver.gather(actions, |monitor, now, _| {
                monitor.core.lost(link, Loss::Failed(error), now);
                monitor.core.open(now);
            });
        });
    }

    /// The server says this; what is not handed in is left.
    pub(crate) fn receive(&mut self, message: &str) {
        self.packets.push_back(Packet::Text(message.into()));
        self.hand_in(false);
    }

    pub(crate) fn hand_in(&mut self, is_last: bool) {
        let mut inlet = Inlet {
            link: self.link,
            packets: &mut self.packets,
            reader: &self.reader,
            is_urgent: false,
            is_last,
        };
        let mut actions = Vec::new();
        self.driver.gather(&mut actions, |monitor, now, actions| {
            self.driver.hand_in(monitor, &mut inlet, now, actions);
        });
        self.driver.act(actions);
    }

    /// Has the driver count a link, which has no threads.
    pub(super) fn add_link(&self) {
        self.driver.run_with(|monitor, _| {
            let address = Arc::clone(&monitor.address);
            monitor.links.get_or_add(self.link, || Box::new(Link::to(address)));
        });
    }

    /// Writes what there is.
    pub(super) fn write(&self) {
        self.take();
        self.written();
    }

    /// Takes what there is to write.
    pub(crate) fn take(&self) -> Work {
        self.driver.run(|core, now| core.take(self.link, now))
    }

    /// What was taken is written.
    pub(crate) fn written(&self) {
        self.driver.run(|core, now| core.written(self.link, now));
    }

    /// Emits an event, and awaits its answer.
    pub(super) fn ask(&self) -> Arc<AckSlot> {
        let slot = Arc::new(AckSlot::default());
        let ack = Some(AckHandle::Slot(Arc::clone(&slot)));
        self.driver.emit(self.namespace, emit(ack), None).unwrap();
        self.write();
        slot
    }
}

/// An event `q` without arguments.
pub(crate) fn emit(ack: Option<AckHandle>) -> Emit<AckHandle> {
    Emit {
        payload: Payload::event("q", &()).unwrap(),
        ack,
        timeout: Some(LIMIT),
        volatile: false,
        urgent: false,
        ttl: None,
        replaces: None,
        reliable: false,
        since: None,
    }
}

/// The link that is dialled, which the test plays.
fn dialled(driver: &Driver, what: impl FnOnce(&Driver, &mut Vec<Action>)) -> LinkId {
    let mut actions = Vec::new();
    what(driver, &mut actions);
    let link = actions.iter().find_map(|action| match action {
        Action::Dial { link, .. } => Some(*link),
        _ => None,
    });
    link.expect("a link to open")
}
