//! The store with what is known of its records.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use super::store::{OutboxRecord, OutboxStore};
use crate::error::{Error, ErrorKind, Result};
use crate::options::WhenFull;
use crate::sync::logging::log_later;

/// So many acknowledged records are removed together.
const REMOVED_TOGETHER: usize = 32;
/// And fewer after this time. Till then they may be sent again after a crash.
const REMOVED_WITHIN: Duration = Duration::from_secs(5);

pub(super) struct Stock {
    store: Box<dyn OutboxStore>,
    /// The last record that was given out to be sent.
    given_out: u64,
    /// Records that the server has and that are not removed yet.
    acknowledged: BTreeSet<u64>,
    /// Since when the first of them is.
    acknowledged_since: Option<Instant>,
    /// Since when there is one that a power cut would take.
    unsynced_since: Option<Instant>,
    /// How many records the server does not have.
    waiting: u64,
    dropped: u64,
    undeliverable: u64,
    /// Why no records are given out any more.
    failure: Option<Error>,
}

impl Stock {
    pub(super) fn new(mut store: Box<dyn OutboxStore>) -> Result<Self> {
        let waiting = store.count()?;
        Ok(Self {
            store,
            given_out: 0,
            acknowledged: BTreeSet::new(),
            acknowledged_since: None,
            unsynced_since: None,
            waiting,
            dropped: 0,
            undeliverable: 0,
            failure: None,
        })
    }

    pub(super) fn waiting(&self) -> u64 {
        self.waiting
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    pub(super) fn undeliverable(&self) -> u64 {
        self.undeliverable
    }

    pub(super) fn bytes_on_disk(&self) -> u64 {
        self.store.bytes_on_disk()
    }

    pub(super) fn failure(&self) -> Option<&Error> {
        self.failure.as_ref()
    }

    /// What begins each key.
    pub(super) fn id(&self) -> String {
        self.store.id().to_owned()
    }

    /// Appends a record. Where there is no room for it, the policy says what becomes of it.
    pub(super) fn append(&mut self, record: &[u8], durable: bool, policy: WhenFull) -> Result<()> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        loop {
            match self.store.append(record, durable) {
                Err(error) if error.kind() == ErrorKind::BufferFull => {
                    self.make_room(policy, error)?;
                }
                Err(error) => return Err(error),
                Ok(_) => break,
            }
        }
        self.waiting += 1;
        if durable {
            self.unsynced_since = None;
        } else {
            self.unsynced_since.get_or_insert_with(Instant::now);
        }
        Ok(())
    }

    /// Removes what may be removed, at least one record; or gives back why there is no room.
    fn make_room(&mut self, policy: WhenFull, full: Error) -> Result<()> {
        if !self.acknowledged.is_empty() {
            return self.clear_out();
        }
        if policy != WhenFull::DropOldest {
            return Err(full);
        }
        let Some(oldest) = self.store.read(self.given_out, 1)?.pop() else {
            return Err(full.with_hint("what is there is on its way to the server"));
        };
        self.store.remove(&[oldest.number..=oldest.number])?;
        self.waiting -= 1;
        self.dropped += 1;
        // Not a line for each, where it goes on for days.
        if self.dropped.is_power_of_two() {
            log_later!(
                Warn,
                "the outbox is full, and so far {} of the oldest events gave way",
                self.dropped
            );
        }
        Ok(())
    }

    /// The next records to send, at most `most`.
    pub(super) fn give_out(&mut self, most: usize) -> Result<Vec<OutboxRecord>> {
        loop {
            let mut records = self.store.read(self.given_out, most)?;
            let Some(last) = records.last() else { return Ok(records) };
            self.given_out = last.number;
            records.retain(|record| !self.acknowledged.contains(&record.number));
            if !records.is_empty() {
                return Ok(records);
            }
        }
    }

    /// What is given out next begins with the oldest record again.
    pub(super) fn begin_again(&mut self) {
        self.given_out = 0;
    }

    /// The server has a record.
    pub(super) fn acknowledge(&mut self, number: u64) {
        if self.acknowledged.insert(number) {
            self.waiting -= 1;
            self.acknowledged_since.get_or_insert_with(Instant::now);
        }
    }

    /// A record can never be delivered.
    pub(super) fn give_up(&mut self, number: u64) {
        self.acknowledge(number);
        self.undeliverable += 1;
    }

    /// Records cannot be read any more.
    pub(super) fn fail(&mut self, failure: Error) {
        self.failure = Some(failure);
    }

    /// When to call [`Stock::do_what_is_due`] next.
    pub(super) fn deadline(&self, sync_within: Option<Duration>) -> Option<Instant> {
        [self.removal(), self.syncing(sync_within)].into_iter().flatten().min()
    }

    /// Removes what is acknowledged and syncs what is not synced, where it is time.
    pub(super) fn do_what_is_due(
        &mut self,
        now: Instant,
        sync_within: Option<Duration>,
    ) -> Result<()> {
        if self.removal().is_some_and(|due| due <= now) {
            self.clear_out()?;
        }
        if self.syncing(sync_within).is_some_and(|due| due <= now) {
            self.sync()?;
        }
        Ok(())
    }

    fn removal(&self) -> Option<Instant> {
        let since = self.acknowledged_since?;
        let is_many = self.acknowledged.len() >= REMOVED_TOGETHER;
        since.checked_add(if is_many { Duration::ZERO } else { REMOVED_WITHIN })
    }

    fn syncing(&self, within: Option<Duration>) -> Option<Instant> {
        self.unsynced_since?.checked_add(within?)
    }

    pub(super) fn sync(&mut self) -> Result<()> {
        if self.unsynced_since.is_some() {
            self.store.sync()?;
            self.unsynced_since = None;
        }
        Ok(())
    }

    /// Removes what is acknowledged.
    pub(super) fn clear_out(&mut self) -> Result<()> {
        self.store.remove(&ranges(&self.acknowledged))?;
        self.acknowledged.clear();
        self.acknowledged_since = None;
        Ok(())
    }
}

/// Numbers, those that follow each other together.
fn ranges(numbers: &BTreeSet<u64>) -> Vec<RangeInclusive<u64>> {
    let mut ranges: Vec<RangeInclusive<u64>> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some(last) if last.end() + 1 == *number => *last = *last.start()..=*number,
            _ => ranges.push(*number..=*number),
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_follow_each_other_are_one_range() {
        let of = |numbers: &[u64]| ranges(&numbers.iter().copied().collect());
        assert_eq!(of(&[]), []);
        assert_eq!(of(&[3, 1, 2, 7, 9, 10]), [1..=3, 7..=7, 9..=10]);
    }
}
