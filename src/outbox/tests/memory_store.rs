//! A store that forgets everything in the end, with a bound for its records, and disks that fail.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex};

use crate::error::{Error, ErrorKind, Result};
use crate::outbox::store::{OutboxRecord, OutboxStore};

/// What a test sees of the store, and what it can do to it.
#[derive(Default)]
pub(super) struct Disk {
    pub(super) records: BTreeMap<u64, Vec<u8>>,
    next: u64,
    pub(super) syncs: usize,
    pub(super) removals: usize,
    /// The next calls fail so.
    pub(super) failing: Option<ErrorKind>,
}

#[derive(Clone)]
pub(super) struct MemoryStore {
    pub(super) disk: Arc<Mutex<Disk>>,
    pub(super) most: usize,
}

impl MemoryStore {
    /// A store for so many records.
    pub(super) fn new(most: usize) -> Self {
        Self { disk: Arc::default(), most }
    }

    pub(super) fn fail(&self, failing: Option<ErrorKind>) {
        self.disk.lock().unwrap().failing = failing;
    }

    fn working<T>(&self, work: impl FnOnce(&mut Disk) -> T) -> Result<T> {
        let mut disk = self.disk.lock().unwrap();
        match disk.failing {
            Some(kind) => Err(Error::new(kind, "a disk that fails")),
            None => Ok(work(&mut disk)),
        }
    }
}

impl OutboxStore for MemoryStore {
    fn id(&self) -> &'static str {
        "memory"
    }

    fn append(&mut self, record: &[u8], durable: bool) -> Result<u64> {
        let most = self.most;
        self.working(|disk| {
            if disk.records.len() >= most {
                return Err(Error::new(ErrorKind::BufferFull, "full"));
            }
            disk.next += 1;
            disk.syncs += usize::from(durable);
            disk.records.insert(disk.next, record.to_vec());
            Ok(disk.next)
        })?
    }

    fn sync(&mut self) -> Result<()> {
        self.working(|disk| disk.syncs += 1)
    }

    fn read(&mut self, after: u64, most: usize) -> Result<Vec<OutboxRecord>> {
        self.working(|disk| {
            let behind = disk.records.range(after + 1..).take(most);
            behind
                .map(|(number, body)| OutboxRecord { number: *number, body: body.clone() })
                .collect()
        })
    }

    fn remove(&mut self, numbers: &[RangeInclusive<u64>]) -> Result<()> {
        self.working(|disk| {
            disk.removals += 1;
            disk.records.retain(|number, _| !numbers.iter().any(|range| range.contains(number)));
        })
    }

    fn count(&mut self) -> Result<u64> {
        self.working(|disk| disk.records.len() as u64)
    }

    fn bytes_on_disk(&self) -> u64 {
        0
    }
}
