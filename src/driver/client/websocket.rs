//! The thread of a WebSocket.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Driver;
use super::link::{LaneFate, Side};
use super::pump::{Ending, NextStep, Pump};
use super::shared_wire::SharedWire;
use super::wire::Wire;
use crate::core::engine::Loss;
use crate::core::ids::LinkId;
use crate::error::Result;
use crate::net::{Attempt, Ready, Request, UpgradeRequest, Waker, WebSocket};
use crate::sync::logging::log_later;
use crate::sync::threads::Role;

/// By how much a stack is more than four times as large as another, in bytes: more than the guard pages that the C
/// library adds to both.
const MORE_STACK: usize = 64 * 1024;

/// The C library keeps no larger stack than this, in bytes.
const LARGEST_KEPT: usize = 40 * 1024 * 1024;

impl Driver {
    /// Opens the WebSocket, where that was begun by this request, and serves it to its end, or has another thread do
    /// that.
    // Apart from polling, which takes more stack.
    #[inline(never)]
    pub(super) fn run_websocket(
        self: &Arc<Self>,
        link: LinkId,
        request: &Request,
        begun: Option<UpgradeRequest>,
        attempt: &Arc<Attempt>,
    ) -> LaneFate {
        match self.open_websocket(link, request, begun, attempt) {
            Err(error) => self.lose(link, Loss::Failed(error)),
            Ok(wire) if is_deep(request) => return self.pass_on(link, &wire, attempt.waker()),
            Ok(wire) => self.serve_websocket(link, &wire, attempt.waker()),
        }
        LaneFate::Left
    }

    /// The stack of the thread that opens this WebSocket, in bytes.
    ///
    /// For one that passes it on, more than four times as much as others have. The GNU C library keeps the stacks of
    /// threads that have ended, with what was touched last, and gives the next thread the smallest that is large
    /// enough, unless it is more than four times too large: so neither kind of thread is given a stack of the other.
    pub(super) fn stack_to_open(&self, request: &Request) -> usize {
        let size = self.limits.stack_size;
        let apart = size.saturating_mul(4).saturating_add(MORE_STACK);
        if is_deep(request) && apart <= LARGEST_KEPT { apart } else { size }
    }

    /// Has a fresh thread serve what this one has opened.
    // A handshake of TLS touches twice as much stack as anything later, and leaves several kilobytes in what the
    // allocator keeps for its thread: both would be held for as long as the connection lasts.
    fn pass_on(self: &Arc<Self>, link: LinkId, wire: &SharedWire, waker: &Arc<Waker>) -> LaneFate {
        let (driver, served, its_waker) = (Arc::clone(self), wire.clone(), Arc::clone(waker));
        let stack_size = self.limits.stack_size;
        let started = self.occupy(link, Side::Reader, Role::Transport, stack_size, move || {
            driver.serve_websocket(link, &served, &its_waker);
            LaneFate::Left
        });
        let Err(error) = started else { return LaneFate::PassedOn };
        log_later!(Debug, "the thread that has opened the WebSocket serves it: {error:#}");
        self.serve_websocket(link, wire, waker);
        LaneFate::Left
    }

    /// Opens it, and lets others use it.
    // Its frames are large: they lie where those of the loop that waits will, and not below them.
    #[inline(never)]
    fn open_websocket(
        &self,
        link: LinkId,
        request: &Request,
        begun: Option<UpgradeRequest>,
        attempt: &Arc<Attempt>,
    ) -> Result<SharedWire> {
        let socket = self.net.go_on_to_websocket(request, begun, attempt)?;
        Ok(self.share(link, socket, attempt))
    }

    /// Lets others use what was opened, and tells the state machines of it.
    // Apart, so that what it needs does not lie below the frames of those who dial.
    #[inline(never)]
    fn share(&self, link: LinkId, socket: WebSocket, attempt: &Attempt) -> SharedWire {
        let base64 = self.look(|core| core.options().force_base64);
        let wire = Wire::new(link, socket, base64, self.new_parser());
        let pump = Pump::new(link, attempt.waker(), self.language_of(link));
        let wire = SharedWire::new(wire, pump);
        self.run_with(|monitor, now| {
            monitor.share(link, wire.clone());
            monitor.note_reached(link);
            monitor.core.connected(link, now);
        });
        wire
    }

    /// Serves a WebSocket to its end.
    fn serve_websocket(&self, link: LinkId, wire: &SharedWire, waker: &Waker) {
        let ending = self.pump(wire, waker);
        wire.end(matches!(ending, Ok(Ending::Finished)));
        match ending {
            Ok(Ending::Finished | Ending::Stopped) => {}
            Ok(Ending::Lost(loss)) => self.lose(link, loss),
            Err(error) => self.lose(link, Loss::Failed(error)),
        }
    }

    fn pump(&self, wire: &SharedWire, waker: &Waker) -> Result<Ending> {
        let mut ready = Ready::default();
        loop {
            // In between, others may write, and read where the thread rests.
            let mut actions = Vec::new();
            let next = wire.with(|served| served.turn_of_thread(self, ready, &mut actions));
            self.act(actions);
            ready = match next {
                None => return Ok(Ending::Stopped),
                Some(Err(error)) => {
                    let mut actions = Vec::new();
                    wire.with(|served| served.pump.hand_in_rest(self, &mut actions));
                    self.act(actions);
                    return Err(error);
                }
                Some(Ok(NextStep::End(ending))) => return Ok(ending),
                Some(Ok(NextStep::Turn)) => Ready::default(),
                Some(Ok(NextStep::Nap(length))) => {
                    waker.nap(length)?;
                    Ready { readable: true, hung_up: false }
                }
                Some(Ok(NextStep::Wait(interest, limit))) => interest.wait(waker, limit)?,
                Some(Ok(NextStep::Leave(interest, pause, relieved))) => loop {
                    let came = interest.wait_for(waker, pause)?;
                    if let Some(ready) = after_pause(came, &relieved) {
                        break ready;
                    }
                },
                Some(Ok(NextStep::Rest(lookout))) => lookout.wait(waker)?,
            };
        }
    }
}

/// Whether to open a WebSocket by this request takes much more memory than to serve it.
fn is_deep(request: &Request) -> bool {
    request.endpoint.secure
}

/// What a thread turns to after a pause that it left to those who write: what came, or, where none of them has written, what
/// has accumulated.
fn after_pause(came: Option<Ready>, relieved: &AtomicBool) -> Option<Ready> {
    let is_left_again = came.is_none() && relieved.swap(false, Ordering::Relaxed);
    (!is_left_again).then(|| came.unwrap_or_default())
}

#[cfg(test)]
mod tests;
