//! Reliable events over links of every kind: each resolves once, and what a server applies that drops
//! duplicates is in order, once.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::core::load::Load;
use crate::options::retry_limits::RetryLimits;

#[derive(Clone, Debug)]
enum Step {
    Emit {
        reliable: bool,
        timeout: Option<u64>,
    },
    /// The server reads as many of the packets that have come.
    Read(usize),
    /// The server acknowledges one of those that it has read.
    Acknowledge(usize),
    /// The server forgets to acknowledge one.
    Forget(usize),
    Lose,
    Return,
    Slow(bool),
    Written,
    Advance(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (proptest::bool::weighted(0.9), proptest::option::weighted(0.2, 0..60_000_u64))
            .prop_map(|(reliable, timeout)| Step::Emit { reliable, timeout }),
        12 => (1..6_usize).prop_map(Step::Read),
        16 => (0..20_usize).prop_map(Step::Acknowledge),
        2 => (0..20_usize).prop_map(Step::Forget),
        2 => Just(Step::Lose),
        4 => Just(Step::Return),
        1 => any::<bool>().prop_map(Step::Slow),
        4 => Just(Step::Written),
        4 => (0..12_000_u64).prop_map(Step::Advance),
    ]
}

/// A client with a server that remembers as many keys as the window has.
struct Shop {
    world: World,
    root: NamespaceId,
    window: usize,
    emitted: u32,
    /// Those of them that may be given up.
    doubtful: BTreeSet<u32>,
    resolved: BTreeMap<u32, Vec<bool>>,
    /// How many packets of the link the server has read.
    read: usize,
    remembered: VecDeque<u32>,
    applied: Vec<u32>,
    /// The acknowledgements that the server has yet to give on this link.
    due: Vec<u64>,
}

impl Shop {
    fn new(window: usize, retries: Option<u32>) -> Self {
        let (mut world, root) = World::joined();
        let limits = RetryLimits { window, interruptions: u32::MAX, ..RetryLimits::default() };
        world.client.set_retry_limits(root, limits);
        world.client.set_retries(root, retries);
        Self {
            world,
            root,
            window,
            emitted: 0,
            doubtful: BTreeSet::new(),
            resolved: BTreeMap::new(),
            read: 0,
            remembered: VecDeque::new(),
            applied: Vec::new(),
            due: Vec::new(),
        }
    }

    fn is_joined(&self) -> bool {
        self.world.namespace(self.root).status().is_some()
    }

    fn apply(&mut self, step: &Step) {
        match step {
            Step::Emit { reliable, timeout } => self.emit(*reliable, *timeout),
            Step::Read(count) => self.read(*count),
            Step::Acknowledge(index) if !self.due.is_empty() && self.is_joined() => {
                let ack = self.due.remove(index % self.due.len());
                self.world.receive(&format!("43{ack}[]"));
            }
            Step::Forget(index) if !self.due.is_empty() => {
                self.due.remove(index % self.due.len());
            }
            Step::Lose if self.is_joined() => self.world.drop_link(),
            Step::Return if !self.is_joined() => self.come_back(),
            Step::Slow(slow) => self.world.slow = *slow,
            Step::Written => self.world.written(),
            Step::Advance(millis) => self.world.advance(Duration::from_millis(*millis)),
            _ => {}
        }
        self.look();
    }

    fn emit(&mut self, reliable: bool, timeout: Option<u64>) {
        let number = self.emitted;
        self.emitted += 1;
        // Without a limit, a try that nobody acknowledges is the last.
        let timeout = timeout.or((!reliable).then_some(5000));
        if timeout.is_some() {
            self.doubtful.insert(number);
        }
        let emit = Emit {
            reliable,
            ack: Some(number),
            timeout: timeout.map(Duration::from_millis),
            ..emit(&format!("[\"e\",{number}]"))
        };
        self.world.try_emit(self.root, emit).map_err(refusal).unwrap();
    }

    /// As the ten lines in the documentation do.
    fn read(&mut self, count: usize) {
        let link = self.world.last_link;
        let Some(wire) = self.world.links.get(&link).filter(|_| self.is_joined()) else { return };
        let packets: Vec<String> = wire.sent.iter().skip(self.read).take(count).cloned().collect();
        self.read += packets.len();
        for packet in packets {
            let event = packet.strip_prefix("42").and_then(|rest| rest.split_once("[\"e\","));
            let Some((ack, number)) = event else { continue };
            let number = number.trim_end_matches(']').parse().unwrap();
            self.due.push(ack.parse().unwrap());
            if !self.remembered.contains(&number) {
                self.applied.push(number);
                self.remembered.push_back(number);
                if self.remembered.len() > self.window {
                    self.remembered.pop_front();
                }
            }
        }
    }

    fn come_back(&mut self) {
        if self.world.client.engine().is_none() {
            self.world.dial();
        }
        self.world.open();
        self.world.receive("40{\"sid\":\"b\"}");
        self.read = 0;
        self.due.clear();
    }

    /// What the callers saw, and what was written in each session.
    fn look(&mut self) {
        for line in self.world.log() {
            let Some(rest) = line.strip_prefix("ack ") else { continue };
            let (number, is_success) = match rest.split_once(" failed: ") {
                Some((number, _)) => (number, false),
                None => (rest.split(':').next().unwrap(), true),
            };
            self.resolved.entry(number.parse().unwrap()).or_default().push(is_success);
        }
    }

    /// The link is good from now on, and the server does what it should.
    fn finish(&mut self) {
        self.world.slow = false;
        for _ in 0..1000 {
            if self.world.namespace(self.root).buffered() == Load::default() {
                return;
            }
            if !self.is_joined() {
                self.come_back();
            }
            self.world.written();
            self.read(usize::MAX);
            for ack in std::mem::take(&mut self.due) {
                self.world.receive(&format!("43{ack}[]"));
            }
            if self.due.is_empty()
                && self.world.links[&self.world.last_link].sent.len() == self.read
            {
                self.world.receive("2");
                self.world.advance(Duration::from_secs(1));
            }
            self.look();
        }
        panic!("the queue does not come to its end");
    }

    /// In each session, events were sent for the first time in their order.
    fn check_sessions(&self) -> Result<(), TestCaseError> {
        for wire in self.world.links.values() {
            let numbers =
                wire.sent.iter().filter_map(|text| text.split_once("[\"e\",")?.1.strip_suffix(']'));
            let mut seen = BTreeSet::new();
            let first: Vec<u32> = numbers
                .map(|number| number.parse().unwrap())
                .filter(|number| seen.insert(*number))
                .collect();
            prop_assert!(first.is_sorted(), "{:?}", first);
        }
        Ok(())
    }
}

proptest! {
    #[test]
    fn reliable_events_are_applied_once_and_in_order(
        window in 1..10_usize,
        retries in proptest::option::of(0..3_u32),
        steps in vec(step(), 0..200),
    ) {
        let mut shop = Shop::new(window, retries);
        for step in &steps {
            // Without retries, events that are not reliable would not be in the queue.
            if retries.is_some() || !matches!(step, Step::Emit { reliable: false, .. }) {
                shop.apply(step);
            }
        }
        shop.finish();
        shop.look();
        shop.check_sessions()?;
        prop_assert!(shop.applied.is_sorted(), "{:?}", shop.applied);
        let applied: BTreeSet<u32> = shop.applied.iter().copied().collect();
        prop_assert_eq!(applied.len(), shop.applied.len(), "nothing is applied twice");
        for number in 0..shop.emitted {
            let resolved = shop.resolved.get(&number).cloned().unwrap_or_default();
            prop_assert_eq!(resolved.len(), 1, "{} resolves once: {:?}", number, resolved);
            prop_assert!(resolved[0] || shop.doubtful.contains(&number), "{} is given up", number);
            prop_assert!(!resolved[0] || applied.contains(&number), "{} is not applied", number);
        }
        shop.world.run(Client::shut_down);
        shop.world.advance(Duration::from_secs(60));
        shop.world.assert_at_rest();
    }
}
