//! What is in front of the handlers of a socket: they are called on a thread of the pool, one after the other.

use std::fmt;
use std::sync::Arc;

use super::belongings::{AttachingEnd, Middleware};
use super::inbox::InboxItem;
use super::parts::{OnEvent, ServedSocket};
use super::tasks::TakesTurns;
use crate::driver::dispatch::Callback;
use crate::error::{Error, ErrorKind, PeerWords, Result};
use crate::event::Event;
use crate::event::status::DisconnectReason;
use crate::sync::lock::{lock, lock_callback};
use crate::sync::logging::log_later;
use crate::sync::threads::survive;

/// A function for an event.
enum EventHandler {
    OfNamespace(Arc<OnEvent>),
    Own(Arc<Callback<Event>>),
}

/// The functions for one event, in the order in which they are called: mostly one, which takes no memory.
#[derive(Default)]
struct EventHandlers {
    first: Option<EventHandler>,
    others: Vec<EventHandler>,
}

impl EventHandlers {
    fn add_those_of_namespace(&mut self, handlers: &[Arc<OnEvent>]) {
        for handler in handlers {
            self.add(EventHandler::OfNamespace(Arc::clone(handler)));
        }
    }

    fn add_own(&mut self, callbacks: Vec<Arc<Callback<Event>>>) {
        for callback in callbacks {
            self.add(EventHandler::Own(callback));
        }
    }

    fn add(&mut self, handler: EventHandler) {
        if self.first.is_none() {
            self.first = Some(handler);
        } else {
            self.others.push(handler);
        }
    }
}

impl ServedSocket {
    pub(super) fn handle(self: &Arc<Self>, item: InboxItem) {
        match item {
            InboxItem::Connected => {
                let handlers = self.namespace.handlers().connection.clone();
                for handler in handlers {
                    self.guard("connection", || handler(self));
                }
            }
            InboxItem::Event(event) => self.handle_event(event),
            InboxItem::Sent(event) => self.show_sent(&event),
            InboxItem::Answer(callback, result) => {
                let callback = lock(&callback).take();
                if let Some(callback) = callback {
                    self.guard("acknowledgement", || callback(result));
                }
            }
            InboxItem::Disconnected(reason, _leaving) => self.handle_end(reason),
        }
    }

    fn handle_event(self: &Arc<Self>, event: Event) {
        let (middlewares, any, mut named) = self.look_at_attached(|attached| {
            let middlewares = attached.middlewares.clone();
            let listeners = &mut attached.listeners;
            // Middlewares may yet refuse it, or add to the listeners.
            let named = middlewares.is_empty().then(|| listeners.take_for(event.name()));
            (middlewares, listeners.catch_alls(), named.unwrap_or_default())
        });
        let mut handlers = EventHandlers::default();
        handlers.add_those_of_namespace(&self.namespace.handlers().any);
        handlers.add_own(any);
        if !middlewares.is_empty() {
            self.call_all(std::mem::take(&mut handlers), event.clone());
            if let Err(error) = Self::ask_middlewares(&middlewares, &event) {
                log_later!(Debug, in &*self.namespace.name, "\"{}\" is refused: {}", PeerWords(event.name()), PeerWords(error.message()));
                return self.peer.tell_error(self, &error);
            }
            named = self.look_at_attached(|attached| attached.listeners.take_for(event.name()));
        }
        if let Some(of_namespace) = self.namespace.handlers().events.get(event.name()) {
            handlers.add_those_of_namespace(of_namespace);
        }
        handlers.add_own(named);
        if handlers.first.is_none() {
            log_later!(Debug, in &*self.namespace.name, "nobody listens to \"{}\"", PeerWords(event.name()));
            return;
        }
        self.call_all(handlers, event);
    }

    fn call_all(self: &Arc<Self>, handlers: EventHandlers, event: Event) {
        // The last one gets the event itself and no clone.
        let mut left = handlers.others.len();
        let mut event = Some(event);
        for handler in handlers.first.into_iter().chain(handlers.others) {
            let event = if left == 0 { event.take() } else { event.clone() };
            left = left.saturating_sub(1);
            let Some(event) = event else { return };
            self.guard("event", || match handler {
                EventHandler::OfNamespace(handler) => handler(self, event),
                EventHandler::Own(callback) => callback.call(event),
            });
        }
    }

    /// Asks those who may hold up an event.
    fn ask_middlewares(middlewares: &[Middleware], event: &Event) -> Result<()> {
        let panicked = || Error::new(ErrorKind::Refused, "Internal error");
        middlewares.iter().try_for_each(|ask| {
            survive(|| lock_callback(ask)(event)).unwrap_or_else(|| Err(panicked()))
        })
    }

    fn show_sent(&self, event: &Event) {
        for watcher in self.look_at_attached(|attached| attached.listeners.watchers()) {
            let event = event.clone();
            self.guard("outgoing", move || {
                watcher.call(event);
                drop(watcher);
            });
        }
    }

    fn handle_end(self: &Arc<Self>, reason: DisconnectReason) {
        let (disconnecting, disconnect) = {
            let handlers = self.namespace.handlers();
            (handlers.disconnecting.clone(), handlers.disconnect.clone())
        };
        let own = self.look_at_attached(|attached| std::mem::take(&mut attached.disconnecting));
        for handler in disconnecting {
            self.guard("disconnecting", || handler(self, reason));
        }
        for handler in own {
            self.guard("disconnecting", || handler(reason));
        }
        let mut taken = self.take_handlers(AttachingEnd::Ended(reason));
        // Those of before may have added others.
        for handler in std::mem::take(&mut taken.disconnecting) {
            self.guard("disconnecting", || handler(reason));
        }
        for handler in disconnect {
            self.guard("disconnect", || handler(self, reason));
        }
        for handler in std::mem::take(&mut taken.disconnect) {
            self.guard("disconnect", || handler(reason));
        }
        self.end_handlers(taken);
    }

    /// Runs a handler, which may panic.
    pub(super) fn guard(&self, what: &str, handler: impl FnOnce()) {
        self.guard_all(format_args!("a handler ({what})"), handler);
    }

    /// Runs any code of the program, which the log names so where it panics.
    pub(super) fn guard_all(&self, what: fmt::Arguments<'_>, code: impl FnOnce()) {
        if survive(code).is_none() {
            log_later!(Error, in &*self.namespace.name, "{what} panicked; the server goes on");
        }
    }
}

impl TakesTurns for ServedSocket {
    fn take_turn(&self) -> bool {
        let Some(this) = self.this.upgrade() else { return false };
        let hub = &self.namespace.hub;
        let mut batch = self.inbox.take_batch(hub.options.inbox);
        for item in batch.items.drain(..) {
            self.inbox.note_begun();
            // Each handler was guarded; this is for what else ends with an item.
            let what = format_args!("the end of what a handler was called with");
            hub.in_turn(|| this.guard_all(what, || this.handle(item)));
        }
        let handled = self.inbox.handled(&batch, hub.options.inbox);
        if handled.reopens {
            self.peer.go_on();
        }
        handled.has_more
    }
}
