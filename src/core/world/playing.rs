//! How the [`World`] plays the driver: what the client puts out is done, until all threads sleep.

use std::mem::take;

use super::words::{describe, news, packets, text};
use super::{Threads, World};
use crate::core::client::namespace::Namespace;
use crate::core::client::{Client, Output, Prepared};
use crate::core::engine::{PollTurn, Work};
use crate::core::ids::{LinkId, NamespaceId};
use crate::core::time::Timestamp;
use crate::event::status::Status;
use crate::options::Transport;

impl World {
    /// Calls a verb, and does what follows as a driver would.
    pub(in crate::core) fn run<R>(
        &mut self,
        verb: impl FnOnce(&mut Client<u32>, Timestamp) -> R,
    ) -> R {
        let result = verb(&mut self.client, self.now);
        self.settle();
        result
    }

    pub(in crate::core) fn settle(&mut self) {
        loop {
            while let Some(output) = self.client.poll_output() {
                self.obey(output);
            }
            let links: Vec<LinkId> = self.alive();
            if !links.into_iter().any(|link| self.step(link)) {
                return;
            }
        }
    }

    /// What the threads of a link do next; `false` when they sleep.
    pub(in crate::core) fn step(&mut self, link: LinkId) -> bool {
        let Some(wire) = self.links.get_mut(&link) else { return false };
        if wire.transport == Transport::Polling && wire.reader_awake && !wire.polling {
            match self.client.request_poll(link, self.now) {
                PollTurn::End => self.finish(link),
                turn => {
                    wire.polling = turn == PollTurn::Now;
                    wire.reader_awake = false;
                }
            }
            return true;
        }
        let awake = match wire.transport {
            Transport::Polling => wire.writer_awake,
            Transport::WebSocket => wire.reader_awake,
        };
        if !awake || wire.writing {
            return false;
        }
        match self.client.take(link, self.now) {
            Work::Write(shipment) => {
                let dialect = self.client.dialect_of(link);
                let packets = packets(&shipment, self.client.options().parser);
                wire.sent.extend(packets.into_iter().map(|packet| text(dialect, packet)));
                if shipment.asks {
                    wire.ask();
                }
                wire.writing = self.slow;
                if !self.slow {
                    wire.note_written();
                    self.client.written(link, self.now);
                    if !self.deaf && wire.take_pong() {
                        self.client.confirmed(link, self.now);
                    }
                }
                let may_accumulate = self.accumulates && wire.transport == Transport::WebSocket;
                if may_accumulate && self.client.accumulate(link, self.now) {
                    wire.accumulating = true;
                    wire.sleep();
                }
            }
            Work::Confirm => {
                wire.ask();
                wire.writing = self.slow;
                if !self.slow {
                    self.client.written(link, self.now);
                }
                if !self.slow && !self.deaf && wire.take_pong() {
                    self.client.confirmed(link, self.now);
                }
            }
            Work::Wait => wire.sleep(),
            Work::Finish if self.stubborn => wire.sleep(),
            // The reader is in a request, out of which it has to be called.
            Work::Finish | Work::Stop if wire.polling => wire.sleep(),
            Work::Finish | Work::Stop => self.finish(link),
        }
        true
    }

    pub(in crate::core) fn finish(&mut self, link: LinkId) {
        if let Some(index) = self.running.iter().position(|running| *running == link) {
            self.running.remove(index);
            self.client.ended(link, self.now);
        }
    }

    pub(in crate::core) fn obey(&mut self, output: Output<u32>) {
        let tells = matches!(output, Output::Changed | Output::Status { .. } | Output::Manager(_));
        self.told += usize::from(tells);
        match output {
            Output::Tell { question } if !self.telling => self.client.told(question, self.now),
            Output::Tell { question } => self.preparations.push((question, usize::MAX)),
            Output::Prepare { question, .. } => {
                self.preparations.push((question, self.client.place()));
                if !self.preparing {
                    let as_usual = Prepared { options: None, is_elsewhere: false };
                    self.client.prepared(question, Ok(as_usual), self.now);
                }
            }
            Output::Dial { link, transport, upgrade } => {
                self.sessions += usize::from(upgrade.is_none());
                if upgrade.is_none() {
                    self.dialled.push(self.now);
                }
                let wire = Threads {
                    transport,
                    upgrade,
                    session: self.sessions,
                    reader_awake: false,
                    writer_awake: false,
                    writing: false,
                    accumulating: false,
                    asked: false,
                    polling: transport == Transport::Polling,
                    started: false,
                    sent: Vec::new(),
                    asked_about: 0,
                    read: 0,
                    read_by_any: 0,
                };
                assert!(self.links.insert(link, wire).is_none(), "each link is dialled once");
                self.running.push(link);
                self.last_link = link;
            }
            Output::Wake(link) => {
                self.wakes += 1;
                let wire = self.links.get_mut(&link).expect("only what was dialled is woken");
                // What sleeps is woken; what is under way finds out by itself.
                wire.reader_awake |= wire.started;
                wire.writer_awake |= wire.started;
            }
            Output::Stop(link) => self.finish(link),
            Output::AskAuth { namespace, question } => {
                self.asked.push((namespace, question));
                self.log.push(format!("{}: ask", self.name(namespace)));
            }
            Output::Event { namespace, packet, .. } => {
                self.log.push(format!("{}: event {}", self.name(namespace), packet.data()));
            }
            Output::Status { name, status: Status::Dropped { events, bytes, reason }, .. } => {
                self.drops.push(format!("{name}: {events}, {bytes} bytes: {reason:?}"));
            }
            Output::Status { name, status, .. } => {
                if let Status::ConnectError(error)
                | Status::Disconnected { error: Some(error), .. } = &status
                {
                    self.error = Some(error.clone());
                }
                if let Status::ConnectError(_) | Status::Disconnected { .. } = &status {
                    self.promises.push((name.to_string(), status.retry_in()));
                }
                self.log.push(format!("{name}: {}", describe(&status)));
            }
            Output::Manager(event) => self.log.push(format!("manager: {}", news(&event))),
            Output::Acked { ack, result: Ok(packet) } => {
                self.log.push(format!("ack {ack}: {}", packet.data()));
            }
            Output::Acked { ack, result: Err(error) } => {
                self.log.push(format!("ack {ack} failed: {}", error.kind()));
            }
            Output::Sent { namespace, payload } => {
                self.log.push(format!("{}: sent {}", self.name(namespace), payload.json));
            }
            Output::Changed => self.rooms += 1,
        }
    }

    pub(in crate::core) fn namespace(&self, id: NamespaceId) -> &Namespace<u32> {
        self.client.namespace(id)
    }

    pub(in crate::core) fn name(&self, id: NamespaceId) -> String {
        self.namespace(id).name.to_string()
    }
}

impl Threads {
    /// A ping of the WebSocket is written.
    fn ask(&mut self) {
        assert_eq!(self.transport, Transport::WebSocket);
        self.asked = true;
        self.asked_about = self.sent.len();
    }

    /// The pong comes, if one is awaited.
    pub(in crate::core) fn take_pong(&mut self) -> bool {
        let comes = take(&mut self.asked);
        self.read = if comes { self.asked_about } else { self.read };
        comes
    }

    /// What was taken is written; by polling it is answered.
    pub(in crate::core) fn note_written(&mut self) {
        if self.transport == Transport::Polling {
            self.read = self.sent.len();
        }
    }

    /// The server says this: an answer tells that it has read what was before.
    pub(in crate::core) fn note_answer(&mut self, text: &str) {
        let asked = match text {
            "3" => self.sent.iter().rposition(|sent| sent == "2"),
            _ => text.strip_prefix("43").and_then(|answer| {
                let head = format!("42{}", answer.split('[').next()?);
                self.sent.iter().position(|sent| sent.starts_with(&format!("{head}[")))
            }),
        };
        self.read_by_any = self.read_by_any.max(asked.unwrap_or_default());
    }

    pub(in crate::core) fn wake_writer(&mut self) {
        match self.transport {
            Transport::Polling => self.writer_awake = true,
            Transport::WebSocket => self.reader_awake = true,
        }
    }

    pub(in crate::core) fn sleep(&mut self) {
        match self.transport {
            Transport::Polling => self.writer_awake = false,
            Transport::WebSocket => self.reader_awake = false,
        }
    }
}
