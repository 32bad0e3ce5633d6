//! A cluster within one process.

use std::collections::HashMap;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use super::counters::{ClusterStats, LinkCounters};
use super::line::{LineBounds, WaitingLine};
use super::{ClusterLink, HearCluster, StartLink, TakeCount};
use crate::core::server::cluster::ClusterMessage;
use crate::error::Result;
use crate::sync::lock::lock;
use crate::sync::threads::{Role, spawn};

/// What may wait for the thread that carries it.
const BOUNDS: LineBounds = LineBounds { items: 65_536, bytes: 16 * 1024 * 1024 };

/// Servers of one process that share broadcasts, as those of a cluster do: for tests, and for programs with more than
/// one server.
///
/// ```no_run
/// # fn main() -> siot::Result<()> {
/// use siot::server::{LocalCluster, Server};
///
/// let cluster = LocalCluster::new();
/// let inner = Server::builder().adapter(&cluster).bind("127.0.0.1:3000")?;
/// let outer = Server::builder().adapter(&cluster).bind("0.0.0.0:3001")?;
/// inner.emit("news", "for the clients of both")?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct LocalCluster {
    hall: Arc<Hall>,
}

/// Where the servers meet.
#[derive(Debug, Default)]
struct Hall {
    state: Mutex<HallState>,
}

#[derive(Debug, Default)]
struct HallState {
    members: HashMap<Box<str>, Vec<Member>>,
    links: u64,
    /// `None` before there is a thread.
    line: Option<Arc<WaitingLine<Posted>>>,
}

/// A server in one namespace.
#[derive(Clone)]
struct Member {
    link: u64,
    name: Arc<str>,
    hears: Weak<dyn HearCluster>,
    counters: Arc<LinkCounters>,
}

/// Something on its way.
struct Posted {
    link: u64,
    namespace: Box<str>,
    message: Option<ClusterMessage>,
    asked: Option<TakeCount>,
    counters: Arc<LinkCounters>,
}

/// The link of one server.
struct LocalLink {
    number: u64,
    hall: Arc<Hall>,
    line: Arc<WaitingLine<Posted>>,
    counters: Arc<LinkCounters>,
}

impl LocalCluster {
    /// A cluster without servers.
    pub fn new() -> Self {
        Self::default()
    }
}

impl StartLink for LocalCluster {
    fn start(&self) -> Result<Arc<dyn ClusterLink>> {
        let mut state = lock(&self.hall.state);
        let line = if let Some(line) = &state.line {
            Arc::clone(line)
        } else {
            let line = Arc::new(WaitingLine::new(BOUNDS));
            let (of_thread, hall) = (Arc::clone(&line), Arc::downgrade(&self.hall));
            spawn(Role::Cluster, None, move || carry(&of_thread, &hall))?;
            Arc::clone(state.line.insert(line))
        };
        state.links += 1;
        let number = state.links;
        drop(state);
        let hall = Arc::clone(&self.hall);
        Ok(Arc::new(LocalLink { number, hall, line, counters: Arc::default() }))
    }
}

impl Drop for Hall {
    fn drop(&mut self) {
        if let Some(line) = &lock(&self.state).line {
            line.end();
        }
    }
}

impl Hall {
    fn members(&self, namespace: &str) -> Vec<Member> {
        lock(&self.state).members.get(namespace).cloned().unwrap_or_default()
    }
}

impl LocalLink {
    fn post(
        &self,
        namespace: &str,
        message: Option<ClusterMessage>,
        asked: Option<TakeCount>,
    ) -> Result<()> {
        let size = message.as_ref().map_or(0, ClusterMessage::size);
        let (link, counters) = (self.number, Arc::clone(&self.counters));
        let posted = Posted { link, namespace: namespace.into(), message, asked, counters };
        self.line.push(posted, size).map_err(|(posted, error)| {
            LinkCounters::add(&self.counters.lost, 1);
            if let Some(asked) = posted.asked {
                asked(Err(error.clone()));
            }
            error
        })
    }
}

impl ClusterLink for LocalLink {
    fn enter(&self, namespace: &str, name: &Arc<str>, hears: Weak<dyn HearCluster>) {
        let (name, counters) = (Arc::clone(name), Arc::clone(&self.counters));
        let member = Member { link: self.number, name, hears, counters };
        lock(&self.hall.state).members.entry(namespace.into()).or_default().push(member);
    }

    fn tell(&self, namespace: &str, message: ClusterMessage) -> Result<()> {
        self.post(namespace, Some(message), None)
    }

    fn ask(&self, namespace: &str, message: Option<ClusterMessage>, asked: TakeCount) {
        // Where it fails, `asked` has heard so.
        let _ = self.post(namespace, message, Some(asked));
    }

    fn flush(&self, limit: Duration) {
        let (told, tells) = sync_channel(1);
        // It is behind all that was told before.
        self.ask(
            "",
            None,
            Box::new(move |_| {
                // Who waits may have gone.
                let _ = told.send(());
            }),
        );
        let _ = tells.recv_timeout(limit);
    }

    fn stats(&self) -> ClusterStats {
        self.counters.stats(!self.line.is_over())
    }

    fn end(&self) {
        let mut state = lock(&self.hall.state);
        for members in state.members.values_mut() {
            members.retain(|member| member.link != self.number);
        }
        state.members.retain(|_, members| !members.is_empty());
    }
}

/// What the thread does, until the last handle of the cluster is gone.
fn carry(line: &WaitingLine<Posted>, hall: &Weak<Hall>) {
    loop {
        let taken = line.take(0, None);
        if taken.is_empty() {
            return;
        }
        for posted in taken {
            // Without a hall nobody is left who could hear it.
            let members = hall.upgrade().map(|hall| hall.members(&posted.namespace));
            deliver(posted, &members.unwrap_or_default());
        }
    }
}

/// Gives what was told to whom it is for.
fn deliver(posted: Posted, members: &[Member]) {
    let Posted { link, message, asked, counters, .. } = posted;
    let name = members.iter().find(|member| member.link == link).map(|member| &*member.name);
    let mut others: Vec<_> = members
        .iter()
        .filter(|member| member.link != link)
        .filter_map(|member| Some((member, member.hears.upgrade()?)))
        .collect();
    if let Some(asked) = asked {
        asked(Ok(others.len()));
    }
    let Some(message) = message else { return };
    if let ClusterMessage::Answer { to: Some(to), .. } = &message {
        others.retain(|(member, _)| member.name == *to);
    }
    LinkCounters::add(&counters.told, 1);
    for (member, hears) in others {
        LinkCounters::add(&member.counters.heard, 1);
        hears.hear(name, message.clone());
    }
}

impl std::fmt::Debug for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Member").field("link", &self.link).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Posted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Posted").field("link", &self.link).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};
    use std::thread;

    use super::*;
    use crate::core::server::rooms::Selection;

    /// Hears nothing before it may.
    struct Hears(Mutex<Receiver<()>>);

    impl HearCluster for Hears {
        fn has_room(&self, _: &str) -> bool {
            true
        }

        fn hear(&self, _: Option<&str>, _: ClusterMessage) {
            let _ = lock(&self.0).recv();
        }
    }

    #[test]
    fn it_is_waited_until_all_that_was_told_is_heard() {
        let cluster = LocalCluster::new();
        let [told, other] = [(); 2].map(|()| cluster.start().unwrap());
        let (open, gate) = channel();
        let ear: Arc<dyn HearCluster> = Arc::new(Hears(Mutex::new(gate)));
        other.enter("/", &"b".into(), Arc::downgrade(&ear));
        let selection = Selection { rooms: Vec::new(), except: Vec::new() };
        told.tell("/", ClusterMessage::Disconnect { selection, close: false }).unwrap();
        let (done, is_done) = channel();
        thread::spawn(move || {
            told.flush(Duration::from_secs(60));
            let _ = done.send(other.stats().heard);
        });
        assert!(is_done.recv_timeout(Duration::from_millis(50)).is_err(), "it is not heard yet");
        open.send(()).unwrap();
        assert_eq!(is_done.recv_timeout(Duration::from_secs(60)), Ok(1));
    }
}
