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
mod receive;
mod reconnect;
mod revisions;
mod threads;
mod tree;
mod upgrade;
