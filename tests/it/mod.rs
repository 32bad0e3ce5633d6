//! The tests, by topic.

mod acks;
mod connect;
mod events;
mod floors;
mod harness;
mod tree;
