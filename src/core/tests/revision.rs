//! Servers of the old revision, and servers that were taken for what they are not.

use super::logged::logged;
use super::*;
use crate::core::client::namespace::{Auth, Phase};
use crate::error::Stage;
use crate::options::Revision;
use crate::proto::dialect::choice::V3_DIALECT;

#[test]
fn an_old_server_joins_the_root_by_itself() {
    let mut world = World::old();
    let root = world.connect("/");
    world.open();
    assert_eq!(world.sent(), Vec::<String>::new(), "a CONNECT for the root would be an error");
    world.receive("40");
    assert_eq!(world.log(), ["manager: open", "/: connect engine"]);
    world.emit(root, "[\"a\"]").unwrap();
    assert_eq!(world.sent(), ["42[\"a\"]"]);
    assert_eq!(world.namespace(root).phase, Phase::Joined);
}

#[test]
fn whoever_wants_the_root_later_has_it_at_once() {
    let mut world = World::old();
    world.connect("/a");
    world.open();
    world.receive("40");
    world.receive("40/a");
    world.connect("/");
    assert_eq!(world.news(), ["/a: connect /a#engine", "/: connect engine"]);
    assert_eq!(world.sent(), ["40/a,"]);
}

#[test]
fn what_refuses_the_root_refuses_everything() {
    let mut world = World::old();
    world.connect("/a");
    world.connect("/");
    world.open();
    world.log();
    world.receive("44\"no\"");
    let news = world.news();
    assert!(news.contains(&"/a: connect_error refused by the server".to_owned()), "{news:?}");
    assert!(news.contains(&"/: connect_error refused by the server".to_owned()), "{news:?}");
    world.assert_at_rest();
}

#[test]
fn a_root_that_was_left_is_joined_again_in_another_session() {
    let mut world = World::old();
    let root = world.join_old();
    world.connect("/a");
    world.receive("40/a");
    world.disconnect(root);
    world.log();
    world.connect("/");
    assert_eq!(world.log(), ["manager: close forced close", "/a: disconnect forced close"]);
    assert_eq!(world.alive(), [LinkId(2)]);
    world.open();
    world.receive("40");
    world.receive("40/a");
    assert_eq!(world.news(), ["/: connect engine", "/a: connect /a#engine"]);
}

#[test]
fn the_client_pings_an_old_server() {
    let mut world = World::old();
    world.join_old();
    world.log();
    for _ in 0..3 {
        world.advance(INTERVAL);
        assert_eq!(world.sent(), ["2"]);
        world.receive("3");
    }
    world.advance(INTERVAL + TIMEOUT);
    assert_eq!(world.sent(), ["2"]);
    assert_eq!(world.news(), ["/: disconnect ping timeout"]);
}

#[test]
fn a_server_that_was_mistaken_gets_another_session_at_once() {
    let mut world = World::new();
    world.handshake.max_payload = None;
    world.connect("/");
    world.open();
    assert_eq!(world.sent(), ["40"]);
    world.receive("40");
    assert_eq!(world.alive(), [LinkId(2)]);
    world.dialect = V3_DIALECT;
    world.open();
    world.receive("40");
    assert_eq!(world.news(), ["/: connect engine"]);
}

#[test]
fn a_server_that_contradicts_itself_does_not_make_a_tight_loop() {
    // Each session is well for one namespace and a contradiction for the other.
    let mut world = World::new();
    world.connect("/");
    world.connect("/a");
    let begin = world.now;
    for _ in 0..1000 {
        if world.alive().is_empty() {
            world.advance_to_deadline();
        }
        world.open();
        world.receive("40{\"sid\":\"x\"}");
        world.receive("40/a,{}");
    }
    // The namespace that is well keeps its session, in the end.
    let lasted = world.now.0.saturating_sub(begin.0);
    let sessions = world.last_link.0;
    assert!(u64::from(sessions) <= 3 + lasted.as_secs(), "{sessions} sessions in {lasted:?}");
}

#[test]
fn a_server_may_be_replaced_as_often_as_sessions_last() {
    let mut world = World::new();
    world.handshake.max_payload = None;
    world.connect("/");
    for _ in 0..10 {
        world.dialect = V4_DIALECT;
        world.open();
        // It turns out to be an old one.
        world.receive("40");
        world.dialect = V3_DIALECT;
        world.open();
        world.receive("40");
        world.advance(Duration::from_secs(6));
        assert_eq!(world.news(), ["/: connect engine"]);
        world.drop_link();
        world.advance_to_deadline();
        world.news();
    }
}

#[test]
fn contradictions_do_not_count_against_a_session_that_has_lasted_since() {
    let mut world = World::new();
    world.connect("/");
    world.connect("/a");
    let mut contradict = |lasting| {
        world.open();
        world.receive("40{\"sid\":\"x\"}");
        world.advance(Duration::from_secs(lasting));
        let before = world.last_link;
        world.receive("40/a,{}");
        world.last_link != before
    };
    assert_eq!([0, 0, 6, 0, 0].map(&mut contradict), [true, true, true, true, false]);
}

#[test]
fn a_revision_that_is_given_is_not_doubted() {
    let mut world = World::with(|options| options.revision = Revision::V4);
    world.connect("/");
    world.open();
    world.receive("40");
    assert_eq!(world.news()[0], "/: connect_error cannot connect, namespace");
    assert_eq!(world.alive(), []);
}

/// Whether the last error says that the revision may be mistaken.
fn hints_at_the_revision(world: &mut World) -> bool {
    let error = world.error.take().expect("an attempt that failed");
    error.hint().is_some_and(|hint| hint.contains("Builder::revision"))
}

#[test]
fn an_attempt_without_an_answer_is_doubtful_only_where_the_first_answer_left_a_doubt() {
    type Answer = fn(&mut Client<u32>, LinkId);
    let first_answers: [(Answer, bool); 4] = [
        (|_, _| (), false),
        (|client, link| client.doubt(link), true),
        (|client, _| client.doubt(LinkId(99)), false),
        (
            |client, link| {
                client.doubt(link);
                client.settle(link, V4_DIALECT);
            },
            false,
        ),
    ];
    for (number, (answer, hinted)) in first_answers.into_iter().enumerate() {
        let mut world = World::new();
        world.connect("/");
        world.connected();
        world.run(|client, _| answer(client, LinkId(1)));
        world.advance(Duration::from_secs(20));
        assert_eq!(hints_at_the_revision(&mut world), hinted, "{number}");
    }
}

#[test]
fn a_connect_without_an_answer_hints_at_the_revision_unless_the_handshake_tells_it() {
    for (max_payload, hinted) in [(None, true), (Some(1_000_000), false)] {
        let mut world = World::new();
        world.handshake.max_payload = max_payload;
        world.connect("/");
        world.open();
        world.advance(Duration::from_secs(20));
        assert_eq!(hints_at_the_revision(&mut world), hinted);
    }
}

#[test]
fn a_root_that_nobody_asked_for_tells_an_old_server_unless_the_handshake_tells_a_new_one() {
    for (max_payload, sessions) in [(None, 2), (Some(1_000_000), 1)] {
        let mut world = World::new();
        world.handshake.max_payload = max_payload;
        world.connect("/a");
        world.open();
        world.receive("40");
        assert_eq!(world.sessions, sessions);
    }
}

/// What a server says that does not speak the revision it was asked in.
fn refuse_revision(world: &mut World) {
    let refusal = Error::new(ErrorKind::Connect(Stage::Http), "unsupported version");
    world.lose(world.last_link, Loss::Failed(refusal.refusing_revision()));
}

/// In which revision the server is asked now.
fn asked_in(world: &World) -> &'static str {
    world.client.dialect_of(world.last_link).eio()
}

#[test]
fn a_server_that_refuses_the_revision_is_asked_in_the_other_one_at_once() {
    let mut worlds = [World::new(), World::polling()];
    for world in &mut worlds {
        world.connect("/");
        assert_eq!(asked_in(world), "4");
        let transport = world.links[&world.last_link].transport;
        refuse_revision(world);
        assert_eq!(world.log(), Vec::<String>::new());
        assert_eq!(asked_in(world), "3");
        assert_eq!(world.links[&world.last_link].transport, transport);
        world.dialect = V3_DIALECT;
        world.handshake.max_payload = None;
        world.handshake.upgrade_to_websocket = false;
        world.open();
        world.receive("40");
        assert_eq!(world.news(), ["/: connect engine"]);
        // That is remembered, until the server is replaced.
        world.drop_link();
        world.advance_to_deadline();
        assert_eq!(asked_in(world), "3");
        refuse_revision(world);
        assert_eq!(asked_in(world), "4");
    }
}

#[test]
fn a_server_that_refuses_both_revisions_fails_the_attempt() {
    let mut world = World::new();
    world.connect("/");
    for attempt in 1..10 {
        assert_eq!(asked_in(&world), "4");
        refuse_revision(&mut world);
        assert_eq!(asked_in(&world), "3");
        refuse_revision(&mut world);
        assert_eq!(world.links.len(), 2 * attempt);
        assert_eq!(world.news(), ["/: connect_error cannot connect, HTTP"]);
        world.advance_to_deadline();
    }
}

#[test]
fn a_revision_that_is_given_is_not_changed_for_a_refusal() {
    for (revision, eio) in [(Revision::V4, "4"), (Revision::V3, "3")] {
        let mut world = World::with(|options| options.revision = revision);
        world.connect("/");
        assert_eq!(asked_in(&world), eio);
        refuse_revision(&mut world);
        assert_eq!(world.links.len(), 1);
        world.advance_to_deadline();
        assert_eq!(asked_in(&world), eio);
    }
}

impl World {
    /// Connects `/` to an old server.
    fn join_old(&mut self) -> NamespaceId {
        let root = self.connect("/");
        self.open();
        self.receive("40");
        root
    }
}

#[test]
fn a_given_revision_that_the_server_does_not_answer_in_may_be_wrong() {
    for (revision, hinted) in [(Revision::V4, true), (Revision::default(), false)] {
        let mut world = World::with(|options| options.revision = revision);
        world.connect("/");
        world.drop_link();
        assert!(!hints_at_the_revision(&mut world), "there was no connection");
        world.advance_to_deadline();
        world.connected();
        world.drop_link();
        assert_eq!(hints_at_the_revision(&mut world), hinted);
    }
}

#[test]
fn what_an_old_server_reports_in_its_root_is_no_refusal() {
    let mut world = World::old();
    let root = world.join_old();
    world.connect("/a");
    world.receive("40/a");
    world.log();
    world.receive("44\"oops\"");
    assert_eq!(world.news(), ["/: error refused by the server"]);
    assert_eq!(world.namespace(root).phase, Phase::Joined);
    world.sent();
    world.connect("/b");
    assert_eq!((world.alive(), world.sent()), (vec![LinkId(1)], vec!["40/b,".to_owned()]));
}

#[test]
fn what_an_old_server_says_of_a_root_that_nobody_wants_is_no_nonsense() {
    let mut world = World::old();
    world.connect("/a");
    world.open();
    world.receive("40");
    world.receive("40/a");
    assert_eq!(world.client.tally().ignored, 0);
    world.receive("44\"oops\"");
    assert_eq!(world.client.tally().ignored, 1, "nobody can be told of a report");
}

#[test]
fn credentials_that_an_old_server_does_not_read_are_warned_of() {
    for (auth, lines) in [("{\"token\":1}", 1), ("", 0)] {
        let mut world = World::old();
        let root = world.client.namespace_id("/");
        world.client.set_auth(root, Auth::Fixed(payload(auth)), world.now);
        let logged = logged(|| {
            world.connect_id(root);
            world.open();
        });
        let warned = logged.iter().filter(|line| line.contains("URL's query")).count();
        assert_eq!(warned, lines, "{logged:?}");
    }
}

#[test]
fn a_root_that_an_old_server_has_ended_is_joined_in_another_session() {
    let mut world = World::old();
    let root = world.join_old();
    world.connect("/a");
    world.receive("40/a");
    world.receive("41");
    assert_eq!(world.namespace(root).phase, Phase::Idle);
    world.connect_id(root);
    assert_eq!(world.alive(), [LinkId(2)]);
}

#[test]
fn a_refusal_that_is_a_list_begins_with_its_message() {
    let mut world = World::old();
    world.connect("/a");
    world.open();
    world.receive("40");
    world.receive(r#"44/a,[ "no",{"code":1}]"#);
    let error = world.error.expect("a refusal");
    assert_eq!((error.message(), error.data()), ("no", Some(r#"[ "no",{"code":1}]"#)));
}

#[test]
fn an_old_server_may_announce_no_attachments_and_a_current_one_may_not() {
    let mut world = World::old();
    world.join_old();
    world.log();
    world.receive("450-[\"a\"]");
    assert_eq!(world.log(), ["/: event [\"a\"]"]);
    let (mut world, _) = World::joined();
    world.receive("450-[\"a\"]");
    assert_eq!(world.news(), ["/: disconnect parse error"]);
}
