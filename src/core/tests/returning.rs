//! Namespaces that the server turns away: when they come back, and what is said of it.

use super::*;
use crate::core::client::namespace::{Auth, Phase};
use crate::options::{Rejection, Rejections};

const REFUSAL: &str = "44{\"message\":\"no\"}";
const KICK: &str = "41";

const BOTH: [Rejection; 2] = [Rejection::Refused, Rejection::IoServerDisconnect];

/// A client whose `/` comes back after these, connected as far as to the answer to CONNECT.
fn returning(
    after: &[Rejection],
    change: impl FnOnce(&mut ManagerOptions),
) -> (World, NamespaceId) {
    let mut world = World::with(change);
    let root = world.client.namespace_id("/");
    world.client.set_reconnect_after(root, after.iter().copied().collect::<Rejections>());
    world.connect("/");
    world.open();
    (world, root)
}

/// The server turns the socket away again and again, until it stays away; gives the pauses.
fn turn_away(world: &mut World, what: &str, times: usize) -> Vec<Duration> {
    let mut pauses = Vec::new();
    for _ in 0..times {
        if what == KICK {
            world.receive("40{\"sid\":\"x\"}");
        }
        world.receive(what);
        let promise = world.promises().pop().expect("it is told");
        if promise.is_none() {
            break;
        }
        assert_eq!(promise, Some(world.advance_to_deadline()), "what is told is kept");
        pauses.push(promise.unwrap());
        world.open();
    }
    pauses
}

#[test]
fn by_default_a_socket_that_was_turned_away_stays_away() {
    for what in [REFUSAL, KICK] {
        let (mut world, root) = returning(&[], |_| ());
        assert!(turn_away(&mut world, what, 1).is_empty());
        world.assert_at_rest();
        assert!(!world.namespace(root).is_active() && !world.client.is_connecting(root));
        assert_eq!(world.client.next_attempt(), None);
    }
}

#[test]
fn a_socket_comes_back_with_the_usual_delays_after_what_it_was_told_to() {
    for (after, what) in [(BOTH[0], REFUSAL), (BOTH[1], KICK)] {
        let (mut world, root) = returning(&[after], |_| ());
        let pauses = turn_away(&mut world, what, 20);
        assert_eq!(pauses.len(), 20);
        assert!(pauses.iter().all(|pause| *pause >= Duration::from_millis(500)), "{pauses:?}");
        assert!(pauses[0] <= Duration::from_millis(1500), "{pauses:?}");
        assert!(pauses[3..].iter().all(|pause| *pause >= Duration::from_millis(2500)));
        assert!(pauses.iter().all(|pause| *pause <= Duration::from_secs(5)));
        world.log();
        world.receive("40{\"sid\":\"at last\"}");
        assert_eq!(world.log(), ["/: connect at last"]);
        assert!(world.namespace(root).is_active());
    }
}

#[test]
fn the_other_rejection_is_final() {
    for (after, what) in [(BOTH[1], REFUSAL), (BOTH[0], KICK)] {
        let (mut world, _) = returning(&[after], |_| ());
        assert!(turn_away(&mut world, what, 1).is_empty());
        world.assert_at_rest();
    }
}

#[test]
fn the_order_of_the_news_is_that_of_a_socket_that_stays_away() {
    for (what, news) in [
        (REFUSAL, ["manager: close forced close", "/: connect_error refused by the server"]),
        (KICK, ["manager: close forced close", "/: disconnect io server disconnect"]),
    ] {
        for after in [&BOTH[..], &[]] {
            let (mut world, _) = returning(after, |_| ());
            if what == KICK {
                world.receive("40{\"sid\":\"x\"}");
            }
            world.log();
            world.receive(what);
            assert_eq!(world.log(), news);
        }
    }
}

#[test]
fn what_waits_is_kept_while_the_socket_is_away_and_the_connection_closed() {
    let (mut world, root) = returning(&BOTH, |_| ());
    world.emit(root, "[\"kept\"]").unwrap();
    world.receive(REFUSAL);
    assert_eq!(world.client.cycle(), Cycle::Idle);
    assert!(world.namespace(root).is_active() && world.client.is_connecting(root));
    assert!(world.client.is_delivering(Some(root)) && world.client.is_delivering(None));
    assert_eq!(world.client.next_attempt(), world.client.next_deadline());
    world.emit(root, "[\"too\"]").unwrap();
    world.advance_to_deadline();
    assert_eq!(world.client.next_attempt(), None);
    world.open();
    world.receive("40{\"sid\":\"x\"}");
    assert_eq!(world.sent(), ["40", "42[\"kept\"]", "42[\"too\"]"]);
}

#[test]
fn a_connection_that_others_need_stays_open_meanwhile() {
    let (mut world, root) = returning(&BOTH, |_| ());
    world.join("/other");
    world.receive(REFUSAL);
    assert_eq!(world.client.cycle(), Cycle::Open);
    assert_eq!(world.client.next_attempt(), None, "the connection is well");
    let links = world.links.len();
    world.advance(Duration::from_millis(1500));
    assert_eq!(world.links.len(), links);
    assert!(world.sent().contains(&"40".to_owned()));
    world.receive("40{\"sid\":\"x\"}");
    assert_eq!(world.namespace(root).phase, Phase::Joined);
}

#[test]
fn the_end_of_the_session_does_not_concern_who_is_away() {
    let (mut world, root) = returning(&BOTH, |_| ());
    world.join("/other");
    world.receive(REFUSAL);
    world.log();
    world.drop_link();
    assert_eq!(world.news(), ["/other: disconnect transport close"]);
    world.lose(world.last_link, closed_link());
    assert!(world.namespace(root).is_active());
    world.advance(Duration::from_secs(2));
    world.open();
    assert_eq!(world.sent(), ["40", "40/other,"], "its time has come meanwhile");
}

#[test]
fn disconnect_ends_the_wait() {
    let (mut world, root) = returning(&BOTH, |_| ());
    world.receive(REFUSAL);
    let rooms = world.rooms;
    world.disconnect(root);
    world.assert_at_rest();
    assert!(!world.client.is_connecting(root) && world.rooms > rooms);
}

#[test]
fn closing_the_connection_ends_the_wait_until_it_is_opened() {
    let (mut world, root) = returning(&BOTH, |_| ());
    world.receive(REFUSAL);
    world.run(Client::close);
    world.assert_at_rest();
    assert!(!world.client.is_connecting(root) && world.namespace(root).is_active());
    world.run(Client::open);
    world.open();
    assert_eq!(world.sent(), ["40"]);

    world.receive(REFUSAL);
    world.run(Client::end);
    world.assert_at_rest();
}

#[test]
fn the_credentials_are_those_of_the_moment() {
    let (mut world, root) = returning(&BOTH, |_| ());
    world.receive(REFUSAL);
    let fresh = Auth::Fixed(payload("{\"token\":2}"));
    world.run(|client, now| client.set_auth(root, fresh, now));
    world.advance_to_deadline();
    world.open();
    assert_eq!(world.sent(), ["40{\"token\":2}"]);
    world.receive(REFUSAL);
    world.run(|client, now| client.set_auth(root, Auth::Ask, now));
    assert_eq!(world.asked, []);
    world.advance_to_deadline();
    world.open();
    assert_eq!(world.asked.len(), 1);
}

#[test]
fn a_membership_that_lasts_starts_the_delays_afresh() {
    let (mut world, _) = returning(&BOTH, |_| ());
    turn_away(&mut world, KICK, 5);
    world.receive("40{\"sid\":\"x\"}");
    world.advance(Duration::from_millis(4999));
    world.receive(KICK);
    assert!(world.advance_to_deadline() >= Duration::from_millis(2500));
    world.open();
    world.receive("40{\"sid\":\"x\"}");
    world.advance(Duration::from_secs(5));
    world.receive(KICK);
    assert!(world.advance_to_deadline() <= Duration::from_millis(1500));
}

#[test]
fn after_each_membership_that_has_lasted_the_socket_comes_back() {
    let (mut world, root) = returning(&BOTH, |_| ());
    for _ in 0..3 {
        turn_away(&mut world, KICK, 1);
        world.receive("40{\"sid\":\"x\"}");
        world.advance(Duration::from_secs(5));
    }
    assert_eq!(world.namespace(root).phase, Phase::Joined);
}

#[test]
fn a_short_membership_before_an_outage_does_not_count_as_lasting() {
    let (mut world, _) = returning(&BOTH, |_| ());
    turn_away(&mut world, KICK, 5);
    world.receive("40{\"sid\":\"x\"}");
    world.drop_link();
    for _ in 0..10 {
        world.advance_to_deadline();
        world.drop_link();
    }
    world.advance_to_deadline();
    world.open();
    world.promises();
    world.receive(REFUSAL);
    assert!(world.promises()[0].unwrap() >= Duration::from_millis(2500));
}

#[test]
fn only_so_many_attempts_in_a_row_are_made() {
    for what in [REFUSAL, KICK] {
        let (mut world, root) = returning(&BOTH, |options| options.reconnection_attempts = Some(3));
        assert_eq!(turn_away(&mut world, what, 10).len(), 3);
        world.assert_at_rest();
        assert!(!world.namespace(root).is_active());

        world.connect("/");
        world.advance(Duration::from_secs(5));
        world.open();
        assert_eq!(turn_away(&mut world, what, 10).len(), 3, "the count starts afresh");
    }
    let (mut world, _) = returning(&BOTH, |options| options.reconnection_attempts = Some(0));
    assert!(turn_away(&mut world, REFUSAL, 10).is_empty());
}

#[test]
fn without_reconnection_nothing_comes_back() {
    for what in [REFUSAL, KICK] {
        let (mut world, _) = returning(&BOTH, |options| options.reconnection = false);
        assert!(turn_away(&mut world, what, 1).is_empty());
        world.assert_at_rest();
    }
}

#[test]
fn switching_reconnection_off_ends_the_wait_unless_the_program_has_asked_for_it() {
    let (mut world, root) = returning(&BOTH, |_| ());
    world.receive(REFUSAL);
    let rooms = world.rooms;
    world.run(|client, _| client.change_options(|options| options.reconnection = false));
    world.assert_at_rest();
    assert!(!world.namespace(root).is_active() && world.rooms > rooms);

    for _ in 0..2 {
        world.connect("/");
        world.open();
        world.receive(REFUSAL);
    }
    world.connect("/");
    world.run(|client, _| client.change_options(|options| options.reconnection = false));
    assert!(world.client.is_connecting(root));
    world.advance_to_deadline();
    world.open();
    assert_eq!(world.sent(), ["40"]);
}

#[test]
fn where_the_server_is_gone_when_the_time_comes_the_connection_is_what_is_tried() {
    let (mut world, root) = returning(&BOTH, |_| ());
    world.receive(REFUSAL);
    world.advance_to_deadline();
    world.log();
    world.drop_link();
    let told = world.promises();
    assert_eq!(world.news(), ["/: connect_error cannot connect, DNS"]);
    assert_eq!(told.last(), Some(&Some(world.advance_to_deadline())));
    world.open();
    assert!(world.log().contains(&"manager: reconnect 1".to_owned()));
    world.receive("40{\"sid\":\"x\"}");
    assert_eq!(world.namespace(root).phase, Phase::Joined);
}

#[test]
fn an_old_server_that_refuses_its_root_refuses_the_session_and_all_come_back() {
    let mut world = World::old();
    let ids = ["/", "/a"].map(|name| {
        let id = world.client.namespace_id(name);
        world.client.set_reconnect_after(id, BOTH.into_iter().collect());
        world.connect_id(id);
        id
    });
    world.open();
    world.log();
    world.receive("44\"no\"");
    assert_eq!(
        world.log(),
        [
            "/a: connect_error refused by the server",
            "manager: close forced close",
            "/: connect_error refused by the server",
        ]
    );
    assert!(world.promises().iter().all(Option::is_some));
    assert_eq!(world.client.cycle(), Cycle::Idle);
    world.advance_to_deadline();
    world.advance(Duration::from_millis(1500));
    world.open();
    world.receive("40");
    world.receive("40/a,");
    assert!(ids.iter().all(|id| world.namespace(*id).phase == Phase::Joined), "{:?}", world.log());
}

#[test]
fn each_failure_says_when_the_next_attempt_is() {
    let (mut world, root) = World::joined();
    world.drop_link();
    for _ in 0..10 {
        let told = world.promises();
        assert_eq!(told.len(), 1);
        assert_eq!(told[0], Some(world.advance_to_deadline()));
        let error = Error::new(ErrorKind::Transport, "busy").with_retry_after(9 * SECOND);
        world.lose(world.last_link, Loss::Failed(error));
        let least = world.error.as_ref().and_then(Error::retry_in).unwrap();
        assert!(least >= 9 * SECOND, "the server's wish is part of it");
    }
    world.advance_to_deadline();
    world.open();
    world.promises();
    world.advance(Duration::from_secs(20));
    assert!(world.error.as_ref().unwrap().is_timeout(), "no answer to CONNECT");
    let told = world.promises();
    assert_eq!(told.len(), 2, "of the join, and of the session that ends for it");
    assert_eq!(told[0], told[1]);
    assert!(told[0].is_some() && world.client.next_deadline().is_some());

    world.disconnect(root);
    world.assert_at_rest();
    assert!(world.promises().iter().all(Option::is_none));
}

#[test]
fn where_none_follows_none_is_promised() {
    let mut world = World::with(|options| options.reconnection_attempts = Some(1));
    world.connect("/");
    world.drop_link();
    assert!(world.promises()[0].is_some());
    world.advance_to_deadline();
    world.drop_link();
    assert_eq!(world.promises(), [None]);
    assert_eq!(world.client.next_attempt(), None);

    let mut world = World::with(|options| options.reconnection = false);
    world.join("/");
    world.drop_link();
    assert_eq!(world.promises(), [None]);
    world.join("/");
    world.disconnect(NamespaceId(0));
    assert_eq!(world.promises(), [None]);
}

#[test]
fn a_join_that_failed_in_an_open_session_says_when_it_is_tried_again() {
    let (mut world, _) = World::joined();
    let other = world.connect("/other");
    world.run(|client, now| client.set_auth(other, Auth::Ask, now));
    world.promises();
    let start = world.now;
    while world.promises.is_empty() {
        world.advance(SECOND);
        world.receive("2");
        assert!(world.now.since(start) < Duration::from_secs(30));
    }
    assert_eq!(world.promises(), [Some(Duration::from_secs(20))]);
}
