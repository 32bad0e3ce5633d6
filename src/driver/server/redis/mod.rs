//! A link to the other servers of a cluster by Redis.
//!
//! Two connections, each with a thread of its own: one publishes what waits in a line, a batch at a time and in order, the other
//! is subscribed to the channels of all namespaces. Each is made again, later and later, when it is lost. What the server does
//! for its own clients waits for neither.
//!
//! The subscriber only ever reads. It is told of a new namespace, and of the end, by a message on a channel of its own; so
//! is it every now and then that there is still somebody at the other end.

mod dialling;
pub(crate) mod emitter;
mod other_nodes;
pub(crate) mod places;
mod publisher;
mod sentinels;
mod subscriber;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use self::places::RedisDialler;
use super::cluster::counters::{ClusterStats, LinkCounters};
use super::cluster::line::{LineBounds, WaitingLine};
use super::cluster::{ClusterLink, HearCluster, StartLink, TakeCount};
use crate::core::server::cluster::ClusterMessage;
use crate::core::server::redis_format::{ClusterSpeaker, NamespaceChannels};
use crate::error::{Error, ErrorKind, Result};
use crate::sync::lock::lock;
use crate::sync::threads::{Role, spawn};

/// How long the end of a server waits at most until its last words are out: Redis may be lost just then.
const FAREWELL: Duration = Duration::from_secs(2);

/// What a link is made with.
#[derive(Clone, Debug)]
pub(crate) struct RedisOptions {
    pub(crate) dialler: RedisDialler,
    /// What the names of channels begin with.
    pub(crate) key: Box<str>,
    /// Answers go to who has asked alone.
    pub(crate) answers_apart: bool,
    /// What may wait to be published.
    pub(crate) bounds: LineBounds,
    /// What is told while Redis is away is lost, instead of waiting for it.
    pub(crate) drop_while_away: bool,
    /// The largest message that is read, in bytes.
    pub(crate) max_message: usize,
}

/// The link of one server.
pub(crate) struct RedisLink(Arc<SharedLink>);

/// What it and its threads share.
struct SharedLink {
    options: RedisOptions,
    /// Where the subscriber is told something.
    control: String,
    line: WaitingLine<LinkItem>,
    namespaces: Mutex<HashMap<Box<str>, Arc<ListenedNamespace>>>,
    /// How many there are: the subscriber looks for new ones where it has changed.
    entered: AtomicU64,
    counters: LinkCounters,
    /// The publisher has a connection.
    publishes: AtomicBool,
    /// How often the subscriber has lost its connection: that of the publisher may not be what it was either.
    losses: AtomicU64,
    /// Why there is no connection.
    trouble: Mutex<Option<Error>>,
}

/// A namespace of the server.
struct ListenedNamespace {
    namespace: Box<str>,
    name: Arc<str>,
    channels: NamespaceChannels,
    hears: Weak<dyn HearCluster>,
    /// Redis has confirmed all subscriptions.
    is_subscribed: AtomicBool,
}

/// What waits to be published.
enum LinkItem {
    Tell(Arc<ListenedNamespace>, ClusterMessage),
    Ask(Arc<ListenedNamespace>, Option<ClusterMessage>, TakeCount),
    /// The subscriber is to look what is new.
    Wake,
    /// Somebody waits until all before is out.
    Flush(std::sync::mpsc::SyncSender<()>),
}

impl StartLink for RedisOptions {
    fn start(&self) -> Result<Arc<dyn ClusterLink>> {
        self.dialler.check()?;
        let shared = Arc::new(SharedLink {
            control: format!("{}-siot#{}#", self.key, super::ids::new_id()),
            line: WaitingLine::new(self.bounds),
            options: self.clone(),
            namespaces: Mutex::default(),
            entered: AtomicU64::new(0),
            counters: LinkCounters::default(),
            publishes: AtomicBool::new(false),
            losses: AtomicU64::new(0),
            trouble: Mutex::default(),
        });
        let link = RedisLink(Arc::clone(&shared));
        let publisher = Arc::clone(&shared);
        // Where the second cannot be started, dropping the link ends the first.
        spawn(Role::Publisher, None, move || publisher.publish())?;
        spawn(Role::Subscriber, None, move || shared.subscribe())?;
        Ok(Arc::new(link))
    }
}

impl Drop for RedisLink {
    fn drop(&mut self) {
        self.0.line.end();
    }
}

impl ClusterLink for RedisLink {
    fn enter(&self, namespace: &str, name: &Arc<str>, hears: Weak<dyn HearCluster>) {
        let entered = Arc::new(ListenedNamespace {
            namespace: namespace.into(),
            name: Arc::clone(name),
            channels: NamespaceChannels::new(&self.0.options.key, namespace, name),
            hears,
            is_subscribed: AtomicBool::new(false),
        });
        lock(&self.0.namespaces).insert(namespace.into(), entered);
        self.0.entered.fetch_add(1, Ordering::AcqRel);
        // Where there is no room, it is woken soon all the same.
        let _ = self.0.line.push(LinkItem::Wake, 0);
    }

    fn tell(&self, namespace: &str, message: ClusterMessage) -> Result<()> {
        let size = message.size();
        self.0.put(LinkItem::Tell(self.0.namespace(namespace)?, message), size)
    }

    fn ask(&self, namespace: &str, message: Option<ClusterMessage>, asked: TakeCount) {
        let size = message.as_ref().map_or(0, ClusterMessage::size);
        // Where it fails, `asked` hears so.
        match self.0.namespace(namespace) {
            Ok(_) if !self.0.publishes.load(Ordering::Acquire) => asked(Err(self.0.away())),
            Ok(of) => drop(self.0.put(LinkItem::Ask(of, message, asked), size)),
            Err(error) => asked(Err(error)),
        }
    }

    fn flush(&self, limit: Duration) {
        let (told, tells) = sync_channel(1);
        let goes_out = self.0.publishes.load(Ordering::Acquire);
        if goes_out && self.0.line.push(LinkItem::Flush(told), 0).is_ok() {
            let _ = tells.recv_timeout(limit.min(FAREWELL));
        }
    }

    fn stats(&self) -> ClusterStats {
        let namespaces = lock(&self.0.namespaces);
        let are_subscribed = namespaces.values().all(|of| of.is_subscribed.load(Ordering::Acquire));
        let publishes = self.0.publishes.load(Ordering::Acquire);
        self.0.counters.stats(publishes && are_subscribed)
    }

    fn end(&self) {
        self.0.line.end();
    }
}

impl SharedLink {
    fn namespace(&self, name: &str) -> Result<Arc<ListenedNamespace>> {
        lock(&self.namespaces).get(name).cloned().ok_or_else(|| {
            let what = format!("{name:?} is no namespace of the server's");
            Error::new(ErrorKind::Disconnected, what)
        })
    }

    /// Puts something into the line, if it may wait there.
    fn put(&self, item: LinkItem, size: usize) -> Result<()> {
        let is_dropped = self.options.drop_while_away && !self.publishes.load(Ordering::Acquire);
        let put = if is_dropped { Err((item, self.away())) } else { self.line.push(item, size) };
        put.map_err(|(item, error)| {
            self.lose(vec![item], &error);
            error
        })
    }

    /// Why nobody can be asked.
    fn away(&self) -> Error {
        let trouble = lock(&self.trouble).clone();
        trouble.unwrap_or_else(|| Error::new(ErrorKind::Transport, "not yet connected to Redis"))
    }

    /// There is no connection, for this reason.
    fn note_trouble(&self, error: &Error) {
        if is_news(&mut lock(&self.trouble), error) {
            log::warn!("the other servers of the cluster are out of reach: {error:#}");
        }
    }

    fn is_over(&self) -> bool {
        self.line.is_over()
    }

    fn speaker<'a>(&self, of: &'a ListenedNamespace) -> ClusterSpeaker<'a> {
        ClusterSpeaker {
            name: &of.name,
            namespace: &of.namespace,
            channels: &of.channels,
            answers_apart: self.options.answers_apart,
        }
    }
}

/// Notes why there is no connection: once for each cause it is news, and not for each attempt.
fn is_news(trouble: &mut Option<Error>, error: &Error) -> bool {
    let before = trouble.replace(error.clone());
    before.is_none_or(|before| before.message() != error.message())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_told_once_and_not_for_each_attempt() {
        let mut trouble = None;
        let news: Vec<_> = ["refused", "refused", "no answer", "refused"]
            .map(|what| is_news(&mut trouble, &Error::new(ErrorKind::Transport, what)))
            .into();
        assert_eq!(news, [true, false, true, true]);
    }
}
