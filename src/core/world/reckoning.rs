//! An account of the events that were emitted: what became of each.

use std::collections::{BTreeMap, BTreeSet};

use super::World;
use crate::core::ids::LinkId;
use crate::core::waiting::Waiting;
use crate::event::undelivered::UndeliveredEvent;
use crate::payload::Payload;

/// What became of the events that were taken on, by their numbers.
#[derive(Debug, Default)]
pub(in crate::core) struct Reckoning {
    /// Whether somebody waits for its acknowledgement.
    taken: BTreeMap<u32, bool>,
    /// Those that go out at once or not at all.
    volatile: BTreeSet<u32>,
    /// The acknowledgements that have come or failed, and how often.
    resolved: BTreeMap<u32, usize>,
    written: BTreeSet<u32>,
    /// How much of what a link has sent was looked at.
    seen: BTreeMap<LinkId, usize>,
    /// Those that were handed back as never sent.
    unsent: BTreeSet<u32>,
    /// Those that were handed back as sent.
    doubtful: BTreeSet<u32>,
    /// Those that were to be written or sent again at the last look.
    waiting: BTreeSet<u32>,
    /// Those that are nowhere any more, or were given up.
    gone: BTreeSet<u32>,
    /// How many were counted as dropped.
    dropped: usize,
    /// How many have given way to another of their key, at most, since the last look.
    replaced: usize,
    /// How many answers to the server's events were taken on.
    answers: usize,
}

/// The number of an event, and what stands before it in its packet.
pub(super) fn split(packet: &str) -> Option<(&str, u32)> {
    let (head, number) = packet.split_once("[\"e\",")?;
    Some((head, number.trim_end_matches(']').parse().unwrap()))
}

fn number(packet: &str) -> Option<u32> {
    split(packet).map(|(_, number)| number)
}

fn numbered(payload: &Payload) -> Option<u32> {
    number(&payload.json)
}

impl Reckoning {
    /// An event was taken on, which may take the place of another.
    pub(super) fn take_on(&mut self, number: u32, asks: bool, replaces: bool, volatile: bool) {
        self.taken.insert(number, asks);
        self.volatile.extend(volatile.then_some(number));
        self.replaced += usize::from(replaces);
    }

    /// An answer to an event of the server's was taken on.
    pub(super) fn take_on_answer(&mut self) {
        self.answers += 1;
    }

    /// Events were handed back.
    pub(super) fn hand_back(&mut self, events: &[UndeliveredEvent]) {
        for event in events {
            let Some(number) = numbered(event.payload()) else { continue };
            let set = if event.was_sent() { &mut self.doubtful } else { &mut self.unsent };
            assert!(set.insert(number), "{number} is handed back twice");
        }
    }

    /// Takes in what has happened since the last look, and holds it against what the client says.
    pub(super) fn check(&mut self, world: &mut World) {
        self.note_resolved(&world.log());
        self.note_written(world);
        let client = &world.client;
        let retried: BTreeSet<u32> = client.to_retry().filter_map(numbered).collect();
        let once = |waiting: &Waiting| waiting.payload().and_then(numbered);
        let mut waiting: BTreeSet<u32> = client.to_send().filter_map(once).collect();
        waiting.extend(&retried);
        for number in &self.unsent {
            let is_sent = self.written.contains(number) || waiting.contains(number);
            assert!(!is_sent, "{number} was handed back as never sent");
        }
        // A try that was given up is written all the same, if a session has it.
        let plain = client.to_send().filter(|waiting| waiting.ack().is_none());
        let mut kept: BTreeSet<u32> = plain.filter_map(once).collect();
        kept.extend(&retried);
        self.check_gone(world, &waiting, &kept);
        self.check_count(world, &kept);
        self.waiting = waiting;
    }

    fn note_resolved(&mut self, log: &[String]) {
        for line in log {
            let number = line.strip_prefix("ack ").and_then(|rest| rest.split([' ', ':']).next());
            if let Some(number) = number {
                *self.resolved.entry(number.parse().unwrap()).or_default() += 1;
            }
        }
    }

    fn note_written(&mut self, world: &World) {
        for (link, wire) in &world.links {
            let seen = self.seen.entry(*link).or_default();
            self.written.extend(wire.sent[*seen..].iter().filter_map(|text| number(text)));
            *seen = wire.sent.len();
        }
    }

    /// Each event is written, waits, was handed back, or was counted when it was dropped. One that is
    /// gone does not come back, unless a session had it.
    fn check_gone(&mut self, world: &World, waiting: &BTreeSet<u32>, kept: &BTreeSet<u32>) {
        let is_gone = |(number, asks): &(&u32, &bool)| {
            let waits = if **asks { waiting } else { kept };
            let places = [&self.written, waits, &self.unsent, &self.doubtful];
            !places.iter().any(|place| place.contains(number))
        };
        let gone = self.taken.iter().filter(is_gone).map(|(number, _)| *number).collect();
        let before = std::mem::replace(&mut self.gone, gone);
        let mut back = before.difference(&self.gone);
        assert!(back.all(|number| self.waiting.contains(number)), "{before:?} were gone");

        let newly: Vec<u32> = self.gone.difference(&before).copied().collect();
        let (asking, plain): (Vec<_>, Vec<_>) =
            newly.into_iter().partition(|number| self.taken[number]);
        for number in asking {
            assert!(self.resolved.contains_key(&number), "{number} is gone, and awaited");
        }
        let dropped = world.client.tally().dropped;
        let newly_dropped = dropped - std::mem::replace(&mut self.dropped, dropped);
        let replaced = std::mem::take(&mut self.replaced);
        assert!(
            plain.len() <= newly_dropped + replaced,
            "{plain:?} are gone, {newly_dropped} were dropped, {replaced} replaced"
        );
    }

    /// What waits, or waits for its acknowledgement, is counted as not delivered.
    fn check_count(&self, world: &World, kept: &BTreeSet<u32>) {
        let is_owed = |(number, asks): &(&u32, &bool)| {
            if **asks { !self.resolved.contains_key(number) } else { kept.contains(number) }
        };
        let owed = self.taken.iter().filter(is_owed).count();
        let counted = world.client.count_waiting(None);
        let most = owed + self.answers;
        assert!((owed..=most).contains(&counted), "{counted} wait, of {owed} to {most}");
        assert!(counted > 0 || !world.client.is_delivering(None));
    }

    /// Of what was written without an acknowledgement, each is handed back, was read, or was let go and counted; and what
    /// is known to have been read is not handed back.
    pub(super) fn check_read(&self, world: &World) {
        let mut lost = Vec::new();
        for wire in world.links.values() {
            for (index, text) in wire.sent.iter().enumerate() {
                let Some((head, number)) = split(text) else { continue };
                if head.ends_with(|last: char| last.is_ascii_digit() && head != "42") {
                    continue;
                }
                let is_back = self.doubtful.contains(&number);
                assert!(!is_back || index >= wire.read, "{number} was read, and handed back");
                let is_known = is_back || index < wire.read.max(wire.read_by_any);
                if !is_known && !self.volatile.contains(&number) {
                    lost.push(number);
                }
            }
        }
        let let_go = world.client.tally().unconfirmed;
        let keeps = world.client.options().limits.unconfirmed_bytes > 0;
        assert!(!keeps || lost.len() <= let_go, "{lost:?} are lost, {let_go} were let go");
    }

    /// Nothing waits any more, and each acknowledgement has resolved once.
    pub(super) fn assert_settled(&self, world: &World) {
        assert_eq!(world.client.count_waiting(None), 0);
        assert_eq!((world.client.to_send().count(), world.client.to_retry().count()), (0, 0));
        let asking = self.taken.iter().filter(|(_, asks)| **asks);
        let once: BTreeMap<u32, usize> = asking.map(|(number, _)| (*number, 1)).collect();
        assert_eq!(self.resolved, once, "each acknowledgement resolves once");
    }
}
