//! An embedded Socket.IO server that blocks: the other wing of this library.
//!
//! ```no_run
//! use siot::server::Server;
//!
//! fn main() -> siot::Result<()> {
//!     let _server = Server::builder().bind_with("127.0.0.1:3000", |server| {
//!         server.on_connection(|socket| println!("{} has come", socket.id()));
//!         server.on("reading", |socket, event| {
//!             let (sensor, value): (String, f64) = event.args()?;
//!             socket.to("dashboards").emit("reading", (sensor, value))?;
//!             event.ack("thanks")
//!         });
//!         server.on("watch", |socket, _| socket.join("dashboards"));
//!     })?;
//!     loop {
//!         std::thread::park();
//!     }
//! }
//! ```
//!
//! # Threads
//!
//! One thread serves all connections: it reads, answers heartbeats, matches acknowledgements, and keeps the
//! deadlines. It runs the handlers of what it has read by itself, while they are quick; where one takes more than two
//! milliseconds, or waits for an answer, another thread serves from there on. Others run on a pool of threads that
//! start when there is work and end when there has been none for ten seconds. Those of one socket run one after the other,
//! in the order in which things came; those of different sockets, and of one client's sockets in different
//! namespaces, run at the same time. So a handler may block: for an acknowledgement of its own client, for another
//! client, for a disk. It holds up no other client, and no heartbeat.
//!
//! A handler that panics, or gives an error, is logged, and the server goes on.
//!
//! # What is bounded
//!
//! What waits to be written to a client ([`ServerBuilder::send_bytes`]), what waits for the handlers of a socket (above
//! that, nothing is read from this client until they catch up), the size of a message, connections, namespaces of
//! a client, acknowledgements that are awaited.

#[cfg(feature = "redis")]
#[doc = include_str!("../../CLUSTER.md")]
pub mod clusters {}

mod binding;
mod broadcast;
mod builder;
mod cluster;
mod emitter;
mod handlers;
mod handles;
mod incoming;
mod listening;
mod namespace;
mod receiving;
mod recovery;
#[cfg(feature = "redis")]
mod redis_adapter;
#[cfg(feature = "redis")]
mod redis_address;
#[cfg(feature = "redis")]
mod redis_emitter;
mod refusal;
mod running;
mod socket;

pub use self::builder::ServerBuilder;
pub use self::cluster::{Adapter, ClusterAck, ClusterAnswers, ClusterSocket};
pub use self::handlers::HandlerResult;
pub use self::handles::{
    Broadcast, BroadcastAck, Server, ServerEmitter, ServerNamespace, ServerSocket,
};
pub use self::incoming::{SocketIncoming, SocketNews};
pub use self::recovery::ConnectionStateRecovery;
#[cfg(feature = "redis")]
pub use self::redis_adapter::RedisAdapter;
#[cfg(feature = "redis")]
pub use self::redis_address::RedisAddress;
#[cfg(feature = "redis")]
pub use self::redis_emitter::RedisEmitter;
pub use self::refusal::Refusal;
pub use crate::driver::server::broadcast::BroadcastReport;
pub use crate::driver::server::cluster::counters::ClusterStats;
pub use crate::driver::server::cluster::local::LocalCluster;
pub use crate::driver::server::fallback::{HttpReply, HttpRequest};
pub use crate::driver::server::gathered::BroadcastReply;
pub use crate::driver::server::handshake::SocketHandshake;
