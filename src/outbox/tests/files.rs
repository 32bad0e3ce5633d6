//! The store in a file.

use std::fs;
use std::io;

use super::folder::Folder;
use crate::error::{Error, ErrorKind};
use crate::outbox::file_store::FileStore;
use crate::outbox::store::{OutboxRecord, OutboxStore};

const BYTES: u64 = 256 * 1024;

fn numbers(store: &mut FileStore) -> Vec<u64> {
    store.read(0, usize::MAX).unwrap().iter().map(|record| record.number).collect()
}

fn source(error: &Error) -> io::ErrorKind {
    let source = std::error::Error::source(error).expect("a source");
    source.downcast_ref::<io::Error>().expect("an error of the system").kind()
}

#[test]
fn records_are_there_in_order_until_they_are_removed_also_after_reopening() {
    let folder = Folder::new();
    let mut store = FileStore::open(folder.file(), BYTES).unwrap();
    let id = store.id().to_owned();
    assert_eq!(id.len(), 16);
    for body in ["a", "", "c", "d"] {
        store.append(body.as_bytes(), true).unwrap();
    }
    let read = store.read(1, 2).unwrap();
    let bodies: Vec<&[u8]> = read.iter().map(|record| &*record.body).collect();
    assert_eq!(bodies, [&b""[..], b"c"]);
    assert_eq!(read[0], OutboxRecord { number: 2, body: vec![] });
    store.remove(&[1..=1, 3..=3]).unwrap();
    drop(store);
    let mut store = FileStore::open(folder.file(), BYTES).unwrap();
    let count = store.count().unwrap();
    assert_eq!((store.id(), count), (&*id, 2));
    assert_eq!(numbers(&mut store), [2, 4]);
}

#[test]
fn no_number_is_given_twice_whatever_was_removed_or_forgotten() {
    let folder = Folder::new();
    let mut store = FileStore::open(folder.file(), BYTES).unwrap();
    assert_eq!(store.append(b"x", true).unwrap(), 1);
    store.remove(&[1..=1]).unwrap();
    drop(store);
    // Closed in good order, it goes on.
    let mut store = FileStore::open(folder.file(), BYTES).unwrap();
    assert_eq!(store.append(b"x", true).unwrap(), 2);
    // Not closed, as a power cut would leave it: the file from before the next record was written.
    let copy = Folder::new();
    fs::copy(folder.file(), copy.file()).unwrap();
    fs::copy(folder.path().join("outbox-wal"), copy.path().join("outbox-wal")).unwrap();
    let last = store.append(b"y", true).unwrap();
    let mut store = FileStore::open(copy.file(), BYTES).unwrap();
    assert!(store.append(b"z", true).unwrap() > last);
}

#[test]
fn file_and_journal_stay_within_the_bytes_whatever_comes_and_goes() {
    let folder = Folder::new();
    let mut random = fastrand::Rng::with_seed(7);
    let mut store = FileStore::open(folder.file(), BYTES).unwrap();
    let mut refused = 0;
    let mut most = 0;
    for _ in 0..3_000 {
        let size = if random.u32(..20) == 0 { 30_000 } else { random.usize(..400) };
        match store.append(&vec![7; size], random.bool()) {
            Ok(_) => {}
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::BufferFull);
                refused += 1;
                let first = numbers(&mut store)[0];
                let last = first + random.u64(1..40);
                store.remove(&[first..=last]).unwrap();
            }
        }
        most = most.max(store.bytes_on_disk());
    }
    assert!(refused > 50, "{refused}");
    assert!(most <= BYTES, "{most} bytes");
    assert!(most > BYTES / 2, "{most} bytes");
    let error = store.append(&vec![7; 32 * 1024 + 1], true).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
}

#[test]
fn a_second_outbox_is_told_that_the_file_is_in_use() {
    let folder = Folder::new();
    let store = FileStore::open(folder.file(), BYTES).unwrap();
    let error = FileStore::open(folder.file(), BYTES).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Storage);
    assert!(error.to_string().contains("open elsewhere"), "{error}");
    drop(store);
    FileStore::open(folder.file(), BYTES).unwrap();
}

#[test]
fn what_cannot_be_opened_is_an_error_that_says_why_and_names_the_file() {
    let folder = Folder::new();
    let nowhere = folder.path().join("no folder").join("outbox");
    let error = FileStore::open(&nowhere, BYTES).unwrap_err();
    assert_eq!((error.kind(), source(&error)), (ErrorKind::Storage, io::ErrorKind::NotFound));
    assert!(error.to_string().contains("no folder/outbox"), "{error}");
    fs::write(folder.file(), "a text file that somebody has put here, of some length").unwrap();
    let error = FileStore::open(folder.file(), BYTES).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged);
    assert!(error.to_string().contains(&*folder.file().to_string_lossy()), "{error}");
    let other = folder.path().join("other");
    rusqlite::Connection::open(&other).unwrap().execute_batch("create table t(x)").unwrap();
    assert_eq!(FileStore::open(&other, BYTES).unwrap_err().kind(), ErrorKind::Damaged);
    let error = FileStore::open(folder.file(), 1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidOption);
}

#[test]
fn a_file_of_a_newer_form_is_left_alone() {
    let folder = Folder::new();
    drop(FileStore::open(folder.file(), BYTES).unwrap());
    let newer = rusqlite::Connection::open(folder.file()).unwrap();
    newer.execute_batch("pragma user_version = 2").unwrap();
    drop(newer);
    let error = FileStore::open(folder.file(), BYTES).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}
