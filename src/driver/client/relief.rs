//! Whether one who waits may stand in for the thread of a WebSocket: what the wire's lock guards of that.
//!
//! # Nothing that comes is missed
//!
//! Something comes while nobody has the wire's lock. Who reads it?
//!
//! 1. The thread, where nobody stands in for it: it waits for the socket, itself or by the lookout, or is
//!    about to look.
//! 2. Else the one who stands in, who waits for the socket or is about to. Who goes has the lookout look
//!    for the socket again, under the wire's lock. The kernel looks at once, so that what has come
//!    meanwhile wakes the thread.
//! 3. What was read but could not be handed in, what is yet to be written, an end that was found: all this
//!    makes no socket readable. Who leaves it ([`Remaining::OfThread`]) wakes the thread, also by a panic.
//!
//! The one who stands in is woken by the lookout's bell when its answer comes from elsewhere: by the
//! thread, by a deadline, by the end of the session. It says that it will wait there before it does so, under
//! the lock of the answer, and looks whether that is there already.
//!
//! The thread may take a turn at any time, also while somebody stands in: who has something to write and
//! finds the wire taken wakes it as ever.
//!
//! The tests try all interleavings of this.

/// Whether the thread rests, and whether somebody stands in for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Relief {
    rests: bool,
    has_begun: bool,
}

/// How far one who stands in for the thread has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Remaining {
    /// There is more to do at once.
    More,
    /// All is done until something comes.
    Nothing,
    /// The rest is the thread's: it has to be woken.
    OfThread,
}

impl Relief {
    /// The thread takes a turn.
    pub(super) fn thread_goes_on(&mut self) {
        self.rests = false;
    }

    /// The thread waits by the lookout from here on.
    pub(super) fn thread_rests(&mut self) {
        self.rests = true;
    }

    /// Whether somebody may stand in.
    pub(super) fn is_possible(self) -> bool {
        self.rests && !self.has_begun
    }

    /// Somebody stands in.
    pub(super) fn begin(&mut self) {
        self.has_begun = true;
    }

    /// And no longer.
    pub(super) fn end(&mut self) {
        self.has_begun = false;
    }
}

#[cfg(test)]
mod tests;
