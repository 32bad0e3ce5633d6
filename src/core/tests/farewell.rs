//! The ends that the peer is told of: what was emitted before is dealt with first.

use super::*;

/// How long a peer may take to answer.
const LIMIT: Duration = Duration::from_secs(5);

const LINGER: Duration = Duration::from_secs(5);

/// Joined to two namespaces, by a server whose pongs are to be asked for.
fn deaf() -> (World, NamespaceId, NamespaceId) {
    let (mut world, root) = World::joined();
    let other = world.join("/other");
    world.log();
    world.deaf = true;
    (world, root, other)
}

/// The pong comes.
fn confirm(world: &mut World) {
    assert!(world.is_asking());
    world.confirm_on(world.last_link);
}

#[test]
fn a_disconnect_is_written_when_the_server_has_dealt_with_the_events() {
    let (mut world, root, _) = deaf();
    world.emit(root, "[\"a\"]").unwrap();
    assert!(!world.is_asking(), "nobody wants to know");
    world.disconnect(root);
    assert_eq!(world.news(), ["/: disconnect io client disconnect"]);
    assert_eq!(world.sent(), ["42[\"a\"]"]);
    confirm(&mut world);
    assert_eq!(world.sent(), ["41"]);
}

#[test]
fn the_end_of_the_session_follows_its_disconnect_at_once() {
    let (mut world, root) = World::joined();
    world.deaf = true;
    world.emit(root, "[\"a\"]").unwrap();
    world.disconnect(root);
    assert_eq!(world.alive(), [LinkId(1)]);
    confirm(&mut world);
    assert_eq!(world.sent(), ["42[\"a\"]", "41"]);
    world.assert_at_rest();
}

#[test]
fn what_was_confirmed_is_not_asked_about_again() {
    let (mut world, root, other) = deaf();
    world.emit(root, "[\"a\"]").unwrap();
    world.disconnect(root);
    confirm(&mut world);
    // That of the DISCONNECT itself.
    confirm(&mut world);
    world.sent();
    world.disconnect(other);
    assert_eq!(world.sent(), ["41/other,"]);
    world.assert_at_rest();
}

#[test]
fn several_disconnects_wait_for_one_answer() {
    let (mut world, root, other) = deaf();
    world.emit(other, "[\"a\"]").unwrap();
    world.run(Client::shut_down);
    assert_eq!(world.sent(), ["42/other,[\"a\"]"]);
    confirm(&mut world);
    assert_eq!(world.sent(), ["41", "41/other,"]);
    assert!(!world.client.is_connecting(root));
    world.assert_at_rest();
}

/// What follows may be an attempt to recover it, and servers act upon a close frame later.
#[test]
fn the_end_of_a_session_without_a_disconnect_waits_for_nothing() {
    let endings: [fn(&mut Client<u32>, Timestamp); 2] = [Client::close, Client::close_engine];
    for end in endings {
        let (mut world, root) = World::joined();
        world.deaf = true;
        world.emit(root, "[\"a\"]").unwrap();
        world.run(end);
        assert_eq!(world.alive(), []);
        assert_eq!(world.sent_on(LinkId(1)), ["42[\"a\"]"]);
    }
}

#[test]
fn events_of_others_go_on_behind_a_disconnect_in_their_order() {
    let (mut world, root, other) = deaf();
    world.emit(root, "[\"a\"]").unwrap();
    world.disconnect(root);
    for number in 0..3 {
        world.emit(other, &format!("[\"b\",{number}]")).unwrap();
    }
    assert_eq!(world.sent(), ["42[\"a\"]"]);
    confirm(&mut world);
    let behind = ["41", "42/other,[\"b\",0]", "42/other,[\"b\",1]", "42/other,[\"b\",2]"];
    assert_eq!(world.sent(), behind);
    world.emit(other, "[\"b\",3]").unwrap();
    assert_eq!(
        world.sent(),
        ["42/other,[\"b\",3]"],
        "the answer to the DISCONNECT holds up nothing"
    );
}

#[test]
fn an_answer_tells_nothing_of_what_was_written_after_the_question() {
    let (mut world, root, other) = deaf();
    world.disconnect(root);
    // The ping behind the DISCONNECT is out.
    world.emit(other, "[\"b\"]").unwrap();
    world.disconnect(other);
    assert_eq!(world.sent(), ["41", "42/other,[\"b\"]"]);
    confirm(&mut world);
    assert_eq!(world.sent(), Vec::<String>::new());
    confirm(&mut world);
    assert_eq!(world.sent(), ["41/other,"]);
    world.assert_at_rest();
}

#[test]
fn heartbeats_pass_a_disconnect_that_waits() {
    let (mut world, root, _) = deaf();
    world.emit(root, "[\"a\"]").unwrap();
    world.disconnect(root);
    world.sent();
    world.receive("2");
    assert_eq!(world.sent(), ["3"]);
    confirm(&mut world);
    assert_eq!(world.sent(), ["41"]);
}

#[test]
fn the_reader_reads_on_while_an_answer_is_awaited() {
    let (mut world, root, _) = deaf();
    world.emit(root, "[\"a\"]").unwrap();
    assert!(!world.client.awaits(world.now));
    world.disconnect(root);
    assert!(world.client.awaits(world.now));
    confirm(&mut world);
    confirm(&mut world);
    assert!(!world.client.awaits(world.now));
}

#[test]
fn a_server_that_does_not_answer_is_told_at_the_limit() {
    let (mut world, root, other) = deaf();
    world.emit(root, "[\"a\"]").unwrap();
    world.disconnect(root);
    world.emit(other, "[\"b\"]").unwrap();
    world.sent();
    world.advance(LIMIT.saturating_sub(MOMENT));
    assert_eq!(world.sent(), Vec::<String>::new());
    world.advance(MOMENT);
    assert_eq!(world.sent(), ["41", "42/other,[\"b\"]"]);
    assert_eq!(world.client.cycle(), Cycle::Open);
}

#[test]
fn a_server_that_does_not_answer_is_told_that_the_session_ends_as_well() {
    let (mut world, root) = World::joined();
    world.deaf = true;
    world.emit(root, "[\"a\"]").unwrap();
    world.disconnect(root);
    world.sent();
    world.advance(LIMIT.saturating_sub(MOMENT));
    assert_eq!(world.sent(), Vec::<String>::new());
    assert_eq!(world.alive(), [LinkId(1)]);
    world.advance(MOMENT);
    assert_eq!(world.sent(), ["41"]);
    world.assert_at_rest();
}

#[test]
fn a_question_from_before_the_end_of_the_session_keeps_its_limit() {
    let (mut world, root, other) = deaf();
    world.emit(root, "[\"a\"]").unwrap();
    world.disconnect(root);
    world.disconnect(other);
    world.sent();
    world.advance(LIMIT.saturating_sub(MOMENT));
    assert_eq!(world.sent(), Vec::<String>::new());
    world.advance(MOMENT);
    assert_eq!(world.sent(), ["41", "41/other,"]);
    world.assert_at_rest();
}

#[test]
fn whoever_cannot_wait_for_the_answer_ends_the_session_without_a_word() {
    let (mut world, root) = World::joined();
    world.deaf = true;
    world.emit(root, "[\"a\"]").unwrap();
    world.run(Client::shut_down);
    assert_eq!(world.sent(), ["42[\"a\"]"]);
    world.run(Client::confirm_none);
    assert_eq!(world.sent(), [""; 0], "the events would be dropped with it");
    world.assert_at_rest();
}

#[test]
fn what_waits_behind_a_barrier_moves_with_the_session() {
    let mut world = World::polling();
    let root = world.connect("/");
    world.open();
    world.receive_on(LinkId(1), &["40{\"sid\":\"a\"}"]);
    let other = world.client.namespace_id("/other");
    world.connect("/other");
    world.receive_on(LinkId(1), &["40/other,{\"sid\":\"b\"}"]);
    world.sent_on(LinkId(1));
    world.deaf = true;
    // The old link comes to rest, and the first of these is on its way.
    world.slow = true;
    world.connected();
    world.written();
    world.emit(root, "[\"a\"]").unwrap();
    world.receive("3probe");
    world.emit(root, "[\"b\"]").unwrap();
    world.disconnect(root);
    world.emit(other, "[\"c\"]").unwrap();
    assert_eq!(world.sent_on(LinkId(1)), ["42[\"a\"]"]);
    world.slow = false;
    world.receive_on(LinkId(1), &["6"]);
    world.written_on(LinkId(1));
    assert_eq!(world.sent(), ["2probe", "5", "42[\"b\"]"]);
    confirm(&mut world);
    assert_eq!(world.sent(), ["41", "42/other,[\"c\"]"]);
}

#[test]
fn an_answer_that_comes_late_leaves_time_for_the_end() {
    let (mut world, root) = World::joined();
    world.deaf = true;
    world.emit(root, "[\"a\"]").unwrap();
    world.disconnect(root);
    world.advance(LIMIT.saturating_sub(MOMENT));
    world.stubborn = true;
    world.sent();
    confirm(&mut world);
    assert_eq!(world.sent(), ["41"]);
    world.advance(LINGER.saturating_sub(MOMENT));
    assert_eq!(world.alive(), [LinkId(1)]);
    world.advance(MOMENT);
    world.assert_at_rest();
}

#[test]
fn what_is_asked_in_vain_and_answered_late_is_no_answer_to_the_next_question() {
    let (mut world, root, other) = deaf();
    world.emit(root, "[\"a\"]").unwrap();
    world.disconnect(root);
    world.advance(LIMIT);
    assert_eq!(world.sent(), ["42[\"a\"]", "41"]);
    world.advance(LIMIT);
    // Nothing is asked; the pong comes all the same.
    world.run(|client, now| client.confirmed(LinkId(1), now));
    world.emit(other, "[\"b\"]").unwrap();
    world.disconnect(other);
    assert_eq!(world.sent(), ["42/other,[\"b\"]"]);
    confirm(&mut world);
    assert_eq!(world.sent(), ["41/other,"]);
}

#[test]
fn a_namespace_is_joined_again_at_the_limit_by_a_server_that_does_not_answer() {
    let (mut world, _, other) = deaf();
    world.disconnect(other);
    world.connect("/other");
    world.advance(LIMIT.saturating_sub(MOMENT));
    assert_eq!(world.sent(), ["41/other,"]);
    world.advance(MOMENT);
    assert_eq!(world.sent(), ["40/other,"]);
}

#[test]
fn volatile_events_are_dropped_behind_a_disconnect_that_waits() {
    let (mut world, root, other) = deaf();
    world.emit(root, "[\"a\"]").unwrap();
    world.disconnect(root);
    world.sent();
    let volatile = || Emit { volatile: true, ..emit("[\"b\"]") };
    world.try_emit(other, volatile()).unwrap();
    confirm(&mut world);
    assert_eq!(world.sent(), ["41"]);
    world.try_emit(other, volatile()).unwrap();
    assert_eq!(world.sent(), ["42/other,[\"b\"]"]);
}

/// What was written by one request each: the events, the DISCONNECT, and the end of the session.
#[test]
fn by_polling_each_step_has_a_request_of_its_own() {
    let mut world = World::polling();
    world.handshake.upgrade_to_websocket = false;
    let root = world.join("/");
    let other = world.join("/other");
    world.slow = true;
    world.emit(root, "[\"a\"]").unwrap();
    world.emit(other, "[\"b\"]").unwrap();
    world.emit(root, "[\"c\"]").unwrap();
    assert_eq!(world.sent(), ["42[\"a\"]"]);
    world.run(Client::shut_down);
    let mut requests = Vec::new();
    while !world.alive().is_empty() {
        world.written();
        requests.push(world.sent());
    }
    assert_eq!(
        requests[..3],
        [vec!["42/other,[\"b\"]", "42[\"c\"]"], vec!["41", "41/other,"], vec!["1"]]
    );
    world.assert_at_rest();
}

#[test]
fn by_polling_a_namespace_is_joined_again_when_the_disconnect_is_answered() {
    let mut world = World::polling();
    world.handshake.upgrade_to_websocket = false;
    let root = world.join("/");
    world.join("/other");
    world.slow = true;
    world.disconnect(root);
    world.connect("/");
    assert_eq!(world.sent(), ["41"]);
    world.written();
    assert_eq!(world.sent(), ["40"]);
}

/// A namespace that is left and joined again at once, with an event before and after.
fn leave_and_join(world: &mut World, root: NamespaceId) -> LinkId {
    let old = world.last_link;
    world.emit(root, "[\"a\"]").unwrap();
    world.disconnect(root);
    world.emit(root, "[\"b\"]").unwrap();
    world.connect_id(root);
    old
}

#[test]
fn what_is_emitted_after_a_disconnect_does_not_overtake_what_was_before() {
    let (mut world, root) = World::joined();
    world.deaf = true;
    let old = leave_and_join(&mut world, root);
    assert_eq!((world.sent(), world.last_link), (vec!["42[\"a\"]".to_owned()], old));
    world.confirm_on(old);
    assert_ne!(world.last_link, old, "the next session begins");
    assert_eq!(world.sent_on(old), ["41"]);
    world.open();
    world.receive("40{\"sid\":\"b\"}");
    assert_eq!(world.sent(), ["40", "42[\"b\"]"]);
}

#[test]
fn a_server_that_does_not_answer_holds_up_the_next_session_up_to_the_limit() {
    let (mut world, root) = World::joined();
    world.deaf = true;
    let old = leave_and_join(&mut world, root);
    world.advance(5 * SECOND);
    assert_ne!(world.last_link, old);
}

#[test]
fn a_disconnect_ends_the_wait_for_the_session_before() {
    let (mut world, root) = World::joined();
    world.deaf = true;
    let old = leave_and_join(&mut world, root);
    world.disconnect(root);
    world.confirm_on(old);
    assert_eq!(world.last_link, old, "nobody wants a session");
    world.connect_id(root);
    assert_ne!(world.last_link, old);
}

#[test]
fn what_comes_back_late_to_a_namespace_that_is_joined_again_is_sent() {
    let (mut world, root) = World::joined();
    world.slow = true;
    let old = world.last_link;
    for event in ["[\"a\"]", "[\"b\"]"] {
        world.emit(root, event).unwrap();
    }
    world.run(Client::close_engine);
    world.advance(2 * SECOND);
    world.slow = false;
    world.open();
    world.receive("40{\"sid\":\"b\"}");
    world.lose(old, closed_link());
    assert_eq!(world.sent(), ["40", "42[\"b\"]"]);
}

#[test]
fn events_that_are_yet_to_be_written_hold_up_the_next_session_whatever_is_being_written() {
    let (mut world, root) = World::joined();
    world.slow = true;
    world.receive("2");
    assert_eq!(world.sent(), ["3"]);
    world.emit(root, "[1]").unwrap();
    world.disconnect(root);
    world.connect_id(root);
    assert_eq!(world.sessions, 1);
    while world.sessions == 1 {
        assert!(world.links[&LinkId(1)].writing, "it would wait for ever");
        world.written_on(LinkId(1));
    }
    assert!(world.sent_on(LinkId(1)).contains(&"42[1]".to_owned()));
}

#[test]
fn a_farewell_that_is_yet_to_be_written_holds_up_a_join_of_the_same_name() {
    let (mut world, _, other) = deaf();
    world.slow = true;
    world.receive("2");
    world.disconnect(other);
    world.connect_id(other);
    world.written();
    assert_eq!(world.sent(), ["3", "41/other,"]);
    world.slow = false;
    world.written();
    confirm(&mut world);
    assert_eq!(world.sent(), ["40/other,"]);
}
