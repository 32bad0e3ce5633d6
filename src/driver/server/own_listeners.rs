//! The functions of the program for the events of one socket.

use std::collections::HashMap;
use std::sync::Arc;

use crate::driver::dispatch::{Callback, Function};
use crate::driver::listener_id::ListenerId;
use crate::driver::listeners::{Order, Scope};
use crate::event::Event;

/// The callbacks of one socket. Dropping one runs a user's code, which is done behind the lock.
#[derive(Default)]
pub(crate) struct OwnListeners {
    by_event: HashMap<Box<str>, Vec<OwnListener>>,
    any: Vec<OwnListener>,
    outgoing: Vec<OwnListener>,
}

/// One callback.
pub(crate) struct OwnListener {
    id: ListenerId,
    callback: Arc<Callback<Event>>,
    is_once: bool,
    /// How many events that went out the socket had lost when it was added.
    lost_before: usize,
}

impl OwnListeners {
    /// Adds a callback, in a socket that has lost so many events that went out.
    pub(crate) fn add(
        &mut self,
        scope: Scope<'_>,
        order: Order,
        function: Function<Event>,
        lost_before: usize,
    ) -> ListenerId {
        let is_once = matches!(function, Function::Once(_));
        let id = ListenerId::new();
        let listener = OwnListener { id, callback: Callback::new(function), is_once, lost_before };
        let list = match scope {
            Scope::Event(event) => self.by_event.entry(event.into()).or_default(),
            Scope::Any => &mut self.any,
            Scope::Outgoing => &mut self.outgoing,
        };
        match order {
            Order::Last => list.push(listener),
            Order::First => list.insert(0, listener),
        }
        id
    }

    /// Those for all events.
    pub(super) fn catch_alls(&self) -> Vec<Arc<Callback<Event>>> {
        self.any.iter().map(|listener| Arc::clone(&listener.callback)).collect()
    }

    /// Those for the events that go out.
    pub(super) fn watchers(&self) -> Vec<Arc<Callback<Event>>> {
        self.outgoing.iter().map(|listener| Arc::clone(&listener.callback)).collect()
    }

    /// Those for an event that is about to be handled: who wanted one only is taken out.
    pub(super) fn take_for(&mut self, event: &str) -> Vec<Arc<Callback<Event>>> {
        let Some(listeners) = self.by_event.get_mut(event) else { return Vec::new() };
        let callbacks = listeners.iter().map(|one| Arc::clone(&one.callback)).collect();
        listeners.retain(|listener| !listener.is_once);
        self.forget_empty();
        callbacks
    }

    /// Takes one out. No call of it begins any more.
    pub(crate) fn remove(&mut self, id: ListenerId) -> Option<OwnListener> {
        let removed = self.lists().find_map(|list| {
            let at = list.iter().position(|listener| listener.id == id)?;
            Some(list.remove(at))
        });
        self.forget_empty();
        removed.inspect(OwnListener::withdraw)
    }

    /// Takes out all of a scope; without one, those of all names.
    pub(crate) fn remove_all(&mut self, scope: Option<Scope<'_>>) -> Vec<OwnListener> {
        let removed = match scope {
            Some(Scope::Event(event)) => self.by_event.remove(event).unwrap_or_default(),
            Some(Scope::Any) => std::mem::take(&mut self.any),
            Some(Scope::Outgoing) => std::mem::take(&mut self.outgoing),
            None => std::mem::take(&mut self.by_event).into_values().flatten().collect(),
        };
        removed.iter().for_each(OwnListener::withdraw);
        removed
    }

    pub(crate) fn count(&self, scope: Scope<'_>) -> usize {
        match scope {
            Scope::Event(event) => self.by_event.get(event).map_or(0, Vec::len),
            Scope::Any => self.any.len(),
            Scope::Outgoing => self.outgoing.len(),
        }
    }

    /// How much of what went out it has missed, in a socket that has lost so much. Of what was received, nobody misses any.
    pub(crate) fn lost(&self, id: ListenerId, lost: usize) -> Option<usize> {
        if let Some(watcher) = self.outgoing.iter().find(|listener| listener.id == id) {
            return Some(lost - watcher.lost_before);
        }
        let mut others = self.any.iter().chain(self.by_event.values().flatten());
        others.any(|listener| listener.id == id).then_some(0)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_event.is_empty() && self.any.is_empty() && self.outgoing.is_empty()
    }

    /// All there are.
    pub(super) fn into_all(self) -> impl Iterator<Item = OwnListener> {
        let Self { by_event, any, outgoing } = self;
        by_event.into_values().flatten().chain(any).chain(outgoing)
    }

    fn lists(&mut self) -> impl Iterator<Item = &mut Vec<OwnListener>> {
        [&mut self.any, &mut self.outgoing].into_iter().chain(self.by_event.values_mut())
    }

    fn forget_empty(&mut self) {
        self.by_event.retain(|_, listeners| !listeners.is_empty());
    }
}

impl OwnListener {
    fn withdraw(&self) {
        self.callback.withdraw();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::Payload;

    /// Listeners of a socket that has lost 5 events, each of which says its letter when it is called.
    struct Listening {
        listeners: OwnListeners,
        said: Arc<std::sync::Mutex<String>>,
    }

    impl Listening {
        fn new() -> Self {
            Self { listeners: OwnListeners::default(), said: Arc::default() }
        }

        fn add(&mut self, scope: Scope<'_>, order: Order, letter: char) -> ListenerId {
            let said = Arc::clone(&self.said);
            let say = move |_| said.lock().unwrap().push(letter);
            self.listeners.add(scope, order, Function::Repeated(Box::new(say)), 5)
        }

        fn add_once(&mut self, event: &str, letter: char) {
            let said = Arc::clone(&self.said);
            let say = move |_| said.lock().unwrap().push(letter);
            let once = Function::Once(Some(Box::new(say)));
            self.listeners.add(Scope::Event(event), Order::Last, once, 5);
        }

        /// What these say when they are called.
        fn call(&self, callbacks: impl IntoIterator<Item = Arc<Callback<Event>>>) -> String {
            for callback in callbacks {
                callback.call(Event::outgoing("/", Payload::event("e", &()).unwrap()));
            }
            std::mem::take(&mut *self.said.lock().unwrap())
        }
    }

    #[test]
    fn each_scope_has_its_callbacks_in_their_order() {
        let mut of = Listening::new();
        for (scope, letters) in [
            (Scope::Event("e"), ['b', 'a']),
            (Scope::Event("f"), ['d', 'c']),
            (Scope::Any, ['2', '1']),
            (Scope::Outgoing, ['y', 'x']),
        ] {
            of.add(scope, Order::Last, letters[0]);
            of.add(scope, Order::First, letters[1]);
        }
        of.add_once("e", '!');
        assert_eq!(of.listeners.count(Scope::Event("e")), 3);
        assert_eq!((of.listeners.count(Scope::Any), of.listeners.count(Scope::Outgoing)), (2, 2));
        let callbacks = of.listeners.take_for("e");
        assert_eq!(of.call(callbacks), "ab!");
        let callbacks = of.listeners.take_for("e");
        assert_eq!(of.call(callbacks), "ab", "once is once");
        assert!(of.listeners.take_for("g").is_empty());
        assert_eq!(of.call(of.listeners.catch_alls()), "12");
        assert_eq!(of.call(of.listeners.watchers()), "xy");
        assert_eq!(of.listeners.into_all().count(), 8);
    }

    #[test]
    fn one_that_was_taken_out_is_called_no_more_and_leaves_nothing() {
        let mut of = Listening::new();
        let ids = [Scope::Event("e"), Scope::Any, Scope::Outgoing]
            .map(|scope| of.add(scope, Order::Last, 'a'));
        of.add_once("e", '!');
        let callbacks: Vec<_> = of.listeners.take_for("e");
        for id in ids {
            assert!(!of.listeners.is_empty());
            assert!(of.listeners.remove(id).is_some_and(|removed| removed.id == id));
            assert!(of.listeners.remove(id).is_none());
        }
        assert!(of.listeners.is_empty());
        assert_eq!(of.call(callbacks), "!", "no call of it begins any more");
    }

    #[test]
    fn all_of_a_scope_are_taken_out_or_those_of_all_names() {
        let mut of = Listening::new();
        for scope in [Scope::Event("e"), Scope::Event("f"), Scope::Any, Scope::Outgoing] {
            of.add(scope, Order::Last, 'a');
        }
        let removed = of.listeners.remove_all(Some(Scope::Event("e")));
        assert_eq!(of.call(removed.iter().map(|one| Arc::clone(&one.callback))), "");
        let mut count = |scope| of.listeners.remove_all(scope).len();
        assert_eq!((removed.len(), count(None), count(None)), (1, 1, 0));
        assert_eq!((count(Some(Scope::Any)), count(Some(Scope::Outgoing))), (1, 1));
        assert!(of.listeners.is_empty());
    }

    #[test]
    fn only_who_watches_what_goes_out_may_have_missed_some_of_it() {
        let mut of = Listening::new();
        let [named, any, watcher] = [Scope::Event("e"), Scope::Any, Scope::Outgoing]
            .map(|scope| of.add(scope, Order::Last, 'a'));
        let lost = |id| of.listeners.lost(id, 7);
        assert_eq!((lost(named), lost(any), lost(watcher)), (Some(0), Some(0), Some(2)));
        assert_eq!(lost(ListenerId::new()), None);
        of.listeners.remove(named);
        assert_eq!(of.listeners.lost(named, 7), None);
    }
}
