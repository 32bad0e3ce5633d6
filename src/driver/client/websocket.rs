//! The thread of a WebSocket: it reads, and writes whatever is queued and nobody else has written.

use std::collections::VecDeque;
use std::sync::Arc;

use super::density::{Batch, Density, NAP};
use super::intake::Inlet;
use super::wire::{SharedWire, Turn, Wire};
use super::{Action, Driver};
use crate::core::engine::Loss;
use crate::core::ids::LinkId;
use crate::driver::clock::now;
use crate::error::Result;
use crate::net::websocket::{Interest, Received};
use crate::net::{Attempt, Request, Waker, WebSocket};
use crate::proto::dialect::detector::Greeting;
use crate::proto::dialect::{Dialect, Frame};
use crate::proto::packet::Packet;

/// How much is read before it is handed on, in bytes.
const BATCH: usize = 64 * 1024;

/// Opens the WebSocket and serves it to its end.
// Apart from polling, which takes more stack.
#[inline(never)]
pub(super) fn run(driver: &Arc<Driver>, link: LinkId, request: &Request, attempt: &Arc<Attempt>) {
    let loss = match driver.net.websocket(request, attempt) {
        Ok(socket) => match serve(driver, link, socket, attempt.waker()) {
            Ok(End::Finished | End::Stopped) => return,
            Ok(End::Lost(loss)) => loss,
            Err(error) => Loss::Failed(error),
        },
        Err(error) => Loss::Failed(error),
    };
    driver.lose(link, loss);
}

fn serve(driver: &Arc<Driver>, link: LinkId, socket: WebSocket, waker: &Arc<Waker>) -> Result<End> {
    let wire = SharedWire::new(Wire::new(link, socket, driver.address().force_base64));
    driver.run_with(|monitor, now| {
        monitor.share(link, wire.clone());
        monitor.core.connected(link, now);
    });
    let language = Language::of(driver, link);
    let pump = Pump {
        driver,
        link,
        waker,
        language,
        unread: true,
        packets: VecDeque::new(),
        density: Density::default(),
        loss: None,
        ended: false,
    };
    let end = pump.run(&wire);
    // From here on nobody else writes.
    let wire = wire.take();
    if let (Ok(End::Finished), Some(wire)) = (&end, wire) {
        wire.close();
    }
    end
}

struct Pump<'a> {
    driver: &'a Driver,
    link: LinkId,
    waker: &'a Arc<Waker>,
    language: Language,
    /// There may be something that can be read without waiting for the socket.
    unread: bool,
    /// What was read and not yet handed in.
    packets: VecDeque<Packet>,
    /// Whether so much comes that it is better read in batches.
    density: Density,
    /// How the connection has ended, behind the packets.
    loss: Option<Loss>,
    /// The connection has ended, which is to be read even if nobody wants more.
    ended: bool,
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
    /// As the state machines wanted it, with a goodbye.
    Finished,
    /// As the state machines wanted it.
    Stopped,
    /// By itself.
    Lost(Loss),
}

/// What reading has come to.
enum Reading {
    /// Nothing was read, since nothing has come or the receive buffer is full.
    Paused,
    /// There is more.
    More,
    /// All that has come is read: so many bytes.
    Done(usize),
    /// Nothing more will come.
    Over(Loss),
}

/// What is next.
enum Step {
    /// Another turn.
    Again,
    /// To wait for the socket.
    Wait { interest: Interest, may_read: bool, full: bool },
    /// To let more come before the next read.
    Nap,
    /// Nothing.
    End(End),
}

impl Pump<'_> {
    fn run(mut self, wire: &SharedWire) -> Result<End> {
        loop {
            // In between, others may write.
            let mut actions = Vec::new();
            let step = wire.with(|wire| self.turn(wire, &mut actions));
            self.driver.act(actions);
            match step {
                None => return Ok(End::Stopped),
                Some(Err(error)) => return Err(error),
                Some(Ok(Step::End(end))) => return Ok(end),
                Some(Ok(Step::Again)) => {}
                Some(Ok(Step::Nap)) => {
                    self.waker.nap(NAP)?;
                    self.unread = true;
                }
                Some(Ok(Step::Wait { interest, may_read, full })) => {
                    let ready = interest.wait(self.waker)?;
                    // Ready for what was not asked for: the connection has ended.
                    self.ended = ready && !may_read && !full;
                    // While the consumers are behind, what was read too far ahead stays where it is.
                    self.unread |= ready && may_read || self.ended;
                }
            }
        }
    }

    /// Reads, hands in, and writes.
    fn turn(&mut self, wire: &mut Wire, actions: &mut Vec<Action>) -> Result<Step> {
        wire.set_napping(false);
        let reading =
            if self.unread && self.packets.is_empty() { self.read(wire) } else { Reading::Paused };
        let reading = match reading {
            Reading::Over(loss) => {
                self.loss = Some(loss);
                Reading::Paused
            }
            reading => reading,
        };
        let mut inlet = Inlet {
            link: self.link,
            packets: &mut self.packets,
            reader: self.waker,
            is_last: self.loss.is_some(),
        };
        let packets = inlet.packets.len();
        let work = wire.exchange(self.driver, Some(&mut inlet), actions);
        if let Some(loss) = self.loss.take() {
            return Ok(Step::End(End::Lost(loss)));
        }
        let may_read = self.packets.is_empty();
        let turn = wire.write(self.driver, work)?;
        match turn {
            Turn::Finish => return Ok(Step::End(End::Finished)),
            Turn::Stop => return Ok(Step::End(End::Stopped)),
            Turn::Written | Turn::Wait => {}
        }
        match reading {
            // Unless the reader has to hold still: then it is woken. When it has held still, there may be
            // more in the WebSocket's own buffer, which makes no socket readable.
            Reading::More | Reading::Paused if may_read && self.unread => return Ok(Step::Again),
            Reading::Done(bytes) => {
                self.unread = false;
                if turn == Turn::Wait && may_read && self.begin_nap(wire, packets, bytes) {
                    return Ok(Step::Nap);
                }
            }
            Reading::More | Reading::Paused | Reading::Over(_) => {}
        }
        Ok(match turn {
            // There may be more to write.
            Turn::Written => Step::Again,
            _ => Step::Wait { interest: wire.rest(may_read)?, may_read, full: wire.is_full() },
        })
    }

    /// After a read that took all that had come: whether to let more come before the next. `true`:
    /// those who write are told to wake the thread.
    fn begin_nap(&mut self, wire: &mut Wire, packets: usize, bytes: usize) -> bool {
        let may_be_answer = wire.take_wrote();
        let now = now();
        let is_dense = self.density.note(Batch { packets, bytes, may_be_answer }, now);
        let begins = is_dense && !wire.is_full() && !self.driver.look(|core| core.awaits(now));
        if begins {
            self.density.begin_nap();
            wire.set_napping(true);
        }
        begins
    }

    /// Reads packets, until there are none or enough.
    fn read(&mut self, wire: &mut Wire) -> Reading {
        let mut size = 0;
        while size < BATCH {
            match wire.socket.read() {
                Ok(Received::Frame(frame)) => {
                    size += frame.len();
                    if let Err(error) = self.decode(wire, frame) {
                        return Reading::Over(Loss::Failed(error));
                    }
                }
                Ok(Received::Nothing) => {
                    return match self.note_silence(wire) {
                        Ok(()) => Reading::Done(size),
                        Err(error) => Reading::Over(Loss::Failed(error)),
                    };
                }
                Ok(Received::Closed(words)) => return Reading::Over(Loss::Closed(words)),
                Err(error) => return Reading::Over(Loss::Failed(error)),
            }
        }
        Reading::More
    }

    fn decode(&mut self, wire: &mut Wire, frame: Frame) -> Result<()> {
        match &mut self.language {
            Language::Known(dialect) => {
                let packet = dialect.decode_frame(frame)?;
                self.driver.show_received(&packet);
                self.packets.push_back(packet);
                Ok(())
            }
            Language::Unknown(greeting, held) => {
                let dialect = greeting.look_at(&frame);
                held.push(frame);
                match dialect {
                    Some(dialect) => self.settle(wire, dialect),
                    None => self.ask(wire),
                }
            }
        }
    }

    /// Makes the server say something behind all that it has to say by itself.
    fn ask(&mut self, wire: &mut Wire) -> Result<()> {
        self.driver.run(|core, _| core.doubt(self.link));
        wire.ping()
    }

    /// Whether the server has nothing to say may tell what it speaks.
    fn note_silence(&mut self, wire: &mut Wire) -> Result<()> {
        match &self.language {
            Language::Unknown(greeting, _) if wire.socket.pong_came() => {
                let dialect = greeting.silence();
                self.settle(wire, dialect)
            }
            _ => Ok(()),
        }
    }

    /// It is known what the server speaks: reads what was held back.
    fn settle(&mut self, wire: &mut Wire, dialect: &'static dyn Dialect) -> Result<()> {
        self.driver.run(|core, _| core.settle(self.link, dialect));
        let before = std::mem::replace(&mut self.language, Language::Known(dialect));
        if let Language::Unknown(_, held) = before {
            for frame in held {
                self.decode(wire, frame)?;
            }
        }
        Ok(())
    }
}
