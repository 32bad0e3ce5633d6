//! Floor 7: what the user of a client holds.

pub(crate) mod ack;
pub(crate) mod builder;
mod cache;
mod deprecated;
pub(crate) mod emitter;
pub(crate) mod io;
pub(crate) mod manager;
mod ownership;
mod recipe;
pub(crate) mod socket;
pub(crate) mod socket_options;
pub(crate) mod subscription;
pub(crate) mod update;
pub(crate) mod weak;
