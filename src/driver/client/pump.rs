//! What is done by turns at a WebSocket: reading, handing in, and writing whatever is queued and nobody else
//! has written.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::density::{Batch, Density};
use super::intake::Inlet;
use super::wire::{Turn, Wire};
use super::{Action, Driver};
use crate::core::engine::{Loss, Work};
use crate::core::ids::LinkId;
use crate::driver::clock::now;
use crate::error::Result;
use crate::net::websocket::Received;
use crate::net::{Interest, Lookout, Ready, Waker};
use crate::proto::dialect::detector::Greeting;
use crate::proto::dialect::{Dialect, Frame};
use crate::proto::packet::Packet;
use crate::sync::logging::log_later;

/// How much is read before it is handed on, in bytes: as much as a consumer may have (`receive_bytes`), within
/// these. Each time, a consumer that sleeps is woken.
const BATCH: RangeInclusive<usize> = 64 * 1024..=256 * 1024;

/// How many packets are read before they are handed on.
const BATCH_PACKETS: usize = 1024;

/// What a control frame counts for in a batch: as much as it can carry, in bytes.
const CONTROL: usize = 125;

/// How far the reading and writing of a WebSocket has come. Whoever holds the lock of its wire may take a turn.
pub(super) struct Pump {
    link: LinkId,
    /// That of the WebSocket's thread.
    waker: Arc<Waker>,
    language: Language,
    /// There may be something to read: in the WebSocket's buffer, or since poll(2) said so.
    unread: bool,
    /// What was read and not yet handed in.
    packets: VecDeque<Packet>,
    /// Whether so much comes that it is better read in batches.
    density: Density,
    /// Whether so much is sent that it is better written in batches.
    burst: Density,
    /// What was written last is part of such a burst.
    in_burst: bool,
    /// How the connection has ended, behind the packets.
    loss: Option<Loss>,
    /// poll(2) said that the connection has ended, and nothing was read since.
    hung_up: bool,
}

/// What the session is written in.
pub(super) enum Language {
    Known(&'static dyn Dialect),
    /// It is being found out; meanwhile the first frames are held back.
    Unknown(Greeting, Vec<Frame>),
}

impl Driver {
    /// That of the session that the link belongs to, which is known where it is an old one.
    pub(super) fn language_of(&self, link: LinkId) -> Language {
        self.look(|core| match core.sid_of(link) {
            Some(_) => Language::Known(core.dialect_of(link)),
            None => Language::Unknown(core.detector().greeting(), Vec::new()),
        })
    }
}

/// How the service ended.
#[derive(Debug)]
pub(super) enum Ending {
    /// As the state machines wanted it, with a goodbye.
    Finished,
    /// As the state machines wanted it.
    Stopped,
    /// By itself.
    Lost(Loss),
}

/// What reading has come to.
enum ReadOutcome {
    /// Nothing was read, since nothing has come or the consumers are behind; or nothing more will come.
    Paused,
    /// There is more.
    More,
    /// All that has come is read: so many bytes.
    Done(usize),
}

/// What is next.
#[derive(Debug)]
pub(super) enum NextStep {
    /// Another turn.
    Turn,
    /// To wait, for at most so long.
    Wait(Interest, Option<Duration>),
    /// To wait, for so long again and again, as long as this says that callers have written meanwhile.
    Leave(Interest, Duration, Arc<AtomicBool>),
    /// To wait by the lookout, for something to read.
    Rest(Arc<Lookout>),
    /// To let more come before the next read, for so long.
    Nap(Duration),
    /// Nothing.
    End(Ending),
}

impl Pump {
    pub(super) fn new(link: LinkId, waker: &Arc<Waker>, language: Language) -> Self {
        Self {
            link,
            waker: Arc::clone(waker),
            language,
            unread: true,
            packets: VecDeque::new(),
            density: Density::default(),
            burst: Density::default(),
            in_burst: false,
            loss: None,
            hung_up: false,
        }
    }

    /// What was read before the connection failed waits for nobody.
    pub(super) fn hand_in_rest(&mut self, driver: &Driver, actions: &mut Vec<Action>) {
        let mut inlet = self.inlet(true);
        driver.gather(actions, |monitor, now, actions| {
            driver.hand_in(monitor, &mut inlet, now, actions);
        });
    }

    fn inlet(&mut self, is_last: bool) -> Inlet<'_> {
        Inlet {
            link: self.link,
            packets: &mut self.packets,
            reader: &self.waker,
            is_urgent: self.hung_up,
            is_last,
        }
    }

    /// Takes note of what poll(2) said.
    ///
    /// A connection that has ended is read to its end, which tells how it came, though consumers are
    /// behind: what the peer sent before goes into the reserve. Where that is used up, it stays where
    /// it is, and a wake-up comes when there is room. Until then the socket is not polled any more, because
    /// that would return at once for ever.
    pub(super) fn note(&mut self, ready: Ready) {
        self.unread |= ready.readable || ready.hung_up;
        if ready.hung_up && !self.hung_up {
            self.hung_up = true;
            log_later!(Debug, "the connection has ended; what came before is read first");
        }
    }

    /// Reads, hands in, and writes.
    pub(super) fn turn(
        &mut self,
        driver: &Driver,
        wire: &mut Wire,
        actions: &mut Vec<Action>,
    ) -> Result<NextStep> {
        wire.set_napping(false);
        let was_accumulating = wire.is_accumulating();
        let relieved = wire.end_accumulating();
        let read = if self.unread && self.packets.is_empty() {
            self.read(driver, wire).unwrap_or_else(|loss| {
                self.loss = Some(loss);
                ReadOutcome::Paused
            })
        } else {
            ReadOutcome::Paused
        };
        let packets = self.packets.len();
        let is_last = self.loss.is_some();
        let has_read = !self.unread || matches!(read, ReadOutcome::Done(_));
        // A pong that was asked for in the midst of a burst does not end it.
        let goes_on = relieved || (was_accumulating && packets == 0 && wire.is_confirmed());
        let in_burst = (std::mem::take(&mut self.in_burst) || goes_on) && has_read;
        let inlet = &mut self.inlet(is_last);
        let work = driver.exchange(wire, Some(inlet), in_burst, actions);
        if let Some(loss) = self.loss.take() {
            return Ok(NextStep::End(Ending::Lost(loss)));
        }
        if has_read {
            // Reading would have told of an end: if poll(2) spoke of an error, it has passed.
            (self.unread, self.hung_up) = (false, false);
        }
        let may_read = self.packets.is_empty();
        let Some(work) = work else { return Ok(self.let_accumulate(wire, relieved, may_read)) };
        let turn = self.write(driver, wire, work, in_burst)?;
        match read {
            ReadOutcome::Done(bytes) => {
                if turn == Turn::Idle && may_read {
                    if let Some(length) = self.begin_nap(driver, wire, packets, bytes) {
                        return Ok(NextStep::Nap(length));
                    }
                }
            }
            // It was a batch anyhow.
            ReadOutcome::More => self.density = Density::default(),
            ReadOutcome::Paused => {}
        }
        Ok(match turn {
            Turn::Finish => NextStep::End(Ending::Finished),
            Turn::Stop => NextStep::End(Ending::Stopped),
            Turn::Written => NextStep::Turn,
            // Unless the reader has to hold still: then it is woken. What it left unread may be in a
            // buffer above the socket, of which poll(2) knows nothing.
            Turn::Idle | Turn::Full if may_read && self.unread => NextStep::Turn,
            Turn::Idle | Turn::Full => NextStep::Wait(wire.rest(may_read, !self.hung_up), None),
        })
    }

    fn write(
        &mut self,
        driver: &Driver,
        wire: &mut Wire,
        work: Work,
        in_burst: bool,
    ) -> Result<Turn> {
        let batch = Batch::of_work(&work);
        let turn = wire.write(driver, work)?;
        let is_dense = batch.is_some_and(|batch| self.burst.note(batch, now()));
        // While the peer was waited for, so much was emitted that it takes several batches.
        let goes_on = in_burst && batch.is_some_and(Batch::is_large);
        self.in_burst = (is_dense || goes_on) && turn == Turn::Written;
        Ok(turn)
    }

    /// Lets events accumulate: for longer, where callers have relieved the thread of writing them.
    fn let_accumulate(&mut self, wire: &mut Wire, relieved: bool, may_read: bool) -> NextStep {
        wire.begin_accumulating();
        let interest = wire.interest(may_read, !self.hung_up);
        if relieved {
            return NextStep::Leave(interest, self.burst.begin_longest_nap(), wire.relieved());
        }
        NextStep::Wait(interest, Some(self.burst.begin_nap()))
    }

    /// After a read that took all that had come: how long to let more come before the next, if at
    /// all. Then those who write are told to wake the thread.
    fn begin_nap(
        &mut self,
        driver: &Driver,
        wire: &mut Wire,
        packets: usize,
        bytes: usize,
    ) -> Option<Duration> {
        let may_be_answer = wire.take_wrote();
        let now = now();
        let is_dense = self.density.note(Batch { packets, bytes, may_be_answer }, now);
        let begins = is_dense && !driver.look(|core| core.awaits(now));
        wire.set_napping(begins);
        begins.then(|| self.density.begin_nap())
    }

    /// Reads packets, until there are none or enough.
    fn read(&mut self, driver: &Driver, wire: &mut Wire) -> Result<ReadOutcome, Loss> {
        let batch = driver.limits.receive_bytes.clamp(*BATCH.start(), *BATCH.end());
        let mut size = 0;
        while size < batch && self.packets.len() < BATCH_PACKETS {
            match wire.socket.read() {
                Ok(Received::Frame(frame)) => {
                    size += frame.len();
                    self.decode(driver, wire, frame).map_err(Loss::Failed)?;
                }
                Ok(Received::Nothing) => {
                    self.note_silence(driver, wire).map_err(Loss::Failed)?;
                    return Ok(ReadOutcome::Done(size));
                }
                // A flood of them must not hold up what was read before it.
                Ok(Received::Control) => size += CONTROL,
                Ok(Received::Closed(error)) => return Err(Loss::Closed(error)),
                Err(error) => return Err(Loss::Failed(error)),
            }
        }
        Ok(ReadOutcome::More)
    }

    fn decode(&mut self, driver: &Driver, wire: &mut Wire, frame: Frame) -> Result<()> {
        match &mut self.language {
            Language::Known(dialect) => {
                let packet = dialect.decode_frame(frame)?;
                driver.show_received(&packet);
                self.packets.push_back(packet);
                Ok(())
            }
            Language::Unknown(greeting, held) => {
                let dialect = greeting.look_at(&frame);
                held.push(frame);
                match dialect {
                    Some(dialect) => self.settle(driver, wire, dialect),
                    None => self.ask(driver, wire),
                }
            }
        }
    }

    /// Makes the server say something behind all that it has to say by itself.
    fn ask(&mut self, driver: &Driver, wire: &mut Wire) -> Result<()> {
        driver.run(|core, _| core.doubt(self.link));
        wire.ping()
    }

    /// Whether the server has nothing to say may tell what it speaks.
    fn note_silence(&mut self, driver: &Driver, wire: &mut Wire) -> Result<()> {
        match &self.language {
            Language::Unknown(greeting, _) if wire.socket.pong_came() => {
                let dialect = greeting.silence();
                self.settle(driver, wire, dialect)
            }
            _ => Ok(()),
        }
    }

    /// It is known what the server speaks: reads what was held back.
    fn settle(
        &mut self,
        driver: &Driver,
        wire: &mut Wire,
        dialect: &'static dyn Dialect,
    ) -> Result<()> {
        driver.run(|core, _| core.settle(self.link, dialect));
        let before = std::mem::replace(&mut self.language, Language::Known(dialect));
        if let Language::Unknown(_, held) = before {
            for frame in held {
                self.decode(driver, wire, frame)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
