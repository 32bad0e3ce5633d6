//! The move of a session from long-polling to WebSocket.
//!
//! ```text
//!  None ──probe()──▶ Dialing ──connected──▶ Greeting ──"2probe" handed out──▶ Probing
//!                                                                                │
//!                                                                         "3probe" read
//!                                                                                ▼
//!  None ◀──"5" written── Telling ◀──"5" handed out── Leaving ◀──old link rests── Pausing
//! ```
//!
//! Up to `Probing` the old link works as if there were no upgrade. From `Pausing` on it does not poll
//! again. Node servers release the poll under way by a NOOP up to 100 ms later, or at once where they
//! have something to say: so until it is answered the old link goes on posting, which they take as
//! ever. Once it is, no POST begins any more, and the old link rests when the last one is answered:
//! what is sent meanwhile is held for the new link. That moment does not wait for writers, who may
//! always have more. A session that is being closed posts no more from `Pausing` on, so that its
//! farewell goes by one link with all before it.
//!
//! The upgrade fails when the new link is lost, when its time is up, or when the server says on it
//! what it should not. In each state the session then goes back to the old link, which polls again
//! and writes what was held. A session that is being closed does so too, up to its farewell. In
//! `Telling` nobody knows whether the server has read the `5`. Where it has not, the session goes
//! on. Where it has, it refuses the next request of the old link, and the session ends with that.

use super::messages::Work;
use super::shipment::Shipment;
use crate::core::ids::LinkId;
use crate::proto::packet::{Packet, Probe};

/// How far the move has come. The link is the new one.
#[derive(Debug)]
pub(super) enum Upgrade {
    /// There is none.
    None,
    /// The WebSocket is being opened.
    Dialing(LinkId),
    /// The probe is to be written.
    Greeting(LinkId),
    /// The probe is out; its answer is awaited.
    Probing(LinkId),
    /// The old link is coming to rest: it polls for the last time, and then posts for the last time.
    Pausing(LinkId),
    /// The old link rests; the server is to be told.
    Leaving(LinkId),
    /// The server is being told.
    Telling(LinkId),
}

/// What follows for the session.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum UpgradeStep {
    None,
    Pause,
    Done,
    Fail(&'static str),
}

impl Upgrade {
    pub(super) fn link(&self) -> Option<LinkId> {
        match *self {
            Self::None => None,
            Self::Dialing(link)
            | Self::Greeting(link)
            | Self::Probing(link)
            | Self::Pausing(link)
            | Self::Leaving(link)
            | Self::Telling(link) => Some(link),
        }
    }

    /// Ends the move, done or failed.
    pub(super) fn take_link(&mut self) -> Option<LinkId> {
        let link = self.link();
        *self = Self::None;
        link
    }

    /// Whether the old link does not poll again.
    pub(super) fn ends_polling(&self) -> bool {
        matches!(self, Self::Pausing(_) | Self::Leaving(_) | Self::Telling(_))
    }

    /// The WebSocket is open. `true` when the probe can be written.
    pub(super) fn connected(&mut self, link: LinkId) -> bool {
        let dialing = matches!(self, Self::Dialing(awaited) if *awaited == link);
        if dialing {
            *self = Self::Greeting(link);
        }
        dialing
    }

    /// Work for the writer of the new link.
    pub(super) fn take(&mut self) -> Work {
        match *self {
            Self::Greeting(link) => {
                *self = Self::Probing(link);
                Work::Write(Shipment::of(Packet::Ping(Probe::Probe)))
            }
            Self::Leaving(link) => {
                *self = Self::Telling(link);
                Work::Write(Shipment::of(Packet::Upgrade))
            }
            _ => Work::Wait,
        }
    }

    /// The writer of the new link has written what it took.
    pub(super) fn written(&mut self) -> UpgradeStep {
        if matches!(self, Self::Telling(_)) { UpgradeStep::Done } else { UpgradeStep::None }
    }

    /// A packet came in on the new link.
    pub(super) fn received(&mut self, packet: &Packet) -> UpgradeStep {
        match *self {
            Self::Probing(link) if *packet == Packet::Pong(Probe::Probe) => {
                *self = Self::Pausing(link);
                UpgradeStep::Pause
            }
            // The server writes other packets to the new link only after it has read the `5`. They may
            // come before the writer has reported that the `5` is written.
            Self::Telling(_) => UpgradeStep::Done,
            _ => UpgradeStep::Fail("the server did not answer the probe of the new transport"),
        }
    }

    /// The old link has nothing under way any more. The new link's writer is then to be woken.
    pub(super) fn old_link_rests(&mut self) -> Option<LinkId> {
        let Self::Pausing(link) = *self else { return None };
        *self = Self::Leaving(link);
        Some(link)
    }
}
