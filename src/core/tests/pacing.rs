//! Polls that are answered at once with nothing: they are not repeated as fast as that.

use super::*;

const LINK: LinkId = LinkId(1);
const MILLISECOND: Duration = Duration::from_millis(1);

/// A session by polling alone, joined.
fn polling() -> (World, NamespaceId) {
    let mut world = World::polling();
    world.handshake.upgrade_to_websocket = false;
    let root = world.join("/");
    world.log();
    (world, root)
}

fn is_asked(world: &World) -> bool {
    world.links[&LINK].polling
}

/// The server answers each request after this time with a NOOP, so often. The rests before the
/// requests that follow.
fn storm(world: &mut World, delay: Duration, answers: usize) -> Vec<Duration> {
    let mut rests = Vec::new();
    for _ in 0..answers {
        assert!(is_asked(world));
        world.advance(delay);
        world.receive_on(LINK, &["6"]);
        let begin = world.now;
        while !is_asked(world) {
            world.advance_to_deadline();
        }
        rests.push(world.now.0.saturating_sub(begin.0));
    }
    rests
}

#[test]
fn the_first_answers_with_nothing_are_followed_at_once_and_then_come_rests_that_grow() {
    let (mut world, _) = polling();
    let rests = storm(&mut world, Duration::ZERO, 15);
    let expected = [0, 0, 0, 0, 0, 10, 20, 40, 80, 160, 320, 640, 1000, 1000, 1000];
    assert_eq!(rests, expected.map(Duration::from_millis));
    for _ in 0..100 {
        world.receive_on(LINK, &["2"]);
        let rests = storm(&mut world, Duration::ZERO, 20);
        assert!(rests.iter().all(|rest| *rest <= SECOND));
    }
    assert!(world.news().is_empty());
}

#[test]
fn several_noops_in_one_answer_are_nothing_as_well() {
    let (mut world, _) = polling();
    storm(&mut world, Duration::ZERO, 5);
    world.receive_on(LINK, &["6", "6", "6"]);
    assert!(!is_asked(&world));
}

#[test]
fn a_real_packet_ends_the_rests() {
    for packets in [&["6", "42[\"a\"]"] as &[&str], &["2", "6"], &["42[\"a\"]"]] {
        let (mut world, _) = polling();
        assert!(storm(&mut world, Duration::ZERO, 12).contains(&Duration::from_millis(640)));
        world.receive_on(LINK, packets);
        assert!(is_asked(&world));
        assert_eq!(storm(&mut world, Duration::ZERO, 5), [Duration::ZERO; 5]);
    }
}

#[test]
fn answers_that_bring_something_are_followed_at_once_however_fast_they_come() {
    let (mut world, _) = polling();
    for _ in 0..1000 {
        world.receive_on(LINK, &["42[\"a\"]"]);
        assert!(is_asked(&world));
    }
}

#[test]
fn a_noop_that_the_server_took_its_time_for_is_followed_at_once() {
    let (mut world, _) = polling();
    let rests = storm(&mut world, MILLISECOND * 50, 100);
    assert!(rests.iter().all(Duration::is_zero));
    assert!(storm(&mut world, MILLISECOND * 49, 10).contains(&SHORTEST));
}

const SHORTEST: Duration = Duration::from_millis(10);

#[test]
fn a_rest_lasts_to_its_end_whoever_wakes_the_reader() {
    let (mut world, root) = polling();
    storm(&mut world, Duration::ZERO, 12);
    world.receive_on(LINK, &["6"]);
    for _ in 0..10 {
        world.emit(root, "[]").unwrap();
        assert!(!is_asked(&world));
    }
    world.advance(SECOND.saturating_sub(MOMENT));
    assert!(!is_asked(&world));
    world.advance(MOMENT);
    assert!(is_asked(&world));
}

#[test]
fn a_session_that_rests_is_closed_at_once_and_leaves_no_timer() {
    let (mut world, root) = polling();
    storm(&mut world, Duration::ZERO, 12);
    world.receive_on(LINK, &["6"]);
    assert!(!is_asked(&world));
    world.sent();
    world.disconnect(root);
    assert_eq!(world.sent(), ["41", "1"]);
    world.assert_at_rest();
}

/// A session that is joined, while a WebSocket is dialled for it.
fn upgrading() -> (World, NamespaceId) {
    let mut world = World::polling();
    let root = world.connect("/");
    world.open();
    assert!(is_asked(&world));
    world.receive_on(LINK, &["40{\"sid\":\"a\"}"]);
    (world, root)
}

/// With the answer to the probe the session moves, and leaves no timer of its polling.
#[track_caller]
fn moves_at_once(mut world: World, root: NamespaceId) {
    world.receive_on(LinkId(2), &["3probe"]);
    assert_eq!(world.sent_on(LinkId(2)), ["2probe", "5"]);
    world.emit(root, "[\"a\"]").unwrap();
    assert_eq!(world.sent_on(LinkId(2)), ["42[\"a\"]"]);
    world.advance(SECOND * 10);
    assert_eq!(world.client.next_deadline(), world.client.engine().unwrap().deadline());
}

/// How long polling gives way to an upgrade.
pub(super) const WAY: Duration = Duration::from_millis(100);

#[test]
fn a_session_moves_at_once_as_no_request_follows_the_first_answer() {
    let (mut world, root) = upgrading();
    assert!(!is_asked(&world));
    world.connected();
    moves_at_once(world, root);
}

#[test]
fn an_upgrade_that_takes_long_is_given_way_to_once() {
    let (mut world, _) = upgrading();
    world.advance(WAY.saturating_sub(MOMENT));
    assert!(!is_asked(&world));
    world.advance(MOMENT);
    assert!(is_asked(&world));
    for _ in 0..3 {
        world.receive_on(LINK, &["42[\"a\"]"]);
        assert!(is_asked(&world));
    }
}

#[test]
fn polling_goes_on_where_an_upgrade_fails_that_was_given_way_to() {
    let (mut world, _) = upgrading();
    world.lose(LinkId(2), closed_link());
    assert!(is_asked(&world));
}

#[test]
fn an_upgrade_does_not_wait_for_the_end_of_a_rest() {
    let (mut world, root) = upgrading();
    world.advance(WAY);
    world.connected();
    storm(&mut world, Duration::ZERO, 12);
    world.receive_on(LINK, &["6"]);
    assert!(!is_asked(&world));
    moves_at_once(world, root);
}

#[test]
fn by_polling_no_more_than_one_request_has_is_under_way() {
    let mut world = World::polling();
    let root = world.connect("/");
    world.open();
    world.receive_on(LinkId(1), &["40{\"sid\":\"a\"}"]);
    world.sent_on(LinkId(1));
    world.slow = true;
    for number in 0..40 {
        world.emit(root, &format!("[{number}]")).unwrap();
    }
    world.written_on(LinkId(1));
    assert_eq!(world.sent_on(LinkId(1)).len(), 1 + 16);
    world.lose(LinkId(1), closed_link());
    assert_eq!(world.client.count_waiting(None), 40 - 1 - 16);
}
