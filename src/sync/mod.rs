//! Floor 1: what threads share: locks under which nothing is logged, roles of threads, and the queues
//! between a connection and its consumers.

pub(crate) mod account;
mod channel;
pub(crate) mod deliver;
pub(crate) mod eventfd;
pub(crate) mod gate;
mod ledger;
pub(crate) mod lock;
pub(crate) mod logging;
pub(crate) mod mailbox;
mod queue;
pub(crate) mod readiness;
pub(crate) mod ready_slot;
mod spare;
pub(crate) mod speaker;
pub(crate) mod threads;
mod turns;
