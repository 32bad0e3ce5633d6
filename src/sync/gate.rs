//! What the consumers of one connection share: the sum of what waits for them, the reserve beyond
//! their bounds, and the way to tell the reader that it may go on.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// What an event in the reserve counts beside its text and its attachments, in bytes, and one that is kept since it may
/// have arrived: about what its administration takes.
pub(crate) const OVERHEAD: usize = 200;

/// The meeting place of the consumers and the reader of one connection.
///
/// The reader holds still ([`Gate::hold`]) while a consumer is full, unless somebody waits for what
/// can only come behind the events. A consumer that has made room, or that begins to wait for
/// events, tells it by [`Gate::reopen`].
///
/// No wake-up is lost: the reader first notes that it holds still, then looks at the consumers, under the
/// lock of each. A consumer changes under that lock, and looks at the note afterwards.
pub(crate) struct Gate {
    /// The bytes that wait within the bounds of all consumers.
    total: Pool,
    /// The bytes that wait beyond the bounds of their consumers.
    reserve: Pool,
    /// How many consumers wait for an event and have none.
    hungry: AtomicUsize,
    /// A reader holds still.
    held: AtomicBool,
    /// Somebody has looked for an event, without waiting, and had none.
    glanced: AtomicBool,
    /// Wakes the reader. It is called without a lock, on the consumers' threads.
    resume: Box<dyn Fn() + Send + Sync>,
}

/// An amount of bytes with a limit.
struct Pool {
    used: AtomicUsize,
    limit: usize,
}

impl Gate {
    /// A gate with its limits, in bytes. `resume` must be quick.
    pub(crate) fn new(
        total: usize,
        reserve: usize,
        resume: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        Self {
            total: Pool::new(total),
            reserve: Pool::new(reserve),
            hungry: AtomicUsize::new(0),
            held: AtomicBool::new(false),
            glanced: AtomicBool::new(false),
            resume: Box::new(resume),
        }
    }

    /// One that never holds anybody, for consumers that do not push back.
    pub(crate) fn open() -> Self {
        Self::new(usize::MAX, usize::MAX, || ())
    }

    /// Whether this much fits into what all consumers may have together.
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        self.total.has_room(bytes)
    }

    /// How many bytes all consumers together may still have.
    pub(crate) fn room(&self) -> usize {
        self.total.room()
    }

    /// Whether what all consumers may have together is used up.
    pub(crate) fn is_full(&self) -> bool {
        !self.total.has_room(1)
    }

    /// Whether an event may still go beyond the bounds of its consumer.
    pub(crate) fn has_reserve(&self) -> bool {
        self.reserve.has_room(OVERHEAD)
    }

    /// Whether a consumer waits for an event and has none.
    pub(crate) fn is_awaited(&self) -> bool {
        self.hungry.load(Ordering::SeqCst) > 0
    }

    /// The reader is about to hold still. It has to look at the consumers once more.
    pub(crate) fn hold(&self) {
        self.held.store(true, Ordering::SeqCst);
    }

    /// The reader goes on by itself.
    pub(crate) fn release(&self) {
        self.held.store(false, Ordering::SeqCst);
    }

    /// Wakes the reader, if it holds still.
    pub(crate) fn reopen(&self) {
        if self.held.load(Ordering::SeqCst) && self.held.swap(false, Ordering::SeqCst) {
            (self.resume)();
        }
    }

    /// Somebody looks for an event, without waiting, and has none: a reader that holds still goes on
    /// once.
    pub(super) fn glance(&self) {
        if self.held.load(Ordering::SeqCst) {
            self.glanced.store(true, Ordering::SeqCst);
            self.reopen();
        }
    }

    /// Takes note of a glance.
    pub(crate) fn take_glance(&self) -> bool {
        self.glanced.load(Ordering::SeqCst) && self.glanced.swap(false, Ordering::SeqCst)
    }

    pub(super) fn enter(&self, bytes: usize) {
        self.total.enter(bytes);
    }

    /// Gives back; `true` when that is a reason to look whether the reader can go on.
    pub(super) fn leave(&self, bytes: usize) -> bool {
        self.total.leave(bytes)
    }

    pub(super) fn enter_reserve(&self, bytes: usize) {
        self.reserve.enter(bytes + OVERHEAD);
    }

    /// Gives back; `true` when that is a reason to look whether the reader can go on.
    pub(super) fn leave_reserve(&self, bytes: usize) -> bool {
        self.reserve.leave(bytes + OVERHEAD)
    }

    pub(super) fn begin_hunger(&self) {
        self.hungry.fetch_add(1, Ordering::SeqCst);
    }

    pub(super) fn end_hunger(&self) {
        self.hungry.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Pool {
    fn new(limit: usize) -> Self {
        Self { used: AtomicUsize::new(0), limit }
    }

    fn room(&self) -> usize {
        self.limit.saturating_sub(self.used.load(Ordering::Relaxed))
    }

    fn has_room(&self, bytes: usize) -> bool {
        self.used.load(Ordering::Relaxed).saturating_add(bytes) <= self.limit
    }

    fn enter(&self, bytes: usize) {
        self.used.fetch_add(bytes, Ordering::Relaxed);
    }

    /// `true` when half of it is free with this, and was not before, or when it was used up.
    fn leave(&self, bytes: usize) -> bool {
        let before = self.used.fetch_sub(bytes, Ordering::Relaxed);
        let half = self.limit / 2;
        before >= self.limit || (before > half && before - bytes <= half)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn only_a_reader_that_holds_still_is_woken_and_once() {
        let woken = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&woken);
        let gate = Gate::new(100, 100, move || {
            counter.fetch_add(1, Ordering::SeqCst);
        });
        gate.reopen();
        assert_eq!(woken.load(Ordering::SeqCst), 0);
        gate.hold();
        gate.reopen();
        gate.reopen();
        assert_eq!(woken.load(Ordering::SeqCst), 1);
        gate.hold();
        gate.release();
        gate.reopen();
        assert_eq!(woken.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn giving_back_says_once_that_half_is_free() {
        let gate = Gate::new(100, 1000, || ());
        gate.enter(90);
        assert!(gate.has_room(10) && !gate.has_room(11) && !gate.is_full());
        assert!(!gate.leave(30));
        assert!(gate.leave(30));
        assert!(!gate.leave(30));
        gate.enter_reserve(700);
        assert!(!gate.has_reserve());
        assert!(gate.leave_reserve(700));
        assert!(gate.has_reserve());
    }
}
