//! The thread that hears of changes of the network: one for the whole process, while somebody wants to
//! know.

use std::sync::{Arc, Mutex, Weak};

use crate::error::Result;
use crate::net::{NetworkChange, NetworkNews, Waker};
use crate::sync::lock::lock;
use crate::sync::logging::log_later;
use crate::sync::threads::{Role, spawn, survive};

/// Enough for the kernel's news, and the drivers' verbs.
const STACK_SIZE: usize = 256 * 1024;

static WATCH: Mutex<Watch> = Mutex::new(Watch { watchers: Vec::new(), waker: None });

/// Who wants to know of changes of the network.
pub(super) trait HearOfNetwork: Send + Sync {
    fn on_network(&self, change: NetworkChange);
}

struct Watch {
    watchers: Vec<Weak<dyn HearOfNetwork>>,
    /// There while the thread runs.
    waker: Option<Arc<Waker>>,
}

/// Makes sure that the thread runs, for one more watcher.
pub(super) fn register(watcher: Weak<dyn HearOfNetwork>) -> Result<()> {
    let mut watch = lock(&WATCH);
    if watch.waker.is_none() {
        let waker = Arc::new(Waker::new()?);
        let news = NetworkNews::new()?;
        let of_thread = Arc::clone(&waker);
        spawn(Role::Network, Some(STACK_SIZE), move || run(news, &of_thread))?;
        watch.waker = Some(waker);
    }
    watch.watchers.push(watcher);
    Ok(())
}

/// One watcher less. The thread ends with the last.
pub(super) fn unregister(watcher: &Weak<dyn HearOfNetwork>) {
    let mut watch = lock(&WATCH);
    watch.watchers.retain(|other| !other.ptr_eq(watcher));
    if watch.watchers.is_empty() {
        if let Some(waker) = watch.waker.take() {
            waker.cancel();
        }
    }
}

fn run(mut news: NetworkNews, waker: &Arc<Waker>) {
    let error = loop {
        match news.next(waker) {
            Ok(change) => tell(change),
            Err(error) => break error,
        }
    };
    if !waker.is_cancelled() {
        log_later!(Error, "changes of the network are noticed no more: {error}");
        // Whoever comes next begins anew.
        lock(&WATCH).waker.take_if(|current| Arc::ptr_eq(current, waker));
    }
}

fn tell(change: NetworkChange) {
    let watchers = lock(&WATCH).watchers.clone();
    for watcher in watchers.iter().filter_map(Weak::upgrade) {
        if survive(|| watcher.on_network(change)).is_none() {
            log_later!(
                Error,
                "a panic at a change of the network, which is a fault of this library"
            );
        }
    }
}
