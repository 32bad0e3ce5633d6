//! What can be taken out of a damaged file.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::carve::carve;
use super::file_store::{FileStore, journal};
use super::sealed::stored;
use crate::error::{Error, ErrorKind, Result};

/// How far the numbers of a store go on behind the largest that was found: others were given.
const NUMBERS_SKIPPED: i64 = 1 << 32;

/// What [`FileStore::salvage`] has done.
#[derive(Debug)]
#[non_exhaustive]
pub struct Salvaged {
    /// A store under the old path, with all events that were found. The server knows it under the
    /// same name as before.
    pub store: FileStore,
    /// How many events were found.
    pub events: usize,
    /// Where the damaged file is now; beside it its journal, if there was one, with `-wal` behind
    /// the name.
    pub aside: PathBuf,
}

impl FileStore {
    /// Takes what can be read out of a file that is damaged, makes a new store of it in its place,
    /// and keeps the file under another name: with `.damaged` behind it.
    ///
    /// Each event is found that still lies in the file or the journal with its checksum right,
    /// whatever became of the rest: the beginning may be gone, or the end. Among them may be some
    /// that were removed; the server drops by their key those that it has had.
    ///
    /// # Blocking
    ///
    /// As long as the disk takes. It needs memory for the file, and room on the disk for what it
    /// finds.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Storage`], and [`ErrorKind::BufferFull`] when what is found does not fit into
    /// `bytes`. The damaged file is then where it was.
    pub fn salvage(path: impl AsRef<Path>, bytes: u64) -> Result<Salvaged> {
        let path = path.as_ref();
        // Before anybody opens it, and so ends the journal.
        let damaged = fs::read(path).map_err(|error| failure(path, "read", error))?;
        let carved = carve(&damaged, &fs::read(journal(path)).unwrap_or_default());
        let made = beside(path, ".salvaged");
        remove_store(&made);
        let last = carved.records.last().map_or(0, |record| stored(record.number));
        let next = last.saturating_add(NUMBERS_SKIPPED);
        let mut store = Self::create(&made, bytes, carved.name, next)?;
        let restored = store.restore(&carved.records);
        // When it is closed it has no journal.
        drop(store);
        if let Err(error) = restored {
            remove_store(&made);
            return Err(error);
        }
        let aside = put_aside(path).map_err(|error| failure(path, "keep", error))?;
        fs::rename(&made, path).map_err(|error| failure(path, "replace", error))?;
        Ok(Salvaged { store: Self::open(path, bytes)?, events: carved.records.len(), aside })
    }
}

/// Gives a file and its journal another name. The file stays under its own as well, until it is
/// replaced.
fn put_aside(path: &Path) -> io::Result<PathBuf> {
    let mut aside = beside(path, ".damaged");
    for number in 2.. {
        if !aside.exists() && !journal(&aside).exists() {
            break;
        }
        aside = beside(path, &format!(".damaged-{number}"));
    }
    if journal(path).exists() {
        fs::rename(journal(path), journal(&aside))?;
    }
    // Not every file system has links.
    fs::hard_link(path, &aside).or_else(|_| fs::copy(path, &aside).map(drop))?;
    Ok(aside)
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Removes what an earlier attempt has left.
fn remove_store(path: &Path) {
    _ = fs::remove_file(path);
    _ = fs::remove_file(journal(path));
}

fn failure(path: &Path, what: &str, error: io::Error) -> Error {
    Error::new(ErrorKind::Storage, format!("cannot {what} {}", path.display())).with_source(error)
}
