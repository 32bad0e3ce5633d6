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

/// Whether there is such a batch, and when some of it has moved the last time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Delivery {
    moved: Option<Timestamp>,
    /// Since when nothing is written, because the peer does not confirm what it has.
    held: Option<Timestamp>,
}

impl Delivery {
    /// The writer has a batch from now on.
    pub(super) fn begin(&mut self, now: Timestamp) {
        self.moved = Some(now);
    }

    /// All of it is written.
    pub(super) fn end(&mut self) {
        self.moved = None;
    }

    /// Nothing is written before the peer confirms something.
    pub(super) fn hold(&mut self, now: Timestamp) {
        self.held.get_or_insert(now);
    }

    /// It may have confirmed something. `true`: it was waited for.
    pub(super) fn end_hold(&mut self) -> bool {
        self.held.take().is_some()
    }
}

impl Engine {
    /// Some of what the writer of a link has was taken by the peer, or by the system on the way to it.
    pub(crate) fn progressed(&mut self, link: LinkId, now: Timestamp) {
        if self.main.id == link && self.delivery.moved.is_some() {
            self.delivery.begin(now);
        }
    }

    /// Until when some of what is being written has to move, or of what was written be confirmed.
    pub(super) fn delivery_deadline(&self) -> Option<Timestamp> {
        let Delivery { moved, held } = self.delivery;
        let since = moved.into_iter().chain(held).min();
        Some(since? + self.patience()?)
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
            Transport::WebSocket if self.delivery.moved.is_none() => {
                "the peer does not confirm what was written: a ping of the WebSocket has no answer"
            }
            Transport::WebSocket => {
                "the peer reads nothing: no byte could be written to the WebSocket"
            }
            Transport::Polling => "a POST was neither taken nor answered",
        };
        let Load { packets, bytes } = match self.delivery.moved {
            Some(_) => self.in_flight_load(),
            None => self.unconfirmed.load(),
        };
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
