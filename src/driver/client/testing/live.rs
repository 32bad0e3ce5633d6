//! A connection that is served by its own threads, and the server's end of it.

use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use tungstenite::Message;

use super::{LIMIT, OPEN, driver, driver_by, emit};
use crate::core::client::namespace::Phase;
use crate::core::ids::{LinkId, NamespaceId};
use crate::driver::client::outputs::Action;
use crate::driver::client::pump::{NextStep, Pump};
use crate::driver::client::shared_wire::SharedWire;
use crate::driver::client::wire::Wire;
use crate::driver::client::{Driver, PrepareFunction};
use crate::net::{Attempt, Ready, Waker};
use crate::options::{Limits, Transport};

/// A connection with threads of its own, whose server the test plays. It is closed when this is dropped.
pub(in crate::driver::client) struct Live {
    pub(in crate::driver::client) driver: Arc<Driver>,
    /// `/`.
    pub(in crate::driver::client) namespace: NamespaceId,
    pub(in crate::driver::client) listener: TcpListener,
}

impl Live {
    /// Nobody has asked for the connection yet.
    pub(in crate::driver::client) fn idle(
        transport: Transport,
        before_attempt: Option<PrepareFunction>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let driver = driver_by(transport, port, Limits::new(), before_attempt);
        let namespace = driver.register_namespace("/");
        Self { driver, namespace, listener }
    }

    /// An attempt to connect, which goes on by itself.
    pub(in crate::driver::client) fn connecting(transport: Transport) -> Self {
        let live = Self::idle(transport, None);
        live.connect();
        live
    }

    pub(in crate::driver::client) fn connect(&self) {
        self.driver.run(|core, now| core.connect(self.namespace, now));
    }

    /// The namespace is joined by WebSocket.
    pub(in crate::driver::client) fn joined() -> (Self, Peer) {
        let live = Self::connecting(Transport::WebSocket);
        let mut peer = accept(&live.listener);
        join(&mut peer);
        live.driver.wait_joined(live.namespace, LIMIT).unwrap();
        (live, peer)
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.driver.shut_down();
    }
}

/// A server's end of a WebSocket.
pub(in crate::driver::client) type Peer = tungstenite::WebSocket<TcpStream>;

/// Accepts a WebSocket.
pub(in crate::driver::client) fn accept(listener: &TcpListener) -> Peer {
    let stream = listener.accept().unwrap().0;
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    // What still waits to be sent together with more is lost by a reset.
    stream.set_nodelay(true).unwrap();
    tungstenite::accept(stream).unwrap()
}

/// What the client says next, beside pings of the WebSocket.
pub(in crate::driver::client) fn said(peer: &mut Peer) -> Message {
    loop {
        let message = peer.read().unwrap();
        if !message.is_ping() {
            return message;
        }
    }
}

/// Opens the session and lets the client into its namespace.
pub(in crate::driver::client) fn join(peer: &mut Peer) {
    peer.send(format!("0{OPEN}").into()).unwrap();
    assert_eq!(peer.read().unwrap(), "40".into());
    peer.send(r#"40{"sid":"n"}"#.into()).unwrap();
}

/// A connection by WebSocket without a thread: the test takes the turns.
pub(in crate::driver::client) struct Stepped {
    pub(in crate::driver::client) driver: Arc<Driver>,
    pub(in crate::driver::client) namespace: NamespaceId,
    pub(in crate::driver::client) link: LinkId,
    pub(in crate::driver::client) wire: SharedWire,
    pub(in crate::driver::client) waker: Arc<Waker>,
}

impl Stepped {
    /// The WebSocket is open, and nothing was said.
    pub(in crate::driver::client) fn new(
        driver: Arc<Driver>,
        listener: TcpListener,
    ) -> (Self, Peer) {
        let namespace = driver.register_namespace("/");
        let mut actions = Vec::new();
        driver.gather(&mut actions, |monitor, now, _| monitor.core.connect(namespace, now));
        let Some(Action::Dial { link, .. }) = actions.pop() else { panic!("no link to open") };
        let waker = Arc::new(Waker::new().unwrap());
        let attempt = Attempt::new(Arc::clone(&waker), None);
        let accepting = thread::spawn(move || accept(&listener));
        let request = driver.lock().address.request("4", Transport::WebSocket, None);
        let socket = driver.net.websocket(&request, &Arc::new(attempt)).unwrap();
        let peer = accepting.join().unwrap();
        driver.run(|core, now| core.connected(link, now));
        let wire = Wire::new(link, socket, false, driver.new_parser());
        let pump = Pump::new(link, &waker, driver.language_of(link));
        let wire = SharedWire::new(wire, pump);
        (Self { driver, namespace, link, wire, waker }, peer)
    }

    /// The namespace is joined.
    pub(in crate::driver::client) fn joined(limits: Limits) -> (Self, Peer) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let driver = driver(listener.local_addr().unwrap().port(), limits);
        let (stepped, mut peer) = Self::new(driver, listener);
        let joining = thread::spawn(move || {
            join(&mut peer);
            peer
        });
        while stepped.driver.look(|core| core.namespace(stepped.namespace).phase) != Phase::Joined {
            stepped.turn();
        }
        // What was written is told by the next turn.
        stepped.turn();
        (stepped, joining.join().unwrap())
    }

    /// A turn, as the thread takes it when there is something to read.
    pub(in crate::driver::client) fn turn(&self) -> NextStep {
        let mut actions = Vec::new();
        let ready = Ready { readable: true, hung_up: false };
        let next = self.wire.with(|it| it.turn_of_thread(&self.driver, ready, &mut actions));
        self.driver.act(actions);
        next.unwrap().unwrap()
    }

    /// Emits an event `q`, which nobody has written yet.
    pub(in crate::driver::client) fn emit(&self) {
        self.driver.emit(self.namespace, emit(None), None).unwrap();
    }
}
