//! What goes out by a session.

use super::upgrade::Candidate;
use super::{NotQueued, Session, SessionOptions, SessionOrder, SessionPhase};
use crate::core::load::Load;
use crate::core::time::Timestamp;
use crate::error::{Error, ErrorKind, Rounded};
use crate::event::status::DisconnectReason;
use crate::options::Transport;
use crate::proto::dialect::Frame;
use crate::proto::packet::Packet;

/// How many bytes are written by themselves, though more may follow.
const GATHERED: usize = 64 * 1024;

impl Session {
    /// Queues the messages of one Socket.IO packet together. Clones share their memory.
    ///
    /// `Full`: they would be more than what may wait. Where nothing waits there is room for any.
    pub(crate) fn send(
        &mut self,
        messages: &[Packet],
        orders: &mut Vec<SessionOrder>,
    ) -> Result<(), NotQueued> {
        if !matches!(self.phase, SessionPhase::Open) {
            return Err(NotQueued::Over);
        }
        self.outbound.send(messages, &self.options)?;
        self.announce(orders);
        Ok(())
    }

    /// Whether what is sent now is written now, or with what was sent just before: a GET waits, or nothing
    /// of what was handed out is left to write.
    pub(crate) fn is_writable(&self) -> bool {
        matches!(self.phase, SessionPhase::Open)
            && match self.transport {
                Transport::WebSocket => !self.is_busy(),
                Transport::Polling => self.polls.is_open(),
            }
    }

    /// The messages that wait to be written or are being written.
    pub(crate) fn queued(&self) -> Load {
        self.outbound.load()
    }

    /// Whether what waits may be written later, with more: not when it is much.
    pub(crate) fn may_gather(&self) -> bool {
        let waiting = self.queued();
        let SessionOptions { send_bytes, send_packets, .. } = *self.options;
        waiting.bytes < GATHERED.min(send_bytes / 2) && waiting.packets < send_packets / 2
    }

    /// Whether `take_frames` gives any.
    pub(crate) fn has_frames(&self) -> bool {
        self.candidate.as_ref().is_some_and(Candidate::has_answer) || self.may_take_frames()
    }

    /// Appends what is to be written to the WebSocket now. While it is being written nothing more is given: when it
    /// is, [`written`](Self::written) is to be reported.
    pub(crate) fn take_frames(&mut self, now: Timestamp, frames: &mut Vec<Frame>) {
        let (dialect, base64) = (self.dialect, self.base64);
        if let Some(candidate) = &mut self.candidate {
            frames.extend(candidate.take_answer().map(|packet| dialect.encode_frame(packet, true)));
        }
        if self.may_take_frames() {
            self.delivery.begin(now);
            let packets = self.outbound.take_all();
            frames.extend(packets.map(|packet| dialect.encode_frame(packet, base64)));
        }
    }

    /// Some of what was handed out was taken by the client, or by the system on the way to it.
    pub(crate) fn progressed(&mut self, now: Timestamp) {
        if self.is_busy() {
            self.delivery.begin(now);
        }
    }

    /// All that was handed out for this transport was taken so. Of a WebSocket under test nobody has to report it.
    pub(crate) fn written(
        &mut self,
        by: Transport,
        now: Timestamp,
        orders: &mut Vec<SessionOrder>,
    ) {
        match by {
            Transport::Polling => self.poll_written(now, orders),
            Transport::WebSocket if self.is_busy() && !self.polls.is_answering() => {
                self.outbound.written();
                self.delivery.end();
                self.pulse.written(now);
                self.ask_for_writer(orders);
                self.go_on_closing(orders);
            }
            Transport::WebSocket => {}
        }
    }

    /// There is something to write.
    pub(super) fn announce(&mut self, orders: &mut Vec<SessionOrder>) {
        match self.transport {
            Transport::WebSocket => self.ask_for_writer(orders),
            Transport::Polling => self.answer_waiting_poll(orders),
        }
    }

    /// Has the WebSocket written to, if the session lives there and there is something.
    pub(super) fn ask_for_writer(&self, orders: &mut Vec<SessionOrder>) {
        if self.may_take_frames() {
            orders.push(SessionOrder::Write);
        }
    }

    /// Whether what was handed out is not yet written.
    pub(super) fn is_busy(&self) -> bool {
        self.outbound.is_away()
    }

    /// Whether everything is written.
    pub(super) fn is_at_rest(&self) -> bool {
        self.outbound.is_empty() && !self.is_busy()
    }

    /// Ends a session whose client takes nothing.
    pub(super) fn expire_delivery(&mut self, now: Timestamp, orders: &mut Vec<SessionOrder>) {
        let patience = self.options.patience();
        if self.delivery.deadline(patience).is_none_or(|deadline| deadline > now) {
            return;
        }
        let Load { packets, bytes } = self.outbound.load();
        let what = match self.transport {
            Transport::WebSocket => "the client reads nothing: no byte could be written",
            Transport::Polling => "the client does not read the answer to its GET",
        };
        let what = format!("{what} for {} (packets: {packets}, bytes: {bytes})", Rounded(patience));
        let cause = Error::new(ErrorKind::Transport, what).timed_out();
        self.end(DisconnectReason::TransportError, Some(cause), orders);
    }

    fn may_take_frames(&self) -> bool {
        self.transport == Transport::WebSocket
            && !matches!(self.phase, SessionPhase::Over)
            && !self.is_busy()
            && !self.outbound.is_empty()
    }
}
