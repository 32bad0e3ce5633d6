//! The move from long-polling to WebSocket: nothing is lost, doubled or reordered, whatever fails.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

pub(super) const POLLING: LinkId = LinkId(1);
pub(super) const WEBSOCKET: LinkId = LinkId(2);

/// How far an upgrade has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Milestone {
    Dialing,
    /// The WebSocket is open and the probe is with its writer.
    Greeting,
    Probing,
    /// The old link still posts, for the last time.
    PausingPost,
    /// The old link still polls.
    PausingPoll,
    /// The old link still polls and posts.
    PausingBoth,
    /// The old link rests; the writer of the new link is still busy with the probe.
    Leaving,
    /// The message to the server is with the writer of the new link.
    Telling,
    Done,
}

pub(super) const MILESTONES: [Milestone; 9] = [
    Milestone::Dialing,
    Milestone::Greeting,
    Milestone::Probing,
    Milestone::PausingPost,
    Milestone::PausingPoll,
    Milestone::PausingBoth,
    Milestone::Leaving,
    Milestone::Telling,
    Milestone::Done,
];

/// A session by polling, joined, in the middle of its upgrade.
pub(super) fn upgrading(to: Milestone) -> (World, NamespaceId) {
    let mut world = World::polling();
    let root = world.connect("/");
    world.open();
    world.receive_on(POLLING, &["40{\"sid\":\"a\"}"]);
    assert_eq!(world.links[&WEBSOCKET].upgrade.as_deref(), Some("engine"));
    assert_eq!(world.sent_on(POLLING), ["40"]);
    // The upgrade takes longer than polling gives way to it, so that there is a poll under way.
    world.advance(pacing::WAY);
    assert!(world.links[&POLLING].polling);
    world.log();
    world.slow = true;
    if to >= Milestone::Greeting {
        world.connected();
    }
    if to >= Milestone::Probing {
        if to != Milestone::Leaving {
            world.written_on(WEBSOCKET);
        }
        assert_eq!(world.sent_on(WEBSOCKET), ["2probe"]);
    }
    if matches!(to, Milestone::PausingPost | Milestone::PausingBoth) {
        world.emit(root, "[\"posted\"]").unwrap();
        assert_eq!(world.sent_on(POLLING), ["42[\"posted\"]"]);
    }
    if to >= Milestone::PausingPost {
        world.receive_on(WEBSOCKET, &["3probe"]);
        assert_eq!(world.sent_on(WEBSOCKET), Vec::<String>::new());
    }
    if to == Milestone::PausingPost {
        world.receive_on(POLLING, &["6"]);
    }
    if to == Milestone::Leaving {
        world.receive_on(POLLING, &["6"]);
        assert_eq!(world.sent_on(WEBSOCKET), Vec::<String>::new());
        assert!(!world.links[&POLLING].polling);
    }
    if to >= Milestone::Telling {
        world.receive_on(POLLING, &["6"]);
        assert_eq!(world.sent_on(WEBSOCKET), ["5"]);
    }
    if to >= Milestone::Done {
        world.written_on(WEBSOCKET);
        assert_eq!(world.log(), ["manager: upgrade websocket"]);
    }
    (world, root)
}

/// Lets all writers write, all at once from here on.
pub(super) fn flow(world: &mut World) {
    world.slow = false;
    for link in world.alive() {
        world.written_on(link);
    }
}

fn events(world: &mut World, links: &[LinkId]) -> Vec<String> {
    let sent: Vec<String> = links.iter().flat_map(|link| world.sent_on(*link)).collect();
    sent.into_iter().filter(|text| text.starts_with("42")).collect()
}

#[test]
fn what_is_emitted_during_the_move_is_sent_after_it_in_order() {
    let (mut world, root) = upgrading(Milestone::PausingPost);
    for number in 0..100 {
        world.emit(root, &format!("[\"held\",{number}]")).unwrap();
    }
    world.receive_on(POLLING, &["42[\"by the last poll\"]"]);
    assert_eq!(world.sent_on(WEBSOCKET), Vec::<String>::new());
    world.written_on(POLLING);
    assert_eq!(world.sent_on(WEBSOCKET), ["5"]);
    assert!(!world.links[&POLLING].polling, "no poll after the probe's answer");

    world.emit(root, "[\"held\",100]").unwrap();
    world.written_on(WEBSOCKET);
    let held: Vec<String> = (0..=100).map(|number| format!("42[\"held\",{number}]")).collect();
    assert_eq!(world.sent_on(WEBSOCKET), held);
    assert_eq!(world.sent_on(POLLING), Vec::<String>::new());
    assert_eq!(world.alive(), [WEBSOCKET]);
    assert_eq!(world.log(), ["/: event [\"by the last poll\"]", "manager: upgrade websocket"]);
    assert_eq!(world.client.engine().unwrap().transport(), Transport::WebSocket);
}

#[test]
fn what_is_emitted_during_the_last_poll_is_posted_at_once() {
    let (mut world, root) = upgrading(Milestone::PausingPoll);
    world.emit(root, "[\"e\",0]").unwrap();
    assert_eq!(world.sent_on(POLLING), ["42[\"e\",0]"]);
    world.emit(root, "[\"e\",1]").unwrap();
    world.written_on(POLLING);
    assert_eq!(world.sent_on(POLLING), ["42[\"e\",1]"]);
    world.written_on(POLLING);
    // The server answers the poll since it has something to say, long before its NOOP.
    world.emit(root, "[\"e\",2]").unwrap();
    world.receive_on(POLLING, &["42[\"answer\"]"]);
    world.emit(root, "[\"e\",3]").unwrap();
    assert_eq!(world.sent_on(POLLING), ["42[\"e\",2]"]);
    assert_eq!(world.sent_on(WEBSOCKET), Vec::<String>::new(), "a POST is under way");
    flow(&mut world);
    assert_eq!(world.sent_on(WEBSOCKET), ["5", "42[\"e\",3]"]);
    assert_eq!(world.sent_on(POLLING), Vec::<String>::new());
}

#[test]
fn a_ping_during_the_last_poll_is_answered_at_once() {
    let (mut world, _) = upgrading(Milestone::PausingPoll);
    // Of the answer, the end is yet to come.
    world.run(|client, now| {
        client.received(POLLING, Packet::Ping(crate::proto::packet::Probe::Heartbeat), now);
    });
    assert_eq!(world.sent_on(POLLING), ["3"]);
}

#[test]
fn writers_who_always_have_more_do_not_hold_up_the_move() {
    let (mut world, root) = upgrading(Milestone::PausingBoth);
    for number in 0..100 {
        world.emit(root, &format!("[\"e\",{number}]")).unwrap();
        world.written_on(POLLING);
        assert_eq!(world.sent_on(POLLING), [format!("42[\"e\",{number}]")]);
    }
    world.receive_on(POLLING, &["6"]);
    world.emit(root, "[\"e\",100]").unwrap();
    world.written_on(POLLING);
    assert_eq!(world.sent_on(POLLING), Vec::<String>::new());
    assert_eq!(world.sent_on(WEBSOCKET), ["5"]);
}

#[test]
fn the_session_goes_on_by_websocket() {
    let (mut world, root) = upgrading(Milestone::Done);
    flow(&mut world);
    world.receive_on(WEBSOCKET, &["2", "42[\"a\"]"]);
    world.emit(root, "[\"b\"]").unwrap();
    assert_eq!(world.sent_on(WEBSOCKET), ["3", "42[\"b\"]"]);
    assert_eq!(world.log(), ["manager: ping", "/: event [\"a\"]"]);
    world.advance(INTERVAL + TIMEOUT);
    assert_eq!(world.news(), ["/: disconnect ping timeout"]);
    world.disconnect(root);
    world.assert_at_rest();
}

#[test]
fn a_failure_at_any_step_gives_the_session_back_to_polling() {
    for step in MILESTONES.into_iter().filter(|step| *step < Milestone::Done) {
        let (mut world, root) = upgrading(step);
        for number in 0..3 {
            world.emit(root, &format!("[\"e\",{number}]")).unwrap();
        }
        world.lose(WEBSOCKET, closed_link());
        assert_eq!(world.log(), ["manager: upgrade error transport error"], "{step:?}");
        flow(&mut world);
        world.emit(root, "[\"e\",3]").unwrap();
        let sent: Vec<String> = (0..4).map(|number| format!("42[\"e\",{number}]")).collect();
        assert_eq!(events(&mut world, &[POLLING, WEBSOCKET]), sent, "{step:?}");
        assert!(world.links[&POLLING].polling, "{step:?}: it polls again");
        world.receive_on(POLLING, &["2", "42[\"a\"]"]);
        assert_eq!(world.sent_on(POLLING), ["3"]);
        assert_eq!(world.news(), ["manager: ping", "/: event [\"a\"]"][1..]);
        assert_eq!(world.alive(), [POLLING]);
        assert_eq!(world.links.len(), 2, "{step:?}: there is no second try in this session");
    }
}

#[test]
fn a_wrong_answer_to_the_probe_closes_the_websocket() {
    for answer in ["3", "42[\"a\"]", "6", "1", "2", "0{}"] {
        let (mut world, _) = upgrading(Milestone::Probing);
        world.receive_on(WEBSOCKET, &[answer]);
        assert_eq!(world.log(), ["manager: upgrade error protocol error"], "{answer}");
        assert_eq!(world.alive(), [POLLING]);
    }
}

#[test]
fn a_server_that_speaks_out_of_turn_on_the_new_link_is_no_upgrade() {
    let pausing = [Milestone::PausingPoll, Milestone::PausingPost, Milestone::PausingBoth];
    for step in pausing.into_iter().chain([Milestone::Leaving]) {
        let (mut world, _) = upgrading(step);
        world.receive_on(WEBSOCKET, &["3probe"]);
        flow(&mut world);
        assert_eq!(world.log(), ["manager: upgrade error protocol error"], "{step:?}");
        assert!(world.links[&POLLING].polling);
    }
}

#[test]
fn an_upgrade_that_hangs_is_given_up() {
    for step in MILESTONES.into_iter().filter(|step| *step < Milestone::Done) {
        let (mut world, root) = upgrading(step);
        world.emit(root, "[\"held\"]").unwrap();
        world.advance(Duration::from_secs(20));
        assert_eq!(world.log(), ["manager: upgrade error timeout"], "{step:?}");
        assert_eq!(world.alive(), [POLLING]);
        flow(&mut world);
        assert_eq!(events(&mut world, &[POLLING]), ["42[\"held\"]"], "{step:?}");
    }
}

#[test]
fn a_finished_upgrade_is_not_given_up_later() {
    let (mut world, _) = upgrading(Milestone::Done);
    flow(&mut world);
    world.advance(Duration::from_secs(6));
    assert_eq!(world.client.next_deadline(), world.client.engine().unwrap().deadline());
    world.advance(Duration::from_secs(38));
    assert_eq!(world.log(), Vec::<String>::new());
}

#[test]
fn a_packet_on_the_new_link_before_the_writer_reports_is_delivered_once() {
    let (mut world, root) = upgrading(Milestone::Telling);
    world.emit(root, "[\"held\"]").unwrap();
    world.receive_on(WEBSOCKET, &["42[\"quick\"]"]);
    assert_eq!(world.log(), ["manager: upgrade websocket", "/: event [\"quick\"]"]);
    let work = world.run(|client, now| client.take(WEBSOCKET, now));
    assert_eq!(work, Work::Wait, "its writer is still busy");
    world.written_on(WEBSOCKET);
    assert_eq!(world.sent_on(WEBSOCKET), ["42[\"held\"]"]);
    assert_eq!(world.log(), Vec::<String>::new());
}

#[test]
fn a_packet_and_its_attachments_may_come_by_different_links() {
    let (mut world, _) = upgrading(Milestone::PausingPoll);
    world.receive_on(
        POLLING,
        &[
            "452-[\"a\",{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":1}]",
            "bAQID",
        ],
    );
    world.written_on(WEBSOCKET);
    assert_eq!(world.log(), ["manager: upgrade websocket"]);
    world.receive_on(WEBSOCKET, &["bBAUG"]);
    assert_eq!(world.news().len(), 1);
}

#[test]
fn a_packet_and_its_attachments_go_by_one_link() {
    for step in MILESTONES {
        let (mut world, root) = upgrading(step);
        let photo = Emit {
            payload: Payload {
                json: "[\"photo\",{\"_placeholder\":true,\"num\":0}]".into(),
                attachments: vec![bytes::Bytes::from_static(&[1, 2, 3])],
            },
            ..emit("")
        };
        world.try_emit(root, photo).unwrap();
        world.receive_on(if step == Milestone::Done { WEBSOCKET } else { POLLING }, &["2"]);
        flow(&mut world);
        flow(&mut world);
        let links = [world.sent_on(POLLING), world.sent_on(WEBSOCKET)];
        let sent = links.iter().find_map(|sent| {
            let at = sent.iter().position(|text| text.starts_with("451-"))?;
            sent.get(at + 1)
        });
        assert_eq!(sent.map(String::as_str), Some("bAQID"), "{step:?}: {links:?}");
    }
}

#[test]
fn there_is_no_upgrade_that_nobody_wants() {
    let mut world = World::polling();
    world.handshake.upgrade_to_websocket = false;
    world.join("/");
    assert_eq!(world.links.len(), 1);

    let mut world = World::polling();
    world.run(|client, _| client.change_options(|options| options.upgrade = false));
    world.join("/");
    assert_eq!(world.links.len(), 1);

    let mut world = World::with(|options| options.transports = vec![Transport::Polling]);
    world.handshake.upgrade_to_websocket = true;
    world.join("/");
    assert_eq!(world.links.len(), 1);
}

/// What may happen while a session moves.
#[derive(Clone, Copy, Debug)]
enum Input {
    Emit,
    /// A POST is answered, or the WebSocket has taken what was written.
    Written(LinkId),
    /// The poll under way is answered with this.
    Polled(&'static str),
    ProbeAnswered,
    Lost,
}

fn input() -> impl Strategy<Value = Input> {
    prop_oneof![
        4 => Just(Input::Emit),
        4 => select(vec![POLLING, WEBSOCKET]).prop_map(Input::Written),
        2 => select(vec!["6", "2", "42[\"a\"]"]).prop_map(Input::Polled),
        2 => Just(Input::ProbeAnswered),
        1 => Just(Input::Lost),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_in_the_move_events_go_in_order_and_no_post_begins_after_the_last_poll(
        inputs in vec(input(), 0..60),
    ) {
        let (mut world, root) = upgrading(Milestone::Probing);
        world.written_on(WEBSOCKET);
        let (mut emitted, mut answered, mut sent) = (0, false, Vec::new());
        for input in inputs {
            let rested = answered && !world.links[&POLLING].polling;
            match input {
                Input::Emit => {
                    world.emit(root, &format!("[\"e\",{emitted}]")).unwrap();
                    emitted += 1;
                }
                Input::Written(link) => world.written_on(link),
                Input::Polled(text) if world.links[&POLLING].polling => {
                    world.receive_on(POLLING, &[text]);
                }
                Input::ProbeAnswered if !answered => {
                    answered = true;
                    world.receive_on(WEBSOCKET, &["3probe"]);
                }
                Input::Polled(_) | Input::ProbeAnswered => {}
                Input::Lost => break,
            }
            let posted = events(&mut world, &[POLLING]);
            prop_assert!(!rested || posted.is_empty(), "{:?}", posted);
            sent.extend(posted);
            sent.extend(events(&mut world, &[WEBSOCKET]));
        }
        let is_moved = world.client.engine().unwrap().transport() == Transport::WebSocket;
        world.lose(if is_moved { POLLING } else { WEBSOCKET }, closed_link());
        flow(&mut world);
        sent.extend(events(&mut world, &[POLLING, WEBSOCKET]));
        let all: Vec<String> = (0..emitted).map(|number| format!("42[\"e\",{number}]")).collect();
        prop_assert_eq!(sent, all);
    }
}
