//! A connection that is begun before the thread is there that goes on with it.
//!
//! To start a thread takes as long as a server nearby takes to accept a connection. So who asks for the one begins the
//! other before, which never blocks.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;

/// A connection that was begun.
#[derive(Debug)]
pub(crate) struct Begun {
    pub(super) address: SocketAddr,
    pub(super) socket: OwnedFd,
    /// It is made already.
    pub(super) is_connected: bool,
}
