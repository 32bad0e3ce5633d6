//! Events that are reliable: several under way, in order, sent again.

use super::*;
use crate::core::load::Load;
use crate::options::WhenFull;
use crate::options::retry_limits::RetryLimits;

/// How long a try waits for its acknowledgement.
const TRY: Duration = Duration::from_secs(10);

fn reliable(number: u32) -> Emit<u32> {
    Emit { reliable: true, ack: Some(number), ..emit(&format!("[{number}]")) }
}

/// Emits the events of these numbers.
fn emit_all(world: &mut World, root: NamespaceId, numbers: std::ops::Range<u32>) {
    for number in numbers {
        world.try_emit(root, reliable(number)).map_err(refusal).unwrap();
    }
}

/// The events that were written since the last look: the number of the acknowledgement that each
/// asks for, and its own.
fn events(world: &mut World) -> Vec<(u64, u32)> {
    let sent = world.sent();
    let events = sent.iter().filter_map(|text| text.strip_prefix("42")?.split_once('['));
    let number = |text: &str| text.trim_end_matches(']').parse().unwrap();
    events.map(|(ack, rest)| (ack.parse().unwrap(), number(rest))).collect()
}

/// The numbers of the events that were written since the last look.
fn numbers(world: &mut World) -> Vec<u32> {
    events(world).into_iter().map(|(_, number)| number).collect()
}

fn acknowledge(world: &mut World, ack: u64) {
    world.receive(&format!("43{ack}[]"));
}

/// What became of acknowledgements since the last look.
fn resolved(world: &mut World) -> Vec<String> {
    let mut log = world.log();
    log.retain(|line| line.starts_with("ack"));
    log
}

fn come_back(world: &mut World) {
    world.dial();
    world.open();
    world.receive("40{\"sid\":\"b\"}");
}

#[test]
fn as_many_are_under_way_as_the_window_has() {
    let (mut world, root) = World::joined();
    emit_all(&mut world, root, 0..20);
    assert_eq!(numbers(&mut world), (0..8).collect::<Vec<_>>());
    acknowledge(&mut world, 0);
    acknowledge(&mut world, 1);
    assert_eq!(numbers(&mut world), [8, 9]);
    assert_eq!(resolved(&mut world), ["ack 0: []", "ack 1: []"]);
}

#[test]
fn the_window_is_counted_from_the_oldest_on() {
    let (mut world, root) = World::joined();
    emit_all(&mut world, root, 0..20);
    for ack in 1..8 {
        acknowledge(&mut world, ack);
    }
    assert_eq!(resolved(&mut world).len(), 7);
    assert_eq!(numbers(&mut world), (0..8).collect::<Vec<_>>());
    acknowledge(&mut world, 0);
    assert_eq!(numbers(&mut world), (8..16).collect::<Vec<_>>());
}

#[test]
fn a_window_of_one_is_one_at_a_time() {
    let (mut world, root) = World::joined();
    world.client.set_retry_limits(root, RetryLimits { window: 1, ..RetryLimits::default() });
    emit_all(&mut world, root, 0..3);
    for ack in 0..3 {
        assert_eq!(events(&mut world), [(u64::from(ack), ack)]);
        acknowledge(&mut world, ack.into());
    }
    assert_eq!(events(&mut world), []);
}

#[test]
fn what_is_not_acknowledged_is_sent_again_with_all_that_is_behind_it() {
    let (mut world, root) = World::joined();
    emit_all(&mut world, root, 0..3);
    world.advance(SECOND);
    emit_all(&mut world, root, 3..5);
    acknowledge(&mut world, 0);
    acknowledge(&mut world, 2);
    numbers(&mut world);
    world.advance(TRY.saturating_sub(SECOND + MOMENT));
    assert_eq!(numbers(&mut world), Vec::<u32>::new());
    world.advance(MOMENT);
    // A second time with the number of the first.
    assert_eq!(events(&mut world), [(1, 1), (3, 3), (4, 4)]);
    // The limit of each begins anew, together.
    world.advance(TRY.saturating_sub(MOMENT));
    assert_eq!(numbers(&mut world), Vec::<u32>::new());
    world.receive("2");
    world.advance(MOMENT);
    assert_eq!(numbers(&mut world), [1, 3, 4]);
    for ack in [3, 1, 4, 1, 3] {
        acknowledge(&mut world, ack);
    }
    assert_eq!(
        resolved(&mut world),
        ["ack 0: []", "ack 2: []", "ack 3: []", "ack 1: []", "ack 4: []"]
    );
    assert_eq!(world.client.tally().ignored, 2);
    assert_eq!(world.namespace(root).buffered(), Load::default());
}

#[test]
fn a_link_that_is_slow_is_not_given_more() {
    let (mut world, root) = World::joined();
    world.slow = true;
    emit_all(&mut world, root, 0..8);
    world.advance(TRY * 3);
    assert_eq!(numbers(&mut world), [0]);
    world.written();
    assert_eq!(numbers(&mut world), (1..8).collect::<Vec<_>>());
    world.written();
    world.receive("2");
    world.written();
    world.advance(TRY);
    assert_eq!(numbers(&mut world), (0..8).collect::<Vec<_>>());
}

#[test]
fn after_a_reconnection_all_go_again_before_newer_ones_and_the_first_alone() {
    let (mut world, root) = World::joined();
    emit_all(&mut world, root, 0..10);
    acknowledge(&mut world, 1);
    world.drop_link();
    emit_all(&mut world, root, 10..12);
    come_back(&mut world);
    let first = events(&mut world);
    assert_eq!(first.len(), 1);
    acknowledge(&mut world, first[0].0);
    // The window has moved by two.
    assert_eq!(numbers(&mut world), [2, 3, 4, 5, 6, 7, 8, 9]);
    assert_eq!(resolved(&mut world), ["ack 1: []", "ack 0: []"]);
}

#[test]
fn the_limit_bounds_all_tries_together_and_the_wait_before() {
    let mut world = World::new();
    let root = world.connect("/");
    let limited = Emit { timeout: Some(SECOND * 25), ..reliable(0) };
    world.try_emit(root, limited).map_err(refusal).unwrap();
    let early = Emit { timeout: Some(SECOND), ..reliable(1) };
    world.try_emit(root, early).map_err(refusal).unwrap();
    emit_all(&mut world, root, 2..3);
    world.advance(SECOND);
    assert_eq!(resolved(&mut world), ["ack 1 failed: timeout"]);
    world.open();
    world.receive("40{\"sid\":\"a\"}");
    world.advance((SECOND * 24).saturating_sub(MOMENT));
    assert_eq!(numbers(&mut world), [0, 2, 0, 2, 0, 2]);
    assert_eq!(resolved(&mut world), Vec::<String>::new());
    world.advance(MOMENT);
    assert_eq!(resolved(&mut world), ["ack 0 failed: timeout"]);
    world.advance(TRY);
    assert_eq!(numbers(&mut world), [2]);
    acknowledge(&mut world, 1);
    assert_eq!(resolved(&mut world), ["ack 2: []"]);
    assert_eq!(world.namespace(root).buffered(), Load::default());
}

#[test]
fn a_limit_that_passes_makes_room_in_the_window() {
    let (mut world, root) = World::joined();
    let limited = Emit { timeout: Some(SECOND), ..reliable(0) };
    world.try_emit(root, limited).map_err(refusal).unwrap();
    emit_all(&mut world, root, 1..10);
    numbers(&mut world);
    world.advance(SECOND);
    assert_eq!(numbers(&mut world), [8]);
    let (rooms, told) = (world.rooms, world.told);
    acknowledge(&mut world, 0);
    assert_eq!((world.rooms, world.told), (rooms, told), "nobody waits for it");
}

/// The server fails when it gets an event of one of these numbers, before it has acknowledged what
/// came just before.
fn server_that_fails_at(deadly: &[u32], unacknowledged: usize) -> (Vec<String>, usize) {
    let (mut world, root) = World::joined();
    emit_all(&mut world, root, 0..30);
    let (mut resolutions, mut failures) = (Vec::new(), 0);
    while world.namespace(root).buffered() != Load::default() {
        let arrived = events(&mut world);
        let fatal = arrived.iter().position(|(_, number)| deadly.contains(number));
        let lives = fatal.is_none();
        let acknowledged = fatal.map_or(arrived.len(), |at| at.saturating_sub(unacknowledged));
        for (ack, _) in &arrived[..acknowledged] {
            acknowledge(&mut world, *ack);
        }
        if !lives {
            failures += 1;
            assert!(failures < 100, "it is never given up");
            world.drop_link();
            come_back(&mut world);
        }
        resolutions.extend(resolved(&mut world));
    }
    (resolutions, failures)
}

#[test]
fn an_event_that_the_server_cannot_bear_costs_no_other_one() {
    for unacknowledged in [0, 1, 7] {
        for deadly in [&[0][..], &[5], &[29], &[3, 4], &[7, 8, 20]] {
            let (resolutions, failures) = server_that_fails_at(deadly, unacknowledged);
            assert_eq!(resolutions.len(), 30);
            let given_up = deadly.iter().map(|n| format!("ack {n} failed: undeliverable"));
            let mut given_up: Vec<String> = given_up.collect();
            let mut failed = resolutions.clone();
            failed.retain(|line| line.contains("failed"));
            failed.sort_unstable();
            given_up.sort_unstable();
            assert_eq!(failed, given_up);
            // Ten each, and at most one for each of those that stand before one in the window.
            assert!(failures <= deadly.len() * (10 + 7), "{failures}");
        }
    }
}

#[test]
fn an_event_with_retries_goes_alone_between_reliable_ones() {
    let (mut world, root) = World::joined();
    world.client.set_retries(root, Some(1));
    emit_all(&mut world, root, 0..2);
    world.emit_with_ack(root, "[2]", 2, Some(SECOND)).unwrap();
    emit_all(&mut world, root, 3..5);
    assert_eq!(numbers(&mut world), [0, 1]);
    acknowledge(&mut world, 1);
    assert_eq!(numbers(&mut world), Vec::<u32>::new());
    acknowledge(&mut world, 0);
    assert_eq!(numbers(&mut world), [2]);
    world.advance(SECOND);
    // With a number of its own for each try, as in JavaScript.
    assert_eq!(events(&mut world), [(3, 2)]);
    world.advance(SECOND);
    assert_eq!(resolved(&mut world), ["ack 1: []", "ack 0: []", "ack 2 failed: timeout"]);
    assert_eq!(numbers(&mut world), [3, 4]);
}

#[test]
fn a_reliable_event_that_the_server_would_not_take_is_given_up_at_once() {
    let mut world = World::new();
    world.handshake.max_payload = Some(40);
    let root = world.join("/");
    world.log();
    let long = Emit { reliable: true, ack: Some(9), ..emit(&format!("[\"{}\"]", "x".repeat(50))) };
    emit_all(&mut world, root, 0..2);
    world.try_emit(root, long).map_err(refusal).unwrap();
    emit_all(&mut world, root, 2..4);
    assert_eq!(numbers(&mut world), [0, 1, 2, 3]);
    assert_eq!(resolved(&mut world), ["ack 9 failed: too large"]);
}

#[test]
fn what_is_not_under_way_gives_way_first() {
    let mut world = World::with(|options| {
        let limits = options.limits.clone().send_events(10);
        options.limits = limits.when_send_full(WhenFull::DropOldest);
    });
    let root = world.join("/");
    world.log();
    emit_all(&mut world, root, 0..11);
    assert_eq!(resolved(&mut world), ["ack 8 failed: buffer full"]);
    world.drop_link();
    emit_all(&mut world, root, 11..12);
    assert_eq!(resolved(&mut world), ["ack 0 failed: buffer full"]);
    come_back(&mut world);
    assert_eq!(numbers(&mut world), [1, 2, 3, 4, 5, 6, 7, 9]);
}

#[test]
fn an_emit_waits_for_the_room_that_an_acknowledgement_makes() {
    let mut world = World::with(|options| options.limits = options.limits.clone().send_events(10));
    let root = world.join("/");
    emit_all(&mut world, root, 0..10);
    assert!(matches!(world.try_emit(root, reliable(10)), Err(NotTaken::Full(_))));
    acknowledge(&mut world, 4);
    emit_all(&mut world, root, 10..11);
    world.drop_link();
    assert!(matches!(world.try_emit(root, reliable(11)), Err(NotTaken::Error(_))));
}

#[test]
fn the_end_resolves_all_and_leaves_no_timer() {
    let (mut world, root) = World::joined();
    for number in 0..12 {
        let limited = Emit { timeout: Some(SECOND * 100), ..reliable(number) };
        world.try_emit(root, limited).map_err(refusal).unwrap();
    }
    world.run(Client::shut_down);
    assert_eq!(resolved(&mut world).len(), 12);
    world.assert_at_rest();
}

#[test]
fn nothing_is_left_of_a_socket_that_is_gone() {
    let (mut world, root) = World::joined();
    let other = world.join("/other");
    emit_all(&mut world, other, 0..12);
    world.forget(other);
    assert_eq!(resolved(&mut world).len(), 12);
    let again = world.join("/other");
    assert_eq!(world.namespace(again).buffered(), Load::default());
    world.advance(TRY);
    assert_eq!(numbers(&mut world), Vec::<u32>::new());
    world.disconnect(root);
}
