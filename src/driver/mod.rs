//! Floor 6: threads, locks and the clock around the state machines.
//!
//! A role has its driver ([`client::Driver`]); what every role needs stands beside it.

pub(crate) mod ack_slot;
pub(crate) mod client;
mod clock;
mod consumer;
pub(crate) mod dispatch;
mod group;
pub(crate) mod listener_id;
pub(crate) mod listeners;
#[cfg(feature = "server")]
pub(crate) mod server;
mod sink;
mod timer;
#[cfg(target_os = "linux")]
mod watching;
