//! For which connection a thread works, which its lines in the log begin with: `#3 example.com:443`.
//!
//! Most of what is logged is said deep down, where nobody knows the connection. So whoever does work
//! of a connection notes its number for the thread; the name is looked up when a line is written.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The servers of the connections that there are.
static SERVERS: Mutex<BTreeMap<SpeakerId, String>> = Mutex::new(BTreeMap::new());

thread_local! {
    static CURRENT: Cell<Option<SpeakerId>> = const { Cell::new(None) };
}

/// The number of a connection: 1 is the first of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SpeakerId(u32);

/// The name of a connection in the log, for as long as there is the connection.
pub(crate) struct Speaker(SpeakerId);

/// While it exists, what this thread logs is about the connection.
pub(crate) struct Speaking(Option<SpeakerId>);

/// What the lines of the calling thread begin with.
pub(super) struct LinePrefix {
    id: SpeakerId,
    server: Option<String>,
}

impl Speaker {
    /// The next connection, which leads to this server.
    pub(crate) fn new(server: String) -> Self {
        static LAST: AtomicU32 = AtomicU32::new(0);
        let id = SpeakerId(LAST.fetch_add(1, Ordering::Relaxed).wrapping_add(1));
        servers().insert(id, server);
        Self(id)
    }

    pub(crate) fn id(&self) -> SpeakerId {
        self.0
    }
}

impl Drop for Speaker {
    fn drop(&mut self) {
        servers().remove(&self.0);
    }
}

impl SpeakerId {
    /// The connection leads to this server from now on, if it exists yet.
    pub(crate) fn rename(self, server: String) {
        if let Some(known) = servers().get_mut(&self) {
            *known = server;
        }
    }

    /// What this thread logs is about this connection, until the result is dropped.
    #[must_use = "it ends when this is dropped"]
    pub(crate) fn speak(self) -> Speaking {
        Speaking(CURRENT.replace(Some(self)))
    }
}

impl Drop for Speaking {
    fn drop(&mut self) {
        CURRENT.set(self.0);
    }
}

impl LinePrefix {
    pub(super) fn current() -> Option<Self> {
        let id = CURRENT.get()?;
        Some(Self { id, server: servers().get(&id).cloned() })
    }
}

impl fmt::Display for LinePrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.id.0)?;
        match &self.server {
            Some(server) => write!(f, " {server}"),
            // The connection is gone, and a thread of it is about to end.
            None => Ok(()),
        }
    }
}

/// Not by [`lock`](super::lock::lock): that keeps lines of the log, which come here.
fn servers() -> MutexGuard<'static, BTreeMap<SpeakerId, String>> {
    SERVERS.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix() -> Option<String> {
        LinePrefix::current().map(|prefix| prefix.to_string())
    }

    #[test]
    fn a_thread_speaks_for_one_connection_at_a_time_and_then_for_none() {
        let (one, other) = (Speaker::new("one:1".into()), Speaker::new("other:2".into()));
        assert_eq!(prefix(), None);
        let speaking = one.id().speak();
        let of_one = format!("#{} one:1", one.id().0);
        assert_eq!(prefix(), Some(of_one.clone()));
        let inner = other.id().speak();
        assert_eq!(prefix(), Some(format!("#{} other:2", other.id().0)));
        other.id().rename("third:3".into());
        assert_eq!(prefix(), Some(format!("#{} third:3", other.id().0)));
        drop(inner);
        assert_eq!(prefix(), Some(of_one));
        let id = one.id().0;
        drop(one);
        assert_eq!(prefix(), Some(format!("#{id}")));
        drop(speaking);
        assert_eq!(prefix(), None);
    }
}
