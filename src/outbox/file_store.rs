//! The store in a file, which `SQLite` keeps.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::sealed::{Sealed, given, stored};
use super::shares::{PAGE, Shares};
use super::store::{OutboxRecord, OutboxStore};
use super::trouble::{damaged, foreign, read_only, trouble};
use crate::error::Result;

/// Tells a file of ours: "siob".
const APPLICATION: i64 = 0x7369_6f62;
/// The form of the tables.
const FORM: i64 = 1;
/// Of so many numbers it is noted ahead that they may be given, so that none is given twice: one
/// may be known to the server and forgotten here by a power cut.
const NUMBERS_AHEAD: i64 = 1 << 20;

/// A [`OutboxStore`] in a file.
///
/// The file is a database of `SQLite`. Beside it lies another one while it is in use, with `-wal`
/// behind its name; after a crash both are needed. Both together are never larger than the bound
/// that was given.
///
/// **Flash.** Before an append that has to survive power cuts returns, what it wrote is synced
/// (`fdatasync`). An event of 200 bytes is 2.0 kB that the program writes, and 6 kB in blocks of 4 KiB
/// of the file system, the move from the journal to the file and the removal included; where a hundred are
/// synced together, 2.2 kB. A removal is not synced.
///
/// **Damage.** When it is opened, its structure is checked; each event has a checksum, which is
/// checked when it is read. What is found is an error of kind
/// [`ErrorKind::Damaged`](crate::ErrorKind::Damaged) that names the file; nothing is written then,
/// and [`salvage`](FileStore::salvage) takes out what can be read. A flipped bit in the journal,
/// which has checksums too, cannot be told from a power cut: what is behind it there is lost, but
/// for `salvage`.
///
/// **Power cuts.** What was synced is there after a cut, provided that the disk does what it says:
/// that a sync is one, and that writing a block harms no other.
///
/// ```no_run
/// # fn main() -> siot::Result<()> {
/// use siot::{ErrorKind, FileStore};
///
/// let path = "/var/lib/meter/outbox";
/// let bytes = 4 * 1024 * 1024;
/// let store = match FileStore::open(path, bytes) {
///     Err(error) if error.kind() == ErrorKind::Damaged => {
///         eprintln!("{error}");
///         let salvaged = FileStore::salvage(path, bytes)?;
///         eprintln!("{} events saved; see {}", salvaged.events, salvaged.aside.display());
///         salvaged.store
///     }
///     other => other?,
/// };
/// # Ok(())
/// # }
/// ```
pub struct FileStore {
    connection: Connection,
    path: PathBuf,
    id: String,
    bounds: Shares,
    /// The store's name, as its records have it.
    name: i64,
    /// The number of the next record.
    next: i64,
    /// The first number that is not noted yet as one that may be given.
    reserved: i64,
    /// Whether a commit waits until the disk has it.
    is_durable: bool,
}

impl FileStore {
    /// Opens a store, and makes it if there is none. `bytes` is the most that it takes on disk, at
    /// least 128 KiB; a quarter of it is for the journal, and an event can have an eighth of it at
    /// most. A file that has become larger under another bound does not shrink, but takes nothing
    /// until there is room.
    ///
    /// # Blocking
    ///
    /// As long as the disk takes to read the file.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Storage`](crate::ErrorKind::Storage) when it cannot be read and written, or
    /// another outbox has it open; [`ErrorKind::Damaged`](crate::ErrorKind::Damaged);
    /// [`ErrorKind::InvalidOption`](crate::ErrorKind::InvalidOption) when `bytes` is too little;
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) when a newer version of siot has
    /// written it.
    pub fn open(path: impl AsRef<Path>, bytes: u64) -> Result<Self> {
        let path = path.as_ref();
        let bounds = Shares::new(bytes)?;
        let connection = connect(path, bounds)?;
        if tables(&connection, path)? == 0 {
            create(&connection, path, new_name(), 1)?;
        }
        let (name, next) = check(&connection, path)?;
        let mut store = Self {
            connection,
            path: path.to_owned(),
            id: format!("{name:016x}"),
            bounds,
            name,
            next,
            reserved: next,
            is_durable: true,
        };
        store.reserve()?;
        Ok(store)
    }

    /// A new store of this name, whose numbers begin with `next`.
    pub(super) fn create(path: &Path, bytes: u64, name: Option<i64>, next: i64) -> Result<Self> {
        let connection = connect(path, Shares::new(bytes)?)?;
        create(&connection, path, name.unwrap_or_else(new_name), next)?;
        drop(connection);
        Self::open(path, bytes)
    }

    /// Puts in records of the store that was before.
    pub(super) fn restore(&mut self, records: &[OutboxRecord]) -> Result<()> {
        let transaction =
            self.connection.transaction().map_err(|error| trouble(&self.path, error))?;
        for OutboxRecord { number, body } in records {
            let sealed = Sealed::new(self.name, stored(*number), body);
            insert(&transaction, &sealed).map_err(|error| trouble(&self.path, error))?;
        }
        transaction.commit().map_err(|error| trouble(&self.path, error))
    }

    /// Notes durably that further numbers may be given.
    fn reserve(&mut self) -> Result<()> {
        if self.next >= self.reserved {
            self.set_durable(true)?;
            let reserved = self.next.saturating_add(NUMBERS_AHEAD);
            self.note_next(reserved)?;
            self.reserved = reserved;
        }
        Ok(())
    }

    fn note_next(&self, next: i64) -> Result<()> {
        let Sealed { number, sum, .. } = Sealed::new(self.name, next, b"");
        self.run("update outbox set next = ?, sum = ?", [number, sum])
    }

    fn set_durable(&mut self, durable: bool) -> Result<()> {
        if self.is_durable != durable {
            self.run(
                if durable { "pragma synchronous = full" } else { "pragma synchronous = normal" },
                (),
            )?;
            self.is_durable = durable;
        }
        Ok(())
    }

    fn run(&self, statement: &str, values: impl rusqlite::Params) -> Result<()> {
        let done = self.connection.execute(statement, values);
        done.map(drop).map_err(|error| trouble(&self.path, error))
    }

    fn ask(&self, question: &str) -> Result<u64> {
        ask(&self.connection, &self.path, question).map(given)
    }

    fn free_pages(&self) -> Result<u64> {
        let used = self.ask("pragma page_count")? - self.ask("pragma freelist_count")?;
        Ok(self.bounds.pages.saturating_sub(used))
    }
}

impl OutboxStore for FileStore {
    fn id(&self) -> &str {
        &self.id
    }

    fn append(&mut self, record: &[u8], durable: bool) -> Result<u64> {
        self.bounds.check(record.len(), self.free_pages()?)?;
        self.reserve()?;
        self.set_durable(durable)?;
        let number = self.next;
        // Not to be given again, whatever becomes of it.
        self.next += 1;
        insert(&self.connection, &Sealed::new(self.name, number, record))
            .map_err(|error| trouble(&self.path, error))?;
        Ok(given(number))
    }

    fn sync(&mut self) -> Result<()> {
        // A commit that waits for the disk waits for those before it. One that changes nothing
        // would not wait.
        self.set_durable(true)?;
        self.run("update outbox set syncs = syncs + 1", ())
    }

    fn read(&mut self, after: u64, most: usize) -> Result<Vec<OutboxRecord>> {
        let question =
            "select number, store, sum, body from event where number > ? order by number limit ?";
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let of_file = |error| trouble(&self.path, error);
        let mut statement = self.connection.prepare(question).map_err(of_file)?;
        let mut rows = statement.query((stored(after), most)).map_err(of_file)?;
        let mut records = Vec::new();
        while let Some(row) = rows.next().map_err(of_file)? {
            let sealed = read_row(row).map_err(of_file)?;
            if !sealed.is_intact() {
                return Err(damaged(&self.path, &format!("event {}", sealed.number)));
            }
            let number = given(sealed.number);
            records.push(OutboxRecord { number, body: sealed.body.into_owned() });
        }
        Ok(records)
    }

    fn remove(&mut self, numbers: &[RangeInclusive<u64>]) -> Result<()> {
        self.set_durable(false)?;
        let transaction =
            self.connection.transaction().map_err(|error| trouble(&self.path, error))?;
        for range in numbers {
            transaction
                .execute(
                    "delete from event where number between ? and ?",
                    (stored(*range.start()), stored(*range.end())),
                )
                .map_err(|error| trouble(&self.path, error))?;
        }
        transaction.commit().map_err(|error| trouble(&self.path, error))
    }

    fn count(&mut self) -> Result<u64> {
        self.ask("select count(*) from event")
    }

    fn bytes_on_disk(&self) -> u64 {
        let size = |path: &Path| path.metadata().map_or(0, |file| file.len());
        size(&self.path) + size(&journal(&self.path))
    }
}

impl Drop for FileStore {
    /// The numbers go on where they are. Where that cannot be noted, some are left out.
    fn drop(&mut self) {
        _ = self.note_next(self.next);
    }
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileStore")
            .field("path", &self.path)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// The name of the journal beside a file.
pub(super) fn journal(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

/// Random by the system's numbers: devices that were made alike have different ones.
fn new_name() -> i64 {
    i64::from_ne_bytes(RandomState::new().build_hasher().finish().to_ne_bytes())
}

/// Opens the file for this process alone.
fn connect(path: &Path, bounds: Shares) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection =
        Connection::open_with_flags(path, flags).map_err(|error| trouble(path, error))?;
    if connection.is_readonly("main").map_err(|error| trouble(path, error))? {
        return Err(read_only(path));
    }
    connection.busy_timeout(Duration::ZERO).map_err(|error| trouble(path, error))?;
    // Without another process, the journal needs no shared memory, which not every file system has.
    let settings = format!(
        "pragma page_size = {PAGE}; pragma locking_mode = exclusive; pragma journal_mode = wal;
         pragma synchronous = full; pragma cache_size = 64; pragma temp_store = memory;
         pragma wal_autocheckpoint = {}; pragma journal_size_limit = {}; pragma max_page_count = {}",
        bounds.checkpoint, bounds.journal, bounds.pages
    );
    connection.execute_batch(&settings).map_err(|error| trouble(path, error))?;
    Ok(connection)
}

fn ask(connection: &Connection, path: &Path, question: &str) -> Result<i64> {
    connection.query_row(question, (), |row| row.get(0)).map_err(|error| trouble(path, error))
}

fn tables(connection: &Connection, path: &Path) -> Result<i64> {
    ask(connection, path, "select count(*) from sqlite_schema")
}

/// Makes the tables, all or none of them.
fn create(connection: &Connection, path: &Path, name: i64, next: i64) -> Result<()> {
    let Sealed { sum, .. } = Sealed::new(name, next, b"");
    let tables = format!(
        "begin immediate;
         pragma application_id = {APPLICATION}; pragma user_version = {FORM};
         create table outbox(name integer not null, next integer not null, sum integer not null, syncs integer not null);
         create table event(number integer primary key, store integer not null, sum integer not null, body blob not null);
         insert into outbox values({name}, {next}, {sum}, 0);
         commit"
    );
    connection.execute_batch(&tables).map_err(|error| trouble(path, error))?;
    // That the file is there has to survive a power cut too. Where a folder cannot be synced, the
    // file system sees to it.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    _ = std::fs::File::open(folder.unwrap_or(Path::new("."))).and_then(|folder| folder.sync_all());
    Ok(())
}

/// Looks whether the file is an outbox and whole. Gives its name, and the next number.
fn check(connection: &Connection, path: &Path) -> Result<(i64, i64)> {
    if ask(connection, path, "pragma application_id")? != APPLICATION {
        return Err(damaged(path, "it is no outbox, or not any more"));
    }
    let form = ask(connection, path, "pragma user_version")?;
    if form > FORM {
        return Err(foreign(path, form));
    }
    let said: String = connection
        .query_row("pragma quick_check(1)", (), |row| row.get(0))
        .map_err(|error| trouble(path, error))?;
    if said != "ok" {
        return Err(damaged(path, &said));
    }
    let sealed = connection
        .query_row("select next, name, sum, x'' from outbox", (), read_row)
        .map_err(|error| trouble(path, error))?;
    if !sealed.is_intact() {
        return Err(damaged(path, "its name or its next number"));
    }
    Ok((sealed.store, sealed.number))
}

fn insert(connection: &Connection, sealed: &Sealed<'_>) -> rusqlite::Result<usize> {
    let values = (sealed.number, sealed.store, sealed.sum, sealed.body.as_ref());
    connection.execute("insert into event values(?, ?, ?, ?)", values)
}

fn read_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<Sealed<'static>> {
    let body: Vec<u8> = row.get(3)?;
    Ok(Sealed { number: row.get(0)?, store: row.get(1)?, sum: row.get(2)?, body: body.into() })
}
