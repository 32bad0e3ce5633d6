//! A server that fails on command.

use std::io::{ErrorKind as IoKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use siot::server::{ConnectionStateRecovery, Server};
use siot::testing::TestServer;
use siot::{DisconnectReason, ErrorKind, Stage, Status};

use crate::support::{
    CaseName, Client, LIMIT, Via, alone, ask, eventually, fds, recv_within, threads,
};
use crate::{Visit, events, start, start_with};

fn visits() -> impl Iterator<Item = Visit> {
    Via::ALL.iter().map(|&via| Visit { via, old: false, tls: false })
}

#[test]
fn a_dropped_connection_ends_once_and_begins_anew() {
    for visit in visits() {
        let _name = CaseName::new(visit);
        let (gone, ends) = crossbeam_channel::unbounded();
        let (come, joins) = crossbeam_channel::unbounded();
        let server = start_with(visit, Server::builder(), move |server| {
            let (gone, come) = (gone.clone(), come.clone());
            // The client knows that it is connected before this is called.
            server.on_connection(move |socket| {
                socket.join("room");
                _ = come.send(());
            });
            server.on_disconnect(move |_, reason| _ = gone.send(reason));
        });
        let client = visit.via.settle(server.url());
        recv_within(&joins, LIMIT);
        for _ in 0..3 {
            let before = client.id();
            server.drop_connections().unwrap();
            client.disconnected();
            assert_ne!(client.admitted(), before.unwrap());
            assert_eq!(recv_within(&ends, LIMIT), DisconnectReason::TransportError);
            recv_within(&joins, LIMIT);
            assert_eq!(server.server().to("room").sockets().len(), 1);
            assert_eq!(server.server().clients(), 1);
        }
        assert!(client.status.try_recv().is_none() && ends.is_empty() && joins.is_empty());
    }
}

#[test]
fn a_client_gets_its_socket_back_from_a_server_that_keeps_it() {
    for visit in visits() {
        let _name = CaseName::new(visit);
        let recovery = ConnectionStateRecovery::new();
        let builder = Server::builder().connection_state_recovery(recovery);
        let server = start_with(visit, builder, |_| ());
        let client = visit.via.settle(server.url());
        let news = client.subscribe("news");
        let before = client.id();
        server.refuse_connections().unwrap();
        server.drop_connections().unwrap();
        let _ = server.server().emit("news", "missed").unwrap();
        server.accept_connections().unwrap();
        let missed = recv_within(news.receiver(), LIMIT);
        assert_eq!(missed.arg::<String>(0).unwrap(), "missed");
        assert!(client.is_recovered());
        assert_eq!(client.id(), before);
    }
}

#[test]
fn a_restart_forgets_all_but_the_url() {
    for visit in visits() {
        let _name = CaseName::new(visit);
        let server = start(visit);
        // Attempts come while nobody listens: few of them, or on a slow machine they would push out what is told before.
        let delay = Duration::from_millis(300);
        let builder = visit.via.builder(server.url()).reconnection_delay(delay);
        let client = Client::connect(builder.reconnection_delay_max(delay));
        if visit.via == Via::Upgrade {
            client.upgraded();
        }
        let other = server.server();
        other.all().sockets_join("room");
        let url = server.url().to_owned();
        server.restart().unwrap();
        client.parted();
        client.admitted();
        assert_eq!(ask::<(u8,)>(&client, "echo", 1), (1,));
        assert_eq!(server.url(), url);
        assert!(server.server().to("room").sockets().is_empty());
        assert_eq!((server.server().clients(), other.clients()), (1, 0));
        // A second one changes nothing.
        server.resume().unwrap();
        assert_eq!(ask::<(u8,)>(&client, "echo", 2), (2,));
    }
}

fn refused(client: &Client) {
    match client.next_status() {
        Status::ConnectError(error) => {
            assert_eq!(error.kind(), ErrorKind::Connect(Stage::Tcp), "{error}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn who_is_refused_does_not_harm_who_is_there() {
    let visit = Visit { via: Via::WebSocket, old: false, tls: false };
    let server = start(visit);
    let client = Via::WebSocket.connect(server.url());
    server.refuse_connections().unwrap();
    server.refuse_connections().unwrap();
    let late = Client::start(Via::WebSocket.builder(server.url()));
    refused(&late);
    assert_eq!(ask::<(u8,)>(&client, "echo", 1), (1,));
    server.accept_connections().unwrap();
    // Attempts that were refused meanwhile may lie before it.
    late.socket.wait_connected(LIMIT).unwrap();
    server.stop().unwrap();
    server.accept_connections().unwrap();
    TcpStream::connect(server.address()).expect_err("a stopped server takes nobody");
}

#[test]
fn silence_loses_nothing_and_ends_nothing() {
    for visit in visits() {
        let _name = CaseName::new(visit);
        let server = start(visit);
        let client = visit.via.settle(server.url());
        let echoes = client.subscribe("echo");
        server.go_silent().unwrap();
        for n in 0..50 {
            client.emit("echo", n).unwrap();
            let _ = server.server().emit("echo", 100 + n).unwrap();
        }
        assert!(echoes.recv_timeout(Duration::from_millis(50)).is_err(), "nothing passes");
        server.speak().unwrap();
        let mut seen: Vec<u32> =
            (0..100).map(|_| recv_within(echoes.receiver(), LIMIT).arg(0).unwrap()).collect();
        let (told, back): (Vec<u32>, Vec<u32>) = seen.drain(..).partition(|n| *n >= 100);
        assert!(told.into_iter().eq(100..150) && back.into_iter().eq(0..50));
        assert!(client.status.try_recv().is_none());
    }
}

#[test]
fn connections_in_silence_are_made_and_lead_nowhere() {
    let server = TestServer::start(Server::builder(), events::add_to).unwrap();
    server.go_silent().unwrap();
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.write_all(b"GET /other HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let silence = stream.read(&mut [0; 100]).unwrap_err();
    assert!(matches!(silence.kind(), IoKind::WouldBlock | IoKind::TimedOut), "{silence}");
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    server.speak().unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
}

#[test]
fn what_is_delayed_comes_later_in_order() {
    let visit = Visit { via: Via::WebSocket, old: false, tls: false };
    let server = start(visit);
    let client = Via::WebSocket.connect(server.url());
    let echoes = client.subscribe("echo");
    let delay = Duration::from_millis(150);
    server.delay(delay).unwrap();
    let start = Instant::now();
    assert_eq!(ask::<(u8,)>(&client, "echo", 1), (1,));
    assert!(start.elapsed() >= 2 * delay, "{:?}", start.elapsed());
    for n in 0..20 {
        client.emit("echo", n).unwrap();
        if n == 10 {
            server.delay(Duration::ZERO).unwrap();
        }
    }
    for n in 0..20 {
        assert_eq!(recv_within(echoes.receiver(), LIMIT).arg::<u32>(0).unwrap(), n);
    }
    server.delay(Duration::MAX).unwrap();
    server.drop_connections().unwrap();
}

/// More than one direction of the line holds, both ways.
#[test]
fn a_line_passes_on_what_it_cannot_hold() {
    for visit in visits() {
        let _name = CaseName::new(visit);
        let server = start(visit);
        let client = visit.via.settle(server.url());
        let text = "x".repeat(900_000);
        for _ in 0..5 {
            let answer = client.timeout(LIMIT).emit_with_ack("echo", &text).unwrap();
            assert_eq!(answer.wait::<String>().unwrap(), text);
        }
    }
}

#[test]
fn nothing_is_left_of_a_server_that_is_dropped() {
    alone(|| {
        let before = fds();
        for is_silent in [false, true] {
            let server = TestServer::start(Server::builder(), events::add_to).unwrap();
            let address = server.address();
            let client = Via::WebSocket.connect(server.url());
            assert_eq!(ask::<(u8,)>(&client, "echo", 1), (1,));
            if is_silent {
                server.go_silent().unwrap();
            }
            drop(server);
            client.disconnected();
            drop(client);
            TcpStream::connect(address).expect_err("nobody listens");
            let is_ours = |name: &String| ["siot-serve", "siot-line"].contains(&&**name);
            eventually(LIMIT, "no thread", || !threads().iter().any(is_ours));
            eventually(LIMIT, "as many descriptors as before", || fds() <= before);
        }
    });
}
