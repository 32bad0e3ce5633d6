//! What was written and is not known to be read.

use super::*;
use crate::event::undelivered::UndeliveredEvent;

/// What an event of three bytes counts for.
const EACH: usize = 3 + 32;

/// How long a peer may be without a sign of life.
const PATIENCE: Duration = Duration::from_secs(45);

/// Connected to `/` by WebSocket, with a server whose pongs are to be asked for; so many events may be unconfirmed.
fn deaf(most: usize) -> (World, NamespaceId) {
    let mut world = World::with(|options| {
        options.limits = options.limits.clone().unconfirmed_bytes(most * EACH);
    });
    let root = world.join("/");
    world.log();
    world.deaf = true;
    (world, root)
}

/// The same, where the server has answered once.
fn answering(most: usize) -> (World, NamespaceId) {
    let (mut world, root) = deaf(most);
    world.emit(root, "[0]").unwrap();
    heartbeat(&mut world);
    confirm(&mut world);
    world.sent();
    (world, root)
}

fn emit_some(world: &mut World, root: NamespaceId, numbers: std::ops::Range<u32>) {
    for number in numbers {
        world.emit(root, &format!("[{number}]")).unwrap();
    }
}

fn heartbeat(world: &mut World) {
    world.receive("2");
}

/// The pong comes.
fn confirm(world: &mut World) {
    assert!(world.is_asking());
    world.confirm_on(world.last_link);
}

fn list(events: &[UndeliveredEvent]) -> Vec<&str> {
    assert!(events.iter().all(UndeliveredEvent::was_sent));
    events.iter().map(UndeliveredEvent::json).collect()
}

/// What a close hands back whose server does not answer in time.
fn close(world: &mut World) -> Vec<UndeliveredEvent> {
    let mut back = world.run(Client::end);
    world.run(Client::confirm_none);
    back.extend(world.run(Client::take_unwritten));
    assert!(world.run(Client::take_unwritten).is_empty(), "once");
    UndeliveredEvent::sort(&mut back);
    back
}

fn let_go(world: &World) -> usize {
    world.client.tally().unconfirmed
}

#[test]
fn what_the_server_has_not_confirmed_is_handed_back_by_a_close() {
    let (mut world, root) = deaf(100);
    emit_some(&mut world, root, 1..4);
    assert!(!world.is_asking());
    assert_eq!(list(&close(&mut world)), ["[1]", "[2]", "[3]"]);
    assert_eq!((world.client.tally().dropped, let_go(&world)), (0, 0));
    world.assert_at_rest();
}

#[test]
fn what_is_confirmed_before_the_end_is_not_handed_back() {
    let (mut world, root) = deaf(100);
    emit_some(&mut world, root, 1..4);
    let mut back = world.run(Client::end);
    confirm(&mut world);
    back.extend(world.run(Client::take_unwritten));
    assert_eq!(list(&back), [""; 0]);
}

#[test]
fn the_answer_to_a_heartbeat_of_the_server_asks_for_what_was_written_before() {
    let (mut world, root) = deaf(100);
    heartbeat(&mut world);
    assert!(!world.is_asking(), "nothing is unconfirmed");
    world.emit(root, "[1]").unwrap();
    world.sent();
    heartbeat(&mut world);
    assert!(world.is_asking());
    assert_eq!(world.sent(), ["3"]);
    world.emit(root, "[2]").unwrap();
    confirm(&mut world);
    assert!(!world.is_asking(), "it waits for the next heartbeat");
    assert_eq!(list(&close(&mut world)), ["[2]"]);
}

#[test]
fn an_acknowledgement_confirms_what_was_written_before_its_event() {
    let (mut world, root) = deaf(100);
    world.slow = true;
    // These wait for each other, and are written at once but for the first.
    emit_some(&mut world, root, 0..2);
    world.emit_with_ack(root, "[2]", 2, None).unwrap();
    emit_some(&mut world, root, 3..5);
    world.written();
    world.written();
    world.slow = false;
    emit_some(&mut world, root, 5..6);
    world.receive("430[]");
    assert_eq!(list(&close(&mut world)), ["[3]", "[4]", "[5]"]);
}

#[test]
fn an_old_server_confirms_by_the_answer_to_the_heartbeat_of_the_client() {
    let mut world = World::old();
    let root = world.connect("/");
    world.open();
    world.receive("40");
    world.deaf = true;
    world.emit(root, "[1]").unwrap();
    world.advance(INTERVAL);
    assert_eq!(world.sent(), ["42[1]", "2"]);
    world.emit(root, "[2]").unwrap();
    assert!(!world.is_asking());
    world.receive("3");
    assert_eq!(list(&close(&mut world)), ["[2]"]);
}

#[test]
fn half_of_the_bound_is_asked_about_once() {
    let (mut world, root) = deaf(10);
    emit_some(&mut world, root, 0..4);
    assert!(!world.is_asking());
    emit_some(&mut world, root, 4..5);
    assert!(world.is_asking());
    emit_some(&mut world, root, 5..8);
    confirm(&mut world);
    assert!(!world.is_asking(), "three are unconfirmed");
    emit_some(&mut world, root, 8..10);
    assert!(world.is_asking());
    assert_eq!(list(&close(&mut world)), ["[5]", "[6]", "[7]", "[8]", "[9]"]);
}

#[test]
fn a_server_that_has_answered_is_waited_for_at_the_bound() {
    let (mut world, root) = answering(10);
    emit_some(&mut world, root, 0..10);
    assert_eq!(world.sent().len(), 10);
    assert!(!world.client.awaits(world.now) || world.client.engine().unwrap().is_held());
    emit_some(&mut world, root, 10..13);
    assert_eq!(world.sent(), [""; 0]);
    assert!(world.client.awaits(world.now), "the pong comes behind events");
    assert!(world.client.is_delivering(None));
    heartbeat(&mut world);
    assert_eq!(world.sent(), ["3"]);
    confirm(&mut world);
    assert_eq!(world.sent(), ["42[10]", "42[11]", "42[12]"]);
    assert!(!world.client.awaits(world.now));
    assert_eq!(let_go(&world), 0);
}

#[test]
fn what_is_emitted_while_the_server_is_waited_for_wakes_nobody() {
    let (mut world, root) = answering(4);
    // The writer looks at the fifth, and finds out that it has to wait.
    emit_some(&mut world, root, 0..5);
    let before = world.wakes;
    emit_some(&mut world, root, 5..100);
    assert_eq!(world.wakes, before);
    confirm(&mut world);
    assert!(world.wakes > before);
    assert_eq!(world.sent().len(), 100);
}

#[test]
fn what_waits_for_the_server_is_handed_back_as_not_sent() {
    let (mut world, root) = answering(4);
    emit_some(&mut world, root, 0..8);
    let back = close(&mut world);
    let sent: Vec<_> = back.iter().map(|event| (event.json(), event.was_sent())).collect();
    let expected: Vec<_> = (0..8).map(|number| (format!("[{number}]"), number < 4)).collect();
    let expected: Vec<_> = expected.iter().map(|(json, sent)| (json.as_str(), *sent)).collect();
    assert_eq!(sent, expected);
}

#[test]
fn volatile_events_are_dropped_where_the_server_is_waited_for() {
    let (mut world, root) = answering(2);
    emit_some(&mut world, root, 0..2);
    world.try_emit(root, Emit { volatile: true, ..emit("[9]") }).unwrap();
    assert_eq!(world.client.tally().volatile, 1);
}

#[test]
fn a_server_that_confirms_nothing_any_more_ends_the_session() {
    let (mut world, root) = answering(2);
    emit_some(&mut world, root, 0..3);
    world.log();
    let end = world.now + PATIENCE;
    while world.now.0 + Duration::from_secs(10) < end.0 {
        world.advance(Duration::from_secs(10));
        heartbeat(&mut world);
    }
    world.advance(end.0.saturating_sub(world.now.0).saturating_sub(MOMENT));
    assert_eq!(world.client.cycle(), Cycle::Open);
    world.advance(MOMENT);
    assert_ne!(world.client.cycle(), Cycle::Open);
    let error = world.error.take().expect("the reason");
    assert!(error.message().starts_with("the peer does not confirm"), "{error}");
    assert!(error.is_timeout());
}

#[test]
fn of_a_server_that_never_answers_the_oldest_are_let_go() {
    let (mut world, root) = deaf(10);
    emit_some(&mut world, root, 0..25);
    assert_eq!(world.sent().len(), 25);
    let gone = let_go(&world);
    let back = close(&mut world);
    assert_eq!(gone + back.len(), 25);
    assert_eq!(back.last().unwrap().json(), "[24]");
    assert!((8..=10).contains(&back.len()), "{back:?}");
}

#[test]
fn nothing_is_kept_nor_asked_where_that_is_off() {
    let (mut world, root) = deaf(0);
    emit_some(&mut world, root, 0..25);
    heartbeat(&mut world);
    assert!(!world.is_asking());
    assert_eq!((let_go(&world), close(&mut world).len()), (0, 0));
}

#[test]
fn volatile_events_and_those_with_an_acknowledgement_are_not_kept_for_this() {
    let (mut world, root) = deaf(100);
    world.try_emit(root, Emit { volatile: true, ..emit("[1]") }).unwrap();
    world.emit_with_ack(root, "[2]", 2, None).unwrap();
    heartbeat(&mut world);
    assert!(!world.is_asking());
    assert_eq!(list(&close(&mut world)), ["[2]"], "once, by its acknowledgement");
}

#[test]
fn what_a_lost_session_has_not_confirmed_is_for_the_program_to_decide() {
    let (mut world, root) = deaf(100);
    let other = world.join("/other");
    emit_some(&mut world, root, 0..1);
    heartbeat(&mut world);
    confirm(&mut world);
    emit_some(&mut world, root, 1..3);
    world.emit(other, "[3]").unwrap();
    world.slow = true;
    emit_some(&mut world, root, 4..6);
    world.drop_link();
    world.slow = false;
    world.advance(5 * SECOND);
    world.open();
    world.receive("40{\"sid\":\"b\"}");
    assert_eq!(world.sent(), ["40", "40/other,", "42[5]"], "what no writer had");
    let taken = world.client.take_unconfirmed(root);
    assert_eq!(list(&taken), ["[1]", "[2]", "[4]"]);
    assert!(world.client.take_unconfirmed(root).is_empty());
    assert_eq!(list(&close(&mut world)), ["[3]", "[5]"]);
    assert_eq!(let_go(&world), 0);
}

#[test]
fn no_more_of_lost_sessions_is_kept_than_may_be() {
    let (mut world, root) = deaf(10);
    for session in 0..4 {
        emit_some(&mut world, root, session * 4..session * 4 + 4);
        world.drop_link();
        world.advance(20 * SECOND);
        world.open();
        world.receive("40{\"sid\":\"b\"}");
    }
    // An event of a lost session counts 200 bytes beside its own.
    let kept = world.client.take_unconfirmed(root).len();
    assert_eq!((kept, let_go(&world)), (1, 15));
}

#[test]
fn by_polling_the_answer_to_the_request_confirms() {
    let mut world = World::with(|options| options.transports = vec![Transport::Polling]);
    let root = world.join("/");
    world.slow = true;
    world.emit(root, "[1]").unwrap();
    world.written();
    world.emit(root, "[2]").unwrap();
    world.emit(root, "[3]").unwrap();
    let back = close(&mut world);
    let back: Vec<_> = back.iter().map(|event| (event.json(), event.was_sent())).collect();
    assert_eq!(back, [("[2]", true), ("[3]", false)]);
}

/// An event without a name ends the session for its user, and not what it has under way.
const NAMELESS: &str = "42";

#[test]
fn what_a_session_that_was_given_up_is_posting_may_yet_be_confirmed() {
    for is_answered in [true, false] {
        let mut world = World::with(|options| options.transports = vec![Transport::Polling]);
        let root = world.join("/");
        world.slow = true;
        world.emit(root, "[1]").unwrap();
        world.receive(NAMELESS);
        assert_eq!(world.news(), ["/: connect /1", "/: disconnect parse error"]);
        assert!(world.client.take_unconfirmed(root).is_empty());
        if is_answered {
            world.written();
        }
        world.advance(PATIENCE);
        let expected: &[&str] = if is_answered { &[] } else { &["[1]"] };
        assert_eq!(list(&world.client.take_unconfirmed(root)), expected);
    }
}

#[test]
fn binary_comes_back_whole() {
    let (mut world, root) = deaf(100);
    world.emit(root, "[1]").unwrap();
    for bytes in [&b"ab"[..], b"c"] {
        let payload = Payload {
            json: "[\"p\",{\"_placeholder\":true,\"num\":0}]".into(),
            attachments: vec![bytes::Bytes::from_static(bytes)],
        };
        world.try_emit(root, Emit { payload, ..emit("") }).unwrap();
    }
    let back = close(&mut world);
    let attached: Vec<Vec<_>> = back.iter().map(|event| event.attachments().collect()).collect();
    assert_eq!(attached, [vec![], vec![&b"ab"[..]], vec![b"c"]]);
}

#[test]
fn an_upgraded_session_keeps_what_it_writes_by_websocket() {
    let mut world = World::polling();
    let root = world.connect("/");
    world.open();
    world.receive_on(LinkId(1), &["40{\"sid\":\"a\"}"]);
    world.emit(root, "[1]").unwrap();
    world.connected();
    world.receive("3probe");
    world.receive_on(LinkId(1), &["6"]);
    world.deaf = true;
    world.emit(root, "[2]").unwrap();
    assert_eq!(world.sent(), ["2probe", "5", "42[2]"]);
    assert_eq!(list(&close(&mut world)), ["[2]"]);
}

#[test]
fn what_filled_up_before_the_first_answer_is_asked_about_as_well() {
    let (mut world, root) = deaf(10);
    for _ in 0..25 {
        world.emit(root, "[1]").unwrap();
    }
    // All that is left was written behind the first ping, and is as much as may be.
    confirm(&mut world);
    world.emit(root, "[2]").unwrap();
    assert_eq!(world.sent().len(), 25);
    confirm(&mut world);
    assert_eq!(world.sent(), ["42[2]"]);
}
