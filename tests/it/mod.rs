//! The tests, by topic.

mod floors;
mod harness;
mod proxy;
#[cfg(feature = "rustls")]
mod tls;
mod tree;
mod way;
