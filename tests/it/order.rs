//! Order and completeness, from many threads, in both directions.

use std::thread;
use std::time::Duration;

use serde_json::{Value as Json, json};
use siot::{Binary, Limits};

use crate::support::{Client, LIMIT, Server, Via, over_each_transport, pattern, recv_within};

over_each_transport!(
    events_of_four_threads_arrive_complete_and_in_order,
    attachments_of_four_threads_arrive_intact_and_in_order,
    text_and_binary_of_one_thread_keep_their_order,
    a_flood_is_received_in_order,
    a_flood_of_binary_is_received_in_order,
    subscriptions_and_callbacks_see_the_same_order,
    namespaces_do_not_mix,
);

/// For what takes its time on a busy machine.
const LONG: Duration = Duration::from_secs(60);

/// Asks behind all that was emitted before, however much that is.
#[track_caller]
fn ask_behind(client: &Client, event: &str) -> Json {
    client.emit_with_ack(event, ()).unwrap().wait_timeout(LONG).unwrap()
}

#[track_caller]
fn complete(tally: &Json, threads: usize, each: usize) {
    assert_eq!(tally["total"], threads * each, "{tally}");
    assert_eq!(tally["inOrder"], true, "{tally}");
    for id in 0..threads {
        assert_eq!(tally["threads"][id.to_string()]["count"], each, "{tally}");
    }
}

fn events_of_four_threads_arrive_complete_and_in_order(via: Via) {
    let server = Server::start(json!({}));
    let client = via.connect(server.url());
    let each = via.scaled(25_000);
    thread::scope(|scope| {
        for id in 0..4 {
            let client = &client;
            scope.spawn(move || {
                for n in 0..each {
                    client.emit("tick", (id, n)).unwrap();
                }
            });
        }
    });
    complete(&ask_behind(&client, "ticks"), 4, each);
    assert_eq!(client.manager().counters().send_dropped, 0);
}

fn attachments_of_four_threads_arrive_intact_and_in_order(via: Via) {
    let server = Server::start(json!({}));
    let client = via.connect(server.url());
    let each = via.scaled(2_500);
    thread::scope(|scope| {
        for id in 0..4 {
            let client = &client;
            scope.spawn(move || {
                for n in 0..each {
                    let (a, b) = (pattern(id, n, 0, n % 200), pattern(id, n, 1, 64));
                    client.emit("blob", (id, n, Binary::from(a), Binary::from(b))).unwrap();
                }
            });
        }
    });
    let blobs = ask_behind(&client, "blobs");
    complete(&blobs, 4, each);
    let bytes: usize = (0..each).map(|n| n % 200 + 64).sum();
    assert_eq!([&blobs["bad"], &blobs["bytes"]], [0, 4 * bytes]);
}

fn text_and_binary_of_one_thread_keep_their_order(via: Via) {
    let server = Server::start(json!({}));
    let client = via.connect(server.url());
    let echoes = client.subscribe("echo");
    for n in 0..200_u32 {
        match n % 3 {
            0 => client.emit("echo", n).unwrap(),
            1 => client.emit("echo", (n, Binary::from(vec![0x1e; 10]))).unwrap(),
            _ => client.emit("echo", (n, Binary::default(), Binary::from([1]))).unwrap(),
        }
    }
    for n in 0..200_u32 {
        let echo = recv_within(echoes.receiver(), LIMIT);
        assert_eq!((echo.args::<u32>().unwrap(), echo.len()), (n, 1 + n as usize % 3));
    }
}

/// A client whose receive buffer is no concern.
fn roomy(via: Via, server: &Server) -> Client {
    let limits = Limits::new().receive_events(1_000_000).receive_bytes(1 << 30);
    Client::connect(via.builder(server.url()).limits(limits))
}

fn a_flood_is_received_in_order(via: Via) {
    let server = Server::start(json!({}));
    // With limits so that reading stops and goes on, many times.
    let limits = Limits::new().receive_events(100).receive_bytes(5_000);
    let client = Client::connect(via.builder(server.url()).limits(limits));
    let any = client.subscribe_any();
    let count = via.scaled(20_000);
    client.emit("flood", (count, 20)).unwrap();
    for n in 0..count {
        let event = any.recv_timeout(LIMIT).unwrap();
        assert_eq!(event.args::<(usize, String)>().unwrap(), (n, "x".repeat(20)));
    }
    assert_eq!(any.recv_timeout(LIMIT).unwrap().name(), "flood-end");
    assert_eq!(client.manager().counters().receive_dropped, 0);
}

fn a_flood_of_binary_is_received_in_order(via: Via) {
    let server = Server::start(json!({}));
    let client = roomy(via, &server);
    let any = client.subscribe_any();
    let count = via.scaled(5_000);
    client.emit("bflood", (count, 300)).unwrap();
    for n in 0..count {
        let (number, bytes): (usize, Binary) = any.recv_timeout(LIMIT).unwrap().args().unwrap();
        assert_eq!((number, bytes.into_vec()), (n, pattern(0, n, 0, 300)));
    }
    assert_eq!(any.recv_timeout(LIMIT).unwrap().name(), "bflood-end");
}

fn subscriptions_and_callbacks_see_the_same_order(via: Via) {
    let server = Server::start(json!({}));
    let client = roomy(via, &server);
    let (sender, seen) = crossbeam_channel::unbounded();
    client.on("flood", move |event| sender.send(event.args::<u32>().unwrap()).unwrap()).unwrap();
    let (one, other) = (client.subscribe("flood"), client.subscribe("flood"));
    client.emit("flood", (500, 5)).unwrap();
    for n in 0..500 {
        assert_eq!(one.recv_timeout(LIMIT).unwrap().args::<u32>().unwrap(), n);
        assert_eq!(other.recv_timeout(LIMIT).unwrap().args::<u32>().unwrap(), n);
        assert_eq!(recv_within(&seen, LIMIT), n);
    }
}

fn namespaces_do_not_mix(via: Via) {
    let server = Server::start(json!({}));
    let client = roomy(via, &server);
    let admin = client.manager().socket("/admin").unwrap();
    admin.wait_connected(LIMIT).unwrap();
    thread::scope(|scope| {
        for (id, socket) in [&client.socket, &admin].into_iter().enumerate() {
            scope.spawn(move || {
                let echoes = socket.subscribe("echo");
                for n in 0..300 {
                    let bytes = Binary::from(pattern(id, n, 0, 40));
                    socket.emit("echo", (id, n, &bytes)).unwrap();
                    let back: (usize, usize, Binary) =
                        echoes.recv_timeout(LIMIT).unwrap().args().unwrap();
                    assert_eq!(back, (id, n, bytes));
                }
            });
        }
    });
}
