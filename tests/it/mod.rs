//! The tests, by topic.

mod acks;
mod connect;
mod disconnect;
mod events;
mod floors;
mod harness;
mod order;
mod reconnect;
mod tree;
mod upgrade;
