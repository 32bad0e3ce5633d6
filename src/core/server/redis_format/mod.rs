//! How servers of a cluster talk by Redis: the channels and messages of `@socket.io/redis-adapter` 8, and of
//! `@socket.io/redis-emitter` 5.
//!
//! Broadcasts, and what may hold binary, are `MessagePack`; the rest is JSON. What comes is taken for either, by its first
//! byte, with its members in any order, and made JSON text with attachments in one pass. Nothing is believed of it:
//! anybody who may publish can write there.

mod channels;
mod decode;
mod encode;

pub(crate) use self::channels::{ChannelKind, NamespaceChannels};
pub(crate) use self::decode::{decode, is_broadcast_of};
pub(crate) use self::encode::{Publication, Speaker, encode};

/// The numbers of messages.
mod kinds {
    pub(super) const IDS: u64 = 0;
    pub(super) const ROOMS: u64 = 1;
    pub(super) const JOIN: u64 = 2;
    pub(super) const LEAVE: u64 = 3;
    pub(super) const DISCONNECT: u64 = 4;
    pub(super) const FETCH: u64 = 5;
    pub(super) const SERVER_EVENT: u64 = 6;
    pub(super) const ASK_CLIENTS: u64 = 7;
    pub(super) const CLIENT_COUNT: u64 = 8;
    pub(super) const ACKNOWLEDGEMENT: u64 = 9;
}

#[cfg(test)]
mod tests;
