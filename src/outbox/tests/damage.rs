//! Files that are not what was written.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::folder::Folder;
use crate::error::{ErrorKind, Result};
use crate::outbox::file_store::{FileStore, journal};
use crate::outbox::store::{OutboxRecord, OutboxStore};

const BYTES: u64 = 1024 * 1024;
const PAGE: usize = 1024;

/// Records of all sizes, some of them over several pages.
fn body(number: usize) -> Vec<u8> {
    let size = if number % 10 == 9 { 3_000 } else { 50 + number * 7 % 200 };
    (0..size).map(|index| u8::try_from((index * 31 + number) % 251).unwrap()).collect()
}

/// A file with records, without a journal.
fn filled(path: &Path, count: usize) -> BTreeMap<u64, Vec<u8>> {
    let mut store = FileStore::open(path, BYTES).unwrap();
    (0..count).map(|number| (store.append(&body(number), false).unwrap(), body(number))).collect()
}

/// Reads all: an error where damage is noticed. What is appended then is behind all of it.
fn read_all(path: &Path) -> Result<Vec<OutboxRecord>> {
    let mut store = FileStore::open(path, BYTES)?;
    let records = store.read(0, usize::MAX)?;
    assert!(store.append(b"new", true)? > records.last().map_or(0, |record| record.number));
    Ok(records)
}

/// Salvages a file, and counts what is missing. Nothing may be there that was not appended.
fn missing(path: &Path, written: &BTreeMap<u64, Vec<u8>>) -> usize {
    let salvaged = FileStore::salvage(path, BYTES).unwrap();
    assert!(salvaged.aside.exists());
    let mut store = salvaged.store;
    let records = store.read(0, usize::MAX).unwrap();
    assert_eq!(records.len(), salvaged.events);
    assert!(records.is_sorted_by_key(|record| record.number));
    for record in &records {
        assert_eq!(written.get(&record.number), Some(&record.body), "{}", record.number);
    }
    assert!(store.append(b"new", true).unwrap() > *written.keys().next_back().unwrap());
    written.len() - records.len()
}

#[test]
fn whatever_is_flipped_is_noticed_or_harms_nothing_and_costs_what_lies_there() {
    let original = Folder::new();
    let written = filled(&original.file(), 60);
    let whole = fs::read(original.file()).unwrap();
    let mut random = fastrand::Rng::with_seed(12);
    let (mut noticed, mut unharmed, mut most) = (0, 0, 0);
    for page in 0..whole.len() / PAGE {
        // The first bytes of a page are its structure.
        for place in [0, 3, 6, 8, random.usize(..100), random.usize(..PAGE), random.usize(..PAGE)] {
            let folder = Folder::new();
            let mut bytes = whole.clone();
            bytes[page * PAGE + place] ^= 1 << random.u32(..8);
            fs::write(folder.file(), &bytes).unwrap();
            match read_all(&folder.file()) {
                Ok(records) => {
                    unharmed += 1;
                    assert_eq!(records.len(), written.len(), "page {page}, byte {place}");
                    assert!(records.iter().all(|record| written[&record.number] == record.body));
                }
                Err(error) => {
                    noticed += 1;
                    assert_eq!(
                        error.kind(),
                        ErrorKind::Damaged,
                        "page {page}, byte {place}: {error}"
                    );
                    let name = folder.file();
                    assert!(error.to_string().contains(&*name.to_string_lossy()), "{error}");
                    most = most.max(missing(&folder.file(), &written));
                }
            }
        }
    }
    assert!(noticed > 100 && unharmed > 10, "{noticed} noticed, {unharmed} unharmed");
    assert!(most <= 1, "{most} records lost by one bit");
}

#[test]
fn a_page_of_nonsense_costs_what_lay_on_it() {
    let original = Folder::new();
    let written = filled(&original.file(), 100);
    let whole = fs::read(original.file()).unwrap();
    for page in 0..whole.len() / PAGE {
        let folder = Folder::new();
        let mut bytes = whole.clone();
        bytes[page * PAGE..(page + 1) * PAGE].fill(0xa5);
        fs::write(folder.file(), &bytes).unwrap();
        assert_eq!(read_all(&folder.file()).unwrap_err().kind(), ErrorKind::Damaged, "{page}");
        assert!(missing(&folder.file(), &written) <= PAGE / 60, "{page}");
    }
}

#[test]
fn a_file_that_was_cut_short_gives_what_is_left_of_it() {
    let original = Folder::new();
    let written = filled(&original.file(), 100);
    let whole = fs::read(original.file()).unwrap();
    let pages = whole.len() / PAGE;
    for kept in [1, 3, pages / 2, pages - 1] {
        for odd in [0, 500] {
            let folder = Folder::new();
            fs::write(folder.file(), &whole[..kept * PAGE + odd]).unwrap();
            let error = read_all(&folder.file()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Damaged, "{kept} pages: {error}");
            let missing = missing(&folder.file(), &written);
            let there = 100 - missing;
            assert!(there >= (kept * 100 / pages).saturating_sub(20), "{kept} of {pages}: {there}");
        }
    }
}

#[test]
fn records_that_are_only_in_the_journal_are_found_behind_a_flipped_bit_in_it() {
    let folder = Folder::new();
    let mut store = FileStore::open(folder.file(), BYTES).unwrap();
    let written: BTreeMap<u64, Vec<u8>> =
        (0..20).map(|number| (store.append(&body(number), true).unwrap(), body(number))).collect();
    let left = Folder::new();
    fs::copy(folder.file(), left.file()).unwrap();
    let mut bytes = fs::read(journal(&folder.file())).unwrap();
    let middle = bytes.len() / 3;
    bytes[middle] ^= 4;
    fs::write(journal(&left.file()), bytes).unwrap();
    // It looks as after a power cut, and no error tells.
    assert!(missing(&left.file(), &written) <= 1);
}

#[test]
fn each_salvage_keeps_its_own_damaged_file() {
    let folder = Folder::new();
    filled(&folder.file(), 3);
    for name in ["outbox.damaged", "outbox.damaged-2", "outbox.damaged-3"] {
        let bytes = fs::read(folder.file()).unwrap();
        let salvaged = FileStore::salvage(folder.file(), BYTES).unwrap();
        assert_eq!((salvaged.aside.clone(), salvaged.events), (folder.path().join(name), 3));
        assert_eq!(fs::read(salvaged.aside).unwrap(), bytes);
    }
    let missing = FileStore::salvage(folder.path().join("other"), BYTES).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::Storage);
}
