//! What comes before an attempt: who hears of it, and what it is made with.

use super::*;
use crate::error::Stage;

/// A client whose attempts wait until it is said what they are made with.
fn asking() -> World {
    let mut world = World::new();
    world.preparing = true;
    world.connect("/");
    world
}

/// Answers the last question.
fn answer(world: &mut World, prepared: Result<Prepared>) {
    let (asked, _) = *world.preparations.last().expect("a question");
    world.run(|client, now| client.prepared(asked, prepared, now));
}

fn as_usual() -> Prepared {
    Prepared { options: None, is_elsewhere: false }
}

fn changed(world: &World, change: impl FnOnce(&mut ManagerOptions)) -> Prepared {
    let mut options = world.client.options().clone();
    change(&mut options);
    Prepared { options: Some(options), is_elsewhere: false }
}

fn no_token() -> Error {
    Error::new(ErrorKind::Connect(Stage::Prepare), "no token")
}

#[test]
fn nothing_is_dialled_before_it_is_known_what_with() {
    let mut world = asking();
    world.advance(SECOND);
    assert!(world.links.is_empty());
    answer(&mut world, Ok(as_usual()));
    assert_eq!(world.links.len(), 1);
    world.open();
    assert_eq!(world.log(), ["manager: open"]);
}

#[test]
fn an_answer_counts_once_and_only_for_its_own_question() {
    let mut world = asking();
    let (asked, _) = world.preparations[0];
    for stale in [asked - 1, asked + 1] {
        world.run(|client, now| client.prepared(stale, Ok(as_usual()), now));
        assert!(world.links.is_empty());
    }
    answer(&mut world, Ok(as_usual()));
    answer(&mut world, Ok(as_usual()));
    answer(&mut world, Err(no_token()));
    assert_eq!((world.links.len(), world.log().len()), (1, 0));
}

#[test]
fn a_failure_is_that_of_the_attempt_and_the_next_one_asks_again() {
    let mut world = asking();
    for attempt in 1..4 {
        answer(&mut world, Err(no_token()));
        let log = world.log();
        assert!(log.contains(&"/: connect_error cannot connect, preparation".into()), "{log:?}");
        assert_eq!(world.preparations.len(), attempt);
        world.advance_to_deadline();
        assert_eq!(world.preparations.len(), attempt + 1);
    }
    answer(&mut world, Ok(as_usual()));
    world.open();
    assert!(world.log().contains(&"manager: reconnect 3".into()));
}

#[test]
fn who_never_answers_costs_the_attempt_and_the_error_names_it() {
    let mut world = asking();
    assert_eq!(world.advance_to_deadline(), Duration::from_secs(20));
    let error = world.error.clone().unwrap();
    assert_eq!((error.stage(), error.is_timeout()), (Some(Stage::Prepare), true));
    assert!(error.message().contains("before_attempt"), "{error}");
    assert_eq!(error.elapsed(), Some(Duration::from_secs(20)));
    // What comes late is for nobody.
    answer(&mut world, Ok(as_usual()));
    assert!(world.links.is_empty());
    world.advance_to_deadline();
    assert_eq!(world.preparations.len(), 2);
    // The time of the preparation is a part of the attempt's.
    world.advance(Duration::from_secs(15));
    answer(&mut world, Ok(as_usual()));
    assert_eq!(world.advance_to_deadline(), Duration::from_secs(5));
}

#[test]
fn who_leaves_meanwhile_is_not_connected_by_the_answer() {
    type Leave = fn(&mut World);
    let leaves: [Leave; 3] = [
        |world| {
            let root = world.client.namespace_id("/");
            world.disconnect(root);
        },
        |world| world.run(Client::close),
        |world| world.run(Client::shut_down),
    ];
    for leave in leaves {
        let mut world = asking();
        leave(&mut world);
        answer(&mut world, Ok(as_usual()));
        answer(&mut world, Err(no_token()));
        assert!(world.links.is_empty());
        assert_eq!(world.client.next_deadline(), None);
        assert!(!world.log().iter().any(|line| line.contains("error")));
    }
}

#[test]
fn who_comes_back_meanwhile_asks_again() {
    let mut world = asking();
    let first = world.preparations[0].0;
    let root = world.client.namespace_id("/");
    world.disconnect(root);
    world.connect_id(root);
    world.run(|client, now| client.prepared(first, Ok(as_usual()), now));
    assert!(world.links.is_empty());
    answer(&mut world, Ok(as_usual()));
    assert_eq!(world.links.len(), 1);
}

#[test]
fn options_of_an_attempt_are_in_force_until_the_next_one_begins() {
    let mut world = asking();
    let others = changed(&world, |options| {
        options.transports = vec![Transport::Polling];
        options.connect_timeout = Some(SECOND);
        options.reconnection_delay = Duration::from_secs(3);
    });
    answer(&mut world, Ok(others));
    assert_eq!(world.links[&world.last_link].transport, Transport::Polling);
    assert_eq!(world.advance_to_deadline(), SECOND);
    assert!(world.advance_to_deadline() >= Duration::from_millis(1500));
    assert_eq!(world.client.options().connect_timeout, Some(Duration::from_secs(20)));
    answer(&mut world, Ok(as_usual()));
    assert_eq!(world.links[&world.last_link].transport, Transport::WebSocket);
}

#[test]
fn what_is_changed_for_good_outlasts_the_options_of_an_attempt() {
    let mut world = asking();
    let others = changed(&world, |options| options.connect_timeout = Some(SECOND));
    answer(&mut world, Ok(others));
    world.client.change_options(|options| options.randomization_factor = 0.0);
    assert_eq!(world.client.options().connect_timeout, Some(SECOND));
    world.advance_to_deadline();
    world.advance_to_deadline();
    let options = world.client.options();
    assert_eq!((options.connect_timeout, options.randomization_factor), (Some(20 * SECOND), 0.0));
}

#[test]
fn another_server_has_to_show_itself_that_websocket_works() {
    for is_elsewhere in [false, true] {
        let mut world = World::polling();
        world.client.change_options(|options| options.remember_upgrade = true);
        world.preparing = true;
        let root = world.connect("/");
        let by_websocket =
            changed(&world, |options| options.transports = vec![Transport::WebSocket]);
        answer(&mut world, Ok(by_websocket));
        world.open();
        world.disconnect(root);
        world.advance(SECOND);
        world.connect_id(root);
        answer(&mut world, Ok(Prepared { options: None, is_elsewhere }));
        let first = world.links[&world.last_link].transport;
        let expected = if is_elsewhere { Transport::Polling } else { Transport::WebSocket };
        assert_eq!(first, expected);
    }
}

#[test]
fn an_attempt_waits_for_who_hears_of_it_but_not_for_long() {
    let mut world = World::new();
    world.telling = true;
    world.connect("/");
    // The first attempt is told to nobody.
    world.drop_link();
    world.advance_to_deadline();
    assert_eq!(world.log().last().unwrap(), "manager: attempt 1");
    assert_eq!(world.links.len(), 1);
    let (asked, _) = *world.preparations.last().unwrap();
    world.run(|client, now| client.told(asked, now));
    assert_eq!(world.links.len(), 2);
    world.run(|client, now| client.told(asked, now));
    assert_eq!(world.links.len(), 2);
    // Nobody answers.
    world.drop_link();
    world.advance_to_deadline();
    assert_eq!((world.advance_to_deadline(), world.links.len()), (SECOND, 3));
}

#[test]
fn who_closes_while_an_attempt_is_told_is_not_connected() {
    let mut world = World::new();
    world.telling = true;
    world.connect("/");
    world.drop_link();
    world.advance_to_deadline();
    let (asked, _) = *world.preparations.last().unwrap();
    world.run(Client::close);
    world.run(|client, now| client.told(asked, now));
    assert_eq!((world.links.len(), world.client.next_deadline()), (1, None));
}
