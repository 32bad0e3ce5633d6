//! Socket.IO for Things: a blocking [Socket.IO](https://socket.io) client and embedded server for embedded
//! Linux.
//!
//! Socket.IO carries named events with arguments, in both directions, over one connection that
//! comes back by itself. This client needs no async runtime: its calls block or return at once, its
//! few threads sleep in the kernel, and everything it keeps is bounded.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! # fn main() -> siot::Result<()> {
//! // Connects in the background, and again whenever the connection is lost.
//! let socket = siot::io("http://localhost:3000")?;
//!
//! // Sends an event with two arguments.
//! socket.emit("temperature", ("kitchen", 21.5))?;
//!
//! // Sends another and waits for the server's answer.
//! let limit = Duration::from_secs(5);
//! let sum: u32 = socket.timeout(limit).emit_with_ack("sum", (1, 2))?.wait()?;
//! println!("1 + 2 = {sum}");
//!
//! // Receives events.
//! for event in socket.subscribe("switch") {
//!     let (lamp, on): (String, bool) = event.args()?;
//!     println!("{lamp}: {on}");
//! }
//! # Ok(())
//! # }
//! ```
//!
//! The `examples` run without a server of yours:
//! `cargo run --example hello`. The page [`field`] is about a program that runs for years where nobody can
//! reach it, and [`delivery`] says what is promised for what is sent.
//!
//! This page is about the client. The other wing, an embedded server, is the module `server`, with the feature of
//! that name: a program may be both, with the same [`Event`], [`Ack`], [`Binary`] and [`Error`] on both sides.
//!
//! # How do I connect?
//!
//! [`io`](io()) takes a URL; [`Builder`] takes options too. The path of the URL is the *namespace*.
//! Both return a [`Socket`] at once, which connects in the background, and retries for ever.
//! [`Socket::wait_connected`] waits for the connection, and tells why there is none.
//!
//! ```no_run
//! # use std::time::Duration;
//! # fn main() -> siot::Result<()> {
//! use siot::{Builder, Transport};
//!
//! let socket = Builder::new("https://example.com/orders")
//!     .transports([Transport::WebSocket])
//!     .auth(serde_json::json!({ "token": "123" }))
//!     .reconnection_delay_max(Duration::from_secs(60))
//!     .build()?;
//! socket.wait_connected(Duration::from_secs(20))?;
//! # Ok(())
//! # }
//! ```
//!
//! Like the JavaScript client, it starts with long-polling, which passes every proxy, and moves to
//! WebSocket when that works. Where WebSocket is known to work, name it alone, as above: the
//! connection is there sooner.
//!
//! Sockets of several namespaces of one server share a connection, the [`Manager`], where their options
//! for it are the same ([`Builder::force_new`]). Credentials that expire come from a function
//! ([`Builder::auth_with`], and for headers, query and URL [`Builder::before_attempt`]). A server that refuses the namespace is
//! not asked again; the [`Error`] of kind [`ErrorKind::Refused`] has its message and data.
//!
//! # How do I send?
//!
//! [`Socket::emit`] takes anything that serde can serialize. A tuple is the list of arguments, `()`
//! is none, a value of any other type is one argument, an array or `null` too. [`Binary`] may stand at
//! any depth, and [`ArgList`] is a list whose length is known only at run time.
//!
//! ```no_run
//! # fn main() -> siot::Result<()> {
//! # let socket = siot::io("http://localhost:3000")?;
//! use siot::Binary;
//!
//! socket.emit("ready", ())?;
//! socket.emit("log", "door opened")?;
//! socket.emit("photo", ("front door", Binary::from(vec![0xff, 0xd8])))?;
//! // Now or never: not worth keeping until there is a connection.
//! socket.volatile().emit("temperature", 21.5)?;
//! # Ok(())
//! # }
//! ```
//!
//! `Ok` means that the event is queued. To know that the server has it, ask for an acknowledgement.
//!
//! # How do I ask, and answer?
//!
//! [`Socket::emit_with_ack`] gives an [`Ack`]: [wait](Ack::wait) for it, or take its
//! [channel](Ack::receiver). It always resolves, with the answer or with an error, provided that a
//! limit is set ([`Socket::timeout`], [`Builder::ack_timeout`]); without one, an event that waits for a
//! connection waits for ever. When the server asks, [`Event::ack`] answers.
//!
//! ```no_run
//! # use std::time::Duration;
//! # fn main() -> siot::Result<()> {
//! # let socket = siot::io("http://localhost:3000")?;
//! match socket.timeout(Duration::from_secs(5)).emit_with_ack("save", "state")?.wait::<String>() {
//!     Ok(answer) => println!("saved: {answer}"),
//!     Err(error) if error.is_timeout() => println!("no answer"),
//!     Err(error) if error.is_disconnected() => println!("nobody knows whether it is saved"),
//!     Err(error) => return Err(error),
//! }
//! for question in socket.subscribe("are you there?") {
//!     question.ack(("yes", 42))?;
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # How do I receive?
//!
//! By channel: a [`Subscription`] is a queue that any thread may read, with or without a limit, by
//! iteration, or together with other channels by `select!` of
//! [`crossbeam_channel`], which is re-exported.
//! [`Socket::subscribe_any`] gets all events, [`Socket::status`] the news of the connection, and
//! [`Socket::subscribe_all`] both in one order.
//!
//! By callback: [`Socket::on`] and its relatives call a function, on a thread of siot's. It may block,
//! emit, wait for acknowledgements and disconnect; meanwhile the next callbacks wait. When
//! [`Socket::off`] or [`Socket::disconnect`] has returned, no call begins for what had come before.
//!
//! Each subscription and each callback has a buffer of its own: one that falls behind takes nothing
//! from the others. By default nothing is lost; [`Socket::buffer`] sets other bounds, and what gives
//! way where they are reached:
//!
//! ```no_run
//! # fn main() -> siot::Result<()> {
//! # let socket = siot::io("http://localhost:3000")?;
//! use siot::{Buffer, WhenFull};
//!
//! let newest = Buffer::new().events(1).when_full(WhenFull::DropOldest);
//! for event in socket.buffer(newest)?.subscribe("temperature") {
//!     println!("{}", event.arg::<f64>(0)?);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Arguments stay encoded until [`Event::args`] names their types. Where those are not known,
//! [`Value`] is any of them, and [`Event::json`] is the text.
//!
//! Events that come before there is a subscription are not kept. To miss nothing, subscribe first
//! and connect then:
//!
//! ```no_run
//! # use std::time::Duration;
//! # fn main() -> siot::Result<()> {
//! use siot::crossbeam_channel::select;
//!
//! let socket = siot::Builder::new("http://localhost:3000").auto_connect(false).build()?;
//! let status = socket.status();
//! let orders = socket.subscribe("order");
//! socket.on("news", |event| println!("{}", event.json()))?;
//! socket.connect();
//! loop {
//!     select! {
//!         recv(orders.receiver()) -> order => match order {
//!             Ok(order) => println!("order {}", order.args::<u64>()?),
//!             Err(_) => break, // The connection was closed by `Manager::close`.
//!         },
//!         recv(status.receiver()) -> status => println!("{status:?}"),
//!         default(Duration::from_secs(60)) => println!("a quiet minute"),
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! A program with a loop of its own around `poll(2)`, `epoll` or `mio` waits for the descriptor of
//! [`Subscription::ready_fd`], or for that of [`Manager::ready_fd`], which is for all subscriptions together;
//! and for an answer by [`Ack::ready_fd`].
//!
//! # What happens when the connection is lost?
//!
//! [`Status::Disconnected`] tells why, and attempts to reconnect follow: after about 1 s, then 2 s, 4 s
//! and then each 5 s, for ever; the [`Builder`] changes each of these. A link that died without a word
//! is noticed when the server's heartbeat is overdue: with the defaults of JavaScript servers, after
//! 45 s at the latest. In the same time, counted anew whenever some of it moves, what is written has to
//! go out, and a POST has to be answered: a peer that pings and takes nothing is left with
//! [`TransportError`](DisconnectReason::TransportError).
//!
//! There is no automatic reconnection after [`Socket::disconnect`], after the server's own
//! `disconnect()`, and after a refusal; [`Socket::connect`] begins anew.
//!
//! Events are delivered **at most once**, in the order in which they were emitted:
//!
//! | an event                                    | when the connection is lost                             |
//! |---------------------------------------------|---------------------------------------------------------|
//! | emitted while there is no connection        | waits (within [`Limits`]), and is sent after the next one |
//! | …with [`volatile`](Socket::volatile)        | is dropped, and [counted](Counters)                     |
//! | handed to the connection before the loss    | may have arrived or not, and is not sent again          |
//! | …with an acknowledgement that is awaited    | the same; its [`Ack`] fails with [`ErrorKind::Disconnected`] |
//! | emitted by the server meanwhile             | is lost, unless the server [recovers](Socket::is_recovered) the session |
//!
//! For *at least once* there is [`Socket::reliable`], whose documentation has the ten lines that a server needs
//! to make *exactly once, in order* of it; and [`Builder::retries`], as in JavaScript.
//!
//! With the feature `outbox` an `Outbox` keeps events on disk until the server has them: they
//! survive crashes, reboots and power cuts.
//!
//! # How does it end?
//!
//! [`Socket::disconnect`] leaves the namespace; [`Socket::connect`] begins anew. [`Manager::close`] ends the
//! connection for good, with all its subscriptions and callbacks. Within its limit it waits until what was
//! emitted is delivered, tells the server of the end once that has read it, and gives back what could not be
//! delivered. When the last handle is dropped (sockets, subscriptions, managers)
//! the same happens in the background, where nobody waits: a program that is about to exit should
//! close first. How many events were lost, since there was no connection yet, a line of level `WARN` says.
//!
//! # What blocks?
//!
//! Only what says so under *Blocking* in its documentation:
//!
//! | call                                                            | waits for                              | its limit                          |
//! |-----------------------------------------------------------------|----------------------------------------|------------------------------------|
//! | [`Socket::emit`], [`emit_with_ack`](Socket::emit_with_ack), [`emit_with_callback`](Socket::emit_with_callback), [`send`](Socket::send), [`Event::ack`] | room in the full send buffer of an open connection | the end of the connection, [`Limits::receive_reserve`]; but for `ack`, [`Socket::timeout`] and [`Limits::when_send_full`] |
//! | [`Ack::wait`], [`Ack::wait_timeout`]                            | the server's answer                    | that of the emit; an argument      |
//! | [`Subscription::recv`], [`recv_timeout`](Subscription::recv_timeout) | something that comes              | none; an argument                  |
//! | iterators over a [`Subscription`]                               | something that comes                   | none: use `recv_timeout`           |
//! | [`Socket::wait_connected`], [`Manager::wait_open`]              | the connection                         | an argument                        |
//! | [`Manager::close`]                                              | the end of the connection              | an argument                        |
//!
//! `socket.timeout(Duration::ZERO).emit(..)` never waits: where there is no room it fails with
//! [`ErrorKind::BufferFull`].
//!
//! Nothing blocks in `drop`, but for an `Outbox`, which waits for its disk for at most a second. Its
//! calls wait for the disk, and `Outbox::flush` for the server.
//!
//! # Which threads are there?
//!
//! | name         | how many                                                        |
//! |--------------|-----------------------------------------------------------------|
//! | `siot-conn`  | one per connection, two during an upgrade; by TLS one more for a moment |
//! | `siot-post`  | one more while long-polling is in use                           |
//! | `siot-timer` | one per process, while there are connections and a second longer |
//! | `siot-call`  | one per connection, from the first callback on                  |
//! | `siot-auth`  | one for each function of [`Builder::auth_with`] or [`Builder::before_attempt`] that runs |
//! | `siot-dns`   | while a name is looked up                                       |
//! | `siot-net`   | one per process, while a connection has [`Builder::watch_network`] |
//! | `siot-log`   | one per process, while a logger is given what `siot-timer` says  |
//! | `siot-outbox` | one per `Outbox`                                               |
//! | `siot-serve` | one per server, and another one while handlers run and ten seconds longer |
//! | `siot-work`  | per server as many as handlers run at once, ten seconds longer  |
//!
//! Beside them, a thread of yours that waits for an acknowledgement ([`Ack::wait`]) reads the WebSocket meanwhile, and brings what
//! comes to everybody, so that a round trip wakes no other thread.
//!
//! All handles are `Send`, `Sync` and cheap to clone. An idle connection wakes up for heartbeats only.
//!
//! # What is bounded?
//!
//! Everything, by [`Limits`]: the size of a message, the events that wait to be sent or for each of
//! those who receive, in number and bytes, and acknowledgements. No event that somebody listens to is lost in silence. A full
//! send buffer makes its writer wait, or, while there is no connection to wait for, gives it an error
//! ([`ErrorKind::BufferFull`]). [`WhenFull`] names the alternatives, and [`Manager::counters`] counts
//! what they drop; each subscription knows what it lost ([`Subscription::lost`]).
//!
//! A subscription that is not read, or a callback that does not return, makes siot stop reading
//! once its buffer is full and more comes for it, so that the server has to wait. But that is so
//! only while nobody waits for what comes behind the events: an acknowledgement, the answer to a
//! CONNECT, a heartbeat that is due, room to send, or events for others who have read all of theirs.
//! Then reading goes on into a reserve ([`Limits::receive_reserve`], 48 MiB by default: some 110,000 events of
//! 200 bytes). When that is used up too, the wait fails with [`ErrorKind::BufferFull`], and the
//! error names the one that is behind.
//!
//! # What about TLS?
//!
//! `https` and `wss` URLs are encrypted by `rustls`, against the Mozilla root
//! certificates. [`Tls`] has authorities of your own, client certificates and the choice of the
//! platform's library:
//!
//! ```no_run
//! # fn main() -> siot::Result<()> {
//! use siot::{Builder, Tls};
//!
//! let tls = Tls::new().ca_file("/etc/device/ca.pem");
//! let socket = Builder::new("https://192.168.1.5").tls(tls).build()?;
//! # Ok(())
//! # }
//! ```
//!
//! # Which features are there?
//!
//! * `polling` (default): long-polling, and the upgrade from it to WebSocket.
//! * `rustls` (default): TLS by rustls, with ring.
//! * `native-tls`: TLS by the platform's library, OpenSSL on Linux. It is used where a [`Tls`] asks for
//!   it, or where rustls is not built in.
//! * `msgpack`: the parser of `socket.io-msgpack-parser`.
//! * `outbox`: `Outbox`, and a store for it in a file, which `SQLite` keeps. It is compiled with the
//!   crate, and needs a C compiler.
//! * `server`: the module `server`, an embedded server, and with it `polling`.
//! * `redis`: `server::RedisAdapter`, by which servers are a cluster, and with it `server` and `msgpack`.
//! * `testing`: the module `testing`, for the tests of programs: a server that fails on command, and events, answers, errors
//!   and statuses made by hand; with it `server`.
//! * `serde`: a [`Builder`] from a configuration (`Deserialize`), with [`Limits`], [`Timeouts`], [`Tls`] and the
//!   options that have names: [`field`] has a whole file. And [`Stats`] are `Serialize`.
//! * `encrypted-keys`: private keys of client certificates with a passphrase.
//! * `cli`: the command `siot`, for people; a library gets nothing of it.
//!
//! # How is it watched?
//!
//! [`Manager::stats`] has the figures: since when it is connected, how long answers take, what has passed, what
//! waits, and what was dropped, by reason. `examples/health.rs` gives them to Prometheus, and
//! `examples/watchdog.rs` feeds the watchdog of systemd only while connection and consumer turn over.
//! [`Manager::flight_record`] tells what happened last, in a few lines without secrets; errors of the
//! protocol have it too ([`Error::flight_record`]).
//!
//! # What is logged?
//!
//! Through the `log` crate, under targets that begin with `siot`: connections and
//! disconnections at `INFO`, what went wrong without anybody being told otherwise at `WARN` and
//! `ERROR`, all that helps to understand a connection at `DEBUG`, and each packet at `TRACE`, of which
//! only the start is shown. Credentials are in none of them. A logger may use the sockets that it is
//! told about; it may take its time, which holds up the connection that it is told of and no other; and a panic
//! of it is caught. A program that wants to see the packets itself has [`Manager::engine_events`].
//!
//! The libraries below log under targets of their own: at `TRACE`, `tungstenite` shows whole frames, and with
//! them credentials. Where that level is on for `siot`, keep it off for the rest.
//!
//! # Which versions does it speak?
//!
//! Those of Socket.IO servers 1.x to 4.x: protocol 5 on Engine.IO 4 (servers 3.x and 4.x) and protocol 4
//! on Engine.IO 3 (servers 1.x and 2.x, and newer ones with `allowEIO3`). Which one it is is found out
//! from the server's first answer, also after a reconnection; [`Builder::revision`] can say it.
//! Servers 1.x and 2.x join the namespace `/` by themselves, and take credentials as a query:
//! [`Builder::auth`] does that for other namespaces, [`Builder::query`] for `/`.
//!
//! Packets are JSON with binary beside it, plain JSON, or with the feature `msgpack` `MessagePack`,
//! as the server has it ([`Builder::parser`]).
//!
//! Rust 1.85 or newer, on Linux.
#![forbid(unsafe_code)]

mod calendar;
mod client;
mod core;
mod driver;
mod error;
mod event;
#[doc(hidden)]
pub mod internal;
mod net;
mod options;
#[cfg(feature = "outbox")]
mod outbox;
mod payload;
mod proto;
#[cfg(feature = "server")]
pub mod server;
mod sync;
#[cfg(feature = "testing")]
pub mod testing;

// The public interface is:
pub use client::ack::Ack;
pub use client::builder::Builder;
pub use client::emitter::Emitter;
pub use client::io::io;
pub use client::manager::Manager;
pub use client::socket::Socket;
pub use client::socket::buffered::Listening;
pub use client::socket::unsent::Unsent;
pub use client::socket_options::SocketOptions;
pub use client::subscription::Subscription;
pub use client::update::Update;
pub use client::weak::{WeakManager, WeakSocket};
pub use driver::listener_id::ListenerId;
pub use error::flight_record::FlightRecord;
pub use error::{Error, ErrorKind, Result, Stage};
pub use event::attempt_info::AttemptInfo;
pub use event::drop_reason::DropReason;
pub use event::incoming::Incoming;
pub use event::observed::{EngineEvent, EngineInfo, EnginePacket, EngineState, PacketType};
pub use event::stats::{Counters, QueueStats, Stats, TrafficStats};
pub use event::status::{DisconnectReason, ManagerEvent, Status};
pub use event::undelivered::UndeliveredEvent;
pub use event::{AckReply, Event};
pub use options::{
    Buffer, Limits, ParserKind, Proxy, Rejection, Revision, Timeouts, Tls, TlsBackend, TlsVersion,
    Transport, WhenFull,
};
#[cfg(feature = "server")]
pub use options::{Cors, SameSite, ServerTls, SessionCookie};
#[cfg(feature = "outbox")]
pub use outbox::file_store::FileStore;
#[cfg(feature = "outbox")]
pub use outbox::handle::{Outbox, OutboxStatus};
#[cfg(feature = "outbox")]
pub use outbox::options::{Fsync, OutboxOptions};
#[cfg(feature = "outbox")]
pub use outbox::salvage::Salvaged;
#[cfg(feature = "outbox")]
pub use outbox::store::{OutboxRecord, OutboxStore};
pub use payload::{ArgList, Binary, Value, ValueIndex};
pub use sync::readiness::ReadyFd;

/// The version of `crossbeam-channel` whose channels [`Subscription::receiver`] and [`Ack::receiver`] give, with its
/// `select!`.
pub use crossbeam_channel;

/// What belongs to a [`Subscription`]: its iterators, and what it can be of.
pub mod subscription {
    pub use crate::client::subscription::{IntoIter, Item, Iter, TryIter};
}

#[doc = include_str!("../DELIVERY.md")]
pub mod delivery {}

// Part of its code needs these features.
#[cfg_attr(any(all(feature = "outbox", feature = "serde"), not(doctest)), doc = include_str!("../FIELD.md"))]
pub mod field {}

/// Compiles the code of the README, part of which needs the server.
#[cfg(all(doctest, feature = "server"))]
#[doc = include_str!("../README.md")]
struct Readme;
