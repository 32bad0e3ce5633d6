//! The threads that run handlers.
//!
//! They start when there is work, up to a bound, and end when there has been none for a while. A handler
//! that waits for an answer does not count as working: another thread takes its place meanwhile, up to a
//! second bound, so that handlers which wait for each other get done.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, Weak};
use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::sync::lock::lock;
use crate::sync::logging::log_later;
use crate::sync::threads::{Role, spawn, survive};

/// How long a thread without work stays.
const LINGER: Duration = Duration::from_secs(10);

/// Something with work that is done by one thread at a time, a bit in each turn.
pub(super) trait TakesTurns: Send + Sync {
    /// Does a bit of it; whether more is left.
    fn take_turn(&self) -> bool;
}

/// What the pool is asked to do.
pub(super) enum Task {
    Turn(Arc<dyn TakesTurns>),
    Once(Box<dyn FnOnce() + Send>),
    /// This is done by the thread that submits it, once what it is at is done. It is quick, and none of the program's.
    AtOnce(Box<dyn FnOnce() + Send>),
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
    size: PoolSize,
    this: Weak<Self>,
}

#[derive(Default)]
struct WorkQueue {
    queue: VecDeque<Task>,
    threads: usize,
    /// Those that wait for work.
    resting: usize,
    /// Those whose handler waits for an answer.
    awaiting: usize,
    is_over: bool,
    /// What the last thread does at its end.
    last: Option<Box<dyn FnOnce() + Send>>,
}

thread_local! {
    /// What is submitted together, once what its thread is at is done.
    static GATHERED: RefCell<Option<Vec<Task>>> = const { RefCell::new(None) };
    /// The pool that the thread belongs to.
    static OWN: RefCell<Weak<Workers>> = const { RefCell::new(Weak::new()) };
}

impl Workers {
    pub(super) fn new(size: PoolSize) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            state: Mutex::default(),
            work: Condvar::new(),
            size,
            this: this.clone(),
        })
    }

    /// Does something that submits tasks, which begin only when it is done. Else a thread that keeps pace is woken for
    /// each of the events that were read together.
    pub(super) fn gathering<R>(&self, work: impl FnOnce() -> R) -> R {
        GATHERED.set(Some(Vec::new()));
        let _gathered = GatheredTasks(self);
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
            self.begin(task);
        }
    }

    fn begin(&self, task: Task) {
        let task = match task {
            Task::AtOnce(what) => return what(),
            task => task,
        };
        let mut state = lock(&self.state);
        state.queue.push_back(task);
        let someone_rests = state.resting >= state.queue.len();
        if !someone_rests {
            self.grow(&mut state);
        }
        drop(state);
        // One thread more than is needed does no harm, and finds nothing.
        self.work.notify_one();
    }

    /// Starts a thread, where there is work for one more.
    fn grow(&self, state: &mut WorkQueue) {
        let working = state.threads - state.awaiting;
        if working >= self.size.workers || state.threads >= self.size.most {
            return;
        }
        let Some(pool) = self.this.upgrade() else { return };
        match spawn(Role::Worker, Some(self.size.stack_size), move || pool.serve()) {
            Ok(()) => state.threads += 1,
            Err(error) if state.threads == 0 => {
                log_later!(Error, "no handler can run until there is a thread for it: {error}");
            }
            Err(error) => log_later!(Warn, "handlers get no further thread: {error}"),
        }
    }

    /// What a thread of the pool does.
    fn serve(self: Arc<Self>) {
        OWN.set(Arc::downgrade(&self));
        while let Some(task) = self.next() {
            match task {
                Task::Turn(of) => {
                    // Each handler was guarded; this is for what is ours.
                    if survive(|| of.take_turn()) == Some(true) {
                        // This thread does it, if no other one does: also when the pool ends.
                        lock(&self.state).queue.push_back(Task::Turn(of));
                    }
                }
                Task::Once(what) | Task::AtOnce(what) => {
                    if survive(what).is_none() {
                        log_later!(Error, "a function of the program panicked");
                    }
                }
            }
        }
    }

    /// Waits for work; `None`: the thread ends.
    fn next(&self) -> Option<Task> {
        let mut state = lock(&self.state);
        let mut is_late = false;
        loop {
            if let Some(task) = state.queue.pop_front() {
                return Some(task);
            }
            if is_late || state.is_over {
                state.threads -= 1;
                let last = if state.threads == 0 { state.last.take() } else { None };
                drop(state);
                if let Some(last) = last {
                    last();
                }
                return None;
            }
            state.resting += 1;
            let before = std::time::Instant::now();
            state = state.wait(&self.work, Some(LINGER));
            state.resting -= 1;
            is_late = before.elapsed() >= LINGER;
        }
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
        if !state.queue.is_empty() && state.resting == 0 {
            self.grow(&mut state);
        }
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
        if state.threads == 0 {
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

/// Tasks that are gathered. However that ends, they begin.
struct GatheredTasks<'a>(&'a Workers);

impl Drop for GatheredTasks<'_> {
    fn drop(&mut self) {
        for task in GATHERED.take().into_iter().flatten() {
            self.0.begin(task);
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
