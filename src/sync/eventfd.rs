//! A descriptor that one thread makes readable for another, which waits for it in `poll(2)`.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{EventfdFlags, eventfd};

use crate::error::{Error, ErrorKind, Result};

/// An eventfd: readable from [`EventFd::raise`] to [`EventFd::lower`].
#[derive(Debug)]
pub(crate) struct EventFd(OwnedFd);

impl EventFd {
    pub(crate) fn new() -> Result<Self> {
        eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC).map(Self).map_err(|error| {
            Error::new(ErrorKind::Resource, "cannot make an eventfd")
                .with_source(io::Error::from(error))
        })
    }

    /// Makes it readable.
    pub(crate) fn raise(&self) {
        // It fails only when the count is at its limit, and then it is readable as it should be.
        let _ = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
    }

    /// Makes it unreadable.
    pub(crate) fn lower(&self) {
        // It fails only when the count is zero, which is what is wanted.
        let _ = rustix::io::read(&self.0, &mut [0_u8; 8]);
    }
}

impl AsFd for EventFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
