//! The thread of a WebSocket: it reads, and writes whatever is queued.

use std::sync::Arc;

use super::Driver;
use super::link::Side;
use crate::core::engine::{LinkId, Loss, Work};
use crate::error::Result;
use crate::net::websocket::Received;
use crate::net::{Request, Signal, WebSocket};
use crate::proto::detector::Greeting;
use crate::proto::packet::Packet;
use crate::proto::revision::{Dialect, Frame};

/// How much is read before it is handed on, in bytes.
const BATCH: usize = 64 * 1024;

/// Opens the WebSocket and serves it to its end.
// Apart from polling, which takes more stack.
#[inline(never)]
pub(super) fn run(driver: &Arc<Driver>, link: LinkId, request: &Request, signal: &Arc<Signal>) {
    let loss = match driver.net.websocket(request, signal) {
        Ok(socket) => {
            driver.run(|core, now| core.connected(link, now));
            let base64 = driver.address().force_base64;
            let language = Language::of(driver, link);
            match (Pump { driver, link, signal, socket, language, base64, unflushed: false }).run()
            {
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
    language: Language,
    /// Binary travels as text.
    base64: bool,
    /// Something was handed to the WebSocket and may not be out.
    unflushed: bool,
}

/// What the session is written in.
enum Language {
    Known(&'static dyn Dialect),
    /// It is being found out; meanwhile the first frames are held back.
    Unknown(Greeting, Vec<Frame>),
}

impl Language {
    /// That of the session that the link belongs to, which is known where it is an old one.
    fn of(driver: &Driver, link: LinkId) -> Self {
        driver.look(|core| match core.sid_of(link) {
            Some(_) => Self::Known(core.dialect_of(link)),
            None => Self::Unknown(core.detector().greeting(), Vec::new()),
        })
    }
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
                    let dialect = self.driver.look(|core| core.dialect_of(self.link));
                    for packet in packets {
                        self.driver.show_sent(&packet);
                        self.socket.write(dialect.encode_frame(packet, self.base64))?;
                    }
                    self.unflushed = true;
                }
                Work::Wait => {}
                Work::Finish => {
                    self.socket.close(self.signal);
                    return Ok(End::Finished);
                }
                Work::Stop => return Ok(End::Finished),
            }
            if self.unflushed && self.socket.flush()? {
                self.unflushed = false;
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
            let ready = self.socket.wait(may_read, self.unflushed, self.signal)?;
            // Ready for what was not asked for: the connection has ended, which is to be read.
            ended = ready && !may_read && !self.unflushed;
            // While the consumers are behind, what was read too far ahead stays where it is.
            unread |= ready && may_read || ended;
        }
    }

    /// Reads packets, until there are none or enough.
    fn read(&mut self, packets: &mut Vec<Packet>) -> Reading {
        let mut size = 0;
        while size < BATCH {
            match self.socket.read() {
                Ok(Received::Frame(frame)) => {
                    size += frame.len();
                    if let Err(error) = self.decode(frame, packets) {
                        return Reading::Over(Loss::Failed(error));
                    }
                }
                Ok(Received::Nothing) => {
                    return match self.note_silence(packets) {
                        Ok(()) => Reading::Done,
                        Err(error) => Reading::Over(Loss::Failed(error)),
                    };
                }
                Ok(Received::Closed(words)) => return Reading::Over(Loss::Closed(words)),
                Err(error) => return Reading::Over(Loss::Failed(error)),
            }
        }
        Reading::More
    }

    fn decode(&mut self, frame: Frame, packets: &mut Vec<Packet>) -> Result<()> {
        match &mut self.language {
            Language::Known(dialect) => {
                let packet = dialect.decode_frame(frame)?;
                self.driver.show_received(&packet);
                packets.push(packet);
                Ok(())
            }
            Language::Unknown(greeting, held) => {
                let dialect = greeting.look_at(&frame);
                held.push(frame);
                match dialect {
                    Some(dialect) => self.settle(dialect, packets),
                    None => self.ask(),
                }
            }
        }
    }

    /// Makes the server say something behind all that it has to say by itself.
    fn ask(&mut self) -> Result<()> {
        self.driver.run(|core, _| core.doubt(self.link));
        self.socket.ping()?;
        self.unflushed = true;
        Ok(())
    }

    /// Whether the server has nothing to say may tell what it speaks.
    fn note_silence(&mut self, packets: &mut Vec<Packet>) -> Result<()> {
        match &self.language {
            Language::Unknown(greeting, _) if self.socket.pong_came() => {
                let dialect = greeting.silence();
                self.settle(dialect, packets)
            }
            _ => Ok(()),
        }
    }

    /// It is known what the server speaks: reads what was held back.
    fn settle(&mut self, dialect: &'static dyn Dialect, packets: &mut Vec<Packet>) -> Result<()> {
        self.driver.run(|core, _| core.settle(self.link, dialect));
        let before = std::mem::replace(&mut self.language, Language::Known(dialect));
        if let Language::Unknown(_, held) = before {
            for frame in held {
                self.decode(frame, packets)?;
            }
        }
        Ok(())
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
