//! The tests, by topic.

mod acks;
mod events;
mod floors;
mod harness;
mod tree;
