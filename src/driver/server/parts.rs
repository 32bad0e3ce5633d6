//! What a server consists of, and who knows whom: the server its clients and namespaces, a client its sockets, a
//! namespace those who are in it, and a socket all of them. Their methods stand in files of their own.
//!
//! Clients let go of their sockets when their session ends, and the server of all at its own end: nothing is left in a
//! circle.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Condvar, Mutex, OnceLock, RwLock, Weak};

use http::HeaderMap;
use mio::Token;

use super::answers::Answers;
use super::belongings::{AttachingEnd, Belongings, SocketData};
use super::cluster::ClusterLink;
use super::cluster::membership::ClusterMembership;
use super::commands::IoCommands;
use super::directory::Directory;
use super::door::{Decision, Door};
use super::handshake::{FirstRequest, KeptHeads, SocketHandshake};
use super::http_connection::HttpConnection;
use super::hub_options::HubOptions;
use super::inbox::Inbox;
use super::pace::HalfPacket;
use super::pool::{PoolLook, Workers};
use super::stall::Stall;
use super::timers::{Alarm, TimerHeap};
use super::turned_away::TurnedAwayLog;
use super::wire::PeerWire;
use crate::core::server::recovery::RecoveryStore;
use crate::core::server::rooms::{Rooms, SocketKey};
use crate::core::server::session::Session;
use crate::core::time::Timestamp;
use crate::error::Error;
use crate::event::Event;
use crate::event::status::DisconnectReason;
use crate::net::server::jsonp::AnswerScript;
use crate::net::server::listener::ServerListener;
use crate::net::server::response::{Framing, HttpResponse};
use crate::net::server::stream::ServerStream;
use crate::proto::parser::Parser;

/// A server.
pub(crate) struct Hub {
    pub(crate) options: HubOptions,
    pub(super) door: Door,
    pub(super) pool: Arc<Workers>,
    pub(super) timers: TimerHeap<Due>,
    pub(super) commands: IoCommands<IoCommand>,
    pub(super) namespaces: RwLock<HashMap<Box<str>, Arc<ServedNamespace>>>,
    pub(super) families: RwLock<Vec<Family>>,
    /// Who takes what comes by new sockets of all namespaces, but for those of which somebody else does.
    pub(super) taker: Mutex<Option<Arc<dyn SocketTaker>>>,
    pub(super) peers: Mutex<Directory<Peer>>,
    /// How many sockets are gone of which handlers, or functions that let in, have yet to hear.
    pub(super) leaving: AtomicUsize,
    pub(super) heads: KeptHeads,
    pub(super) turned_away: TurnedAwayLog,
    /// The last client has gone.
    pub(super) peer_gone: Condvar,
    /// Tells of the end of the thread that serves.
    pub(super) end: Mutex<Option<Receiver<()>>>,
    /// Clients for whom something was gathered.
    pub(super) deferred: Mutex<Vec<Arc<Peer>>>,
    /// Whoever serves is to write it.
    pub(super) is_to_write: AtomicBool,
    pub(super) next_turn: AtomicU64,
    pub(super) is_closing: AtomicBool,
    /// To the other servers of its cluster.
    pub(super) link: Option<Arc<dyn ClusterLink>>,
    pub(super) dropped_server_events: AtomicU64,
    /// Tells what this run of the server has numbered from what others have.
    pub(super) run: Box<str>,
}

/// Decides whether a namespace that does not exist is made.
pub(crate) type MayExist = dyn Fn(&str) -> bool + Send + Sync;

/// Namespaces that are made when they are asked for, with the handlers of a parent.
pub(super) struct Family {
    pub(super) may_exist: Arc<MayExist>,
    pub(super) parent: Arc<ServedNamespace>,
}

/// Something to be done by that thread.
pub(super) enum IoCommand {
    /// The server listens.
    Listen(Vec<ServerListener>),
    /// There is more to a connection than the system tells.
    Attend(Token),
    /// The program has decided about the request that waits on this connection.
    Decided(Token, Decision),
    /// The program has answered the request that waits on this connection.
    Answered(Token, Box<HttpResponse>),
    /// There may be more to read from this client.
    ReadOn(Arc<Peer>, Token),
    /// A connection that the program has accepted.
    Serve(Box<ServerStream>, Option<SocketAddr>),
    /// The WebSocket is done with, once what is left is written and read.
    Linger(Box<PeerWire>),
    /// Whoever holds still for this client may go on.
    GoOn(Arc<Peer>),
    /// The connection is gone.
    Close(Token),
    /// All ends.
    End(Timestamp),
}

/// What has come to its time. Whoever it was for may be gone.
pub(super) enum Due {
    Peer(Weak<Weak<Peer>>),
    Answers(Weak<ServedSocket>),
    /// A connection that speaks HTTP, or that is only left to be closed.
    Connection(Token),
    /// What is kept for clients that are away.
    Recovery(Weak<ServedNamespace>),
    /// What was gathered for a turn that still lasts.
    Deferred,
    /// The listeners rest no longer.
    Accept,
    /// The threads for handlers are to be looked at.
    Workers(PoolLook),
}

/// A client.
pub(super) struct Peer {
    pub(super) hub: Arc<Hub>,
    /// The id of its session.
    pub(super) sid: Box<str>,
    pub(super) request: Arc<FirstRequest>,
    pub(super) state: Mutex<PeerState>,
    /// How many of its sockets are gone whose handlers have yet to see that.
    pub(super) leaving: AtomicUsize,
    /// A timer that outlives the client holds this alone, and not the memory of the whole.
    pub(super) this: Arc<Weak<Self>>,
}

/// What is under the lock of a client.
pub(super) struct PeerState {
    pub(super) session: Session,
    pub(super) parser: Box<dyn Parser>,
    pub(super) wire: Option<PeerWire>,
    /// The WebSocket under test.
    pub(super) candidate: Option<Box<PeerWire>>,
    /// The GET that waits, or that was answered here.
    pub(super) poll: Option<Box<HeldPoll>>,
    pub(super) sockets: Vec<Arc<ServedSocket>>,
    /// The connection of the POST whose answer waits for handlers.
    pub(super) post_waits: Option<Token>,
    /// The namespaces that the program is asked about.
    pub(super) joining: Vec<Box<str>>,
    /// When a namespace has to be joined at the latest.
    pub(super) join_deadline: Option<Timestamp>,
    /// The reader holds still, since the handlers of a socket are behind.
    pub(super) holds: bool,
    /// How long it may.
    pub(super) stall: Option<Stall>,
    /// There where something has come by half.
    pub(super) half: Option<Box<HalfPacket>>,
    /// What its client has done wrong, which it is told in the end.
    pub(super) fault: Option<Box<str>>,
    pub(super) alarm: Alarm,
    /// Something waits to be written at the end of a turn.
    pub(super) is_deferred: bool,
    /// The turn that wrote last.
    pub(super) last_turn: u64,
}

/// The connection of a GET.
pub(super) struct HeldPoll {
    pub(super) token: Token,
    pub(super) connection: Box<HttpConnection<Peer>>,
    pub(super) framing: Framing,
    pub(super) headers: HeaderMap,
    pub(super) script: Option<AnswerScript>,
    pub(super) stage: PollStage,
}

/// How far the GET is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PollStage {
    Waits,
    /// The answer is being written.
    Answering,
    /// The connection is free for the next request.
    AnswerSink,
}

/// A namespace.
pub(crate) struct ServedNamespace {
    pub(crate) name: Box<str>,
    pub(crate) hub: Arc<Hub>,
    pub(super) rooms: Mutex<Rooms<Arc<ServedSocket>>>,
    pub(super) handlers: RwLock<Handlers>,
    /// Numbers for sockets.
    pub(super) next_key: AtomicU64,
    /// Numbers for acknowledgements: a broadcast has the same for all.
    pub(super) next_ack: AtomicU64,
    /// Held while a broadcast is queued, so that all receivers get broadcasts in the same order.
    pub(super) order: Mutex<()>,
    /// Somebody watches what goes out to one of its sockets, or did.
    pub(super) is_watched: AtomicBool,
    /// What is kept for clients that have lost their connection.
    pub(super) recovery: Option<Mutex<RecoveryStore<SocketData>>>,
    /// The timer will look at it.
    pub(super) recovery_is_armed: AtomicBool,
    /// Its part in a cluster.
    pub(super) cluster: Option<Box<ClusterMembership>>,
    pub(super) this: Weak<Self>,
}

/// Decides whether a socket may join: `Err` is what its client is told.
pub(crate) type Authorize = dyn Fn(&Arc<ServedSocket>) -> Result<(), Error> + Send + Sync;

pub(crate) type OnSocket = dyn Fn(&Arc<ServedSocket>) + Send + Sync;

pub(crate) type OnEvent = dyn Fn(&Arc<ServedSocket>, Event) + Send + Sync;

pub(crate) type OnServerEvent = dyn Fn(Event) + Send + Sync;

pub(crate) type OnDisconnect = dyn Fn(&Arc<ServedSocket>, DisconnectReason) + Send + Sync;

/// The functions of the program. They are called without a lock, each with what is there when its turn begins.
#[derive(Default)]
pub(crate) struct Handlers {
    /// Who takes what comes by new sockets, in the place of the others.
    pub(crate) taker: Option<Arc<dyn SocketTaker>>,
    pub(crate) authorize: Vec<Arc<Authorize>>,
    pub(crate) connection: Vec<Arc<OnSocket>>,
    pub(crate) events: HashMap<Box<str>, Vec<Arc<OnEvent>>>,
    pub(crate) any: Vec<Arc<OnEvent>>,
    pub(crate) disconnecting: Vec<Arc<OnDisconnect>>,
    pub(crate) disconnect: Vec<Arc<OnDisconnect>>,
    /// Those for events of other servers.
    pub(crate) server_events: HashMap<Box<str>, Vec<Arc<OnServerEvent>>>,
}

/// A socket.
pub(crate) struct ServedSocket {
    pub(crate) id: Arc<str>,
    /// By what its client may claim it again.
    pub(super) pid: Option<Box<str>>,
    pub(crate) is_recovered: bool,
    pub(super) key: SocketKey,
    pub(crate) namespace: Arc<ServedNamespace>,
    pub(crate) handshake: SocketHandshake,
    pub(super) peer: Arc<Peer>,
    pub(super) standing: AtomicU8,
    pub(super) inbox: Inbox<Arc<dyn SocketTaker>>,
    pub(super) answers: Answers,
    /// For the deadlines of answers.
    pub(super) alarm: Alarm,
    pub(super) attached: OnceLock<Box<Mutex<Belongings>>>,
    /// Nothing more is attached.
    pub(super) attaching_end: OnceLock<AttachingEnd>,
    /// Somebody watches what goes out, or did.
    pub(super) is_watched: AtomicBool,
    /// The rooms that it was in when it was disconnected.
    pub(super) last_rooms: OnceLock<Vec<Arc<str>>>,
    pub(super) this: Weak<Self>,
}

/// Who takes what comes by sockets, in the place of the pool.
pub(crate) trait SocketTaker: Send + Sync {
    /// There is something in the inbox of this socket. Locks may be held.
    fn offer(&self, socket: Arc<ServedSocket>);

    /// Whether nobody takes anything any more.
    fn is_abandoned(&self) -> bool;

    /// Nobody takes anything any more: it goes nowhere.
    fn abandon(&self);

    /// Nothing comes any more but what is there.
    fn end(&self);
}
