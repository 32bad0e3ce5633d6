//! A queue between a connection and those who consume what comes by it.
//!
//! One mailbox serves one subscription, or all callbacks of a connection, which are called one after
//! the other. Each consumer has an [`Account`] in it, with bounds and a policy of its own. Whoever
//! brings something is never blocked, and gets the threads that have to be woken instead of having them
//! woken here. What the monitor brings wakes them when that is released, once for all that came
//! together. Observers of packets (`show_sent`, `show_received` in `driver/client/observing.rs`) are
//! woken at once; by WebSocket that is under the wire's lock.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::thread::Thread;
use std::time::Instant;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};

use super::account::{Account, AccountId, Admission, Bounds, ONLY, Room};
use super::gate::Gate;
use super::lock::lock;
use super::queue::Queue;

/// What can lie in a mailbox.
///
/// It is public for the bound of [`Subscription`](crate::Subscription) alone: it has no name outside
/// of this crate, and so no implementations there.
#[allow(unreachable_pub)]
pub trait Deliver: Send + Sized + 'static {
    /// What it counts, in bytes.
    #[doc(hidden)]
    fn size(&self) -> usize;

    /// Where one can wait for a consumer that pushes back: has the mailbox told when this is
    /// dropped, because nobody else tells it what is taken out of a channel.
    #[doc(hidden)]
    const ADD_RECEIPT: Option<fn(Self, Receipt) -> Self> = None;
}

/// What bringing something has come to.
#[must_use]
pub(crate) struct Brought<T> {
    /// Who is to be woken once the locks are released.
    pub(crate) waiters: Vec<Thread>,
    /// What gave way; to be dropped once the locks are released.
    pub(crate) dropped: Vec<T>,
    /// The consumer is full, and the reader is to hold still.
    pub(crate) pushes_back: bool,
    /// What may come besides without any consequence.
    pub(crate) room: Room,
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
    receiver: OnceLock<Receiver<T>>,
    this: Weak<Self>,
}

struct State<T> {
    store: Store<T>,
    accounts: Vec<Option<Account>>,
    /// The threads that wait. Who is chosen to be woken is taken out.
    waiting: VecDeque<Thread>,
    /// It counts among those who wait for something and have nothing.
    hungry: bool,
    /// Whether waiting for something here is a reason to read on.
    may_hunger: bool,
    open: bool,
}

/// Where the things are.
enum Store<T> {
    Queue(Queue<T>),
    /// In a channel, whose receiver the user has. There is one account.
    Channel(Sender<T>, Receiver<T>),
}

impl<T: Deliver> Mailbox<T> {
    /// A mailbox without accounts.
    pub(crate) fn new(gate: &Arc<Gate>) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            state: Mutex::new(State {
                store: Store::Queue(Queue::new()),
                accounts: Vec::new(),
                waiting: VecDeque::new(),
                hungry: false,
                may_hunger: false,
                open: true,
            }),
            gate: Arc::clone(gate),
            receiver: OnceLock::new(),
            this: this.clone(),
        })
    }

    /// A mailbox for one consumer, whose account is [`ONLY`].
    pub(crate) fn with_account(bounds: Bounds, gate: &Arc<Gate>) -> Arc<Self> {
        let mailbox = Self::new(gate);
        mailbox.open_account(bounds, gate);
        mailbox
    }

    /// Adds a consumer, whose share of what all may have is counted at this gate.
    pub(crate) fn open_account(&self, bounds: Bounds, gate: &Arc<Gate>) -> AccountId {
        let account = Account::new(bounds, Arc::clone(gate));
        let accounts = &mut lock(&self.state).accounts;
        let free = accounts.iter().position(Option::is_none).unwrap_or_else(|| {
            accounts.push(None);
            accounts.len() - 1
        });
        accounts[free] = Some(account);
        AccountId(free)
    }

    /// Whether waiting for something here is a reason to read on, though others are full.
    pub(crate) fn set_may_hunger(&self, may_hunger: bool) {
        let mut state = lock(&self.state);
        state.may_hunger = may_hunger;
        let begins = if may_hunger {
            !state.waiting.is_empty() && state.begin_hunger(&self.gate)
        } else {
            state.end_hunger(&self.gate);
            false
        };
        drop(state);
        if begins {
            self.gate.reopen();
        }
    }

    /// Brings something for a consumer. It never blocks.
    pub(crate) fn bring(&self, account: AccountId, item: T) -> Brought<T> {
        self.bring_all(account, std::iter::once(item))
    }

    /// Brings several for a consumer, one after the other.
    pub(crate) fn bring_all(
        &self,
        account: AccountId,
        items: impl Iterator<Item = T>,
    ) -> Brought<T> {
        let mut brought = Brought {
            waiters: Vec::new(),
            dropped: Vec::new(),
            pushes_back: false,
            room: Room::default(),
        };
        let mut state = lock(&self.state);
        state.settle();
        for item in items {
            self.enter(&mut state, account, item, &mut brought);
        }
        if let Some(entry) = state.account(account) {
            brought.pushes_back = entry.pushes_back();
            brought.room = entry.room();
        }
        brought
    }

    fn enter(&self, state: &mut State<T>, account: AccountId, item: T, brought: &mut Brought<T>) {
        let open = state.open;
        let Some(entry) = state.account(account).filter(|_| open) else {
            return brought.dropped.push(item);
        };
        match entry.enter(item.size()) {
            Admission::Refused => brought.dropped.push(item),
            Admission::Entered { evicted } => {
                state.evict(account, evicted, &mut brought.dropped);
                state.end_hunger(&self.gate);
                brought.waiters.extend(state.waiting.pop_front());
                match &mut state.store {
                    Store::Queue(queue) => queue.push(account, item),
                    Store::Channel(sender, _) => _ = sender.try_send(self.with_receipt(item)),
                }
            }
        }
    }

    /// Takes the oldest, if there is one.
    pub(crate) fn try_take(&self) -> Option<T> {
        let mut state = lock(&self.state);
        let (item, reason) = state.take();
        let glances = item.is_none() && state.may_hunger && state.open;
        drop(state);
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
            if let Store::Channel(_, receiver) = &state.store {
                let receiver = receiver.clone();
                drop(state);
                return self.receive(&receiver, deadline);
            }
            if let Some(me) = waited.take() {
                // Who was chosen is not there any more.
                state.waiting.retain(|waiter: &Thread| waiter.id() != me);
            }
            if let (Some(item), reason) = state.take() {
                // Others may still wait, and have nothing again.
                let reason =
                    (!state.waiting.is_empty() && state.begin_hunger(&self.gate)) || reason;
                drop(state);
                if reason {
                    self.gate.reopen();
                }
                return Ok(item);
            }
            if !state.open {
                return Err(Nothing::Closed);
            }
            if is_late {
                if state.waiting.is_empty() {
                    state.end_hunger(&self.gate);
                }
                return Err(Nothing::Late);
            }
            let me = std::thread::current();
            waited = Some(me.id());
            state.waiting.push_back(me);
            let hungry = state.begin_hunger(&self.gate);
            drop(state);
            if hungry {
                self.gate.reopen();
            }
            match deadline {
                None => std::thread::park(),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    std::thread::park_timeout(left);
                    is_late = Instant::now() >= deadline;
                }
            }
        }
    }

    fn receive(&self, receiver: &Receiver<T>, deadline: Option<Instant>) -> Result<T, Nothing> {
        let item = match deadline {
            None => receiver.recv().map_err(|_| Nothing::Closed),
            Some(deadline) => receiver.recv_deadline(deadline).map_err(|error| match error {
                RecvTimeoutError::Timeout => Nothing::Late,
                RecvTimeoutError::Disconnected => Nothing::Closed,
            }),
        };
        self.settle();
        item
    }

    /// A channel that gets what is here and what comes, for `select!`.
    pub(crate) fn receiver(&self) -> &Receiver<T> {
        self.receiver.get_or_init(|| {
            let (sender, receiver) = unbounded();
            let mut state = lock(&self.state);
            if let Store::Queue(queue) = &mut state.store {
                while let Some((_, item)) = queue.pop() {
                    let _ = sender.try_send(self.with_receipt(item));
                }
            }
            let waiting = std::mem::take(&mut state.waiting);
            let sender = if state.open { sender } else { unbounded().0 };
            state.store = Store::Channel(sender, receiver.clone());
            // Nobody can tell whether somebody waits at the channel: it counts as long as it is empty.
            state.begin_hunger(&self.gate);
            drop(state);
            self.gate.reopen();
            waiting.iter().for_each(Thread::unpark);
            receiver
        })
    }

    fn with_receipt(&self, item: T) -> T {
        match T::ADD_RECEIPT {
            Some(add) => add(item, Receipt(self.this.clone() as Weak<dyn Settle>)),
            None => item,
        }
    }

    /// Removes a consumer; gives what waited for it, to be dropped by the caller. What is in a channel
    /// belongs to whoever has its receiver.
    pub(crate) fn close_account(&self, account: AccountId) -> Vec<T> {
        let mut state = lock(&self.state);
        let is_queue = matches!(state.store, Store::Queue(_));
        let removed = if is_queue { state.remove_all_of(account) } else { Vec::new() };
        let gone = state.accounts.get_mut(account.0).and_then(Option::take);
        drop(gone);
        drop(state);
        self.gate.reopen();
        removed
    }

    /// Removes a consumer behind what waits for it.
    pub(crate) fn retire_account(&self, account: AccountId) {
        let mut state = lock(&self.state);
        if let Some(entry) = state.account(account) {
            entry.retire();
            state.free_if_over(account);
        }
    }

    /// Removes what waits for a consumer; to be dropped by the caller.
    pub(crate) fn clear(&self, account: AccountId) -> Vec<T> {
        let mut state = lock(&self.state);
        let removed = state.remove_all_of(account);
        if let Some(account) = state.account(account) {
            account.clear();
        }
        drop(state);
        self.gate.reopen();
        removed
    }

    /// Nothing is brought any more. What is there can be taken.
    pub(crate) fn close(&self) {
        let mut state = lock(&self.state);
        state.open = false;
        state.end_hunger(&self.gate);
        let waiting = std::mem::take(&mut state.waiting);
        // Without its sender, the channel ends behind what is in it.
        if let Store::Channel(sender, _) = &mut state.store {
            *sender = unbounded().0;
        }
        drop(state);
        waiting.iter().for_each(Thread::unpark);
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        match &lock(&self.state).store {
            Store::Queue(queue) => queue.len(),
            Store::Channel(_, receiver) => receiver.len(),
        }
    }

    /// Whether the reader should hold still for a consumer.
    pub(crate) fn pushes_back(&self, account: AccountId) -> bool {
        let mut state = lock(&self.state);
        state.settle();
        state.account(account).is_some_and(|account| {
            account.move_up();
            account.pushes_back()
        })
    }

    /// Looks at one account.
    pub(crate) fn look<R>(
        &self,
        account: AccountId,
        look: impl FnOnce(&Account) -> R,
    ) -> Option<R> {
        let mut state = lock(&self.state);
        state.settle();
        state.account(account).map(|account| look(account))
    }
}

impl<T: Deliver> State<T> {
    fn account(&mut self, account: AccountId) -> Option<&mut Account> {
        self.accounts.get_mut(account.0)?.as_mut()
    }

    fn free_if_over(&mut self, account: AccountId) {
        if self.account(account).is_some_and(|account| account.is_over()) {
            self.accounts[account.0] = None;
        }
    }

    /// Takes the oldest, and tells whether that is a reason to look whether the reader can go on.
    fn take(&mut self) -> (Option<T>, bool) {
        match &mut self.store {
            Store::Queue(queue) => {
                let Some((account, item)) = queue.pop() else { return (None, false) };
                let reason = self.account(account).is_some_and(Account::leave);
                self.free_if_over(account);
                (Some(item), reason)
            }
            Store::Channel(_, receiver) => {
                let item = receiver.try_recv().ok();
                (item, self.settle())
            }
        }
    }

    /// Accounts for what was taken out of the channel.
    fn settle(&mut self) -> bool {
        let Store::Channel(_, receiver) = &self.store else { return false };
        let left = receiver.len();
        let mut reason = false;
        if let Some(account) = self.account(ONLY) {
            while account.len() > left {
                reason |= account.leave();
            }
        }
        reason
    }

    fn evict(&mut self, account: AccountId, count: usize, dropped: &mut Vec<T>) {
        for _ in 0..count {
            match &mut self.store {
                Store::Queue(queue) => dropped.extend(queue.pop_of(account)),
                Store::Channel(_, receiver) => dropped.extend(receiver.try_recv().ok()),
            }
        }
    }

    fn remove_all_of(&mut self, account: AccountId) -> Vec<T> {
        match &mut self.store {
            Store::Queue(queue) => queue.remove_all_of(account),
            Store::Channel(_, receiver) => receiver.try_iter().collect(),
        }
    }

    /// Counts it among those who wait and have nothing; `true` if it did not count before.
    fn begin_hunger(&mut self, gate: &Gate) -> bool {
        let is_empty = match &self.store {
            Store::Queue(queue) => queue.is_empty(),
            Store::Channel(_, receiver) => receiver.is_empty(),
        };
        let begins = self.may_hunger && self.open && !self.hungry && is_empty;
        if begins {
            self.hungry = true;
            gate.begin_hunger();
        }
        begins
    }

    fn end_hunger(&mut self, gate: &Gate) {
        if std::mem::take(&mut self.hungry) {
            gate.end_hunger();
        }
    }
}

impl<T> Drop for Mailbox<T> {
    fn drop(&mut self) {
        if lock(&self.state).hungry {
            self.gate.end_hunger();
        }
    }
}

/// Told of what was taken out of a channel.
trait Settle: Send + Sync {
    fn settle(&self);
}

impl<T: Deliver> Settle for Mailbox<T> {
    fn settle(&self) {
        let mut state = lock(&self.state);
        let reason = state.settle();
        let hungry = matches!(state.store, Store::Channel(..)) && state.begin_hunger(&self.gate);
        drop(state);
        if reason || hungry {
            self.gate.reopen();
        }
    }
}

/// Tells a mailbox, when it is dropped, that something was taken out of its channel.
#[allow(unreachable_pub)]
pub struct Receipt(Weak<dyn Settle>);

impl Drop for Receipt {
    fn drop(&mut self) {
        if let Some(mailbox) = self.0.upgrade() {
            mailbox.settle();
        }
    }
}

#[cfg(test)]
mod tests;
