//! All interleavings of a thread, two who wait, one who emits, the peer, and deadlines, as a model. What is done
//! under one hold of a lock is one step of it, where nothing in between can be seen by others.

use std::collections::HashSet;

use super::*;

/// Who takes steps.
const CALLERS: usize = 2;

/// What the peer sends by itself, beside the answers.
const EVENTS: u8 = 1;

/// What the protocol does so that nothing is missed; the tests leave out one at a time.
#[derive(Clone, Copy, Debug)]
struct Rules {
    /// Who leaves something wakes the thread.
    wakes: bool,
    /// Who goes has the lookout look for the socket again.
    gives_back: bool,
    /// Who brings an answer rings.
    rings: bool,
    /// Who is about to wait at the lookout looks whether the answer is there.
    looks: bool,
}

const ALL: Rules = Rules { wakes: true, gives_back: true, rings: true, looks: true };

/// What lies in the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Message {
    Event,
    /// For this caller.
    Answer(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Thread {
    /// Before a turn; whether there may be something to read.
    Before { readable: bool },
    /// It has the lock, and has read.
    Exchanging,
    /// It has released the lock; what is next.
    After { more: bool, by_lookout: bool },
    /// In poll(2).
    Waiting { by_lookout: bool },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Caller {
    /// Before it emits.
    Idle,
    /// It has queued, and is to write if it can.
    Writing,
    /// It has written.
    Written,
    /// It stands in, and is about to say that it will wait at the lookout.
    Standing,
    /// In poll(2).
    Looking,
    /// The wait has ended.
    Looked {
        readable: bool,
    },
    /// It has the lock, and has read.
    Exchanging,
    /// It has released the lock.
    After(Remaining),
    Leaving(Remaining),
    /// It waits for nothing but the answer.
    Following,
    Gone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Slot {
    Pending,
    LookedOutFor,
    Resolved,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    socket: Vec<Message>,
    events_sent: u8,
    /// Whose question the peer has read.
    asked: [bool; CALLERS],
    answered: [bool; CALLERS],
    /// The thread's eventfd, and the lookout's.
    wake: bool,
    bell: bool,
    has_lookout: bool,
    looks_for_socket: bool,
    relief: Relief,
    /// Who has the wire.
    is_locked: bool,
    /// What is queued, by whom.
    queue: Vec<usize>,
    asleep: bool,
    /// Something was read and is yet to be handed in, which the thread alone can see to.
    is_left: bool,
    slots: [Slot; CALLERS],
    /// Answers that were read by the thread, and by the callers, and are yet to be brought.
    brought: [Vec<usize>; CALLERS + 1],
    thread: Thread,
    callers: [Caller; CALLERS],
    /// One deadline passes, of the first caller's answer.
    has_expired: bool,
    /// Who does not wait for longer.
    gave_up: [bool; CALLERS],
}

impl World {
    fn new() -> Self {
        Self {
            socket: Vec::new(),
            events_sent: 0,
            asked: [false; CALLERS],
            answered: [false; CALLERS],
            wake: false,
            bell: false,
            has_lookout: false,
            looks_for_socket: false,
            relief: Relief::default(),
            is_locked: false,
            queue: Vec::new(),
            asleep: false,
            is_left: false,
            slots: [Slot::Pending; CALLERS],
            brought: Default::default(),
            thread: Thread::Before { readable: true },
            callers: [Caller::Idle; CALLERS],
            has_expired: false,
            gave_up: [false; CALLERS],
        }
    }

    fn is_readable(&self) -> bool {
        !self.socket.is_empty()
    }

    /// Reads all there is; the answers are kept by the reader until the locks are released.
    fn read(&mut self, reader: usize) {
        for message in std::mem::take(&mut self.socket) {
            if let Message::Answer(caller) = message {
                self.brought[reader].push(caller);
            }
        }
    }

    /// Takes what is queued and writes it. `false`: there is nothing, and the thread counts as asleep.
    fn exchange(&mut self) -> bool {
        let queue = std::mem::take(&mut self.queue);
        self.asleep = queue.is_empty();
        for caller in &queue {
            self.asked[*caller] = true;
        }
        !queue.is_empty()
    }

    fn resolve(&mut self, caller: usize, rules: Rules) {
        if self.slots[caller] == Slot::LookedOutFor && rules.rings {
            self.bell = true;
        }
        self.slots[caller] = Slot::Resolved;
    }

    fn bring(&mut self, reader: usize, rules: Rules) {
        for caller in std::mem::take(&mut self.brought[reader]) {
            self.resolve(caller, rules);
        }
    }

    /// All that can happen next.
    fn next(&self, rules: Rules) -> Vec<Self> {
        let mut all = Vec::new();
        self.step_peer(&mut all);
        self.step_thread(rules, &mut all);
        for caller in 0..CALLERS {
            self.step_caller(caller, rules, &mut all);
        }
        if !self.has_expired && self.asked[0] && self.slots[0] != Slot::Resolved {
            let mut world = self.clone();
            world.has_expired = true;
            world.resolve(0, rules);
            all.push(world);
        }
        all
    }

    fn step_peer(&self, all: &mut Vec<Self>) {
        if self.events_sent < EVENTS {
            let mut world = self.clone();
            world.events_sent += 1;
            world.socket.push(Message::Event);
            all.push(world);
        }
        for caller in 0..CALLERS {
            if self.asked[caller] && !self.answered[caller] {
                let mut world = self.clone();
                world.answered[caller] = true;
                world.socket.push(Message::Answer(caller));
                all.push(world);
            }
        }
    }

    fn step_thread(&self, rules: Rules, all: &mut Vec<Self>) {
        let mut world = self.clone();
        match self.thread {
            Thread::Before { .. } if self.is_locked => return,
            Thread::Before { readable } => {
                world.is_locked = true;
                world.relief.thread_goes_on();
                world.is_left = false;
                if readable {
                    world.read(CALLERS);
                }
                world.thread = Thread::Exchanging;
            }
            Thread::Exchanging => {
                let more = world.exchange();
                let by_lookout = !more && world.has_lookout;
                if by_lookout {
                    world.relief.thread_rests();
                }
                world.is_locked = false;
                world.thread = Thread::After { more, by_lookout };
            }
            Thread::After { more, by_lookout } => {
                world.bring(CALLERS, rules);
                world.thread = if more {
                    Thread::Before { readable: false }
                } else {
                    Thread::Waiting { by_lookout }
                };
            }
            Thread::Waiting { by_lookout } => {
                let readable = self.is_readable() && (!by_lookout || self.looks_for_socket);
                if !readable && !self.wake {
                    return;
                }
                world.wake = false;
                world.thread = Thread::Before { readable };
            }
        }
        all.push(world);
    }

    fn step_caller(&self, caller: usize, rules: Rules, all: &mut Vec<Self>) {
        let mut world = self.clone();
        match self.callers[caller] {
            Caller::Idle => {
                world.queue.push(caller);
                world.callers[caller] = Caller::Written;
                if std::mem::take(&mut world.asleep) {
                    world.callers[caller] = Caller::Writing;
                    // What comes in quick succession is the thread's.
                    let mut quick = world.clone();
                    quick.wake = true;
                    quick.callers[caller] = Caller::Written;
                    all.push(quick);
                }
            }
            Caller::Writing => {
                if self.is_locked || world.exchange() && world.exchange() {
                    world.wake = true;
                }
                world.callers[caller] = Caller::Written;
            }
            Caller::Written => world.take_over(caller),
            Caller::Standing if rules.looks && self.slots[caller] == Slot::Resolved => {
                world.callers[caller] = Caller::Leaving(Remaining::Nothing);
            }
            Caller::Standing => {
                world.slots[caller] = Slot::LookedOutFor;
                world.callers[caller] = Caller::Looking;
            }
            Caller::Looking => {
                let is_ready = self.is_readable() || self.bell;
                world.bell = false;
                if self.slots[caller] == Slot::LookedOutFor {
                    world.slots[caller] = Slot::Pending;
                }
                // The last caller's limit may pass.
                if caller == CALLERS - 1 && !is_ready {
                    let mut late = world.clone();
                    late.gave_up[caller] = true;
                    late.callers[caller] = Caller::Leaving(Remaining::Nothing);
                    all.push(late);
                }
                if !is_ready {
                    return;
                }
                world.callers[caller] = Caller::Looked { readable: self.is_readable() };
            }
            Caller::Looked { readable: false } => world.callers[caller] = Caller::Standing,
            Caller::Looked { .. } | Caller::After(Remaining::More) | Caller::Leaving(_)
                if self.is_locked =>
            {
                return;
            }
            Caller::Looked { .. } => {
                world.is_locked = true;
                world.read(caller);
                world.callers[caller] = Caller::Exchanging;
            }
            Caller::Exchanging => {
                world.is_locked = false;
                let remaining = if world.exchange() { Remaining::More } else { Remaining::Nothing };
                world.callers[caller] = Caller::After(remaining);
                // A consumer is full, the socket is, the connection has ended, or there was a panic.
                let mut left = world.clone();
                left.is_left = true;
                left.callers[caller] = Caller::After(Remaining::OfThread);
                all.push(left);
            }
            Caller::After(remaining) => {
                world.bring(caller, rules);
                let is_here = world.slots[caller] == Slot::Resolved;
                world.callers[caller] = match remaining {
                    Remaining::More if is_here => Caller::Leaving(Remaining::OfThread),
                    Remaining::More => {
                        world.is_locked = true;
                        Caller::Exchanging
                    }
                    Remaining::Nothing => Caller::Standing,
                    Remaining::OfThread => Caller::Leaving(Remaining::OfThread),
                };
            }
            Caller::Leaving(remaining) => {
                world.relief.end();
                world.looks_for_socket |= rules.gives_back;
                world.wake |= remaining != Remaining::Nothing && rules.wakes;
                world.callers[caller] = Caller::Following;
            }
            Caller::Following if self.slots[caller] != Slot::Resolved && !self.gave_up[caller] => {
                return;
            }
            Caller::Following => world.callers[caller] = Caller::Gone,
            Caller::Gone => return,
        }
        all.push(world);
    }

    fn take_over(&mut self, caller: usize) {
        self.callers[caller] = Caller::Following;
        if self.is_locked {
        } else if !self.has_lookout {
            (self.has_lookout, self.looks_for_socket) = (true, true);
        } else if self.relief.is_possible() {
            self.relief.begin();
            self.looks_for_socket = false;
            self.callers[caller] = Caller::Standing;
        }
    }

    /// What is wrong, where nothing happens any more.
    fn check(&self) -> Result<(), &'static str> {
        let all_gone = self.callers.iter().all(|caller| *caller == Caller::Gone);
        let is_relieved = self.relief != Relief { rests: self.relief.rests, has_begun: false };
        if !all_gone {
            Err("a caller waits for ever")
        } else if self.is_readable() || !self.queue.is_empty() || self.is_left {
            Err("something is left")
        } else if is_relieved || !matches!(self.thread, Thread::Waiting { .. }) {
            Err("the thread does not wait")
        } else {
            Ok(())
        }
    }
}

/// Goes through all that can happen: how many states there are, or what goes wrong.
fn explore(rules: Rules) -> Result<usize, &'static str> {
    let mut known = HashSet::new();
    let mut to_visit = vec![World::new()];
    while let Some(world) = to_visit.pop() {
        if !known.insert(world.clone()) {
            continue;
        }
        let next = world.next(rules);
        if next.is_empty() {
            world.check()?;
        }
        to_visit.extend(next);
    }
    Ok(known.len())
}

#[test]
fn in_no_interleaving_is_anything_missed() {
    let states = explore(ALL).unwrap();
    assert!(states > 10_000, "{states}");
}

#[test]
fn each_rule_is_needed() {
    for rules in [
        Rules { wakes: false, ..ALL },
        Rules { gives_back: false, ..ALL },
        Rules { rings: false, ..ALL },
        Rules { looks: false, ..ALL },
    ] {
        assert!(explore(rules).is_err(), "{rules:?}");
    }
}

#[test]
fn one_may_stand_in_while_the_thread_rests() {
    let mut relief = Relief::default();
    assert!(!relief.is_possible());
    relief.thread_rests();
    assert!(relief.is_possible());
    relief.begin();
    assert!(!relief.is_possible());
    relief.end();
    assert!(relief.is_possible());
    relief.thread_goes_on();
    assert!(!relief.is_possible());
}
