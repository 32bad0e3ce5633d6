//! What the integration tests share: real servers, hostile peers, and looks at this process.
//!
//! Each binary of tests has it as `mod support`.
#![allow(dead_code, reason = "a kit: no binary needs each of its helpers")]
#![allow(unused_imports, unused_macros, reason = "likewise")]
#![allow(clippy::needless_pass_by_value, reason = "`json!` makes values to be given away")]

#[cfg(feature = "rustls")]
pub(crate) mod certs;
pub(crate) mod client;
pub(crate) mod consumer;
pub(crate) mod dns;
pub(crate) mod emulator;
#[cfg(feature = "rustls")]
pub(crate) mod faketime;
pub(crate) mod folder;
pub(crate) mod full;
pub(crate) mod gate;
pub(crate) mod greeting;
pub(crate) mod hostile;
pub(crate) mod js_client;
pub(crate) mod logged;
pub(crate) mod mischief;
pub(crate) mod network;
pub(crate) mod process;
pub(crate) mod program;
pub(crate) mod proxies;
pub(crate) mod python;
pub(crate) mod raw;
pub(crate) mod server;
pub(crate) mod source;
pub(crate) mod via;
pub(crate) mod wait;
#[cfg(feature = "rustls")]
#[path = "../../src/net/tls/tests/x509.rs"]
pub(crate) mod x509;

pub(crate) use client::{Client, ask, brisk_each, failure, shared, shared_each};
pub(crate) use js_client::JsClient;
pub(crate) use process::{alone, cpu_time_of_ours, fds, this_program, threads};
pub(crate) use server::Server;
pub(crate) use via::{TRANSPORTS, Via, direct, over_each_transport};
pub(crate) use wait::{CaseName, LIMIT, eventually, recv_within};

/// Binary inside of other data, as the servers' event `with-binary-ack` answers.
#[derive(serde::Deserialize)]
pub(crate) struct DeepBinary {
    pub(crate) deep: (siot::Binary, String),
}

/// What the servers expect in blob `n` of `thread`: the bytes of buffer `which`, 0 or 1.
#[allow(clippy::cast_possible_truncation, reason = "the pattern is defined modulo 256")]
pub(crate) fn pattern(thread: usize, n: usize, which: usize, length: usize) -> Vec<u8> {
    (0..length).map(|index| (thread * 31 + n * 7 + which * 128 + index) as u8).collect()
}
