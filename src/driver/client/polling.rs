//! The threads of long-polling: one polls, the other posts.

use std::collections::VecDeque;
use std::io::BufRead;
use std::sync::Arc;

use super::Driver;
use super::intake::Inlet;
use super::link::{LaneFate, Side};
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
    pub(super) fn run_polling(
        self: &Arc<Self>,
        link: LinkId,
        request: Request,
        attempt: &Arc<Attempt>,
    ) {
        if let Err(error) = (Poller { driver: self, link, attempt }).run(request) {
            self.lose(link, Loss::Failed(error));
        }
    }
}

struct Poller<'a> {
    driver: &'a Arc<Driver>,
    link: LinkId,
    attempt: &'a Arc<Attempt>,
}

impl Poller<'_> {
    fn run(&self, mut request: Request) -> Result<()> {
        let http = Http::new(&self.driver.net, self.attempt);
        let dialect = self.receive_first(http.get(&request)?)?;
        let mut posting = false;
        loop {
            let sid = self.driver.look(|core| core.sid_of(self.link));
            let Some(sid) = sid else { return Ok(()) };
            if !posting {
                // What waits when the session opens, CONNECT as a rule, goes by the connection that the opening came by: to
                // make another one takes as long as the answer, and with TLS longer.
                Poster::new(self.driver, self.link, dialect, &sid, &http).turn()?;
                self.start_posting(dialect, &sid);
                posting = true;
            }
            if !self.wait_to_poll() {
                return Ok(());
            }
            request = self.driver.session_request(self.link, &sid, dialect)?;
            let response = http.get(&request)?;
            self.receive(dialect, response.binary, response.body)?;
        }
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

    fn start_posting(&self, dialect: &'static dyn Dialect, sid: &str) {
        let driver = Arc::clone(self.driver);
        let link = self.link;
        let sid = sid.to_owned();
        let stack_size = driver.limits.stack_size;
        self.driver.start(link, Side::Writer, Role::Poster, stack_size, move |attempt| {
            let http = Http::new(&driver.net, &attempt);
            let poster = Poster::new(&driver, link, dialect, &sid, &http);
            if let Err(error) = poster.run(attempt.waker()) {
                driver.lose(link, Loss::Failed(error));
            }
            LaneFate::Left
        });
    }
}

/// Posts whatever is queued, one request at a time.
struct Poster<'a> {
    driver: &'a Driver,
    link: LinkId,
    dialect: &'a dyn Dialect,
    sid: &'a str,
    http: &'a Http,
    parser: Box<dyn Parser>,
}

impl<'a> Poster<'a> {
    fn new(
        driver: &'a Driver,
        link: LinkId,
        dialect: &'a dyn Dialect,
        sid: &'a str,
        http: &'a Http,
    ) -> Self {
        Self { driver, link, dialect, sid, http, parser: driver.new_parser() }
    }

    fn run(&self, waker: &Waker) -> Result<()> {
        loop {
            match self.turn()? {
                Work::Write(_) | Work::Confirm => {}
                Work::Wait if waker.is_cancelled() => return Ok(()),
                Work::Wait => waker.wait(),
                Work::Finish | Work::Stop => return Ok(()),
            }
        }
    }

    /// Posts what is queued, if there is anything. What there was to do.
    fn turn(&self) -> Result<Work> {
        let (work, room) = self.driver.run_with(|monitor, now| {
            let work = monitor.core.take(self.link, now);
            if work == Work::Wait {
                monitor.set_asleep(self.link, Side::Writer, true);
            }
            (work, monitor.core.body_room(self.link))
        });
        match &work {
            Work::Write(shipment) => self.post(shipment, room)?,
            // Each request was answered, which confirms all that was written.
            Work::Confirm => self.driver.run_with(|it, now| it.written(self.link, now)),
            Work::Wait | Work::Finish | Work::Stop => {}
        }
        Ok(work)
    }

    fn post(&self, shipment: &Shipment, room: BodyRoom) -> Result<()> {
        let mut packets = VecDeque::new();
        shipment.pack(&*self.parser, |packet| {
            self.driver.show_sent(&packet);
            packets.push_back(packet);
            Ok::<_, Error>(())
        })?;
        while !packets.is_empty() {
            let body = self.dialect.encode_payload(&mut packets, room);
            let request = self.driver.session_request(self.link, self.sid, self.dialect)?;
            self.http.post(&request, body)?;
            self.driver.progressed(self.link);
        }
        self.driver.run_with(|monitor, now| monitor.written(self.link, now));
        Ok(())
    }
}

#[cfg(test)]
mod tests;
