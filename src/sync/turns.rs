//! Whose turn it is, in a queue for several consumers.

use super::account::AccountId;
use super::spare::Spare;

/// The turns of consumers, in the order in which the things came that wait for them.
pub(super) struct Turns {
    all: Spare<AccountId>,
    /// How many of them are void.
    void: usize,
    /// How many turns of each consumer, the oldest, are void: their things gave way.
    void_of: Vec<usize>,
}

impl Turns {
    pub(super) fn new() -> Self {
        Self { all: Spare::new(), void: 0, void_of: Vec::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.all.queue.len() - self.void
    }

    pub(super) fn push(&mut self, account: AccountId) {
        self.all.push(account);
    }

    /// Takes the next turn that is not void.
    pub(super) fn pop(&mut self) -> Option<AccountId> {
        loop {
            let account = self.all.pop()?;
            if self.void == 0 || !use_up(&mut self.void_of, account) {
                return Some(account);
            }
            self.void -= 1;
        }
    }

    /// The oldest turn of a consumer, which has one, is void.
    pub(super) fn skip(&mut self, account: AccountId) {
        if self.void_of.len() <= account.0 {
            self.void_of.resize(account.0 + 1, 0);
        }
        self.void_of[account.0] += 1;
        self.void += 1;
        if self.void > self.all.queue.len() / 2 {
            self.all.queue.retain(|account| !use_up(&mut self.void_of, *account));
            self.void = 0;
        }
    }

    /// Takes away all turns of a consumer.
    pub(super) fn remove_all_of(&mut self, account: AccountId) {
        if let Some(void) = self.void_of.get_mut(account.0) {
            self.void -= std::mem::take(void);
        }
        self.all.queue.retain(|turn| *turn != account);
    }

    /// How much there is room for without more memory.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.all.queue.capacity()
    }
}

/// Whether the oldest turn of a consumer is void; then one less is.
fn use_up(void_of: &mut [usize], account: AccountId) -> bool {
    let void = void_of.get_mut(account.0).filter(|void| **void > 0);
    void.map(|void| *void -= 1).is_some()
}
