//! The server's state machines: one Engine.IO session, and who is in which room.

pub(crate) mod rooms;
pub(crate) mod session;

#[cfg(test)]
mod tests;
#[cfg(any(test, fuzzing))]
pub(crate) mod world;
