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
        let mut news = NetworkNews::new()?;
        let of_thread = Arc::clone(&waker);
        let hear = move |waker: &Waker| news.next(waker);
        spawn(Role::Network, Some(STACK_SIZE), move || run(&WATCH, hear, &of_thread))?;
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

/// Passes on what is heard, until there is an error.
fn run(
    watch: &Mutex<Watch>,
    mut hear: impl FnMut(&Waker) -> Result<NetworkChange>,
    waker: &Arc<Waker>,
) {
    let error = loop {
        match hear(waker) {
            Ok(change) => tell(watch, change),
            Err(error) => break error,
        }
    };
    if !waker.is_cancelled() {
        log_later!(Error, "changes of the network are noticed no more: {error}");
        // Whoever comes next begins anew.
        lock(watch).waker.take_if(|current| Arc::ptr_eq(current, waker));
    }
}

fn tell(watch: &Mutex<Watch>, change: NetworkChange) {
    let watchers = lock(watch).watchers.clone();
    for watcher in watchers.iter().filter_map(Weak::upgrade) {
        if survive(|| watcher.on_network(change)).is_none() {
            log_later!(
                Error,
                "a panic at a change of the network, which is a fault of this library"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;
    use crate::error::{Error, ErrorKind};

    /// Tells of each change.
    struct Telling(Sender<NetworkChange>);

    impl HearOfNetwork for Telling {
        fn on_network(&self, change: NetworkChange) {
            let _ = self.0.send(change);
        }
    }

    fn watcher() -> (Arc<Telling>, Weak<dyn HearOfNetwork>, Receiver<NetworkChange>) {
        let (tell, told) = channel();
        let watcher = Arc::new(Telling(tell));
        let weak: Weak<Telling> = Arc::downgrade(&watcher);
        (watcher, weak, told)
    }

    #[test]
    fn who_watches_is_told_and_who_does_so_no_more_is_not() {
        let (_one, one, told_one) = watcher();
        let (_other, other, told_other) = watcher();
        for watcher in [&one, &other] {
            register(Weak::clone(watcher)).unwrap();
        }
        let waker = lock(&WATCH).waker.clone().unwrap();
        tell(&WATCH, NetworkChange::Better);
        assert!(told_one.try_recv().is_ok() && told_other.try_recv().is_ok());
        unregister(&one);
        told_one.try_iter().for_each(drop);
        tell(&WATCH, NetworkChange::Better);
        assert!(told_one.try_recv().is_err() && told_other.try_recv().is_ok());
        assert!(!waker.is_cancelled());
        unregister(&other);
        told_other.try_iter().for_each(drop);
        tell(&WATCH, NetworkChange::Better);
        assert!(told_other.try_recv().is_err());
    }

    #[test]
    fn what_is_heard_is_passed_on_until_there_is_an_error_and_then_somebody_else_may_begin() {
        for is_cancelled in [false, true] {
            let (_kept, watcher, told) = watcher();
            let waker = Arc::new(Waker::new().unwrap());
            let watch = Watch { watchers: vec![watcher], waker: Some(Arc::clone(&waker)) };
            let watch = Mutex::new(watch);
            let mut news = vec![NetworkChange::Worse, NetworkChange::Better];
            let hear = |waker: &Waker| {
                if news.is_empty() && is_cancelled {
                    waker.cancel();
                }
                news.pop().ok_or_else(|| Error::new(ErrorKind::Resource, "no news"))
            };
            run(&watch, hear, &waker);
            let told: Vec<_> = told.try_iter().collect();
            assert_eq!(told, [NetworkChange::Better, NetworkChange::Worse]);
            // Who cancels has taken it away already.
            assert_eq!(lock(&watch).waker.is_some(), is_cancelled);
        }
    }
}
