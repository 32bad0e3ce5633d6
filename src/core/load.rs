//! How much waits to be sent.

use std::ops::{Add, Sub};

use crate::payload::Payload;

/// How much there is of something that waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Load {
    /// Where events wait whole, each of them is one, whatever its attachments. In the queue of an engine they are counted
    /// as the packets that they will be, each attachment as one more. `Limits::send_events` bounds the sum.
    pub(crate) packets: usize,
    pub(crate) bytes: usize,
}

impl Add for Load {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { packets: self.packets + other.packets, bytes: self.bytes + other.bytes }
    }
}

impl Sub for Load {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self { packets: self.packets - other.packets, bytes: self.bytes - other.bytes }
    }
}

impl From<&Payload> for Load {
    /// That of one event.
    fn from(payload: &Payload) -> Self {
        Self { packets: 1, bytes: payload.size() }
    }
}
