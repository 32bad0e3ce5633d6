//! The acknowledgements that a socket waits for.

use std::collections::{BTreeSet, HashMap};
use std::sync::Mutex;

use crate::core::time::Timestamp;
use crate::driver::ack_slot::AckHandle;
use crate::error::{Error, ErrorKind, Result};
use crate::event::AckReply;
use crate::sync::lock::lock;

/// Who gets an answer.
pub(crate) enum AnswerSink {
    /// One who asked this socket alone.
    Handle(AckHandle),
    /// One who asked many.
    Gathering(Box<dyn FnOnce(Result<AckReply>) + Send>),
}

impl AnswerSink {
    /// Brings the answer. It may be a user's code: not under a lock.
    pub(crate) fn resolve(self, result: Result<AckReply>) {
        match self {
            Self::Handle(AckHandle::Slot(slot)) => slot.resolve(result),
            Self::Handle(AckHandle::Callback(callback)) => {
                let callback = lock(&callback).take();
                if let Some(callback) = callback {
                    callback(result);
                }
            }
            Self::Gathering(gather) => gather(result),
        }
    }
}

/// The answers that a socket waits for.
#[derive(Default)]
pub(super) struct Answers(Mutex<AnswersState>);

#[derive(Default)]
struct AnswersState {
    /// There while some are awaited: most sockets are asked nothing most of the time.
    awaited: Option<Box<ExpectedAnswers>>,
    /// None is taken on any more.
    is_over: bool,
}

/// Those that are awaited, by the numbers that the client was given.
#[derive(Default)]
struct ExpectedAnswers {
    by_number: HashMap<u64, ExpectedAnswer>,
    deadlines: BTreeSet<(Timestamp, u64)>,
}

struct ExpectedAnswer {
    answered: AnswerSink,
    deadline: Option<Timestamp>,
}

impl Answers {
    /// Takes on an answer, before the question can go out. `Err`: so many are awaited, or the socket is disconnected.
    pub(super) fn expect(
        &self,
        number: u64,
        answered: AnswerSink,
        deadline: Option<Timestamp>,
        most: usize,
    ) -> Result<(), (AnswerSink, Error)> {
        let mut state = lock(&self.0);
        if state.is_over {
            return Err((answered, disconnected()));
        }
        let awaited = state.awaited.get_or_insert_default();
        if awaited.by_number.len() >= most {
            let what = format!("{most} acknowledgements of this socket are awaited");
            return Err((answered, Error::new(ErrorKind::BufferFull, what)));
        }
        awaited.by_number.insert(number, ExpectedAnswer { answered, deadline });
        awaited.deadlines.extend(deadline.map(|at| (at, number)));
        Ok(())
    }

    /// Takes out the one with this number. A number that nobody waits for is the client's fault, or too late.
    pub(super) fn take(&self, number: u64) -> Option<AnswerSink> {
        let mut state = lock(&self.0);
        let awaited = state.awaited.as_mut()?;
        let waiting = awaited.by_number.remove(&number)?;
        if let Some(at) = waiting.deadline {
            awaited.deadlines.remove(&(at, number));
        }
        state.forget_if_none();
        Some(waiting.answered)
    }

    /// Takes out those whose time has come.
    pub(super) fn expire(&self, now: Timestamp) -> Vec<AnswerSink> {
        let mut state = lock(&self.0);
        let mut late = Vec::new();
        let Some(awaited) = &mut state.awaited else { return late };
        while let Some((at, number)) =
            awaited.deadlines.first().copied().filter(|(at, _)| *at <= now)
        {
            awaited.deadlines.remove(&(at, number));
            late.extend(awaited.by_number.remove(&number).map(|waiting| waiting.answered));
        }
        state.forget_if_none();
        late
    }

    /// When the next one's time comes.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        lock(&self.0).awaited.as_ref()?.deadlines.first().map(|(at, _)| *at)
    }

    /// Takes out all, for good.
    pub(super) fn end(&self) -> Vec<AnswerSink> {
        let mut state = lock(&self.0);
        state.is_over = true;
        let by_number = state.awaited.take().map(|awaited| awaited.by_number).unwrap_or_default();
        by_number.into_values().map(|waiting| waiting.answered).collect()
    }

    /// Whether any is awaited.
    pub(super) fn is_awaiting(&self) -> bool {
        lock(&self.0).awaited.is_some()
    }
}

impl AnswersState {
    /// A socket that is asked nothing keeps no tables.
    fn forget_if_none(&mut self) {
        self.awaited.take_if(|awaited| awaited.by_number.is_empty());
    }
}

/// What is said of a socket that is not connected, or not any more.
pub(super) fn disconnected() -> Error {
    Error::new(ErrorKind::Disconnected, "the socket is not connected")
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::time::Duration;

    use super::*;

    const MOST: usize = 3;

    fn at(second: u64) -> Timestamp {
        Timestamp(Duration::from_secs(second))
    }

    /// Answers of a socket, each of which says its number when it is resolved.
    struct Asked {
        answers: Answers,
        say: Sender<u64>,
        said: Receiver<u64>,
    }

    impl Asked {
        fn new() -> Self {
            let (say, said) = channel();
            Self { answers: Answers::default(), say, said }
        }

        fn expect(&self, number: u64, deadline: Option<u64>) -> Result<()> {
            let say = self.say.clone();
            let sink = AnswerSink::Gathering(Box::new(move |_| _ = say.send(number)));
            let expected = self.answers.expect(number, sink, deadline.map(at), MOST);
            expected.map_err(|(_, error)| error)
        }

        /// The numbers of these, in their order.
        fn resolve(&self, sinks: Vec<AnswerSink>) -> Vec<u64> {
            for sink in sinks {
                sink.resolve(Err(disconnected()));
            }
            self.said.try_iter().collect()
        }
    }

    #[test]
    fn those_whose_time_has_come_are_taken_out_the_earliest_first() {
        let asked = Asked::new();
        for (number, deadline) in [(1, Some(30)), (2, Some(10)), (3, None)] {
            asked.expect(number, deadline).unwrap();
        }
        assert_eq!(asked.answers.deadline(), Some(at(10)));
        assert!(asked.answers.expire(at(9)).is_empty());
        assert_eq!(asked.resolve(asked.answers.expire(at(10))), [2]);
        assert_eq!(asked.answers.deadline(), Some(at(30)));
        asked.expect(4, Some(20)).unwrap();
        assert_eq!(asked.resolve(asked.answers.expire(at(100))), [4, 1]);
        assert_eq!(asked.answers.deadline(), None);
        assert!(asked.answers.is_awaiting());
        assert!(asked.answers.take(3).is_some());
        assert!(!asked.answers.is_awaiting());
    }

    #[test]
    fn one_that_was_taken_has_no_deadline_left() {
        let asked = Asked::new();
        asked.expect(1, Some(10)).unwrap();
        asked.expect(2, Some(20)).unwrap();
        assert!(asked.answers.take(1).is_some() && asked.answers.take(1).is_none());
        assert_eq!(asked.answers.deadline(), Some(at(20)));
        assert_eq!(asked.resolve(asked.answers.expire(at(20))), [2]);
        assert!(!asked.answers.is_awaiting());
    }

    #[test]
    fn no_more_are_taken_on_than_may_be_awaited_and_none_after_the_end() {
        let asked = Asked::new();
        for number in 0..3 {
            asked.expect(number, None).unwrap();
        }
        assert_eq!(asked.expect(3, None).unwrap_err().kind(), ErrorKind::BufferFull);
        assert!(asked.answers.take(0).is_some());
        asked.expect(4, None).unwrap();
        let mut ended = asked.resolve(asked.answers.end());
        ended.sort_unstable();
        assert_eq!(ended, [1, 2, 4]);
        assert!(!asked.answers.is_awaiting());
        assert_eq!(asked.expect(5, None).unwrap_err().kind(), ErrorKind::Disconnected);
    }
}
