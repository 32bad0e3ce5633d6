//! Several addresses of one service: whose turn it is.

use super::*;
use crate::error::Stage;

const MINUTE: Duration = Duration::from_secs(60);

/// A client that has this many addresses.
fn world(addresses: usize, fail_back_after: Option<Duration>) -> World {
    let mut world = World::with(|options| {
        options.backups = addresses - 1;
        options.fail_back_after = fail_back_after;
    });
    world.connect("/");
    world
}

/// The address of the current attempt.
fn place(world: &World) -> usize {
    world.preparations.last().unwrap().1
}

/// The attempt fails, or the session is lost, and the next attempt begins; gives its address.
fn lose(world: &mut World) -> usize {
    world.drop_link();
    world.advance_to_deadline();
    place(world)
}

/// The session lasts, and its heart beats.
fn last(world: &mut World, time: Duration) {
    let end = world.now + time;
    while world.now < end {
        world.advance(20 * SECOND);
        world.receive("2");
    }
}

fn join(world: &mut World) {
    world.open();
    world.receive("40{\"sid\":\"x\"}");
}

#[test]
fn each_attempt_that_fails_moves_on_to_the_next_address() {
    let mut world = world(3, None);
    let places: Vec<_> = (0..6).map(|_| lose(&mut world)).collect();
    assert_eq!(places, [1, 2, 0, 1, 2, 0]);
}

#[test]
fn an_attempt_that_cannot_be_prepared_moves_on_too() {
    let mut world = world(3, None);
    lose(&mut world);
    world.preparing = true;
    world.drop_link();
    for place in [2, 0, 1] {
        world.advance_to_deadline();
        let (asked, turn) = *world.preparations.last().expect("a question");
        assert_eq!(turn, place);
        let error = Error::new(ErrorKind::Connect(Stage::Prepare), "no token for this one");
        world.run(|client, now| client.prepared(asked, Err(error), now));
    }
}

#[test]
fn one_address_is_always_the_one() {
    let mut world = world(1, Some(MINUTE));
    assert!((0..5).all(|_| lose(&mut world) == 0));
}

#[test]
fn the_address_that_worked_last_is_tried_first() {
    let mut world = world(3, None);
    assert_eq!(lose(&mut world), 1);
    join(&mut world);
    last(&mut world, 100 * MINUTE);
    assert_eq!(lose(&mut world), 1);
    assert_eq!(lose(&mut world), 2);
    join(&mut world);
    assert_eq!(lose(&mut world), 2);
}

#[test]
fn an_address_that_opens_sessions_and_nothing_more_has_not_worked() {
    let mut world = world(2, None);
    world.open();
    assert_eq!(lose(&mut world), 1);
    world.open();
    world.receive("44{\"message\":\"no\"}");
    // Who is refused has had an answer.
    let root = world.client.namespace_id("/");
    world.connect_id(root);
    assert_eq!(place(&world), 1);
}

#[test]
fn a_connection_without_namespaces_stays_at_an_address_that_opens_sessions() {
    let mut world = World::with(|options| options.backups = 1);
    world.run(Client::open);
    world.open();
    assert_eq!(lose(&mut world), 0);
}

#[test]
fn a_reconnection_goes_back_to_the_first_address_after_a_while() {
    let mut world = world(2, Some(10 * MINUTE));
    assert_eq!(lose(&mut world), 1);
    join(&mut world);
    last(&mut world, 9 * MINUTE);
    assert_eq!(lose(&mut world), 1);
    join(&mut world);
    // An open session is left alone.
    last(&mut world, 5 * MINUTE);
    assert_eq!((place(&world), world.alive().len()), (1, 1));
    assert_eq!(lose(&mut world), 0);
    // It is still away: the time is counted anew.
    assert_eq!(lose(&mut world), 1);
    join(&mut world);
    last(&mut world, 9 * MINUTE);
    assert_eq!(lose(&mut world), 1);
    join(&mut world);
    last(&mut world, MINUTE);
    assert_eq!(lose(&mut world), 0);
    join(&mut world);
    assert_eq!(lose(&mut world), 0);
}

#[test]
fn a_first_address_that_is_still_away_costs_one_attempt_however_short_the_while() {
    let mut world = world(2, Some(MOMENT));
    assert_eq!(lose(&mut world), 1);
    join(&mut world);
    for _ in 0..3 {
        assert_eq!(lose(&mut world), 0);
        assert_eq!(lose(&mut world), 1);
        join(&mut world);
    }
}

#[test]
fn closing_does_not_move_on_and_another_first_address_is_gone_to() {
    let mut world = world(3, None);
    let root = world.client.namespace_id("/");
    world.disconnect(root);
    world.connect_id(root);
    assert_eq!(place(&world), 0);
    assert_eq!(lose(&mut world), 1);
    // It is not yet tried, whatever becomes of the attempt that is under way.
    world.client.return_to_first_address();
    assert_eq!(lose(&mut world), 0);
    assert_eq!(lose(&mut world), 1);
    join(&mut world);
    world.client.return_to_first_address();
    assert_eq!(lose(&mut world), 0);
}

/// The attempt fails so, and the next one begins after what this gives.
fn fail(world: &mut World, retry_after: Option<Duration>) -> Duration {
    let error = Error::new(ErrorKind::Transport, "busy");
    let error = retry_after.into_iter().fold(error, Error::with_retry_after);
    world.lose(world.last_link, Loss::Failed(error));
    world.advance_to_deadline()
}

#[test]
fn a_server_that_asks_to_be_left_alone_holds_up_its_own_address_only() {
    let mut world = world(2, None);
    let start = world.now;
    assert!(fail(&mut world, Some(2 * MINUTE)) < 10 * SECOND, "the other address is free");
    while world.now.since(start) < 2 * MINUTE {
        assert_eq!(place(&world), 1);
        assert!(fail(&mut world, None) < 10 * SECOND);
    }
    // Up to a tenth is added.
    while place(&world) == 1 {
        assert!(world.now.since(start) < 140 * SECOND);
        fail(&mut world, None);
    }
    assert_eq!(lose(&mut world), 1, "what was asked for is over");
}

#[test]
fn where_all_ask_to_be_left_alone_it_is_the_turn_of_who_is_free_first() {
    let mut world = world(3, None);
    for asked in [4 * MINUTE, MINUTE] {
        fail(&mut world, Some(asked));
    }
    let rest = fail(&mut world, Some(3 * MINUTE));
    assert_eq!(place(&world), 1);
    assert!((50 * SECOND..70 * SECOND).contains(&rest), "{rest:?}");
}

#[test]
fn an_address_that_asks_to_be_left_alone_is_not_returned_to_before() {
    let busy = Error::new(ErrorKind::Transport, "busy").with_retry_after(4 * MINUTE);
    let mut world = world(2, Some(MINUTE));
    world.lose(world.last_link, Loss::Failed(busy));
    world.advance_to_deadline();
    join(&mut world);
    last(&mut world, 2 * MINUTE);
    assert_eq!(lose(&mut world), 1, "the first one is busy yet");
    join(&mut world);
    last(&mut world, 4 * MINUTE);
    assert_eq!(lose(&mut world), 0);
}
