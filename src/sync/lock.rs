//! Mutexes under which no line of the log is written; see [`logging`](super::logging).

use std::ops::{Deref, DerefMut};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
#[cfg(feature = "server")]
use std::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use super::logging::Quiet;

/// A locked mutex.
pub(crate) struct Locked<'a, T> {
    // The order of the fields is that in which they are dropped: lines are logged after the
    // mutex is released.
    guard: MutexGuard<'a, T>,
    quiet: Quiet,
}

/// Locks a mutex. One that a panic has poisoned is used as the panic left it: the connection may
/// then be wrong, but a second panic would certainly end it.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> Locked<'_, T> {
    let quiet = Quiet::new();
    Locked { guard: mutex.lock().unwrap_or_else(PoisonError::into_inner), quiet }
}

/// Locks a mutex, unless somebody has it.
pub(crate) fn try_lock<T>(mutex: &Mutex<T>) -> Option<Locked<'_, T>> {
    let quiet = Quiet::new();
    let guard = match mutex.try_lock() {
        Ok(guard) => guard,
        Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        Err(TryLockError::WouldBlock) => return None,
    };
    Some(Locked { guard, quiet })
}

/// Locks a user's callback, and holds back no line of the log while it is locked.
///
/// A callback may run for as long as it likes, and what its thread logs meanwhile (about the emits
/// that it makes, for example) has to reach the logger at once, not when it returns. That is safe,
/// unlike under a lock of our own state: only the thread that runs callbacks takes this lock, so
/// no logger can come to wait for it. A callback that panicked is called again all the same.
pub(crate) fn lock_callback<T: ?Sized>(callback: &Mutex<T>) -> MutexGuard<'_, T> {
    callback.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Locks what is mostly read, to read it. Nothing may be logged while it is locked; a panic changes as little as with
/// [`lock`].
#[cfg(feature = "server")]
pub(crate) fn lock_to_read<T>(shared: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    shared.read().unwrap_or_else(PoisonError::into_inner)
}

/// The same, to change it.
#[cfg(feature = "server")]
pub(crate) fn lock_to_write<T>(shared: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    shared.write().unwrap_or_else(PoisonError::into_inner)
}

impl<T> Locked<'_, T> {
    /// Releases the lock until the condition is notified, or the limit passes; `None` is no limit.
    /// It may return before either.
    pub(crate) fn wait(self, condition: &Condvar, limit: Option<Duration>) -> Self {
        let Self { guard, quiet } = self;
        let guard = match limit {
            None => condition.wait(guard).unwrap_or_else(PoisonError::into_inner),
            Some(limit) => {
                condition.wait_timeout(guard, limit).unwrap_or_else(PoisonError::into_inner).0
            }
        };
        Self { guard, quiet }
    }
}

impl<T> Deref for Locked<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<T> DerefMut for Locked<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::mpsc::channel;
    use std::thread;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(60);

    /// A mutex whose owner panicked while it was locked.
    fn poisoned<T: Send + 'static>(value: T) -> Arc<Mutex<T>> {
        let mutex = Arc::new(Mutex::new(value));
        let of_thread = Arc::clone(&mutex);
        let panicked = thread::spawn(move || {
            let _guard = of_thread.lock();
            std::panic::resume_unwind(Box::new(()));
        });
        assert!(panicked.join().is_err() && mutex.is_poisoned());
        mutex
    }

    #[test]
    fn a_lock_that_a_panic_has_poisoned_is_locked_all_the_same() {
        let mutex = poisoned(7);
        assert_eq!(*lock(&mutex), 7);
        assert_eq!(try_lock(&mutex).map(|locked| *locked), Some(7));
        let callback: Arc<Mutex<dyn FnMut() -> i32 + Send>> = poisoned(|| 8);
        assert_eq!(lock_callback(&callback)(), 8);
    }

    #[cfg(feature = "server")]
    #[test]
    fn what_is_mostly_read_and_a_panic_has_poisoned_is_read_and_changed_all_the_same() {
        let shared = Arc::new(RwLock::new(7));
        let of_thread = Arc::clone(&shared);
        let panicked = thread::spawn(move || {
            let _guard = of_thread.write();
            std::panic::resume_unwind(Box::new(()));
        });
        assert!(panicked.join().is_err() && shared.is_poisoned());
        *lock_to_write(&shared) += 1;
        assert_eq!(*lock_to_read(&shared), 8);
    }

    #[test]
    fn lines_are_held_back_under_a_lock_but_not_while_a_callback_runs() {
        let held_back = super::super::logging::is_quiet;
        let mutex = Mutex::new(());
        let locked = lock(&mutex);
        assert!(held_back());
        drop(locked);
        let callback = Mutex::new(held_back);
        assert!(!lock_callback(&callback)());
    }

    #[test]
    fn a_wait_with_and_without_a_limit_ends_by_the_notice() {
        for limit in [None, Some(LIMIT)] {
            let shared = Arc::new((poisoned(false), Condvar::new()));
            let of_thread = Arc::clone(&shared);
            let (done, ended) = channel();
            thread::spawn(move || {
                let (mutex, condition) = &*of_thread;
                let mut told = lock(mutex);
                while !*told {
                    told = told.wait(condition, limit);
                }
                done.send(()).unwrap();
            });
            *lock(&shared.0) = true;
            shared.1.notify_all();
            ended.recv_timeout(LIMIT).unwrap();
        }
    }

    #[test]
    fn a_wait_ends_with_its_limit() {
        let (mutex, condition) = (Mutex::new(()), Condvar::new());
        drop(lock(&mutex).wait(&condition, Some(Duration::from_millis(1))));
    }
}
