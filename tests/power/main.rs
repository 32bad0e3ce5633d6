//! Power cuts and failing disks under the store of an outbox, at every operation of a run.
//!
//! A process of its own: all of `SQLite` in it uses a disk in memory.

mod disk;
mod vfs;

use std::collections::BTreeMap;
use std::error::Error as _;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use siot::{ErrorKind, FileStore, OutboxStore, Result};

use disk::{Disk, Fault, Left, disk};

const PATH: &str = "/power/outbox";
const BYTES: u64 = 128 * 1024;

/// What a program knows of its store.
#[derive(Clone, Default)]
struct Known {
    id: Option<String>,
    /// All that was appended, in time or not.
    bodies: Vec<Vec<u8>>,
    /// What was promised to survive, and what is to come.
    promised: BTreeMap<u64, Vec<u8>>,
    unsynced: BTreeMap<u64, Vec<u8>>,
    last: u64,
}

impl Known {
    fn append(&mut self, store: &mut FileStore, size: usize, durable: bool) -> Result<()> {
        let mut body = format!("{} of {size}", self.bodies.len()).into_bytes();
        body.resize(size.max(body.len()), b'.');
        self.bodies.push(body.clone());
        let number = store.append(&body, durable)?;
        assert!(number > self.last, "{number} after {}", self.last);
        self.last = number;
        self.unsynced.insert(number, body);
        if durable {
            self.promised.append(&mut self.unsynced);
        }
        Ok(())
    }

    /// Some are removed, or perhaps not.
    fn remove(&mut self, store: &mut FileStore, count: usize) -> Result<()> {
        let all: Vec<u64> = store.read(0, count)?.iter().map(|record| record.number).collect();
        if let (Some(first), Some(last)) = (all.first(), all.last()) {
            for number in *first..=*last {
                self.promised.remove(&number);
                self.unsynced.remove(&number);
            }
            store.remove(&[*first..=*last])?;
        }
        Ok(())
    }

    /// A program that emits, in both ways, gets acknowledgements, closes and opens.
    fn run(&mut self, rounds: usize) -> Result<()> {
        for round in 0..rounds {
            let mut store = FileStore::open(PATH, BYTES)?;
            self.id.get_or_insert_with(|| store.id().to_owned());
            for index in 0..12 {
                let size = if index == 7 { 5_000 } else { 100 + 40 * index };
                self.append(&mut store, size, index % 3 == 1)?;
                if index % 4 == 3 {
                    self.remove(&mut store, 2 + round)?;
                }
            }
            store.sync()?;
            self.promised.append(&mut self.unsynced);
            self.append(&mut store, 70, false)?;
        }
        Ok(())
    }

    /// What was promised is there, in order, and nothing that was not appended.
    fn check(&self, case: &str) {
        let mut store =
            FileStore::open(PATH, BYTES).unwrap_or_else(|error| panic!("{case}: {error}"));
        if let Some(id) = self.id.as_ref().filter(|_| !self.promised.is_empty()) {
            assert_eq!(store.id(), id, "{case}");
        }
        let records = store.read(0, usize::MAX).unwrap_or_else(|error| panic!("{case}: {error}"));
        assert!(records.is_sorted_by_key(|record| record.number), "{case}");
        let found: BTreeMap<u64, Vec<u8>> =
            records.into_iter().map(|record| (record.number, record.body)).collect();
        for (number, body) in &self.promised {
            assert_eq!(found.get(number), Some(body), "{case}: {number} was promised");
        }
        for (number, body) in &found {
            assert!(self.bodies.contains(body), "{case}: {number} was never appended");
        }
        let next = store.append(b"after", true).unwrap_or_else(|error| panic!("{case}: {error}"));
        assert!(next > self.last || self.last == 0, "{case}: {next} was given before");
    }
}

/// One test at a time has the disk.
fn fresh() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    vfs::install();
    *disk() = Disk::new(None);
    alone
}

/// A run on a disk with this fault.
fn run(fault: Option<(usize, Fault)>) -> (Known, Result<()>) {
    *disk() = Disk::new(fault);
    let mut known = Known::default();
    let result = known.run(2);
    (known, result)
}

#[test]
fn whatever_was_promised_is_there_after_a_power_cut_at_any_operation() {
    let _alone = fresh();
    let (known, whole) = run(None);
    whole.unwrap();
    known.check("without a cut");
    let operations = disk().operations;
    assert!(operations > 150, "only {operations} operations");
    let mut kept = 0;
    for cut in 1..=operations {
        let (known, _) = run(Some((cut, Fault::Cut)));
        kept = kept.max(known.promised.len());
        let off = disk().clone();
        let some = (0..3).map(|seed| Left::Some(seed + 10 * cut as u64));
        for left in [Left::Nothing, Left::All].into_iter().chain(some) {
            *disk() = off.clone();
            disk().reboot(left);
            known.check(&format!("cut at {cut} of {operations}, {left:?}"));
        }
    }
    assert!(kept >= 8, "{kept} at most");
}

#[test]
fn a_second_cut_while_it_opens_again_takes_nothing_either() {
    let _alone = fresh();
    let (_, whole) = run(None);
    whole.unwrap();
    let operations = disk().operations;
    for cut in (5..=operations).step_by(7) {
        let (known, _) = run(Some((cut, Fault::Cut)));
        disk().reboot(Left::Some(cut as u64));
        let off = disk().clone();
        for second in 1..12 {
            *disk() = off.clone();
            disk().fault = Some((second, Fault::Cut));
            drop(FileStore::open(PATH, BYTES));
            disk().reboot(Left::Some(second as u64));
            known.check(&format!("cuts at {cut} and {second}"));
        }
    }
}

#[test]
fn a_disk_that_fails_from_any_operation_on_is_an_error_that_takes_nothing() {
    let _alone = fresh();
    let (_, whole) = run(None);
    whole.unwrap();
    let operations = disk().operations;
    for fault in [Fault::Full, Fault::ReadOnly, Fault::Broken] {
        for from in (1..operations).step_by(3) {
            let case = format!("{fault:?} from {from} on");
            let (mut known, result) = run(Some((from, fault)));
            // Only what is done when a store is closed may fail without a word.
            if let Err(error) = result {
                assert_eq!(error.kind(), ErrorKind::Storage, "{case}: {error}");
                assert!(error.to_string().contains(PATH), "{case}: {error}");
                let of_system = error.source().and_then(|it| it.downcast_ref::<io::Error>());
                match fault {
                    Fault::Full => {
                        assert_eq!(of_system.unwrap().kind(), io::ErrorKind::StorageFull, "{case}");
                    }
                    Fault::ReadOnly => assert_eq!(
                        of_system.unwrap().kind(),
                        io::ErrorKind::ReadOnlyFilesystem,
                        "{case}"
                    ),
                    Fault::Broken | Fault::Cut => {}
                }
            }
            // When it works again.
            disk().fault = None;
            known.check(&case);
            known.bodies.push(b"after".to_vec());
            known.run(1).unwrap_or_else(|error| panic!("{case}: {error}"));
            known.check(&case);
        }
    }
}

#[test]
fn a_store_goes_on_once_its_disk_works_again() {
    let _alone = fresh();
    for fault in [Fault::Full, Fault::ReadOnly, Fault::Broken] {
        for from in 0..40 {
            *disk() = Disk::new(None);
            let mut known = Known::default();
            let mut store = FileStore::open(PATH, BYTES).unwrap();
            known.append(&mut store, 300, true).unwrap();
            let now = disk().operations;
            disk().fault = Some((now + from, fault));
            let failed = (0..20).filter(|_| known.append(&mut store, 300, true).is_err()).count();
            assert!(failed > 0, "{fault:?} {from}");
            disk().fault = None;
            known.append(&mut store, 300, true).unwrap_or_else(|error| panic!("{from}: {error}"));
            drop(store);
            known.check(&format!("{fault:?} at {from}"));
        }
    }
}

#[test]
fn what_is_on_the_disk_stays_within_the_bytes() {
    let _alone = fresh();
    let mut store = FileStore::open(PATH, BYTES).unwrap();
    let (mut most, mut refused) = (0, 0);
    for index in 0..2_000_usize {
        let size = if index % 50 == 0 { 16_000 } else { index * 37 % 900 };
        if let Err(error) = store.append(&vec![1; size], index % 5 == 0) {
            assert_eq!(error.kind(), ErrorKind::BufferFull);
            refused += 1;
            let first = store.read(0, 1).unwrap()[0].number;
            store.remove(&[first..=first + 20]).unwrap();
        }
        most = most.max(disk().size());
    }
    assert!(most as u64 <= BYTES && refused > 10, "{most} bytes, {refused} refused");
}
