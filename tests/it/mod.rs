//! The tests, by topic.

mod floors;
mod harness;
mod tree;
