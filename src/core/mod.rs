//! Floor 2: the state machines, without I/O, threads or a clock.
//!
//! [`Client`](client::Client) is the whole of one connection to one server: the cycle of connecting
//! and reconnecting, the Engine.IO session, its upgrade, the namespaces, the acknowledgements. Its
//! owner calls one verb for each thing that happens, with the time, then drains
//! [`poll_output`](client::Client::poll_output) and looks at
//! [`next_deadline`](client::Client::next_deadline).

pub(crate) mod acks;
pub(crate) mod backoff;
pub(crate) mod client;
pub(crate) mod engine;
mod heartbeat;
mod membership;
pub(crate) mod namespace;
mod retry;
mod root;
pub(crate) mod timer;
mod traffic;
mod upgrade;

#[cfg(test)]
mod tests;
