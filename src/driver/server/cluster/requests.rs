//! What other servers were asked, and have yet to answer.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use crate::core::server::cluster::{ClusterAnswer, RequestId};
use crate::error::{Error, ErrorKind, Result};
use crate::sync::lock::{Locked, lock};

/// What was asked of other servers, by the names of the requests.
#[derive(Default)]
pub(in crate::driver::server) struct ClusterRequests(
    Mutex<HashMap<RequestId, Arc<dyn TakeAnswer>>>,
);

/// Takes answers of other servers.
pub(in crate::driver::server) trait TakeAnswer: Send + Sync {
    /// One of them has answered.
    fn take_answer(&self, answer: ClusterAnswer);
}

impl ClusterRequests {
    pub(in crate::driver::server) fn begin(&self, id: RequestId, taker: Arc<dyn TakeAnswer>) {
        lock(&self.0).insert(id, taker);
    }

    pub(in crate::driver::server) fn end(&self, id: &RequestId) {
        let taker = lock(&self.0).remove(id);
        drop(taker);
    }

    /// An answer has come; one to what nobody asks any more is ignored.
    pub(in crate::driver::server) fn answered(&self, id: &RequestId, answer: ClusterAnswer) {
        let taker = lock(&self.0).get(id).cloned();
        if let Some(taker) = taker {
            taker.take_answer(answer);
        }
    }
}

/// The answers to one request: one of each server.
#[derive(Default)]
pub(in crate::driver::server) struct AnswersOfServers {
    state: Mutex<ServersAsked>,
    changed: Condvar,
}

#[derive(Default)]
struct ServersAsked {
    /// How many were asked, once that is known.
    asked: Option<Result<usize>>,
    answers: Vec<ClusterAnswer>,
}

impl ServersAsked {
    fn is_complete(&self) -> bool {
        match &self.asked {
            None => false,
            Some(Err(_)) => true,
            Some(Ok(count)) => self.answers.len() >= *count,
        }
    }
}

impl AnswersOfServers {
    /// So many servers are asked, or none can be.
    pub(in crate::driver::server) fn asked(&self, count: Result<usize>) {
        let mut state = lock(&self.state);
        state.asked.get_or_insert(count);
        drop(state);
        self.changed.notify_all();
    }

    /// Waits until all have answered, or the deadline has passed: gives what has come, and what is missing.
    pub(in crate::driver::server) fn wait(
        &self,
        limit: Duration,
    ) -> (Vec<ClusterAnswer>, Option<Error>) {
        let deadline = Instant::now().checked_add(limit);
        let mut state = lock(&self.state);
        while !state.is_complete() {
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                break;
            }
            state = state.wait(&self.changed, left);
        }
        let missing = missing(&state);
        (std::mem::take(&mut state.answers), missing)
    }

    /// How many servers were asked.
    pub(in crate::driver::server) fn count(&self, limit: Duration) -> Result<usize> {
        let deadline = Instant::now().checked_add(limit);
        let mut state = lock(&self.state);
        loop {
            if let Some(count) = &state.asked {
                return count.clone();
            }
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return Err(uncounted());
            }
            state = state.wait(&self.changed, left);
        }
    }
}

fn missing(state: &Locked<'_, ServersAsked>) -> Option<Error> {
    match &state.asked {
        None => Some(uncounted()),
        Some(Err(error)) => Some(error.clone()),
        Some(Ok(count)) => silent(state.answers.len(), *count),
    }
}

impl TakeAnswer for AnswersOfServers {
    fn take_answer(&self, answer: ClusterAnswer) {
        let mut state = lock(&self.state);
        if state.is_complete() {
            return;
        }
        state.answers.push(answer);
        drop(state);
        self.changed.notify_all();
    }
}

/// What is said where so many of so many other servers have answered.
pub(in crate::driver::server) fn silent(answered: usize, asked: usize) -> Option<Error> {
    (answered < asked).then(|| {
        let what = format!("{answered} of {asked} other servers have answered in time");
        Error::new(ErrorKind::Timeout, what)
    })
}

/// What is said where it is not known in time how many others there are.
pub(in crate::driver::server) fn uncounted() -> Error {
    Error::new(ErrorKind::Timeout, "the other servers of the cluster could not be asked in time")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(60);

    #[test]
    fn an_answer_may_come_before_it_is_known_how_many_are_asked() {
        let answers = AnswersOfServers::default();
        answers.take_answer(ClusterAnswer::Clients(1));
        answers.asked(Ok(2));
        answers.take_answer(ClusterAnswer::Clients(2));
        answers.take_answer(ClusterAnswer::Clients(3));
        let (came, missing) = answers.wait(LIMIT);
        assert_eq!(came, [ClusterAnswer::Clients(1), ClusterAnswer::Clients(2)]);
        assert!(missing.is_none());
    }

    #[test]
    fn the_error_names_how_many_have_answered() {
        let answers = AnswersOfServers::default();
        answers.asked(Ok(3));
        answers.take_answer(ClusterAnswer::Clients(1));
        let (came, missing) = answers.wait(Duration::from_millis(1));
        assert_eq!((came.len(), missing.as_ref().map(Error::kind)), (1, Some(ErrorKind::Timeout)));
        assert!(missing.unwrap().to_string().contains("1 of 3 other servers"));
    }

    #[test]
    fn answers_come_to_a_request_until_it_ends() {
        let requests = ClusterRequests::default();
        let answers = Arc::<AnswersOfServers>::default();
        let id = RequestId("a".into());
        requests.begin(id.clone(), Arc::clone(&answers) as _);
        requests.answered(&RequestId("b".into()), ClusterAnswer::Clients(1));
        requests.answered(&id, ClusterAnswer::Clients(2));
        requests.end(&id);
        requests.answered(&id, ClusterAnswer::Clients(3));
        answers.asked(Ok(1));
        assert_eq!(answers.wait(LIMIT).0, [ClusterAnswer::Clients(2)]);
        assert_eq!(Arc::strong_count(&answers), 1);
    }

    #[test]
    fn nobody_waits_for_servers_that_cannot_be_asked() {
        let answers = AnswersOfServers::default();
        answers.asked(Err(Error::new(ErrorKind::Transport, "away")));
        assert_eq!(answers.wait(LIMIT).1.unwrap().kind(), ErrorKind::Transport);
        assert_eq!(answers.count(LIMIT).unwrap_err().kind(), ErrorKind::Transport);
    }
}
