//! How servers of a cluster talk by Redis: the channels and messages of `@socket.io/redis-adapter` 8, and of
//! `@socket.io/redis-emitter` 5.
//!
//! Broadcasts, and what may hold binary, are `MessagePack`; the rest is JSON. What comes is taken for either, by its first
//! byte, with its members in any order, and made JSON text with attachments in one pass. Nothing is believed of it:
//! anybody who may publish can write there.

mod channels;
mod decode;
mod encode;
mod kinds;

pub(crate) use self::channels::{ChannelKind, NamespaceChannels};
pub(crate) use self::decode::{decode, is_broadcast_of};
pub(crate) use self::encode::{ClusterSpeaker, Publication, encode};

#[cfg(test)]
mod tests;
