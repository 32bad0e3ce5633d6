//! The tests, by topic.

mod acks;
mod connect;
mod disconnect;
mod events;
mod floors;
mod harness;
mod limits;
mod order;
#[cfg(feature = "msgpack")]
mod parsers;
mod receive;
mod reconnect;
mod revisions;
mod tree;
mod upgrade;
