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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::server::testing::{TestClient, options, server};

    const PAST: Timestamp = Timestamp(std::time::Duration::ZERO);

    const HALF: &str = r#"451-["x",{"_placeholder":true,"num":0}]"#;

    /// Looks at it when its time is up; whether the session goes on.
    fn goes_on(peer: &Peer, state: &mut PeerState) -> bool {
        state.half.as_mut().unwrap().until = PAST;
        peer.run(state, |state, orders| peer.expire_half(state, now(), orders));
        !state.session.is_over()
    }

    #[test]
    fn a_packet_has_time_while_its_rest_comes_and_while_its_reader_holds_still() {
        let mut io = server(options());
        let (mut client, socket) = TestClient::joined(&mut io);
        client.send(&mut io, HALF);
        let mut state = socket.peer.lock();
        assert!(state.half.is_some());
        state.half.as_mut().unwrap().pace.note(1);
        assert!(goes_on(&socket.peer, &mut state), "some of it has come");
        state.holds = true;
        assert!(goes_on(&socket.peer, &mut state), "it may lie unread");
        state.half.as_mut().unwrap().until = PAST;
        assert!(socket.peer.resume(&mut state));
        let until = state.half.as_ref().unwrap().until;
        assert!(until > now(), "its time begins anew");
        assert!(!goes_on(&socket.peer, &mut state), "nothing comes");
    }
}
