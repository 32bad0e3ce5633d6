//! All interleavings of the threads that serve, with whatever time passes between their steps.

use std::collections::{HashSet, VecDeque};

use super::*;

/// What serving needs; there is one of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct It;

/// What a thread is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum At {
    Leading,
    /// At a handler, which may take for ever.
    Away(Absence),
    /// Asleep until the timer goes off.
    Following,
}

/// The timer of the follower. To set it takes back that it went off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Timer {
    is_set: bool,
    went_off: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    shift: Shift<It>,
    timer: Timer,
    threads: Vec<At>,
    has_ended: bool,
}

/// How often leaders leave, and so how many threads there may be.
const LEAVES: u64 = 4;

const BEGIN: Timestamp = Timestamp(Duration::from_secs(1));

impl World {
    fn new() -> Self {
        let threads = vec![At::Leading];
        Self { shift: Shift::default(), timer: Timer::default(), threads, has_ended: false }
    }

    fn set_timer(&mut self) {
        self.timer = Timer { is_set: true, went_off: false };
    }

    /// As `Leadership::attend` leaves. Where no thread can be started, nobody looks.
    fn leave(&mut self, thread: usize, can_start: bool) {
        let absence = self.shift.leave(It, BEGIN);
        self.threads[thread] = At::Away(absence);
        if self.shift.is_watched() {
            return;
        }
        if !self.shift.is_followed() {
            if !can_start {
                return;
            }
            self.threads.push(At::Following);
        }
        self.shift.watch();
        self.set_timer();
    }

    fn come_back(&mut self, thread: usize, absence: Absence) {
        if let Some(It) = self.shift.come_back(absence) {
            self.threads[thread] = At::Leading;
        } else if self.shift.follow() {
            self.threads[thread] = At::Following;
            self.set_timer();
        } else {
            self.threads.remove(thread);
        }
    }

    fn look(&mut self, thread: usize, now: Timestamp) {
        self.timer.went_off = false;
        match self.shift.look(now) {
            Look::Sleep(time) => {
                assert!(time > Duration::ZERO && time <= IDLE);
                self.set_timer();
            }
            Look::Lead(It) => self.threads[thread] = At::Leading,
            Look::End => drop(self.threads.remove(thread)),
        }
    }

    /// All that may happen next.
    fn successors(&self) -> Vec<Self> {
        let mut all = Vec::new();
        let mut after = |step: &dyn Fn(&mut Self)| {
            let mut next = self.clone();
            step(&mut next);
            all.push(next);
        };
        if self.timer.is_set {
            after(&|world| world.timer = Timer { is_set: false, went_off: true });
        }
        for (thread, at) in self.threads.iter().enumerate() {
            match *at {
                At::Leading => {
                    if self.shift.absences < LEAVES {
                        after(&|world| world.leave(thread, true));
                        after(&|world| world.leave(thread, false));
                    }
                    after(&|world| {
                        world.threads.remove(thread);
                        world.has_ended = true;
                        world.shift.end();
                        world.set_timer();
                    });
                }
                At::Away(absence) => {
                    after(&|world| world.come_back(thread, absence));
                    after(&|world| {
                        if world.shift.note_wait(absence) {
                            world.set_timer();
                        }
                    });
                }
                At::Following if self.timer.went_off => {
                    after(&|world| world.look(thread, BEGIN));
                    after(&|world| world.look(thread, BEGIN + GRACE));
                }
                At::Following => {}
            }
        }
        all
    }

    fn count(&self, is_it: impl Fn(&At) -> bool) -> usize {
        self.threads.iter().filter(|at| is_it(at)).count()
    }

    fn check(&self) {
        let leading = self.count(|at| *at == At::Leading);
        let laid_down = usize::from(self.shift.laid_down.is_some());
        assert_eq!(leading + laid_down, usize::from(!self.has_ended), "one leads: {self:?}");
        let following = self.count(|at| *at == At::Following);
        assert_eq!(following, usize::from(self.shift.is_followed), "{self:?}");
        assert!(!self.shift.is_watched || following == 1, "{self:?}");
        let may_look = self.timer.is_set || self.timer.went_off;
        assert!(following == 0 || may_look, "the follower sleeps for ever: {self:?}");
    }

    /// Whoever is away stays so: the follower, alone, leads soon, or ends with the server.
    fn check_that_the_follower_helps(&self) {
        let mut world = self.clone();
        for _ in 0..3 {
            let follower = world.threads.iter().position(|at| *at == At::Following);
            let Some(follower) = follower else { break };
            world.timer = Timer { is_set: false, went_off: true };
            world.look(follower, BEGIN + GRACE);
        }
        let is_idle = world.count(|at| *at == At::Leading) == 1;
        let nobody_followed = self.count(|at| *at == At::Following) == 0;
        assert!(is_idle || nobody_followed || world.has_ended, "{self:?}");
        assert_eq!(world.count(|at| *at == At::Following), 0, "{self:?}");
    }
}

#[test]
fn one_thread_leads_and_one_that_is_away_too_long_is_relieved() {
    let mut seen = HashSet::new();
    let mut next = VecDeque::from([World::new()]);
    let mut relieved = 0;
    while let Some(world) = next.pop_front() {
        if !seen.insert(world.clone()) {
            continue;
        }
        world.check();
        world.check_that_the_follower_helps();
        relieved += usize::from(world.count(|at| matches!(at, At::Away(_))) > 1);
        next.extend(world.successors());
    }
    assert!(relieved > 100, "of {} states, {relieved}", seen.len());
}

#[test]
fn the_follower_looks_when_the_grace_of_an_absence_is_over() {
    let mut shift = Shift::default();
    let absence = shift.leave(It, BEGIN);
    shift.watch();
    let later = |micros| BEGIN + Duration::from_micros(micros);
    assert_eq!(shift.look(later(500)), Look::Sleep(Duration::from_micros(1500)));
    assert!(shift.is_watched());
    assert_eq!(shift.come_back(absence), Some(It));
    assert_eq!(shift.look(later(2000)), Look::Sleep(IDLE));
    let second = shift.leave(It, later(3000));
    assert!(!shift.is_watched(), "it sleeps for long: the timer is to be set");
    shift.watch();
    assert_eq!(shift.come_back(absence), None, "it is another one");
    assert_eq!(shift.look(later(4999)), Look::Sleep(Duration::from_micros(1)));
    assert_eq!(shift.look(later(5000)), Look::Lead(It));
    assert_eq!(shift.come_back(second), None);
}

#[test]
fn a_leader_whose_handler_waits_is_relieved_at_once() {
    let mut shift = Shift::default();
    let first = shift.leave(It, BEGIN);
    shift.watch();
    assert!(shift.note_wait(first));
    assert_eq!(shift.come_back(first), Some(It));
    let second = shift.leave(It, BEGIN);
    assert_eq!(shift.look(BEGIN), Look::Sleep(GRACE), "that was the one before");
    assert!(!shift.note_wait(first));
    assert!(shift.note_wait(second));
    assert_eq!(shift.look(BEGIN), Look::Lead(It));
}

#[test]
fn a_follower_that_was_not_needed_for_long_ends_and_one_who_was_relieved_may_follow() {
    let mut shift = Shift::default();
    let absence = shift.leave(It, BEGIN);
    shift.watch();
    shift.come_back(absence);
    assert_eq!(shift.look(BEGIN), Look::Sleep(IDLE));
    assert_eq!(shift.look(BEGIN + IDLE), Look::End);
    assert!(shift.follow());
    assert!(!shift.follow(), "there is one");
    shift.watch();
    shift.end();
    assert_eq!(shift.look(BEGIN), Look::End);
    assert!(!shift.follow(), "all is over");
}
