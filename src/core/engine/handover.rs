//! The session's part in the move to another link.

use super::{Engine, Link, Signal, State};
use crate::core::engine::upgrade::{Step, Upgrade};
use crate::core::ids::LinkId;
use crate::error::{Error, ErrorKind};
use crate::options::Transport;
use crate::proto::packet::Packet;

impl Engine {
    /// Starts the upgrade on this link, as [`Signal::Probe`] asked for.
    pub(crate) fn probe(&mut self, link: LinkId) {
        self.upgrade = Upgrade::Dialing(link);
    }

    pub(super) fn step(&mut self, step: &Step) {
        match step {
            Step::None => {}
            Step::Pause => self.pause(),
            Step::Done => self.finish_upgrade(),
            Step::Fail(words) => self.abandon_upgrade(Error::new(ErrorKind::Protocol, *words)),
        }
    }

    /// The probe was answered: the old link has to come to rest.
    fn pause(&mut self) {
        self.signals.push_back(Signal::Wake(self.main.id));
        self.move_over();
    }

    /// Goes on with the upgrade when the old link is at rest.
    pub(super) fn move_over(&mut self) {
        if self.main.writing || self.main.polling {
            return;
        }
        if let Some(link) = self.upgrade.old_link_rests() {
            self.signals.push_back(Signal::Wake(link));
        }
    }

    /// The server knows of the move: from here on the session lives on the new link, whose writer
    /// asks for more by itself.
    pub(super) fn finish_upgrade(&mut self) {
        let Some(link) = self.upgrade.take_link() else { return };
        self.signals.push_back(Signal::Stop(self.main.id));
        self.main =
            Link { id: link, transport: Transport::WebSocket, writing: false, polling: false };
        self.signals.push_back(Signal::Upgraded(link));
        if self.state == State::Closing {
            // On a WebSocket the close frame says it.
            self.queue.retain(|packet| *packet != Packet::Close);
        }
    }

    /// Gives up the upgrade: the session goes on by its old link.
    pub(crate) fn abandon_upgrade(&mut self, error: Error) {
        let Some(link) = self.upgrade.take_link() else { return };
        self.signals.push_back(Signal::Stop(link));
        self.signals.push_back(Signal::UpgradeFailed(error));
        // The old link may have come to rest for nothing.
        self.signals.push_back(Signal::Wake(self.main.id));
    }
}
