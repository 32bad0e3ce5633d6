//! The threads of long-polling: one polls, the other posts.
//!
//! Before the first poll the one that polls posts too, over the connection that it has: so the CONNECT, and
//! whatever else waits for the session, costs no second connection. The other thread starts once there is
//! something to post beside a poll; for a session that moves to WebSocket soon there mostly is nothing.

use std::collections::VecDeque;
use std::io::BufRead;
use std::sync::Arc;

use super::intake::Inlet;
use super::link::Side;
use super::{Driver, Monitor};
use crate::core::client::Client;
use crate::core::engine::{Loss, PollTurn, Shipment, Work};
use crate::core::ids::LinkId;
use crate::error::{Error, Result};
use crate::net::http::Response;
use crate::net::{Attempt, Http, Request, Waker};
use crate::proto::dialect::{BodyRoom, Dialect};
use crate::proto::packet::Packet;
use crate::proto::parser::Parser;
use crate::sync::threads::Role;

/// How much is read before it is handed on, in bytes.
const BATCH: usize = 64 * 1024;

/// How many packets are read before they are handed on.
const BATCH_PACKETS: usize = 64;

impl Driver {
    /// Polls until the end of the session, or of its life on this transport.
    // Its frame is large, and of no use to a WebSocket.
    #[inline(never)]
    pub(super) fn run_polling(&self, link: LinkId, request: Request, attempt: &Arc<Attempt>) {
        if let Err(error) = (Poller { driver: self, link, attempt }).run(request) {
            self.lose(link, Loss::Failed(error));
        }
    }
}

struct Poller<'a> {
    driver: &'a Driver,
    link: LinkId,
    attempt: &'a Arc<Attempt>,
}

impl Poller<'_> {
    fn run(&self, mut request: Request) -> Result<()> {
        let http = Http::new(&self.driver.net, self.attempt);
        let dialect = self.receive_first(http.get(&request)?)?;
        if let Some(sid) = self.sid() {
            self.driver.post_first(&http, Posting { link: self.link, dialect, sid })?;
        }
        loop {
            let Some(sid) = self.sid() else { return Ok(()) };
            if !self.wait_to_poll() {
                return Ok(());
            }
            request = self.driver.session_request(self.link, &sid, dialect)?;
            let response = http.get(&request)?;
            self.receive(dialect, response.binary, response.body)?;
        }
    }

    fn sid(&self) -> Option<String> {
        self.driver.look(|core| core.sid_of(self.link))
    }

    /// Finds out from the first response what the server speaks.
    fn receive_first(&self, response: Response) -> Result<&'static dyn Dialect> {
        let detector = self.driver.look(Client::detector);
        let (dialect, body) = detector.look_at_body(response.binary, response.body)?;
        self.driver.run_with(|monitor, _| {
            monitor.note_reached(self.link);
            monitor.core.settle(self.link, dialect);
        });
        self.receive(dialect, response.binary, body)?;
        Ok(dialect)
    }

    /// Hands on the packets of a response as they come.
    fn receive(
        &self,
        dialect: &dyn Dialect,
        binary: bool,
        body: Box<dyn BufRead + '_>,
    ) -> Result<()> {
        let mut packets = dialect.decode_payload(binary, body, self.driver.limits.max_message);
        let mut batch = VecDeque::new();
        let mut size = 0;
        loop {
            if size >= BATCH || batch.len() >= BATCH_PACKETS {
                self.hand_in(&mut batch, false);
                size = 0;
            }
            let next = packets.next();
            if !matches!(next, Some(Ok(_))) {
                self.hand_in(&mut batch, next.is_some());
            }
            let Some(packet) = next else { return Ok(()) };
            let packet = packet?;
            self.driver.show_received(&packet);
            size += packet.size();
            batch.push_back(packet);
        }
    }

    /// Hands in all packets, and waits where a consumer makes the reader hold still.
    fn hand_in(&self, packets: &mut VecDeque<Packet>, is_last: bool) {
        let reader = self.attempt.waker();
        while !packets.is_empty() && !reader.is_cancelled() {
            let mut inlet = Inlet { link: self.link, packets, reader, is_urgent: false, is_last };
            self.driver.run_acting(|monitor, now, actions| {
                self.driver.hand_in(monitor, &mut inlet, now, actions);
            });
            if !packets.is_empty() {
                reader.wait();
            }
        }
    }

    /// Waits for the permission to poll again; `false` when the session has left this transport.
    fn wait_to_poll(&self) -> bool {
        loop {
            let turn = self.driver.run_with(|monitor, now| {
                let turn = monitor.core.request_poll(self.link, now);
                if turn == PollTurn::Wait {
                    monitor.set_asleep(self.link, Side::Reader, true);
                }
                turn
            });
            match turn {
                PollTurn::Now => return true,
                PollTurn::End => return false,
                PollTurn::Wait if self.attempt.waker().is_cancelled() => return false,
                PollTurn::Wait => self.attempt.waker().wait(),
            }
        }
    }
}

impl Monitor {
    /// There may be something to post: what the thread for that is to be started with, where there is and it
    /// was not.
    pub(super) fn call_poster(&mut self, link: LinkId) -> Option<Posting> {
        let entry = self.links.get_mut(link)?;
        entry.on_call.take_if(|_| self.core.has_work(link))
    }
}

impl Driver {
    /// Posts what there is before the first poll; for what comes later, and for what is too much, there is
    /// the thread that posts.
    fn post_first(&self, http: &Http, posting: Posting) -> Result<()> {
        let parser = self.new_parser();
        let mut on_call = Some(posting.clone());
        for _ in 0..MOST_BEFORE_POLLING {
            let (work, room) = self.run_with(|monitor, now| {
                let work = monitor.core.take(posting.link, now);
                if work == Work::Wait {
                    if let Some(entry) = monitor.links.get_mut(posting.link) {
                        entry.on_call = on_call.take();
                    }
                }
                (work, monitor.core.body_room(posting.link))
            });
            match work {
                Work::Write(shipment) => posting.post(self, http, &*parser, &shipment, room)?,
                // As where all is posted.
                Work::Confirm => self.run_with(|monitor, now| monitor.written(posting.link, now)),
                Work::Wait | Work::Finish | Work::Stop => break,
            }
        }
        if let Some(posting) = on_call {
            self.start_posting(posting);
        }
        Ok(())
    }

    pub(super) fn start_posting(&self, posting: Posting) {
        let (this, link) = (self.downgrade(), posting.link);
        self.start(link, Side::Writer, Role::Poster, move |attempt| {
            let Some(driver) = this.upgrade() else { return };
            let http = Http::new(&driver.net, &attempt);
            if let Err(error) = posting.post_all(&driver, &http, attempt.waker()) {
                driver.lose(link, Loss::Failed(error));
            }
        });
    }
}

/// How many bodies are posted before the first poll, if there is so much.
const MOST_BEFORE_POLLING: usize = 4;

/// What posting needs to know of its session.
#[derive(Clone)]
pub(super) struct Posting {
    link: LinkId,
    dialect: &'static dyn Dialect,
    sid: String,
}

impl Posting {
    /// Posts whatever is queued, one request at a time.
    fn post_all(&self, driver: &Driver, http: &Http, waker: &Waker) -> Result<()> {
        let parser = driver.new_parser();
        loop {
            let (work, room) = driver.run_with(|monitor, now| {
                let work = monitor.core.take(self.link, now);
                if work == Work::Wait {
                    monitor.set_asleep(self.link, Side::Writer, true);
                }
                (work, monitor.core.body_room(self.link))
            });
            match work {
                Work::Write(shipment) => self.post(driver, http, &*parser, &shipment, room)?,
                // Each request was answered, which confirms all that was written.
                Work::Confirm => driver.run_with(|monitor, now| monitor.written(self.link, now)),
                Work::Wait if waker.is_cancelled() => return Ok(()),
                Work::Wait => waker.wait(),
                Work::Finish | Work::Stop => return Ok(()),
            }
        }
    }

    fn post(
        &self,
        driver: &Driver,
        http: &Http,
        parser: &dyn Parser,
        shipment: &Shipment,
        room: BodyRoom,
    ) -> Result<()> {
        let mut packets = VecDeque::new();
        shipment.pack(parser, |packet| {
            driver.show_sent(&packet);
            packets.push_back(packet);
            Ok::<_, Error>(())
        })?;
        while !packets.is_empty() {
            let body = self.dialect.encode_payload(&mut packets, room);
            let request = driver.session_request(self.link, &self.sid, self.dialect)?;
            http.post(&request, body)?;
            driver.progressed(self.link);
        }
        driver.run_with(|monitor, now| monitor.written(self.link, now));
        Ok(())
    }
}
