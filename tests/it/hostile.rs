//! Servers that do as they like: bursts, silence, half messages, and nothing read.

use std::time::{Duration, Instant};

use crossbeam_channel::RecvTimeoutError;
use siot::{Binary, DisconnectReason, ErrorKind, Limits, Revision, Stage, WhenFull};

use crate::support::consumer::Pace;
use crate::support::hostile::{HostileOptions, HostileServer, HostileSession};
use crate::support::{CaseName, Client, LIMIT, Via, eventually, over_each_transport, recv_within};

over_each_transport!(
    namespaces_are_joined_and_packets_of_every_kind_arrive,
    an_answer_is_given_by_hand,
    a_burst_arrives_complete_and_in_order,
    bursts_in_two_namespaces_do_not_mix,
    a_burst_is_not_read_while_its_consumer_is_away_and_nobody_waits,
    what_a_server_does_not_read_is_kept_within_limits_and_sent_later,
    a_message_that_stalls_is_no_heartbeat,
    a_server_that_only_answers_heartbeats_is_waited_for_as_long_as_was_said,
    a_server_that_hangs_up_is_a_closed_transport,
    a_session_that_is_given_up_is_closed_at_once,
);

/// Runs a test with a server of each revision.
fn with_each_revision(test: impl Fn(HostileOptions)) {
    for options in [HostileOptions::v4(), HostileOptions::v3()] {
        let _name = CaseName::new(&options);
        test(options);
    }
}

#[track_caller]
fn connect(server: &HostileServer, via: Via) -> (Client, HostileSession) {
    via.visit(server, |builder| builder)
}

#[track_caller]
fn connect_with(server: &HostileServer, via: Via, limits: Limits) -> (Client, HostileSession) {
    via.visit(server, |builder| builder.limits(limits))
}

/// The next packet that is about no namespace as such.
#[track_caller]
fn next_event(session: &HostileSession) -> String {
    loop {
        let packet = session.next();
        if !packet.starts_with("40") {
            return packet;
        }
    }
}

fn namespaces_are_joined_and_packets_of_every_kind_arrive(via: Via) {
    with_each_revision(|options| {
        let server = options.start();
        let (client, session) = connect(&server, via);
        let admin = client.connect_in("/admin");
        client.emit("a", ("é", 1)).unwrap();
        assert_eq!(next_event(&session), r#"42["a","é",1]"#);
        admin.emit("b", Binary::from(vec![7; 700])).unwrap();
        let header = r#"451-/admin,["b",{"_placeholder":true,"num":0}]"#;
        assert_eq!(next_event(&session), header);
        assert_eq!(next_event(&session), "<700 bytes>");
        session.send(r#"42["c",3]"#);
        let before = session.arrivals();
        let any = client.subscribe_any();
        session.send(r#"420["d"]"#);
        let last = std::iter::from_fn(|| any.recv_timeout(LIMIT).ok()).find(|e| e.name() == "d");
        last.unwrap().ack("e").unwrap();
        assert_eq!(next_event(&session), r#"430["e"]"#);
        let after = session.arrivals();
        assert_eq!((after.packets, after.bytes), (before.packets + 1, before.bytes + 8));
    });
}

fn an_answer_is_given_by_hand(via: Via) {
    with_each_revision(|options| {
        let server = options.start();
        let (client, session) = connect(&server, via);
        let mut answer = client.emit_with_ack("question", "how?").unwrap();
        let packet = next_event(&session);
        let id = packet.strip_prefix("42").and_then(|rest| rest.split('[').next()).unwrap();
        session.send(&format!(r#"43{id}["so"]"#));
        assert_eq!(answer.wait_timeout::<String>(LIMIT).unwrap(), "so");
    });
}

fn a_burst_arrives_complete_and_in_order(via: Via) {
    with_each_revision(|options| {
        let server = options.start();
        let (client, session) = connect(&server, via);
        let flood = client.subscribe("flood");
        for (count, bytes) in [(5000, 50), (500, 300), (3, 70_000)] {
            session.burst(count, bytes);
            for n in 0..count {
                let event = flood.recv_timeout(LIMIT).unwrap();
                assert_eq!(event.arg::<usize>(0).unwrap(), n);
                // With the digits of the types of both protocols.
                assert_eq!(event.json().len() + 2, bytes);
            }
        }
    });
}

fn bursts_in_two_namespaces_do_not_mix(via: Via) {
    with_each_revision(|options| {
        let server = options.start();
        let (client, session) = connect(&server, via);
        let admin = client.connect_in("/admin");
        let slow = admin.slow_consumer("flood", Duration::from_millis(1));
        let fast = client.consumer("flood", Pace::Fast);
        session.burst_in("/admin", 200, 60);
        session.burst(300, 60);
        assert!(fast.numbers(300).into_iter().eq(0..300));
        assert!(slow.numbers(200).into_iter().eq(0..200));
    });
}

fn a_burst_is_not_read_while_its_consumer_is_away_and_nobody_waits(via: Via) {
    let server = HostileOptions::v4().start();
    let limits = Limits::new().receive_events(10);
    let (client, session) = connect_with(&server, via, limits);
    let consumer = client.consumer("flood", Pace::Away);
    // More than the kernel's buffers hold.
    let (count, bytes) = (200, 100_000);
    session.burst(count, bytes);
    let done = session.done();
    assert_eq!(done.recv_timeout(Duration::from_secs(1)), Err(RecvTimeoutError::Timeout));
    consumer.set_pace(Pace::Fast);
    assert!(consumer.numbers(count).into_iter().eq(0..count));
    recv_within(&done, LIMIT);
}

fn what_a_server_does_not_read_is_kept_within_limits_and_sent_later(via: Via) {
    let server = HostileOptions::v4().start();
    let limits = Limits::new().send_bytes(1_000_000).when_send_full(WhenFull::DropNewest);
    let (client, session) = connect_with(&server, via, limits);
    session.stop_reading();
    let text = "x".repeat(100_000);
    let mut kept = 0;
    let error = loop {
        match client.emit("e", (kept, &text)) {
            Ok(()) => kept += 1,
            Err(error) => break error,
        }
        assert!(kept < 1000, "there is no limit");
    };
    assert_eq!(error.kind(), ErrorKind::BufferFull, "{error}");
    session.read_on();
    for n in 0..kept {
        let packet = next_event(&session);
        assert!(packet.starts_with(&format!(r#"42["e",{n},"#)), "{} bytes", packet.len());
    }
}

fn a_message_that_stalls_is_no_heartbeat(via: Via) {
    with_each_revision(|options| {
        let server = options.heartbeat(1000, 1000).start();
        let (client, session) = connect(&server, via);
        session.stall_after(1000);
        assert_eq!(client.disconnected().0, DisconnectReason::PingTimeout);
    });
}

fn a_server_that_only_answers_heartbeats_is_waited_for_as_long_as_was_said(via: Via) {
    let server = HostileOptions::v3().heartbeat(50, 20_000).heartbeats_only().start();
    // That it is an old one it does not show.
    let builder = || via.builder(format!("{}/admin", server.url())).revision(Revision::V3);
    let await_heartbeats = |session: &HostileSession| {
        eventually(LIMIT, "two heartbeats", || session.arrivals().pings >= 2);
    };
    // How long that takes here, however busy the machine is.
    let start = Instant::now();
    let patient = Client::start(builder());
    await_heartbeats(&server.session());
    let limit = 4 * start.elapsed() + Duration::from_secs(2);
    let start = Instant::now();
    let client = Client::start(builder().namespace_timeout(limit));
    await_heartbeats(&server.session());
    let error = client.connect_error();
    assert!(start.elapsed() >= limit, "{:?} of {limit:?}", start.elapsed());
    assert_eq!((error.stage(), error.is_timeout()), (Some(Stage::Namespace), true), "{error}");
    assert!(patient.status.try_recv().is_none());
}

fn a_session_that_is_given_up_is_closed_at_once(via: Via) {
    with_each_revision(|options| {
        // Since nothing answers it, or by what it says.
        let server = options.clone().heartbeats_only().start();
        let limit = Duration::from_millis(100);
        let builder = via.builder(format!("{}/admin", server.url())).namespace_timeout(limit);
        let client = Client::start(builder);
        let session = server.session();
        assert_eq!(client.connect_error().stage(), Some(Stage::Namespace));
        recv_within(session.goodbye(), LIMIT);
        let server = options.start();
        let (client, session) = connect(&server, via);
        session.send("4?");
        assert_eq!(client.disconnected().0, DisconnectReason::ParseError);
        recv_within(session.goodbye(), LIMIT);
    });
}

fn a_server_that_hangs_up_is_a_closed_transport(via: Via) {
    with_each_revision(|options| {
        let server = options.start();
        let (client, session) = connect(&server, via);
        let consumer = client.consumer("flood", Pace::Fast);
        session.burst(100, 100);
        session.hang_up();
        assert!(consumer.numbers(100).into_iter().eq(0..100));
        let (reason, error) = client.disconnected();
        let is_transport =
            matches!(reason, DisconnectReason::TransportClose | DisconnectReason::TransportError);
        assert!(is_transport, "{reason}: {error:?}");
        // The next session is one like the first.
        let session = server.session();
        client.reconnected();
        session.burst(100, 100);
        assert!(consumer.numbers(100).into_iter().eq(0..100));
    });
}

#[test]
fn pings_of_websocket_are_answered_and_hold_nothing_up() {
    let server = HostileOptions::v4().start();
    let (client, session) = connect(&server, Via::WebSocket);
    let consumer = client.consumer("flood", Pace::Fast);
    session.websocket_pings(1000, 100);
    session.burst(100, 100);
    session.websocket_pings(1000, 0);
    session.ping();
    recv_within(&session.done(), LIMIT);
    assert!(consumer.numbers(100).into_iter().eq(0..100));
    eventually(LIMIT, "the answer to the heartbeat", || session.arrivals().pongs == 1);
    assert!(client.status.try_recv().is_none());
}
