//! What the pool is asked to do, and what of it waits.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::sync::logging::log_later;
use crate::sync::threads::survive;

/// Something with work that is done by one thread at a time, a bit in each turn.
pub(super) trait TakesTurns: Send + Sync {
    /// Does a bit of it; whether more is left.
    fn take_turn(&self) -> bool;
}

/// What the pool is asked to do.
pub(super) enum Task {
    Turn(Arc<dyn TakesTurns>),
    Once(Box<dyn FnOnce() + Send>),
    /// The same, and a client waits for it to be let in.
    AtTheDoor(Box<dyn FnOnce() + Send>),
    /// This is done by the thread that submits it, once what it is at is done. It is quick, and none of the program's.
    AtOnce(Box<dyn FnOnce() + Send>),
}

impl Task {
    fn is_at_the_door(&self) -> bool {
        matches!(self, Self::AtTheDoor(_))
    }
}

/// A task that was carried out, or a bit of it: of what more is left.
pub(super) struct Done(Option<Arc<dyn TakesTurns>>);

pub(super) fn carry_out(task: Task) -> Done {
    match task {
        // Each handler was guarded; this is for what is ours.
        Task::Turn(of) => Done((survive(|| of.take_turn()) == Some(true)).then_some(of)),
        Task::Once(what) | Task::AtTheDoor(what) | Task::AtOnce(what) => {
            if survive(what).is_none() {
                log_later!(Error, "a function of the program panicked");
            }
            Done(None)
        }
    }
}

#[derive(Default)]
pub(super) struct WorkQueue {
    pub(super) queue: VecDeque<Task>,
    pub(super) threads: usize,
    /// Threads of others that do what waits.
    pub(super) guests: usize,
    /// Those that wait for work, and were not told of any.
    pub(super) resting: usize,
    /// Those that were told, and have yet to look.
    pub(super) waking: usize,
    /// The fewest that rested at a time, since it was looked the last time.
    pub(super) unneeded: usize,
    /// So many are to end.
    pub(super) leaving: usize,
    /// It will be looked which are not needed.
    pub(super) is_watched: bool,
    /// Threads and guests that are at a task.
    pub(super) active: usize,
    /// Those of them whose handler waits for an answer.
    pub(super) awaiting: usize,
    /// How many clients wait to be let in.
    pub(super) at_the_door: usize,
    /// It will be looked whether they still do.
    pub(super) is_door_watched: bool,
    /// One of the threads only lets them in.
    pub(super) has_porter: bool,
    pub(super) is_over: bool,
    /// What the last thread does at its end.
    pub(super) last: Option<Box<dyn FnOnce() + Send>>,
}

impl WorkQueue {
    /// All who may be at work.
    pub(super) fn all(&self) -> usize {
        self.threads + self.guests
    }

    pub(super) fn put(&mut self, task: Task) {
        self.at_the_door += usize::from(task.is_at_the_door());
        self.queue.push_back(task);
    }

    /// Takes what waits longest, to be carried out.
    pub(super) fn take_task(&mut self) -> Option<Task> {
        self.take_task_at(0)
    }

    /// Takes who waits longest to be let in.
    pub(super) fn take_task_at_the_door(&mut self) -> Option<Task> {
        let at = self.queue.iter().position(Task::is_at_the_door)?;
        self.take_task_at(at)
    }

    fn take_task_at(&mut self, at: usize) -> Option<Task> {
        let task = self.queue.remove(at)?;
        self.at_the_door -= usize::from(task.is_at_the_door());
        self.active += 1;
        Some(task)
    }

    /// What was taken is carried out. Whoever did that does the rest, if no other one does: also when the pool ends.
    pub(super) fn note_done(&mut self, done: Option<Done>) {
        if let Some(Done(more)) = done {
            self.active -= 1;
            self.queue.extend(more.map(Task::Turn));
        }
    }

    /// What is to be done when nobody is there any more, if that is so.
    pub(super) fn take_last(&mut self) -> Option<Box<dyn FnOnce() + Send>> {
        if self.is_over && self.all() == 0 { self.last.take() } else { None }
    }

    /// So many threads that rest are told to look.
    pub(super) fn wake(&mut self, count: usize) {
        self.resting -= count;
        self.waking += count;
        self.unneeded = self.unneeded.min(self.resting);
    }
}
