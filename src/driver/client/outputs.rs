//! What follows from a verb of the state machines.
//!
//! What needs no other lock is done at once, under the monitor. The rest is gathered, and done when
//! the monitor is released: whoever is woken finds it free, and nothing of it can wait for a lock
//! that the monitor is taken under.

use std::sync::{Arc, Weak};

use super::shared_wire::SharedWire;
use super::{Driver, Monitor};
use crate::core::client::Output;
use crate::core::ids::{LinkId, NamespaceId};
use crate::core::time::Timestamp;
use crate::driver::ack_slot::{AckHandle, AckSlot};
use crate::driver::consumer::Consumer;
use crate::driver::dispatch::{Call, Dispatcher};
use crate::driver::group::Group;
use crate::driver::listener_id::ListenerId;
use crate::driver::listeners::{Follow, Listeners};
use crate::error::{Error, Result};
use crate::event::status::{ManagerEvent, Status};
use crate::event::{AckReply, Event};
use crate::net::{Address, Waker};
use crate::options::Transport;
use crate::payload::Payload;
use crate::sync::logging::log_later;
use crate::sync::mailbox::Dropped;
use crate::sync::readiness::Wakeup;

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
    /// The user has something to say of an attempt.
    AskBefore {
        question: u32,
        attempt: u32,
    },
    AskAuth {
        namespace: NamespaceId,
        question: u32,
    },
    /// Who waits for the answer emits again at once.
    Resolve(Arc<AckSlot>, Result<AckReply>),
    /// Who waits for what has come goes on.
    Rouse(Wakeup),
    /// Callers that wait for a change look again.
    Notify,
}

impl Driver {
    /// Carries out what the state machines ask for, but for what has to wait for the lock's release.
    pub(super) fn drain(&self, monitor: &mut Monitor, now: Timestamp, actions: &mut Vec<Action>) {
        let mut is_change = false;
        self.reconsider_hold(monitor, now);
        while let Some(output) = monitor.core.poll_output() {
            if !matches!(output, Output::Event { .. }) {
                monitor.bring_group(actions);
                is_change |= may_end_a_wait(&output);
            }
            self.carry_out(monitor, output, now, actions);
        }
        if is_change {
            monitor.notify(actions);
        }
        self.arm(monitor, now);
    }

    fn carry_out(
        &self,
        monitor: &mut Monitor,
        output: Output<AckHandle>,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) {
        match output {
            Output::Event { namespace, membership, packet } => {
                self.deliver(monitor, namespace, membership, packet, actions);
            }
            Output::Acked { ack, result } => {
                monitor.hand_out(ack, result.map(AckReply::new), actions);
            }
            Output::Sent { namespace, payload } => {
                self.show_outgoing(monitor, namespace, payload, actions);
            }
            Output::Wake(link) => {
                if let Some(link) = monitor.links.get_mut(link) {
                    link.rouse(now, actions);
                }
            }
            Output::Stop(link) => {
                if let Some(link) = monitor.links.get(link) {
                    link.cancel();
                }
            }
            Output::Tell { question } => self.tell_attempt(monitor, question, now, actions),
            Output::Prepare { question, .. } if monitor.before_attempt.function.is_none() => {
                monitor.prepared(question, Ok(None), now);
            }
            Output::Prepare { question, attempt } => {
                actions.push(Action::AskBefore { question, attempt });
            }
            Output::Dial { link, transport, upgrade } => {
                let address = Arc::clone(&monitor.current_address);
                actions.push(Action::Dial { link, transport, upgrade, address });
            }
            Output::AskAuth { namespace, question } => {
                actions.push(Action::AskAuth { namespace, question });
            }
            Output::Status { namespace, name, status } => {
                self.recorder.note_status(&name, &status, now);
                let status = self.recorded_status(status, now);
                self.tell_status(monitor, namespace, &name, &status, actions);
            }
            Output::Manager(event) => self.tell_news(monitor, event, now, actions),
            Output::Changed => self.observers.note_room(&monitor.core, actions),
        }
    }

    /// Shows an event that is ready to those who watch what is sent.
    fn show_outgoing(
        &self,
        monitor: &mut Monitor,
        namespace: NamespaceId,
        payload: Payload,
        actions: &mut Vec<Action>,
    ) {
        let (listeners, dispatcher, mut follow) = monitor.split(namespace, &self.this, actions);
        if let Some(listeners) = listeners {
            let event = Event::outgoing(follow.namespace(), payload);
            listeners.show_outgoing(&event, dispatcher, &mut follow);
        }
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
        monitor.end_group(actions);
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
                Action::AskBefore { question, attempt } => self.ask_before(question, attempt),
                Action::AskAuth { namespace, question } => self.ask_auth(namespace, question),
                Action::Resolve(slot, result) => slot.resolve(result),
                Action::Rouse(waiter) => waiter.wake(),
                Action::Notify => self.changed.notify_all(),
            }
        }
    }

    /// Tells everyone the news of the connection.
    pub(super) fn tell_news(
        &self,
        monitor: &mut Monitor,
        news: ManagerEvent,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) {
        self.recorder.note_news(&news, now);
        let news = self.recorded_news(news, now);
        monitor.figures.note_news(&news, now);
        self.observers.note_news(&news, actions);
        monitor.tell_manager(&news, actions);
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
        let Self { core, namespaces, dispatcher, group, full, figures, warned_lost, .. } = self;
        let name = &core.namespace(namespace).name;
        let lost = &mut figures.lost;
        let follow = Following { driver, namespace, name, actions, group, full, lost, warned_lost };
        let entry = namespaces.get_mut(namespace);
        (entry.map(|entry| &mut entry.listeners), dispatcher, follow)
    }

    /// Hands an acknowledgement, or why there is none, to whoever waits for it.
    fn hand_out(&mut self, ack: AckHandle, result: Result<AckReply>, actions: &mut Vec<Action>) {
        match ack {
            AckHandle::Slot(slot) => actions.push(Action::Resolve(slot, result)),
            AckHandle::Callback(callback) => {
                let brought = self.dispatcher.answer(callback, result);
                actions.extend(brought.waiters.into_iter().map(Action::Rouse));
                if brought.pushes_back {
                    note_full(&mut self.full, Consumer::acks(self.dispatcher.acks()));
                }
            }
        }
    }

    fn note_joined(&mut self, namespace: NamespaceId) {
        if let Some(entry) = self.namespaces.get_mut(namespace) {
            (entry.last_error, entry.losses) = (None, 0);
        }
    }

    /// Notes what keeps a namespace from being joined: an attempt in vain, or the loss of a session.
    fn note_error(&mut self, namespace: NamespaceId, error: &Error, is_loss: bool) {
        let Some(entry) = self.namespaces.get_mut(namespace) else { return };
        let before = entry.last_error.as_ref().map(Error::message);
        // A session that was given up since it could not be joined is lost for what was told already.
        if is_loss && entry.losses == 0 && before == Some(error.message()) {
            return;
        }
        entry.last_error = Some(error.clone());
        entry.losses = if is_loss { entry.losses.saturating_add(1) } else { 0 };
    }

    /// Brings the events that are to be brought together.
    fn bring_group(&mut self, actions: &mut Vec<Action>) {
        bring(&mut self.group, &self.dispatcher, actions);
    }

    /// The same, before the monitor is released.
    pub(super) fn end_group(&mut self, actions: &mut Vec<Action>) {
        self.bring_group(actions);
        self.group.close();
    }

    fn tell_manager(&mut self, event: &ManagerEvent, actions: &mut Vec<Action>) {
        match event {
            ManagerEvent::Open => self.last_error = None,
            ManagerEvent::Error(error) => self.last_error = Some(error.clone()),
            _ => {}
        }
        match event {
            ManagerEvent::Close(reason, Some(error)) => {
                log_later!(Debug, "Closed, {reason}: {error:#}");
            }
            ManagerEvent::Error(error) => log_later!(Debug, "Error: {error:#}"),
            // It was told as an error, as a warning, or as a failed upgrade.
            ManagerEvent::ReconnectError(_)
            | ManagerEvent::Warning(_)
            | ManagerEvent::UpgradeError(_) => {}
            ManagerEvent::Close(reason, None) => log_later!(Debug, "Closed, {reason}"),
            ManagerEvent::Stage(stage) => log_later!(Debug, "Stage {stage}"),
            ManagerEvent::Upgrade(transport) => log_later!(Debug, "Upgraded to {transport}"),
            ManagerEvent::ReconnectAttempt(number) => log_later!(Debug, "Attempt {number}"),
            ManagerEvent::Reconnect(number) => log_later!(Debug, "Reconnected by attempt {number}"),
            ManagerEvent::ReconnectFailed => log_later!(Debug, "No further attempt"),
            event @ (ManagerEvent::Open | ManagerEvent::Ping) => log_later!(Debug, "{event:?}"),
        }
        for listener in &self.manager_listeners {
            let waiters = listener.tell(event, &self.dispatcher, Call::Manager);
            actions.extend(waiters.into_iter().map(Action::Rouse));
        }
    }
}

/// Whether callers that wait for a change have to look again.
fn may_end_a_wait(output: &Output<AckHandle>) -> bool {
    matches!(
        output,
        Output::Acked { .. } | Output::Status { .. } | Output::Manager(_) | Output::Changed
    )
}

fn bring(group: &mut Group, dispatcher: &Dispatcher, actions: &mut Vec<Action>) {
    if !group.is_empty() {
        actions.extend(group.bring(dispatcher).into_iter().map(Action::Rouse));
    }
}

fn note_full(full: &mut Vec<Consumer>, consumer: Consumer) {
    if !full.iter().any(|known| known.id == consumer.id) {
        full.push(consumer);
    }
}

/// What a delivery leads to, under the monitor.
pub(super) struct Following<'a> {
    driver: &'a Weak<Driver>,
    namespace: NamespaceId,
    name: &'a str,
    actions: &'a mut Vec<Action>,
    group: &'a mut Group,
    full: &'a mut Vec<Consumer>,
    lost: &'a mut Dropped,
    warned_lost: &'a mut bool,
}

impl Follow for Following<'_> {
    fn wake(&mut self, waiter: Wakeup) {
        self.actions.push(Action::Rouse(waiter));
    }

    fn full(&mut self, consumer: Consumer) {
        note_full(self.full, consumer);
    }

    fn lost(&mut self, count: Dropped, event: Option<&str>) {
        self.lost.evicted += count.evicted;
        self.lost.refused += count.refused;
        if !std::mem::replace(self.warned_lost, true) {
            let of = event.map_or("all events".to_owned(), |event| format!("{event:?}"));
            log_later!(Warn, in self.name, "a consumer of {of} is full: events are dropped (said once)");
        }
    }

    fn namespace(&self) -> &str {
        self.name
    }

    fn group(&mut self) -> &mut Group {
        self.group
    }

    fn bring_group(&mut self, dispatcher: &Dispatcher) {
        bring(self.group, dispatcher, self.actions);
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

#[cfg(test)]
mod tests;
