//! How long a server keeps connections between requests: what it says, and what it does.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use http::HeaderMap;

/// A connection that ends so soon behind an answer, the server ends behind each answer.
const HASTY: Duration = Duration::from_secs(1);

/// What is known of a manager's server, in a session.
#[derive(Debug, Default)]
pub(in crate::net) struct KeepAlive {
    /// The time of its `Keep-Alive` header, in seconds; zero while unknown.
    seconds: AtomicU32,
    /// It has ended a connection right behind an answer, without saying so.
    hasty: AtomicBool,
}

impl KeepAlive {
    /// Takes note of `Keep-Alive: timeout=5`.
    pub(super) fn note(&self, headers: &HeaderMap) {
        let seconds = headers
            .get("keep-alive")
            .and_then(|value| value.to_str().ok())
            .and_then(|value| {
                value.split(',').find_map(|part| part.trim().strip_prefix("timeout="))
            })
            .and_then(|seconds| seconds.parse().ok());
        if let Some(seconds) = seconds {
            self.seconds.store(seconds, Ordering::Relaxed);
        }
    }

    /// The server has ended a connection that was idle for so long.
    pub(super) fn note_end(&self, idle: Duration) {
        if idle < HASTY {
            self.hasty.store(true, Ordering::Relaxed);
        }
    }

    /// A session begins, perhaps with another server of the same name.
    pub(super) fn forget(&self) {
        self.seconds.store(0, Ordering::Relaxed);
        self.hasty.store(false, Ordering::Relaxed);
    }

    /// Whether the server may be about to close a connection that was idle for so long.
    ///
    /// Node's servers close after 5 s. Whoever writes a POST in that very moment does not learn whether
    /// it was read, so a connection is not used again in its last second, or in the last half of a
    /// shorter time. A server that closes behind each answer is not given a second request.
    pub(super) fn is_over(&self, idle: Duration) -> bool {
        let limit = Duration::from_secs(self.seconds.load(Ordering::Relaxed).into());
        let margin = Duration::from_secs(1).min(limit / 2);
        self.hasty.load(Ordering::Relaxed) || (!limit.is_zero() && idle + margin >= limit)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn told(value: &'static str) -> KeepAlive {
        let keep_alive = KeepAlive::default();
        let headers =
            [(http::HeaderName::from_static("keep-alive"), HeaderValue::from_static(value))];
        keep_alive.note(&HeaderMap::from_iter(headers));
        keep_alive
    }

    #[test]
    fn a_connection_is_not_used_in_the_end_of_its_time() {
        for (value, used, over) in
            [("timeout=5", 3_900, 4_000), ("max=9, timeout=2", 900, 1_000), ("timeout=1", 400, 500)]
        {
            let keep_alive = told(value);
            assert!(!keep_alive.is_over(Duration::from_millis(used)), "{value}");
            assert!(keep_alive.is_over(Duration::from_millis(over)), "{value}");
        }
        for value in ["timeout=0", "timeout=x", "max=5"] {
            assert!(!told(value).is_over(Duration::from_secs(3600)), "{value}");
        }
    }

    #[test]
    fn a_server_that_closes_behind_each_answer_is_known_by_it() {
        let keep_alive = KeepAlive::default();
        keep_alive.note_end(Duration::from_secs(1));
        assert!(!keep_alive.is_over(Duration::ZERO));
        keep_alive.note_end(Duration::from_millis(1));
        assert!(keep_alive.is_over(Duration::ZERO));
        keep_alive.forget();
        assert!(!keep_alive.is_over(Duration::ZERO));
    }
}
