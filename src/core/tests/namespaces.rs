//! Joining and leaving namespaces.

use super::*;
use crate::core::client::namespace::{Auth, Phase};
use crate::options::Revision;

fn phase(world: &World, id: NamespaceId) -> Phase {
    world.namespace(id).phase
}

#[test]
fn a_namespace_is_joined_when_the_session_is_open() {
    let mut world = World::new();
    let root = world.connect("/");
    assert_eq!(phase(&world, root), Phase::Waiting);
    world.open();
    assert_eq!(world.sent(), ["40"]);
    world.receive("40{\"sid\":\"abc\"}");
    assert_eq!(world.log(), ["manager: open", "/: connect abc"]);
    assert_eq!(world.namespace(root).id.as_deref(), Some("abc"));
}

#[test]
fn connecting_twice_sends_one_connect() {
    let mut world = World::new();
    let root = world.connect("/");
    world.connect("/");
    world.open();
    world.connect("/");
    world.receive("40{\"sid\":\"abc\"}");
    world.connect("/");
    assert_eq!(world.sent(), ["40"]);
    assert_eq!(phase(&world, root), Phase::Joined);
}

#[test]
fn several_namespaces_share_the_session() {
    let mut world = World::new();
    world.connect("/b");
    world.connect("/");
    world.open();
    world.connect("/a");
    assert_eq!(world.sent(), ["40/b,", "40", "40/a,"]);
    for packet in ["40/a,{\"sid\":\"1\"}", "40{\"sid\":\"2\"}", "40/b,{\"sid\":\"3\"}"] {
        world.receive(packet);
    }
    for packet in ["42/b,[\"x\"]", "42[\"y\"]", "42/a,[\"z\"]"] {
        world.receive(packet);
    }
    assert_eq!(
        world.news(),
        [
            "/a: connect 1",
            "/: connect 2",
            "/b: connect 3",
            "/b: event [\"x\"]",
            "/: event [\"y\"]",
            "/a: event [\"z\"]",
        ]
    );
}

#[test]
fn packets_for_unknown_namespaces_are_counted_and_nothing_else() {
    let (mut world, _) = World::joined();
    for packet in ["42/x,[\"a\"]", "40/x,{\"sid\":\"s\"}", "41/x,", "44/x,\"no\"", "43/x,1[]"] {
        world.receive(packet);
    }
    assert_eq!(world.log(), Vec::<String>::new());
    assert_eq!(world.client.tally().ignored, 5);
}

#[test]
fn a_second_connect_from_the_server_changes_nothing() {
    let (mut world, root) = World::joined();
    let membership = world.namespace(root).membership;
    world.receive("40{\"sid\":\"other\"}");
    assert_eq!(world.log(), Vec::<String>::new());
    assert_eq!(world.namespace(root).id.as_deref(), Some("/1"));
    assert_eq!(world.namespace(root).membership, membership);
    assert_eq!(world.client.tally().ignored, 1);
}

#[test]
fn a_refused_namespace_that_is_alone_takes_the_session_along() {
    let mut world = World::new();
    let root = world.connect("/");
    world.open();
    world.log();
    world.receive("44{\"message\":\"no\",\"data\":{\"code\":7}}");
    assert_eq!(
        world.log(),
        ["manager: close forced close", "/: connect_error refused by the server"]
    );
    world.assert_at_rest();
    assert_eq!(phase(&world, root), Phase::Idle);
}

#[test]
fn a_refused_namespace_among_others_leaves_them_alone() {
    let (mut world, root) = World::joined();
    let other = world.connect("/other");
    world.receive("44/other,\"no\"");
    assert_eq!(world.log(), ["/other: connect_error refused by the server"]);
    assert_eq!((phase(&world, root), phase(&world, other)), (Phase::Joined, Phase::Idle));
    world.receive("42[\"still here\"]");
    assert_eq!(world.log(), ["/: event [\"still here\"]"]);
    // It stays out of the next session as well.
    world.drop_link();
    world.advance_to_deadline();
    world.open();
    assert_eq!(world.sent(), ["40"]);
}

#[test]
fn a_refusal_without_a_reason_is_still_a_refusal() {
    for refusal in ["44", "44{}", "44\"\"", "44{\"message\":7}"] {
        let mut world = World::new();
        world.connect("/");
        world.open();
        world.receive(refusal);
        assert_eq!(world.news(), ["/: connect_error refused by the server"], "{refusal}");
    }
}

#[test]
fn an_error_on_a_joined_namespace_is_news_but_no_end() {
    let (mut world, root) = World::joined();
    world.receive("44{\"message\":\"careful\"}");
    assert_eq!(world.log(), ["/: connect_error refused by the server"]);
    assert_eq!(phase(&world, root), Phase::Joined);
    world.emit(root, "[\"a\"]").unwrap();
    assert_eq!(world.sent(), ["42[\"a\"]"]);
}

#[test]
fn late_packets_for_a_namespace_that_was_left_change_nothing() {
    let (mut world, root) = World::joined();
    world.join("/other");
    world.log();
    world.disconnect(root);
    world.log();
    for packet in ["44\"no\"", "41", "40{\"sid\":\"x\"}", "42[\"late\"]", "430[]"] {
        world.receive(packet);
    }
    assert_eq!(world.log(), Vec::<String>::new());
    assert_eq!(phase(&world, root), Phase::Idle);
    assert_eq!(world.client.tally().ignored, 5);
    assert_eq!(world.sent(), ["41"]);
}

#[test]
fn an_answer_without_a_socket_id_is_a_failed_attempt() {
    for answer in ["40", "40{}", "40{\"sid\":7}", "40{\"sid\":null}"] {
        // Left to itself, the client takes it for the answer of an old server and asks again.
        let mut world = World::with(|options| options.revision = Revision::V4);
        let root = world.connect("/");
        world.open();
        world.receive(answer);
        assert_eq!(world.news()[0], "/: connect_error cannot connect, namespace", "{answer}");
        assert_eq!(phase(&world, root), Phase::Waiting);
        world.advance_to_deadline();
        world.open();
        assert_eq!(world.sent(), ["40"]);
    }
}

#[test]
fn a_server_that_does_not_answer_connect_is_left_at_the_limit() {
    let mut world = World::new();
    world.connect("/");
    world.open();
    world.log();
    world.advance(Duration::from_secs(20));
    assert_eq!(
        world.log(),
        [
            "/: connect_error cannot connect, namespace",
            "manager: error transport error",
            "/: disconnect transport error",
            "manager: close transport error",
        ]
    );
    assert!(world.client.next_deadline().is_some());
}

#[test]
fn a_namespace_without_an_answer_does_not_cost_others_the_session() {
    let (mut world, root) = World::joined();
    world.connect("/mute");
    world.sent();
    for _ in 0..6 {
        world.advance(Duration::from_secs(20));
        world.receive("2");
    }
    let news = world.news();
    assert!(news.len() >= 5, "it is told now and then: {news:?}");
    assert!(news.iter().all(|line| line == "/mute: connect_error cannot connect, namespace"));
    assert!(!world.sent().contains(&"40/mute,".to_owned()), "a second CONNECT would be fatal");
    // Alone, it is worth a new session.
    world.disconnect(root);
    world.advance(Duration::from_secs(20));
    assert!(world.news().contains(&"/mute: disconnect transport error".to_owned()));
}

#[test]
fn without_a_limit_the_answer_to_connect_may_take_its_time() {
    let mut world = World::with(|options| options.namespace_timeout = None);
    let root = world.connect("/");
    world.open();
    for _ in 0..1000 {
        world.advance(INTERVAL);
        world.receive("2");
    }
    world.receive("40{\"sid\":\"a\"}");
    assert_eq!(phase(&world, root), Phase::Joined);
}

#[test]
fn a_membership_given_up_before_the_answer_is_undone_by_a_disconnect() {
    let (mut world, _) = World::joined();
    let other = world.connect("/other");
    world.disconnect(other);
    assert_eq!(world.sent(), ["40/other,"], "a DISCONNECT before the answer would be fatal");
    world.receive("42/other,[\"early\"]");
    world.receive("40/other,{\"sid\":\"x\"}");
    assert_eq!(world.sent(), ["41/other,"]);
    assert_eq!(world.log(), Vec::<String>::new());
    assert_eq!(phase(&world, other), Phase::Idle);
}

#[test]
fn a_membership_given_up_and_wanted_again_before_the_answer_is_undone_and_done() {
    let (mut world, _) = World::joined();
    let other = world.connect("/other");
    world.disconnect(other);
    world.connect("/other");
    world.receive("42/other,[\"of the first membership\"]");
    world.receive("40/other,{\"sid\":\"x\"}");
    assert_eq!(world.sent(), ["40/other,", "41/other,", "40/other,"]);
    assert_eq!(world.log(), Vec::<String>::new());
    world.receive("40/other,{\"sid\":\"y\"}");
    assert_eq!(world.log(), ["/other: connect y"]);
    assert_eq!(phase(&world, other), Phase::Joined);
}

#[test]
fn a_namespace_that_was_just_left_is_joined_again_once_the_server_has_dealt_with_that() {
    let (mut world, _) = World::joined();
    let other = world.join("/other");
    world.deaf = true;
    world.disconnect(other);
    assert_eq!(world.sent(), ["41/other,"]);
    world.connect("/other");
    world.receive("42/other,[\"of the membership that was left\"]");
    world.connect("/other");
    assert_eq!(world.sent(), Vec::<String>::new());
    world.confirm_on(world.last_link);
    assert_eq!(world.sent(), ["40/other,"]);
    world.log();
    world.receive("40/other,{\"sid\":\"x\"}");
    assert_eq!(world.log(), ["/other: connect x"]);
    // Nothing is left to wait for in the next session.
    world.disconnect(other);
    world.connect("/other");
    world.lose(world.last_link, closed_link());
    world.advance_to_deadline();
    world.open();
    assert_eq!(world.sent(), ["40", "40/other,"]);
}

#[test]
fn a_wanted_membership_that_hangs_in_its_undoing_is_told() {
    let (mut world, root) = World::joined();
    let other = world.connect("/other");
    world.disconnect(other);
    world.connect("/other");
    world.disconnect(root);
    world.log();
    world.advance(Duration::from_secs(20));
    assert_eq!(
        world.news(),
        ["/other: connect_error cannot connect, namespace", "/other: disconnect transport error"]
    );
}

#[test]
fn a_refusal_undoes_a_membership_just_as_well() {
    let (mut world, _) = World::joined();
    let other = world.connect("/other");
    world.disconnect(other);
    world.receive("44/other,\"no\"");
    assert_eq!(phase(&world, other), Phase::Idle);
    world.connect("/other");
    world.disconnect(other);
    world.connect("/other");
    world.receive("41/other,");
    assert_eq!(world.sent(), ["40/other,", "40/other,", "40/other,"]);
    assert_eq!(phase(&world, other), Phase::Joining);
}

#[test]
fn a_server_that_ends_the_membership_is_believed() {
    let (mut world, root) = World::joined();
    world.join("/other");
    world.log();
    world.receive("41");
    assert_eq!(world.log(), ["/: disconnect io server disconnect"]);
    assert_eq!(phase(&world, root), Phase::Idle);
    world.receive("41/other,");
    assert_eq!(
        world.log(),
        ["manager: close forced close", "/other: disconnect io server disconnect"]
    );
    world.assert_at_rest();
}

#[test]
fn leaving_one_of_two_namespaces_keeps_the_session() {
    let (mut world, root) = World::joined();
    let other = world.join("/other");
    world.log();
    world.disconnect(root);
    assert_eq!(world.sent(), ["41"]);
    assert_eq!(world.log(), ["/: disconnect io client disconnect"]);
    world.emit(other, "[\"a\"]").unwrap();
    assert_eq!(world.sent(), ["42/other,[\"a\"]"]);
}

#[test]
fn credentials_are_asked_for_at_each_connection() {
    let mut world = World::new();
    let root = world.client.namespace_id("/");
    world.client.set_auth(root, Auth::Ask, world.now);
    world.connect("/");
    for round in 1..=3 {
        world.open();
        assert_eq!(world.sent(), Vec::<String>::new());
        let (id, asked) = world.asked.pop().unwrap();
        let token = format!("{{\"token\":{round}}}");
        world.run(|client, now| client.auth(id, asked, Ok(payload(&token)), now));
        assert_eq!(world.sent(), [format!("40{token}")]);
        world.receive("40{\"sid\":\"a\"}");
        world.drop_link();
        world.advance_to_deadline();
    }
    assert_eq!(world.asked, []);
}

#[test]
fn credentials_that_come_too_late_are_not_used() {
    let mut world = World::new();
    world.join("/first");
    let root = world.client.namespace_id("/");
    world.client.set_auth(root, Auth::Ask, world.now);
    world.connect("/");
    world.disconnect(root);
    world.connect("/");
    let [(_, first), (_, second)] = world.asked[..] else { panic!("asked twice") };
    world.run(|client, now| client.auth(root, first, Ok(payload("{\"token\":1}")), now));
    assert_eq!(world.sent(), Vec::<String>::new());
    world.run(|client, now| client.auth(root, second, Ok(payload("{\"token\":2}")), now));
    world.run(|client, now| client.auth(root, second, Ok(payload("{\"token\":2}")), now));
    assert_eq!(world.sent(), ["40{\"token\":2}"]);

    world.connect("/third");
    let third = world.client.namespace_id("/third");
    world.client.set_auth(third, Auth::Ask, world.now);
    world.disconnect(third);
    world.run(|client, now| client.auth(third, 1, Ok(payload("{}")), now));
    assert_eq!(phase(&world, third), Phase::Leaving { rejoin: false });
}

#[test]
fn without_credentials_the_attempt_fails_and_is_made_again() {
    let failure = || Error::new(ErrorKind::Payload, "no token");
    let mut world = World::new();
    let root = world.client.namespace_id("/");
    world.client.set_auth(root, Auth::Ask, world.now);
    world.connect("/");
    world.open();
    world.log();
    world.run(|client, now| client.auth(root, 1, Err(failure()), now));
    assert_eq!(world.news(), ["/: connect_error payload", "/: disconnect transport error"]);
    world.advance_to_deadline();
    world.open();
    assert_eq!(world.asked, [(root, 1), (root, 2)]);
}

#[test]
fn without_credentials_the_attempt_is_made_again_in_the_same_session_where_others_need_it() {
    let (mut world, _) = World::joined();
    let other = world.client.namespace_id("/other");
    world.client.set_auth(other, Auth::Ask, world.now);
    world.connect("/other");
    let failure = Error::new(ErrorKind::Payload, "no token");
    world.run(|client, now| client.auth(other, 1, Err(failure), now));
    assert_eq!(world.log(), ["/other: ask", "/other: connect_error payload"]);
    world.advance(Duration::from_secs(20));
    assert_eq!(world.asked, [(other, 1), (other, 2)]);
    // Whoever asks does not wait.
    let failure = Error::new(ErrorKind::Payload, "no token");
    world.run(|client, now| client.auth(other, 2, Err(failure), now));
    world.connect("/other");
    assert_eq!(world.asked.len(), 3);
}

#[test]
fn credentials_larger_than_the_server_takes_are_not_sent() {
    let mut world = World::new();
    world.handshake.max_payload = Some(100);
    let root = world.client.namespace_id("/");
    let token = format!("{{\"token\":\"{}\"}}", "x".repeat(100));
    world.client.set_auth(root, Auth::Fixed(payload(&token)), world.now);
    world.connect("/");
    world.open();
    assert_eq!(world.sent(), Vec::<String>::new());
    assert_eq!(world.news()[0], "/: connect_error too large");
}

#[test]
fn events_and_acknowledgements_before_the_answer_are_held_or_ignored() {
    let mut world = World::new();
    let root = world.connect("/");
    world.emit_with_ack(root, "[\"q\"]", 1, None).unwrap();
    world.open();
    world.log();
    world.receive("42[\"early\",1]");
    world.receive("430[\"too early\"]");
    assert_eq!(world.log(), Vec::<String>::new());
    world.receive("40{\"sid\":\"a\"}");
    assert_eq!(world.log(), ["/: event [\"early\",1]", "/: connect a"]);
    assert_eq!(world.sent(), ["40", "420[\"q\"]"]);
    world.receive("430[\"now\"]");
    assert_eq!(world.log(), ["ack 1: [\"now\"]"]);
}

#[test]
fn held_events_are_forgotten_with_the_attempt_to_join() {
    let endings: [fn(&mut World, NamespaceId); 4] = [
        |world, _| world.drop_link(),
        |world, _| world.receive("44/x,\"no\""),
        |world, _| world.receive("41/x,"),
        |world, id| {
            world.disconnect(id);
            world.receive("40/x,{\"sid\":\"a\"}");
        },
    ];
    for end in endings {
        let (mut world, _) = World::joined();
        let id = world.connect("/x");
        world.receive("42/x,[\"stale\"]");
        assert_eq!(world.namespace(id).early_events(), 1);
        end(&mut world, id);
        assert_eq!(world.namespace(id).early_events(), 0);
        world.connect("/x");
        if world.alive().is_empty() {
            world.advance_to_deadline();
            world.open();
        }
        world.receive("40/x,{\"sid\":\"b\"}");
        let news = world.news();
        assert!(!news.contains(&"/x: event [\"stale\"]".to_owned()), "{news:?}");
        assert!(news.contains(&"/x: connect b".to_owned()), "{news:?}");
    }
}

#[test]
fn what_can_be_held_is_bounded_in_events_and_bytes() {
    let mut world = World::with(|options| {
        options.limits = options.limits.clone().receive_events(3).receive_bytes(100);
    });
    let root = world.connect("/");
    world.open();
    for _ in 0..5 {
        world.receive("42[\"a\"]");
    }
    assert_eq!(world.namespace(root).early_events(), 3);
    world.drop_link();
    world.advance_to_deadline();
    world.open();
    let long = format!("42[\"{}\"]", "x".repeat(60));
    world.receive(&long);
    world.receive(&long);
    assert_eq!(world.namespace(root).early_events(), 1);
    assert_eq!(world.client.tally().ignored, 3);
}

#[test]
fn whoever_waits_for_a_namespace_is_told_that_it_is_not_wanted_any_more() {
    let (mut world, _) = World::joined();
    let other = world.connect("/other");
    let rooms = world.rooms;
    world.disconnect(other);
    assert!(world.rooms > rooms);
    assert!(!world.client.is_connecting(other));
}
