//! Who serves the connections of a server, as a value: what the thread that leads and the one that follows have to know of each
//! other. All of it is behind one lock ([`leading`](super::leading)), and each function here is one hold of it.

use std::time::Duration;

use crate::core::time::Timestamp;

/// How long the connections may be without the leader.
pub(super) const GRACE: Duration = Duration::from_millis(2);

/// After how long the follower ends, if the leader has not left since.
pub(super) const IDLE: Duration = Duration::from_secs(10);

/// What wakes the follower at once.
pub(super) const AT_ONCE: Duration = Duration::from_nanos(1);

/// An absence of a leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Absence(u64);

/// `T` is what serving needs: whoever has it in hand leads.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Shift<T> {
    /// Here while the leader is away, with what that absence is, and since when.
    laid_down: Option<(T, Absence, Timestamp)>,
    /// How many absences there have been.
    absences: u64,
    /// There is a thread that follows.
    is_followed: bool,
    /// It will look within [`GRACE`].
    is_watched: bool,
    /// The leader's handler waits for something that may need the connections.
    leader_waits: bool,
    /// The server has ended.
    is_over: bool,
}

/// What the follower does when it has looked.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Look<T> {
    /// It sleeps for so long.
    Sleep(Duration),
    /// It leads.
    Lead(T),
    /// It is not needed, or the server has ended.
    End,
}

impl<T> Default for Shift<T> {
    fn default() -> Self {
        Self {
            laid_down: None,
            absences: 0,
            is_followed: false,
            is_watched: false,
            leader_waits: false,
            is_over: false,
        }
    }
}

impl<T> Shift<T> {
    /// The leader lays down what serving needs, and is away from now on.
    pub(super) fn leave(&mut self, it: T, now: Timestamp) -> Absence {
        self.absences += 1;
        let absence = Absence(self.absences);
        self.laid_down = Some((it, absence, now));
        self.leader_waits = false;
        absence
    }

    /// The leader of that absence is back; `None`: somebody else leads since.
    pub(super) fn come_back(&mut self, absence: Absence) -> Option<T> {
        self.laid_down.take_if(|(_, of, _)| *of == absence).map(|(it, ..)| it)
    }

    /// The handler of that leader waits. `true`: the follower is to be woken.
    pub(super) fn note_wait(&mut self, absence: Absence) -> bool {
        self.leader_waits |= self.laid_down.as_ref().is_some_and(|(_, of, _)| *of == absence);
        self.leader_waits
    }

    /// There is a thread that follows.
    pub(super) fn is_followed(&self) -> bool {
        self.is_followed
    }

    /// The follower will look in time.
    pub(super) fn is_watched(&self) -> bool {
        self.is_watched
    }

    /// The caller has the follower, which there is then, look in [`GRACE`].
    pub(super) fn watch(&mut self) {
        self.is_followed = true;
        self.is_watched = true;
    }

    /// One who was relieved follows, if nobody does; it is to look after [`IDLE`].
    pub(super) fn follow(&mut self) -> bool {
        !self.is_over && !std::mem::replace(&mut self.is_followed, true)
    }

    /// The follower has slept for as long as it was to.
    pub(super) fn look(&mut self, now: Timestamp) -> Look<T> {
        let was_watched = std::mem::take(&mut self.is_watched);
        let waits = self.leader_waits;
        let is_late =
            |(_, _, since): &mut (T, Absence, Timestamp)| waits || now.since(*since) >= GRACE;
        if let Some((it, ..)) = self.laid_down.take_if(is_late) {
            self.is_followed = false;
            return Look::Lead(it);
        }
        if let Some((_, _, since)) = &self.laid_down {
            self.is_watched = true;
            return Look::Sleep(GRACE.saturating_sub(now.since(*since)));
        }
        if was_watched && !self.is_over {
            return Look::Sleep(IDLE);
        }
        self.is_followed = false;
        Look::End
    }

    /// The server has ended. The follower is to be woken, if there is one.
    pub(super) fn end(&mut self) {
        self.is_over = true;
    }
}

#[cfg(test)]
mod tests;
