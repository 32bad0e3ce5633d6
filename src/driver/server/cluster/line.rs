//! What waits to be told to other servers.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind, Result};
use crate::sync::lock::lock;

/// How much may wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LineBounds {
    pub(crate) items: usize,
    pub(crate) bytes: usize,
}

/// Things that wait for one thread, in their order.
#[derive(Debug)]
pub(crate) struct WaitingLine<T> {
    state: Mutex<LineState<T>>,
    changed: Condvar,
    bounds: LineBounds,
}

#[derive(Debug)]
struct LineState<T> {
    items: VecDeque<(T, usize)>,
    bytes: usize,
    is_over: bool,
}

impl<T> WaitingLine<T> {
    pub(crate) fn new(bounds: LineBounds) -> Self {
        let state = LineState { items: VecDeque::new(), bytes: 0, is_over: false };
        Self { state: Mutex::new(state), changed: Condvar::new(), bounds }
    }

    /// Adds something of this size. One thing, however large, may wait alone.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::BufferFull`] where there is no room, [`ErrorKind::Disconnected`] after the end; it comes back.
    pub(crate) fn push(&self, item: T, size: usize) -> Result<(), (T, Error)> {
        let mut state = lock(&self.state);
        if state.is_over {
            return Err((item, over()));
        }
        let count = state.items.len();
        if count > 0 && (count >= self.bounds.items || state.bytes + size > self.bounds.bytes) {
            let what = format!(
                "{count} messages of {} bytes wait for the other servers of the cluster",
                state.bytes
            );
            return Err((item, Error::new(ErrorKind::BufferFull, what)));
        }
        state.items.push_back((item, size));
        state.bytes += size;
        drop(state);
        // Who rests may be the one that wakes up.
        self.changed.notify_all();
        Ok(())
    }

    /// Takes the oldest ones, up to so many bytes, and at least one: waits for it, within the limit if there is one. Empty
    /// where none has come, and after the end when nothing is left.
    pub(crate) fn take(&self, most_bytes: usize, limit: Option<Duration>) -> Vec<T> {
        let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        let mut state = lock(&self.state);
        while state.items.is_empty() && !state.is_over {
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                break;
            }
            state = state.wait(&self.changed, left);
        }
        let mut taken = Vec::new();
        let mut bytes = 0;
        while let Some((_, size)) = state.items.front() {
            bytes += size;
            if !taken.is_empty() && bytes > most_bytes {
                break;
            }
            if let Some((item, size)) = state.items.pop_front() {
                state.bytes -= size;
                taken.push(item);
            }
        }
        if state.items.is_empty() {
            state.items = VecDeque::new();
        }
        taken
    }

    /// Nothing is added any more. What waits may yet be taken.
    pub(crate) fn end(&self) {
        lock(&self.state).is_over = true;
        self.changed.notify_all();
    }

    /// Waits so long, or until nothing is added any more.
    #[cfg_attr(not(feature = "redis"), allow(dead_code))]
    pub(crate) fn rest(&self, time: Duration) {
        let deadline = Instant::now() + time;
        let mut state = lock(&self.state);
        while !state.is_over {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            state = state.wait(&self.changed, Some(left));
        }
    }

    /// Whether nothing is added any more.
    pub(crate) fn is_over(&self) -> bool {
        lock(&self.state).is_over
    }
}

fn over() -> Error {
    Error::new(ErrorKind::Disconnected, "the server has left its cluster")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_are_taken_in_their_order_as_many_as_are_wanted() {
        let line = WaitingLine::new(LineBounds { items: 3, bytes: 10 });
        for (item, size) in [('a', 4), ('b', 4), ('c', 2)] {
            line.push(item, size).unwrap();
        }
        assert_eq!(line.push('d', 0).unwrap_err().1.kind(), ErrorKind::BufferFull);
        assert_eq!(line.take(8, None), ['a', 'b']);
        line.push('e', 8).unwrap();
        assert_eq!(line.push('f', 1).unwrap_err().0, 'f');
        assert_eq!((line.take(0, None), line.take(0, None)), (vec!['c'], vec!['e']));
        line.push('g', 1000).unwrap();
        line.end();
        assert_eq!(line.push('h', 0).unwrap_err().1.kind(), ErrorKind::Disconnected);
        assert_eq!((line.take(0, None), line.take(0, None)), (vec!['g'], vec![]));
        line.rest(Duration::from_secs(60));
    }

    #[test]
    fn who_waits_with_a_limit_gets_nothing_in_time() {
        let line = WaitingLine::<()>::new(LineBounds { items: 1, bytes: 1 });
        assert!(line.take(0, Some(Duration::from_millis(1))).is_empty() && !line.is_over());
        let begin = Instant::now();
        line.rest(Duration::from_millis(20));
        assert!(begin.elapsed() >= Duration::from_millis(20));
    }
}
