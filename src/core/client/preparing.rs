//! What comes before an attempt to connect: who hears of it is told, and what it is made with is asked
//! for.

use std::time::Duration;

use super::{Client, Cycle, Output};
use crate::core::client::timer::Timer;
use crate::core::time::Timestamp;
use crate::error::reached::Reached;
use crate::error::{Error, Result, Rounded, Stage};
use crate::event::status::ManagerEvent;
use crate::options::ManagerOptions;

/// How long an attempt waits for callbacks that hear of it: one that hangs must not end all attempts.
const TELLING_LIMIT: Duration = Duration::from_secs(1);

/// How far the preparation of an attempt has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Preparation {
    /// Those who hear of attempts are told.
    Telling,
    /// What the attempt is made with is asked for.
    Asking,
}

/// What an attempt is made with.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// The options for it and for its session, where they are others than usual.
    pub(crate) options: Option<ManagerOptions>,
    /// It leads to another server than the last one did.
    pub(crate) is_elsewhere: bool,
}

impl<A> Client<A> {
    /// Begins an attempt to reconnect.
    pub(super) fn announce(&mut self, now: Timestamp) {
        let attempt = ManagerEvent::ReconnectAttempt(self.attempts);
        self.outputs.push_back(Output::Manager(attempt));
        self.cycle = Cycle::Connecting;
        let question = self.begin_preparation(Preparation::Telling);
        self.timers.set(Timer::Tell, Some(now + TELLING_LIMIT));
        self.outputs.push_back(Output::Tell { question });
    }

    /// Those who hear of attempts were told, as [`Output::Tell`] asked for, or it takes them too long.
    pub(crate) fn told(&mut self, question: u32, now: Timestamp) {
        if self.preparation == Some(Preparation::Telling) && self.question == question {
            self.dial(now);
        }
    }

    pub(super) fn telling_timed_out(&mut self, now: Timestamp) {
        self.told(self.question, now);
    }

    /// Asks for what the attempt is made with.
    pub(super) fn prepare(&mut self, now: Timestamp) {
        if let Some(options) = self.usual_options.take() {
            self.options = *options;
        }
        self.cycle = Cycle::Connecting;
        let question = self.begin_preparation(Preparation::Asking);
        self.places.begin(&self.options, now);
        self.outputs.push_back(Output::Prepare { question, attempt: self.attempts });
    }

    fn begin_preparation(&mut self, preparation: Preparation) -> u32 {
        self.timers.set(Timer::Tell, None);
        self.preparation = Some(preparation);
        self.question = self.question.wrapping_add(1);
        self.question
    }

    /// There is no attempt any more that would have to be prepared.
    pub(super) fn end_preparation(&mut self) {
        self.preparation = None;
        self.timers.set(Timer::Tell, None);
    }

    /// Whether this question, of what the attempt is made with, waits for its answer.
    pub(crate) fn is_preparing(&self, question: u32) -> bool {
        self.preparation == Some(Preparation::Asking) && self.question == question
    }

    /// Which address it is the turn of.
    pub(crate) fn place(&self) -> usize {
        self.places.current()
    }

    /// What the attempt is made with, as [`Output::Prepare`] asked for.
    pub(crate) fn prepared(&mut self, question: u32, prepared: Result<Prepared>, now: Timestamp) {
        if !self.is_preparing(question) {
            return;
        }
        match prepared {
            Ok(prepared) => {
                self.end_preparation();
                if prepared.is_elsewhere {
                    self.forget_server();
                }
                if let Some(options) = prepared.options {
                    let usual = std::mem::replace(&mut self.options, options);
                    if usual.connect_timeout != self.options.connect_timeout {
                        self.limit_attempt(now);
                    }
                    self.usual_options = Some(Box::new(usual));
                }
                self.dial_transport();
            }
            Err(error) => self.preparation_failed(error, now),
        }
        self.pump(now);
    }

    /// What is known of one server means nothing for another one.
    fn forget_server(&mut self) {
        self.websocket_works = false;
        self.detector.forget();
        self.contradictions = 0;
    }

    /// The time of the attempt is up before it is prepared.
    pub(super) fn preparation_timed_out(&mut self, now: Timestamp) {
        let limit = self.options.connect_timeout.unwrap_or_default();
        let what = "the function of before_attempt has not returned within the connect timeout";
        let error = Reached::from(Stage::Prepare)
            .too_late(&format!("{what} of {}", Rounded(limit)))
            .with_attempt(None, limit);
        self.preparation_failed(error, now);
    }

    /// An attempt failed before it was made. The function may fail for this address alone, so it is the turn
    /// of the next one.
    fn preparation_failed(&mut self, error: Error, now: Timestamp) {
        self.note_failure(now);
        self.note_wish(Some(&error), now);
        self.places.go_on(&self.options, now);
        let next = self.draw_next(Some(&error), now);
        self.leave_session(now);
        self.attempt_failed(error.with_retry_in(next.delay()));
        self.reconnect(next, now);
    }
}
