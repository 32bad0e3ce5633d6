//! The thread that publishes.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use redis::{ConnectionLike, Pipeline, Value};

use super::dialling::{Pauses, failed};
use super::other_nodes::OtherNodes;
use super::{LinkItem, ListenedNamespace, SharedLink};
use crate::core::server::redis_format::{Publication, encode};
use crate::driver::server::cluster::TakeCount;
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
    /// Where there are other nodes.
    others: Option<OtherNodes>,
    losses: u64,
}

/// What is expected of the answers of Redis.
enum ExpectedReply {
    /// One.
    Told,
    /// One for the count, and one more where something was published.
    Counted(CountedAsk),
    /// One, or none where there was nothing to say.
    Nothing,
    Flushed(std::sync::mpsc::SyncSender<()>),
}

/// A request, and what is known of it before Redis answers.
struct CountedAsk {
    asked: TakeCount,
    is_published: bool,
    is_subscribed: bool,
    /// What [`subscribers`] tells of other nodes.
    elsewhere: Result<[usize; 2]>,
}

/// When the subscriber heard that last.
struct LifeSign(Instant);

impl LifeSign {
    /// Whether it is to hear it now.
    fn is_due(&mut self, now: Instant) -> bool {
        let is_due = now.duration_since(self.0) >= BEAT;
        if is_due {
            self.0 = now;
        }
        is_due
    }
}

impl SharedLink {
    /// What the thread does, until the link ends.
    pub(super) fn publish(&self) {
        let mut publishing = None;
        let mut held: Vec<LinkItem> = Vec::new();
        let mut beat = LifeSign(Instant::now());
        while let Some(at) = self.connect(&mut publishing, &mut held) {
            if held.is_empty() {
                held = self.line.take(BATCH, Some(BEAT));
            }
            if held.is_empty() && self.is_over() {
                break;
            }
            // Also where there is always something to publish: it may be for others alone.
            if beat.is_due(Instant::now()) {
                held.push(LinkItem::Wake);
            }
            // The other connection was lost meanwhile: what goes out by this one might too.
            if at.losses != self.losses.load(Ordering::Acquire) {
                self.disconnect(&mut publishing);
                continue;
            }
            if let Err(error) = self.send(at, std::mem::take(&mut held)) {
                self.note_trouble(&error);
                self.disconnect(&mut publishing);
            }
        }
        if let Some(at) = &mut publishing {
            // The subscriber is to end too; without it, it does so when it hears nothing any more.
            let _ = self.send(at, vec![LinkItem::Wake]);
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
        held: &mut Vec<LinkItem>,
    ) -> Option<&'a mut Publishing> {
        let mut pauses = Pauses::new();
        while publishing.is_none() {
            let losses = self.losses.load(Ordering::Acquire);
            match self.options.dialler.dial(ANSWER) {
                Ok(connection) => {
                    let others = self.options.dialler.other_nodes();
                    *publishing = Some(Publishing { connection, others, losses });
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
    fn give_up(&self, held: &mut Vec<LinkItem>, error: &Error) {
        if self.options.drop_while_away || self.is_over() {
            return self.lose(std::mem::take(held), error);
        }
        let (told, others) =
            std::mem::take(held).into_iter().partition(|one| matches!(one, LinkItem::Tell(..)));
        *held = told;
        self.lose(others, error);
    }

    /// This does not go out.
    pub(super) fn lose(&self, items: Vec<LinkItem>, error: &Error) {
        for item in items {
            match item {
                LinkItem::Tell(..) => LinkCounters::add(&self.counters.lost, 1),
                LinkItem::Ask(_, _, asked) => asked(Err(error.clone())),
                LinkItem::Wake | LinkItem::Flush(_) => {}
            }
        }
    }

    /// Publishes these together. An error: it is not known which of them have gone out.
    fn send(&self, at: &mut Publishing, items: Vec<LinkItem>) -> Result<()> {
        let mut pipeline = Pipeline::with_capacity(items.len());
        let expected: Vec<ExpectedReply> =
            items.into_iter().map(|item| self.add(at, &mut pipeline, item)).collect();
        let count = pipeline.len();
        match at.connection.req_packed_commands(&pipeline.get_packed_pipeline(), 0, count) {
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
                        ExpectedReply::Told => LinkCounters::add(&self.counters.lost, 1),
                        ExpectedReply::Counted(ask) => (ask.asked)(Err(error.clone())),
                        ExpectedReply::Nothing | ExpectedReply::Flushed(_) => {}
                    }
                }
                Err(error)
            }
        }
    }

    fn add(&self, at: &mut Publishing, pipeline: &mut Pipeline, item: LinkItem) -> ExpectedReply {
        match item {
            LinkItem::Tell(of, message) => {
                publish(pipeline, &encode(self.speaker(&of), &message));
                ExpectedReply::Told
            }
            LinkItem::Ask(of, message, asked) => {
                pipeline.cmd("PUBSUB").arg("NUMSUB").arg(&of.channels.requests).arg(&self.control);
                if let Some(message) = &message {
                    publish(pipeline, &encode(self.speaker(&of), message));
                }
                let elsewhere = at.others.as_mut().map_or(Ok([0; 2]), |others| {
                    others.count(&mut at.connection, [&of.channels.requests, &self.control])
                });
                let (is_published, is_subscribed) = (message.is_some(), is_subscribed(&of));
                ExpectedReply::Counted(CountedAsk { asked, is_published, is_subscribed, elsewhere })
            }
            LinkItem::Wake => {
                pipeline.cmd("PUBLISH").arg(&self.control).arg("");
                ExpectedReply::Nothing
            }
            LinkItem::Flush(told) => ExpectedReply::Flushed(told),
        }
    }

    fn conclude(&self, expected: ExpectedReply, answers: &mut impl Iterator<Item = Value>) {
        match expected {
            ExpectedReply::Told => match refused(answers.next()) {
                None => LinkCounters::add(&self.counters.told, 1),
                Some(error) => {
                    LinkCounters::add(&self.counters.lost, 1);
                    log_later!(Warn, "a message to other servers is lost: {error}");
                }
            },
            ExpectedReply::Counted(ask) => {
                let count = answers.next();
                let published = if ask.is_published { refused(answers.next()) } else { None };
                (ask.asked)(match (published, ask.is_subscribed) {
                    (Some(error), _) => Err(error),
                    // No answer would come here.
                    (None, false) => {
                        let what = "not yet subscribed to what other servers say";
                        Err(Error::new(ErrorKind::Transport, what))
                    }
                    (None, true) => {
                        subscribers(count).and_then(|here| others(here, ask.elsewhere?))
                    }
                });
            }
            ExpectedReply::Nothing => drop(answers.next()),
            ExpectedReply::Flushed(told) => {
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

/// How many subscribe to the channel of requests, and to that of this server alone.
fn subscribers(answer: Option<Value>) -> Result<[usize; 2]> {
    let unexpected =
        || Error::new(ErrorKind::Protocol, "Redis does not say how many servers there are");
    match answer {
        Some(Value::Array(parts)) => match &parts[..] {
            [_, Value::Int(all), _, Value::Int(own)] => {
                Ok([all, own].map(|count| usize::try_from(*count).unwrap_or(0)))
            }
            _ => Err(unexpected()),
        },
        other => Err(refused(other).unwrap_or_else(unexpected)),
    }
}

/// How many other servers there are, of the subscribers at this node and elsewhere.
fn others([all_here, own_here]: [usize; 2], [all, own]: [usize; 2]) -> Result<usize> {
    // A Redis that hangs, and was replaced, still has the subscriptions.
    if own_here + own == 0 {
        let what = "not subscribed where it publishes: another Redis has taken over";
        return Err(Error::new(ErrorKind::Transport, what));
    }
    Ok((all_here + all).saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_subscriber_hears_that_somebody_is_there_every_20_seconds() {
        let start = Instant::now();
        let mut beat = LifeSign(start);
        assert!(!beat.is_due(start + BEAT.saturating_sub(Duration::from_nanos(1))));
        let first = start + BEAT;
        assert!(beat.is_due(first));
        assert!(!beat.is_due(first));
        assert!(beat.is_due(first + 2 * BEAT));
    }

    #[test]
    fn what_redis_refuses_is_an_error_with_its_words() {
        let said = redis::parse_redis_value(b"-NOPERM this user may not publish\r\n").unwrap();
        let error = refused(Some(said)).expect("a refusal");
        assert!(error.message().contains("NOPERM this user may not publish"), "{error}");
        assert!(refused(Some(Value::Int(0))).is_none());
    }
}
