//! The answers to a broadcast.

use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use super::answers::AnswerSink;
use super::cluster::requests::{TakeAnswer, silent, uncounted};
use crate::core::server::cluster::ClusterAnswer;
use crate::error::{Error, ErrorKind, Result};
use crate::event::AckReply;
use crate::sync::lock::lock;

/// The answer of one client to a broadcast.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BroadcastReply {
    /// The id of its socket. `None`: it is one of another server, which does not tell.
    pub id: Option<Arc<str>>,
    /// What it has answered, or why it has not. Of the clients of other servers, only answers are told.
    pub answer: Result<AckReply>,
}

/// The answers to a broadcast, as they come.
#[derive(Default)]
pub(crate) struct Gathered {
    state: Mutex<Gathering>,
    complete: Condvar,
}

#[derive(Default)]
struct Gathering {
    /// How many of the own clients have yet to answer.
    left: usize,
    others: OtherClients,
    replies: Vec<BroadcastReply>,
}

/// The clients of other servers.
#[derive(Default)]
struct OtherClients {
    /// How many servers were asked, once that is known.
    servers: Option<Result<usize>>,
    /// How many have told how many clients they ask.
    told: usize,
    clients: usize,
    answered: usize,
}

impl OtherClients {
    fn is_complete(&self) -> bool {
        match &self.servers {
            None => false,
            Some(Err(_)) => true,
            Some(Ok(servers)) => self.told >= *servers && self.answered >= self.clients,
        }
    }

    fn missing(&self) -> Option<Error> {
        match &self.servers {
            None => Some(uncounted()),
            Some(Err(error)) => Some(error.clone()),
            Some(Ok(servers)) => silent(self.told, *servers).or_else(|| {
                let (answered, clients) = (self.answered, self.clients);
                let what = format!(
                    "{answered} of {clients} clients of other servers have answered in time"
                );
                (answered < clients).then(|| Error::new(ErrorKind::Timeout, what))
            }),
        }
    }
}

impl Gathering {
    fn is_complete(&self) -> bool {
        self.left == 0 && self.others.is_complete()
    }
}

/// Where the answer of one socket goes. Dropped without one, the answer is missing.
struct ReplyPlace {
    gathered: Arc<Gathered>,
    id: Arc<str>,
    is_filled: bool,
}

impl Gathered {
    /// So many of the own clients are asked.
    pub(super) fn begin(&self, count: usize) {
        lock(&self.state).left = count;
    }

    /// So many other servers are asked, or none can be.
    pub(super) fn asked(&self, servers: Result<usize>) {
        lock(&self.state).others.servers.get_or_insert(servers);
        self.complete.notify_all();
    }

    pub(super) fn place_for(self: &Arc<Self>, id: &Arc<str>) -> AnswerSink {
        let mut place =
            ReplyPlace { gathered: Arc::clone(self), id: Arc::clone(id), is_filled: false };
        AnswerSink::Gathering(Box::new(move |result| place.fill(result)))
    }

    /// Blocks until all have answered, or have not in time: gives the answers, and what is missing of other servers.
    pub(crate) fn wait(&self, deadline: Option<Instant>) -> (Vec<BroadcastReply>, Option<Error>) {
        let mut state = lock(&self.state);
        while !state.is_complete() {
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                break;
            }
            state = state.wait(&self.complete, left);
        }
        (state.replies.clone(), state.others.missing())
    }
}

impl TakeAnswer for Gathered {
    fn take_answer(&self, answer: ClusterAnswer) {
        let mut state = lock(&self.state);
        match answer {
            ClusterAnswer::Clients(count) => {
                state.others.told += 1;
                state.others.clients = state.others.clients.saturating_add(count);
            }
            ClusterAnswer::Acknowledgement(payload)
                if state.others.answered < state.others.clients =>
            {
                state.others.answered += 1;
                let answer = Ok(AckReply::of(payload));
                state.replies.push(BroadcastReply { id: None, answer });
            }
            _ => return,
        }
        let is_complete = state.is_complete();
        drop(state);
        if is_complete {
            self.complete.notify_all();
        }
    }
}

impl ReplyPlace {
    fn fill(&mut self, answer: Result<AckReply>) {
        self.is_filled = true;
        let mut state = lock(&self.gathered.state);
        state.replies.push(BroadcastReply { id: Some(Arc::clone(&self.id)), answer });
        state.left -= 1;
        if state.is_complete() {
            self.gathered.complete.notify_all();
        }
    }
}

impl Drop for ReplyPlace {
    fn drop(&mut self) {
        if !self.is_filled {
            self.fill(Err(Error::new(ErrorKind::Disconnected, "the socket was not asked")));
        }
    }
}
