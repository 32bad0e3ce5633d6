//! A connection that is begun before the thread is there that goes on with it.
//!
//! To start a thread takes as long as a server nearby takes to accept a connection. So who asks for the one begins the
//! other before, which never blocks; and where the server has accepted by then, its answer may be there before the thread.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{SendFlags, send};

/// A connection that was begun.
#[derive(Debug)]
pub(crate) struct BegunConnect {
    pub(super) address: SocketAddr,
    pub(super) socket: OwnedFd,
    /// It is made already.
    pub(super) is_connected: bool,
    /// How much of the first request was sent, in bytes.
    pub(super) sent: usize,
}

impl BegunConnect {
    /// Sends as much of the first request as the system takes. `None`: the connection has failed, which is found out anew
    /// by who makes another one.
    pub(super) fn send(mut self, request: &[u8]) -> Option<Self> {
        match send(&self.socket, request, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
            // What takes a request is connected. Only who reads the answer may take the error of a peer that has reset it since:
            // it is no failure to connect.
            Ok(sent) => (self.sent, self.is_connected) = (sent, true),
            // The server has not accepted it yet.
            Err(Errno::AGAIN | Errno::NOTCONN) => {}
            Err(_) => return None,
        }
        Some(self)
    }
}
