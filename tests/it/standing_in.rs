//! Who waits for an answer over WebSocket reads in the stead of the connection's thread, and everybody gets
//! what is theirs all the same.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, bounded, select};
use serde_json::json;
use siot::{Buffer, Error, ErrorKind, Limits, Result, WhenFull};

use crate::support::hostile::HostileOptions;
use crate::support::process::switches_of;
use crate::support::{Client, LIMIT, Server, Via, alone, fds, recv_within, threads};

/// A client whose thread lets others stand in for it, which it does from the first answer on.
#[track_caller]
fn settled(server: &Server) -> Client {
    let client = Via::WebSocket.connect(server.url());
    for _ in 0..3 {
        client.works();
    }
    client
}

/// Waits for an answer that never comes, in a thread of its own; what the wait ends with.
fn wait_in_vain(client: &Client, limit: Option<Duration>) -> Receiver<Result<()>> {
    let mut ack = client.emit_with_ack("never-ack", ()).unwrap();
    let (ended, end) = bounded(1);
    thread::spawn(move || {
        let result = match limit {
            Some(limit) => ack.wait_timeout(limit),
            None => ack.wait(),
        };
        ended.send(result).unwrap();
    });
    // What is behind it on the wire comes when it has most likely begun; either way it has to end.
    client.works();
    end
}

#[track_caller]
fn end_of(wait: &Receiver<Result<()>>) -> Error {
    recv_within(wait, LIMIT).unwrap_err()
}

#[test]
fn round_trips_leave_the_thread_of_the_connection_asleep() {
    alone(|| {
        const COUNT: u64 = 100;
        let server = Server::start(json!({}));
        let client = settled(&server);
        let before = switches_of("siot-conn");
        for _ in 0..COUNT {
            // Not before the caller waits, also on a busy machine.
            client.ask::<String>("ack-late", 10);
        }
        let switches = switches_of("siot-conn") - before;
        assert!(switches < COUNT / 4, "{switches} switches of the thread");
    });
}

#[test]
fn a_long_wait_keeps_the_heartbeat_and_all_that_others_wait_for() {
    let server = Server::start(json!({"options": {"pingInterval": 50, "pingTimeout": 2000}}));
    let client = settled(&server);
    let id = client.id();
    let events = client.subscribe("event");
    let wait = wait_in_vain(&client, Some(Duration::from_secs(5)));
    let mut number = 0;
    while wait.is_empty() {
        // Another waits for an answer beside it; others for events, by `select!` too.
        client.works();
        client.emit("send-me", ("event", number)).unwrap();
        let event = select! {
            recv(events.receiver()) -> event => event.unwrap(),
            default(LIMIT) => panic!("no event"),
        };
        assert_eq!(event.arg::<u32>(0).unwrap(), number);
        let answer = client.emit_with_ack("sum", (1, 2)).unwrap().receiver();
        assert_eq!(recv_within(&answer, LIMIT).unwrap().arg::<u32>(0).unwrap(), 3);
        number += 1;
        thread::sleep(Duration::from_millis(20));
    }
    assert!(end_of(&wait).is_timeout());
    assert_eq!(client.id(), id);
    assert!(client.ask::<u32>("ping-count", ()) > 10);
}

#[test]
fn one_who_only_waits_keeps_the_heartbeat() {
    let server = Server::start(json!({"options": {"pingInterval": 50, "pingTimeout": 2000}}));
    let client = settled(&server);
    let id = client.id();
    // Longer than the server would wait for a heartbeat.
    assert_eq!(client.ask::<(String, u32)>("ack-late", 4000), ("late".into(), 4000));
    assert_eq!(client.id(), id);
}

#[test]
fn the_time_limit_of_an_acknowledgement_is_kept() {
    let server = Server::start(json!({}));
    let client = settled(&server);
    for _ in 0..10 {
        let start = Instant::now();
        let emitter = client.timeout(Duration::from_millis(30));
        let error = emitter.emit_with_ack("never-ack", ()).unwrap().wait::<()>().unwrap_err();
        assert!(error.is_timeout());
        assert!(start.elapsed() >= Duration::from_millis(30), "{:?}", start.elapsed());
        client.works();
    }
}

#[test]
fn whatever_ends_the_session_ends_the_wait() {
    for end in [
        |client: &Client, _: &Server| client.disconnect(),
        |client: &Client, _: &Server| client.emit("kick", ()).unwrap(),
        |client: &Client, _: &Server| client.emit("destroy", ()).unwrap(),
        |client: &Client, _: &Server| client.emit("close-engine", ()).unwrap(),
        |_: &Client, server: &Server| server.kill(),
    ] {
        let server = Server::start(json!({}));
        let client = settled(&server);
        let wait = wait_in_vain(&client, None);
        end(&client, &server);
        assert!(end_of(&wait).is_disconnected());
    }
}

#[test]
fn a_close_keeps_its_limit_beside_one_who_waits() {
    alone(|| {
        let server = Server::start(json!({}));
        let (threads_before, fds_before) = (threads(), fds());
        let client = settled(&server);
        let wait = wait_in_vain(&client, None);
        let start = Instant::now();
        client.manager().close(Duration::from_secs(2));
        assert!(start.elapsed() < LIMIT / 2, "{:?}", start.elapsed());
        assert!(end_of(&wait).is_disconnected());
        drop(client);
        crate::support::eventually(LIMIT, "nothing left", || {
            threads() == threads_before && fds() <= fds_before
        });
    });
}

#[test]
fn a_frozen_server_is_given_up_while_somebody_waits() {
    let server = Server::start(json!({"options": {"pingInterval": 100, "pingTimeout": 2000}}));
    let client = settled(&server);
    let wait = wait_in_vain(&client, None);
    server.freeze();
    assert!(end_of(&wait).is_disconnected());
    server.thaw();
}

#[test]
fn floods_come_whole_and_in_order_past_those_who_stand_in() {
    const COUNT: usize = 20_000;
    let server = Server::start(json!({}));
    let client = settled(&server);
    let flood = client.subscribe("flood");
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for id in 0..3 {
            let (client, done) = (&client, &done);
            scope.spawn(move || {
                let mut n = 0;
                while !done.load(Ordering::Relaxed) {
                    assert_eq!(client.ask::<(usize, usize)>("echo", (id, n)), (id, n));
                    n += 1;
                }
            });
        }
        for _ in 0..3 {
            client.emit("flood", (COUNT, 100)).unwrap();
            for n in 0..COUNT {
                assert_eq!(flood.recv_timeout(LIMIT).unwrap().arg::<usize>(0).unwrap(), n);
            }
        }
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_limit_holds_while_more_comes_than_can_be_taken_in() {
    const EVENT: &str = "42[\"flood\"]";
    let server = HostileOptions::v4().start();
    let (client, session) = Via::WebSocket.visit(&server, |builder| builder);
    let newest = Buffer::new().events(16).when_full(WhenFull::DropOldest);
    let slow: Vec<_> =
        (0..200).map(|_| client.buffer(newest).unwrap().subscribe("flood")).collect();
    for _ in 0..3 {
        let mut ack = client.emit_with_ack("never-ack", ()).unwrap();
        ack.wait_timeout::<()>(Duration::from_millis(1)).unwrap_err();
        session.send(EVENT);
        slow[0].recv_timeout(LIMIT).unwrap();
    }
    let mut ack = client.emit_with_ack("never-ack", ()).unwrap();
    let (ended, end) = bounded(1);
    thread::spawn(move || ended.send(ack.wait_timeout::<()>(Duration::from_millis(500))));
    // What comes first comes to who stands in, most likely; either way the wait has to end.
    session.send(EVENT);
    slow[0].recv_timeout(LIMIT).unwrap();
    // More than it could take in within the limit of this test.
    session.pour(EVENT, 3_000_000);
    assert!(end_of(&end).is_timeout());
}

#[test]
fn answers_larger_than_the_socket_come_whole() {
    let server = Server::start(json!({"options": {"maxHttpBufferSize": 10_000_000}}));
    let client = settled(&server);
    for size in [100, 100_000, 900_000] {
        let text = "x".repeat(size);
        assert!(client.ask::<String>("echo", &text) == text);
        client.works();
    }
}

#[test]
fn a_full_consumer_stalls_one_who_stands_in_with_an_error() {
    let server = Server::start(json!({}));
    let limits = Limits::new().receive_events(10).receive_reserve(0);
    let client = Client::connect(Via::WebSocket.builder(server.url()).limits(limits));
    for _ in 0..3 {
        client.works();
    }
    let flood = client.subscribe("flood");
    client.emit("flood", (100, 100)).unwrap();
    crate::support::full::until_full(&flood, 10);
    let error = client.emit_with_ack("sum", (1, 2)).unwrap().wait_timeout::<u32>(LIMIT);
    assert_eq!(error.unwrap_err().kind(), ErrorKind::BufferFull);
    for n in 0..100 {
        assert_eq!(flood.recv_timeout(LIMIT).unwrap().arg::<usize>(0).unwrap(), n);
    }
    client.works();
}
