//! All that a mailbox keeps but the things themselves: the accounts of its consumers, and who waits.

use std::collections::VecDeque;
use std::thread::{Thread, ThreadId};

use super::account::{Account, AccountId, Admission};
use super::gate::Gate;
use super::readiness::Wakeup;

/// The accounts of a mailbox, and who waits for something in it. Whether it is empty, the mailbox tells.
pub(super) struct Ledger {
    accounts: Vec<Option<Account>>,
    /// The threads that wait. Who is chosen to be woken is taken out.
    waiting: VecDeque<Thread>,
    /// It counts among those who wait for something and have nothing.
    hungry: bool,
    /// Whether waiting for something here is a reason to read on.
    may_hunger: bool,
    open: bool,
}

impl Ledger {
    pub(super) fn new() -> Self {
        Self {
            accounts: Vec::new(),
            waiting: VecDeque::new(),
            hungry: false,
            may_hunger: false,
            open: true,
        }
    }

    pub(super) fn open_account(&mut self, account: Account) -> AccountId {
        let free = self.accounts.iter().position(Option::is_none).unwrap_or_else(|| {
            if self.accounts.is_empty() {
                // Mostly there is no other.
                self.accounts.reserve_exact(1);
            }
            self.accounts.push(None);
            self.accounts.len() - 1
        });
        self.accounts[free] = Some(account);
        AccountId(free)
    }

    pub(super) fn account(&mut self, account: AccountId) -> Option<&mut Account> {
        self.accounts.get_mut(account.0)?.as_mut()
    }

    pub(super) fn close_account(&mut self, account: AccountId) {
        if let Some(account) = self.accounts.get_mut(account.0) {
            *account = None;
        }
    }

    /// Closes an account behind what is entered.
    pub(super) fn retire_account(&mut self, account: AccountId) {
        if let Some(entry) = self.account(account) {
            entry.retire();
            self.free_if_over(account);
        }
    }

    fn free_if_over(&mut self, account: AccountId) {
        if self.account(account).is_some_and(|account| account.is_over()) {
            self.close_account(account);
        }
    }

    /// Enters something of this size, and chooses who is to be woken for it.
    pub(super) fn enter(
        &mut self,
        account: AccountId,
        size: usize,
        gate: &Gate,
        chosen: &mut Vec<Wakeup>,
    ) -> Admission {
        let open = self.open;
        let Some(entry) = self.account(account).filter(|_| open) else { return Admission::Refused };
        let admission = entry.enter(size);
        if admission != Admission::Refused {
            self.end_hunger(gate);
            chosen.extend(self.waiting.pop_front().map(Wakeup::Thread));
        }
        admission
    }

    /// The oldest of an account was taken; `true` when that is a reason to look whether the reader can
    /// go on.
    pub(super) fn leave(&mut self, account: AccountId) -> bool {
        let reason = self.account(account).is_some_and(Account::leave);
        self.free_if_over(account);
        reason
    }

    /// What all consumers have lost for want of room.
    pub(super) fn lost(&self) -> usize {
        self.accounts.iter().flatten().map(Account::lost).sum()
    }

    /// The calling thread waits.
    pub(super) fn start_waiting(&mut self) -> ThreadId {
        let me = std::thread::current();
        let id = me.id();
        self.waiting.push_back(me);
        id
    }

    /// Who was chosen is not there any more.
    pub(super) fn stop_waiting(&mut self, me: ThreadId) {
        self.waiting.retain(|waiter| waiter.id() != me);
    }

    /// The threads that wait, all of which are to be woken.
    pub(super) fn take_waiting(&mut self) -> VecDeque<Thread> {
        std::mem::take(&mut self.waiting)
    }

    /// Whether somebody who looks here and finds nothing is a reason to read on.
    pub(super) fn may_hunger(&self) -> bool {
        self.may_hunger && self.open
    }

    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// Nothing comes any more; gives those to be woken.
    pub(super) fn close(&mut self, gate: &Gate) -> VecDeque<Thread> {
        self.open = false;
        self.end_hunger(gate);
        self.take_waiting()
    }

    /// Whether waiting here is a reason to read on; `true` when it begins to be one.
    pub(super) fn set_may_hunger(&mut self, may: bool, is_empty: bool, gate: &Gate) -> bool {
        self.may_hunger = may;
        if may {
            self.begin_hunger_of_others(is_empty, gate)
        } else {
            self.end_hunger(gate);
            false
        }
    }

    /// As [`begin_hunger`](Self::begin_hunger), if a thread waits.
    pub(super) fn begin_hunger_of_others(&mut self, is_empty: bool, gate: &Gate) -> bool {
        !self.waiting.is_empty() && self.begin_hunger(is_empty, gate)
    }

    /// Counts it among those who wait and have nothing; `true` if it did not count before.
    pub(super) fn begin_hunger(&mut self, is_empty: bool, gate: &Gate) -> bool {
        let begins = self.may_hunger() && !self.hungry && is_empty;
        if begins {
            self.hungry = true;
            gate.begin_hunger();
        }
        begins
    }

    /// As [`end_hunger`](Self::end_hunger), if no thread waits any more.
    pub(super) fn end_hunger_of_none(&mut self, gate: &Gate) {
        if self.waiting.is_empty() {
            self.end_hunger(gate);
        }
    }

    pub(super) fn end_hunger(&mut self, gate: &Gate) {
        if std::mem::take(&mut self.hungry) {
            gate.end_hunger();
        }
    }

    /// How many threads wait.
    #[cfg(test)]
    pub(super) fn count_waiting(&self) -> usize {
        self.waiting.len()
    }
}
