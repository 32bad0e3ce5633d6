//! What waits for several consumers, in one order.
//!
//! The things of each consumer are a row of their own, so that its oldest gives way at once, however
//! much waits for the others. Whose turn it is is kept beside them.

use std::collections::VecDeque;

use super::account::AccountId;
use super::spare::Spare;
use super::turns::Turns;

/// Things that wait for consumers, each of which is known by the number of its account.
pub(super) struct Queue<T> {
    /// What waits for each consumer.
    rows: Vec<Spare<T>>,
    turns: Turns,
}

impl<T> Queue<T> {
    pub(super) fn new() -> Self {
        Self { rows: Vec::new(), turns: Turns::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.turns.len()
    }

    /// Adds something behind all others.
    #[inline]
    pub(super) fn push(&mut self, account: AccountId, item: T) {
        while self.rows.len() <= account.0 {
            self.rows.push(Spare::new());
        }
        if let Some(row) = self.rows.get_mut(account.0) {
            row.push(item);
            self.turns.push(account);
        }
    }

    /// Takes the oldest of all.
    #[inline]
    pub(super) fn pop(&mut self) -> Option<(AccountId, T)> {
        let account = self.turns.pop()?;
        let item = self.rows.get_mut(account.0)?.pop()?;
        Some((account, item))
    }

    /// Takes the oldest of one consumer, out of its turn.
    pub(super) fn pop_of(&mut self, account: AccountId) -> Option<T> {
        let item = self.rows.get_mut(account.0)?.pop()?;
        self.turns.skip(account);
        Some(item)
    }

    /// Takes all of one consumer.
    pub(super) fn remove_all_of(&mut self, account: AccountId) -> VecDeque<T> {
        self.turns.remove_all_of(account);
        let row = self.rows.get_mut(account.0);
        row.map(|row| std::mem::replace(row, Spare::new()).queue).unwrap_or_default()
    }

    /// How much there is room for without more memory, at the most.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        let rows = self.rows.iter().map(|row| row.queue.capacity());
        rows.chain([self.turns.capacity()]).max().unwrap_or_default()
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
        assert!(queue.turns.capacity() <= 64, "{}", queue.turns.capacity());
        assert!(queue.capacity() <= 64, "{}", queue.capacity());
    }
}
