//! What a file store says when it cannot go on. Every error names the file.

use std::io;
use std::path::Path;

use rusqlite::ErrorCode;

use crate::error::{Error, ErrorKind};

/// The error of what `SQLite` has said about a file.
pub(super) fn trouble(path: &Path, error: rusqlite::Error) -> Error {
    let storage =
        |what: &str| Error::new(ErrorKind::Storage, format!("{}: {what}", path.display()));
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            damaged(path, &error.to_string())
        }
        Some(ErrorCode::DiskFull) => {
            storage("the disk is full").with_source(io::Error::from(io::ErrorKind::StorageFull))
        }
        Some(ErrorCode::ReadOnly) => read_only(path),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            storage("it is open elsewhere").with_hint("only one outbox at a time can have it")
        }
        Some(ErrorCode::CannotOpen) => match create_empty(path) {
            Err(reason) => storage("it cannot be opened").with_source(reason),
            Ok(()) => storage("it cannot be opened").with_source(error),
        },
        Some(_) => storage("the disk or the file system fails").with_source(error),
        // A value of another type than ours.
        None => damaged(path, &error.to_string()),
    }
}

/// `SQLite` does not say why it cannot make a file; the system does.
fn create_empty(path: &Path) -> io::Result<()> {
    let made = std::fs::OpenOptions::new().write(true).create_new(true).open(path);
    match made {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other.map(drop),
    }
}

pub(super) fn read_only(path: &Path) -> Error {
    let is_protected = path.metadata().is_ok_and(|file| file.permissions().readonly());
    let reason = if is_protected {
        io::ErrorKind::PermissionDenied
    } else {
        io::ErrorKind::ReadOnlyFilesystem
    };
    Error::new(ErrorKind::Storage, format!("{}: it cannot be written", path.display()))
        .with_source(io::Error::from(reason))
}

pub(super) fn damaged(path: &Path, what: &str) -> Error {
    Error::new(ErrorKind::Damaged, format!("the outbox {}: {what}", path.display()))
        .with_hint("FileStore::salvage keeps the file and takes out what can be read")
}

/// A form that a newer version has made.
pub(super) fn foreign(path: &Path, form: i64) -> Error {
    let what = format!("{} is of form {form}, which this version does not know", path.display());
    Error::new(ErrorKind::Unsupported, what)
}
