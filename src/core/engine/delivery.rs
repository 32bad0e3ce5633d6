//! The batch that the writer of the main link has, and until when some of it has to move.
//!
//! A peer may keep up its heartbeat, and yet read nothing, or leave a POST without an answer. So what
//! is being written has as long as a heartbeat: the interval and the timeout of the handshake, from
//! the moment at which it was handed to the writer, and anew whenever some of it has moved. That is
//! never before the heartbeat is due which is awaited already. So where all is written soon, the
//! timer thread has nothing more to do than without it.

use std::time::Duration;

use super::Engine;
use crate::core::ids::LinkId;
use crate::core::load::Load;
use crate::core::time::Timestamp;
use crate::error::{Error, ErrorKind, Rounded};
use crate::event::status::DisconnectReason;
use crate::options::Transport;

impl Engine {
    /// Some of what the writer of a link has was taken by the peer, or by the system on the way to it.
    pub(crate) fn progressed(&mut self, link: LinkId, now: Timestamp) {
        if self.main.id == link && self.delivery.is_under_way() {
            self.delivery.begin(now);
        }
    }

    /// Until when some of what is being written has to move, or of what was written be confirmed.
    pub(super) fn delivery_deadline(&self) -> Option<Timestamp> {
        let patience = self.patience()?;
        [&self.delivery, &self.hold].into_iter().filter_map(|it| it.deadline(patience)).min()
    }

    /// Gives the session up if what is being written does not move.
    pub(super) fn check_delivery(&mut self, now: Timestamp) {
        if self.delivery_deadline().is_some_and(|deadline| deadline <= now) {
            let error = self.no_progress(self.patience().unwrap_or_default());
            self.end(DisconnectReason::TransportError, Some(error));
        }
    }

    /// How long a peer may be without a sign of life.
    fn patience(&self) -> Option<Duration> {
        self.handshake.as_ref().map(|handshake| handshake.ping_interval + handshake.ping_timeout)
    }

    fn no_progress(&self, limit: Duration) -> Error {
        let what = match self.main.transport {
            Transport::WebSocket if self.hold.is_under_way() => {
                "the peer does not confirm what was written: a ping of the WebSocket has no answer"
            }
            Transport::WebSocket => {
                "the peer reads nothing: no byte could be written to the WebSocket"
            }
            Transport::Polling => "a POST was neither taken nor answered",
        };
        let held = self.hold.is_under_way().then(|| self.unconfirmed.load());
        let Load { packets, bytes } = held.unwrap_or_else(|| self.in_flight_load());
        Error::new(
            ErrorKind::Transport,
            format!("{what} for {} (packets: {packets}, bytes: {bytes})", Rounded(limit)),
        )
        .with_hint(
            "the limit is the server's pingInterval and pingTimeout together. Is the server \
             overloaded, or does a proxy on the way hold back what is sent? Perhaps the other \
             transport gets through",
        )
        .timed_out()
    }
}
