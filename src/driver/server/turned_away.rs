//! Those who are turned away, of whom the log tells sparingly: who was turned away mostly comes again, and one mad device is not to
//! fill a disk.

use std::fmt;
use std::sync::Mutex;
use std::time::Duration;

use crate::core::time::Timestamp;
use crate::sync::lock::lock;
use crate::sync::logging::log_later;

/// How often a line tells of one cause, whoever is turned away.
const PERIOD: Duration = Duration::from_secs(60);

/// Why somebody is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TurnedAway {
    /// There are too many connections.
    Connections,
    /// There are too many from one address.
    ConnectionsOfAddress,
    /// The same of clients, which need no connection while they poll.
    Clients,
    ClientsOfAddress,
    /// The requests that opened sessions take too much memory.
    Heads,
    /// A page of another origin.
    Origin,
    /// The server is not known by that name.
    Host,
    /// The system has no descriptor or no memory for a connection.
    System,
}

const CAUSES: usize = TurnedAway::System as usize + 1;

/// What the log was told of each cause.
#[derive(Default)]
pub(super) struct TurnedAwayLog(Mutex<[Told; CAUSES]>);

#[derive(Clone, Copy, Default)]
struct Told {
    /// Before that, no line tells of the cause again.
    until: Option<Timestamp>,
    /// How many were turned away since the last line, which told of the first of them.
    since: u32,
}

impl TurnedAwayLog {
    /// Somebody is turned away: a warning, if none tells of the same cause already.
    pub(super) fn tell(&self, cause: TurnedAway, now: Timestamp, words: impl fmt::Display) {
        match self.note(cause, now) {
            None => log_later!(Debug, "{words}"),
            Some(0) => log_later!(Warn, "{words}"),
            Some(unsaid) => log_later!(Warn, "{words} (and {unsaid} before, in the same way)"),
        }
    }

    /// How many were turned away in the same way since a warning told of that; `None`: that was just now.
    fn note(&self, cause: TurnedAway, now: Timestamp) -> Option<u32> {
        let told = &mut lock(&self.0)[cause as usize];
        if told.until.is_some_and(|until| now < until) {
            told.since = told.since.saturating_add(1);
            return None;
        }
        told.until = Some(now + PERIOD);
        Some(std::mem::take(&mut told.since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_has_a_line_at_once_and_then_one_in_a_minute_for_all_since() {
        let log = TurnedAwayLog::default();
        let at = |seconds| Timestamp(Duration::from_secs(seconds));
        assert_eq!(log.note(TurnedAway::Clients, at(100)), Some(0));
        for second in 100..160 {
            assert_eq!(log.note(TurnedAway::Clients, at(second)), None);
        }
        for other in [TurnedAway::Connections, TurnedAway::Origin, TurnedAway::System] {
            assert_eq!(log.note(other, at(130)), Some(0), "another cause");
        }
        assert_eq!(log.note(TurnedAway::Clients, at(160)), Some(60));
        assert_eq!(log.note(TurnedAway::Clients, at(219)), None);
        assert_eq!(log.note(TurnedAway::Clients, at(5000)), Some(1));
    }
}
