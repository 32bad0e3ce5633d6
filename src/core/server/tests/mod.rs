//! What the server's state machines do, told as what happens and what follows.

mod ending;
mod heartbeat;
mod polling;
mod random;
mod upgrade;
mod writing;

use std::time::Duration;

use super::session::{NotQueued, PollFate, Session, SessionOptions, UpgradeRefusal};
use super::world::{SessionWorld, message, usual_options};
use crate::error::{Error, ErrorKind};
use crate::event::status::DisconnectReason;
use crate::options::Transport::{Polling, WebSocket};
use crate::proto::dialect::choice::{V3_DIALECT, V4_DIALECT};
use crate::proto::packet::{Packet, Probe};

const SECOND: Duration = Duration::from_secs(1);

const PING: Packet = Packet::Ping(Probe::Heartbeat);
const PONG: Packet = Packet::Pong(Probe::Heartbeat);
const PROBE: Packet = Packet::Ping(Probe::Probe);
const ANSWER: Packet = Packet::Pong(Probe::Probe);

/// A session by polling whose handshake is read.
fn polling() -> SessionWorld {
    fetched(SessionWorld::open(V4_DIALECT, Polling, false, usual_options()))
}

/// A session by WebSocket whose handshake is read.
fn websocket() -> SessionWorld {
    fetched(SessionWorld::open(V4_DIALECT, WebSocket, false, usual_options()))
}

/// The same, of old clients.
fn old_websocket() -> SessionWorld {
    fetched(SessionWorld::open(V3_DIALECT, WebSocket, false, usual_options()))
}

fn fetched(mut world: SessionWorld) -> SessionWorld {
    let got = world.take_got();
    assert!(matches!(got[..], [Packet::Open(_)]), "{got:?}");
    world
}

/// The end that there was, and in which words.
fn ending(world: &SessionWorld) -> (DisconnectReason, String) {
    let ending = world.ending.as_ref().expect("it is not over");
    (ending.reason, ending.cause.as_ref().map(ToString::to_string).unwrap_or_default())
}
