//! Text messages that carry their Engine.IO type digit along.

use std::fmt;

/// A text message as it stands on the wire: the Engine.IO type digit `4`, then the Socket.IO packet.
///
/// Keeping the digit in front saves a copy of every message in each direction: the encoder of a
/// Socket.IO packet writes behind it, and a received frame is kept as it came.
#[derive(Clone, PartialEq, Eq)]
pub struct MessageText(String);

impl MessageText {
    /// The type digit of a message.
    pub(crate) const DIGIT: char = '4';

    /// Starts a message, with room for `capacity` bytes behind the digit.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        let mut text = String::with_capacity(capacity + 1);
        text.push(Self::DIGIT);
        Self(text)
    }

    /// Takes a frame as received; gives it back when it is no message.
    pub(crate) fn from_frame(frame: String) -> Result<Self, String> {
        if frame.starts_with(Self::DIGIT) { Ok(Self(frame)) } else { Err(frame) }
    }

    /// The text behind the digit.
    pub(crate) fn as_str(&self) -> &str {
        &self.0[1..]
    }

    /// The text with its digit, as it goes into a frame.
    pub(crate) fn as_frame(&self) -> &str {
        &self.0
    }

    /// The text with its digit, as it goes into a frame.
    pub(crate) fn into_frame(self) -> String {
        self.0
    }

    /// Appends to the message.
    pub(crate) fn push_str(&mut self, text: &str) {
        self.0.push_str(text);
    }
}

impl From<&str> for MessageText {
    fn from(text: &str) -> Self {
        let mut message = Self::with_capacity(text.len());
        message.push_str(text);
        message
    }
}

impl fmt::Write for MessageText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.push_str(text);
        Ok(())
    }
}

impl fmt::Debug for MessageText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}
