//! Sessions on their way to be closed in good order, while a new one may be open already.

use std::time::Duration;

use super::{Client, Output};
use crate::core::client::timer::Timer;
use crate::core::engine::{Engine, Notice, SessionState};
use crate::core::ids::LinkId;
use crate::core::time::Timestamp;
use crate::event::status::DisconnectReason;

/// How long a transport that closes in good order may take until something of what it writes has moved on, and
/// from then until the next time.
const LINGER: Duration = Duration::from_secs(5);

/// How many sessions may be on their way to be closed in good order.
const MAX_RETIRING: usize = 4;

/// How many links of sessions that are over may wait for their peers to close them.
const MAX_CLOSING: usize = 4;

impl<A> Client<A> {
    /// Lets a session that is being closed come to its end in the background.
    pub(super) fn retire(&mut self, engine: Engine, now: Timestamp) {
        self.linger(engine.main_link(), now);
        self.retiring.push(engine);
        if self.retiring.len() > MAX_RETIRING {
            self.retiring[0].end(DisconnectReason::ForcedClose, None);
        }
        self.pump_retiring(now);
    }

    pub(super) fn is_retiring(&self, link: LinkId) -> bool {
        self.retiring.iter().any(|engine| engine.owns(link))
    }

    /// Gives a transport its time to close in good order.
    pub(super) fn linger(&mut self, link: LinkId, now: Timestamp) {
        self.timers.set(Timer::Linger(link), Some(now + LINGER));
    }

    /// Something of what a session that is being closed has to write has moved on: its time begins anew, if it
    /// runs.
    pub(super) fn linger_on(&mut self, link: LinkId, now: Timestamp) {
        if self.is_retiring(link) && self.timers.is_set(Timer::Linger(link)) {
            self.linger(link, now);
        }
    }

    /// Passes on what sessions that are being closed ask of their links, and has those look again who wait
    /// for what they write. What else they tell concerns nobody.
    pub(super) fn pump_retiring(&mut self, now: Timestamp) {
        for engine in &mut self.retiring {
            while let Some(notice) = engine.poll_notice() {
                match notice {
                    Notice::Wake(link) => self.outputs.push_back(Output::Wake(link)),
                    Notice::Stop(link) => self.outputs.push_back(Output::Stop(link)),
                    Notice::Room => self.outputs.push_back(Output::Changed),
                    Notice::Upgraded(link) => {
                        self.timers.set(Timer::Linger(link), Some(now + LINGER));
                    }
                    Notice::LetGo(events) => self.tally.unconfirmed += events,
                    _ => {}
                }
            }
        }
        let is_over = |engine: &Engine| engine.state() == SessionState::Closed;
        while let Some(index) = self.retiring.iter().position(is_over) {
            let mut engine = self.retiring.remove(index);
            self.let_close(engine.main_link());
            self.take_back(&mut engine);
            self.outputs.push_back(Output::Changed);
            self.flush_joined(now);
        }
        self.dial_if_due(now);
    }

    /// What came back to namespaces that were joined again meanwhile is ready.
    fn flush_joined(&mut self, now: Timestamp) {
        for id in self.ids() {
            if self.is_joined(id) && self.namespace(id).send_buffer().next().is_some() {
                self.flush_send_buffer(id);
                self.pump(now);
            }
        }
    }

    /// The link of a session that is over has yet to close, unless it has ended.
    fn let_close(&mut self, link: LinkId) {
        if self.timers.is_set(Timer::Linger(link)) {
            self.closing.push_back(link);
        }
        if self.closing.len() > MAX_CLOSING {
            self.outputs.extend(self.closing.pop_front().map(Output::Stop));
        }
    }

    /// A session is over: what no writer has taken of what was handed to it goes back to the namespaces; of the rest,
    /// what is unconfirmed is kept.
    pub(super) fn take_back(&mut self, engine: &mut Engine) {
        self.take_back_untaken(engine);
        self.keep_uncertain(engine.take_unconfirmed());
    }

    /// What no writer has taken of what was handed to a session goes back to the namespaces.
    pub(super) fn take_back_untaken(&mut self, engine: &mut Engine) {
        for waiting in engine.take_untaken().into_iter().rev() {
            self.return_to_namespace(waiting);
        }
    }

    /// A transport did not close in time.
    pub(super) fn linger_timed_out(&mut self, link: LinkId, now: Timestamp) {
        if let Some(engine) = self.retiring_on(link) {
            engine.end(DisconnectReason::ForcedClose, None);
            self.pump_retiring(now);
        }
        self.closing.retain(|other| *other != link);
        self.outputs.push_back(Output::Stop(link));
    }

    /// The session on its way to be closed that this link belongs to.
    pub(super) fn retiring_on(&mut self, link: LinkId) -> Option<&mut Engine> {
        self.retiring.iter_mut().find(|engine| engine.owns(link))
    }
}
