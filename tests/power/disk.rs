//! A disk in memory, for `SQLite`, that loses its power or fails when it is told to.
//!
//! What was written and not synced is lost by a cut, or there, or there in part: sectors of 512
//! bytes are whole.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

const SECTOR: usize = 512;

/// What goes wrong with an operation that would change something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The power is gone, and comes back with [`Disk::reboot`].
    Cut,
    Full,
    ReadOnly,
    Broken,
}

/// What of the unsynced is there after a cut.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Left {
    Nothing,
    All,
    /// Some operations, some of them in part.
    Some(u64),
}

#[derive(Clone, Default)]
pub(crate) struct Disk {
    files: BTreeMap<String, Stored>,
    /// How many operations have changed something, or were to.
    pub(crate) operations: usize,
    /// What goes wrong from which operation on.
    pub(crate) fault: Option<(usize, Fault)>,
}

#[derive(Clone, Default)]
struct Stored {
    /// What a program reads.
    bytes: Vec<u8>,
    exists: bool,
    /// What is there whatever happens.
    synced: Vec<u8>,
    exists_synced: bool,
    unsynced: Vec<Change>,
    /// With a new journal `SQLite` syncs the folder, once.
    syncs_folder: bool,
}

#[derive(Clone)]
enum Change {
    Write(usize, Vec<u8>),
    Truncate(usize),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write(place, written) => {
                let end = place + written.len();
                if bytes.len() < end {
                    bytes.resize(end, 0);
                }
                bytes[*place..end].copy_from_slice(written);
            }
            Self::Truncate(length) => bytes.truncate(*length),
        }
    }

    /// Some of its sectors.
    fn apply_in_part(&self, bytes: &mut Vec<u8>, random: &mut fastrand::Rng) {
        let Self::Write(place, written) = self else { return self.apply(bytes) };
        let mut done = 0;
        while done < written.len() {
            let to_boundary = SECTOR - (place + done) % SECTOR;
            let end = (done + to_boundary).min(written.len());
            if random.bool() {
                Self::Write(place + done, written[done..end].to_vec()).apply(bytes);
            }
            done = end;
        }
    }
}

static DISK: Mutex<Option<Disk>> = Mutex::new(None);

/// The disk that is in use. It is never held while a store is.
pub(crate) fn disk() -> DiskGuard {
    let mut guard = DISK.lock().unwrap_or_else(PoisonError::into_inner);
    guard.get_or_insert_with(Disk::default);
    DiskGuard(guard)
}

pub(crate) struct DiskGuard(MutexGuard<'static, Option<Disk>>);

impl std::ops::Deref for DiskGuard {
    type Target = Disk;

    fn deref(&self) -> &Disk {
        self.0.as_ref().expect("made above")
    }
}

impl std::ops::DerefMut for DiskGuard {
    fn deref_mut(&mut self) -> &mut Disk {
        self.0.as_mut().expect("made above")
    }
}

impl Disk {
    /// An empty one, with this fault.
    pub(crate) fn new(fault: Option<(usize, Fault)>) -> Self {
        Self { fault, ..Self::default() }
    }

    /// The power comes back.
    pub(crate) fn reboot(&mut self, left: Left) {
        let mut random = fastrand::Rng::with_seed(match left {
            Left::Some(seed) => seed,
            Left::Nothing | Left::All => 0,
        });
        for file in self.files.values_mut() {
            let mut bytes = std::mem::take(&mut file.synced);
            for change in std::mem::take(&mut file.unsynced) {
                match left {
                    Left::Nothing => {}
                    Left::All => change.apply(&mut bytes),
                    Left::Some(_) if random.bool() => change.apply(&mut bytes),
                    Left::Some(_) => change.apply_in_part(&mut bytes, &mut random),
                }
            }
            file.exists = match left {
                Left::Nothing => file.exists_synced,
                Left::All => file.exists,
                Left::Some(_) => {
                    if random.bool() {
                        file.exists
                    } else {
                        file.exists_synced
                    }
                }
            };
            file.exists_synced = file.exists;
            file.bytes.clone_from(&bytes);
            file.synced = bytes;
        }
        self.fault = None;
        self.operations = 0;
    }

    /// How many bytes all files have.
    pub(crate) fn size(&self) -> usize {
        self.files.values().filter(|file| file.exists).map(|file| file.bytes.len()).sum()
    }

    /// An operation that changes something, unless something goes wrong.
    fn begin(&mut self) -> Result<(), Fault> {
        self.operations += 1;
        match self.fault {
            Some((from, fault)) if self.operations >= from => Err(fault),
            _ => Ok(()),
        }
    }

    fn change(&mut self, name: &str, change: Change) -> Result<(), Fault> {
        self.begin()?;
        let file = self.files.entry(name.to_owned()).or_default();
        change.apply(&mut file.bytes);
        file.unsynced.push(change);
        Ok(())
    }

    pub(crate) fn write(&mut self, name: &str, place: usize, bytes: &[u8]) -> Result<(), Fault> {
        self.change(name, Change::Write(place, bytes.to_vec()))
    }

    pub(crate) fn truncate(&mut self, name: &str, length: usize) -> Result<(), Fault> {
        self.change(name, Change::Truncate(length))
    }

    pub(crate) fn sync(&mut self, name: &str) -> Result<(), Fault> {
        self.begin()?;
        if let Some(file) = self.files.get_mut(name) {
            file.synced.clone_from(&file.bytes);
            file.unsynced.clear();
            if std::mem::take(&mut file.syncs_folder) {
                self.files.values_mut().for_each(|file| file.exists_synced = file.exists);
            }
        }
        Ok(())
    }

    pub(crate) fn open(&mut self, name: &str, create: bool) -> Result<bool, Fault> {
        if self.exists(name) {
            return Ok(true);
        }
        if create {
            self.begin()?;
            let file = self.files.entry(name.to_owned()).or_default();
            file.exists = true;
            file.syncs_folder = name.ends_with("-wal") || name.ends_with("-journal");
            file.unsynced.push(Change::Truncate(0));
            file.bytes.clear();
        }
        Ok(create)
    }

    pub(crate) fn delete(&mut self, name: &str, synced: bool) -> Result<(), Fault> {
        self.begin()?;
        if let Some(file) = self.files.get_mut(name) {
            file.exists = false;
            file.exists_synced &= !synced;
        }
        Ok(())
    }

    pub(crate) fn exists(&self, name: &str) -> bool {
        self.files.get(name).is_some_and(|file| file.exists)
    }

    pub(crate) fn read(&self, name: &str) -> Option<&[u8]> {
        self.files.get(name).filter(|file| file.exists).map(|file| &*file.bytes)
    }

    /// Whether the power is gone, so that nothing can be read.
    pub(crate) fn is_off(&self) -> bool {
        matches!(self.fault, Some((from, Fault::Cut)) if self.operations >= from)
    }
}
