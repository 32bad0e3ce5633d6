//! Heartbeats: whose turn it is, and when the peer is given up.

use super::*;
use crate::core::engine::{Engine, Notice};
use crate::event::status::DisconnectReason;
use crate::proto::dialect::choice::V3_DIALECT;

#[test]
fn a_silent_server_is_left_exactly_at_interval_and_timeout() {
    let (mut world, _) = World::joined();
    world.advance((INTERVAL + TIMEOUT).saturating_sub(MOMENT));
    assert_eq!(world.news(), Vec::<String>::new());
    world.advance(MOMENT);
    assert_eq!(world.log(), ["/: disconnect ping timeout", "manager: close ping timeout"]);
    assert_eq!(world.alive(), []);
}

#[test]
fn each_ping_is_answered_and_puts_the_deadline_off() {
    let (mut world, _) = World::joined();
    for _ in 0..100 {
        world.advance((INTERVAL + TIMEOUT).saturating_sub(SECOND));
        world.receive("2");
        assert_eq!(world.sent(), ["3"]);
    }
    assert_eq!(world.news(), Vec::<String>::new());
}

#[test]
fn other_traffic_does_not_put_the_deadline_off() {
    let (mut world, _) = World::joined();
    for _ in 0..44 {
        world.advance(SECOND);
        for packet in ["42[\"a\"]", "6", "3"] {
            world.receive(packet);
        }
    }
    world.news();
    world.advance(SECOND);
    assert_eq!(world.news(), ["/: disconnect ping timeout"]);
}

#[test]
fn a_ping_with_text_is_answered_without() {
    let (mut world, _) = World::joined();
    world.receive("2abc");
    world.receive("2probe");
    assert_eq!(world.sent(), ["3", "3"]);
}

#[test]
fn pings_that_could_not_be_answered_in_time_get_one_answer() {
    let (mut world, root) = World::joined();
    world.slow = true;
    world.emit(root, "[\"a\"]").unwrap();
    for _ in 0..1000 {
        world.receive("2");
    }
    world.emit(root, "[\"b\"]").unwrap();
    assert_eq!(world.sent(), ["42[\"a\"]"]);
    world.written();
    assert_eq!(world.sent(), ["3", "42[\"b\"]"]);
}

#[test]
fn a_device_that_slept_does_not_write_into_a_dead_session() {
    let (mut world, root) = World::joined();
    world.sleep(Duration::from_secs(3600));
    world.emit(root, "[\"morning\"]").unwrap();
    assert_eq!(world.sent(), Vec::<String>::new());
    assert_eq!(world.news(), ["/: disconnect ping timeout"]);

    world.advance_to_deadline();
    world.open();
    world.receive("40{\"sid\":\"new\"}");
    assert_eq!(world.sent(), ["40", "42[\"morning\"]"]);
}

#[test]
fn a_device_that_slept_does_not_reply_into_a_dead_session() {
    let (mut world, root) = World::joined();
    world.receive("427[\"question\"]");
    world.sleep(Duration::from_secs(3600));
    let reply = world.run(|client, now| client.reply(root, 1, 7, payload("[]"), now));
    assert!(matches!(reply, Err(NotTaken::Error(error)) if error.is_disconnected()));
    assert_eq!(world.sent(), Vec::<String>::new());
}

#[test]
fn a_ping_that_waited_in_the_kernel_while_the_device_slept_saves_the_session() {
    let (mut world, root) = World::joined();
    world.sleep(INTERVAL + TIMEOUT + SECOND);
    world.receive("2");
    world.emit(root, "[\"a\"]").unwrap();
    assert_eq!(world.sent(), ["3", "42[\"a\"]"]);
}

#[test]
fn a_client_that_pings_does_so_each_interval_and_leaves_without_an_answer() {
    let mut engine = pinging_engine();
    for round in 1..=3 {
        let at = INTERVAL * round;
        assert_eq!(engine.deadline(), Some(Timestamp(at)));
        engine.expire(Timestamp(at));
        assert_eq!(written(&mut engine), ["2"]);
        engine.received(
            LinkId(1),
            Packet::Pong(crate::proto::packet::Probe::Heartbeat),
            Timestamp(at),
        );
    }
    let at = INTERVAL * 4;
    engine.expire(Timestamp(at));
    assert_eq!(engine.deadline(), Some(Timestamp(at + TIMEOUT)));
    engine.expire(Timestamp(at + TIMEOUT));
    assert_eq!(closed(&mut engine), Some(DisconnectReason::PingTimeout));
}

#[test]
fn where_the_client_pings_any_packet_counts_as_life_while_it_waits() {
    let mut engine = pinging_engine();
    engine.expire(Timestamp(INTERVAL));
    engine.received(LinkId(1), Packet::Noop, Timestamp(INTERVAL + SECOND));
    let put_off = INTERVAL + SECOND + INTERVAL + TIMEOUT;
    assert_eq!(engine.deadline(), Some(Timestamp(put_off)));
    // While it does not wait, its own ping is not put off.
    engine.received(
        LinkId(1),
        Packet::Pong(crate::proto::packet::Probe::Heartbeat),
        Timestamp(put_off),
    );
    engine.received(LinkId(1), Packet::Noop, Timestamp(put_off + SECOND));
    assert_eq!(engine.deadline(), Some(Timestamp(put_off + INTERVAL)));
}

#[test]
fn a_server_is_believed_however_seldom_it_pings() {
    let hours = Duration::from_secs(24 * 3600);
    let mut world = World::new();
    world.handshake.ping_interval = hours;
    world.join("/");
    world.log();
    for _ in 0..3 {
        world.advance((hours + TIMEOUT).saturating_sub(MOMENT));
        world.receive("2");
        assert_eq!(world.log(), ["manager: ping"]);
    }
    world.advance(hours + TIMEOUT);
    assert_eq!(world.news(), ["/: disconnect ping timeout"]);
}

#[test]
fn a_heartbeat_without_a_timeout_may_be_late_by_its_interval() {
    let mut world = World::new();
    world.handshake.ping_timeout = Duration::ZERO;
    world.join("/");
    world.advance((INTERVAL * 2).saturating_sub(MOMENT));
    world.receive("2");
    world.log();
    world.advance(INTERVAL * 2);
    assert_eq!(world.news(), ["/: disconnect ping timeout"]);

    let mut handshake = World::new().handshake;
    handshake.ping_timeout = Duration::ZERO;
    let mut engine =
        Engine::new(LinkId(1), Transport::WebSocket, false, V3_DIALECT, false, 1 << 20);
    engine.received(LinkId(1), Packet::Open(handshake.to_json()), Timestamp(Duration::ZERO));
    engine.expire(Timestamp(INTERVAL));
    assert_eq!(engine.deadline(), Some(Timestamp(INTERVAL * 2)));
}

#[test]
fn a_client_that_slept_past_its_own_ping_gives_the_session_up() {
    let mut engine = pinging_engine();
    engine.expire(Timestamp(Duration::from_secs(3600)));
    assert_eq!(closed(&mut engine), Some(DisconnectReason::PingTimeout));
}

/// A session of the revision in which the client pings, opened at the start of time.
fn pinging_engine() -> Engine {
    let mut engine =
        Engine::new(LinkId(1), Transport::WebSocket, false, V3_DIALECT, false, 1 << 20);
    let open = Packet::Open(World::new().handshake.to_json());
    engine.received(LinkId(1), open, Timestamp(Duration::ZERO));
    engine
}

fn written(engine: &mut Engine) -> Vec<String> {
    let Work::Write(shipment) = engine.take(LinkId(1), Timestamp(Duration::ZERO)) else {
        return Vec::new();
    };
    engine.written(LinkId(1));
    packets(&shipment, ParserKind::Json)
        .into_iter()
        .map(|packet| text(V4_DIALECT, packet))
        .collect()
}

fn closed(engine: &mut Engine) -> Option<DisconnectReason> {
    std::iter::from_fn(|| engine.poll_notice()).find_map(|notice| match notice {
        Notice::Closed(reason, _) => Some(reason),
        _ => None,
    })
}
