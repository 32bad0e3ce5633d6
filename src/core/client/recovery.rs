//! The server's connection state recovery.

use crate::payload::Args;
use crate::proto::dialect::Credentials;
use crate::proto::socket_packet::SocketPacket;
use crate::sync::logging::log_later;

/// The longest name of a session and the longest offset that are kept, in bytes. Those of servers
/// have some 20. Without a bound, one event with a long text could make each later CONNECT larger
/// than the server takes.
const LONGEST: usize = 256;

/// What the server needs to know to restore a session.
#[derive(Debug, Default)]
pub(super) struct Recovery {
    /// What the server calls the session.
    pid: Option<String>,
    /// The last event that was received in it.
    offset: Option<String>,
}

impl Recovery {
    /// Takes in what the server calls the session that it has just begun. `true`: it is the same as
    /// before.
    pub(super) fn begin(&mut self, pid: Option<String>) -> bool {
        let pid = pid.filter(|pid| pid.len() <= LONGEST);
        let restored = pid.is_some() && pid == self.pid;
        if !restored {
            self.offset = None;
        }
        self.pid = pid;
        restored
    }

    /// Completes the credentials with what the server needs to restore the session.
    pub(super) fn credentials<'a>(&'a self, auth: &'a str) -> Credentials<'a> {
        Credentials { auth, pid: self.pid.as_deref(), offset: self.offset.as_deref() }
    }

    /// Notes how far the server's events were received, where it keeps them for recovery: it then
    /// appends their offset as a last argument.
    pub(super) fn note_offset(&mut self, packet: &SocketPacket) {
        // Events that ask for an acknowledgement are not kept by the server.
        if self.pid.is_none() || packet.id.is_some() {
            return;
        }
        let args = Args { json: packet.data(), skip: 1, attachments: &[] };
        let last = args.len().checked_sub(1);
        let Some(offset) = last.and_then(|index| args.get::<String>(index).ok()) else { return };
        if offset.len() > LONGEST {
            log_later!(Debug, "the session will not be restored: an offset is too long");
            *self = Self::default();
            return;
        }
        self.offset = Some(offset);
    }
}
