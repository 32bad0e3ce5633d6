//! What waits for several consumers, in one order.
//!
//! The things of each consumer are a row of their own, so that its oldest gives way at once, however
//! much waits for the others. Whose turn it is is kept beside them.

use std::collections::VecDeque;

use super::account::AccountId;

/// Things that wait for consumers, each of which is known by the number of its account.
pub(super) struct Queue<T> {
    rows: Vec<Row<T>>,
    /// In the order in which the things came.
    turns: Spare<AccountId>,
    /// How many of the turns are void.
    void: usize,
}

/// What waits for one consumer.
struct Row<T> {
    waiting: Spare<T>,
    /// How many of its turns, the oldest, are void: their things gave way.
    void: usize,
}

impl<T> Queue<T> {
    pub(super) fn new() -> Self {
        Self { rows: Vec::new(), turns: Spare::new(), void: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.turns.queue.len() - self.void
    }

    /// Adds something behind all others.
    pub(super) fn push(&mut self, account: AccountId, item: T) {
        if self.rows.len() <= account.0 {
            self.rows.resize_with(account.0 + 1, Row::new);
        }
        self.rows[account.0].waiting.push(item);
        self.turns.push(account);
    }

    /// Takes the oldest of all.
    pub(super) fn pop(&mut self) -> Option<(AccountId, T)> {
        loop {
            let account = self.turns.pop()?;
            let row = self.rows.get_mut(account.0)?;
            if row.void == 0 {
                return row.waiting.pop().map(|item| (account, item));
            }
            row.void -= 1;
            self.void -= 1;
        }
    }

    /// Takes the oldest of one consumer, out of its turn.
    pub(super) fn pop_of(&mut self, account: AccountId) -> Option<T> {
        let row = self.rows.get_mut(account.0)?;
        let item = row.waiting.pop()?;
        row.void += 1;
        self.void += 1;
        if self.void > self.turns.queue.len() / 2 {
            self.forget_void();
        }
        Some(item)
    }

    /// Takes all of one consumer.
    pub(super) fn remove_all_of(&mut self, account: AccountId) -> Vec<T> {
        let Some(row) = self.rows.get_mut(account.0) else { return Vec::new() };
        let removed = std::mem::replace(row, Row::new());
        self.void -= removed.void;
        self.turns.queue.retain(|turn| *turn != account);
        removed.waiting.queue.into()
    }

    /// How much there is room for without more memory, at the most.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        let rows = self.rows.iter().map(|row| row.waiting.queue.capacity());
        rows.chain([self.turns.queue.capacity()]).max().unwrap_or_default()
    }

    fn forget_void(&mut self) {
        let rows = &mut self.rows;
        self.turns.queue.retain(|account| {
            let void = &mut rows[account.0].void;
            let is_void = *void > 0;
            *void -= usize::from(is_void);
            !is_void
        });
        self.void = 0;
    }
}

impl<T> Row<T> {
    fn new() -> Self {
        Self { waiting: Spare::new(), void: 0 }
    }
}

/// A queue that gives back its memory when it is empty, unless about as much was used the last time.
struct Spare<T> {
    queue: VecDeque<T>,
    /// The most that has waited since it was empty.
    peak: usize,
}

impl<T> Spare<T> {
    fn new() -> Self {
        Self { queue: VecDeque::new(), peak: 0 }
    }

    fn push(&mut self, item: T) {
        self.queue.push_back(item);
        self.peak = self.queue.len().max(self.peak);
    }

    fn pop(&mut self) -> Option<T> {
        const SMALL: usize = 16;
        let item = self.queue.pop_front();
        if self.queue.is_empty() {
            let peak = std::mem::take(&mut self.peak);
            if self.queue.capacity() > 4 * peak.max(SMALL) {
                self.queue.shrink_to(peak);
            }
        }
        item
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: AccountId = AccountId(0);
    const OTHER: AccountId = AccountId(3);

    fn rest(queue: &mut Queue<usize>) -> Vec<(AccountId, usize)> {
        std::iter::from_fn(|| queue.pop()).collect()
    }

    #[test]
    fn all_have_their_turn_in_the_order_in_which_they_came() {
        let mut queue = Queue::new();
        for (number, account) in [OTHER, ONE, ONE, OTHER].into_iter().enumerate() {
            queue.push(account, number);
        }
        assert_eq!(queue.len(), 4);
        assert_eq!(rest(&mut queue), [(OTHER, 0), (ONE, 1), (ONE, 2), (OTHER, 3)]);
        assert_eq!(queue.len(), 0);
    }

    #[test]
    fn what_gave_way_has_no_turn() {
        let mut queue = Queue::new();
        for number in 0..10 {
            queue.push(if number % 2 == 0 { ONE } else { OTHER }, number);
        }
        assert_eq!([(); 3].map(|()| queue.pop_of(OTHER)), [Some(1), Some(3), Some(5)]);
        assert_eq!((queue.len(), queue.pop()), (7, Some((ONE, 0))));
        assert_eq!(queue.remove_all_of(ONE), [2, 4, 6, 8]);
        queue.push(ONE, 10);
        assert_eq!(rest(&mut queue), [(OTHER, 7), (OTHER, 9), (ONE, 10)]);
        assert_eq!((queue.pop_of(ONE), queue.pop_of(AccountId(99)), queue.len()), (None, None, 0));
    }

    #[test]
    fn turns_that_are_void_do_not_gather() {
        let mut queue = Queue::new();
        queue.push(ONE, 0);
        for number in 0..100_000 {
            queue.push(OTHER, number);
            if number >= 10 {
                assert_eq!(queue.pop_of(OTHER), Some(number - 10));
            }
        }
        assert_eq!(queue.len(), 11);
        assert!(queue.turns.queue.len() <= 24, "{}", queue.turns.queue.len());
        assert!(queue.capacity() <= 64, "{}", queue.capacity());
    }
}
