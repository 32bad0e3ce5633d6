//! Servers of a cluster: each operation from each of them reaches exactly whom it should.

#![allow(clippy::needless_pass_by_value, reason = "`json!` makes values to be given away")]

#[path = "../support/mod.rs"]
mod support;

mod local;
mod member;
mod operations;
#[cfg(feature = "redis")]
mod redis;
mod siot_member;
