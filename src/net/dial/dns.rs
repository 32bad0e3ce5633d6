//! Looking up host names in a thread, because getaddrinfo(3) cannot be interrupted.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex};

use rustix::event::PollFlags;

use crate::error::{Error, ErrorKind, Result, Stage};
use crate::net::attempt::Attempt;
use crate::sync::eventfd::EventFd;
use crate::sync::lock::lock;
use crate::sync::threads::{Role, spawn};

const HINT: &str = "is the name right, and is there a network with a name server?";

/// Looks up names, one at a time: a name server that never answers holds one thread, not one
/// for each attempt.
#[derive(Debug, Default)]
pub(in crate::net) struct Resolver {
    running: Mutex<Option<Arc<LookUp>>>,
}

/// A look-up that runs, or has ended.
#[derive(Debug)]
struct LookUp {
    host: String,
    port: u16,
    /// Readable once `result` is there.
    done: EventFd,
    result: Mutex<Option<Result<Vec<SocketAddr>>>>,
}

impl Resolver {
    /// The addresses of a host, in the order in which the system prefers them.
    pub(super) fn look_up(
        &self,
        host: &str,
        port: u16,
        attempt: &Attempt,
    ) -> Result<Vec<SocketAddr>> {
        self.look_up_with(host, port, attempt, |host, port| {
            Ok((host, port).to_socket_addrs()?.collect())
        })
    }

    fn look_up_with(
        &self,
        host: &str,
        port: u16,
        attempt: &Attempt,
        ask: fn(&str, u16) -> io::Result<Vec<SocketAddr>>,
    ) -> Result<Vec<SocketAddr>> {
        loop {
            let look_up = self.running_or_new(host, port, ask)?;
            attempt.wait_for_io(look_up.done.as_fd(), PollFlags::IN)?;
            if look_up.host == host && look_up.port == port {
                return look_up.result();
            }
        }
    }

    /// The look-up that still runs, whatever its host; otherwise a new one.
    fn running_or_new(
        &self,
        host: &str,
        port: u16,
        ask: fn(&str, u16) -> io::Result<Vec<SocketAddr>>,
    ) -> Result<Arc<LookUp>> {
        let mut running = lock(&self.running);
        if let Some(look_up) = running.as_ref().filter(|look_up| !look_up.is_done()) {
            return Ok(Arc::clone(look_up));
        }
        let look_up = Arc::new(LookUp {
            host: host.to_owned(),
            port,
            done: EventFd::new()?,
            result: Mutex::new(None),
        });
        let for_thread = Arc::clone(&look_up);
        // The system's stack size: what getaddrinfo(3) loads may take any.
        spawn(Role::Dns, None, move || for_thread.run(ask))?;
        *running = Some(Arc::clone(&look_up));
        Ok(look_up)
    }
}

impl LookUp {
    fn run(&self, ask: fn(&str, u16) -> io::Result<Vec<SocketAddr>>) {
        let result = match ask(&self.host, self.port) {
            Ok(addresses) if !addresses.is_empty() => Ok(addresses),
            Ok(_) => Err(self.error("has no address").with_hint(HINT)),
            Err(error) => {
                // std's words stand before those of getaddrinfo(3).
                let words = error.to_string();
                let why = words.split_once(": ").map_or(&*words, |(_, why)| why);
                let what = format!("cannot be found: {why}");
                Err(self.error(&what).with_source(error).with_hint(HINT))
            }
        };
        *lock(&self.result) = Some(result);
        self.done.raise();
    }

    fn is_done(&self) -> bool {
        lock(&self.result).is_some()
    }

    fn result(&self) -> Result<Vec<SocketAddr>> {
        lock(&self.result).clone().unwrap_or_else(|| Err(self.error("got no answer")))
    }

    fn error(&self, what: &str) -> Error {
        Error::new(ErrorKind::Connect(Stage::Dns), format!("the host `{}` {what}", self.host))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc::{Sender, channel};
    use std::thread;
    use std::time::Duration;

    use super::*;
    use crate::net::testing::{LIMIT, attempt, cancel_ends};

    fn one(port: u16) -> Vec<SocketAddr> {
        vec![SocketAddr::from(([127, 0, 0, 1], port))]
    }

    #[test]
    fn the_system_resolver_is_asked() {
        let addresses = Resolver::default().look_up("localhost", 7, &attempt()).unwrap();
        assert!(addresses.iter().all(|a| a.ip().is_loopback() && a.port() == 7), "{addresses:?}");
    }

    #[test]
    fn a_failed_look_up_names_the_host() {
        let failing = |_: &str, _| Err(io::Error::other("no such name"));
        let none = |_: &str, _| Ok(Vec::new());
        let resolver = Resolver::default();
        for ask in [failing as fn(&str, u16) -> _, none] {
            let error = resolver.look_up_with("h.example", 1, &attempt(), ask).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Connect(Stage::Dns));
            assert!(error.message().contains("`h.example`"), "{error}");
        }
    }

    #[test]
    fn every_attempt_asks_again() {
        static ASKED: AtomicUsize = AtomicUsize::new(0);
        let ask = |_: &str, port| {
            ASKED.fetch_add(1, Ordering::SeqCst);
            Ok(one(port))
        };
        let resolver = Resolver::default();
        for port in [1, 1, 2] {
            assert_eq!(resolver.look_up_with("h", port, &attempt(), ask).unwrap(), one(port));
        }
        assert_eq!(ASKED.load(Ordering::SeqCst), 3);
    }

    #[test]
    fn a_resolver_without_an_answer_holds_one_thread_and_no_caller() {
        static ASKED: Mutex<Option<Sender<()>>> = Mutex::new(None);
        let never = |_: &str, _| {
            if let Some(asked) = &*ASKED.lock().unwrap() {
                asked.send(()).unwrap();
            }
            loop {
                thread::park();
            }
        };
        let (asked, threads) = channel();
        *ASKED.lock().unwrap() = Some(asked);
        let resolver = Arc::new(Resolver::default());
        for host in ["h", "h", "another"] {
            let (there, reached) = channel();
            let of_thread = Arc::clone(&resolver);
            cancel_ends(&reached, move |attempt| {
                there.send(()).unwrap();
                of_thread.look_up_with(host, 1, attempt, never)
            });
        }
        threads.recv_timeout(LIMIT).unwrap();
        assert!(threads.recv_timeout(Duration::from_millis(50)).is_err(), "a second thread");
    }
}
