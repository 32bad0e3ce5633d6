//! Floor 4: the state machines, without I/O, threads or a clock.
//!
//! [`Client`](client::Client) is the whole of one connection to one server: the cycle of connecting
//! and reconnecting, the namespaces, the acknowledgements. In it lives an
//! [`Engine`](engine::Engine), one Engine.IO session with its heartbeat and its upgrade. The owner
//! calls one verb for each thing that happens, with the time, then drains
//! [`poll_output`](client::Client::poll_output) and looks at
//! [`next_deadline`](client::Client::next_deadline).

pub(crate) mod client;
mod delivery;
pub(crate) mod engine;
pub(crate) mod ids;
pub(crate) mod load;
pub(crate) mod numbered;
mod numbers;
#[cfg(feature = "server")]
pub(crate) mod server;
pub(crate) mod time;
pub(crate) mod waiting;

#[cfg(test)]
mod tests;
#[cfg(any(test, fuzzing))]
pub(crate) mod world;
