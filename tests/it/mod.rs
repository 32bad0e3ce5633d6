//! The tests, by topic.

mod acks;
mod connect;
mod disconnect;
mod events;
mod floors;
mod harness;
mod limits;
mod malformed;
mod order;
#[cfg(feature = "msgpack")]
mod parsers;
mod peers;
mod proxy;
mod receive;
mod reconnect;
mod revisions;
mod threads;
#[cfg(feature = "rustls")]
mod tls;
mod tree;
mod upgrade;
mod way;
