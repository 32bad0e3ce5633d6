//! What happens to a session, told by bytes: random ones, all of a kind, or those that a fuzzer makes up.

use std::time::Duration;

use super::{SessionWorld, usual_options};
use crate::core::server::session::{NotQueued, PollFate, UpgradeRefusal};
use crate::error::{Error, ErrorKind};
use crate::options::Transport;
use crate::proto::dialect::choice::asked_for;
use crate::proto::packet::{Packet, Probe};

/// What a client may do, and the network, and the server, each told by a byte or two.
pub(crate) fn play(bytes: &[u8]) {
    let [first, rest @ ..] = bytes else { return };
    let eio = if first & 1 == 0 { "4" } else { "3" };
    let Some(dialect) = asked_for(Some(eio)) else { return };
    let transport = if first & 2 == 0 { Transport::Polling } else { Transport::WebSocket };
    let mut world = SessionWorld::opening(dialect, transport, first & 4 != 0, usual_options());
    for byte in rest {
        world.act(byte & 31, byte >> 5);
    }
    world.assert_ends_well();
}

impl SessionWorld {
    /// One of the things that may happen.
    pub(crate) fn act(&mut self, which: u8, how: u8) {
        let by = if how & 1 == 0 { Transport::Polling } else { Transport::WebSocket };
        match which {
            0..=2 => drop(self.get()),
            3 | 4 => self.deliver(),
            5 => self.progress(),
            6 => self.lose_get(),
            7 => drop(self.begin_post()),
            8 | 9 => self.end_post(),
            10 => self.lose_post(),
            11 => drop(self.begin_upgrade()),
            12 => self.say(Transport::WebSocket, Packet::Ping(Probe::Probe)),
            13 => self.say(Transport::WebSocket, Packet::Upgrade),
            14 => self.utter(by),
            15 => self.say(by, Packet::Pong(Probe::Heartbeat)),
            16 => self.say(by, Packet::Ping(Probe::Heartbeat)),
            17 => self.say(by, Packet::Noop),
            18 if how == 0 => self.garble(by),
            19 if how < 2 => self.lose_websocket(None),
            20 if how == 0 => self.lose_websocket(Some(Error::new(ErrorKind::Transport, "reset"))),
            21..=25 => drop(self.send(1 + u32::from(how) % 3)),
            26 if how < 2 => self.close(),
            27 if how == 0 => self.end(),
            28 => self.hold(),
            29 => self.resume(),
            30 => self.advance(Duration::from_millis(1 << (2 * how))),
            31 if how < 2 => self.say(by, Packet::Close),
            31 => self.sleep(Duration::from_millis(1 << (2 * how))),
            _ => {}
        }
    }

    /// Whatever was: what is left arrives or is counted, and a client that falls silent is found out.
    pub(crate) fn assert_ends_well(&mut self) {
        self.resume();
        self.drain();
        self.advance(Duration::from_secs(200));
        assert!(self.session.is_over(), "a silent client keeps its session");
        self.deliver();
        assert_eq!(self.get(), PollFate::Refuse);
        assert_eq!(self.begin_upgrade(), Err(UpgradeRefusal::Over));
        assert_eq!(self.send(1), Err(NotQueued::Over));
        self.close();
        self.end();
    }
}
