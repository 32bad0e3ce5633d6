//! The session's part in the move to another link.

use super::{Engine, MainLink, Notice, SessionState};
use crate::core::engine::upgrade::{Upgrade, UpgradeStep};
use crate::core::ids::LinkId;
use crate::error::{Error, ErrorKind};
use crate::options::Transport;

impl Engine {
    /// Starts the upgrade on this link, as [`Notice::Probe`] asked for.
    pub(crate) fn probe(&mut self, link: LinkId) {
        self.upgrade = Upgrade::Dialing(link);
    }

    pub(super) fn step(&mut self, step: &UpgradeStep) {
        match step {
            UpgradeStep::None => {}
            UpgradeStep::Pause => self.pause(),
            UpgradeStep::Done => self.finish_upgrade(),
            UpgradeStep::Fail(words) => {
                self.abandon_upgrade(Error::new(ErrorKind::Protocol, *words));
            }
        }
    }

    /// Whether the main link takes no new batch: what is sent is held for the link that the session
    /// moves to.
    pub(super) fn is_leaving_main(&self) -> bool {
        let may_post = self.main.polling && self.state == SessionState::Open;
        self.upgrade.ends_polling() && !may_post
    }

    /// The probe was answered: the old link has to come to rest.
    fn pause(&mut self) {
        self.notices.push_back(Notice::Wake(self.main.id));
        self.move_over();
    }

    /// Goes on with the upgrade when the old link is at rest.
    pub(super) fn move_over(&mut self) {
        if self.main.writing || self.main.polling {
            return;
        }
        if let Some(link) = self.upgrade.old_link_rests() {
            self.notices.push_back(Notice::Wake(link));
        }
    }

    /// The server knows of the move: from here on the session lives on the new link, whose writer
    /// asks for more by itself.
    pub(super) fn finish_upgrade(&mut self) {
        let Some(link) = self.upgrade.take_link() else { return };
        self.notices.push_back(Notice::Stop(self.main.id));
        self.main = MainLink {
            id: link,
            transport: Transport::WebSocket,
            writing: false,
            accumulating: false,
            polling: false,
        };
        self.notices.push_back(Notice::Upgraded(link));
        if self.state == SessionState::Closing {
            self.queue.withdraw_close();
        }
    }

    /// Gives up the upgrade: the session goes on by its old link.
    pub(crate) fn abandon_upgrade(&mut self, error: Error) {
        let Some(link) = self.upgrade.take_link() else { return };
        self.notices.push_back(Notice::Stop(link));
        let error = error.of_upgrade().or_hint(
            "the session goes on by long-polling: does a proxy on the way pass WebSocket on?",
        );
        self.notices.push_back(Notice::UpgradeFailed(error));
        // The old link may have stopped for the move: it goes on.
        self.notices.push_back(Notice::Wake(self.main.id));
    }
}
