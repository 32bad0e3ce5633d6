//! The server's state machines: one Engine.IO session, and who is in which room.

pub(crate) mod cluster;
#[cfg_attr(not(test), allow(dead_code, reason = "the driver does not restore yet"))]
pub(crate) mod recovery;
#[cfg(feature = "redis")]
pub(crate) mod redis_format;
pub(crate) mod rooms;
pub(crate) mod session;

#[cfg(test)]
mod tests;
#[cfg(any(test, fuzzing))]
pub(crate) mod world;
