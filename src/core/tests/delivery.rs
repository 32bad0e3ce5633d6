//! What the writer of a link has taken: how long it may stay without moving.

use super::*;

/// How long a peer may be without a sign of life.
const PATIENCE: Duration = Duration::from_secs(45);

const LOST: [&str; 2] = ["/: disconnect transport error", "manager: close transport error"];

/// A connection of each transport whose writer has an event, and does not report it.
fn stuck() -> [World; 2] {
    let (websocket, _) = World::joined();
    let mut polling = World::with(|options| options.transports = vec![Transport::Polling]);
    polling.join("/");
    [websocket, polling].map(|mut world| {
        world.log();
        world.slow = true;
        let root = world.client.namespace_id("/");
        world.emit(root, "[\"a\"]").unwrap();
        assert_eq!(world.sent(), ["42[\"a\"]"]);
        world
    })
}

/// The server pings each ten seconds until so much time has passed.
fn ping_for(world: &mut World, span: Duration) {
    let end = world.now + span;
    while world.now < end {
        let step = Duration::from_secs(10).min(end.0.saturating_sub(world.now.0));
        world.advance(step);
        world.receive("2");
    }
}

/// What was told, but for the heartbeats.
fn told(world: &mut World) -> Vec<String> {
    let mut log = world.log();
    log.retain(|line| line != "manager: ping");
    log
}

#[test]
fn what_does_not_move_ends_the_session_though_the_server_pings() {
    for mut world in stuck() {
        ping_for(&mut world, PATIENCE.saturating_sub(MOMENT));
        assert_eq!(told(&mut world), Vec::<String>::new());
        world.advance(MOMENT);
        let log = told(&mut world);
        assert!(log.ends_with(&LOST.map(String::from)), "{log:?}");
        assert_eq!(world.alive(), []);
    }
}

#[test]
fn the_error_tells_what_did_not_move_and_for_how_long() {
    for (mut world, words) in stuck().into_iter().zip(["the peer reads nothing", "a POST"]) {
        ping_for(&mut world, PATIENCE);
        let error = world.error.take().expect("the reason");
        assert_eq!(error.kind(), ErrorKind::Transport);
        assert!(error.is_timeout());
        assert!(error.message().starts_with(words), "{error}");
        assert!(error.message().ends_with("for 45 s (packets: 1, bytes: 5)"), "{error}");
        assert!(error.hint().is_some());
    }
}

#[test]
fn what_moves_has_the_time_anew() {
    for mut world in stuck() {
        for _ in 0..10 {
            ping_for(&mut world, PATIENCE.saturating_sub(MOMENT));
            let link = world.last_link;
            world.run(|client, now| client.progressed(link, now));
        }
        assert_eq!(told(&mut world), Vec::<String>::new());
        ping_for(&mut world, PATIENCE);
        assert_eq!(told(&mut world).last().unwrap(), LOST[1]);
    }
}

#[test]
fn what_moves_on_another_link_counts_for_nothing() {
    for mut world in stuck() {
        ping_for(&mut world, PATIENCE.saturating_sub(MOMENT));
        world.run(|client, now| client.progressed(LinkId(99), now));
        world.advance(MOMENT);
        assert_eq!(told(&mut world).last().unwrap(), LOST[1]);
    }
}

#[test]
fn what_is_written_leaves_no_deadline() {
    for mut world in stuck() {
        world.advance(Duration::from_secs(10));
        world.receive("2");
        // The event, and the pong behind it.
        world.written();
        world.written();
        world.slow = false;
        let heartbeat = world.now + PATIENCE;
        assert_eq!(world.client.next_deadline(), Some(heartbeat));
        let link = world.last_link;
        world.run(|client, now| client.progressed(link, now));
        ping_for(&mut world, PATIENCE * 10);
        assert_eq!(told(&mut world), Vec::<String>::new());
    }
}

#[test]
fn a_batch_brings_no_deadline_before_that_of_the_heartbeat() {
    let (mut world, root) = World::joined();
    let before = world.client.next_deadline();
    world.slow = true;
    world.sleep(SECOND);
    world.emit(root, "[\"a\"]").unwrap();
    assert_eq!(world.client.next_deadline(), before);
}

#[test]
fn an_emit_after_the_deadline_does_not_go_into_the_dead_session() {
    for mut world in stuck() {
        ping_for(&mut world, PATIENCE.saturating_sub(MOMENT));
        world.sleep(SECOND);
        let root = world.client.namespace_id("/");
        world.emit(root, "[\"b\"]").unwrap();
        assert_eq!(told(&mut world).last().unwrap(), LOST[1]);
        assert_eq!(world.namespace(root).buffered().packets, 1);
    }
}

#[test]
fn a_session_in_which_the_client_pings_ends_likewise() {
    let mut world = World::old();
    world.connect("/");
    world.open();
    world.receive("40");
    world.slow = true;
    let root = world.client.namespace_id("/");
    world.emit(root, "[\"a\"]").unwrap();
    world.log();
    // Whatever comes keeps the heartbeat up.
    for _ in 0..44 {
        world.advance(SECOND);
        world.receive("6");
    }
    assert_eq!(world.news(), Vec::<String>::new());
    world.advance(SECOND);
    assert_eq!(world.news(), [LOST[0]]);
}

#[test]
fn a_post_that_an_upgrade_waited_for_has_no_more_time_than_others() {
    let [polling, websocket] = [LinkId(1), LinkId(2)];
    let mut world = World::polling();
    let root = world.connect("/");
    world.open();
    world.receive_on(polling, &["40{\"sid\":\"a\"}"]);
    world.connected_on(websocket);
    world.slow = true;
    world.emit(root, "[\"a\"]").unwrap();
    world.log();
    world.receive_on(websocket, &["3probe"]);
    world.advance(Duration::from_secs(30));
    assert_eq!(world.log(), ["manager: upgrade error timeout"]);
    world.receive_on(polling, &["2"]);
    world.advance(Duration::from_secs(15).saturating_sub(MOMENT));
    assert_eq!(told(&mut world), Vec::<String>::new());
    world.advance(MOMENT);
    assert_eq!(told(&mut world)[1..], LOST);
}
