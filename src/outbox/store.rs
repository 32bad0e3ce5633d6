//! What an outbox needs of a place to keep its events.

use std::ops::RangeInclusive;

#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::Result;

/// A place where an [`Outbox`](crate::Outbox) keeps its events, in their order:
/// [`FileStore`](crate::FileStore), or one of your own.
///
/// Only one outbox at a time uses a store, under a lock: the methods may block for as long as the
/// disk does.
pub trait OutboxStore: Send {
    /// A name that no other store has, given to it at random when it was made, and kept in it. The
    /// server tells by it, with the number of a record, what it has had before.
    fn id(&self) -> &str;

    /// Appends a record and gives its number: one that is larger than all that the store has given,
    /// also to records that are gone.
    ///
    /// If `durable`, the record survives a power cut when this returns, and so does all that was
    /// appended before. Otherwise it survives the end of the process.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::BufferFull`] when the bound of the store is reached, and something would have
    /// to be removed first; [`ErrorKind::TooLarge`] when the record would never fit;
    /// [`ErrorKind::Storage`]. After these the record is not there; but one whose writing failed
    /// half-way ([`ErrorKind::Storage`]) may be found there after a crash.
    fn append(&mut self, record: &[u8], durable: bool) -> Result<u64>;

    /// Makes durable what was appended.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Storage`].
    fn sync(&mut self) -> Result<()>;

    /// The first records behind this number, at most `most` of them, the oldest first.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Damaged`] when a record is not what was appended, [`ErrorKind::Storage`].
    fn read(&mut self, after: u64, most: usize) -> Result<Vec<OutboxRecord>>;

    /// Removes the records with these numbers, as far as they are there. After a power cut they may
    /// be back.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Storage`].
    fn remove(&mut self, numbers: &[RangeInclusive<u64>]) -> Result<()>;

    /// How many records there are.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Damaged`], [`ErrorKind::Storage`].
    fn count(&mut self) -> Result<u64>;

    /// How many bytes it takes on the disk.
    fn bytes_on_disk(&self) -> u64;
}

/// An event as an [`Outbox`](crate::Outbox) keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxRecord {
    /// Its place in the order.
    pub number: u64,
    /// What was appended.
    pub body: Vec<u8>,
}
