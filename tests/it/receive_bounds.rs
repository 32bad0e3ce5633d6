//! The policy to wait: how much waits, what pushes back, and what happens when even the reserve is used
//! up.

use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::unbounded;
use serde_json::json;
use siot::{Binary, Error, ErrorKind, Limits, Subscription};

use crate::support::consumer::Pace;
use crate::support::full::{unread_bytes_from, until_full};
use crate::support::hostile::HostileOptions;
use crate::support::server::PARSERS;
use crate::support::{
    CaseName, Client, LIMIT, Server, Via, brisk_each, over_each_transport, pattern, recv_within,
    shared, shared_each,
};

over_each_transport!(
    a_wait_behind_a_used_up_reserve_ends_at_once_and_names_the_subscription,
    a_wait_behind_a_used_up_reserve_ends_at_once_and_names_the_callback,
    a_join_behind_a_used_up_reserve_is_given_up_at_once,
    a_session_whose_heartbeat_cannot_be_read_is_lost_for_that_reason,
    a_wait_that_is_over_is_no_reason_to_read_on,
    a_wait_for_room_behind_a_used_up_reserve_ends_at_once,
    a_full_consumer_that_is_gone_holds_up_nothing,
    events_with_attachments_wait_whole_with_each_parser,
);

const BOUND: usize = 10;

/// Limits with next to no reserve.
fn tight() -> Limits {
    Limits::new().receive_events(BOUND).receive_reserve(1000)
}

/// What fails fails long before it would be too late: who waits has [`LIMIT`].
const AT_ONCE: Duration = Duration::from_secs(LIMIT.as_secs() / 2);

#[track_caller]
fn read(flood: &Subscription, count: usize) {
    for n in 0..count {
        assert_eq!(flood.recv_timeout(LIMIT).unwrap().arg::<usize>(0).unwrap(), n);
    }
}

/// Checks that an error blames this consumer.
#[track_caller]
fn blames(error: &Error, consumer: &str, waiting: usize) {
    assert_eq!(error.kind(), ErrorKind::BufferFull, "{error}");
    let text = error.to_string();
    assert!(text.contains(consumer), "{text}");
    assert!(text.contains(&format!("{waiting} events")), "{waiting}: {text}");
}

#[test]
fn exactly_the_bound_waits_and_the_rest_stays_with_the_server() {
    for version in [4, 2] {
        let server = Server::version(version, json!({}));
        for &via in Via::ALL {
            let _name = CaseName::new((version, via));
            let limits = Limits::new().receive_events(BOUND);
            let client = Client::connect(via.builder(server.url()).limits(limits));
            if via == Via::Upgrade {
                client.upgraded();
            }
            let flood = client.subscribe("flood");
            client.emit("flood", (3000, 1000)).unwrap();
            until_full(&flood, BOUND);
            let status = client.status.recv_timeout(Duration::from_millis(200));
            assert!(status.is_err(), "{status:?}");
            assert_eq!(flood.len(), BOUND);
            assert!(unread_bytes_from(server.port()) > 100_000);
            // It goes on where room is made, and no further.
            for n in 0..BOUND / 2 {
                assert_eq!(flood.recv_timeout(LIMIT).unwrap().arg::<usize>(0).unwrap(), n);
            }
            until_full(&flood, BOUND);
            assert_eq!(flood.len(), BOUND);
            for n in BOUND / 2..3000 {
                assert_eq!(flood.recv_timeout(LIMIT).unwrap().arg::<usize>(0).unwrap(), n);
            }
            client.works();
            client.manager().close(LIMIT);
        }
    }
}

fn a_wait_behind_a_used_up_reserve_ends_at_once_and_names_the_subscription(via: Via) {
    for server in shared_each() {
        let _name = CaseName::new(server);
        let builder = via.builder(format!("{}/admin", server.url())).limits(tight());
        let client = Client::connect(builder);
        let flood = client.subscribe("flood");
        client.emit("flood", (500, 100)).unwrap();
        until_full(&flood, BOUND);
        let start = Instant::now();
        let patient = client.timeout(LIMIT);
        let error = patient.emit_with_ack("sum", (1, 2)).unwrap().wait::<u32>().unwrap_err();
        assert!(start.elapsed() < AT_ONCE, "{:?}", start.elapsed());
        blames(&error, r#""flood" in "/admin""#, flood.len());
        // A few bytes of reserve are used, and no more.
        assert!((BOUND + 2..BOUND + 6).contains(&flood.len()), "{}", flood.len());
        // The same for one who begins to wait only now, by a callback.
        let (sender, answer) = unbounded();
        let told = move |answer: siot::Result<siot::AckReply>| sender.send(answer).unwrap();
        patient.emit_with_callback("sum", (1, 2), told).unwrap();
        let error = recv_within(&answer, AT_ONCE).unwrap_err();
        blames(&error, r#""flood" in "/admin""#, flood.len());
        assert!(client.status.try_recv().is_none());
        // Whoever reads on finds everything, and is answered again.
        read(&flood, 500);
        client.works();
        assert_eq!(flood.lost(), 0);
    }
}

fn a_wait_behind_a_used_up_reserve_ends_at_once_and_names_the_callback(via: Via) {
    for server in shared_each() {
        let _name = CaseName::new(server);
        let client = Client::connect(via.builder(server.url()).limits(tight()));
        let busy = client.callback("flood", Pace::Away);
        client.emit("flood", (500, 100)).unwrap();
        assert_eq!(busy.numbers(1), [0]);
        let start = Instant::now();
        let ack = client.timeout(LIMIT).emit_with_ack("sum", (1, 2)).unwrap();
        let error = ack.wait::<u32>().unwrap_err();
        assert!(start.elapsed() < AT_ONCE, "{:?}", start.elapsed());
        assert_eq!(error.kind(), ErrorKind::BufferFull, "{error}");
        assert!(error.to_string().contains(r#"the callback for "flood" in "/""#), "{error}");
        busy.set_pace(Pace::Fast);
        assert!(busy.numbers(499).into_iter().eq(1..500));
        client.works();
    }
}

fn a_join_behind_a_used_up_reserve_is_given_up_at_once(via: Via) {
    for server in shared_each() {
        let _name = CaseName::new(server);
        let client = Client::connect(via.builder(server.url()).limits(tight()));
        let flood = client.subscribe("flood");
        client.emit("flood", (500, 100)).unwrap();
        until_full(&flood, BOUND);
        let start = Instant::now();
        let admin = client.start_in("/admin");
        let error = admin.wait_connected(LIMIT).unwrap_err();
        assert!(start.elapsed() < AT_ONCE, "{:?}", start.elapsed());
        blames(&error, r#""flood" in "/""#, flood.len());
        read(&flood, 500);
        admin.wait_connected(LIMIT).unwrap();
        admin.works();
    }
}

#[test]
fn whoever_has_taken_everything_is_answered_though_the_reader_is_still_asleep() {
    let client = Client::connect(Via::longest().builder(shared().url()).limits(tight()));
    let flood = client.subscribe("flood");
    for n in 0..50 {
        client.emit("flood", (100, 10)).unwrap();
        until_full(&flood, BOUND);
        // It is awaited until it is there.
        let other = client.manager().socket(&format!("/multi-{n}")).unwrap();
        assert_eq!(other.wait_connected(LIMIT).unwrap_err().kind(), ErrorKind::BufferFull);
        read(&flood, 100);
        // Nothing is left that could be blamed.
        if n % 2 == 0 {
            client.works();
        }
        other.wait_connected(LIMIT).unwrap();
    }
}

/// The reader holds still again once it was woken, since nothing is awaited. That the reserve was used
/// up before is no reason then for the next wait to fail.
#[test]
fn no_wait_fails_for_a_reserve_that_has_room_again() {
    for options in [HostileOptions::v4(), HostileOptions::v3()] {
        let _name = CaseName::new(&options);
        let server = options.start();
        let (client, session) = Via::WebSocket.visit(&server, |builder| builder.limits(tight()));
        let flood = client.subscribe("flood");
        for n in 0..50 {
            // Three fit into the reserve.
            session.burst(BOUND + 5, 100);
            until_full(&flood, BOUND);
            let error = client.emit_with_ack("question", ()).unwrap().wait::<()>().unwrap_err();
            blames(&error, r#""flood" in "/""#, BOUND + 3);
            // Of these, one is left there.
            for n in 0..2 {
                assert_eq!(flood.try_recv().unwrap().arg::<usize>(0).unwrap(), n);
            }
            let other = client.manager().socket(&format!("/other-{n}")).unwrap();
            other.wait_connected(LIMIT).unwrap();
            assert_eq!(flood.try_iter().count(), BOUND + 3);
        }
    }
}

/// The reader of the link that the session leaves holds still, since the reserve is used up. That it has a
/// little room again wakes nobody by itself; the reader of the new link finds it.
#[cfg(feature = "polling")]
#[test]
fn room_that_one_reader_finds_is_room_for_the_other() {
    for options in [HostileOptions::v4(), HostileOptions::v3()] {
        let _name = CaseName::new(&options);
        let server = options.holds_back_probe().start();
        let client = Client::start(Via::Upgrade.builder(server.url()).limits(tight()));
        let session = server.session();
        client.connected();
        let flood = client.subscribe("flood");
        session.burst(50, 100);
        let patient = client.timeout(LIMIT);
        let ask = || patient.emit_with_ack("question", ()).unwrap().wait::<()>().unwrap_err();
        // Who is told this is told by a reader that holds still.
        blames(&ask(), r#""flood" in "/""#, BOUND + 3);
        assert_eq!(flood.try_recv().unwrap().arg::<usize>(0).unwrap(), 0);
        session.answer_probe();
        until_full(&flood, BOUND + 3);
        blames(&ask(), r#""flood" in "/""#, BOUND + 3);
        for n in 1..50 {
            assert_eq!(flood.recv_timeout(LIMIT).unwrap().arg::<usize>(0).unwrap(), n);
        }
        client.upgraded();
    }
}

fn a_session_whose_heartbeat_cannot_be_read_is_lost_for_that_reason(via: Via) {
    let clients = brisk_each().map(|server| {
        let client = Client::connect(via.builder(server.url()).limits(tight()));
        if via == Via::Upgrade {
            client.upgraded();
        }
        let flood = client.subscribe("flood");
        client.emit("flood", (500, 100)).unwrap();
        (client, flood)
    });
    for ((client, flood), server) in clients.iter().zip(brisk_each()) {
        let _name = CaseName::new(server);
        let (reason, error) = client.disconnected();
        let error = error.unwrap_or_else(|| panic!("{reason} without a cause"));
        assert_eq!(error.kind(), ErrorKind::BufferFull, "{reason}: {error}");
        assert!(error.to_string().contains(r#""flood" in "/""#), "{error}");
        // The next session is held up by nothing.
        client.reconnected();
        let unread = flood.len();
        read(flood, unread);
        client.works();
    }
}

fn a_wait_that_is_over_is_no_reason_to_read_on(via: Via) {
    let limits = Limits::new().receive_events(BOUND);
    let client = Client::connect(via.builder(shared().url()).limits(limits));
    if via == Via::Upgrade {
        client.upgraded();
    }
    let (flood, other) = (client.subscribe("flood"), client.subscribe("other"));
    let late = other.recv_timeout(Duration::from_millis(10)).unwrap_err();
    assert!(late.is_timeout(), "{late}");
    assert!(client.subscribe("flood").recv_timeout(Duration::from_millis(10)).is_err());
    client.works();
    client.emit("flood", (3000, 100)).unwrap();
    until_full(&flood, BOUND);
    assert!(client.status.recv_timeout(Duration::from_millis(100)).is_err());
    assert_eq!(flood.len(), BOUND);
    read(&flood, 3000);
}

/// The server reads nothing, and writes more than is taken of it.
fn a_wait_for_room_behind_a_used_up_reserve_ends_at_once(via: Via) {
    for options in [HostileOptions::v4(), HostileOptions::v3()] {
        let _name = CaseName::new(&options);
        let server = options.start();
        let (client, session) = via.visit(&server, |builder| builder.limits(tight()));
        let (flood, questions) = (client.subscribe("flood"), client.subscribe("question"));
        session.send(r#"420["question"]"#);
        let question = recv_within(questions.receiver(), LIMIT);
        session.stop_reading();
        session.burst(500, 100);
        until_full(&flood, BOUND);
        let (sender, outcomes) = unbounded();
        let (socket, text) = (client.socket.clone(), "x".repeat(100_000));
        thread::spawn(move || {
            let mut emits = (0..).map(|n| socket.emit("e", (n, &text)));
            let mut next_error = || emits.find_map(Result::err).unwrap();
            // One that begins to wait, and one that begins only now.
            for error in [next_error(), next_error()] {
                sender.send(error).unwrap();
            }
            // And an answer, once the buffers of the system are full as well.
            let mut refused = 0;
            while refused < 200 {
                refused = if socket.emit("e", &text).is_ok() { 0 } else { refused + 1 };
                thread::sleep(Duration::from_millis(1));
            }
            sender.send(question.ack(&text).unwrap_err()).unwrap();
        });
        for _ in 0..3 {
            // Long before a heartbeat is due.
            let error = recv_within(&outcomes, LIMIT);
            blames(&error, r#""flood" in "/""#, flood.len());
        }
        assert!((BOUND + 2..BOUND + 6).contains(&flood.len()), "{}", flood.len());
        // The session goes on where it was, once each side reads.
        session.read_on();
        read(&flood, 500);
        client.emit("last", ()).unwrap();
        while session.next() != r#"42["last"]"# {}
        assert!(client.status.try_recv().is_none());
    }
}

fn a_full_consumer_that_is_gone_holds_up_nothing(via: Via) {
    let server = HostileOptions::v4().start();
    let limits = Limits::new().receive_events(BOUND);
    let client = Client::start(via.builder(server.url()).limits(limits));
    let session = server.session();
    client.connected();
    if via == Via::Upgrade {
        client.upgraded();
    }
    let held_up = || {
        // More than the kernel's buffers hold, which grow.
        session.burst(300, 100_000);
        let done = session.done();
        assert!(done.recv_timeout(Duration::from_millis(200)).is_err());
        done
    };
    let flood = client.subscribe("flood");
    let done = held_up();
    drop(flood);
    recv_within(&done, LIMIT);
    let (let_go, gate) = unbounded::<()>();
    let id = client
        .on("flood", move |_| {
            let _ = gate.recv();
        })
        .unwrap();
    let done = held_up();
    assert!(client.off(id));
    recv_within(&done, LIMIT);
    drop(let_go);
    // A socket that leaves has its events, and no more of them are for it.
    let _others = client.connect_in("/admin");
    let flood = client.subscribe("flood");
    let done = held_up();
    client.disconnect();
    recv_within(&done, LIMIT);
    read(&flood, BOUND);
    assert!(flood.len() < 5 * BOUND, "{} came behind its end", flood.len());
}

fn events_with_attachments_wait_whole_with_each_parser(via: Via) {
    static SERVERS: [OnceLock<Server>; 3] = [const { OnceLock::new() }; 3];
    for ((parser, name), server) in PARSERS.iter().zip(&SERVERS) {
        let _name = CaseName::new(parser);
        let server = server.get_or_init(|| Server::start(json!({ "parser": name })));
        let limits = Limits::new().receive_events(BOUND);
        let client = Client::connect(via.builder(server.url()).parser(*parser).limits(limits));
        if via == Via::Upgrade {
            client.upgraded();
        }
        let flood = client.subscribe("bflood");
        client.emit("bflood", (200, 300)).unwrap();
        until_full(&flood, BOUND);
        assert!(client.status.recv_timeout(Duration::from_millis(50)).is_err());
        assert_eq!(flood.len(), BOUND);
        for n in 0..200 {
            let event = flood.recv_timeout(LIMIT).unwrap();
            let (number, bytes): (usize, Binary) = event.args().unwrap();
            assert_eq!((number, bytes.into_vec()), (n, pattern(0, n, 0, 300)));
            if n % 50 == 0 {
                client.works();
            }
        }
        assert_eq!((flood.len(), flood.lost()), (0, 0));
    }
}

#[test]
fn what_was_read_ahead_while_a_consumer_was_full_is_handed_on() {
    for options in [HostileOptions::v4(), HostileOptions::v3()] {
        let _name = CaseName::new(&options);
        let server = options.start();
        let limits = Limits::new().receive_events(BOUND);
        let client = Client::start(Via::WebSocket.builder(server.url()).limits(limits));
        let session = server.session();
        client.connected();
        let flood = client.subscribe("flood");
        // A few more than are handed in together, so that these are left in the buffer of the
        // WebSocket, and nothing in that of the kernel.
        session.burst(1030, 20);
        until_full(&flood, BOUND);
        read(&flood, 1030);
    }
}
