//! What is awaited comes, whatever the consumers do: answers, joins, heartbeats, ends, upgrades, and the
//! next session.

use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::unbounded;
use serde_json::json;
use siot::{DisconnectReason, ErrorKind, Limits, Subscription};

use crate::support::consumer::Pace;
use crate::support::full::until_full;
use crate::support::hostile::HostileOptions;
use crate::support::server::PARSERS;
use crate::support::{
    CaseName, Client, LIMIT, Server, Via, brisk_each, eventually, over_each_transport, recv_within,
    shared_each,
};

over_each_transport!(
    a_question_about_each_event_of_a_burst_is_answered,
    a_callback_may_ask_about_each_event_of_a_burst,
    another_namespace_is_joined_beside_a_full_consumer,
    what_is_for_others_passes_a_full_consumer,
    heartbeats_keep_a_session_whose_events_nobody_reads,
    a_socket_leaves_and_comes_back_beside_a_full_consumer,
    a_server_that_reads_only_once_it_has_written_is_read_while_an_emit_waits,
);

/// How many events a full consumer has here.
const BOUND: usize = 10;

fn limits() -> Limits {
    Limits::new().receive_events(BOUND)
}

/// A client with a subscription that has all it may have, while more is on its way.
#[track_caller]
fn full(via: Via, server: &Server, events: usize) -> (Client, Subscription) {
    let client = Client::connect(via.builder(server.url()).limits(limits()));
    let flood = client.subscribe("flood");
    client.emit("flood", (events, 100)).unwrap();
    until_full(&flood, BOUND);
    (client, flood)
}

/// Reads numbers from 0, in order.
#[track_caller]
fn read(flood: &Subscription, count: usize) {
    for n in 0..count {
        assert_eq!(flood.recv_timeout(LIMIT).unwrap().arg::<usize>(0).unwrap(), n);
    }
}

/// The bursts: how many events of how many bytes, and about which of them the server is asked. A round
/// trip by long-polling takes its time.
fn bursts(via: Via) -> [(usize, usize, usize); 2] {
    [(3000, 20, if via == Via::Polling { 100 } else { 1 }), (30, 65_536, 1)]
}

fn a_question_about_each_event_of_a_burst_is_answered(via: Via) {
    for server in shared_each() {
        let _name = CaseName::new(server);
        for (count, bytes, each) in bursts(via) {
            let client = via.connect(server.url());
            let jobs = client.subscribe("flood");
            client.emit("flood", (count, bytes)).unwrap();
            for (n, job) in jobs.iter().take(count).enumerate() {
                assert_eq!(job.arg::<usize>(0).unwrap(), n);
                if n % each == 0 {
                    assert_eq!(client.ask::<usize>("sum", (n, 1)), n + 1);
                }
            }
            assert_eq!((jobs.lost(), jobs.len()), (0, 0));
        }
    }
}

fn a_callback_may_ask_about_each_event_of_a_burst(via: Via) {
    for server in shared_each() {
        let _name = CaseName::new(server);
        for (count, bytes, each) in bursts(via) {
            let client = via.connect(server.url());
            let socket = client.socket.clone();
            let (sender, done) = unbounded();
            client
                .on("flood", move |job| {
                    let n: usize = job.arg(0).unwrap();
                    let sum = (n % each == 0).then(|| {
                        let mut ack = socket.emit_with_ack("sum", (n, 1)).unwrap();
                        ack.wait_timeout::<usize>(LIMIT)
                    });
                    sender.send((n, sum)).unwrap();
                })
                .unwrap();
            client.emit("flood", (count, bytes)).unwrap();
            for n in 0..count {
                let (job, sum) = recv_within(&done, LIMIT);
                assert_eq!(job, n);
                assert!(sum.is_none_or(|sum| sum.unwrap() == n + 1));
            }
            client.manager().close(LIMIT);
        }
    }
}

#[test]
fn a_hundred_thousand_events_keep_no_answer_back() {
    let client = Via::WebSocket.connect(shared_each()[0].url());
    let flood = client.subscribe("flood");
    let count = 100_000;
    // With its name and number, an event has 200 bytes.
    client.emit("flood", (count, 180)).unwrap();
    read(&flood, 1);
    // The answer comes behind all of them.
    assert_eq!(client.ask::<u32>("sum", (1, 2)), 3);
    for n in 1..count {
        assert_eq!(flood.try_recv().unwrap().arg::<usize>(0).unwrap(), n);
    }
    assert_eq!(flood.lost(), 0);
}

fn another_namespace_is_joined_beside_a_full_consumer(via: Via) {
    for server in shared_each() {
        let _name = CaseName::new(server);
        let (client, flood) = full(via, server, 500);
        let admin = client.connect_in("/admin");
        admin.works();
        assert!(flood.len() >= BOUND);
        read(&flood, 500);
    }
}

fn heartbeats_keep_a_session_whose_events_nobody_reads(via: Via) {
    let clients = brisk_each().map(|server| full(via, server, 100));
    // For longer than either side would wait for a heartbeat, and nothing else happens here; then
    // more comes.
    for pause in [3500, 100, 100] {
        thread::sleep(Duration::from_millis(pause));
        for ((client, _), server) in clients.iter().zip(brisk_each()) {
            let _name = CaseName::new(server);
            let status = client.status.try_recv();
            assert!(status.is_none(), "{status:?}");
            client.emit("flood", (100, 100)).unwrap();
        }
    }
    for ((client, flood), server) in clients.iter().zip(brisk_each()) {
        let _name = CaseName::new(server);
        for _ in 0..4 {
            read(flood, 100);
        }
        client.works();
    }
}

#[test]
fn events_of_a_session_that_has_ended_do_not_hold_up_the_next_one() {
    // That the server is gone is noticed when a heartbeat is due.
    let server = Server::version(4, json!({ "pingInterval": 200, "pingTimeout": 3000 }));
    let clients: Vec<_> = Via::ALL.iter().map(|&via| full(via, &server, 500)).collect();
    server.kill();
    for (client, _) in &clients {
        client.disconnected();
    }
    server.restart();
    for (client, flood) in clients {
        client.reconnected();
        client.works();
        // The old ones are still there, without a gap.
        let unread = flood.len();
        assert!(unread >= BOUND, "{unread} are left");
        read(&flood, unread);
        client.emit("flood", (500, 100)).unwrap();
        read(&flood, 500);
    }
}

/// Even the reserve is used up by them.
#[test]
fn events_of_a_session_that_has_ended_do_not_hold_up_the_next_one_without_a_reserve() {
    let tight = limits().receive_reserve(1000);
    for (parser, name) in PARSERS {
        let options = json!({ "pingInterval": 50, "pingTimeout": 500 });
        let server = Server::start(json!({ "options": options, "parser": name }));
        let clients: Vec<_> = Via::ALL
            .iter()
            .map(|&via| {
                let builder = via.builder(server.url()).limits(tight.clone()).parser(*parser);
                let client = Client::connect(builder);
                let flood = client.subscribe("flood");
                client.emit("flood", (500, 100)).unwrap();
                (client, flood)
            })
            .collect();
        for (client, _) in &clients {
            let _name = CaseName::new((parser, client.manager().transport()));
            let (reason, error) = client.disconnected();
            assert!(error.is_some_and(|error| error.kind() == ErrorKind::BufferFull), "{reason}");
            client.reconnected();
            // Answers, events of others, and many heartbeats: none of that is for the full one.
            let news = client.subscribe("news");
            for n in 0..20 {
                client.emit("send-me", ("news", n)).unwrap();
                assert_eq!(news.recv_timeout(LIMIT).unwrap().arg::<usize>(0).unwrap(), n);
                client.works();
            }
            client.connect_in("/admin").works();
        }
        thread::sleep(Duration::from_millis(700));
        for (client, flood) in &clients {
            let status = client.status.try_recv();
            assert!(status.is_none(), "{status:?}");
            let unread = flood.len();
            read(flood, unread);
        }
    }
}

/// What is next is not for the full one.
fn what_is_for_others_passes_a_full_consumer(via: Via) {
    for server in shared_each() {
        let _name = CaseName::new(server);
        let builder = via.builder(server.url()).limits(limits().receive_reserve(0));
        let client = Client::connect(builder);
        let (flood, callback) = (client.subscribe("flood"), client.callback("news", Pace::Fast));
        client.emit("flood", (BOUND, 100)).unwrap();
        until_full(&flood, BOUND);
        client.works();
        for n in 0..50 {
            client.emit("send-me", ("news", n)).unwrap();
            assert_eq!(callback.numbers(1), [n]);
        }
        let admin = client.connect_in("/admin");
        admin.works();
        // In another namespace it is another event.
        let others = admin.subscribe("flood");
        admin.emit("flood", (5, 100)).unwrap();
        read(&others, 5);
        assert_eq!(flood.len(), BOUND);
        read(&flood, BOUND);
    }
}

fn a_socket_leaves_and_comes_back_beside_a_full_consumer(via: Via) {
    for server in shared_each() {
        let _name = CaseName::new(server);
        let (client, flood) = full(via, server, 5000);
        client.disconnect();
        assert_eq!(client.disconnected().0, DisconnectReason::IoClientDisconnect);
        client.connect();
        client.connected();
        client.works();
        let unread = flood.len();
        assert!(unread >= BOUND, "{unread} are left");
        read(&flood, unread);
    }
}

/// Neither side would get any further otherwise: both wait for the other to read.
fn a_server_that_reads_only_once_it_has_written_is_read_while_an_emit_waits(via: Via) {
    for options in [HostileOptions::v4(), HostileOptions::v3()] {
        let _name = CaseName::new(&options);
        let server = options.start();
        let (client, session) = via.visit(&server, |builder| builder.limits(limits()));
        let flood = client.subscribe("flood");
        // By upgrade, the server has then come to the WebSocket as well.
        client.emit("first", ()).unwrap();
        while session.next() != r#"42["first"]"# {}
        session.stop_reading();
        // In both directions it is more than the kernel's buffers hold.
        let (count, bytes) = (100, 100_000);
        session.burst(count, bytes);
        until_full(&flood, BOUND);
        let (socket, text) = (client.socket.clone(), "x".repeat(bytes));
        let emits = thread::spawn(move || {
            for n in 0..count {
                socket.emit("e", (n, &text)).unwrap();
            }
        });
        recv_within(&session.done(), LIMIT);
        session.read_on();
        emits.join().unwrap();
        let emitted = std::iter::repeat_with(|| session.next()).filter(|p| p.starts_with("42"));
        for (n, packet) in emitted.take(count).enumerate() {
            assert!(packet.starts_with(&format!(r#"42["e",{n},"#)), "{n}: {} bytes", packet.len());
        }
        read(&flood, count);
    }
}

#[test]
fn a_connection_is_closed_in_good_order_beside_a_full_consumer() {
    let server = Server::start(json!({}));
    for &via in Via::ALL {
        let (client, flood) = full(via, &server, 5000);
        let start = Instant::now();
        client.manager().close(LIMIT);
        assert!(start.elapsed() < LIMIT / 2, "{:?}", start.elapsed());
        eventually(LIMIT, "the session's end", || server.sessions() == 0);
        // What has come can be read, and then there is an end.
        let left: Vec<usize> = flood.iter().map(|event| event.arg(0).unwrap()).collect();
        assert!(left.len() >= BOUND && left.iter().copied().eq(0..left.len()), "{left:?}");
    }
}

#[test]
fn closing_keeps_its_limit_beside_a_full_consumer_where_the_server_takes_no_leave() {
    for options in [HostileOptions::v4(), HostileOptions::v3()] {
        let _name = CaseName::new(&options);
        for &via in Via::ALL {
            let server = options.clone().start();
            let client = Client::start(via.builder(server.url()).limits(limits()));
            let session = server.session();
            client.connected();
            let flood = client.subscribe("flood");
            session.burst(100, 100_000);
            until_full(&flood, BOUND);
            let start = Instant::now();
            client.manager().close(Duration::from_millis(100));
            assert!(start.elapsed() < LIMIT / 2, "{:?}", start.elapsed());
        }
    }
}

#[cfg(feature = "polling")]
#[test]
fn an_upgrade_that_begins_while_a_consumer_is_full_is_completed() {
    for server in shared_each() {
        let _name = CaseName::new(server);
        let builder = Via::Upgrade.builder(format!("{}/greeting", server.url()));
        let client = Client::idle(builder.limits(Limits::new().receive_events(1)));
        // Three come as soon as it is joined.
        let welcomes = client.subscribe("welcome");
        client.connect();
        client.connected();
        client.upgraded();
        client.works();
        assert_eq!(welcomes.try_iter().count(), 3);
    }
}

#[cfg(feature = "polling")]
#[test]
fn a_burst_in_the_middle_of_an_upgrade_holds_up_neither() {
    for options in [HostileOptions::v4(), HostileOptions::v3()] {
        let _name = CaseName::new(&options);
        let server = options.start();
        for _ in 0..5 {
            let client = Client::start(Via::Upgrade.builder(server.url()).limits(limits()));
            let session = server.session();
            client.connected();
            let flood = client.subscribe("flood");
            session.burst(1000, 100);
            client.upgraded();
            read(&flood, 1000);
        }
    }
}
