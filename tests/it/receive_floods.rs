//! Bounds that hold whatever a server sends, and however.

use std::io::Write;
use std::time::{Duration, Instant};

use crossbeam_channel::{select, unbounded};
use siot::{Buffer, ErrorKind, Event, Limits, Status, Subscription, WhenFull};
use tungstenite::Message;

use crate::support::consumer::Pace;
use crate::support::full::{unread_bytes_to, unread_bytes_to_and_at, until_full};
use crate::support::greeting::Greeting;
use crate::support::hostile::{HostileOptions, HostileServer, HostileSession};
use crate::support::raw::RawPeer;
use crate::support::{
    CaseName, Client, LIMIT, Via, alone, cpu_time_of_ours, eventually, over_each_transport,
    recv_within,
};

over_each_transport!(
    of_ten_thousand_events_at_once_exactly_the_bound_is_taken,
    of_ten_thousand_events_at_once_each_policy_keeps_exactly_its_own,
    a_bound_in_bytes_is_kept_to_the_event,
    the_sum_of_all_consumers_is_kept_to_the_event,
);

const BOUND: usize = 10;
const EVENTS: usize = 10_000;

fn with_each_revision(test: impl Fn(&HostileServer)) {
    for options in [HostileOptions::v4(), HostileOptions::v3()] {
        let _name = CaseName::new(&options);
        test(&options.start());
    }
}

#[track_caller]
fn connect(server: &HostileServer, via: Via, limits: Limits) -> (Client, HostileSession) {
    via.visit(server, |builder| builder.limits(limits))
}

/// Sends a burst, and waits until it was handed to its consumers.
#[track_caller]
fn burst_to_its_end(client: &Client, session: &HostileSession, count: usize, bytes: usize) {
    let end = client.subscribe("end");
    session.burst(count, bytes);
    session.send(r#"42["end"]"#);
    end.recv_timeout(LIMIT).unwrap();
}

fn numbers(subscription: &Subscription) -> Vec<usize> {
    subscription.try_iter().map(|event| event.arg(0).unwrap()).collect()
}

/// Nothing more comes for a while.
#[track_caller]
fn stays(client: &Client, subscription: &Subscription, count: usize) {
    assert_eq!(subscription.len(), count);
    let status = client.status.recv_timeout(Duration::from_millis(100));
    assert!(status.as_ref().is_err_and(|error| error.kind() == ErrorKind::Timeout), "{status:?}");
    assert_eq!(subscription.len(), count);
}

fn of_ten_thousand_events_at_once_exactly_the_bound_is_taken(via: Via) {
    with_each_revision(|server| {
        let (client, session) = connect(server, via, Limits::new().receive_events(BOUND));
        let nameless = client.subscribe("");
        session.repeat(r#"42[""]"#, EVENTS);
        until_full(&nameless, BOUND);
        stays(&client, &nameless, BOUND);
        for _ in 0..EVENTS {
            nameless.recv_timeout(LIMIT).unwrap();
        }
        assert_eq!((nameless.len(), nameless.lost()), (0, 0));
    });
}

fn of_ten_thousand_events_at_once_each_policy_keeps_exactly_its_own(via: Via) {
    with_each_revision(|server| {
        let (client, session) = connect(server, via, Limits::new());
        let with = |policy| client.buffer(Buffer::new().events(BOUND).when_full(policy)).unwrap();
        let oldest = with(WhenFull::DropOldest);
        let newest = with(WhenFull::DropNewest);
        let (first, last) = (newest.subscribe("flood"), oldest.subscribe("flood"));
        let in_channel = oldest.subscribe("flood");
        assert!(in_channel.receiver().is_empty());
        burst_to_its_end(&client, &session, EVENTS, 24);
        assert_eq!([&first, &last, &in_channel].map(Subscription::len), [BOUND; 3]);
        assert_eq!([&first, &last, &in_channel].map(Subscription::lost), [EVENTS - BOUND; 3]);
        assert!(numbers(&first).into_iter().eq(0..BOUND));
        for last in [&last, &in_channel] {
            assert!(numbers(last).into_iter().eq(EVENTS - BOUND..EVENTS));
        }
        assert_eq!(client.manager().counters().receive_dropped, 3 * (EVENTS - BOUND));
    });
}

fn a_bound_in_bytes_is_kept_to_the_event(via: Via) {
    with_each_revision(|server| {
        let (client, session) = connect(server, via, Limits::new());
        let with = |policy| {
            let buffer = Buffer::new().bytes(BOUND * 100).when_full(policy);
            client.buffer(buffer).unwrap().subscribe("flood")
        };
        let (oldest, newest) = (with(WhenFull::DropOldest), with(WhenFull::DropNewest));
        burst_to_its_end(&client, &session, 1000, 100);
        assert!(numbers(&oldest).into_iter().eq(1000 - BOUND..1000));
        assert!(numbers(&newest).into_iter().eq(0..BOUND));
        drop((oldest, newest));
        let waits = with(WhenFull::Wait);
        session.burst(1000, 100);
        until_full(&waits, BOUND);
        stays(&client, &waits, BOUND);
        for n in 0..1000 {
            assert_eq!(waits.recv_timeout(LIMIT).unwrap().arg::<usize>(0).unwrap(), n);
        }
    });
}

fn the_sum_of_all_consumers_is_kept_to_the_event(via: Via) {
    with_each_revision(|server| {
        let limits = Limits::new().receive_total(BOUND * 100);
        let (client, session) = connect(server, via, limits);
        let [one, other] = ["flood"; 2].map(|event| client.subscribe(event));
        session.burst(1000, 100);
        until_full(&one, BOUND / 2);
        stays(&client, &one, BOUND / 2);
        stays(&client, &other, BOUND / 2);
        // Both have to be read: none may have more than its share.
        let read = |event: Result<Event, _>| event.unwrap().arg::<usize>(0).unwrap();
        for n in 0..1000 {
            for subscription in [&one, &other] {
                assert_eq!(read(subscription.recv_timeout(LIMIT)), n);
            }
        }
    });
}

#[test]
fn a_callback_that_does_not_return_has_exactly_its_bound_waiting() {
    with_each_revision(|server| {
        for policy in [WhenFull::DropOldest, WhenFull::DropNewest] {
            let limits = Limits::new().receive_events(BOUND).when_receive_full(policy);
            let (client, session) = connect(server, Via::WebSocket, limits);
            let busy = client.callback("flood", Pace::Away);
            session.burst(1, 24);
            assert_eq!(busy.numbers(1), [0]);
            burst_to_its_end(&client, &session, EVENTS, 24);
            assert_eq!(client.manager().counters().receive_dropped, EVENTS - BOUND);
            busy.set_pace(Pace::Fast);
            let kept = match policy {
                WhenFull::DropOldest => EVENTS - BOUND..EVENTS,
                _ => 0..BOUND,
            };
            assert!(busy.numbers(BOUND).into_iter().eq(kept));
        }
    });
}

/// How busy a reader may be that is to hold still for [`WHILE`], on a machine that has other things to do.
const IDLE: Duration = Duration::from_millis(150);
const WHILE: Duration = Duration::from_millis(500);

/// Nothing more comes for a while, and the threads come to rest: what they had to do may take long on a slow machine, but
/// one that turns in circles is never seen at rest.
#[track_caller]
fn holds_still(client: &Client, most: usize, subscription: &Subscription) {
    let start = Instant::now();
    loop {
        let before = cpu_time_of_ours();
        let status = client.status.recv_timeout(WHILE);
        let waiting = subscription.len();
        assert!(waiting <= most, "{waiting} wait; {status:?}");
        let busy = cpu_time_of_ours().saturating_sub(before);
        if busy < IDLE {
            return;
        }
        assert!(
            start.elapsed() < LIMIT,
            "busy again and again, the last time for {busy:?} of {WHILE:?}"
        );
    }
}

/// Whether so many bytes come from the client of a server that does not read, within a while.
fn answers(server: &HostileServer, bytes: u64) -> bool {
    let start = Instant::now();
    while unread_bytes_to_and_at(server.port()) < bytes {
        if start.elapsed() > WHILE {
            return false;
        }
        std::thread::yield_now();
    }
    true
}

#[test]
fn pongs_that_wait_for_a_full_socket_lift_no_bound() {
    alone(|| {
        let server = HostileOptions::v4().start();
        let limits = Limits::new().receive_events(BOUND);
        let (client, session) = connect(&server, Via::WebSocket, limits);
        let nameless = client.subscribe("");
        session.stop_reading();
        // Until the answers fill the socket of the client: never more is asked than it has answered.
        let mut asked = 0;
        loop {
            session.websocket_pings(40, 125);
            recv_within(&session.done(), LIMIT);
            // Each with a header and a mask.
            asked += 40 * (2 + 4 + 125);
            if !answers(&server, asked) {
                break;
            }
        }
        session.repeat(r#"42[""]"#, EVENTS);
        until_full(&nameless, BOUND);
        stays(&client, &nameless, BOUND);
        session.read_on();
        eventually(LIMIT, "answers that are read", || unread_bytes_to(server.port()) == 0);
        holds_still(&client, BOUND, &nameless);
        for _ in 0..EVENTS {
            nameless.recv_timeout(LIMIT).unwrap();
        }
        assert!(client.status.try_recv().is_none());
    });
}

#[test]
fn a_reset_lifts_no_bound() {
    alone(|| {
        let (filled, is_filled) = unbounded();
        let (go_on, may_go_on) = unbounded();
        let peer = RawPeer::websocket(move |socket, number| {
            socket.send(Message::text(Greeting::new("s").text()))?;
            while !socket.read()?.to_text()?.starts_with("40") {}
            socket.send(Message::text(r#"40{"sid":"a"}"#))?;
            if number > 0 {
                socket.read()?;
                return Ok(());
            }
            // As much as the kernel takes.
            let mut stream = socket.get_ref();
            stream.set_write_timeout(Some(Duration::from_millis(300)))?;
            let block = [&[0x81, 6][..], br#"42[""]"#].concat().repeat(4096);
            while stream.write_all(&block).is_ok() {}
            // The test may have failed.
            let _ = filled.send(());
            let _ = may_go_on.recv_timeout(LIMIT);
            rustix::net::connect_unspec(stream).map_err(std::io::Error::from)?;
            Ok(())
        });
        // In the reserve there is room for as many, each with what it costs beside its text.
        let reserve = 100;
        let limits = Limits::new().receive_events(BOUND).receive_reserve(reserve * (6 + 200));
        let client = Client::connect(Via::WebSocket.builder(peer.url()).limits(limits));
        let nameless = client.subscribe("");
        recv_within(&is_filled, LIMIT);
        until_full(&nameless, BOUND);
        stays(&client, &nameless, BOUND);
        go_on.send(()).unwrap();
        // Of what came before the end, no more is read than there is room for.
        holds_still(&client, BOUND + reserve, &nameless);
        let status = loop {
            select! {
                recv(nameless.receiver()) -> event => drop(event.unwrap()),
                recv(client.status.receiver()) -> status => break status.unwrap(),
                default(LIMIT) => panic!("there is no end"),
            }
        };
        assert!(matches!(status, Status::Disconnected { .. }), "{status:?}");
        client.connected();
    });
}
