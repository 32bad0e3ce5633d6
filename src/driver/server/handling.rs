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
        let mut handlers = self.catch_alls();
        let middlewares = self.look_at_attached(|attached| attached.middlewares.clone());
        if !middlewares.is_empty() {
            self.call_all(std::mem::take(&mut handlers), event.clone());
            if let Err(error) = Self::ask_middlewares(&middlewares, &event) {
                log_later!(Debug, in &*self.namespace.name, "\"{}\" is refused: {}", PeerWords(event.name()), PeerWords(error.message()));
                return self.peer.tell_error(self, &error);
            }
        }
        handlers.extend(self.namespace.handlers_of(event.name()).map(EventHandler::OfNamespace));
        let own = self.look_at_attached(|attached| attached.listeners.take_for(event.name()));
        handlers.extend(own.into_iter().map(EventHandler::Own));
        if handlers.is_empty() {
            log_later!(Debug, in &*self.namespace.name, "nobody listens to \"{}\"", PeerWords(event.name()));
            return;
        }
        self.call_all(handlers, event);
    }

    /// The handlers for all events.
    fn catch_alls(&self) -> Vec<EventHandler> {
        let mut handlers: Vec<_> =
            self.namespace.catch_alls().map(EventHandler::OfNamespace).collect();
        self.look_at_attached(|attached| {
            handlers.extend(attached.listeners.catch_alls().map(EventHandler::Own));
        });
        handlers
    }

    fn call_all(self: &Arc<Self>, handlers: Vec<EventHandler>, event: Event) {
        // Mostly there is one, which gets the event itself and no clone.
        let mut left = handlers.len();
        let mut event = Some(event);
        for handler in handlers {
            left -= 1;
            let event = if left == 0 { event.take() } else { event.clone() };
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
