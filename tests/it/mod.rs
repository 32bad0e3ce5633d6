//! The tests, by topic.

mod harness;
