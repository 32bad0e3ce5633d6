//! The end of a session, or of the whole, in the middle of the move to WebSocket.

use super::upgrade::{MILESTONES, Milestone, POLLING, WEBSOCKET, flow, upgrading};
use super::*;
use crate::event::status::DisconnectReason;

#[test]
fn a_loss_of_the_session_at_any_step_takes_both_links() {
    for step in MILESTONES {
        let (mut world, _) = upgrading(step);
        let main = if step == Milestone::Done { WEBSOCKET } else { POLLING };
        world.log();
        world.lose(main, closed_link());
        assert_eq!(
            world.log(),
            ["/: disconnect transport close", "manager: close transport close"],
            "{step:?}"
        );
        assert_eq!(world.alive(), [], "{step:?}");
        let pause = world.advance_to_deadline();
        assert!(pause < Duration::from_secs(2), "{step:?}: only the reconnection waits");
        assert_eq!(world.links[&world.last_link].transport, Transport::Polling);
    }
}

#[test]
fn closing_at_any_step_sends_everything_and_ends_everything() {
    for step in MILESTONES {
        let (mut world, root) = upgrading(step);
        for number in 0..3 {
            world.emit(root, &format!("[\"e\",{number}]")).unwrap();
        }
        world.disconnect(root);
        assert_eq!(world.news(), ["/: disconnect io client disconnect"], "{step:?}");
        // Whatever the transports have under way comes to its end.
        world.slow = false;
        for _ in 0..4 {
            for link in world.alive() {
                world.written_on(link);
            }
        }
        if world.links[&POLLING].polling && step < Milestone::Telling {
            world.receive_on(POLLING, &["6"]);
            world.written_on(WEBSOCKET);
        }
        let by_polling = world.sent_on(POLLING);
        let by_websocket = world.sent_on(WEBSOCKET);
        let all: Vec<&str> = by_polling.iter().chain(&by_websocket).map(String::as_str).collect();
        let goodbye = all.iter().position(|text| *text == "41").expect("a goodbye");
        let sent: Vec<&&str> = all.iter().filter(|text| text.starts_with("42[\"e\"")).collect();
        assert_eq!(sent, [&"42[\"e\",0]", &"42[\"e\",1]", &"42[\"e\",2]"], "{step:?}");
        assert!(all[goodbye..].iter().all(|text| !text.starts_with("42")), "{step:?}");
        let close = by_polling.contains(&"1".to_owned());
        assert_eq!(close, by_websocket.iter().all(|text| text != "41"), "{step:?}: {all:?}");
        assert!(!by_websocket.contains(&"1".to_owned()), "{step:?}");
        world.assert_at_rest();
    }
}

#[test]
fn a_session_that_is_given_up_at_any_step_is_closed_in_good_order() {
    for step in MILESTONES {
        let (mut world, _) = upgrading(step);
        world.stubborn = true;
        world.run(|client, now| {
            client.end_session(DisconnectReason::TransportError, None);
            client.pump(now);
        });
        assert_eq!(world.news(), ["/: disconnect transport error"], "{step:?}");
        flow(&mut world);
        if world.links[&POLLING].polling && step < Milestone::Telling {
            world.receive_on(POLLING, &["6"]);
        }
        flow(&mut world);
        // A WebSocket that is asked to close does not here, and so can be told from one that was cut.
        let closes_by_websocket = world.alive().contains(&WEBSOCKET);
        let closes_by_polling = world.sent_on(POLLING).contains(&"1".to_owned());
        assert!(closes_by_polling != closes_by_websocket, "{step:?}: {closes_by_polling}");
        assert_eq!(closes_by_polling, step < Milestone::PausingPost, "{step:?}");
        assert!(!world.alive().contains(&POLLING), "{step:?}");
        world.advance(Duration::from_secs(5));
        assert!(!world.alive().contains(&WEBSOCKET), "{step:?}");
        assert_eq!(world.sessions, 2, "{step:?}: the next one does not wait for that");
    }
}

#[test]
fn closing_is_cut_at_the_limit_at_any_step() {
    for step in MILESTONES {
        let (mut world, root) = upgrading(step);
        world.emit(root, "[\"stuck\"]").unwrap();
        world.disconnect(root);
        world.advance(Duration::from_secs(10));
        world.assert_at_rest();
    }
}

#[test]
fn closing_is_cut_at_the_limit_on_the_new_link_as_well() {
    let (mut world, root) = upgrading(Milestone::Telling);
    world.emit(root, "[\"stuck\"]").unwrap();
    world.disconnect(root);
    world.advance(SECOND);
    // The end of the move, the event, and the ping.
    for _ in 0..3 {
        world.written_on(WEBSOCKET);
    }
    assert_eq!(world.sent_on(WEBSOCKET), ["42[\"stuck\"]", "41"]);
    assert_eq!(world.alive(), [WEBSOCKET]);
    world.advance(Duration::from_secs(5));
    world.assert_at_rest();
}

#[test]
fn a_failed_upgrade_of_a_session_that_is_closed_lets_it_close_by_polling() {
    for step in MILESTONES.into_iter().filter(|step| *step < Milestone::Done) {
        let (mut world, root) = upgrading(step);
        world.emit(root, "[\"a\"]").unwrap();
        world.disconnect(root);
        world.lose(WEBSOCKET, closed_link());
        flow(&mut world);
        flow(&mut world);
        assert_eq!(world.sent_on(POLLING), ["42[\"a\"]", "41", "1"], "{step:?}");
        world.assert_at_rest();
    }
}

#[test]
fn a_session_that_goes_back_after_the_server_knows_of_the_move_ends_with_the_next_request() {
    let (mut world, root) = upgrading(Milestone::Telling);
    world.emit_with_ack(root, "[\"held\"]", 1, None).unwrap();
    world.lose(WEBSOCKET, closed_link());
    world.log();
    let refusal = Error::new(ErrorKind::Transport, "400 Session ID unknown");
    world.lose(POLLING, Loss::Failed(refusal));
    assert_eq!(world.news(), ["/: disconnect transport error", "ack 1 failed: disconnected"]);
    world.advance_to_deadline();
    assert_eq!(world.sessions, 2);
}
