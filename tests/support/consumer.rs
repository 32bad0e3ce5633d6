//! Consumers of events, each at a speed of its own: readers of subscriptions, and callbacks.

use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, select, unbounded};
use siot::{Event, ListenerId, Result, Subscription};

use super::Client;
use super::wait::{LIMIT, recv_within};

/// How fast events are taken.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pace {
    /// As they come.
    Fast,
    /// With a pause before each.
    Slow(Duration),
    /// Not at all, until the pace is another.
    Away,
}

/// Something that takes events in a thread that is not the test's, which it keeps for the test.
///
/// Dropping it ends it: a reader drops its subscription, a callback is as fast as it can be.
pub(crate) struct Consumer {
    pace: Option<Sender<Pace>>,
    taken: Receiver<Event>,
    reader: Option<JoinHandle<()>>,
}

impl Consumer {
    /// Reads a subscription in a thread of its own.
    pub(crate) fn reading(subscription: Subscription, pace: Pace) -> Self {
        let (sender, mut brake) = Brake::new(pace);
        let (take, taken) = unbounded();
        let reader = thread::Builder::new()
            .name("test-consumer".into())
            .spawn(move || {
                while brake.pass() {
                    let Some(event) = brake.next(&subscription) else { return };
                    // Without the original, which keeps its place in the receive buffer.
                    if take.send(event.clone()).is_err() {
                        return;
                    }
                }
            })
            .expect("a thread to read events");
        Self { pace: Some(sender), taken, reader: Some(reader) }
    }

    /// Takes events by a callback, which is given to `register`. It keeps each event before it is
    /// slow, so that the one which it is busy with has been taken.
    #[track_caller]
    pub(crate) fn calling(
        pace: Pace,
        register: impl FnOnce(Box<dyn FnMut(Event) + Send>) -> Result<ListenerId>,
    ) -> Self {
        let (sender, mut brake) = Brake::new(pace);
        let (take, taken) = unbounded();
        register(Box::new(move |event: Event| {
            // The test may have ended.
            let _ = take.send(event.clone());
            brake.pass();
        }))
        .expect("a callback");
        Self { pace: Some(sender), taken, reader: None }
    }

    /// From now on it is as fast as this.
    pub(crate) fn set_pace(&self, pace: Pace) {
        if let Some(sender) = &self.pace {
            sender.send(pace).expect("a consumer");
        }
    }

    /// Waits for the next event that it takes.
    #[track_caller]
    pub(crate) fn next(&self) -> Event {
        recv_within(&self.taken, LIMIT)
    }

    /// Waits for as many events, and gives their first arguments.
    #[track_caller]
    pub(crate) fn numbers(&self, count: usize) -> Vec<usize> {
        (0..count).map(|_| number(&self.next())).collect()
    }

    /// What it has taken meanwhile: the first arguments. It does not wait.
    pub(crate) fn taken(&self) -> Vec<usize> {
        self.taken.try_iter().map(|event| number(&event)).collect()
    }
}

fn number(event: &Event) -> usize {
    event.arg(0).expect("a number")
}

impl Drop for Consumer {
    fn drop(&mut self) {
        drop(self.pace.take());
        if let Some(panic) = self.reader.take().and_then(|reader| reader.join().err()) {
            if !thread::panicking() {
                std::panic::resume_unwind(panic);
            }
        }
    }
}

/// What makes a consumer slow; it ends with the other side of its channel.
struct Brake {
    pace: Pace,
    paces: Receiver<Pace>,
}

impl Brake {
    fn new(pace: Pace) -> (Sender<Pace>, Self) {
        let (sender, paces) = unbounded();
        (sender, Self { pace, paces })
    }

    /// Waits as long as the pace asks for, and tells whether the test still wants anything.
    fn pass(&mut self) -> bool {
        loop {
            let change = match self.pace {
                Pace::Fast => self.paces.try_recv().map_err(|error| !error.is_disconnected()),
                Pace::Slow(pause) => self
                    .paces
                    .recv_timeout(pause)
                    .map_err(|error| error == RecvTimeoutError::Timeout),
                Pace::Away => self.paces.recv().map_err(|_| false),
            };
            match change {
                Ok(pace) => self.pace = pace,
                Err(go_on) => return go_on,
            }
        }
    }

    /// The next event, at whatever pace; none at the end of the subscription or of the test.
    fn next(&mut self, subscription: &Subscription) -> Option<Event> {
        loop {
            select! {
                recv(subscription.receiver()) -> event => return event.ok(),
                recv(self.paces) -> pace => {
                    self.pace = pace.ok()?;
                    if !self.pass() {
                        return None;
                    }
                }
            }
        }
    }
}

impl Client {
    /// A reader of this event.
    pub(crate) fn consumer(&self, event: &str, pace: Pace) -> Consumer {
        Consumer::reading(self.subscribe(event), pace)
    }

    /// A reader of this event that pauses before each.
    pub(crate) fn slow_consumer(&self, event: &str, pause: Duration) -> Consumer {
        self.consumer(event, Pace::Slow(pause))
    }

    /// A callback for this event.
    #[track_caller]
    pub(crate) fn callback(&self, event: &str, pace: Pace) -> Consumer {
        Consumer::calling(pace, |callback| self.on(event, callback))
    }
}
