//! How the bytes of a file store are shared out.

use crate::error::{Error, ErrorKind, Result};

/// What is written at a time. A small page makes a small write; the record of a reading fits into
/// it.
pub(super) const PAGE_SIZE: usize = 1024;
/// The same as the sizes of files have it.
pub(super) const PAGE: u64 = PAGE_SIZE as u64;
/// A page in the journal, with its header.
const FRAME: u64 = PAGE + 24;
/// What a page of a long record holds.
const HELD_BY_PAGE: u64 = PAGE - 4;
/// How many pages an event may take beside those that its record fills: the tree grows by a level.
const GROWTH: u64 = 8;
/// The least that a store can do with.
const LEAST: u64 = 128 * 1024;

/// The bounds of a store in a file of so many bytes, the journal beside it included.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shares {
    /// The largest record.
    largest: u64,
    /// With so many pages in the journal, they are moved to the file, and it begins anew.
    pub(super) checkpoint: u64,
    /// The most that the journal takes. One record comes in whole before it can begin anew.
    pub(super) journal: u64,
    /// The most pages of the file.
    pub(super) pages: u64,
}

impl Shares {
    pub(super) fn new(bytes: u64) -> Result<Self> {
        if bytes < LEAST {
            let what = format!("a store of {bytes} bytes; the least is {LEAST}");
            return Err(Error::new(ErrorKind::InvalidOption, what));
        }
        let largest = bytes / 8;
        let checkpoint = (bytes / PAGE / 16).min(256);
        let journal = (checkpoint + largest / HELD_BY_PAGE + 2 * GROWTH) * FRAME;
        Ok(Self { largest, checkpoint, journal, pages: (bytes - journal) / PAGE })
    }

    /// Refuses a record that would never fit, or does not fit into so many pages that are free.
    pub(super) fn check(&self, record: usize, free: u64) -> Result<()> {
        let record = u64::try_from(record).unwrap_or(u64::MAX);
        if record > self.largest {
            let what = format!(
                "an event of {record} bytes; this outbox takes {} at most, an eighth of its size",
                self.largest
            );
            return Err(Error::new(ErrorKind::TooLarge, what));
        }
        if record / HELD_BY_PAGE + GROWTH > free {
            return Err(Error::new(ErrorKind::BufferFull, "the outbox is full"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_and_journal_are_within_the_bytes_and_the_largest_record_fits() {
        for bytes in [LEAST, 1 << 18, 1_000_001, 1 << 24, 1 << 32] {
            let bounds = Shares::new(bytes).unwrap();
            assert!(bounds.pages * PAGE + bounds.journal <= bytes, "{bounds:?}");
            assert!(bounds.pages * PAGE > bytes / 2, "{bounds:?}");
            let largest = usize::try_from(bounds.largest).unwrap();
            bounds.check(largest, bounds.pages).unwrap();
            assert_eq!(
                bounds.check(largest + 1, u64::MAX).unwrap_err().kind(),
                ErrorKind::TooLarge
            );
            assert_eq!(bounds.check(0, GROWTH - 1).unwrap_err().kind(), ErrorKind::BufferFull);
        }
        assert_eq!(Shares::new(LEAST - 1).unwrap_err().kind(), ErrorKind::InvalidOption);
    }
}
