//! Events that are brought to a consumer together: with one lock instead of one for each, for which
//! the thread that brings them and the one that takes them would contend.

use super::dispatch::{Call, Dispatcher};
use super::sink::Sink;
use crate::event::Event;
use crate::sync::account::{ONLY, Room};
use crate::sync::deliver::Deliver;
use crate::sync::readiness::Wakeup;

/// How many are brought together. With fewer the lock is asked for more often; more would save nothing.
const MOST: usize = 128;

/// Events that are brought together, within one hold of the monitor. All are for one consumer, and
/// there is room for them: bringing them one by one would come to the same.
#[derive(Default)]
pub(super) struct Group {
    sink: Option<Sink<Event>>,
    events: Vec<Event>,
    /// What the consumer has room for beside the events.
    room: Room,
}

impl Group {
    /// Makes a consumer the one that events wait for. It had this room after the last was brought.
    pub(super) fn open(&mut self, sink: &Sink<Event>, room: Room) {
        if !self.is_for(sink) {
            self.sink = Some(sink.clone());
        }
        self.room = room;
    }

    /// Adds an event, or gives it back: then what waits has to be brought, and the event after it.
    pub(super) fn add(&mut self, sink: &Sink<Event>, event: Event) -> Option<Event> {
        if !self.is_for(sink) || self.events.len() >= MOST || !self.room.take(event.size()) {
            return Some(event);
        }
        self.events.push(event);
        None
    }

    /// There is no consumer any more for whom events wait. What waits has been brought.
    pub(super) fn close(&mut self) {
        // Mostly there was none.
        if self.sink.is_some() {
            *self = Self::default();
        }
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Brings what waits; gives who is to be woken.
    pub(super) fn bring(&mut self, dispatcher: &Dispatcher) -> Vec<Wakeup> {
        let Some(sink) = self.sink.as_ref().filter(|_| !self.events.is_empty()) else {
            return Vec::new();
        };
        let events = self.events.drain(..);
        match sink {
            Sink::Mailbox(mailbox) => mailbox.bring_all(ONLY, &mut { events }).waiters,
            Sink::Callback(callback, account) => {
                let mut calls = events.map(|event| Call::event(callback, event));
                dispatcher.call_all(*account, &mut calls).waiters
            }
            // No listener opens a group for one: it would be brought one by one all the same.
            Sink::Mixed(mailbox) => events.flat_map(|event| mailbox.bring(event).waiters).collect(),
        }
    }

    fn is_for(&self, sink: &Sink<Event>) -> bool {
        self.sink.as_ref().is_some_and(|own| own.is_same(sink))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex, mpsc};

    use super::*;
    use crate::driver::dispatch::{Callback, Function};
    use crate::options::WhenFull;
    use crate::payload::Payload;
    use crate::sync::account::{Account, Bounds};
    use crate::sync::gate::Gate;
    use crate::sync::mailbox::Mailbox;
    use crate::sync::speaker::Speaker;

    /// Consumers that take nothing until all is brought.
    struct Consumers {
        group: Group,
        dispatcher: Dispatcher,
        gate: Arc<Gate>,
        /// What the callbacks were called with, each by its name.
        called: Arc<Mutex<Vec<(&'static str, usize)>>>,
        _speaker: Speaker,
    }

    impl Consumers {
        fn new() -> Self {
            let gate = Arc::new(Gate::new(3000, 3000, || ()));
            let speaker = Speaker::new("test".to_owned());
            let answers = bounds(10, 1000);
            let dispatcher = Dispatcher::new(1 << 18, answers, &gate, speaker.id());
            let (group, called) = Default::default();
            Self { group, dispatcher, gate, called, _speaker: speaker }
        }

        fn subscription(&self, bounds: Bounds) -> Sink<Event> {
            Sink::Mailbox(Mailbox::with_account(bounds, &self.gate))
        }

        fn callback(&self, name: &'static str, bounds: Bounds) -> Sink<Event> {
            let called = Arc::clone(&self.called);
            let function =
                move |event: Event| called.lock().unwrap().push((name, event.args().unwrap()));
            let function = Function::Repeated(Box::new(function));
            Sink::Callback(
                Callback::new(function),
                self.dispatcher.open_account(bounds, &self.gate),
            )
        }

        /// Brings an event alone; whether the consumer pushes back, and what it has room for.
        fn bring_one(&self, sink: &Sink<Event>, event: Event) -> (bool, Room) {
            match sink {
                Sink::Mailbox(mailbox) => {
                    let brought = mailbox.bring(ONLY, event);
                    (brought.pushes_back, brought.room)
                }
                Sink::Callback(callback, account) => {
                    let brought = self.dispatcher.call(*account, Call::event(callback, event));
                    (brought.pushes_back, brought.room)
                }
                Sink::Mixed(_) => unreachable!(),
            }
        }

        /// Brings an event as a listener does; `true`: the consumer pushes back.
        fn bring(&mut self, sink: &Sink<Event>, event: Event) -> bool {
            let Some(event) = self.group.add(sink, event) else { return false };
            drop(self.group.bring(&self.dispatcher));
            let (pushes_back, room) = self.bring_one(sink, event);
            self.group.open(sink, room);
            pushes_back
        }

        fn end(&mut self) {
            drop(self.group.bring(&self.dispatcher));
        }

        /// Lets the callbacks run.
        fn called(&mut self) -> Vec<(&'static str, usize)> {
            let (tell, told) = mpsc::channel();
            drop(self.dispatcher.then(Box::new(move || tell.send(()).unwrap())));
            self.dispatcher.start().unwrap();
            told.recv().unwrap();
            std::mem::take(&mut *self.called.lock().unwrap())
        }

        fn waiting(&self, sink: &Sink<Event>) -> usize {
            match sink {
                Sink::Mailbox(mailbox) => mailbox.len(),
                Sink::Callback(_, account) => self.dispatcher.look(*account, Account::len).unwrap(),
                Sink::Mixed(_) => unreachable!(),
            }
        }
    }

    fn bounds(events: usize, bytes: usize) -> Bounds {
        Bounds { events, bytes, when_full: WhenFull::Wait }
    }

    fn event(number: usize) -> Event {
        Event::outgoing("/", Payload::event("e", &number).unwrap())
    }

    fn taken(sink: &Sink<Event>) -> Vec<usize> {
        let Sink::Mailbox(mailbox) = sink else { unreachable!() };
        std::iter::from_fn(|| mailbox.try_take()).map(|event| event.args().unwrap()).collect()
    }

    const ALL_BOUNDS: [(usize, usize); 5] =
        [(1, 1000), (2, 1000), (40, 1000), (100, 300), (1000, 9000)];

    #[test]
    fn events_of_a_subscription_come_together_as_they_would_one_by_one() {
        for bounds in ALL_BOUNDS.map(|(events, bytes)| bounds(events, bytes)) {
            let (mut consumers, others) = (Consumers::new(), Consumers::new());
            let (together, one_by_one) =
                (consumers.subscription(bounds), others.subscription(bounds));
            for number in 0..3 * MOST {
                let (is_full, _) = others.bring_one(&one_by_one, event(number));
                assert_eq!(consumers.bring(&together, event(number)), is_full, "{number}");
            }
            consumers.end();
            assert_eq!(taken(&together), taken(&one_by_one));
        }
    }

    #[test]
    fn calls_of_a_callback_come_together_as_they_would_one_by_one() {
        for bounds in ALL_BOUNDS.map(|(events, bytes)| bounds(events, bytes)) {
            let (mut consumers, others) = (Consumers::new(), Consumers::new());
            let (together, one_by_one) =
                (consumers.callback("e", bounds), others.callback("e", bounds));
            for number in 0..3 * MOST {
                let (is_full, _) = others.bring_one(&one_by_one, event(number));
                assert_eq!(consumers.bring(&together, event(number)), is_full, "{number}");
            }
            consumers.end();
            assert_eq!(
                consumers.called(),
                (0..3 * MOST).map(|number| ("e", number)).collect::<Vec<_>>()
            );
        }
    }

    #[test]
    fn the_events_of_two_subscriptions_stay_apart_and_in_order() {
        let mut consumers = Consumers::new();
        let [one, two] = [(); 2].map(|()| consumers.subscription(bounds(50, 1000)));
        for number in 0..30 {
            let sink = if number % 5 < 3 { &one } else { &two };
            assert!(!consumers.bring(sink, event(number)));
        }
        consumers.end();
        let (of_one, of_two): (Vec<_>, Vec<_>) = (0..30).partition(|number| number % 5 < 3);
        assert_eq!((taken(&one), taken(&two)), (of_one, of_two));
    }

    #[test]
    fn the_calls_of_two_callbacks_keep_the_order_of_the_events() {
        let mut consumers = Consumers::new();
        let [one, two] = ["one", "two"].map(|name| consumers.callback(name, bounds(50, 1000)));
        let expected: Vec<_> =
            (0..30).map(|number| (if number % 5 < 3 { "one" } else { "two" }, number)).collect();
        for (name, number) in &expected {
            let sink = if *name == "one" { &one } else { &two };
            assert!(!consumers.bring(sink, event(*number)));
        }
        consumers.end();
        assert_eq!(consumers.called(), expected);
    }

    #[test]
    fn behind_its_end_an_event_is_brought_by_itself_again() {
        let mut consumers = Consumers::new();
        for sink in [
            consumers.subscription(bounds(1000, 100_000)),
            consumers.callback("e", bounds(1000, 100_000)),
        ] {
            consumers.bring(&sink, event(0));
            assert!(consumers.group.add(&sink, event(1)).is_none());
            consumers.end();
            consumers.group.close();
            assert!(consumers.group.add(&sink, event(2)).is_some());
        }
    }

    #[test]
    fn few_wait_at_a_time_and_only_until_they_are_brought() {
        let mut consumers = Consumers::new();
        let roomy = bounds(1000, 100_000);
        for sink in [consumers.subscription(roomy), consumers.callback("e", roomy)] {
            for number in 0..=MOST {
                assert!(!consumers.bring(&sink, event(number)));
            }
            assert_eq!(consumers.waiting(&sink), 1);
            consumers.bring(&sink, event(MOST + 1));
            assert_eq!(consumers.waiting(&sink), MOST + 2);
            assert!(consumers.group.is_empty());
        }
    }
}
