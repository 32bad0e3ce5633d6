//! Text messages that carry their Engine.IO type digit along, in memory that is shared.

use std::fmt;

/// Text whose clones share its memory. A text frame of tungstenite is of this type, so that it is
/// kept and sent without a copy.
pub(crate) use tungstenite::Utf8Bytes as SharedText;

/// A text message as it stands on the wire: the Engine.IO type digit `4`, then the Socket.IO packet.
///
/// Keeping the digit in front saves a copy of every message in each direction: the encoder of a
/// Socket.IO packet writes behind it, and a received frame is kept as it came. Clones share the
/// memory.
#[derive(Clone, PartialEq, Eq)]
pub struct MessageText(SharedText);

/// Typical messages are no longer, in bytes.
const TYPICAL: usize = 1024;

/// The type digit of a message.
const DIGIT: char = '4';

impl MessageText {
    /// Takes a frame as received; gives it back when it is no message.
    pub(crate) fn from_frame(frame: SharedText) -> Result<Self, SharedText> {
        if frame.starts_with(DIGIT) { Ok(Self(frame)) } else { Err(frame) }
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
    pub(crate) fn into_frame(self) -> SharedText {
        self.0
    }
}

impl From<&str> for MessageText {
    fn from(text: &str) -> Self {
        let mut message = MessageBuilder::with_capacity(text.len());
        message.push_str(text);
        message.finish()
    }
}

impl fmt::Debug for MessageText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

/// A text message that is being written.
#[derive(Debug, Default)]
pub struct MessageBuilder(String);

impl MessageBuilder {
    /// Starts a message, with room for `capacity` bytes behind the digit.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        let mut text = String::with_capacity(capacity + DIGIT.len_utf8());
        text.push(DIGIT);
        Self(text)
    }

    /// Starts another one, in the memory of the one before.
    pub(crate) fn restart(&mut self) {
        self.0.clear();
        self.0.push(DIGIT);
    }

    /// Gives back the memory of a long one.
    pub(crate) fn rest(&mut self) {
        if self.0.capacity() > TYPICAL {
            self.0 = String::new();
        }
    }

    /// The text with its digit, as it goes into a frame.
    pub(crate) fn as_frame(&self) -> &str {
        &self.0
    }

    /// Appends to the message.
    pub(crate) fn push_str(&mut self, text: &str) {
        self.0.push_str(text);
    }

    /// The message, without a copy of its text.
    pub(crate) fn finish(self) -> MessageText {
        MessageText(self.0.into())
    }
}

impl fmt::Write for MessageBuilder {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push_str(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_built_received_cloned_and_sent_without_a_copy() {
        let mut builder = MessageBuilder::with_capacity(100);
        builder.push_str("2[\"a\"]");
        let at = builder.0.as_ptr();
        let built = builder.finish();
        let frame = built.clone().into_frame();
        assert_eq!((frame.as_ptr(), frame.as_str()), (at, "42[\"a\"]"));
        let received = MessageText::from_frame(frame).unwrap();
        assert_eq!((received.as_frame().as_ptr(), received.as_str()), (at, "2[\"a\"]"));
    }

    #[test]
    fn messages_are_written_in_the_memory_of_the_one_before_but_for_that_of_a_long_one() {
        let mut builder = MessageBuilder::default();
        for (text, frame) in [("2[\"a\"]", "42[\"a\"]"), ("3", "43")] {
            builder.restart();
            builder.push_str(text);
            assert_eq!(builder.as_frame(), frame);
        }
        builder.rest();
        assert_ne!(builder.0.capacity(), 0);
        builder.push_str(&"x".repeat(TYPICAL));
        builder.rest();
        assert_eq!(builder.0.capacity(), 0);
        builder.0.reserve_exact(TYPICAL);
        builder.rest();
        assert_eq!(builder.0.capacity(), TYPICAL);
    }

    #[test]
    fn a_frame_that_is_no_message_comes_back() {
        for frame in ["", "2probe", "b4AA=", "x4", "é4"] {
            assert_eq!(MessageText::from_frame(frame.into()), Err(frame.into()));
        }
        assert_eq!(MessageText::from_frame("4".into()).unwrap().as_str(), "");
    }
}
