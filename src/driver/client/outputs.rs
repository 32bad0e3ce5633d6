//! What follows from a verb of the state machines.
//!
//! What needs no other lock is done at once, under the monitor. The rest is gathered, and done when
//! the monitor is released: whoever is woken finds it free, and nothing of it can wait for a lock
//! that the monitor is taken under.

use std::sync::{Arc, Weak};
use std::thread::Thread;

#[cfg(feature = "polling")]
use super::polling::Posting;
use super::shared_wire::SharedWire;
use super::{Driver, Monitor};
use crate::core::client::Output;
use crate::core::ids::{LinkId, NamespaceId};
use crate::core::time::Timestamp;
use crate::driver::ack_slot::{AckHandle, AckSlot};
use crate::driver::consumer::Consumer;
use crate::driver::dispatch::{Call, Dispatcher};
use crate::driver::listener_id::ListenerId;
use crate::driver::listeners::{Follow, Listeners};
use crate::driver::stage::Staging;
use crate::error::{Error, Result};
use crate::event::status::{ManagerEvent, Status};
use crate::event::{AckReply, Event};
use crate::net::{Address, Waker};
use crate::options::Transport;
use crate::sync::logging::log_later;

/// What is done after the locks are released.
pub(super) enum Action {
    Wake(Arc<Waker>),
    Write(SharedWire, Arc<Waker>),
    Dial {
        link: LinkId,
        transport: Transport,
        /// The session to upgrade.
        upgrade: Option<String>,
        address: Arc<Address>,
    },
    /// There is something for the thread that posts, which is yet to be started.
    #[cfg(feature = "polling")]
    Post(Posting),
    /// The user has something to say of an attempt.
    AskBefore {
        asked: u32,
        attempt: u32,
    },
    AskAuth {
        namespace: NamespaceId,
        asked: u32,
    },
    /// Who waits for the answer emits again at once.
    Resolve(Arc<AckSlot>, Result<AckReply>),
    /// Who waits for what has come goes on.
    Unpark(Thread),
    /// Callers that wait for a change look again.
    Notify,
}

impl Driver {
    /// Carries out what the state machines ask for, but for what has to wait for the lock's release.
    pub(super) fn drain(&self, monitor: &mut Monitor, now: Timestamp, actions: &mut Vec<Action>) {
        let mut notify = false;
        self.reconsider_hold(monitor, now);
        while let Some(output) = monitor.core.poll_output() {
            // Who waits for the end of something has to look again.
            notify |= matches!(output, Output::Acked { .. });
            if !matches!(output, Output::Event { .. }) {
                monitor.clear_stage(actions);
            }
            match output {
                Output::Event { namespace, session, packet } => {
                    self.deliver(monitor, namespace, session, packet, actions);
                }
                Output::Acked { ack: AckHandle::Slot(slot), result } => {
                    actions.push(Action::Resolve(slot, result.map(AckReply::new)));
                }
                Output::Acked { ack: AckHandle::Callback(callback), result } => {
                    let brought = monitor.dispatcher.answer(callback, result.map(AckReply::new));
                    actions.extend(brought.waiters.into_iter().map(Action::Unpark));
                    if brought.pushes_back {
                        monitor.note_full(Consumer::acks(monitor.dispatcher.acks()));
                    }
                }
                Output::Sent { namespace, payload } => {
                    let event = Event::outgoing(payload);
                    let (listeners, dispatcher, mut follow) =
                        monitor.split(namespace, &self.this, actions);
                    if let Some(listeners) = listeners {
                        listeners.show_sent(&event, dispatcher, &mut follow);
                    }
                }
                Output::Wake(link) => {
                    if let Some(link) = monitor.links.get_mut(link) {
                        link.rouse(now, actions);
                    }
                    #[cfg(feature = "polling")]
                    actions.extend(monitor.call_poster(link).map(Action::Post));
                }
                Output::Stop(link) => {
                    if let Some(link) = monitor.links.get(link) {
                        link.cancel();
                    }
                }
                Output::Tell { asked } => self.tell_attempt(monitor, asked, now, actions),
                Output::Prepare { asked, .. } if monitor.before_attempt.function.is_none() => {
                    monitor.prepared(asked, Ok(None), now);
                }
                Output::Prepare { asked, attempt } => {
                    actions.push(Action::AskBefore { asked, attempt });
                }
                Output::Dial { link, transport, upgrade } => {
                    let address = Arc::clone(&monitor.current_address);
                    actions.push(Action::Dial { link, transport, upgrade, address });
                }
                Output::AskAuth { namespace, asked } => {
                    actions.push(Action::AskAuth { namespace, asked });
                }
                Output::Status { namespace, name, status } => {
                    notify = true;
                    self.tell_status(monitor, namespace, &name, &status, actions);
                }
                Output::Manager(event) => {
                    notify = true;
                    self.observers.note_news(&event, actions);
                    monitor.tell_manager(&event, actions);
                }
                Output::Room => {
                    notify = true;
                    self.observers.note_room(&monitor.core, actions);
                }
            }
        }
        if notify {
            monitor.notify(actions);
        }
        self.arm(monitor);
    }

    /// Carries out what the state machines ask for, before the monitor is released.
    // Whatever has happened ends with this: the code is there once.
    #[inline(never)]
    pub(super) fn conclude(
        &self,
        monitor: &mut Monitor,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) {
        self.drain(monitor, now, actions);
        monitor.close_stage(actions);
    }

    /// Does what had to wait for the lock's release.
    pub(super) fn act(&self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Wake(waker) => waker.wake(),
                Action::Write(wire, waker) => self.write_or_wake(&wire, &waker),
                Action::Dial { link, transport, upgrade, address } => {
                    self.dial(link, transport, upgrade.as_deref(), address);
                }
                #[cfg(feature = "polling")]
                Action::Post(posting) => self.start_posting(posting),
                Action::AskBefore { asked, attempt } => self.ask_before(asked, attempt),
                Action::AskAuth { namespace, asked } => self.ask_auth(namespace, asked),
                Action::Resolve(slot, result) => slot.resolve(result),
                Action::Unpark(waiter) => waiter.unpark(),
                Action::Notify => self.changed.notify_all(),
            }
        }
    }

    fn tell_status(
        &self,
        monitor: &mut Monitor,
        namespace: NamespaceId,
        name: &str,
        status: &Status,
        actions: &mut Vec<Action>,
    ) {
        match status {
            Status::Connected { .. } => {
                log_later!(Info, in name, "connected");
                monitor.note_joined(namespace);
            }
            Status::ConnectError(error) => {
                log_later!(Debug, in name, "{error:#}");
                monitor.note_error(namespace, error, false);
            }
            Status::Error(error) => log_later!(Debug, in name, "the server says: {error:#}"),
            Status::Disconnected { reason, error, .. } => match error {
                Some(error) => {
                    log_later!(Info, in name, "disconnected, {reason}: {error:#}");
                    monitor.note_error(namespace, error, true);
                }
                None => log_later!(Info, in name, "disconnected, {reason}"),
            },
            Status::Dropped { events, bytes, reason } => {
                log_later!(Warn, in name, "{events} events of {bytes} bytes are lost: {reason}");
            }
        }
        let (listeners, dispatcher, mut follow) = monitor.split(namespace, &self.this, actions);
        if let Some(listeners) = listeners {
            listeners.tell(status, dispatcher, &mut follow);
        }
    }
}

impl Monitor {
    /// Wakes the callers that wait for a change, if it is there for one of them.
    pub(super) fn notify(&self, actions: &mut Vec<Action>) {
        let has_come = || self.awaited.iter().any(|awaited| self.has_come(*awaited));
        if !matches!(actions.last(), Some(Action::Notify)) && has_come() {
            actions.push(Action::Notify);
        }
    }

    /// The listeners of a namespace, with what a delivery to them needs.
    pub(super) fn split<'a>(
        &'a mut self,
        namespace: NamespaceId,
        driver: &'a Weak<Driver>,
        actions: &'a mut Vec<Action>,
    ) -> (Option<&'a mut Listeners>, &'a Dispatcher, Following<'a>) {
        let Self { core, namespaces, dispatcher, stage, full, lost, warned_lost, .. } = self;
        let name = &core.namespace(namespace).name;
        let follow = Following { driver, namespace, name, actions, stage, full, lost, warned_lost };
        let entry = namespaces.get_mut(namespace);
        (entry.map(|entry| &mut entry.listeners), dispatcher, follow)
    }

    fn note_joined(&mut self, namespace: NamespaceId) {
        if let Some(entry) = self.namespaces.get_mut(namespace) {
            (entry.last_error, entry.losses) = (None, 0);
        }
    }

    /// Notes what keeps a namespace from being joined: an attempt in vain, or the loss of a session.
    fn note_error(&mut self, namespace: NamespaceId, error: &Error, is_loss: bool) {
        if let Some(entry) = self.namespaces.get_mut(namespace) {
            entry.last_error = Some(error.clone());
            entry.losses = if is_loss { entry.losses.saturating_add(1) } else { 0 };
        }
    }

    /// Brings the events that wait on the stage.
    fn clear_stage(&mut self, actions: &mut Vec<Action>) {
        clear(&mut self.stage, actions);
    }

    /// Brings the events that wait on the stage, before the monitor is released.
    pub(super) fn close_stage(&mut self, actions: &mut Vec<Action>) {
        self.clear_stage(actions);
        self.stage = Staging::default();
    }

    fn note_full(&mut self, consumer: Consumer) {
        if !self.full.iter().any(|known| known.id == consumer.id) {
            self.full.push(consumer);
        }
    }

    pub(super) fn tell_manager(&mut self, event: &ManagerEvent, actions: &mut Vec<Action>) {
        match event {
            ManagerEvent::Open => self.last_error = None,
            ManagerEvent::Error(error) => self.last_error = Some(error.clone()),
            _ => {}
        }
        match event {
            ManagerEvent::Close(reason, Some(error)) => {
                log_later!(Debug, "Close({reason:?}): {error:#}");
            }
            ManagerEvent::Error(error) => log_later!(Debug, "Error: {error:#}"),
            // It was told as an error, as a warning, or as a failed upgrade.
            ManagerEvent::ReconnectError(_)
            | ManagerEvent::Warning(_)
            | ManagerEvent::UpgradeError(_) => {}
            event => log_later!(Debug, "{event:?}"),
        }
        for listener in &self.manager_listeners {
            let waiters = listener.tell(event, &self.dispatcher, Call::Manager);
            actions.extend(waiters.into_iter().map(Action::Unpark));
        }
    }
}

fn clear(stage: &mut Staging, actions: &mut Vec<Action>) {
    let brought = stage.clear();
    actions.extend(brought.into_iter().flat_map(|brought| brought.waiters).map(Action::Unpark));
}

/// What a delivery leads to, under the monitor.
pub(super) struct Following<'a> {
    driver: &'a Weak<Driver>,
    namespace: NamespaceId,
    name: &'a str,
    actions: &'a mut Vec<Action>,
    stage: &'a mut Staging,
    full: &'a mut Vec<Consumer>,
    lost: &'a mut usize,
    warned_lost: &'a mut bool,
}

impl Follow for Following<'_> {
    fn wake(&mut self, waiter: Thread) {
        self.actions.push(Action::Unpark(waiter));
    }

    fn full(&mut self, consumer: Consumer) {
        if !self.full.iter().any(|known| known.id == consumer.id) {
            self.full.push(consumer);
        }
    }

    fn lost(&mut self, count: usize, event: Option<&str>) {
        *self.lost += count;
        if !std::mem::replace(self.warned_lost, true) {
            let of = event.map_or("all events".to_owned(), |event| format!("{event:?}"));
            log_later!(Warn, in self.name, "a consumer of {of} is full: events are dropped (said once)");
        }
    }

    fn namespace(&self) -> &str {
        self.name
    }

    fn stage(&mut self) -> &mut Staging {
        self.stage
    }

    fn clear_stage(&mut self) {
        clear(self.stage, self.actions);
    }

    fn after_once(&self, listener: ListenerId) -> Box<dyn FnOnce() + Send> {
        let (driver, namespace) = (self.driver.clone(), self.namespace);
        Box::new(move || {
            if let Some(driver) = driver.upgrade() {
                driver.unlisten(namespace, listener);
            }
        })
    }
}
