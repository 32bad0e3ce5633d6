//! What unit tests have of a server: its connections are served by the test, step by step, and nobody runs handlers.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use mio::{Poll, Token};

use super::alarm_clock::AlarmClock;
use super::cluster::ClusterLink;
use super::commands::IoCommands;
use super::door::Door;
use super::hub_options::HubOptions;
use super::inbox::InboxBounds;
use super::io::{CLOCK, Io, Slot, WAKER};
use super::parts::{Hub, Peer, ServedSocket};
use super::pool::PoolSize;
use crate::core::server::session::SessionOptions;
use crate::net::server::cors::CorsPolicy;
use crate::net::server::origin::KnownHosts;
use crate::net::server::stream::ServerStream;
use crate::options::{Cors, ParserKind};

/// The token of a connection that is not taken.
const NOWHERE: Token = Token(usize::MAX);

const HOUR: Duration = Duration::from_secs(3600);

/// Options that bound nothing, but for what the test says then.
pub(super) fn options() -> HubOptions {
    HubOptions {
        session: Arc::new(SessionOptions {
            ping_interval: HOUR,
            ping_timeout: HOUR,
            upgrade_timeout: HOUR,
            max_payload: 1 << 20,
            announce_max_payload: true,
            allow_upgrades: true,
            send_bytes: 1 << 30,
            send_packets: 1 << 20,
        }),
        path: "/socket.io/".into(),
        parser: ParserKind::default(),
        max_attachments: 10,
        polling: true,
        websocket: true,
        allow_eio3: true,
        only_dialect: None,
        allow_jsonp: true,
        http_compression: None,
        connect_timeout: HOUR,
        max_namespaces: 1000,
        max_connections: 1000,
        max_connections_per_address: 1000,
        inbox: InboxBounds { events: 1 << 20, bytes: 1 << 30 },
        receive_reserve: 1 << 20,
        stall_timeout: HOUR,
        acks: 1000,
        ack_timeout: HOUR,
        cluster_timeout: HOUR,
        pool: PoolSize { workers: 0, most: 0, stack_size: 0 },
        recovery: None,
        cut_slow_clients: true,
    }
}

/// Everybody comes in.
pub(super) fn door() -> Door {
    Door {
        cors: CorsPolicy::new(&Cors::new()).unwrap(),
        hosts: KnownHosts::default(),
        cookie: None,
        allow_request: None,
        generate_id: None,
        client_files: None,
        fallback: None,
    }
}

/// A server that waits for what the test does, with the namespace `/`.
pub(super) fn server(options: HubOptions) -> Io {
    server_with(options, door(), None)
}

pub(super) fn server_with(
    options: HubOptions,
    door: Door,
    link: Option<Arc<dyn ClusterLink>>,
) -> Io {
    let poll = Poll::new().unwrap();
    let commands = IoCommands::new(poll.registry(), WAKER).unwrap();
    let clock = AlarmClock::new(poll.registry(), CLOCK).unwrap();
    let hub = Hub::new(options, door, commands, link);
    hub.of("/");
    Io::new(poll, clock, hub, channel().0)
}

/// A client, which waits for nothing.
pub(super) struct TestClient {
    pub(super) token: Token,
    pub(super) stream: UnixStream,
}

impl TestClient {
    /// One that has connected, as if from this address.
    pub(super) fn connect(io: &mut Io, address: Option<SocketAddr>) -> Self {
        let (own, stream) = UnixStream::pair().unwrap();
        for stream in [&own, &stream] {
            stream.set_nonblocking(true).unwrap();
        }
        let token = Token(io.next_token);
        io.take_on(ServerStream::Unix(mio::net::UnixStream::from_std(own)), address);
        let is_taken = io.next_token > token.0;
        Self { token: if is_taken { token } else { NOWHERE }, stream }
    }

    /// One that has a session by WebSocket, of Engine.IO 4.
    pub(super) fn websocket(io: &mut Io) -> (Self, Arc<Peer>) {
        let mut client = Self::connect(io, None);
        client.say(
            io,
            b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\n\
              Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
              Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        );
        let Some(Slot::WebSocket(peer)) = io.slots.get(&client.token) else {
            panic!("no WebSocket")
        };
        let peer = Arc::clone(peer);
        (client, peer)
    }

    /// One that has joined the namespace `/` as well, and its socket.
    pub(super) fn joined(io: &mut Io) -> (Self, Arc<ServedSocket>) {
        let (mut client, peer) = Self::websocket(io);
        client.send(io, "40");
        let socket = Arc::clone(&peer.lock().sockets[0]);
        (client, socket)
    }

    /// Writes this, and has the server do what follows.
    pub(super) fn say(&mut self, io: &mut Io, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
        self.is_served(io);
    }

    /// Says this in a frame.
    pub(super) fn send(&mut self, io: &mut Io, text: &str) {
        let mut frame = vec![0x81, 0x80 + u8::try_from(text.len()).unwrap(), 0, 0, 0, 0];
        frame.extend_from_slice(text.as_bytes());
        self.say(io, &frame);
    }

    /// The server does what there is to do.
    pub(super) fn is_served(&self, io: &mut Io) {
        match io.slots.get_mut(&self.token) {
            Some(Slot::WebSocket(peer)) => {
                let peer = Arc::clone(peer);
                peer.read(self.token, &mut io.memory);
            }
            Some(Slot::Http(connection)) => {
                connection.note_end();
                io.attend(self.token);
            }
            _ => io.attend(self.token),
        }
        loop {
            let commands = io.hub.commands.take();
            if commands.is_empty() {
                return;
            }
            for command in commands {
                io.obey(command);
            }
        }
    }

    /// What it has been told since, as text.
    pub(super) fn heard(&mut self) -> String {
        let mut heard = Vec::new();
        // It ends with what has come.
        let _ = self.stream.read_to_end(&mut heard);
        String::from_utf8_lossy(&heard).into_owned()
    }
}
