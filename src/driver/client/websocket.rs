//! The thread of a WebSocket: it reads, and writes whatever is queued and nobody else has written.

use std::sync::Arc;

use super::wire::{SharedWire, Turn, Wire};
use super::{Action, Driver};
use crate::core::engine::Loss;
use crate::core::ids::LinkId;
use crate::error::Result;
use crate::net::websocket::Received;
use crate::net::{Attempt, Interest, Ready, Request, Waker, WebSocket};
use crate::proto::dialect::detector::Greeting;
use crate::proto::dialect::{Dialect, Frame};
use crate::proto::packet::Packet;
use crate::sync::lock::log_later;

/// How much is read before it is handed on, in bytes.
const BATCH: usize = 64 * 1024;

/// What a control frame counts for in a batch: as much as it can carry, in bytes.
const CONTROL: usize = 125;

/// Opens the WebSocket and serves it to its end.
// Apart from polling, which takes more stack.
#[inline(never)]
pub(super) fn run(driver: &Arc<Driver>, link: LinkId, request: &Request, attempt: &Arc<Attempt>) {
    let loss = match driver.net.websocket(request, attempt) {
        Ok(socket) => match serve(driver, link, socket, attempt.waker()) {
            Ok(Ending::Finished | Ending::Stopped) => return,
            Ok(Ending::Lost(loss)) => loss,
            Err(error) => Loss::Failed(error),
        },
        Err(error) => Loss::Failed(error),
    };
    driver.lose(link, loss);
}

fn serve(
    driver: &Arc<Driver>,
    link: LinkId,
    socket: WebSocket,
    waker: &Arc<Waker>,
) -> Result<Ending> {
    let wire = SharedWire::new(Wire::new(link, socket, driver.address().force_base64));
    driver.run_with(|monitor, now| {
        monitor.share(link, wire.clone());
        monitor.core.connected(link, now);
    });
    let language = Language::of(driver, link);
    let pump = Pump { driver, link, waker, language, unread: true, hung_up: false };
    let ending = pump.run(&wire);
    // From here on nobody else writes.
    let wire = wire.take();
    if let (Ok(Ending::Finished), Some(wire)) = (&ending, wire) {
        wire.close();
    }
    ending
}

struct Pump<'a> {
    driver: &'a Driver,
    link: LinkId,
    waker: &'a Arc<Waker>,
    language: Language,
    /// There may be something to read: in the WebSocket's buffer, or since poll(2) said so.
    unread: bool,
    /// poll(2) said that the connection has ended, and nothing was read since.
    hung_up: bool,
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
enum Ending {
    /// As the state machines wanted it, with a goodbye.
    Finished,
    /// As the state machines wanted it.
    Stopped,
    /// By itself.
    Lost(Loss),
}

/// What reading has come to.
enum ReadOutcome {
    /// Nothing was read, since nothing has come or the consumers are behind.
    Paused,
    /// There is more.
    More,
    /// All that has come is read.
    Done,
    /// Nothing more will come.
    Over(Loss),
}

/// What is next.
enum NextStep {
    /// Another turn.
    Turn,
    /// To wait.
    Wait(Interest),
    /// Nothing.
    End(Ending),
}

impl Pump<'_> {
    fn run(mut self, wire: &SharedWire) -> Result<Ending> {
        loop {
            // In between, others may write.
            let mut actions = Vec::new();
            let next = wire.with(|wire| self.turn(wire, &mut actions));
            self.driver.act(actions);
            match next {
                None => return Ok(Ending::Stopped),
                Some(Err(error)) => return Err(error),
                Some(Ok(NextStep::End(ending))) => return Ok(ending),
                Some(Ok(NextStep::Turn)) => {}
                Some(Ok(NextStep::Wait(interest))) => self.note(interest.wait(self.waker)?),
            }
        }
    }

    /// Takes note of what poll(2) said.
    ///
    /// A connection that has ended is read to its end, which tells how it came; but no further than
    /// the consumers allow. While they are behind, what the peer sent before stays where it is, and
    /// a wake-up comes when there is room. Until then the socket is not polled any more, because
    /// that would return at once for ever.
    fn note(&mut self, ready: Ready) {
        self.unread |= ready.readable || ready.hung_up;
        if ready.hung_up && !self.hung_up {
            self.hung_up = true;
            log_later!(Debug, "the connection has ended; what came before is read first");
        }
    }

    /// Reads, hands in, and writes.
    fn turn(&mut self, wire: &mut Wire, actions: &mut Vec<Action>) -> Result<NextStep> {
        let mut packets = Vec::new();
        let may_read = !self.driver.inbox.must_wait(self.waker);
        let read = if self.unread && may_read {
            self.read(wire, &mut packets)
        } else {
            ReadOutcome::Paused
        };
        let work = wire.exchange(self.driver, packets, actions);
        if let ReadOutcome::Over(loss) = read {
            return Ok(NextStep::End(Ending::Lost(loss)));
        }
        let turn = wire.write(self.driver, work)?;
        match read {
            // If the connection has ended all the same, poll(2) says so again.
            ReadOutcome::Done => (self.unread, self.hung_up) = (false, false),
            ReadOutcome::More | ReadOutcome::Paused | ReadOutcome::Over(_) => {}
        }
        Ok(match turn {
            Turn::Finish => NextStep::End(Ending::Finished),
            Turn::Stop => NextStep::End(Ending::Stopped),
            Turn::Written => NextStep::Turn,
            Turn::Idle | Turn::Full if matches!(read, ReadOutcome::More) => NextStep::Turn,
            Turn::Idle | Turn::Full => NextStep::Wait(wire.rest(may_read, !self.hung_up)),
        })
    }

    /// Reads packets, until there are none or enough.
    fn read(&mut self, wire: &mut Wire, packets: &mut Vec<Packet>) -> ReadOutcome {
        let mut size = 0;
        while size < BATCH {
            match wire.socket.read() {
                Ok(Received::Frame(frame)) => {
                    size += frame.len();
                    if let Err(error) = self.decode(wire, frame, packets) {
                        return ReadOutcome::Over(Loss::Failed(error));
                    }
                }
                Ok(Received::Nothing) => {
                    return match self.note_silence(wire, packets) {
                        Ok(()) => ReadOutcome::Done,
                        Err(error) => ReadOutcome::Over(Loss::Failed(error)),
                    };
                }
                // A flood of them must not hold up what was read before it.
                Ok(Received::Control) => size += CONTROL,
                Ok(Received::Closed(words)) => return ReadOutcome::Over(Loss::Closed(words)),
                Err(error) => return ReadOutcome::Over(Loss::Failed(error)),
            }
        }
        ReadOutcome::More
    }

    fn decode(&mut self, wire: &mut Wire, frame: Frame, packets: &mut Vec<Packet>) -> Result<()> {
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
                    Some(dialect) => self.settle(wire, dialect, packets),
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
    fn note_silence(&mut self, wire: &mut Wire, packets: &mut Vec<Packet>) -> Result<()> {
        match &self.language {
            Language::Unknown(greeting, _) if wire.socket.pong_came() => {
                let dialect = greeting.silence();
                self.settle(wire, dialect, packets)
            }
            _ => Ok(()),
        }
    }

    /// It is known what the server speaks: reads what was held back.
    fn settle(
        &mut self,
        wire: &mut Wire,
        dialect: &'static dyn Dialect,
        packets: &mut Vec<Packet>,
    ) -> Result<()> {
        self.driver.run(|core, _| core.settle(self.link, dialect));
        let before = std::mem::replace(&mut self.language, Language::Known(dialect));
        if let Language::Unknown(_, held) = before {
            for frame in held {
                self.decode(wire, frame, packets)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
