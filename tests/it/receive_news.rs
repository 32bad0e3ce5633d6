//! What tells of the connection waits within bounds too, and holds up nothing: statuses, news, errors,
//! what is sent, and packets.

use crossbeam_channel::{Receiver, Sender, unbounded};
use log::{Level, LevelFilter};
use siot::{Buffer, EngineEvent, Limits, ManagerEvent, Status, Subscription, WhenFull};

use crate::support::hostile::{HostileOptions, HostileServer, HostileSession};
use crate::support::logged::{capture_log, lines};
use crate::support::{
    CaseName, Client, LIMIT, Via, alone, over_each_transport, recv_within, shared, shared_each,
};

over_each_transport!(
    statuses_that_nobody_takes_are_the_newest_few,
    news_that_nobody_takes_are_the_newest_few,
    what_is_sent_and_not_looked_at_is_the_newest_and_holds_up_nothing,
    observers_of_packets_take_nothing_from_each_other,
);

/// How many statuses or news wait for one consumer.
const NEWS: usize = 64;

#[track_caller]
fn connect(server: &HostileServer, via: Via) -> (Client, HostileSession) {
    via.visit(server, |builder| builder)
}

/// Waits until all that was sent to a client has been handed to its consumers.
#[track_caller]
fn settle(client: &Client, session: &HostileSession) {
    let end = client.subscribe("end");
    session.send(r#"42["end"]"#);
    end.recv_timeout(LIMIT).unwrap();
}

/// A callback that is busy with the first thing until it is let go, and keeps all for the test.
struct Busy<T> {
    let_go: Sender<()>,
    taken: Receiver<T>,
}

impl<T: Send + 'static> Busy<T> {
    fn new() -> (Self, impl FnMut(T) + Send + 'static) {
        let (let_go, gate) = unbounded::<()>();
        let (take, taken) = unbounded();
        let callback = move |thing| {
            // The test may have ended.
            let _ = take.send(thing);
            let _ = gate.recv();
        };
        (Self { let_go, taken }, callback)
    }

    /// Lets it go; gives all that it is called with for what has happened up to now.
    #[track_caller]
    fn rest(self, client: &Client) -> Vec<T> {
        let (sender, turn) = unbounded();
        // Its turn is behind all of them.
        client.on_any_outgoing(move |_| sender.send(()).unwrap()).unwrap();
        client.emit("turn", ()).unwrap();
        drop(self.let_go);
        recv_within(&turn, LIMIT);
        self.taken.try_iter().collect()
    }
}

/// The texts of errors that a server has reported.
#[track_caller]
fn reported(statuses: &[Status]) -> Vec<String> {
    let text = |status: &Status| match status {
        Status::Error(error) => error.message().to_owned(),
        other => panic!("no error: {other:?}"),
    };
    statuses.iter().map(text).collect()
}

fn statuses_that_nobody_takes_are_the_newest_few(via: Via) {
    let server = HostileOptions::v3().start();
    let (client, session) = connect(&server, via);
    // Both begin with how the socket stands.
    let unread = client.socket.status();
    let (busy, callback) = Busy::new();
    let listener = client.on_status(callback).unwrap();
    let first = recv_within(&busy.taken, LIMIT);
    assert!(matches!(first, Status::Connected { .. }), "{first:?}");
    let count = 500;
    for n in 0..count {
        session.send(&format!(r#"44"{n}""#));
    }
    settle(&client, &session);
    let newest: Vec<String> = (count - NEWS..count).map(|n| n.to_string()).collect();
    assert_eq!((unread.len(), unread.lost()), (NEWS, count + 1 - NEWS));
    assert_eq!(reported(&unread.try_iter().collect::<Vec<_>>()), newest);
    assert_eq!(client.lost(listener), Some(count - NEWS));
    assert_eq!(reported(&busy.rest(&client)), newest);
    // Nothing of it is an event.
    assert_eq!(client.manager().counters().receive_dropped, 0);
}

fn news_that_nobody_takes_are_the_newest_few(via: Via) {
    let server = HostileOptions::v4().start();
    let (client, session) = connect(&server, via);
    let unread = client.manager().events();
    let (busy, callback) = Busy::new();
    client.manager().on_event(callback).unwrap();
    session.ping();
    recv_within(&busy.taken, LIMIT);
    let count = 500;
    session.repeat("2", count);
    settle(&client, &session);
    assert_eq!((unread.len(), unread.lost()), (NEWS, count + 1 - NEWS));
    let is_ping = |event: &ManagerEvent| matches!(event, ManagerEvent::Ping);
    assert!(unread.try_iter().all(|event| is_ping(&event)));
    let called = busy.rest(&client);
    assert_eq!(called.len(), NEWS);
    assert!(called.iter().all(is_ping));
}

#[test]
fn what_an_old_server_reports_is_cut_short_however_long_it_is() {
    let server = HostileOptions::v3().start();
    let (client, session) = connect(&server, Via::WebSocket);
    session.repeat(&format!(r#"44"{}""#, "x".repeat(900_000)), 20);
    for _ in 0..20 {
        let Status::Error(error) = client.next_status() else { panic!("no error") };
        assert!(error.message().len() < 10_000, "{} bytes", error.message().len());
        assert!(error.to_string().len() < 10_000);
    }
}

#[test]
fn a_flood_of_reports_is_no_flood_of_lines() {
    alone(|| {
        capture_log(LevelFilter::Info);
        for (options, packet) in [
            (HostileOptions::v3(), r#"44"no""#),
            // Nonsense in an open session.
            (HostileOptions::v3(), "0{}"),
            (HostileOptions::v4(), "0{}"),
            (HostileOptions::v4(), r#"40{"sid":"again"}"#),
            (HostileOptions::v4(), r#"44{"message":"no"}"#),
            (HostileOptions::v4(), r#"42/unknown,["event"]"#),
            (HostileOptions::v4(), r#"437["unasked"]"#),
            (HostileOptions::v4(), r#"42["nobody listens"]"#),
        ] {
            let _name = CaseName::new((&options, packet));
            let server = options.start();
            let (client, session) = connect(&server, Via::WebSocket);
            let before = lines().len();
            session.repeat(packet, 1000);
            settle(&client, &session);
            let said: Vec<_> = lines().split_off(before);
            let ours = said.iter().filter(|line| line.target.starts_with("siot"));
            assert!(ours.clone().count() < 10, "{:?}", ours.collect::<Vec<_>>());
            assert!(said.iter().all(|line| line.level >= Level::Warn));
        }
    });
}

/// The numbers of the events that were sent.
fn numbers(sent: &Subscription) -> Vec<usize> {
    sent.try_iter().map(|event| event.arg(0).unwrap()).collect()
}

fn what_is_sent_and_not_looked_at_is_the_newest_and_holds_up_nothing(via: Via) {
    for server in shared_each() {
        let _name = CaseName::new(server);
        let limits = Limits::new().receive_events(10);
        let client = Client::connect(via.builder(server.url()).limits(limits));
        let unread = client.subscribe_any_outgoing();
        // The policy to wait is none for what is sent.
        let patient = Buffer::new().events(5).when_full(WhenFull::Wait);
        let few = client.buffer(patient).unwrap().subscribe_any_outgoing();
        let (busy, callback) = Busy::new();
        let listener = client.on_any_outgoing(callback).unwrap();
        client.emit("note", 0).unwrap();
        recv_within(&busy.taken, LIMIT);
        for n in 1..=500 {
            client.emit("note", n).unwrap();
        }
        // What is received comes as if nobody watched.
        let flood = client.subscribe("flood");
        client.emit("flood", (1000, 10)).unwrap();
        for n in 0..1000 {
            assert_eq!(flood.recv_timeout(LIMIT).unwrap().arg::<usize>(0).unwrap(), n);
        }
        let expected: Vec<usize> = (492..=500).chain([1000]).collect();
        assert_eq!((numbers(&unread), unread.lost()), (expected.clone(), 492));
        assert_eq!((numbers(&few), few.lost()), (expected[5..].to_vec(), 497));
        assert_eq!(client.lost(listener), Some(491));
        assert_eq!(client.manager().counters().receive_dropped, 0);
        drop(busy.let_go);
        let called = (0..10).map(|_| recv_within(&busy.taken, LIMIT));
        assert!(called.map(|event| event.arg::<usize>(0).unwrap()).eq(expected));
    }
}

/// How many of what an observer saw are events that were received.
fn events(seen: impl Iterator<Item = EngineEvent>) -> usize {
    let is_event = |event: &EngineEvent| match event {
        EngineEvent::Packet(packet) => packet.text().is_some_and(|text| text.contains("\"flood\"")),
        _ => false,
    };
    seen.filter(is_event).count()
}

fn observers_of_packets_take_nothing_from_each_other(via: Via) {
    for server in shared_each() {
        let _name = CaseName::new(server);
        let client = via.settle(server.url());
        let ten = Buffer::new().events(10);
        let observe = |buffer| client.manager().engine_events_with(buffer).unwrap();
        let (reads, idle, first) =
            (observe(Buffer::new()), observe(ten), observe(ten.when_full(WhenFull::DropNewest)));
        let end = client.subscribe("flood-end");
        client.emit("flood", (500, 10)).unwrap();
        end.recv_timeout(LIMIT).unwrap();
        assert_eq!(events(reads.try_iter()), 500);
        assert_eq!((reads.lost(), idle.len(), first.len()), (0, 10, 10));
        // Behind the events there is at least their end.
        assert!(idle.lost() > 490 && events(idle.try_iter()) <= 9);
        assert!(first.lost() > 490 && events(first.try_iter()) <= 10);
        client.works();
    }
}

#[test]
fn an_observer_that_reads_in_time_sees_everything_beside_one_that_does_not() {
    let client = Client::connect(
        Via::WebSocket.builder(shared().url()).limits(Limits::new().receive_events(10)),
    );
    let (reads, idle) = (client.manager().engine_events(), client.manager().engine_events());
    let mut seen = 0;
    for _ in 0..100 {
        client.emit("send-me", ("flood", 1)).unwrap();
        while events(std::iter::once(reads.recv_timeout(LIMIT).unwrap())) == 0 {}
        seen += 1;
    }
    assert_eq!((seen, reads.lost(), idle.len()), (100, 0, 10));
}
