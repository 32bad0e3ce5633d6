//! The state machine of one device in virtual time, with a server that is played.

use std::time::Duration;

use crate::client::builder::Builder;
use crate::core::client::{Client, Output, Prepared};
use crate::core::engine::{Loss, Work};
use crate::core::ids::{LinkId, NamespaceId};
use crate::core::time::Timestamp;
use crate::error::{Error, ErrorKind, Stage};
use crate::options::{ManagerOptions, Transport};
use crate::proto::dialect::Frame;

/// A device that keeps one connection to `/`, by WebSocket alone. It does what the library does: it
/// has its state machines, without threads, sockets and a clock. Times are since whenever it likes.
pub struct Device {
    client: Client<()>,
    root: NamespaceId,
    /// The link of the attempt that is under way, or of the session.
    link: LinkId,
    is_trying: bool,
}

impl Device {
    /// A device with the options of a builder, and random numbers of its own.
    pub fn new(builder: &Builder, seed: u64) -> Self {
        let transports = vec![Transport::WebSocket];
        let options = ManagerOptions { transports, ..builder.manager_options() };
        let mut client = Client::new(options, seed);
        let root = client.namespace_id("/");
        Self { client, root, link: LinkId(0), is_trying: false }
    }

    /// `Socket::connect`.
    pub fn connect(&mut self, now: Duration) {
        self.run(now, Client::connect);
    }

    /// When to call [`Device::expire`].
    pub fn next_deadline(&self) -> Option<Duration> {
        self.client.next_deadline().map(|at| at.0)
    }

    /// Does what is due.
    pub fn expire(&mut self, now: Duration) {
        self.run(now, |client, _, now| client.expire(now));
    }

    /// Whether an attempt to connect waits for what the server does.
    pub fn is_trying(&self) -> bool {
        self.is_trying
    }

    /// Whether the server has let it in.
    pub fn is_connected(&self) -> bool {
        self.client.namespace(self.root).status().is_some()
    }

    /// The server takes the connection, and lets the device in.
    pub fn accept(&mut self, now: Duration) {
        self.is_trying = false;
        let link = self.link;
        self.run(now, |client, _, now| client.connected(link, now));
        let open = "0{\"sid\":\"s\",\"upgrades\":[],\"pingInterval\":600000,\"pingTimeout\":600000,\"maxPayload\":1000000}";
        self.receive(open, now);
        self.receive("40{\"sid\":\"s\"}", now);
    }

    /// Nobody takes the connection.
    pub fn refuse(&mut self, now: Duration) {
        let error = Error::new(ErrorKind::Connect(Stage::Tcp), "connection refused");
        self.lose(Loss::Failed(error), now);
    }

    /// The server closes the connection.
    pub fn close(&mut self, now: Duration) {
        let error = Error::new(ErrorKind::Transport, "closed by the server");
        self.lose(Loss::Closed(error), now);
    }

    fn lose(&mut self, loss: Loss, now: Duration) {
        self.is_trying = false;
        let link = self.link;
        self.run(now, |client, _, now| {
            client.lost(link, loss, now);
            client.ended(link, now);
        });
    }

    fn receive(&mut self, text: &str, now: Duration) {
        let link = self.link;
        let dialect = self.client.dialect();
        self.client.settle(link, dialect);
        let Ok(packet) = dialect.decode_frame(Frame::Text(text.into())) else { return };
        self.run(now, |client, _, now| client.received(link, packet, now));
    }

    /// Runs a verb and writes what is to be written.
    fn run<R>(
        &mut self,
        now: Duration,
        verb: impl FnOnce(&mut Client<()>, NamespaceId, Timestamp) -> R,
    ) {
        let now = Timestamp(now);
        verb(&mut self.client, self.root, now);
        loop {
            while let Some(output) = self.client.poll_output() {
                match output {
                    Output::Dial { link, .. } => {
                        self.link = link;
                        self.is_trying = true;
                    }
                    Output::Tell { question } => self.client.told(question, now),
                    Output::Prepare { question, .. } => {
                        let as_usual = Prepared { options: None, is_elsewhere: false };
                        self.client.prepared(question, Ok(as_usual), now);
                    }
                    _ => {}
                }
            }
            if self.is_trying || !matches!(self.client.take(self.link, now), Work::Write(_)) {
                return;
            }
            self.client.written(self.link, now);
        }
    }
}
