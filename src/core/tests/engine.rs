//! One session by itself.

use super::*;
use crate::core::engine::{Engine, Freight, Notice, SessionState};
use crate::error::Stage;
use crate::event::status::DisconnectReason;
use crate::proto::dialect::choice::V3_DIALECT;
use crate::proto::handshake::Handshake;
use crate::proto::packet::Probe;

const MAIN: LinkId = LinkId(1);
const STRANGE: LinkId = LinkId(9);
const START: Timestamp = Timestamp(Duration::ZERO);

/// A session that is open, by WebSocket.
fn open() -> Engine {
    let mut engine = Engine::new(MAIN, Transport::WebSocket, false, V4_DIALECT, false, 1 << 20);
    engine.received(MAIN, Packet::Open(World::new().handshake.to_json()), START);
    engine
}

fn send(engine: &mut Engine) {
    engine.send(&mut [Packet::Text("2[\"a\"]".into())].into(), Freight::Events);
}

fn has_ended(engine: &mut Engine) -> bool {
    std::iter::from_fn(|| engine.poll_notice()).any(|notice| matches!(notice, Notice::Closed(..)))
}

#[test]
fn the_loss_of_a_strange_link_is_no_end() {
    let mut engine = open();
    engine.lost(STRANGE, closed_link());
    assert_eq!(engine.state(), SessionState::Open);
    assert!(!has_ended(&mut engine));
    engine.lost(MAIN, closed_link());
    assert_eq!(engine.state(), SessionState::Closed);
    assert!(has_ended(&mut engine));
}

#[test]
fn a_session_ends_once() {
    let mut engine = open();
    engine.end(DisconnectReason::PingTimeout, None);
    assert!(has_ended(&mut engine));
    engine.lost(MAIN, closed_link());
    engine.end(DisconnectReason::ForcedClose, None);
    assert!(engine.poll_notice().is_none());
}

#[test]
fn a_strange_link_gets_nothing_to_write() {
    let mut engine = open();
    send(&mut engine);
    assert_eq!(engine.take(STRANGE, START), Work::Stop);
    assert!(
        matches!(engine.take(MAIN, START), Work::Write(shipment) if packets(&shipment, ParserKind::Json).len() == 1)
    );
}

#[test]
fn the_link_of_a_session_that_has_ended_stops() {
    let mut engine = open();
    send(&mut engine);
    engine.end(DisconnectReason::PingTimeout, None);
    assert_eq!(engine.take(MAIN, START), Work::Stop);
}

#[test]
fn a_doubt_lasts_until_it_is_settled() {
    let mut engine = Engine::new(MAIN, Transport::WebSocket, false, V4_DIALECT, false, 1 << 20);
    assert!(!engine.is_doubtful());
    engine.doubt();
    assert!(engine.is_doubtful());
    engine.settle(V3_DIALECT);
    assert!(!engine.is_doubtful());
    assert_eq!(engine.dialect().eio(), V3_DIALECT.eio());
}

#[test]
fn what_a_session_is_written_in_does_not_change_after_its_handshake() {
    let mut engine = open();
    engine.settle(V3_DIALECT);
    assert_eq!(engine.dialect().eio(), V4_DIALECT.eio());
}

#[test]
fn only_a_handshake_of_a_current_server_leaves_no_doubt() {
    let mut handshake = World::new().handshake;
    for (max_payload, may_be_mistaken) in [(Some(1_000_000), false), (None, true)] {
        handshake.max_payload = max_payload;
        let mut engine = Engine::new(MAIN, Transport::WebSocket, false, V4_DIALECT, false, 1 << 20);
        assert!(!engine.may_be_mistaken(), "there is nothing yet to be mistaken about");
        engine.received(MAIN, Packet::Open(handshake.to_json()), START);
        assert_eq!(engine.may_be_mistaken(), may_be_mistaken);
    }
}

#[test]
fn nothing_is_heard_after_the_end() {
    let mut engine = open();
    engine.end(DisconnectReason::PingTimeout, None);
    assert!(has_ended(&mut engine));
    engine.received(MAIN, Packet::Open(World::new().handshake.to_json()), START);
    engine.received(MAIN, Packet::Ping(Probe::Heartbeat), START);
    assert!(engine.poll_notice().is_none());
    assert_eq!(engine.state(), SessionState::Closed);
}

#[test]
fn only_what_is_being_written_on_its_own_link_moves() {
    let later = START + SECOND;
    let mut engine = open();
    let heartbeat = engine.deadline();
    engine.progressed(MAIN, later);
    assert_eq!(engine.deadline(), heartbeat, "nothing is being written");
    send(&mut engine);
    assert!(matches!(engine.take(MAIN, START), Work::Write(_)));
    engine.received(MAIN, Packet::Ping(Probe::Heartbeat), later);
    engine.progressed(STRANGE, later);
    assert_eq!(engine.deadline(), heartbeat, "what began at the start has not moved");
    engine.progressed(MAIN, later);
    assert_eq!(engine.deadline(), heartbeat.map(|deadline| deadline + SECOND));
}

#[test]
fn how_far_an_attempt_has_come_is_noted_of_each_link_apart() {
    let upgrade = LinkId(2);
    let mut engine = Engine::new(MAIN, Transport::Polling, true, V4_DIALECT, false, 1 << 20);
    engine.note_reached(MAIN, Stage::Http.into());
    engine.note_reached(MAIN, Stage::Tcp.into());
    assert_eq!(engine.so_far().stage, Stage::Http, "another connection of the same attempt");
    let handshake = Handshake { upgrade_to_websocket: true, ..World::new().handshake };
    engine.received(MAIN, Packet::Open(handshake.to_json()), START);
    engine.probe(upgrade);
    engine.note_reached(upgrade, Stage::Tls.into());
    engine.note_reached(STRANGE, Stage::Dns.into());
    assert_eq!(engine.upgrade_so_far().stage, Stage::Tls);
}
