//! The calls that may block the caller.

use std::sync::{Mutex, Weak};
use std::time::{Duration, Instant};

use super::{AckHandle, Driver, Monitor};
use crate::core::client::namespace::Phase;
use crate::core::client::{Client, Cycle, Emit, Fate, NotTaken};
use crate::core::engine::Engine;
use crate::core::ids::NamespaceId;
use crate::core::time::Timestamp;
use crate::driver::clock::now;
use crate::error::reached::listed;
use crate::error::{Error, ErrorKind, Result, Rounded, Stage};
use crate::event::Reply;
use crate::payload::Payload;
use crate::sync::lock::lock;
use crate::sync::threads::{Role, role};

/// What a caller waits for. Only those are woken for whom it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Awaited {
    /// That the namespace is joined, or that nothing tries to join it.
    Joined(NamespaceId),
    /// That the connection is open, or that nothing tries to open it.
    Open,
    /// That all links have ended.
    Ended,
    /// Something else, for which the caller looks after each change.
    Change,
}

impl Driver {
    /// Sends an event; waits for room in the send buffer where the policy says so, and at most for so
    /// long.
    pub(crate) fn emit(
        &self,
        namespace: NamespaceId,
        mut emit: Emit<AckHandle>,
        limit: Option<Duration>,
    ) -> Result<()> {
        let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        loop {
            let sent = self.run(|core, now| {
                emit.since.get_or_insert(now);
                core.emit(namespace, emit, now)
            });
            match sent {
                Ok(()) => return Ok(()),
                Err(NotTaken::Error(error)) => return Err(error),
                Err(NotTaken::Full(back)) => emit = *back,
            }
            let left = deadline.map(|end| end.saturating_duration_since(Instant::now()));
            if !self.wait_for_room(left, |core| core.fate(namespace, &emit))? {
                return Err(no_room_in_time(limit.unwrap_or_default()));
            }
        }
    }

    /// Blocks while something to send, of which this is the fate, has to wait. An error where that
    /// would be for ever: the server may not read on until what it has written is read, and a consumer
    /// is behind. `false`: the limit has passed.
    fn wait_for_room(
        &self,
        limit: Option<Duration>,
        fate: impl Fn(&Client<AckHandle>) -> Fate,
    ) -> Result<bool> {
        check_may_wait()?;
        self.run(|core, _| core.begin_wait_for_room());
        let is_in_time = self.wait_until(limit, |monitor| {
            fate(&monitor.core) != Fate::Wait || monitor.core.stalled().is_some()
        });
        self.run(|core, _| {
            core.end_wait_for_room();
            let has_to_wait = fate(core) == Fate::Wait;
            core.stalled().filter(|_| has_to_wait).map_or(Ok(is_in_time), |why| Err(why.clone()))
        })
    }

    /// Blocks until the namespace is joined.
    pub(crate) fn wait_joined(&self, namespace: NamespaceId, limit: Duration) -> Result<()> {
        // A reader that was stuck behind events may have room again, and not know it yet.
        self.run(|_, _| ());
        let done = self.wait_for(Awaited::Joined(namespace), limit);
        let monitor = self.lock();
        if monitor.core.namespace(namespace).phase == Phase::Joined {
            return Ok(());
        }
        monitor.core.check_not_over()?;
        if let Some(why) = monitor.core.stalled() {
            return Err(why.clone());
        }
        let entry = monitor.namespaces.get(namespace);
        let losses = entry.map_or(0, |entry| entry.losses);
        let last_error = entry.and_then(|entry| entry.last_error.clone());
        if !done {
            let so_far = monitor.progress(Some(namespace), now());
            return Err(too_late("connected", limit, last_error, losses, &so_far));
        }
        let idle = Error::new(ErrorKind::Disconnected, "nothing tries to connect this socket");
        Err(match last_error {
            Some(lost) if losses > 0 => {
                let what =
                    format!("{}, since the session was lost: {}", idle.message(), lost.words());
                let hint = lost.hint().unwrap_or("call connect() first").to_owned();
                idle.with_context(what).with_hint(hint).with_source(lost)
            }
            Some(error) => error,
            None => idle.with_hint("call connect() first"),
        })
    }

    /// Blocks until the connection is open.
    pub(crate) fn wait_open(&self, limit: Duration) -> Result<()> {
        let done = self.wait_for(Awaited::Open, limit);
        let monitor = self.lock();
        if monitor.core.cycle() == Cycle::Open {
            return Ok(());
        }
        monitor.core.check_not_over()?;
        let last_error = monitor.last_error.clone();
        if done {
            return Err(last_error.unwrap_or_else(|| {
                Error::new(ErrorKind::Disconnected, "nothing tries to open this connection")
                    .with_hint("call open() first")
            }));
        }
        Err(too_late("open", limit, last_error, 0, &monitor.progress(None, now())))
    }

    /// Blocks until all transports are closed; cuts those that are not at the limit.
    pub(crate) fn wait_closed(&self, limit: Duration) {
        let (patience, moment) = patience(limit);
        if self.wait_for(Awaited::Ended, patience) {
            return;
        }
        // Who reads a farewell together with events drops them. The end of the connection costs none.
        self.run(Client::confirm_none);
        if !self.wait_for(Awaited::Ended, moment) {
            for (_, link) in self.lock().links.iter() {
                link.cancel();
            }
            self.wait_for(Awaited::Ended, moment);
        }
    }

    /// Blocks until a condition holds; `false` when the limit passes before.
    pub(super) fn wait_until(
        &self,
        limit: Option<Duration>,
        condition: impl Fn(&Monitor) -> bool,
    ) -> bool {
        self.wait_as(Awaited::Change, limit, condition)
    }

    /// The same for what is known beforehand.
    fn wait_for(&self, awaited: Awaited, limit: Duration) -> bool {
        self.wait_as(awaited, Some(limit), |monitor| monitor.has_come(awaited))
    }

    fn wait_as(
        &self,
        awaited: Awaited,
        limit: Option<Duration>,
        condition: impl Fn(&Monitor) -> bool,
    ) -> bool {
        let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        let mut monitor = self.lock();
        monitor.awaited.push(awaited);
        let done = loop {
            if condition(&monitor) {
                break true;
            }
            let left = deadline.map(|end| end.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                break false;
            }
            monitor = monitor.wait(&self.changed, left);
        };
        let place = monitor.awaited.iter().position(|other| *other == awaited);
        place.map(|place| monitor.awaited.swap_remove(place));
        done
    }
}

impl Monitor {
    /// Whether there is what a caller waits for, as far as is known here.
    pub(super) fn has_come(&self, awaited: Awaited) -> bool {
        match awaited {
            Awaited::Joined(namespace) => {
                self.core.namespace(namespace).phase == Phase::Joined
                    || !self.core.is_connecting(namespace)
                    || self.core.stalled().is_some()
            }
            Awaited::Open => match self.core.cycle() {
                Cycle::Open => true,
                Cycle::Idle => self.core.next_attempt().is_none(),
                Cycle::Connecting | Cycle::Waiting => false,
            },
            Awaited::Ended => self.links.is_empty(),
            Awaited::Change => true,
        }
    }

    /// How connecting stands, in words.
    fn progress(&self, namespace: Option<NamespaceId>, now: Timestamp) -> String {
        let phase = namespace.map(|id| self.core.namespace(id).phase);
        match (self.core.cycle(), phase) {
            (Cycle::Open, Some(Phase::Asking)) => {
                "the function for the credentials has not returned".to_owned()
            }
            (Cycle::Open, Some(Phase::Joining)) => {
                let heard = self.core.engine().map(|engine| engine.last_heard(now));
                format!("CONNECT is not answered; {}", heard.unwrap_or_default())
            }
            (Cycle::Connecting, _) => {
                let link = self.core.engine().map(Engine::main_link);
                let reached = link.and_then(|link| self.links.get(link)?.reached());
                let reached = reached.unwrap_or_else(|| Stage::Dns.into());
                let colon = if reached.tried.is_empty() { "" } else { ": " };
                format!(
                    "the attempt has come to the stage {}{colon}{}",
                    reached.stage,
                    listed(&reached.tried)
                )
            }
            (Cycle::Idle | Cycle::Open, _) => "the namespace is left at the moment".to_owned(),
            (Cycle::Waiting, _) => "the next attempt is yet to begin".to_owned(),
        }
    }
}

/// How long to wait for transports that close, and twice a moment, since what is cut short takes one to end.
fn patience(limit: Duration) -> (Duration, Duration) {
    let moment = (limit / 10).min(Duration::from_millis(250));
    (limit.saturating_sub(moment * 2), moment)
}

/// The error of a wait that was too long, with what has failed meanwhile: in words, and as its cause.
fn too_late(what: &str, limit: Duration, cause: Option<Error>, losses: u32, so_far: &str) -> Error {
    let what = format!("not {what} within {}", Rounded(limit));
    let Some(cause) = cause else {
        return Error::new(ErrorKind::Timeout, format!("{what}: {so_far}"))
            .with_hint("is the limit long enough for the way to this server?");
    };
    let words = cause.words();
    let what = match losses {
        0 => format!("{what}, the last attempt failed: {words}"),
        1 => format!("{what}, the session was lost before the namespace was joined: {words}"),
        _ => format!(
            "{what}, {losses} sessions were lost before the namespace was joined, the last one: {words}"
        ),
    };
    let error = Error::new(ErrorKind::Timeout, what);
    // So a server answers to whom it does not know.
    let is_elsewhere = losses > 0 && cause.message().contains("status 400");
    let error = match cause.hint() {
        _ if is_elsewhere => error.with_hint(
            "does a balancer send the requests of one session to several servers? Let it keep them \
             together by a cookie, with `Builder::with_credentials(true)`, or begin with WebSocket \
             (`Builder::transports`), which needs none",
        ),
        Some(hint) => error.with_hint(hint.to_owned()),
        None => error,
    };
    error.with_source(cause)
}

fn no_room_in_time(limit: Duration) -> Error {
    let (kind, within) = if limit.is_zero() {
        (ErrorKind::BufferFull, String::new())
    } else {
        (ErrorKind::Timeout, format!(" within {}", Rounded(limit)))
    };
    let what = format!("no room in the send buffer{within}: the event was not sent");
    Error::new(kind, what).with_hint(
        "what was emitted before is not written yet: is the link slow, or the server busy? The bounds \
         are `Limits::send_events` and `Limits::send_bytes`",
    )
}

/// A thread that keeps connections going must not wait for room that nobody but itself can make.
/// It comes here where the program's logger emits what it is given. That of an outbox has what it sends on
/// disk, tries again, and has to end when it is told to.
fn check_may_wait() -> Result<()> {
    match role() {
        Some(
            Role::Transport
            | Role::Poster
            | Role::Timer
            | Role::Network
            | Role::Outbox
            | Role::Server
            | Role::Line
            | Role::Cluster
            | Role::Publisher
            | Role::Subscriber,
        ) => Err(Error::new(ErrorKind::BufferFull, "no room to send, and no time to wait for it")),
        Some(Role::Callbacks | Role::Auth | Role::Dns | Role::Log | Role::Worker) | None => Ok(()),
    }
}

/// The way of an acknowledgement back to the membership of a namespace in which it was asked for.
pub(super) struct WayBack {
    pub(super) driver: Weak<Driver>,
    pub(super) namespace: NamespaceId,
    pub(super) membership: u32,
    pub(super) ack: Mutex<Option<u64>>,
}

impl Reply for WayBack {
    fn reply(&self, mut payload: Payload) -> Result<()> {
        loop {
            // Before the lock, and so dropped after it: this may be the last reference.
            let driver = self.driver.upgrade();
            let mut ack = lock(&self.ack);
            let Some(number) = *ack else {
                return Err(Error::new(
                    ErrorKind::InvalidOption,
                    "this event was acknowledged already",
                ));
            };
            let Some(driver) = &driver else {
                return Err(Error::new(ErrorKind::Disconnected, "the connection is gone"));
            };
            let (namespace, membership) = (self.namespace, self.membership);
            match driver.run(|core, now| core.reply(namespace, membership, number, payload, now)) {
                // Only now: what was refused may be tried with something smaller.
                Ok(()) => {
                    *ack = None;
                    return Ok(());
                }
                Err(NotTaken::Error(error)) => return Err(error),
                Err(NotTaken::Full(back)) => payload = *back,
            }
            // Not over the wait, during which another thread may answer: then this one is told so.
            drop(ack);
            let size = payload.size();
            driver.wait_for_room(None, |core| core.fate_of_reply(namespace, membership, size))?;
        }
    }
}

#[cfg(test)]
mod tests;
