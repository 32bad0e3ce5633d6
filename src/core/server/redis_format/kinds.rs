//! The numbers of messages.

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
