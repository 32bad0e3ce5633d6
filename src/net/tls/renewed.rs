//! What is made from files, and made anew when they have changed.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, Mutex};

use crate::error::{Error, Result};
use crate::options::tls::Source;
use crate::sync::lock::lock;
use crate::sync::logging::log_later;

/// Something that is made from certificates, and follows their files.
#[derive(Debug)]
pub(super) struct Renewed<T> {
    current: Mutex<Option<Current<T>>>,
}

#[derive(Debug)]
struct Current<T> {
    made: Arc<T>,
    stamps: Vec<Option<Stamp>>,
}

/// What changes with a file. A new file under the same name has another number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    number: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl<T> Default for Renewed<T> {
    fn default() -> Self {
        Self { current: Mutex::new(None) }
    }
}

impl<T> Renewed<T> {
    /// What `read` makes of the files as they are now, which have these stamps; or as they were, if they
    /// cannot be used now. The error, once for each change, is why it is not that of the new files.
    pub(super) fn get(
        &self,
        stamps: impl FnOnce() -> Vec<Option<Stamp>>,
        read: impl FnOnce(&[Option<Stamp>]) -> Result<Arc<T>>,
    ) -> Result<(Arc<T>, Option<Error>)> {
        let mut current = lock(&self.current);
        // Before they are read: what changes meanwhile is noticed the next time.
        let stamps = stamps();
        let Some(old) = current.as_mut() else {
            let made = read(&stamps)?;
            *current = Some(Current { made: Arc::clone(&made), stamps });
            return Ok((made, None));
        };
        let mut trouble = None;
        if old.stamps != stamps {
            match read(&stamps) {
                // The sessions of the old certificates end with what was made of them: nobody who is no
                // longer trusted is resumed.
                Ok(made) => {
                    log_later!(Info, "the certificates have changed and are read again");
                    old.made = made;
                }
                Err(error) => trouble = Some(not_used(error)),
            }
            old.stamps = stamps;
        }
        Ok((Arc::clone(&old.made), trouble))
    }
}

/// Says that new files are not used.
fn not_used(error: Error) -> Error {
    let what = "the certificates have changed but cannot be used; the old ones stay";
    let what = format!("{what}: {}", error.message());
    Error::new(error.kind(), what).with_source(error)
}

/// The stamps of those that are files.
pub(super) fn stamps<'a>(
    sources: impl Iterator<Item = &'a Source>,
) -> impl Iterator<Item = Option<Stamp>> {
    sources.filter_map(|source| match source {
        Source::File(path) => Some(stamp(path)),
        Source::Bytes(_) => None,
    })
}

/// `None` where there is no file.
pub(super) fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = std::fs::metadata(path).ok()?;
    Some(Stamp {
        number: metadata.ino(),
        size: metadata.size(),
        modified: (metadata.mtime(), metadata.mtime_nsec()),
        changed: (metadata.ctime(), metadata.ctime_nsec()),
    })
}
