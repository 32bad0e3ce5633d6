//! The threads of a server: one that serves all connections and runs quick handlers, one that relieves it ([`leading`]), and a
//! pool for the others.
//!
//! The way in: [`io`] reads, [`reading`] and [`requests`] make packets of it, the session of a [`peer`] takes them, and
//! [`receiving`] puts events into the [`inbox`] of a [`served_socket`], whose handlers the [`pool`] runs, or the reader itself. The way out: an
//! emit encodes in its thread, the session of each receiver queues, and whoever queues writes, if the
//! client's connection takes it at once and it comes alone ([`saying`]).

mod alarm_clock;
pub(crate) mod answers;
pub(crate) mod attaching;
pub(crate) mod belongings;
pub(crate) mod broadcast;
pub(crate) mod client_files;
pub(crate) mod cluster;
mod commands;
mod directory;
pub(crate) mod door;
pub(crate) mod fallback;
pub(crate) mod feed;
pub(crate) mod gathered;
mod half_packet;
mod handling;
pub(crate) mod handshake;
mod held_poll;
mod http_connection;
mod hub;
pub(crate) mod hub_options;
mod ids;
pub(crate) mod inbox;
mod io;
mod io_turn;
mod joining;
mod leading;
pub(crate) mod leaving;
mod lingering;
mod own_listeners;
mod pace;
pub(crate) mod parts;
mod peer;
pub(crate) mod pool;
mod quickness;
mod reading;
mod receiving;
#[cfg(feature = "redis")]
pub(crate) mod redis;
mod requested;
mod requests;
mod returning;
mod saying;
mod served_namespace;
mod served_socket;
mod serving;
mod shift;
mod stall;
pub(crate) mod starting;
mod tasks;
#[cfg(test)]
mod testing;
mod timers;
mod turned_away;
mod wire;
