//! Ends: wanted ones at every phase, and the reasons of the others.

use super::logged::logged;
use super::*;
use crate::core::client::namespace::{Auth, Phase};
use crate::error::Stage;

const LINGER: Duration = Duration::from_secs(5);

#[test]
fn disconnecting_says_goodbye_after_all_that_was_emitted() {
    let (mut world, root) = World::joined();
    world.slow = true;
    world.emit(root, "[\"a\"]").unwrap();
    world.emit(root, "[\"b\"]").unwrap();
    world.disconnect(root);
    assert_eq!(world.log(), ["manager: close forced close", "/: disconnect io client disconnect"]);
    world.written();
    world.written();
    assert_eq!(world.sent(), ["42[\"a\"]", "42[\"b\"]"]);
    // The ping.
    world.written();
    assert_eq!(world.sent(), ["41"]);
    world.written();
    world.assert_at_rest();
}

#[test]
fn by_polling_the_goodbye_is_a_close_packet() {
    let mut world = World::polling();
    world.handshake.upgrade_to_websocket = false;
    let root = world.join("/");
    world.disconnect(root);
    assert_eq!(world.sent(), ["41", "1"]);
    world.assert_at_rest();
}

#[test]
fn a_session_that_is_given_up_is_closed_as_well() {
    let polling = || {
        let mut world = World::polling();
        world.handshake.upgrade_to_websocket = false;
        world
    };
    let mut world = polling();
    world.connect("/");
    world.open();
    world.advance(Duration::from_secs(20));
    assert_eq!(
        world.news(),
        ["/: connect_error cannot connect, namespace", "/: disconnect transport error"]
    );
    assert_eq!(world.sent(), ["40", "1"]);
    assert_eq!(world.alive(), []);
    let mut world = polling();
    world.join("/");
    world.receive("4?");
    assert_eq!(world.news(), ["/: connect /1", "/: disconnect parse error"]);
    assert_eq!(world.sent(), ["1"]);
    assert_eq!(world.alive(), []);
}

#[test]
fn disconnecting_what_is_not_connected_says_nothing() {
    let mut world = World::new();
    let root = world.client.namespace_id("/");
    world.disconnect(root);
    assert_eq!(world.log(), Vec::<String>::new());
    world.assert_at_rest();
}

#[test]
fn disconnecting_during_the_wait_for_the_next_attempt_ends_it() {
    let (mut world, root) = World::joined();
    world.drop_link();
    world.log();
    let rooms = world.rooms;
    world.disconnect(root);
    assert_eq!(world.log(), Vec::<String>::new());
    assert!(world.rooms > rooms, "those who wait to be connected are told");
    world.assert_at_rest();
}

#[test]
fn disconnecting_during_a_websocket_attempt_cuts_it() {
    let mut world = World::new();
    let root = world.connect("/");
    let rooms = world.rooms;
    world.disconnect(root);
    assert_eq!(world.log(), Vec::<String>::new());
    assert!(world.rooms > rooms);
    world.assert_at_rest();
}

#[test]
fn disconnecting_during_the_polling_handshake_leaves_no_session_on_the_server() {
    let mut world = World::polling();
    let root = world.connect("/");
    world.disconnect(root);
    assert_eq!(world.alive().len(), 1, "nobody knows the id of the session yet");
    assert!(world.client.engine().is_none());
    world.open();
    assert_eq!(world.sent(), ["1"]);
    assert_eq!(world.log(), Vec::<String>::new());
    assert_eq!(world.links.len(), 1, "there is no upgrade of what is to be closed");
    world.assert_at_rest();
}

#[test]
fn a_polling_handshake_that_is_not_wanted_any_more_is_awaited_for_a_while() {
    let mut world = World::polling();
    let root = world.connect("/");
    world.disconnect(root);
    world.advance(LINGER.saturating_sub(MOMENT));
    assert_eq!(world.alive().len(), 1);
    world.advance(MOMENT);
    world.assert_at_rest();
}

#[test]
fn connecting_again_does_not_wait_for_the_old_attempt() {
    let mut world = World::polling();
    world.handshake.upgrade_to_websocket = false;
    let root = world.connect("/");
    world.disconnect(root);
    world.connect("/");
    assert_eq!(world.alive(), [LinkId(1), LinkId(2)]);
    world.open();
    assert_eq!(world.sent(), ["40"]);
    world.receive("40{\"sid\":\"new\"}");
    assert_eq!(world.log(), ["manager: open", "/: connect new"]);
    // The old session is none of the new one's business.
    let open = format!("0{}", world.handshake.to_json());
    world.receive_on(LinkId(1), &[&open, "42[\"ghost\"]"]);
    assert_eq!(world.sent_on(LinkId(1)), ["1"]);
    assert_eq!(world.log(), Vec::<String>::new());
    assert_eq!(world.alive(), [LinkId(2)]);
}

#[test]
fn disconnecting_while_credentials_are_asked_for_sends_nothing() {
    let mut world = World::new();
    let root = world.client.namespace_id("/");
    world.client.set_auth(root, Auth::Ask, world.now);
    world.connect("/");
    world.open();
    world.log();
    world.disconnect(root);
    world.run(|client, now| client.auth(root, 1, Ok(payload("{}")), now));
    assert_eq!(world.sent(), Vec::<String>::new());
    assert_eq!(world.log(), ["manager: close forced close"]);
    world.assert_at_rest();
}

#[test]
fn disconnecting_the_only_namespace_while_it_joins_takes_the_session_along() {
    let mut world = World::new();
    let root = world.connect("/");
    world.open();
    world.log();
    world.disconnect(root);
    assert_eq!(world.sent(), ["40"]);
    assert_eq!(world.log(), ["manager: close forced close"]);
    assert_eq!(world.namespace(root).phase, Phase::Idle);
    world.assert_at_rest();
}

#[test]
fn disconnecting_and_connecting_in_one_go_gives_a_new_session_once_the_old_one_has_drained() {
    let (mut world, root) = World::joined();
    world.slow = true;
    world.emit(root, "[\"old\"]").unwrap();
    world.disconnect(root);
    world.connect("/");
    world.emit(root, "[\"new\"]").unwrap();
    assert_eq!(world.alive(), [LinkId(1)]);
    assert_eq!(world.log()[1], "/: disconnect io client disconnect");

    world.written_on(LinkId(1));
    world.written_on(LinkId(1));
    assert_eq!(world.alive(), [LinkId(1), LinkId(2)]);
    world.open();
    assert_eq!(world.sent(), ["40"]);
    world.written();
    world.receive("40{\"sid\":\"b\"}");
    world.written();
    assert_eq!(world.sent(), ["42[\"new\"]"]);

    assert_eq!(world.sent_on(LinkId(1)), ["42[\"old\"]", "41"]);
    world.written_on(LinkId(1));
    assert_eq!(world.alive(), [LinkId(2)]);
    assert_eq!(world.log(), ["manager: open", "/: connect b"]);
}

#[test]
fn a_link_that_does_not_close_is_cut() {
    let (mut world, root) = World::joined();
    world.stubborn = true;
    world.disconnect(root);
    assert_eq!(world.alive(), [LinkId(1)]);
    world.advance(LINGER.saturating_sub(MOMENT));
    assert_eq!(world.alive(), [LinkId(1)]);
    world.advance(MOMENT);
    world.assert_at_rest();
}

#[test]
fn a_link_that_does_not_write_is_cut() {
    let (mut world, root) = World::joined();
    world.slow = true;
    world.emit(root, "[\"stuck\"]").unwrap();
    world.disconnect(root);
    world.advance(LINGER);
    world.assert_at_rest();
}

#[test]
fn a_link_that_writes_slowly_is_not_cut() {
    let almost = LINGER.saturating_sub(MOMENT);
    let (mut world, root) = World::joined();
    world.slow = true;
    world.emit(root, "[\"a\"]").unwrap();
    world.emit(root, "[\"b\"]").unwrap();
    world.disconnect(root);
    for _ in 0..3 {
        world.advance(almost);
        world.run(|client, now| client.progressed(LinkId(1), now));
    }
    // With the ping and the farewell.
    for _ in 0..4 {
        world.advance(almost);
        world.written();
    }
    assert_eq!(world.sent(), ["42[\"a\"]", "42[\"b\"]", "41"]);
    world.assert_at_rest();
}

#[test]
fn sessions_that_are_being_closed_are_bounded() {
    let mut world = World::polling();
    let root = world.client.namespace_id("/");
    for count in 1..1000 {
        world.connect("/");
        world.disconnect(root);
        assert_eq!(
            (world.client.count_retiring(), world.alive().len()),
            (count.min(4), count.min(4))
        );
    }
    world.advance(LINGER);
    world.assert_at_rest();
}

#[test]
fn links_that_do_not_close_are_bounded() {
    let (mut world, root) = World::joined();
    world.stubborn = true;
    for _ in 0..100 {
        world.disconnect(root);
        world.join("/");
        assert!(world.alive().len() <= 1 + 4, "{:?}", world.alive());
    }
    assert_eq!(world.alive().first(), Some(&LinkId(97)), "the oldest are cut");
    world.disconnect(root);
    world.advance(LINGER);
    world.assert_at_rest();
}

#[test]
fn a_session_that_is_lost_while_it_is_closed_is_simply_gone() {
    let (mut world, root) = World::joined();
    world.slow = true;
    world.emit(root, "[\"a\"]").unwrap();
    world.disconnect(root);
    world.log();
    world.drop_link();
    assert_eq!(world.log(), Vec::<String>::new());
    world.assert_at_rest();
}

#[test]
fn no_session_outlives_its_threads() {
    let (mut world, _) = World::joined();
    world.end(LinkId(1));
    assert_eq!(world.news(), ["/: disconnect transport close"]);
    assert_eq!(world.client.cycle(), Cycle::Waiting);
}

#[test]
fn each_end_has_its_reason() {
    type Ending = fn(&mut World);
    let ends: [(Ending, &str); 8] = [
        (|world| world.drop_link(), "transport close"),
        (|world| world.receive("1"), "transport close"),
        (|world| world.receive("9"), "transport error"),
        (|world| world.receive("4?"), "parse error"),
        (|world| world.receive("bAAAA"), "parse error"),
        (|world| world.receive("41"), "io server disconnect"),
        (|world| world.run(Client::close), "forced close"),
        (|world| world.advance(INTERVAL + TIMEOUT), "ping timeout"),
    ];
    for (end, reason) in ends {
        let (mut world, _) = World::joined();
        end(&mut world);
        assert_eq!(world.news()[0], format!("/: disconnect {reason}"));
        assert_eq!(world.alive(), []);
        let again = !matches!(reason, "io server disconnect" | "forced close");
        assert_eq!(world.client.cycle() == Cycle::Waiting, again, "{reason}");
    }
    let (mut world, _) = World::joined();
    world.lose(LinkId(1), Loss::Failed(Error::new(ErrorKind::Transport, "reset")));
    assert_eq!(
        world.log(),
        [
            "manager: error transport error",
            "/: disconnect transport error",
            "manager: close transport error"
        ]
    );
}

#[test]
fn two_namespaces_hear_of_a_loss_in_their_order() {
    let (mut world, _) = World::joined();
    world.join("/b");
    world.log();
    world.drop_link();
    assert_eq!(
        world.log(),
        [
            "/: disconnect transport close",
            "/b: disconnect transport close",
            "manager: close transport close"
        ]
    );
}

#[test]
fn closing_the_connection_leaves_the_namespaces_wanted() {
    let (mut world, root) = World::joined();
    world.run(Client::close);
    assert_eq!(world.log(), ["manager: close forced close", "/: disconnect forced close"]);
    world.assert_at_rest();
    assert!(!world.client.is_connecting(root));
    world.run(Client::open);
    world.open();
    assert_eq!(world.sent(), ["40"]);
}

#[test]
fn a_connection_without_namespaces_can_be_opened_and_closed() {
    let mut world = World::new();
    world.run(Client::open);
    world.run(Client::open);
    world.open();
    assert_eq!(world.log(), ["manager: open"]);
    assert_eq!(world.sent(), Vec::<String>::new());
    world.drop_link();
    world.advance_to_deadline();
    world.open();
    world.run(Client::close);
    assert_eq!(world.alive(), []);
    world.assert_at_rest();
}

#[test]
fn shutting_down_ends_everything_at_every_phase() {
    type Arrange = fn(&mut World, NamespaceId);
    let phases: [Arrange; 8] = [
        |_, _| (),
        |world, _| {
            world.connect("/");
        },
        |world, _| {
            world.connect("/");
            world.lose(
                world.last_link,
                Loss::Failed(Error::new(ErrorKind::Connect(Stage::Tcp), "")),
            );
        },
        |world, _| {
            world.connect("/");
            world.open();
        },
        |world, id| {
            world.client.set_auth(id, Auth::Ask, world.now);
            world.connect("/");
            world.open();
        },
        |world, _| {
            world.join("/");
        },
        |world, id| {
            world.join("/x");
            world.connect("/");
            world.disconnect(id);
        },
        |world, id| {
            world.join("/x");
            world.connect("/");
            world.disconnect(id);
            world.connect("/");
        },
    ];
    for (number, arrange) in phases.into_iter().enumerate() {
        for transports in [vec![Transport::WebSocket], vec![Transport::Polling]] {
            let mut world = World::with(|options| options.transports = transports);
            let id = world.client.namespace_id("/");
            world.emit_with_ack(id, "[\"a\"]", 1, Some(SECOND * 3600)).unwrap();
            arrange(&mut world, id);
            world.emit_with_ack(id, "[\"b\"]", 2, None).unwrap();
            world.run(Client::shut_down);
            let mut acks = world.log();
            acks.retain(|line| line.starts_with("ack"));
            acks.sort();
            assert_eq!(
                acks,
                ["ack 1 failed: disconnected", "ack 2 failed: disconnected"],
                "{number}"
            );
            world.advance(LINGER);
            world.assert_at_rest();
            assert_eq!(world.namespace(id).phase, Phase::Idle, "{number}");
            assert_eq!(world.namespace(id).buffered().packets, 0);
        }
    }
}

#[test]
fn late_voices_of_a_dead_link_are_not_heard() {
    let (mut world, root) = World::joined();
    world.drop_link();
    world.advance_to_deadline();
    world.open();
    world.receive("40{\"sid\":\"b\"}");
    world.log();
    world.receive_on(LinkId(1), &["42[\"ghost\"]", "1", "41"]);
    world.run(|client, now| client.lost(LinkId(1), closed_link(), now));
    world.run(|client, now| client.written(LinkId(1), now));
    world.run(|client, now| client.connected(LinkId(1), now));
    world.run(|client, now| client.ended(LinkId(1), now));
    assert_eq!(world.run(|client, now| client.take(LinkId(1), now)), Work::Stop);
    assert_eq!(world.run(|client, now| client.request_poll(LinkId(1), now)), PollTurn::End);
    assert_eq!(world.log(), Vec::<String>::new());
    assert_eq!(world.namespace(root).phase, Phase::Joined);
}

#[test]
fn what_was_closed_for_good_stays_closed() {
    for arrange in [World::connect as fn(&mut World, &str) -> NamespaceId, World::join] {
        let mut world = World::new();
        let root = arrange(&mut world, "/");
        world.run(Client::shut_down);
        world.advance(LINGER);
        world.log();
        let lines = logged(|| {
            world.connect_id(root);
            world.run(Client::open);
            // Nor does anything else bring it back.
            world.run(Client::close);
            world.run(Client::shut_down);
            world.connect_id(root);
        });
        let refused = r#""/": connect() does nothing: the manager was closed for good"#;
        let not_opened = "open() does nothing: the manager was closed for good";
        assert_eq!(lines, [refused, not_opened, refused]);
        for volatile in [false, true] {
            let emit = Emit { ack: Some(1), volatile, ..emit("[1]") };
            let error = world.try_emit(root, emit).map_err(refusal).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Disconnected);
            assert!(error.message().contains("the manager was closed"), "{error}");
        }
        world.advance(Duration::from_secs(3600));
        assert_eq!(world.log(), Vec::<String>::new());
        assert_eq!(world.namespace(root).phase, Phase::Idle);
        world.assert_at_rest();
    }
}

#[test]
fn what_is_lost_with_the_last_handle_is_told() {
    let mut world = World::new();
    let (root, other) = (world.connect("/"), world.connect("/x"));
    world.emit(root, "[1]").unwrap();
    world.emit_with_ack(root, "[2]", 1, None).unwrap();
    world.run(|client, _| client.set_retries(other, Some(0)));
    world.emit(other, "[3]").unwrap();
    let lost =
        |count: usize, name: &str, why: &str| format!("{name:?}: {count} events are lost: {why}");
    let gone = "the last handle of the socket is gone";
    assert_eq!(logged(|| world.forget(root)), [lost(2, "/", gone)]);
    assert_eq!(world.log(), ["ack 1 failed: disconnected"]);
    let closed = "the manager was closed for good";
    assert_eq!(logged(|| world.run(Client::shut_down)), [lost(1, "/x", closed)]);

    // What was handed to a session is sent.
    let (mut world, root) = World::joined();
    world.emit(root, "[1]").unwrap();
    assert_eq!(logged(|| world.forget(root)), Vec::<String>::new());
    assert_eq!(world.sent(), ["42[1]", "41"]);
}

#[test]
fn a_link_is_known_with_its_session_until_that_has_come_to_its_end() {
    let (mut world, root) = World::joined();
    world.slow = true;
    world.emit(root, "[1]").unwrap();
    let (link, strange) = (LinkId(1), LinkId(99));
    assert_eq!(world.client.sid_of(link).as_deref(), Some("engine"));
    assert_eq!(world.client.sid_of(strange), None);
    assert!(world.client.knows(link) && !world.client.knows(strange));
    world.disconnect(root);
    assert!(world.client.knows(link), "it is yet to write");
    world.advance(LINGER);
    assert!(!world.client.knows(link));
}

#[test]
fn a_join_that_is_still_to_be_undone_ends_with_the_session() {
    let (mut world, root) = World::joined();
    let other = world.connect("/other");
    world.disconnect(other);
    assert!(matches!(world.namespace(other).phase, Phase::Leaving { .. }));
    world.disconnect(root);
    assert_eq!(world.namespace(other).phase, Phase::Idle);
    world.connect_id(other);
    world.open();
    assert_eq!(world.sent(), ["40/other,"]);
}
