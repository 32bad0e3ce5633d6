//! The thread that publishes.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use redis::{ConnectionLike, Pipeline, Value};

use super::dialling::{Pauses, failed};
use super::{ListenedNamespace, Outgoing, SharedLink};
use crate::core::server::redis_format::{Publication, encode};
use crate::driver::server::cluster::Asked;
use crate::driver::server::cluster::counters::LinkCounters;
use crate::error::{Error, ErrorKind, Result};
use crate::sync::lock::lock;
use crate::sync::logging::log_later;

/// How many bytes are published together.
const BATCH: usize = 64 * 1024;

/// How long Redis may take to answer.
const ANSWER: Duration = Duration::from_secs(5);

/// How often the subscriber hears that there is somebody at the other end.
const BEAT: Duration = Duration::from_secs(20);

/// A connection, and how often the subscriber had lost its own when it was made.
struct Publishing {
    connection: redis::Connection,
    losses: u64,
}

/// What is expected of the answers of Redis.
enum Expected {
    /// One.
    Told,
    /// One for the count, and one more where something was published.
    Asked(Asked, bool, bool),
    /// One, or none where there was nothing to say.
    Nothing,
    Flushed(std::sync::mpsc::SyncSender<()>),
}

impl SharedLink {
    /// What the thread does, until the link ends.
    pub(super) fn publish(&self) {
        let mut publishing = None;
        let mut held: Vec<Outgoing> = Vec::new();
        let mut beat = Instant::now();
        while let Some(at) = self.connect(&mut publishing, &mut held) {
            if held.is_empty() {
                held = self.line.take(BATCH, Some(BEAT));
            }
            if held.is_empty() && self.is_over() {
                break;
            }
            // Also where there is always something to publish: it may be for others alone.
            if beat.elapsed() >= BEAT {
                beat = Instant::now();
                held.push(Outgoing::Wake);
            }
            // The other connection was lost meanwhile: what goes out by this one might too.
            if at.losses != self.losses.load(Ordering::Acquire) {
                self.disconnect(&mut publishing);
                continue;
            }
            if let Err(error) = self.send(&mut at.connection, std::mem::take(&mut held)) {
                self.note_trouble(&error);
                self.disconnect(&mut publishing);
            }
        }
        if let Some(at) = &mut publishing {
            // The subscriber is to end too; without it, it does so when it hears nothing any more.
            let _ = self.send(&mut at.connection, vec![Outgoing::Wake]);
        }
        while !held.is_empty() {
            self.lose(held, &self.away());
            held = self.line.take(usize::MAX, None);
        }
        self.publishes.store(false, Ordering::Release);
    }

    fn disconnect(&self, publishing: &mut Option<Publishing>) {
        self.publishes.store(false, Ordering::Release);
        *publishing = None;
    }

    /// Makes a connection, if there is none. `None`: the link has ended.
    fn connect<'a>(
        &self,
        publishing: &'a mut Option<Publishing>,
        held: &mut Vec<Outgoing>,
    ) -> Option<&'a mut Publishing> {
        let mut pauses = Pauses::new();
        while publishing.is_none() {
            let losses = self.losses.load(Ordering::Acquire);
            match self.options.dialler.dial(ANSWER) {
                Ok(connection) => {
                    *publishing = Some(Publishing { connection, losses });
                    *lock(&self.trouble) = None;
                    self.publishes.store(true, Ordering::Release);
                }
                Err(error) => {
                    self.note_trouble(&error);
                    self.give_up(held, &error);
                    if self.is_over() {
                        return None;
                    }
                    self.line.rest(pauses.next());
                }
            }
        }
        publishing.as_mut()
    }

    /// Redis is away: who asks, or waits, hears so, and what is told waits or is lost.
    fn give_up(&self, held: &mut Vec<Outgoing>, error: &Error) {
        if self.options.drop_while_away || self.is_over() {
            return self.lose(std::mem::take(held), error);
        }
        let (told, others) =
            std::mem::take(held).into_iter().partition(|one| matches!(one, Outgoing::Tell(..)));
        *held = told;
        self.lose(others, error);
    }

    /// This does not go out.
    pub(super) fn lose(&self, items: Vec<Outgoing>, error: &Error) {
        for item in items {
            match item {
                Outgoing::Tell(..) => LinkCounters::add(&self.counters.lost, 1),
                Outgoing::Ask(_, _, asked) => asked(Err(error.clone())),
                Outgoing::Wake | Outgoing::Flush(_) => {}
            }
        }
    }

    /// Publishes these together. An error: it is not known which of them have gone out.
    fn send(&self, connection: &mut redis::Connection, items: Vec<Outgoing>) -> Result<()> {
        let mut pipeline = Pipeline::with_capacity(items.len());
        let expected: Vec<Expected> =
            items.into_iter().map(|item| self.add(&mut pipeline, item)).collect();
        let count = pipeline.len();
        let answers = match count {
            0 => Ok(Vec::new()),
            _ => connection.req_packed_commands(&pipeline.get_packed_pipeline(), 0, count),
        };
        match answers {
            Ok(answers) => {
                let mut answers = answers.into_iter();
                for one in expected {
                    self.conclude(one, &mut answers);
                }
                Ok(())
            }
            Err(error) => {
                let error = failed("the connection to Redis was lost", &error);
                for one in expected {
                    match one {
                        Expected::Told => LinkCounters::add(&self.counters.lost, 1),
                        Expected::Asked(asked, ..) => asked(Err(error.clone())),
                        Expected::Nothing | Expected::Flushed(_) => {}
                    }
                }
                Err(error)
            }
        }
    }

    fn add(&self, pipeline: &mut Pipeline, item: Outgoing) -> Expected {
        match item {
            Outgoing::Tell(of, message) => {
                publish(pipeline, &encode(self.speaker(&of), &message));
                Expected::Told
            }
            Outgoing::Ask(of, message, asked) => {
                pipeline.cmd("PUBSUB").arg("NUMSUB").arg(&of.channels.requests);
                if let Some(message) = &message {
                    publish(pipeline, &encode(self.speaker(&of), message));
                }
                Expected::Asked(asked, message.is_some(), is_subscribed(&of))
            }
            Outgoing::Wake => {
                pipeline.cmd("PUBLISH").arg(&self.control).arg("");
                Expected::Nothing
            }
            Outgoing::Flush(told) => Expected::Flushed(told),
        }
    }

    fn conclude(&self, expected: Expected, answers: &mut impl Iterator<Item = Value>) {
        match expected {
            Expected::Told => match refused(answers.next()) {
                None => LinkCounters::add(&self.counters.told, 1),
                Some(error) => {
                    LinkCounters::add(&self.counters.lost, 1);
                    log_later!(Warn, "a message to other servers is lost: {error}");
                }
            },
            Expected::Asked(asked, is_published, is_subscribed) => {
                let count = answers.next();
                let published = if is_published { refused(answers.next()) } else { None };
                asked(match (published, is_subscribed) {
                    (Some(error), _) => Err(error),
                    // No answer would come here.
                    (None, false) => {
                        let what = "not yet subscribed to what other servers say";
                        Err(Error::new(ErrorKind::Transport, what))
                    }
                    (None, true) => others(count),
                });
            }
            Expected::Nothing => drop(answers.next()),
            Expected::Flushed(told) => {
                // Who waits may have gone.
                let _ = told.send(());
            }
        }
    }
}

fn is_subscribed(of: &ListenedNamespace) -> bool {
    of.is_subscribed.load(Ordering::Acquire)
}

fn publish(pipeline: &mut Pipeline, publication: &Publication) {
    pipeline.cmd("PUBLISH").arg(&publication.channel).arg(&publication.bytes[..]);
}

/// Why Redis does not do what was asked for.
fn refused(answer: Option<Value>) -> Option<Error> {
    match answer {
        Some(Value::ServerError(error)) => {
            let what =
                format!("Redis refuses: {} {}", error.code(), error.details().unwrap_or_default());
            Some(Error::new(ErrorKind::Transport, what))
        }
        _ => None,
    }
}

/// How many others there are, of those who subscribe to the channel of requests.
fn others(answer: Option<Value>) -> Result<usize> {
    let unexpected =
        || Error::new(ErrorKind::Protocol, "Redis does not say how many servers there are");
    match answer {
        Some(Value::Array(parts)) => match &parts[..] {
            [_, Value::Int(count)] => Ok(usize::try_from(*count).unwrap_or(0).saturating_sub(1)),
            _ => Err(unexpected()),
        },
        other => Err(refused(other).unwrap_or_else(unexpected)),
    }
}
