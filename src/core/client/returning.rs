//! How namespaces come back to a server that has turned them away, by themselves or because the
//! program wants it.

use std::time::Duration;

use super::namespace::Phase;
use super::timer::Timer;
use super::{Client, Cycle, Output};
use crate::core::ids::NamespaceId;
use crate::core::time::Timestamp;
use crate::error::Rounded;
use crate::options::{Rejection, Rejections};
use crate::sync::logging::log_later;

impl<A> Client<A> {
    /// Sets after what a namespace comes back by itself.
    pub(crate) fn set_reconnect_after(&mut self, id: NamespaceId, after: Rejections) {
        if let Some(namespace) = self.namespaces.get_mut(id) {
            namespace.comeback.set_after(after);
        }
    }

    /// The server has turned a namespace away; gives when it is tried again by itself.
    pub(super) fn turned_away(
        &mut self,
        id: NamespaceId,
        rejection: Rejection,
        now: Timestamp,
    ) -> Option<Duration> {
        let comes_back = self.namespace(id).comeback.follows(rejection);
        let delay = self.failed_to_stay(id, comes_back, now);
        match delay {
            None => self.begin(id, Phase::Idle),
            Some(delay) => {
                let name = &self.namespace(id).name;
                log_later!(Debug, in name, "the next attempt to join is in {}", Rounded(delay));
                self.rest(id, now + delay, false);
            }
        }
        delay
    }

    /// Notes that a namespace was turned away, or could not be joined. Gives the delay before it comes
    /// back by itself, if it is to.
    pub(super) fn failed_to_stay(
        &mut self,
        id: NamespaceId,
        comes_back: bool,
        now: Timestamp,
    ) -> Option<Duration> {
        let random = self.random.f64();
        let comeback = &mut self.namespaces.get_mut(id)?.comeback;
        comeback.ended(&self.options, now);
        comeback.next(comes_back, &self.options, random, now)
    }

    /// When a namespace may be joined, unless it may be at once.
    pub(super) fn not_before(&self, id: NamespaceId, now: Timestamp) -> Option<Timestamp> {
        self.namespace(id).comeback.not_before(now)
    }

    /// Starts to join a namespace because the program wants it: at once, unless that has been in vain
    /// since a membership has lasted.
    pub(super) fn come(&mut self, id: NamespaceId, now: Timestamp) {
        if let Some(at) = self.not_before(id, now) {
            let set = self.timers.at(Timer::Join(id));
            return self.rest(id, set.map_or(at, |set| set.min(at)), true);
        }
        if let Some(namespace) = self.namespaces.get_mut(id) {
            namespace.comeback.asked_for();
        }
        self.wait_for_session(id, now, Self::open);
    }

    /// A namespace is joined as soon as there is a session; `open` is to bring one where there is none.
    fn wait_for_session(
        &mut self,
        id: NamespaceId,
        now: Timestamp,
        open: impl FnOnce(&mut Self, Timestamp),
    ) {
        self.begin(id, Phase::Waiting);
        match self.cycle {
            Cycle::Idle => open(self, now),
            Cycle::Open => self.rejoin(id, now),
            Cycle::Connecting | Cycle::Waiting => {}
        }
    }

    /// Lets a namespace wait out of the session.
    pub(super) fn rest(&mut self, id: NamespaceId, until: Timestamp, asked_for: bool) {
        self.begin(id, Phase::Resting { asked_for });
        self.timers.set(Timer::Join(id), Some(until));
    }

    /// A namespace that has waited is to be joined.
    pub(super) fn rest_is_over_for(&mut self, id: NamespaceId, now: Timestamp) {
        self.wait_for_session(id, now, Self::dial_in_turn);
    }

    /// Namespaces no longer come back by themselves.
    pub(super) fn end_rests(&mut self, into: Phase, ends: impl Fn(bool) -> bool) {
        for id in self.ids() {
            let phase = self.namespace(id).phase;
            if matches!(phase, Phase::Resting { asked_for } if ends(asked_for)) {
                self.begin(id, into);
                self.outputs.push_back(Output::Changed);
            }
        }
    }

    /// When the connection is tried next by itself, while it is not open or on its way.
    pub(crate) fn next_attempt(&self) -> Option<Timestamp> {
        let resting = |id: &NamespaceId| self.namespace(*id).is_resting();
        match self.cycle {
            Cycle::Waiting => self.timers.at(Timer::Reconnect),
            Cycle::Idle => {
                let ids = self.ids().into_iter().filter(resting);
                ids.filter_map(|id| self.timers.at(Timer::Join(id))).min()
            }
            Cycle::Connecting | Cycle::Open => None,
        }
    }
}
