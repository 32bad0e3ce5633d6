//! Sockets for tests, with an eye on their statuses and on the news of their connections.

use std::ops::Deref;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use siot::{
    Binary, Builder, DisconnectReason, Error, ErrorKind, ManagerEvent, Socket, Status,
    Subscription, Transport,
};

use super::Server;
use super::wait::{LIMIT, recv_within};

/// A server that many tests use at the same time; it ends with this process. Not for tests that
/// look at what the server has counted, or that disturb it.
pub(crate) fn shared() -> &'static Server {
    static SHARED: OnceLock<Server> = OnceLock::new();
    SHARED.get_or_init(|| Server::start(json!({})))
}

/// A server 4.x and a server 2.x, each like [`shared`].
pub(crate) fn shared_each() -> [&'static Server; 2] {
    static OLD: OnceLock<Server> = OnceLock::new();
    [shared(), OLD.get_or_init(|| Server::version(2, json!({})))]
}

/// The same with many heartbeats: one is due after 50 ms, and given up 3 s later.
pub(crate) fn brisk_each() -> [&'static Server; 2] {
    static BRISK: [OnceLock<Server>; 2] = [const { OnceLock::new() }; 2];
    let start =
        |version| Server::version(version, json!({ "pingInterval": 50, "pingTimeout": 3000 }));
    [BRISK[0].get_or_init(|| start(4)), BRISK[1].get_or_init(|| start(2))]
}

/// A socket with its statuses, and the news of its connection.
pub(crate) struct Client {
    pub(crate) socket: Socket,
    pub(crate) status: Subscription<Status>,
    pub(crate) news: Subscription<ManagerEvent>,
}

impl Client {
    /// A client that has not begun to connect.
    #[track_caller]
    pub(crate) fn idle(builder: Builder) -> Self {
        Self::of(builder.auto_connect(false).build().expect("usable options"))
    }

    /// A client that watches this socket from now on.
    pub(crate) fn of(socket: Socket) -> Self {
        let (status, news) = (socket.status(), socket.manager().events());
        Self { socket, status, news }
    }

    /// A client that has begun to connect.
    #[track_caller]
    pub(crate) fn start(builder: Builder) -> Self {
        let client = Self::idle(builder);
        client.socket.connect();
        client
    }

    /// A client that is connected.
    #[track_caller]
    pub(crate) fn connect(builder: Builder) -> Self {
        let client = Self::start(builder);
        client.connected();
        client
    }

    /// A client of another namespace on the same connection, which has begun to join it.
    #[track_caller]
    pub(crate) fn start_in(&self, namespace: &str) -> Self {
        // Whoever listens only afterwards may miss what a quick server says.
        let idle = siot::SocketOptions::new().auto_connect(false);
        let client = Self::of(self.manager().socket_with(namespace, idle).expect("a usable name"));
        client.socket.connect();
        client
    }

    /// A client of another namespace on the same connection, which has joined it.
    #[track_caller]
    pub(crate) fn connect_in(&self, namespace: &str) -> Self {
        let client = self.start_in(namespace);
        client.connected();
        client
    }

    /// Waits for the next status, which is to be that the socket is connected; gives its id.
    #[track_caller]
    pub(crate) fn connected(&self) -> String {
        match self.next_status() {
            Status::Connected { id, .. } => id,
            other => panic!("not connected: {other:?}"),
        }
    }

    /// Waits until the socket is connected, whatever fails before.
    #[track_caller]
    pub(crate) fn reconnected(&self) -> String {
        let mut before = Vec::new();
        let start = Instant::now();
        while start.elapsed() < LIMIT {
            match self.next_status() {
                Status::Connected { id, .. } => return id,
                other => before.push(other),
            }
        }
        panic!("not reconnected, but {before:?}");
    }

    /// Has the server cut all TCP connections, again and again until that is noticed: between two
    /// polls there may be none that matters. Gives why the socket was disconnected.
    #[track_caller]
    pub(crate) fn cut_off(&self, server: &Server) -> (DisconnectReason, Option<Error>) {
        for _ in 0..1000 {
            server.cmd("drop");
            if let Ok(status) = self.status.recv_timeout(Duration::from_millis(20)) {
                match status {
                    Status::Disconnected { reason, error, .. } => return (reason, error),
                    other => panic!("not disconnected: {other:?}"),
                }
            }
        }
        panic!("nothing was noticed");
    }

    /// Waits for the next status, which is to be a disconnection.
    #[track_caller]
    pub(crate) fn disconnected(&self) -> (DisconnectReason, Option<Error>) {
        match self.next_status() {
            Status::Disconnected { reason, error, .. } => (reason, error),
            other => panic!("not disconnected: {other:?}"),
        }
    }

    /// Waits until an attempt fails. As in JavaScript, the end of a session in which the namespace
    /// had not been joined yet is a disconnection too.
    #[track_caller]
    pub(crate) fn connect_error(&self) -> Error {
        let mut before = Vec::new();
        let start = Instant::now();
        while start.elapsed() < LIMIT {
            match self.next_status() {
                Status::ConnectError(error) => return error,
                other => before.push(other),
            }
        }
        panic!("no error, but {before:?}");
    }

    #[track_caller]
    pub(crate) fn next_status(&self) -> Status {
        recv_within(self.status.receiver(), LIMIT)
    }

    /// The next status that is no attempt in vain. A refusal is none.
    #[track_caller]
    pub(crate) fn outcome(&self) -> Status {
        let start = Instant::now();
        while start.elapsed() < LIMIT {
            match self.next_status() {
                Status::ConnectError(error) if error.kind() != ErrorKind::Refused => {}
                status => return status,
            }
        }
        panic!("nothing but attempts in vain");
    }

    /// Waits for the next outcome, which is to be that the socket is connected; gives its id.
    #[track_caller]
    pub(crate) fn admitted(&self) -> String {
        match self.outcome() {
            Status::Connected { id, .. } => id,
            other => panic!("not connected: {other:?}"),
        }
    }

    /// Waits for the next outcome, which is to be a refusal.
    #[track_caller]
    pub(crate) fn refused(&self) -> Error {
        match self.outcome() {
            Status::ConnectError(error) => error,
            other => panic!("not refused: {other:?}"),
        }
    }

    /// Waits for the next outcome, which is to be a disconnection.
    #[track_caller]
    pub(crate) fn parted(&self) -> DisconnectReason {
        match self.outcome() {
            Status::Disconnected { reason, .. } => reason,
            other => panic!("not disconnected: {other:?}"),
        }
    }

    /// Waits until the session has moved to WebSocket.
    #[track_caller]
    pub(crate) fn upgraded(&self) {
        self.wait_for("the upgrade", |event| {
            matches!(event, ManagerEvent::Upgrade(Transport::WebSocket))
        });
    }

    /// Waits for a piece of news.
    #[track_caller]
    pub(crate) fn wait_for(
        &self,
        what: &str,
        mut is_it: impl FnMut(&ManagerEvent) -> bool,
    ) -> ManagerEvent {
        let end = Instant::now() + LIMIT;
        loop {
            match self.news.receiver().recv_deadline(end) {
                Ok(event) if is_it(&event) => return event,
                Ok(_) => {}
                Err(error) => panic!("waiting for {what}: {error}"),
            }
        }
    }

    /// Emits an event and gives the server's answer to it.
    #[track_caller]
    pub(crate) fn ask<T: DeserializeOwned>(&self, event: &str, args: impl Serialize) -> T {
        ask(&self.socket, event, args)
    }

    /// Has the server send so many events of this many bytes, which have to come in order.
    #[track_caller]
    pub(crate) fn takes_binary(&self, count: u32, size: usize) {
        let floods = self.subscribe("bflood");
        self.emit("bflood", (count, size)).expect("an event that can be sent");
        for sent in 0..count {
            let event = recv_within(floods.receiver(), LIMIT);
            let (number, bytes): (u32, Binary) = event.args().expect("a number and bytes");
            assert_eq!((number, bytes.len()), (sent, size));
        }
    }

    /// Whether events flow both ways.
    #[track_caller]
    pub(crate) fn works(&self) {
        assert_eq!(self.ask::<u32>("sum", (1, 2)), 3);
    }
}

/// The first attempt's error.
#[track_caller]
pub(crate) fn failure(builder: Builder) -> Error {
    let socket = builder.reconnection(false).build().expect("usable options");
    socket.wait_connected(LIMIT).expect_err("an attempt in vain")
}

/// Emits an event and gives the server's answer to it.
#[track_caller]
pub(crate) fn ask<T: DeserializeOwned>(socket: &Socket, event: &str, args: impl Serialize) -> T {
    let mut ack = socket.emit_with_ack(event, args).expect("an event that can be sent");
    match ack.wait_timeout(LIMIT) {
        Ok(answer) => answer,
        Err(error) => panic!("no answer to {event}: {error}"),
    }
}

impl Deref for Client {
    type Target = Socket;

    fn deref(&self) -> &Socket {
        &self.socket
    }
}
