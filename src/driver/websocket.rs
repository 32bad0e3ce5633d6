//! The thread of a WebSocket: it reads, and writes whatever is queued.

use std::sync::Arc;

use super::Driver;
use super::link::Side;
use crate::core::engine::{LinkId, Loss, Work};
use crate::error::Result;
use crate::net::websocket::Received;
use crate::net::{Request, Signal, WebSocket};
use crate::proto::packet::Packet;

/// How much is read before it is handed on, in bytes.
const BATCH: usize = 64 * 1024;

/// Opens the WebSocket and serves it to its end.
pub(super) fn run(driver: &Arc<Driver>, link: LinkId, request: &Request, signal: &Arc<Signal>) {
    let loss = match driver.net.websocket(request, signal) {
        Ok(socket) => {
            driver.run(|core, now| core.connected(link, now));
            let base64 = driver.address().force_base64;
            match (Pump { driver, link, signal, socket, base64 }).run() {
                Ok(End::Finished) => return,
                Ok(End::Lost(loss)) => loss,
                Err(error) => Loss::Failed(error),
            }
        }
        Err(error) => Loss::Failed(error),
    };
    driver.lose(link, loss);
}

struct Pump<'a> {
    driver: &'a Driver,
    link: LinkId,
    signal: &'a Arc<Signal>,
    socket: WebSocket,
    /// Binary travels as text.
    base64: bool,
}

/// How the service ended.
enum End {
    /// As the state machines wanted it.
    Finished,
    /// By itself.
    Lost(Loss),
}

/// What reading has come to.
enum Reading {
    /// Nothing was read, since nothing has come or the receive buffer is full.
    Paused,
    /// There is more.
    More,
    /// All that has come is read.
    Done,
    /// Nothing more will come.
    Over(Loss),
}

impl Pump<'_> {
    fn run(mut self) -> Result<End> {
        let mut unflushed = false;
        let mut written = false;
        // There may be something that can be read without waiting for the socket.
        let mut unread = true;
        let mut ended = false;
        loop {
            let mut packets = Vec::new();
            let may_read = ended || !self.driver.inbox.must_wait(self.signal);
            let reading =
                if unread && may_read { self.read(&mut packets) } else { Reading::Paused };
            let work = self.exchange(packets, std::mem::take(&mut written));
            if let Reading::Over(loss) = reading {
                return Ok(End::Lost(loss));
            }
            match work {
                Work::Write(packets) => {
                    let dialect = self.driver.look(crate::core::client::Client::dialect);
                    for packet in packets {
                        self.driver.show_sent(&packet);
                        self.socket.write(dialect.encode_frame(packet, self.base64))?;
                    }
                    unflushed = true;
                }
                Work::Wait => {}
                Work::Finish => {
                    self.socket.close(self.signal);
                    return Ok(End::Finished);
                }
                Work::Stop => return Ok(End::Finished),
            }
            if unflushed && self.socket.flush()? {
                unflushed = false;
                written = true;
            }
            match reading {
                Reading::More => continue,
                Reading::Done => unread = false,
                Reading::Paused | Reading::Over(_) => {}
            }
            if written {
                // There may be more to write.
                continue;
            }
            let ready = self.socket.wait(may_read, unflushed, self.signal)?;
            // Ready for what was not asked for: the connection has ended, which is to be read.
            ended = ready && !may_read && !unflushed;
            // While the consumers are behind, what was read too far ahead stays where it is.
            unread |= ready && may_read || ended;
        }
    }

    /// Reads packets, until there are none or enough.
    fn read(&mut self, packets: &mut Vec<Packet>) -> Reading {
        let dialect = self.driver.look(crate::core::client::Client::dialect);
        let mut size = 0;
        while size < BATCH {
            match self.socket.read() {
                Ok(Received::Frame(frame)) => {
                    size += frame.len();
                    match dialect.decode_frame(frame) {
                        Ok(packet) => {
                            self.driver.show_received(&packet);
                            packets.push(packet);
                        }
                        Err(error) => return Reading::Over(Loss::Failed(error)),
                    }
                }
                Ok(Received::Nothing) => return Reading::Done,
                Ok(Received::Closed(words)) => return Reading::Over(Loss::Closed(words)),
                Err(error) => return Reading::Over(Loss::Failed(error)),
            }
        }
        Reading::More
    }

    /// Hands in what was read, and takes what is to be written.
    fn exchange(&self, packets: Vec<Packet>, written: bool) -> Work {
        self.driver.run_with(|monitor, now| {
            if written {
                monitor.core.written(self.link, now);
            }
            for packet in packets {
                monitor.core.received(self.link, packet, now);
            }
            let work = monitor.core.take(self.link, now);
            if work == Work::Wait {
                if let Some(link) = monitor.links.get_mut(&self.link) {
                    link.sleeps(Side::Reader);
                }
            }
            work
        })
    }
}
