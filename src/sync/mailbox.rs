//! A queue between a connection and those who consume what comes by it.
//!
//! One mailbox serves one subscription, or all callbacks of a connection, which are called one after
//! the other. Each consumer has an [`Account`] in it, with bounds and a policy of its own. Whoever
//! brings something is never blocked, and gets the threads that have to be woken instead of having them
//! woken here. What the monitor brings wakes them when that is released, once for all that came
//! together. Observers of packets (`show_sent`, `show_received` in `driver/client/observing.rs`) are
//! woken at once; by WebSocket that is under the wire's lock.

mod polled;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::thread::Thread;
use std::time::Instant;

use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::account::{Account, AccountId, Admission, Bounds, Room};
use super::channel::{ChannelOutlet, Outlet};
use super::deliver::{Deliver, Settle};
use super::gate::Gate;
use super::ledger::Ledger;
use super::lock::lock;
use super::queue::Queue;
use super::readiness::{Pollers, Wakeup};
use super::turns::Turns;

/// What bringing something has come to.
#[must_use]
pub(crate) struct Brought<T> {
    /// Who is to be woken once the locks are released.
    pub(crate) waiters: Vec<Wakeup>,
    /// What gave way; to be dropped once the locks are released.
    pub(crate) dropped: Vec<T>,
    /// How many that are, by policy.
    pub(crate) count: Dropped,
    /// The consumer is full, and the reader is to hold still.
    pub(crate) pushes_back: bool,
    /// What may come besides without any consequence.
    pub(crate) room: Room,
}

/// How many were dropped for want of room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Dropped {
    /// They were the oldest, and gave way.
    pub(crate) evicted: usize,
    /// They were the newest, and found no room.
    pub(crate) refused: usize,
}

/// Why nothing was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nothing {
    /// Nothing came until the deadline.
    Late,
    /// Nothing will come any more.
    Closed,
}

/// A queue with the accounts of its consumers.
pub(crate) struct Mailbox<T> {
    state: Mutex<State<T>>,
    gate: Arc<Gate>,
    /// There once somebody has asked for it.
    outlet: OnceLock<Arc<dyn Outlet<T>>>,
}

struct State<T> {
    store: Store<T>,
    ledger: Ledger,
    pollers: Pollers,
}

/// Where the things are.
enum Store<T> {
    Queue(Queue<T>),
    /// In a channel, whose receiver the user has, with whose each of them is.
    Channel(Arc<dyn Outlet<T>>, Turns),
}

impl<T: Deliver> Mailbox<T> {
    /// A mailbox without accounts.
    pub(crate) fn new(gate: &Arc<Gate>) -> Arc<Self> {
        let store = Store::Queue(Queue::new());
        Arc::new(Self {
            state: Mutex::new(State { store, ledger: Ledger::new(), pollers: Pollers::default() }),
            gate: Arc::clone(gate),
            outlet: OnceLock::new(),
        })
    }

    /// A mailbox for one consumer, whose account is [`ONLY`](super::account::ONLY).
    pub(crate) fn with_account(bounds: Bounds, gate: &Arc<Gate>) -> Arc<Self> {
        let mailbox = Self::new(gate);
        mailbox.open_account(bounds, gate);
        mailbox
    }

    /// Adds a consumer, whose share of what all may have is counted at this gate.
    pub(crate) fn open_account(&self, bounds: Bounds, gate: &Arc<Gate>) -> AccountId {
        let account = Account::new(bounds, Arc::clone(gate));
        lock(&self.state).ledger.open_account(account)
    }

    /// Whether waiting for something here is a reason to read on, though others are full.
    pub(crate) fn set_may_hunger(&self, may_hunger: bool) {
        let mut state = lock(&self.state);
        let is_empty = state.store.len() == 0;
        let begins = state.ledger.set_may_hunger(may_hunger, is_empty, &self.gate);
        drop(state);
        if begins {
            self.gate.reopen();
        }
    }

    /// Brings something for a consumer. It never blocks.
    pub(crate) fn bring(&self, account: AccountId, item: T) -> Brought<T> {
        self.bring_all(account, &mut Some(item).into_iter())
    }

    /// Brings several for a consumer, one after the other.
    // Bringing one is this as well, and no code of its own.
    #[inline(never)]
    pub(crate) fn bring_all(
        &self,
        account: AccountId,
        items: &mut dyn Iterator<Item = T>,
    ) -> Brought<T> {
        let mut brought = Brought {
            waiters: Vec::new(),
            dropped: Vec::new(),
            count: Dropped::default(),
            pushes_back: false,
            room: Room::default(),
        };
        let mut state = lock(&self.state);
        state.settle();
        for item in items {
            let admission =
                state.ledger.enter(account, item.size(), &self.gate, &mut brought.waiters);
            match admission {
                Admission::Refused => {
                    brought.count.refused += 1;
                    brought.dropped.push(item);
                }
                Admission::Entered { evicted } => {
                    brought.count.evicted += evicted;
                    state.evict(account, evicted, &mut brought.dropped);
                    state.put(account, item);
                }
            }
        }
        if let Some(entry) = state.ledger.account(account) {
            brought.pushes_back = entry.pushes_back();
            brought.room = entry.room();
        }
        brought.waiters.extend(state.note_readiness().into_iter().map(Wakeup::Poller));
        brought
    }

    /// Takes the oldest, if there is one.
    pub(crate) fn try_take(&self) -> Option<T> {
        let mut state = lock(&self.state);
        let (item, reason) = state.take();
        let glances = item.is_none() && state.ledger.may_hunger();
        let reason = state.hunger_of_pollers(&self.gate) || reason;
        let mut pollers = state.note_readiness();
        if item.is_none() {
            // Who has taken the last one may not have got round to it: nobody is to poll in vain meanwhile.
            pollers = state.pollers.live().collect();
        }
        drop(state);
        polled::follow(&pollers);
        if reason {
            self.gate.reopen();
        }
        if glances {
            self.gate.glance();
        }
        item
    }

    /// Takes the oldest; blocks until there is one, or the deadline.
    pub(crate) fn take(&self, deadline: Option<Instant>) -> Result<T, Nothing> {
        let mut waited = None;
        let mut is_late = false;
        loop {
            let mut state = lock(&self.state);
            if let Store::Channel(outlet, _) = &state.store {
                let outlet = Arc::clone(outlet);
                drop(state);
                return self.receive(&*outlet, deadline);
            }
            if let Some(me) = waited.take() {
                state.ledger.stop_waiting(me);
            }
            if let (Some(item), reason) = state.take() {
                // Others may still wait, and have nothing again.
                let is_empty = state.store.len() == 0;
                let reason = state.ledger.begin_hunger_of_others(is_empty, &self.gate) || reason;
                let reason = state.hunger_of_pollers(&self.gate) || reason;
                State::release(state);
                if reason {
                    self.gate.reopen();
                }
                return Ok(item);
            }
            if !state.ledger.is_open() {
                return Err(Nothing::Closed);
            }
            if is_late {
                if !state.pollers.is_any() {
                    state.ledger.end_hunger_of_none(&self.gate);
                }
                return Err(Nothing::Late);
            }
            waited = Some(state.ledger.start_waiting());
            let hungry = state.ledger.begin_hunger(true, &self.gate);
            drop(state);
            if hungry {
                self.gate.reopen();
            }
            is_late = park(deadline);
        }
    }

    fn receive(&self, outlet: &dyn Outlet<T>, deadline: Option<Instant>) -> Result<T, Nothing> {
        let item = outlet.receive(deadline).map_err(|error| match error {
            RecvTimeoutError::Timeout => Nothing::Late,
            RecvTimeoutError::Disconnected => Nothing::Closed,
        });
        self.settle();
        item
    }

    /// A channel that gets what is here and what comes, for `select!`.
    pub(crate) fn receiver(self: &Arc<Self>) -> &Receiver<T> {
        let outlet = self.outlet.get_or_init(|| {
            let mailbox: Weak<Self> = Arc::downgrade(self);
            let outlet = Arc::new(ChannelOutlet::new(mailbox));
            let mut state = lock(&self.state);
            let mut turns = Turns::new();
            if let Store::Queue(queue) = &mut state.store {
                while let Some((account, item)) = queue.pop() {
                    turns.push(account);
                    outlet.send(item);
                }
            }
            if !state.ledger.is_open() {
                outlet.close();
            }
            let waiting = state.ledger.take_waiting();
            let outlet: Arc<dyn Outlet<T>> = outlet;
            state.store = Store::Channel(Arc::clone(&outlet), turns);
            // Nobody can tell whether somebody waits at the channel: it counts as long as it is empty.
            let is_empty = state.store.len() == 0;
            state.ledger.begin_hunger(is_empty, &self.gate);
            drop(state);
            self.gate.reopen();
            waiting.iter().for_each(Thread::unpark);
            outlet
        });
        outlet.receiver()
    }

    /// Removes a consumer; gives what waited for it, to be dropped by the caller. What is in a channel
    /// belongs to whoever has its receiver.
    pub(crate) fn close_account(&self, account: AccountId) -> VecDeque<T> {
        let mut state = lock(&self.state);
        let removed = match &mut state.store {
            Store::Queue(queue) => queue.remove_all_of(account),
            Store::Channel(..) => VecDeque::new(),
        };
        state.ledger.close_account(account);
        State::release(state);
        self.gate.reopen();
        removed
    }

    /// Removes a consumer behind what waits for it.
    pub(crate) fn retire_account(&self, account: AccountId) {
        lock(&self.state).ledger.retire_account(account);
    }

    /// Removes what waits for a consumer; to be dropped by the caller.
    pub(crate) fn clear(&self, account: AccountId) -> VecDeque<T> {
        let mut state = lock(&self.state);
        let removed = match &mut state.store {
            Store::Queue(queue) => queue.remove_all_of(account),
            Store::Channel(outlet, _) => std::iter::from_fn(|| outlet.try_receive()).collect(),
        };
        state.settle();
        if let Some(account) = state.ledger.account(account) {
            account.clear();
        }
        State::release(state);
        self.gate.reopen();
        removed
    }

    /// Nothing is brought any more. What is there can be taken.
    pub(crate) fn close(&self) {
        let mut state = lock(&self.state);
        let waiting = state.ledger.close(&self.gate);
        if let Store::Channel(outlet, _) = &state.store {
            outlet.close();
        }
        let own: Vec<_> = state.pollers.own().collect();
        drop(state);
        waiting.iter().for_each(Thread::unpark);
        for poller in own {
            poller.end();
        }
    }

    /// Whether nothing is brought any more.
    pub(crate) fn is_closed(&self) -> bool {
        !lock(&self.state).ledger.is_open()
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        lock(&self.state).store.len()
    }

    /// Brings an account up to date: with what was taken out of a channel, and with what comes from the
    /// reserve into its bounds. `true`: the reader should hold still for the consumer.
    pub(crate) fn recheck(&self, account: AccountId) -> bool {
        let mut state = lock(&self.state);
        state.settle();
        state.ledger.account(account).is_some_and(|account| {
            account.move_up();
            account.pushes_back()
        })
    }

    /// What all consumers have lost for want of room.
    pub(crate) fn lost(&self) -> usize {
        lock(&self.state).ledger.lost()
    }

    /// Looks at one account.
    pub(crate) fn look<R>(
        &self,
        account: AccountId,
        look: impl FnOnce(&Account) -> R,
    ) -> Option<R> {
        let mut state = lock(&self.state);
        state.settle();
        state.ledger.account(account).map(|account| look(account))
    }
}

/// Waits until something comes, or the deadline; `true`: it has passed.
fn park(deadline: Option<Instant>) -> bool {
    let Some(deadline) = deadline else {
        std::thread::park();
        return false;
    };
    std::thread::park_timeout(deadline.saturating_duration_since(Instant::now()));
    Instant::now() >= deadline
}

impl<T> State<T> {
    fn put(&mut self, account: AccountId, item: T) {
        match &mut self.store {
            Store::Queue(queue) => queue.push(account, item),
            Store::Channel(outlet, turns) => {
                turns.push(account);
                outlet.send(item);
            }
        }
    }

    /// Takes the oldest, and tells whether that is a reason to look whether the reader can go on.
    fn take(&mut self) -> (Option<T>, bool) {
        match &mut self.store {
            Store::Queue(queue) => {
                let Some((account, item)) = queue.pop() else { return (None, false) };
                (Some(item), self.ledger.leave(account))
            }
            Store::Channel(outlet, _) => {
                let item = outlet.try_receive();
                (item, self.settle())
            }
        }
    }

    /// Accounts for what was taken out of the channel.
    fn settle(&mut self) -> bool {
        let Store::Channel(outlet, turns) = &mut self.store else { return false };
        let left = outlet.len();
        let mut reason = false;
        while turns.len() > left {
            let Some(account) = turns.pop() else { break };
            reason |= self.ledger.leave(account);
        }
        reason
    }
}

impl<T: Deliver> State<T> {
    /// Takes out the oldest of a consumer, which have left its account.
    fn evict(&mut self, account: AccountId, count: usize, dropped: &mut Vec<T>) {
        for _ in 0..count {
            match &mut self.store {
                Store::Queue(queue) => dropped.extend(queue.pop_of(account)),
                Store::Channel(..) => self.evict_from_channel(account, dropped),
            }
        }
    }

    /// Nothing is taken from the middle of a channel: what lies before it, for another consumer, is lost
    /// as well.
    fn evict_from_channel(&mut self, account: AccountId, dropped: &mut Vec<T>) {
        let Store::Channel(outlet, turns) = &mut self.store else { return };
        turns.skip(account);
        while let Some(item) = outlet.try_receive() {
            let whose = item.account();
            dropped.push(item);
            if whose == account {
                break;
            }
            if let Some(other) = self.ledger.account(whose) {
                other.note_lost();
            }
        }
        self.settle();
    }
}

impl<T> Store<T> {
    fn len(&self) -> usize {
        match self {
            Self::Queue(queue) => queue.len(),
            Self::Channel(outlet, _) => outlet.len(),
        }
    }
}

impl<T> Drop for Mailbox<T> {
    fn drop(&mut self) {
        let mut state = lock(&self.state);
        state.ledger.end_hunger(&self.gate);
        let pollers = state.pollers.note(|| false);
        drop(state);
        polled::follow(&pollers);
    }
}

impl<T: Deliver> Settle for Mailbox<T> {
    fn settle(&self) {
        let mut state = lock(&self.state);
        let reason = state.settle();
        let is_channel = matches!(state.store, Store::Channel(..));
        let is_empty = state.store.len() == 0;
        let hungry = is_channel && state.ledger.begin_hunger(is_empty, &self.gate);
        State::release(state);
        if reason || hungry {
            self.gate.reopen();
        }
    }
}

#[cfg(test)]
mod tests;
