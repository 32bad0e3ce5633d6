//! A server that opens sessions as a real one does, of either revision and over any transport, and
//! then does to its client what a test tells it.

mod order;
mod polling;
mod websocket;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crossbeam_channel::{Receiver, Sender, select, unbounded};

use self::order::{Framing, Order};
use super::gate::Gate;
use super::greeting::Greeting;
use super::raw::{RawConnection, RawPeer};
use super::wait::{LIMIT, recv_within};

/// How a hostile server opens sessions.
#[derive(Clone, Debug)]
pub(crate) struct HostileOptions {
    greeting: Greeting,
    old: bool,
    joins: bool,
    deaf: bool,
    holds_back: bool,
    patient_later: bool,
}

/// A server for all transports, whose sessions do what they are told to.
pub(crate) struct HostileServer {
    /// What the threads of connections wait for besides orders; it ends before they are waited for.
    closing: Option<Sender<()>>,
    lobby: Arc<Lobby>,
    opened: Receiver<HostileSession>,
    peer: RawPeer,
}

/// Where the connections of a session find it.
struct Lobby {
    options: HostileOptions,
    sessions: Mutex<HashMap<String, HostileSession>>,
    opened: Sender<HostileSession>,
    /// It ends with the server.
    closing: Receiver<()>,
}

/// One session with a client. What it is told is done in this order, each as fast as the client takes
/// it, and by no thread of the test.
#[derive(Clone)]
pub(crate) struct HostileSession(Arc<Inside>);

struct Inside {
    sid: String,
    options: HostileOptions,
    orders: Sender<Order>,
    to_do: Receiver<Order>,
    /// Closed, the server reads nothing.
    gate: Gate,
    /// Closed, the server does not answer the probe of an upgrade.
    probe: Gate,
    arrived: Sender<String>,
    arrivals: Receiver<String>,
    counts: Counts,
    said_goodbye: Sender<()>,
    goodbye: Receiver<()>,
    closing: Receiver<()>,
}

#[derive(Default)]
struct Counts {
    packets: AtomicUsize,
    pings: AtomicUsize,
    pongs: AtomicUsize,
    bytes: AtomicUsize,
}

/// What has come from a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arrivals {
    /// The packets of Engine.IO, heartbeats among them.
    pub(crate) packets: usize,
    pub(crate) pings: usize,
    pub(crate) pongs: usize,
    /// The length of the packets, without what they were wrapped in.
    pub(crate) bytes: usize,
}

impl HostileOptions {
    /// Speaks Engine.IO 4, as servers 3.x and 4.x do.
    pub(crate) fn v4() -> Self {
        Self {
            greeting: Greeting::new(""),
            old: false,
            joins: true,
            deaf: false,
            holds_back: false,
            patient_later: false,
        }
    }

    /// Speaks Engine.IO 3, as servers 1.x and 2.x do.
    pub(crate) fn v3() -> Self {
        Self {
            greeting: Greeting::new("").without_max_payload(),
            old: true,
            joins: true,
            deaf: false,
            holds_back: false,
            patient_later: false,
        }
    }

    /// The time between two heartbeats, and that by which one may be late, in milliseconds. Those of
    /// a server are to be asked for ([`HostileSession::ping`]), those of a client are answered.
    pub(crate) fn heartbeat(mut self, interval: u64, timeout: u64) -> Self {
        self.greeting = self.greeting.heartbeat(interval, timeout);
        self
    }

    /// Only the first session has these heartbeats: those of later ones are so far apart that no test sees one.
    pub(crate) fn patient_later(mut self) -> Self {
        self.patient_later = true;
        self
    }

    /// Answers nothing but heartbeats: who wants to join a namespace waits.
    pub(crate) fn heartbeats_only(mut self) -> Self {
        self.joins = false;
        self
    }

    /// Answers no pings of WebSocket itself.
    pub(crate) fn deaf(mut self) -> Self {
        self.deaf = true;
        self
    }

    /// Answers the probe of an upgrade only when it is told to ([`HostileSession::answer_probe`]).
    pub(crate) fn holds_back_probe(mut self) -> Self {
        self.holds_back = true;
        self
    }

    /// Listens on a free port of loopback.
    pub(crate) fn start(self) -> HostileServer {
        let (closing, closed) = unbounded();
        let (sender, opened) = unbounded();
        let lobby = Arc::new(Lobby {
            options: self,
            sessions: Mutex::default(),
            opened: sender,
            closing: closed,
        });
        let peer = RawPeer::start({
            let lobby = Arc::clone(&lobby);
            move |connection| lobby.serve(connection)
        });
        HostileServer { closing: Some(closing), lobby, opened, peer }
    }
}

impl HostileServer {
    pub(crate) fn url(&self) -> String {
        self.peer.url()
    }

    pub(crate) fn port(&self) -> u16 {
        self.peer.port()
    }

    /// Waits for the next session that is opened.
    #[track_caller]
    pub(crate) fn session(&self) -> HostileSession {
        recv_within(&self.opened, LIMIT)
    }
}

impl Drop for HostileServer {
    fn drop(&mut self) {
        drop(self.closing.take());
        for session in lock(&self.lobby.sessions).values() {
            session.read_on();
            session.answer_probe();
        }
    }
}

impl Lobby {
    /// Serves one connection: the requests of long-polling, or a WebSocket.
    fn serve(&self, mut connection: RawConnection) -> std::io::Result<()> {
        // Else the body of an answer waits for the client to acknowledge the head.
        connection.stream().set_nodelay(true)?;
        loop {
            let request = connection.read_request()?;
            let known = request.parameter("sid").map(str::to_owned);
            let session = match known {
                None => self.open(),
                Some(sid) => match lock(&self.sessions).get(&sid) {
                    Some(session) => session.clone(),
                    None => return connection.respond(400, "", br#"{"code":1}"#),
                },
            };
            if request.is_upgrade() {
                return websocket::serve(connection, &request, &session);
            }
            polling::serve(&mut connection, &request, &session)?;
        }
    }

    fn open(&self) -> HostileSession {
        let mut sessions = lock(&self.sessions);
        let sid = format!("s{}", sessions.len());
        let mut options = self.options.clone();
        if options.patient_later && !sessions.is_empty() {
            options.greeting = options.greeting.patient();
        }
        let (orders, to_do) = unbounded();
        let (arrived, arrivals) = unbounded();
        let (said_goodbye, goodbye) = unbounded();
        let session = HostileSession(Arc::new(Inside {
            sid: sid.clone(),
            options,
            orders,
            to_do,
            gate: Gate::default(),
            probe: Gate::default(),
            arrived,
            arrivals,
            counts: Counts::default(),
            said_goodbye,
            goodbye,
            closing: self.closing.clone(),
        }));
        if self.options.holds_back {
            session.0.probe.close();
        }
        sessions.insert(sid, session.clone());
        // The test may not look at its sessions.
        let _ = self.opened.send(session.clone());
        session
    }
}

/// What a test tells a session to do.
impl HostileSession {
    /// Sends one packet of Engine.IO, whatever it may be.
    pub(crate) fn send(&self, packet: &str) {
        self.repeat(packet, 1);
    }

    /// Sends the same packet as often as that.
    pub(crate) fn repeat(&self, packet: &str, count: usize) {
        let length = packet.len();
        let packet = packet.to_owned();
        self.order(Order::Packets { count, length, make: Box::new(move |_| packet.clone()) });
    }

    /// Sends a heartbeat as servers of Engine.IO 4 do.
    pub(crate) fn ping(&self) {
        self.send("2");
    }

    /// Sends events `flood(n, text)` in the default namespace, with numbers from 0, each of which
    /// is a packet of `bytes` bytes.
    #[track_caller]
    pub(crate) fn burst(&self, count: usize, bytes: usize) {
        self.burst_in("/", count, bytes);
    }

    /// The same in a namespace.
    #[track_caller]
    pub(crate) fn burst_in(&self, namespace: &str, count: usize, bytes: usize) {
        self.order(order::flood(namespace, count, bytes));
    }

    /// Sends as many pings of WebSocket itself, each with `bytes` bytes, 125 at most.
    pub(crate) fn websocket_pings(&self, count: usize, bytes: u8) {
        assert!(bytes <= 125, "a ping is short");
        let frame = [&[0x89, bytes][..], &vec![0; bytes.into()]].concat();
        self.order(Order::Frames(frame.repeat(count)));
    }

    /// Sends the same packet as often as that over WebSocket, written at once: faster than a client can take it in.
    pub(crate) fn pour(&self, packet: &str, count: usize) {
        let length = u8::try_from(packet.len()).ok().filter(|length| *length <= 125);
        let head = [0x81, length.expect("a short packet")];
        let frame = [&head[..], packet.as_bytes()].concat();
        self.order(Order::Frames(frame.repeat(count)));
    }

    /// Begins a message, of which it sends as many bytes, and nothing more ever after.
    pub(crate) fn stall_after(&self, bytes: usize) {
        self.order(Order::Stall(bytes));
    }

    /// Ends the connection at which it is, once all the rest is done.
    pub(crate) fn hang_up(&self) {
        self.order(Order::HangUp);
    }

    /// Reads nothing from now on, but for what it is waiting for already. By long-polling, what a
    /// client posts is not answered.
    pub(crate) fn stop_reading(&self) {
        self.0.gate.close();
    }

    /// Reads again.
    pub(crate) fn read_on(&self) {
        self.0.gate.open();
    }

    /// Answers the probe of the upgrade, now or when it comes.
    pub(crate) fn answer_probe(&self) {
        self.0.probe.open();
    }

    /// Something to receive when all that it was told to do so far is done: written to a
    /// WebSocket, or sent by long-polling and asked for more.
    pub(crate) fn done(&self) -> Receiver<()> {
        let (sender, done) = unbounded();
        self.order(Order::Tell(sender));
        done
    }

    fn order(&self, order: Order) {
        self.0.orders.send(order).expect("the session's own receiver");
    }
}

/// What a test sees of the client.
impl HostileSession {
    /// Waits for the next packet that is no heartbeat; binary is told as `<3 bytes>`.
    #[track_caller]
    pub(crate) fn next(&self) -> String {
        recv_within(&self.0.arrivals, LIMIT)
    }

    /// Something to receive once the client has closed the session in good order: by a packet of
    /// long-polling, or by a frame of WebSocket.
    pub(crate) fn goodbye(&self) -> &Receiver<()> {
        &self.0.goodbye
    }

    /// What has arrived so far.
    pub(crate) fn arrivals(&self) -> Arrivals {
        let counts = &self.0.counts;
        let read = |count: &AtomicUsize| count.load(Ordering::SeqCst);
        Arrivals {
            packets: read(&counts.packets),
            pings: read(&counts.pings),
            pongs: read(&counts.pongs),
            bytes: read(&counts.bytes),
        }
    }
}

/// What the transports need.
impl HostileSession {
    /// What a session begins with; it may move to WebSocket, unless it is there.
    fn greeting(&self, upgrades: &'static [&'static str]) -> Vec<String> {
        let greeting = self.0.options.greeting.clone().sid(&self.0.sid).upgrades(upgrades).text();
        // Old servers let everyone into the default namespace unasked.
        let welcome = (self.0.options.old && self.0.options.joins).then(|| "40".to_owned());
        [greeting].into_iter().chain(welcome).collect()
    }

    fn framing(&self) -> Framing {
        if self.0.options.old { Framing::Lengths } else { Framing::Separators }
    }

    /// The next thing to do; none when `ended` or the server has ended.
    fn next_order(&self, ended: &Receiver<()>) -> Option<Order> {
        select! {
            recv(self.0.to_do) -> order => order.ok(),
            recv(self.0.closing) -> _ => None,
            recv(ended) -> _ => None,
        }
    }

    /// Waits for the end of the server, or that of the connection.
    fn wait_for_end(&self, ended: &Receiver<()>) {
        select! {
            recv(self.0.closing) -> _ => {},
            recv(ended) -> _ => {},
        }
    }

    /// Notes a packet, and answers what wants an answer.
    fn arrived(&self, packet: &str, bytes: usize) {
        let counts = &self.0.counts;
        counts.packets.fetch_add(1, Ordering::SeqCst);
        counts.bytes.fetch_add(bytes, Ordering::SeqCst);
        match packet {
            "2" => {
                counts.pings.fetch_add(1, Ordering::SeqCst);
                self.send("3");
            }
            "3" => {
                counts.pongs.fetch_add(1, Ordering::SeqCst);
            }
            "1" => self.said_goodbye(),
            _ => {
                if let Some(rest) = packet.strip_prefix("40") {
                    self.admit(rest);
                }
                self.0.arrived.send(packet.to_owned()).expect("the session's own receiver");
            }
        }
    }

    fn said_goodbye(&self) {
        self.0.said_goodbye.send(()).expect("the session's own receiver");
    }

    /// Answers the wish to join a namespace.
    fn admit(&self, wish: &str) {
        if !self.0.options.joins {
            return;
        }
        let namespace = wish.split([',', '?', '{']).next().unwrap_or_default();
        let comma = if namespace.is_empty() { "" } else { "," };
        if self.0.options.old {
            self.send(&format!("40{namespace}{comma}"));
        } else {
            let id = format!("{}{}", self.0.sid, namespace.replace('/', "-"));
            self.send(&format!(r#"40{namespace}{comma}{{"sid":"{id}"}}"#));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
