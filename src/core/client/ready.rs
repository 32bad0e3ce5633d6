//! From what is ready to be written to the packets of a session.

use std::sync::Arc;

use super::{Client, Output};
use crate::core::engine::{Engine, SessionState};
use crate::core::ids::NamespaceId;
use crate::core::load::Load;
use crate::core::time::Timestamp;
use crate::core::waiting::{Sendable, Waiting};
use crate::error::Result;
use crate::event::drop_reason::DropReason;
use crate::options::Transport;
use crate::payload::Payload;
use crate::proto::socket_packet::{Header, Kind};
use crate::sync::logging::log_later;

/// How much the writer of a WebSocket takes at once. What is more stays ready, where it can be taken
/// back.
pub(super) const BATCH: Load = Load { packets: 1024, bytes: 64 * 1024 };

/// By so much at most a parser lengthens a payload and the name of a namespace, and so long is what
/// stands beside them: nobody has to look whether an event is too large that is small by this measure.
const MOST_GROWTH: usize = 8;
const MOST_HEADER: usize = 1024;

impl<A> Client<A> {
    /// Makes an event or an answer ready to be written.
    pub(super) fn make_ready(&mut self, mut waiting: Waiting) {
        let namespace = self.namespaces.get(waiting.namespace);
        if namespace.shows_outgoing && !std::mem::replace(&mut waiting.shown, true) {
            let event = match &waiting.content {
                Sendable::Event(payload, _) | Sendable::First(payload) => Some(payload.clone()),
                Sendable::Try(number) => namespace.tried(*number).map(|it| (**it).clone()),
                Sendable::Tracked(..) | Sendable::Answer(..) => None,
            };
            let shown = event.map(|payload| (waiting.namespace, payload));
            let shown = shown.map(|(namespace, payload)| Output::Sent { namespace, payload });
            self.outputs.extend(shown);
        }
        let may_accumulate = waiting.may_accumulate();
        self.ready.push(waiting);
        let accumulates = may_accumulate && self.is_accumulating();
        if let Some(engine) = self.engine.as_mut().filter(|it| !accumulates && !it.is_holding()) {
            engine.wake_writer();
        }
    }

    /// Hands over as much of what is ready as a writer takes at once.
    pub(super) fn fill_batch(&mut self, now: Timestamp) {
        self.reserve_batch();
        while let Some(engine) = &self.engine {
            let (queued, most) = (engine.queued(), self.most_packets(engine.transport()));
            let is_full = queued.packets >= most || queued.bytes >= BATCH.bytes;
            if is_full || !self.hand_over_next(now) {
                return;
            }
        }
    }

    /// Makes room at once for as many as will fit into a batch, by their size.
    fn reserve_batch(&mut self) {
        let Load { packets, bytes } = self.ready.load();
        let fit = packets.saturating_mul(BATCH.bytes) / bytes.max(1);
        if let Some(engine) = &mut self.engine {
            engine.reserve(fit.min(packets).min(BATCH.packets));
        }
    }

    /// Who posts takes what goes into one request: the others are not under way before that is answered.
    fn most_packets(&self, transport: Transport) -> usize {
        match transport {
            Transport::WebSocket => BATCH.packets,
            Transport::Polling => self.options.max_packets_per_post.min(BATCH.packets),
        }
    }

    /// Hands over as much of what is ready before the writer asks for it.
    pub(super) fn start_batch(&mut self, now: Timestamp) {
        if self.engine.as_ref().is_some_and(Engine::takes_events) {
            self.fill_batch(now);
        }
    }

    /// Hands over all that is ready: what follows must not overtake it.
    pub(super) fn commit(&mut self, now: Timestamp) {
        while self.engine.as_ref().is_some_and(|engine| engine.state() == SessionState::Open) {
            if !self.hand_over_next(now) {
                break;
            }
        }
        self.await_answers(now);
    }

    /// What is ready waits for the namespaces to be joined again, if it is worth it: the session has
    /// ended, or (with `Some`) this namespace was left.
    pub(super) fn return_ready(&mut self, left: Option<NamespaceId>) {
        let is_of_left = |waiting: &Waiting| left.is_none_or(|id| id == waiting.namespace);
        for waiting in self.ready.take_all(is_of_left).into_iter().rev() {
            self.return_to_namespace(waiting);
        }
        if left.is_none() {
            if let Some(mut engine) = self.engine.take() {
                // One that was given up has its time yet, in which the peer may confirm what was written.
                if engine.state() == SessionState::Closed {
                    self.take_back(&mut engine);
                } else {
                    self.take_back_untaken(&mut engine);
                }
                self.engine = Some(engine);
            }
        }
    }

    /// Puts back what no writer has taken, before what the namespace keeps.
    pub(super) fn return_to_namespace(&mut self, waiting: Waiting) {
        let id = waiting.namespace;
        match waiting.content {
            Sendable::Event(_, ack) => {
                if !self.namespaces.is_in_use(id) {
                    return self.lose_event();
                }
                let Some(namespace) = self.namespace_mut(id) else { return };
                // Unless it was given up meanwhile.
                if ack.is_none_or(|ack| namespace.acks.is_pending(ack)) {
                    namespace.send_buffer.put_back(waiting);
                }
            }
            // It is for a session that is gone.
            Sendable::Answer(payload, _) => {
                self.note_drop(id, Load::from(&payload), Some(DropReason::SessionEnded));
            }
            // The first is sent anew in each session; the event of a try lies in the queue of retries, which is
            // told of the end as well; one that is tracked is kept with the acknowledgement that it waits for.
            Sendable::First(_) | Sendable::Try(_) | Sendable::Tracked(..) => {}
        }
    }

    /// What was handed over and asks for an acknowledgement is answered in this session or not at all.
    pub(super) fn await_answers(&mut self, now: Timestamp) {
        let most = self.options.limits.send_bytes;
        let Self { engine, namespaces, .. } = self;
        for (position, waiting) in engine.iter_mut().flat_map(Engine::note_awaited) {
            let Some(ack) = waiting.ack() else { continue };
            let Some(namespace) = namespaces.get_mut(waiting.namespace) else { continue };
            let event = waiting.track().map(|event| (event, waiting.order));
            namespace.acks.mark_sent(ack, event, most, (position, now));
        }
    }

    /// Hands over what goes out next, unless it is no longer worth sending. `false`: there is nothing.
    fn hand_over_next(&mut self, now: Timestamp) -> bool {
        let Some(waiting) = self.ready.pop() else { return false };
        if waiting.expiry.is_some_and(|expiry| expiry <= now) {
            self.expire_event(&waiting);
        } else {
            self.hand_over(waiting, now);
        }
        true
    }

    /// Hands what waited to the session, unless it is larger than the server takes.
    fn hand_over(&mut self, mut waiting: Waiting, now: Timestamp) {
        self.forget_expiry(&waiting);
        let id = waiting.namespace;
        let tried = if let Sendable::Try(number) = waiting.content { Some(number) } else { None };
        if let Some(number) = tried {
            let Some(event) = self.namespace(id).tried(number).cloned() else { return };
            waiting.content = Sendable::Tracked(event, number);
        }
        let (kind, number) = waiting.kind_and_number();
        let fits = waiting.payload().map_or(Ok(()), |it| self.check_size(id, kind, number, it));
        if let Err(error) = fits {
            let name = &self.namespace(id).name;
            log_later!(Warn, in name, "an event is dropped: {error:#}");
            return match tried {
                Some(number) => self.give_up_try(id, number, &error, now),
                None => self.give_up_waiting(&waiting, Some(DropReason::TooLarge), &error),
            };
        }
        let Some(engine) = &mut self.engine else { return };
        let batch = engine.next_batch();
        self.last_position += 1;
        engine.append(Arc::clone(&self.namespaces.get(id).name), waiting, self.last_position);
        if let Some(number) = tried {
            self.note_batch(id, number, batch);
        }
    }

    /// Whether the server takes a packet with this payload.
    ///
    /// It is looked at when an event is emitted, so that its caller gets the error; when its namespace is joined,
    /// so that nobody is shown what is never sent; and when it is handed over, since a try comes only there,
    /// and the session may meanwhile have moved to another transport, by which it is of another size.
    pub(super) fn check_size(
        &mut self,
        id: NamespaceId,
        kind: Kind,
        number: Option<u64>,
        payload: &Payload,
    ) -> Result<()> {
        let Some(engine) = &self.engine else { return Ok(()) };
        let name = &self.namespaces.get(id).name;
        let most = (payload.size().saturating_add(name.len())).saturating_mul(MOST_GROWTH);
        if engine.takes(most.saturating_add(MOST_HEADER)) {
            return Ok(());
        }
        let header = Header { kind, namespace: name, id: number };
        self.parser.encode(header, payload, &mut self.encoded);
        let result = engine.check_size(&self.encoded, header);
        self.encoded.clear();
        result
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use bytes::Bytes;

    use super::*;
    use crate::options::ParserKind;
    use crate::proto::packet::Packet;
    use crate::proto::parser::choice::new_parser;

    #[test]
    fn no_parser_lengthens_a_packet_by_more_than_is_reckoned_with() {
        let numbers = format!("[\"e\",{}1]", "1e9,".repeat(5000));
        let placeholders: Vec<_> =
            (0..10).map(|num| format!(r#"{{"_placeholder":true,"num":{num}}}"#)).collect();
        let binary = format!("[\"e\",{}]", placeholders.join(","));
        let name = format!("/{}", "\"".repeat(2000));
        for kind in [
            ParserKind::Json,
            ParserKind::PlainJson,
            #[cfg(feature = "msgpack")]
            ParserKind::MessagePack,
        ] {
            for (json, attachments) in [
                ("[\"e\"]", Vec::new()),
                (&numbers, Vec::new()),
                (&binary, vec![Bytes::from_static(&[255]); 10]),
                (&binary, vec![Bytes::from(vec![255; 1000]); 10]),
            ] {
                let payload = Payload { json: json.to_owned(), attachments };
                let header = Header { kind: Kind::Event, namespace: &name, id: Some(u64::MAX) };
                let mut packets = VecDeque::new();
                new_parser(kind, 10, 1 << 20).encode(header, &payload, &mut packets);
                let longest = packets.iter().map(Packet::size).max().unwrap();
                let most = (payload.size() + name.len()) * MOST_GROWTH + MOST_HEADER;
                assert!(longest <= most, "{kind:?}: {longest} of {most}");
            }
        }
    }
}
