//! The thread that hears what other servers tell.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use redis::{Connection, Value};

use super::dialling::{Pauses, failed};
use super::{ListenedNamespace, SharedLink};
use crate::core::server::redis_format::{ChannelKind, decode, is_broadcast_of};
use crate::driver::server::cluster::counters::LinkCounters;
use crate::error::{Error, ErrorKind, Result};
use crate::sync::lock::lock;
use crate::sync::logging::log_later;
use crate::sync::threads::survive;

/// Nothing has come for so long: not even what the publisher says every now and then.
const SILENCE: Duration = Duration::from_secs(50);

/// How many subscriptions a namespace has.
const EACH: u8 = 4;

/// What the connection is subscribed to, by patterns and channels.
#[derive(Default)]
struct Subscriptions {
    by_source: HashMap<String, Arc<ListenedNamespace>>,
    /// How many of each namespace are confirmed.
    confirmed: HashMap<Box<str>, u8>,
    /// How many namespaces there were when it was last looked.
    entered: u64,
}

impl SharedLink {
    /// What the thread does, until the link ends.
    pub(super) fn subscribe(&self) {
        let mut pauses = Pauses::new();
        while !self.is_over() {
            let mut was_subscribed = false;
            if let Err(error) = self.listen(&mut was_subscribed) {
                self.note_trouble(&error);
            }
            for of in lock(&self.namespaces).values() {
                of.is_subscribed.store(false, Ordering::Release);
            }
            if was_subscribed && !self.is_over() {
                LinkCounters::add(&self.counters.gaps, 1);
                self.losses.fetch_add(1, Ordering::AcqRel);
                pauses = Pauses::new();
            }
            self.line.rest(pauses.next());
        }
    }

    /// Connects, and listens as long as it can.
    fn listen(&self, was_subscribed: &mut bool) -> Result<()> {
        let mut connection = self.options.dialler.dial(SILENCE)?;
        let mut subscriptions = Subscriptions::default();
        send(&mut connection, "SUBSCRIBE", &[&self.control])?;
        while !self.is_over() {
            self.subscribe_to_new(&mut connection, &mut subscriptions)?;
            let said = connection.recv_response();
            let said =
                said.map_err(|error| failed("the subscription to Redis was lost", &error))?;
            self.take(said, &mut subscriptions)?;
            *was_subscribed = true;
        }
        Ok(())
    }

    fn subscribe_to_new(
        &self,
        connection: &mut Connection,
        subscriptions: &mut Subscriptions,
    ) -> Result<()> {
        let entered = self.entered.load(Ordering::Acquire);
        if subscriptions.entered == entered {
            return Ok(());
        }
        subscriptions.entered = entered;
        let all: Vec<_> = lock(&self.namespaces).values().cloned().collect();
        for of in all {
            let channels = &of.channels;
            let pattern = channels.pattern();
            if subscriptions.by_source.contains_key(&pattern) {
                continue;
            }
            let exact = [&*channels.requests, &*channels.responses, &*channels.own_responses];
            send(connection, "PSUBSCRIBE", &[&pattern])?;
            send(connection, "SUBSCRIBE", &exact)?;
            let sources = exact.iter().map(|channel| (*channel).to_owned()).chain([pattern]);
            let sources = sources.map(|source| (source, Arc::clone(&of)));
            subscriptions.by_source.extend(sources);
        }
        Ok(())
    }

    /// Redis has said something.
    fn take(&self, said: Value, subscriptions: &mut Subscriptions) -> Result<()> {
        let texts = parts_of(said)?;
        let text = |at: usize| texts.get(at).and_then(|bytes| std::str::from_utf8(bytes).ok());
        let (Some(kind), Some(source)) = (text(0), text(1)) else { return Ok(()) };
        match kind {
            "subscribe" | "psubscribe" => subscriptions.confirm(source),
            // For a pattern it comes with the channel besides.
            "message" | "pmessage" => {
                let Some(of) = subscriptions.by_source.get(source).cloned() else { return Ok(()) };
                let channel = if kind == "message" { Some(source) } else { text(2) };
                let kind = channel.and_then(|channel| of.channels.kind_of(channel));
                if let (Some(kind), Some(bytes)) = (kind, texts.last()) {
                    self.hear(&of, kind, bytes);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn hear(&self, of: &ListenedNamespace, kind: ChannelKind<'_>, bytes: &[u8]) {
        let Some(hears) = of.hears.upgrade() else { return };
        if let ChannelKind::Broadcast(room) = kind {
            let concerns_nobody = room.is_some_and(|room| !hears.has_room(room));
            if concerns_nobody || is_broadcast_of(&of.name, bytes) {
                return;
            }
        }
        let bytes = Bytes::copy_from_slice(bytes);
        match decode(kind, &of.namespace, &bytes, self.options.max_message) {
            Ok(Some(told)) => {
                LinkCounters::add(&self.counters.heard, 1);
                if survive(|| hears.hear(told.from.as_deref(), told.message)).is_none() {
                    log_later!(Error, in &*of.namespace, "a message of another server caused a panic");
                }
            }
            Ok(None) => {}
            Err(error) => {
                LinkCounters::add(&self.counters.malformed, 1);
                log_later!(Debug, in &*of.namespace, "a message of another server is ignored: {error}");
            }
        }
    }
}

impl Subscriptions {
    /// Redis has confirmed one.
    fn confirm(&mut self, source: &str) {
        let Some(of) = self.by_source.get(source) else { return };
        let confirmed = self.confirmed.entry(of.namespace.clone()).or_default();
        *confirmed += 1;
        if *confirmed == EACH {
            of.is_subscribed.store(true, Ordering::Release);
        }
    }
}

/// What Redis says of a subscription, if that is what it says.
fn parts_of(said: Value) -> Result<Vec<Vec<u8>>> {
    match said {
        Value::Array(parts) => Ok(parts.into_iter().filter_map(bytes_of).collect()),
        Value::ServerError(error) => {
            let details = error.details().unwrap_or_default();
            let what = format!("Redis refuses a subscription: {} {details}", error.code());
            Err(Error::new(ErrorKind::Transport, what))
        }
        _ => Ok(Vec::new()),
    }
}

fn bytes_of(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        _ => None,
    }
}

fn send(connection: &mut Connection, command: &str, channels: &[&str]) -> Result<()> {
    let mut packed = redis::cmd(command);
    packed.arg(channels);
    let sent = connection.send_packed_command(&packed.get_packed_command());
    sent.map_err(|error| failed("the connection to Redis was lost", &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(said: &[u8]) -> Result<Vec<Vec<u8>>> {
        parts_of(redis::parse_redis_value(said).unwrap())
    }

    #[test]
    fn a_subscription_that_redis_refuses_is_an_error_with_its_words() {
        let refused = parts(b"-NOPERM no such channel\r\n").unwrap_err();
        assert!(refused.message().contains("NOPERM no such channel"), "{refused}");
        let told = parts(b"*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n").unwrap();
        assert_eq!(told, [&b"subscribe"[..], b"c"]);
        assert!(parts(b"+OK\r\n").unwrap().is_empty());
    }
}
