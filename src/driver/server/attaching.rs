//! What the program attaches to a socket, and how that ends. The end of what a handler has captured is the program's code too:
//! it may panic, and nothing else is to be missed for that.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::belongings::{Attaching, Belongings, Middleware, OwnEnd};
use super::parts::ServedSocket;
use super::pool::Task;
use crate::driver::dispatch::Function;
use crate::driver::listener_id::ListenerId;
use crate::driver::listeners::{Order, Scope};
use crate::event::Event;
use crate::sync::lock::{Locked, lock};

/// Which end of a socket a handler is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EndHandler {
    Disconnecting,
    Disconnect,
}

impl ServedSocket {
    /// What the program has attached to it, which is locked: no user's code may run meanwhile.
    pub(crate) fn attached(&self) -> Locked<'_, Belongings> {
        lock(self.attached.get_or_init(Box::default))
    }

    /// Looks at what the program has attached, if anything.
    pub(super) fn look_at_attached<R: Default>(
        &self,
        look: impl FnOnce(&mut Belongings) -> R,
    ) -> R {
        self.attached.get().map(|attached| look(&mut lock(attached))).unwrap_or_default()
    }

    /// Adds a callback for events. Where none is called any more it is dropped, by who adds it.
    pub(crate) fn listen(
        &self,
        scope: Scope<'_>,
        order: Order,
        function: Function<Event>,
    ) -> ListenerId {
        let lost = self.inbox.unshown();
        let mut attached = self.attached();
        if !attached.attaching.is_open() {
            return ListenerId::new();
        }
        let id = attached.listeners.add(scope, order, function, lost);
        drop(attached);
        if matches!(scope, Scope::Outgoing) {
            self.namespace.is_watched.store(true, Ordering::Release);
            self.is_watched.store(true, Ordering::Release);
        }
        id
    }

    /// How many events that went out a callback has missed. `None`: there is none of this number.
    pub(crate) fn lost(&self, listener: ListenerId) -> Option<usize> {
        let lost = self.inbox.unshown();
        self.attached().listeners.lost(listener, lost)
    }

    /// Adds one who may hold up events, in the same way.
    pub(crate) fn add_middleware(&self, middleware: Middleware) {
        let mut attached = self.attached();
        if attached.attaching.is_open() {
            attached.middlewares.push(middleware);
        }
    }

    /// Adds a handler for the end. Where the others were called already, it is called at once, by the pool.
    pub(crate) fn add_end(self: &Arc<Self>, of: EndHandler, handler: OwnEnd) {
        let mut attached = self.attached();
        let ended = match attached.attaching {
            Attaching::Open => {
                attached.handlers_of(of).push(handler);
                return;
            }
            Attaching::Ended(reason) => Some(reason),
            Attaching::Closed => None,
        };
        // The pool has a lock of its own, and the end of the handler is the program's code.
        drop(attached);
        if let Some(reason) = ended {
            let this = Arc::clone(self);
            let call = move || this.guard("disconnect", || handler(reason));
            self.namespace.hub.pool.submit(Task::Once(Box::new(call)));
        }
    }

    /// Takes out all that the program has attached but for its data, and attaches nothing more. It may hold the socket
    /// itself: here that ends.
    pub(super) fn take_handlers(&self, end: Attaching) -> Belongings {
        let mut attached = self.attached();
        let data = std::mem::take(&mut attached.data);
        let left = Belongings { data, attaching: end, ..Belongings::default() };
        std::mem::replace(&mut *attached, left)
    }

    /// Gets the handlers of another one, which nobody needs any more.
    pub(super) fn take_over(&self, other: &Self) {
        let handlers = other.take_handlers(Attaching::Closed);
        if handlers.has_handlers() {
            let mut attached = self.attached();
            let data = std::mem::take(&mut attached.data);
            *attached = Belongings { data, ..handlers };
        }
    }

    /// Drops what was attached, each by itself.
    pub(super) fn end_handlers(&self, taken: Belongings) {
        let Belongings { listeners, middlewares, disconnecting, disconnect, data, .. } = taken;
        for listener in listeners.into_all() {
            self.guard("the end of one", || drop(listener));
        }
        for middleware in middlewares {
            self.guard("the end of one", || drop(middleware));
        }
        for handler in disconnecting.into_iter().chain(disconnect) {
            self.guard("the end of one", || drop(handler));
        }
        for value in data {
            self.guard("the end of a value", || drop(value));
        }
    }

    /// It never joins: nothing of what is attached is left.
    pub(super) fn forget_belongings(&self) {
        let mut taken = self.take_handlers(Attaching::Closed);
        taken.data = std::mem::take(&mut self.attached().data);
        self.end_handlers(taken);
    }

    /// Handlers that nobody calls end with the socket: it is the pool that drops them.
    pub(super) fn forget_handlers(self: &Arc<Self>) {
        let taken = self.take_handlers(Attaching::Closed);
        if taken.has_handlers() {
            let this = Arc::clone(self);
            let forget = move || this.end_handlers(taken);
            self.namespace.hub.pool.submit(Task::Once(Box::new(forget)));
        }
    }

    /// Nobody needs it here any more. What the program has attached to it may end with it, which is the program's code.
    pub(super) fn let_go(self: Arc<Self>) {
        let has_any =
            |attached: &mut Belongings| attached.has_handlers() || !attached.data.is_empty();
        if self.look_at_attached(has_any) {
            let hub = Arc::clone(&self.namespace.hub);
            hub.pool.submit(Task::Once(Box::new(move || drop(self))));
        }
    }
}

impl Belongings {
    fn handlers_of(&mut self, end: EndHandler) -> &mut Vec<OwnEnd> {
        match end {
            EndHandler::Disconnecting => &mut self.disconnecting,
            EndHandler::Disconnect => &mut self.disconnect,
        }
    }

    fn has_handlers(&self) -> bool {
        !(self.listeners.is_empty()
            && self.middlewares.is_empty()
            && self.disconnecting.is_empty()
            && self.disconnect.is_empty())
    }
}

impl Attaching {
    fn is_open(self) -> bool {
        matches!(self, Self::Open)
    }
}
