//! What the integration tests share: real servers, hostile peers, and looks at this process.
#![allow(dead_code, reason = "a kit: not every helper has a user at every moment")]
#![allow(clippy::needless_pass_by_value, reason = "`json!` makes values to be given away")]

#[cfg(feature = "rustls")]
pub(crate) mod certs;
pub(crate) mod client;
pub(crate) mod dns;
pub(crate) mod emulator;
#[cfg(feature = "rustls")]
pub(crate) mod faketime;
pub(crate) mod logged;
pub(crate) mod network;
pub(crate) mod process;
pub(crate) mod raw;
pub(crate) mod server;
pub(crate) mod source;
pub(crate) mod wait;

pub(crate) use client::{Client, Via, over_each_transport, shared};
pub(crate) use process::{alone, fds, this_program, threads};
pub(crate) use server::Server;
pub(crate) use wait::{LIMIT, eventually, recv_within};

/// What the servers expect in blob `n` of `thread`: the bytes of buffer `which`, 0 or 1.
#[allow(clippy::cast_possible_truncation, reason = "the pattern is defined modulo 256")]
pub(crate) fn pattern(thread: usize, n: usize, which: usize, length: usize) -> Vec<u8> {
    (0..length).map(|index| (thread * 31 + n * 7 + which * 128 + index) as u8).collect()
}
