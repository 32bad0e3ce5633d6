//! Sockets for tests: by each way of connecting, impatient, and with an eye on their statuses.

use std::ops::Deref;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use siot::{
    Builder, DisconnectReason, Error, ManagerEvent, Socket, Status, Subscription, Transport,
};

use super::Server;
use super::wait::{LIMIT, recv_within};

/// A way of connecting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Via {
    /// By WebSocket from the start.
    WebSocket,
    /// By long-polling to the end.
    Polling,
    /// By long-polling, from which the session moves to WebSocket. Tests that do not wait for that
    /// ([`Client::upgraded`]) race with it, which is meant.
    Upgrade,
}

/// Makes of each function `fn claim(via: Via)` one test for each way of connecting, in the modules
/// `websocket`, `polling` and `upgrade`.
macro_rules! over_each_transport {
    ($($claim:ident),* $(,)?) => {
        over_each_transport!(@module websocket WebSocket $($claim)*);
        #[cfg(feature = "polling")]
        over_each_transport!(@module polling Polling $($claim)*);
        #[cfg(feature = "polling")]
        over_each_transport!(@module upgrade Upgrade $($claim)*);
    };
    (@module $module:ident $via:ident $($claim:ident)*) => {
        mod $module {
            $(
                #[test]
                fn $claim() {
                    super::$claim($crate::support::Via::$via);
                }
            )*
        }
    };
}

pub(crate) use over_each_transport;

/// The transports that this build has, each by itself.
pub(crate) const TRANSPORTS: &[Transport] = &[
    Transport::WebSocket,
    #[cfg(feature = "polling")]
    Transport::Polling,
];

/// A connection of its own by one transport and no proxy, with short delays between attempts.
pub(crate) fn direct(url: impl Into<String>, transport: Transport) -> Builder {
    Builder::new(url)
        .force_new(true)
        .no_proxy()
        .transports([transport])
        .reconnection_delay(Duration::from_millis(10))
        .reconnection_delay_max(Duration::from_millis(20))
}

impl Via {
    /// A connection of its own, with short delays between attempts.
    pub(crate) fn builder(self, url: impl Into<String>) -> Builder {
        let transports: &[Transport] = match self {
            Self::WebSocket => &[Transport::WebSocket],
            Self::Polling => &[Transport::Polling],
            Self::Upgrade => &[Transport::Polling, Transport::WebSocket],
        };
        Builder::new(url)
            .transports(transports.iter().copied())
            .force_new(true)
            .reconnection_delay(Duration::from_millis(10))
            .reconnection_delay_max(Duration::from_millis(40))
    }

    /// A client that is connected; by upgrade it may still be on its way to WebSocket.
    #[track_caller]
    pub(crate) fn connect(self, url: impl Into<String>) -> Client {
        Client::connect(self.builder(url))
    }

    /// A client that is connected and, by upgrade, has moved to WebSocket.
    #[track_caller]
    pub(crate) fn settle(self, url: impl Into<String>) -> Client {
        let client = self.connect(url);
        if self == Self::Upgrade {
            client.upgraded();
        }
        client
    }

    /// Where the session is once it has settled.
    pub(crate) fn transport(self) -> Transport {
        if self == Self::Polling { Transport::Polling } else { Transport::WebSocket }
    }

    /// A tenth of it where long-polling takes part.
    pub(crate) fn scaled(self, count: usize) -> usize {
        if self == Self::WebSocket { count } else { count / 10 }
    }
}

/// A server that many tests use at the same time; it ends with this process. Not for tests that
/// look at what the server has counted, or that disturb it.
pub(crate) fn shared() -> &'static Server {
    static SHARED: OnceLock<Server> = OnceLock::new();
    SHARED.get_or_init(|| Server::start(json!({})))
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
        let socket = builder.auto_connect(false).build().expect("usable options");
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

    /// Whether events flow both ways.
    #[track_caller]
    pub(crate) fn works(&self) {
        assert_eq!(self.ask::<u32>("sum", (1, 2)), 3);
    }
}

/// Emits an event and gives the server's answer to it.
#[track_caller]
pub(crate) fn ask<T: DeserializeOwned>(socket: &Socket, event: &str, args: impl Serialize) -> T {
    let ack = socket.emit_with_ack(event, args).expect("an event that can be sent");
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
