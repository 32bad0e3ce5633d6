//! What has begun to come from a client, and whose rest is awaited: a message, or the attachments of a packet. It takes up
//! memory, so it may not do so for ever, whatever heartbeats come meanwhile.

use super::pace::{HalfPacket, Pace};
use super::parts::{Peer, PeerState};
use super::wire::PeerWire;
use crate::core::server::session::SessionOrder;
use crate::core::time::Timestamp;
use crate::driver::clock::now;
use crate::error::{Error, ErrorKind};
use crate::event::status::DisconnectReason;
use crate::sync::logging::log_later;

impl Peer {
    /// So many bytes have come, and are taken in.
    pub(super) fn note_half(&self, state: &mut PeerState, bytes: usize) {
        if !state.is_halfway() {
            state.half = None;
        } else if let Some(half) = &mut state.half {
            half.pace.note(bytes);
        } else {
            state.half = Some(Box::new(self.begin_half(now())));
        }
    }

    fn begin_half(&self, now: Timestamp) -> HalfPacket {
        HalfPacket { pace: Pace::new(now), until: now + self.hub.options.session.patience() }
    }

    /// The reader held still, and the rest may lie unread: its time begins anew.
    pub(super) fn resume_half(&self, state: &mut PeerState) {
        if let Some(half) = &mut state.half {
            **half = self.begin_half(now());
        }
    }

    /// The rest comes fast enough, or the session ends.
    pub(super) fn expire_half(
        &self,
        state: &mut PeerState,
        now: Timestamp,
        orders: &mut Vec<SessionOrder>,
    ) {
        // A POST that is being read has a pace of its own.
        let is_elsewhere = state.holds || state.session.takes_posts();
        let Some(half) = state.half.as_mut().filter(|half| half.until <= now) else { return };
        half.until = now + self.hub.options.session.patience();
        if is_elsewhere || half.pace.goes_on(now) {
            return;
        }
        log_later!(Debug, "the rest of a packet does not come");
        let cause = Error::new(ErrorKind::Timeout, "the rest of a packet did not come in time");
        state.session.end(DisconnectReason::ForcedServerClose, Some(cause), orders);
    }
}

impl PeerState {
    fn is_halfway(&self) -> bool {
        let is_amid_message = |wire: &PeerWire| wire.reader.is_amid_message();
        self.parser.unfinished().is_some() || self.wire.as_ref().is_some_and(is_amid_message)
    }
}
