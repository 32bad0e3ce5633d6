//! The threads that run handlers.
//!
//! They start when there is work, up to a bound, and end when they have not been needed for a while. A handler
//! that waits for an answer does not count as working: another thread takes its place meanwhile, up to a
//! second bound, so that handlers which wait for each other get done. A thread that is none of the pool's may take part,
//! as a guest, within the same bounds.
//!
//! Handlers that are slow in another way keep all threads busy, and nobody else is served. But who comes in is decided
//! all the same: where such a decision has waited for a while, one more thread makes it, and others that wait, and ends.

use std::cell::{Cell, RefCell};
use std::sync::{Arc, Condvar, Mutex, Weak};
use std::time::Duration;

use super::tasks::{Done, Task, WorkQueue, carry_out};
use crate::error::{Error, ErrorKind, Result};
use crate::sync::lock::{Locked, lock};
use crate::sync::logging::log_later;
use crate::sync::threads::{Role, spawn};

/// How often it is looked which threads are not needed.
const LOOK: Duration = Duration::from_secs(10);

/// How long a client waits to be let in before that is looked at.
const DOOR_LOOK: Duration = Duration::from_millis(50);

/// What is to be looked at in a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PoolLook {
    /// Threads may not be needed.
    Unneeded,
    /// Clients may still wait to be let in.
    Door,
}

impl PoolLook {
    /// In how long it is to be looked.
    pub(super) fn pause(self) -> Duration {
        match self {
            Self::Unneeded => LOOK,
            Self::Door => DOOR_LOOK,
        }
    }
}

/// How large the pool may become.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PoolSize {
    /// How many handlers run at the same time.
    pub(crate) workers: usize,
    /// How many threads there are at most, those included whose handlers wait for answers.
    pub(crate) most: usize,
    pub(crate) stack_size: usize,
}

/// The threads, and the work that waits for them.
pub(super) struct Workers {
    state: Mutex<WorkQueue>,
    work: Condvar,
    /// Has `look` called after a while: threads wait without a limit, which would cost a timer each time.
    look_later: Box<dyn Fn(PoolLook) + Send + Sync>,
    size: PoolSize,
    this: Weak<Self>,
}

thread_local! {
    /// What is submitted together, once what its thread is at is done.
    static GATHERED: RefCell<Option<Vec<Task>>> = const { RefCell::new(None) };
    /// The pool that the thread belongs to.
    static OWN: RefCell<Weak<Workers>> = const { RefCell::new(Weak::new()) };
    /// What the thread submits it keeps for itself.
    static KEEPS: Cell<bool> = const { Cell::new(false) };
    /// It has kept something.
    static HAS_KEPT: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread has kept something for itself, which is to be done before it goes on.
pub(super) fn has_kept_work() -> bool {
    HAS_KEPT.get()
}

impl Workers {
    /// When there is something to look at in a while, `look_later` is called, with no lock held.
    pub(super) fn new(
        size: PoolSize,
        look_later: impl Fn(PoolLook) + Send + Sync + 'static,
    ) -> Arc<Self> {
        let look_later = Box::new(look_later);
        Arc::new_cyclic(|this| Self {
            state: Mutex::default(),
            work: Condvar::new(),
            look_later,
            size,
            this: this.clone(),
        })
    }

    /// Does something that submits tasks, which begin only when it is done: when the caller holds no lock that they
    /// would wait for, and all that was read together is there.
    pub(super) fn gathering<R>(&self, work: impl FnOnce() -> R) -> R {
        let outer = GATHERED.replace(Some(Vec::new()));
        let _gathered = GatheredTasks { pool: self, outer };
        work()
    }

    /// Has something done, behind what waits already. After the end of the pool a thread is started for it, which ends with
    /// it: to drop it here would be to run the program's code, under whatever is locked.
    pub(super) fn submit(&self, task: Task) {
        let task = GATHERED.with_borrow_mut(|gathered| match gathered {
            Some(gathered) => {
                gathered.push(task);
                None
            }
            None => Some(task),
        });
        if let Some(task) = task {
            self.begin([task]);
        }
    }

    /// Does something, and keeps what that submits for the calling thread, which is to [take part](Self::take_part)
    /// later. `true`: there is something.
    pub(super) fn keeping<R>(&self, work: impl FnOnce() -> R) -> (R, bool) {
        KEEPS.set(true);
        let done = self.gathering(work);
        KEEPS.set(false);
        (done, HAS_KEPT.take())
    }

    /// The calling thread does what waits, until nothing does. Gives how many tasks that were: none where there is no room for
    /// it, and they are left to others.
    pub(super) fn take_part(&self) -> u32 {
        let mut state = lock(&self.state);
        if !self.has_room(&state) {
            self.set_to_work(state);
            return 0;
        }
        state.guests += 1;
        drop(state);
        OWN.set(self.this.clone());
        let (mut count, mut done) = (0_u32, None);
        while let Some(task) = self.next_of_guest(done) {
            done = Some(carry_out(task));
            count = count.saturating_add(1);
        }
        OWN.set(Weak::new());
        count
    }

    /// What a guest does next; `None`: nothing waits, and it has left.
    fn next_of_guest(&self, done: Option<Done>) -> Option<Task> {
        let mut state = lock(&self.state);
        state.note_done(done);
        let task = state.take_task();
        if task.is_none() {
            state.guests -= 1;
            leave(state);
        }
        task
    }

    /// Has threads begin with what waits.
    pub(super) fn rouse(&self) {
        self.begin([]);
    }

    fn begin(&self, tasks: impl IntoIterator<Item = Task>) {
        let mut at_once = Vec::new();
        let is_kept = KEEPS.get();
        let mut state = lock(&self.state);
        for task in tasks {
            match task {
                Task::AtOnce(what) => at_once.push(what),
                task => {
                    state.put(task);
                    if is_kept {
                        HAS_KEPT.set(true);
                    }
                }
            }
        }
        if is_kept {
            drop(state);
        } else {
            self.set_to_work(state);
        }
        for what in at_once {
            what();
        }
    }

    /// Sees to it that there are threads for what waits.
    fn set_to_work(&self, mut state: Locked<'_, WorkQueue>) {
        for _ in state.resting + state.waking..state.queue.len() {
            if !self.grow(&mut state) {
                break;
            }
        }
        let watch = state.threads > 0 && !std::mem::replace(&mut state.is_watched, true);
        let watch_door =
            self.is_door_held_up(&state) && !std::mem::replace(&mut state.is_door_watched, true);
        self.wake_next(state);
        if watch {
            (self.look_later)(PoolLook::Unneeded);
        }
        if watch_door {
            (self.look_later)(PoolLook::Door);
        }
    }

    /// Tells a thread that there is work, unless one was told that has yet to look: that one tells the next. So
    /// threads that keep pace with what comes are told once for much of it.
    fn wake_next(&self, mut state: Locked<'_, WorkQueue>) {
        let wakes = !state.queue.is_empty() && state.resting > 0 && state.waking == 0;
        if wakes {
            state.wake(1);
        }
        drop(state);
        if wakes {
            self.work.notify_one();
        }
    }

    /// How many may be at tasks at a time.
    fn workers(&self, state: &WorkQueue) -> usize {
        self.size.workers + usize::from(state.has_porter)
    }

    /// Whether one more may be at a task.
    fn has_room(&self, state: &WorkQueue) -> bool {
        state.active - state.awaiting < self.workers(state) && state.active < self.size.most
    }

    /// Clients wait to be let in, and nobody is free to do that.
    fn is_door_held_up(&self, state: &WorkQueue) -> bool {
        state.at_the_door > 0 && (state.resting + state.waking == 0 || !self.has_room(state))
    }

    /// Starts a thread, if there may be one more.
    fn grow(&self, state: &mut WorkQueue) -> bool {
        let working = state.all() - state.awaiting;
        if working >= self.workers(state) {
            return false;
        }
        self.start(state, Self::serve)
    }

    /// Starts a thread that does this, within the bound for all.
    fn start(&self, state: &mut WorkQueue, serve: fn(Arc<Self>)) -> bool {
        if state.all() >= self.size.most {
            return false;
        }
        let Some(pool) = self.this.upgrade() else { return false };
        let started = spawn(Role::Worker, Some(self.size.stack_size), move || serve(pool));
        match &started {
            Ok(()) => state.threads += 1,
            Err(error) if state.all() == 0 => {
                log_later!(Error, "no handler can run until there is a thread for it: {error}");
            }
            Err(error) => log_later!(Warn, "handlers get no further thread: {error}"),
        }
        started.is_ok()
    }

    /// What a thread of the pool does.
    fn serve(self: Arc<Self>) {
        OWN.set(Arc::downgrade(&self));
        let mut done = None;
        while let Some(task) = self.next(done) {
            done = Some(carry_out(task));
        }
    }

    /// What a thread does that lets in who waits at the door while all others are busy.
    fn keep_door(self: Arc<Self>) {
        OWN.set(Arc::downgrade(&self));
        let mut done = None;
        while let Some(task) = self.next_at_the_door(done) {
            done = Some(carry_out(task));
        }
    }

    /// `None`: nobody waits there any more, and the thread ends.
    fn next_at_the_door(&self, done: Option<Done>) -> Option<Task> {
        let mut state = lock(&self.state);
        state.note_done(done);
        let task = state.take_task_at_the_door();
        if task.is_none() {
            state.has_porter = false;
            state.threads -= 1;
            leave(state);
        }
        task
    }

    /// Waits for work; `None`: the thread ends.
    fn next(&self, done: Option<Done>) -> Option<Task> {
        let mut state = lock(&self.state);
        state.note_done(done);
        loop {
            // A guest may be at as much as there may be at a time.
            if self.has_room(&state) {
                if let Some(task) = state.take_task() {
                    self.wake_next(state);
                    return Some(task);
                }
            }
            if state.leaving > 0 || state.is_over {
                state.leaving = state.leaving.saturating_sub(1);
                state.threads -= 1;
                leave(state);
                return None;
            }
            state.resting += 1;
            state = state.wait(&self.work, None);
            // It may be another one that was told.
            let counted = if state.waking > 0 { &mut state.waking } else { &mut state.resting };
            *counted -= 1;
        }
    }

    /// The time has come to look at something. `true`: it is to be looked again.
    pub(super) fn look(&self, at: PoolLook) -> bool {
        match at {
            PoolLook::Unneeded => self.end_unneeded(),
            PoolLook::Door => self.relieve_door(),
        }
    }

    /// Clients have waited to be let in: where all threads are still busy, one more lets them in.
    fn relieve_door(&self) -> bool {
        let mut state = lock(&self.state);
        state.is_door_watched = self.is_door_held_up(&state);
        if state.is_door_watched && !state.has_porter {
            state.has_porter = self.start(&mut state, Self::keep_door);
        }
        state.is_door_watched
    }

    /// Ends the threads that had no work since it was looked the last time. `true`: there are others, and it is to be
    /// looked again.
    fn end_unneeded(&self) -> bool {
        let mut state = lock(&self.state);
        let ending = state.unneeded.min(state.resting);
        state.wake(ending);
        state.leaving += ending;
        state.unneeded = state.resting;
        state.is_watched = state.threads > state.leaving;
        let is_watched = state.is_watched;
        drop(state);
        for _ in 0..ending {
            self.work.notify_one();
        }
        is_watched
    }

    /// The handler of this thread begins to wait for an answer. An error where no thread would be left that
    /// could bring about what it waits for.
    pub(super) fn begin_wait(&self) -> Result<Option<WaitInHandler<'_>>> {
        if !OWN.with_borrow(|own| std::ptr::eq(own.as_ptr(), self)) {
            return Ok(None);
        }
        let mut state = lock(&self.state);
        if state.awaiting + 1 >= self.size.most {
            let what = format!("all {} threads for handlers wait for answers", self.size.most);
            let hint = "wait on a thread of your own, or raise `max_workers`";
            return Err(Error::new(ErrorKind::Resource, what).with_hint(hint));
        }
        state.awaiting += 1;
        self.set_to_work(state);
        Ok(Some(WaitInHandler(self)))
    }

    /// Whether the thread that asks is one of the pool's.
    pub(super) fn is_own_thread(&self) -> bool {
        OWN.with_borrow(|own| std::ptr::eq(own.as_ptr(), self))
    }

    /// Ends the threads, once they have done what waits; the last of them does this, or the caller where there is
    /// none.
    pub(super) fn end(&self, last: impl FnOnce() + Send + 'static) {
        let mut state = lock(&self.state);
        state.is_over = true;
        if state.all() == 0 {
            drop(state);
            last();
        } else {
            state.last = Some(Box::new(last));
            drop(state);
            self.work.notify_all();
        }
    }

    /// How many threads there are.
    #[cfg(test)]
    fn threads(&self) -> usize {
        lock(&self.state).threads
    }
}

/// Somebody has left; what is to be done when the last one has is done.
fn leave(mut state: Locked<'_, WorkQueue>) {
    let last = state.take_last();
    drop(state);
    if let Some(last) = last {
        last();
    }
}

/// Tasks that are gathered. However that ends, they begin.
struct GatheredTasks<'a> {
    pool: &'a Workers,
    /// What was gathered around it.
    outer: Option<Vec<Task>>,
}

impl Drop for GatheredTasks<'_> {
    fn drop(&mut self) {
        let tasks = GATHERED.replace(self.outer.take()).unwrap_or_default();
        if !tasks.is_empty() {
            self.pool.begin(tasks);
        }
    }
}

/// A handler that waits for an answer.
#[must_use = "the wait ends when it is dropped"]
pub(super) struct WaitInHandler<'a>(&'a Workers);

impl Drop for WaitInHandler<'_> {
    fn drop(&mut self) {
        lock(&self.0.state).awaiting -= 1;
    }
}

#[cfg(test)]
mod tests;
