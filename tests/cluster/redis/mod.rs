//! A cluster by Redis, of servers of ours and of one in JavaScript.

mod emitters;
#[cfg(feature = "rustls")]
mod encrypted;
mod failover;
mod faults;
mod kills;
mod members;
mod nodes;
mod redis_process;
mod redis_server;
mod sticky;
mod together;
