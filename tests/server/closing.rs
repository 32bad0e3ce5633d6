//! The end of a server.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{TryRecvError, bounded, unbounded};
use siot::server::Server;
use siot::{ArgList, DisconnectReason, ErrorKind};

use crate::host::Host;
use crate::raw_client::{RawClient, text_frame};
use crate::support::mischief::DropWatch;
use crate::support::{LIMIT, Via, alone, eventually, fds, recv_within, threads};

fn our_threads() -> Vec<String> {
    let names = threads().into_iter();
    names.filter(|name| ["siot-serve", "siot-work"].contains(&&**name)).collect()
}

#[track_caller]
fn joined(url: &str) -> RawClient {
    let mut client = RawClient::websocket(url);
    client.say("40");
    client.expect("40");
    client
}

#[test]
fn the_last_handle_ends_all() {
    alone(|| {
        let before = fds();
        for closes in [false, true] {
            let (watch, by) = DropWatch::new(None);
            let server = Server::builder().bind("127.0.0.1:0").unwrap();
            let address = server.local_addrs()[0];
            server.on("never", move |_, _| _ = &watch);
            server.on("echo", |_, event| event.ack(event.args::<ArgList>()?));
            let mut client = joined(&format!("http://{address}"));
            client.say(r#"420["echo",1]"#);
            client.expect("430[1]");
            let other = server.clone();
            drop(server);
            client.say(r#"421["echo",2]"#);
            client.expect("431[2]");
            assert!(our_threads().contains(&"siot-serve".to_owned()));
            let closer = thread::spawn(move || !closes || other.close(LIMIT));
            client.ends();
            drop(client);
            assert!(closer.join().unwrap());
            recv_within(&by, LIMIT);
            eventually(LIMIT, "no thread", || our_threads().is_empty());
            TcpStream::connect(address).expect_err("nobody listens");
            TcpListener::bind(address).expect("a port that is free");
            assert_eq!(fds(), before);
        }
    });
}

#[test]
fn a_client_is_told_and_one_that_does_not_read_is_cut() {
    let host = Host::start(|builder| builder);
    let sleeper = joined(&host.url);
    let sleeping = host.connected();
    let mut client = joined(&host.url);
    let socket = host.connected();
    let text = "x".repeat(100_000);
    while sleeping.emit("event", &text).is_ok() {}
    socket.emit("event", "the last").unwrap();
    let start = Instant::now();
    assert!(!host.server.close(Duration::from_millis(300)), "the sleeper has not read all");
    assert!(start.elapsed() < LIMIT);
    assert_eq!(client.ends(), [r#"42["event","the last"]"#]);
    let ends = [host.parted(), host.parted()].map(|(_, reason)| reason);
    assert_eq!(ends, [DisconnectReason::ServerShuttingDown; 2]);
    assert_eq!(socket.emit("event", ()).unwrap_err().kind(), ErrorKind::Disconnected);
    drop(sleeper);
}

/// What came before the end is handled, and the end behind it, though the server is closed meanwhile.
#[test]
fn handlers_have_all_that_came_before_the_end() {
    const EVENTS: u32 = 100;
    let host = Host::start(|builder| builder.workers(1));
    let (open, gate) = bounded::<()>(0);
    let (seen, sights) = unbounded();
    let (begun, begins) = unbounded();
    host.server.on("load", move |_, event| {
        let number: u32 = event.arg(0).unwrap();
        if number == 0 {
            let _ = begun.send(());
            let _ = gate.recv();
        }
        let _ = seen.send(number);
    });
    let mut client = joined(&host.url);
    let socket = host.connected();
    for number in 0..EVENTS {
        client.say(&format!(r#"42["load",{number}]"#));
    }
    // The client closes the session, behind all that it has said.
    client.say("1");
    recv_within(&begins, LIMIT);
    eventually(LIMIT, "all has come", || !socket.is_connected());
    client.ends();
    drop(client);
    assert!(host.server.close(LIMIT));
    drop(open);
    for number in 0..EVENTS {
        assert_eq!(recv_within(&sights, LIMIT), number);
    }
    assert_eq!(host.disconnected(&socket), DisconnectReason::TransportClose);
}

/// What the system has taken reaches the client, though there is more from it that nobody reads.
#[test]
fn a_client_that_still_speaks_gets_all_that_was_written() {
    let host = Host::start(|builder| builder);
    let mut client = joined(&host.url);
    let socket = host.connected();
    // More than the client's system takes while nobody reads there, and less than both systems take.
    let large = "x".repeat(400_000);
    socket.emit("event", &large).unwrap();
    let (done, until) = bounded::<()>(0);
    let mut stream = client.stream().try_clone().unwrap();
    let speaker = thread::spawn(move || {
        let says = text_frame(r#"42["mute"]"#).repeat(1000);
        while until.try_recv() != Err(TryRecvError::Disconnected) && stream.write_all(&says).is_ok()
        {
        }
    });
    let closer = thread::spawn({
        let server = host.server.clone();
        move || server.close(LIMIT)
    });
    // The server has nothing left to write.
    assert_eq!(host.disconnected(&socket), DisconnectReason::ServerShuttingDown);
    let came = client.ends();
    drop(done);
    speaker.join().unwrap();
    drop(client);
    assert!(closer.join().unwrap());
    assert_eq!(came.len(), 1, "the event has come");
    assert_eq!(came[0].len(), large.len() + r#"42["event",""]"#.len());
}

/// The program decides about a client that would like to join when the server has begun to close, and the client has yet to
/// read what is left for it.
#[test]
fn who_is_let_in_while_the_server_closes_has_what_is_left_and_no_more() {
    const PIECES: usize = 64;
    let host = Host::start(|builder| builder.send_bytes(64 * 1024 * 1024));
    let (let_in, decision) = bounded::<()>(0);
    let (asked, questions) = unbounded();
    host.of("/later").authorize(move |_| {
        let _ = asked.send(());
        let _ = decision.recv();
        Ok(())
    });
    let mut client = joined(&host.url);
    let socket = host.connected();
    client.say("40/later,");
    recv_within(&questions, LIMIT);
    let piece = "x".repeat(256 * 1024);
    for _ in 0..PIECES {
        socket.emit("piece", &piece).unwrap();
    }
    let server = host.server.clone();
    let closer = thread::spawn(move || server.close(LIMIT));
    eventually(LIMIT, "the server closes", || socket.emit("late", ()).is_err());
    drop(let_in);
    // The answer to a question of another client comes when the pool has dealt with that.
    eventually(LIMIT, "the decision", || host.server.of("/later").is_empty());
    let came = client.ends();
    assert!(closer.join().unwrap());
    assert_eq!(came.iter().filter(|one| one.starts_with(r#"42["piece""#)).count(), PIECES);
    assert!(!came.iter().any(|one| one.starts_with("40")), "it is not answered");
    assert_eq!(host.disconnected(&socket), DisconnectReason::ServerShuttingDown);
}

#[test]
fn a_handler_that_waits_hears_of_the_end() {
    let host = Host::start(|builder| builder);
    let (failed, failures) = unbounded();
    host.server.on("wait", move |socket, _| {
        let asked = socket.timeout(LIMIT * 10).emit_with_ack("ask", ()).unwrap();
        let _ = failed.send(asked.wait::<ArgList>().map_err(|error| error.kind()));
    });
    for closes in [false, true] {
        let mut client = joined(&host.url);
        client.say(r#"42["wait"]"#);
        client.expect("42");
        if closes {
            host.server.close(Duration::ZERO);
        } else {
            drop(client);
        }
        assert_eq!(recv_within(&failures, LIMIT), Err(ErrorKind::Disconnected));
    }
}

#[test]
fn a_server_may_be_closed_by_many_at_once_and_while_clients_come() {
    let host = Host::start(|builder| builder);
    let urls = host.url.clone();
    let comers = (0..4).map(|_| {
        let builder = Via::WebSocket.builder(&urls).reconnection(false);
        thread::spawn(move || {
            for _ in 0..50 {
                let socket = builder.clone().build().unwrap();
                let _ = socket.wait_connected(LIMIT);
            }
        })
    });
    let comers: Vec<_> = comers.collect();
    let first = host.connected();
    let closers = (0..4).map(|_| {
        let server = host.server.clone();
        thread::spawn(move || server.close(LIMIT))
    });
    let closers: Vec<_> = closers.collect();
    for closer in closers {
        assert!(closer.join().unwrap());
    }
    assert!(!first.is_connected());
    assert_eq!((host.server.len(), host.server.clients()), (0, 0));
    for comer in comers {
        comer.join().unwrap();
    }
}

/// The server is closed while clients ask for their WebSockets: it hits a moment of each in some of the rounds.
#[test]
fn a_client_that_is_let_in_as_the_server_closes_has_what_is_left() {
    for _ in 0..30 {
        let server = Server::builder().bind("127.0.0.1:0").unwrap();
        let address = server.local_addrs()[0];
        let ready = Arc::new(Barrier::new(9));
        let comers = [(); 8].map(|()| {
            let stream = TcpStream::connect(address).unwrap();
            stream.set_read_timeout(Some(LIMIT)).unwrap();
            let ready = Arc::clone(&ready);
            thread::spawn(move || {
                ready.wait();
                let url = format!("ws://{address}/socket.io/?EIO=4&transport=websocket");
                // Some come too late.
                let Ok((mut socket, _)) = tungstenite::client(url, stream) else { return };
                assert!(socket.read().unwrap().to_text().unwrap().starts_with("0{"));
                assert!(socket.read().unwrap().is_close());
                socket.read().expect_err("the end");
            })
        });
        ready.wait();
        assert!(server.close(LIMIT));
        for comer in comers {
            comer.join().unwrap();
        }
    }
}

/// A client that waits in the system's queue is served only when the handlers are there.
#[test]
fn handlers_that_are_added_before_the_server_serves_miss_nobody() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let mut clients = Vec::new();
    let server = Server::builder().bind_with(address, |server| {
        assert_eq!(server.local_addrs(), [address]);
        // It is connected by the system, and asks; nobody answers yet.
        let early = TcpStream::connect(address).unwrap();
        early.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        (&early)
            .write_all(b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n\r\n")
            .unwrap();
        let nothing = (&early).read(&mut [0; 1]).unwrap_err();
        assert_eq!(nothing.kind(), std::io::ErrorKind::WouldBlock);
        clients.push(early);
        server.on("echo", |_, event| event.ack(event.args::<ArgList>()?));
    });
    let mut early = clients.pop().unwrap();
    early.set_read_timeout(Some(LIMIT)).unwrap();
    let mut answer = [0; 15];
    early.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
    let mut client = joined(&format!("http://{address}"));
    client.say(r#"420["echo",1]"#);
    client.expect("430[1]");
    drop(server);
}
