//! A server with the handlers that most tests want.

use crossbeam_channel::{Receiver, Sender, unbounded};
use siot::server::{Server, ServerBuilder, ServerNamespace, ServerSocket};
use siot::{ArgList, DisconnectReason};

use crate::support::{LIMIT, recv_within};

/// Whether handlers run on the thread of this name: of the pool, or the one that has read for them.
pub(crate) fn runs_handlers(thread: &str) -> bool {
    ["siot-work", "siot-serve"].contains(&thread)
}

/// A server, and what becomes of its sockets.
///
/// Its events: `echo` is acknowledged with its arguments, `back` is emitted back as `event`, `question` is emitted back as
/// `ask`, whose answer is awaited in the handler and emitted as `conclusion`; `join` and `leave` are about a room,
/// and acknowledged.
pub(crate) struct Host {
    pub(crate) server: Server,
    pub(crate) url: String,
    notices: Sender<Notice>,
    noticed: Receiver<Notice>,
}

/// Something that has become of a socket.
#[derive(Debug)]
pub(crate) enum Notice {
    Connected(ServerSocket),
    Disconnected(ServerSocket, DisconnectReason),
}

impl Host {
    /// A server for clients of both revisions, of all options that this sets.
    #[track_caller]
    pub(crate) fn start(options: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Self {
        let builder = options(Server::builder().allow_eio3(true));
        let server = builder.bind("127.0.0.1:0").expect("a server");
        let url = format!("http://{}", server.local_addrs()[0]);
        let (notices, received) = unbounded();
        let host = Self { server, url, notices, noticed: received };
        host.serve(&host.server);
        host
    }

    /// Has another namespace served likewise.
    pub(crate) fn of(&self, name: &str) -> ServerNamespace {
        let namespace = self.server.of(name);
        self.serve(&namespace);
        namespace
    }

    /// Gives a namespace the usual handlers.
    pub(crate) fn serve(&self, namespace: &ServerNamespace) {
        let notices = self.notices.clone();
        namespace.on_connection(move |socket| {
            let _ = notices.send(Notice::Connected(socket.clone()));
        });
        let notices = self.notices.clone();
        namespace.on_disconnect(move |socket, reason| {
            let _ = notices.send(Notice::Disconnected(socket.clone(), reason));
        });
        namespace.on("echo", |_, event| event.ack(event.args::<ArgList>()?));
        namespace.on("back", |socket, event| socket.emit("event", event.args::<ArgList>()?));
        namespace.on("question", |socket, event| {
            let asked = socket.timeout(LIMIT).emit_with_ack("ask", event.args::<ArgList>()?)?;
            socket.emit("conclusion", asked.wait::<ArgList>()?)
        });
        namespace.on("join", |socket, event| {
            socket.join(&event.arg::<String>(0)?);
            event.ack(())
        });
        namespace.on("leave", |socket, event| {
            socket.leave(&event.arg::<String>(0)?);
            event.ack(())
        });
    }

    /// Waits for the next notice.
    #[track_caller]
    pub(crate) fn notice(&self) -> Notice {
        recv_within(&self.noticed, LIMIT)
    }

    /// Forgets what has become of sockets so far, and from now on.
    pub(crate) fn forget_notices(&mut self) {
        self.noticed = crossbeam_channel::never();
    }

    /// Waits for the next notice, which is to be that a socket has connected.
    #[track_caller]
    pub(crate) fn connected(&self) -> ServerSocket {
        match recv_within(&self.noticed, LIMIT) {
            Notice::Connected(socket) => socket,
            other @ Notice::Disconnected(..) => panic!("nobody has connected, but {other:?}"),
        }
    }

    /// Waits for the next notice, which is to be that this socket has disconnected; gives the reason.
    #[track_caller]
    pub(crate) fn disconnected(&self, whose: &ServerSocket) -> DisconnectReason {
        let (socket, reason) = self.parted();
        assert_eq!(socket.id(), whose.id(), "{reason}");
        reason
    }

    /// Waits for the next notice, which is to be that a socket has disconnected.
    #[track_caller]
    pub(crate) fn parted(&self) -> (ServerSocket, DisconnectReason) {
        match recv_within(&self.noticed, LIMIT) {
            Notice::Disconnected(socket, reason) => (socket, reason),
            other @ Notice::Connected(_) => panic!("nobody has disconnected, but {other:?}"),
        }
    }
}
