//! The tests, by topic.

mod acks;
mod connect;
mod disconnect;
mod events;
mod floors;
mod harness;
mod tree;
mod upgrade;
