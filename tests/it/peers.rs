//! Peers that are no real servers: bad handshakes, broken streams, bad moments.

use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use siot::{Binary, DisconnectReason, Limits, Stage, Status};
use tungstenite::{Message, WebSocket};

use crate::support::greeting::Greeting;
use crate::support::raw::RawPeer;
use crate::support::{Client, LIMIT, Via, alone, eventually, fds, recv_within, threads};

type PeerEnd<'a> = &'a mut WebSocket<TcpStream>;

/// Opens a session as a server does, and joins the namespace.
fn welcome(socket: PeerEnd<'_>) -> tungstenite::Result<()> {
    socket.send(Message::text(Greeting::new("s").text()))?;
    socket.read()?;
    socket.send(Message::text(r#"40{"sid":"id"}"#))
}

/// Reads until the client leaves.
fn hold(socket: PeerEnd<'_>) -> tungstenite::Result<()> {
    loop {
        socket.read()?;
    }
}

/// First packets of a session that open none.
fn bad_handshakes() -> Vec<String> {
    let mut bad: Vec<String> =
        ["", "0", "0[]", "0{x", "0null", "0{}", "40", "2", "1", "6", "x", "<html>"]
            .map(str::to_owned)
            .into();
    let good = Greeting::new("s").text();
    for (from, to) in [
        ("\"s\"", "7"),
        ("\"s\"", "\"\""),
        ("\"s\"", "\"a\\r\\nb\""),
        ("\"s\"", "null"),
        ("25000", "0"),
        ("25000", "-1"),
        ("25000", "\"25000\""),
        ("25000", "1e18"),
        ("20000", "null"),
    ] {
        let changed = good.replacen(from, to, 1);
        assert_ne!(changed, good);
        bad.push(changed);
    }
    bad.push(good.replacen("\"s\"", &format!("\"{}\"", "s".repeat(300_000)), 1));
    bad
}

#[test]
fn bad_handshakes_by_websocket_are_connect_errors() {
    alone(|| {
        let (threads_before, fds_before) = (threads(), fds());
        let bad = bad_handshakes();
        let count = bad.len();
        let peer = RawPeer::websocket(move |socket, number| {
            match bad.get(number) {
                Some(packet) => socket.send(Message::text(packet.clone()))?,
                None => welcome(socket)?,
            }
            hold(socket)
        });
        let client = Client::start(Via::WebSocket.builder(peer.url()));
        for number in 0..count {
            let error = client.connect_error();
            assert!(!error.is_timeout(), "{number}: {error}");
            assert!(error.to_string().len() < 600, "{number}: {error}");
        }
        client.connected();
        drop((client, peer));
        eventually(LIMIT, "no thread more than before", || threads() == threads_before);
        eventually(LIMIT, "no descriptor more than before", || fds() <= fds_before);
    });
}

#[cfg(feature = "polling")]
#[test]
fn bad_answers_by_polling_are_connect_errors() {
    alone(|| {
        let (threads_before, fds_before) = (threads(), fds());
        let ok = |body: &str| (200, String::new(), body.as_bytes().to_vec());
        let mut bad: Vec<(u16, String, Vec<u8>)> =
            bad_handshakes().iter().map(|body| ok(body)).collect();
        bad.push(ok("\u{1e}0{}"));
        bad.push((200, "Content-Type: text/html\r\n".into(), b"<html>log in</html>".to_vec()));
        bad.push((200, "Content-Encoding: gzip\r\n".into(), b"\x1f\x8b".to_vec()));
        bad.push((302, "Location: http://127.0.0.1:1/\r\n".into(), Vec::new()));
        for status in [204, 400, 401, 403, 404, 429, 500, 503] {
            bad.push((status, String::new(), b"no".to_vec()));
        }
        bad.push((400, String::new(), br#"{"code":1,"message":"Session ID unknown"}"#.to_vec()));
        let count = bad.len();
        let answered = std::sync::atomic::AtomicUsize::new(0);
        let peer = RawPeer::start(move |mut connection| {
            loop {
                connection.read_request()?;
                let number = answered.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                match bad.get(number) {
                    Some((status, headers, body)) => connection.respond(*status, headers, body)?,
                    None => return connection.hold(),
                }
            }
        });
        let client = Client::start(Via::Polling.builder(peer.url()));
        for number in 0..count {
            let error = client.connect_error();
            assert!(!error.is_timeout(), "{number}: {error}");
            assert!(error.to_string().len() < 600, "{number}: {error}");
        }
        assert!(client.is_active());
        drop((client, peer));
        eventually(LIMIT, "no thread more than before", || threads() == threads_before);
        eventually(LIMIT, "no descriptor more than before", || fds() <= fds_before);
    });
}

/// Runs a client against sessions that each go wrong in a way of their own, after a good start.
#[track_caller]
fn sessions_end(ways: &'static [fn(PeerEnd<'_>) -> tungstenite::Result<()>], reason: &str) {
    let peer = RawPeer::websocket(move |socket, number| {
        welcome(socket)?;
        match ways.get(number) {
            Some(way) => way(socket),
            None => hold(socket),
        }
    });
    let client = Client::start(Via::WebSocket.builder(peer.url()));
    client.connected();
    for number in 0..ways.len() {
        let (seen, error) = client.disconnected();
        assert_eq!(seen.as_str(), reason, "{number}: {error:?}");
        assert!(error.is_some(), "{number}");
        client.reconnected();
    }
}

/// Writes bytes below WebSocket and waits for the client to leave.
fn bytes(socket: PeerEnd<'_>, bytes: &[u8]) -> tungstenite::Result<()> {
    socket.get_mut().write_all(bytes)?;
    hold(socket)
}

#[test]
fn broken_websockets_are_transport_errors() {
    sessions_end(
        &[
            // An unknown engine packet.
            |s| s.send(Message::text("9")).and_then(|()| hold(s)),
            |s| s.send(Message::text("")).and_then(|()| hold(s)),
            // A reserved bit, a reserved type, a masked frame, a long ping, a stray continuation.
            |s| bytes(s, &[0xc1, 1, b'6']),
            |s| bytes(s, &[0x83, 1, b'6']),
            |s| bytes(s, &[0x81, 0x81, 0, 0, 0, 0, b'6']),
            |s| bytes(s, &[&[0x89, 126, 0, 126][..], &[0; 126]].concat()),
            |s| bytes(s, &[0x80, 1, b'6']),
            // Text that is no UTF-8.
            |s| bytes(s, &[0x81, 2, b'4', 0xff]),
            // Lengths beyond the limit and beyond reason.
            |s| bytes(s, &[0x81, 127, 0, 0, 0, 0, 0x0c, 0, 0, 0]),
            |s| bytes(s, &[0x82, 127, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
            |s| bytes(s, &[0x82, 127, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        ],
        "transport error",
    );
}

#[test]
fn ended_websockets_are_a_closed_transport() {
    sessions_end(
        &[
            // In order, with and without a code; between frames; within a frame.
            |s| s.close(None).and_then(|()| hold(s)),
            |s| bytes(s, &[0x88, 2, 0x03, 0xe9]),
            |s| Ok(s.get_mut().shutdown(Shutdown::Both)?),
            |s| {
                s.get_mut().write_all(&[0x81, 100, b'4'])?;
                Ok(s.get_mut().shutdown(Shutdown::Write)?)
            },
            |s| {
                s.get_mut().write_all(&[0x81])?;
                rustix::net::connect_unspec(s.get_ref()).map_err(std::io::Error::from)?;
                Ok(())
            },
            // The engine's own word for it.
            |s| s.send(Message::text("1")).and_then(|()| hold(s)),
        ],
        "transport close",
    );
}

#[test]
fn binary_frames_hold_no_text_packets() {
    sessions_end(
        &[|s| s.send(Message::binary(&b"42[\"e\"]"[..])).and_then(|()| hold(s))],
        "parse error",
    );
}

#[test]
fn silence_is_a_ping_timeout_whatever_else_comes() {
    let quick = Greeting::new("s").heartbeat(500, 500).text();
    let peer = RawPeer::websocket(move |socket, number| {
        socket.send(Message::text(quick.clone()))?;
        socket.read()?;
        socket.send(Message::text(r#"40{"sid":"id"}"#))?;
        // Silence; events without pings; a frame that never ends.
        match number {
            0 => hold(socket),
            1 => loop {
                socket.send(Message::text("42[\"e\"]"))?;
                std::thread::sleep(Duration::from_millis(10));
            },
            _ => bytes(socket, &[0x81, 100, b'4']),
        }
    });
    let client = Client::start(Via::WebSocket.builder(peer.url()));
    for _ in 0..3 {
        client.reconnected();
        assert_eq!(client.disconnected().0, DisconnectReason::PingTimeout);
    }
}

#[test]
fn harmless_oddities_of_the_engine_are_survived() {
    let peer = RawPeer::websocket(|socket, _| {
        // Events before the answer to CONNECT are held until then.
        socket.send(Message::text(
            Greeting::new("s").upgrades(&["websocket", "carrier-pigeon"]).text(),
        ))?;
        socket.send(Message::text("42[\"early\",1]"))?;
        socket.read()?;
        socket.send(Message::text("42[\"early\",2]"))?;
        socket.send(Message::text(r#"40{"sid":"id"}"#))?;
        // A second handshake, packets for no one, many pings, pings of WebSocket, fragments.
        let second = Greeting::new("other").heartbeat(1, 1).text();
        for packet in [second.as_str(), "6", "6noop", "3", "3probe", "5"] {
            socket.send(Message::text(packet))?;
        }
        for _ in 0..5000 {
            socket.write(Message::text("2"))?;
        }
        socket.send(Message::Ping(tungstenite::Bytes::from_static(b"x")))?;
        socket.get_mut().write_all(&[0x01, 1, b'4', 0x89, 0, 0x80, 6])?;
        socket.get_mut().write_all(b"2[\"e\"]")?;
        // A question, to see that all this was read.
        socket.send(Message::text("420[\"last\"]"))?;
        hold(socket)
    });
    let client = Client::idle(Via::WebSocket.builder(peer.url()));
    let any = client.subscribe_any();
    client.connect();
    assert_eq!(client.connected(), "id");
    let next = || recv_within(any.receiver(), LIMIT);
    assert_eq!(next().args::<u32>().unwrap(), 1);
    assert_eq!(next().args::<u32>().unwrap(), 2);
    assert_eq!(next().name(), "e");
    let last = next();
    assert_eq!((last.name(), last.wants_ack()), ("last", true));
    assert!(client.status.try_recv().is_none());
}

#[test]
fn a_namespace_joined_without_an_id_is_an_error() {
    for answer in ["40", "40{}", r#"40{"sid":7}"#] {
        let peer = RawPeer::websocket(move |socket, _| {
            socket.send(Message::text(Greeting::new("s").text()))?;
            socket.read()?;
            socket.send(Message::text(answer))?;
            hold(socket)
        });
        let client = Client::start(Via::WebSocket.builder(peer.url()));
        let error = client.connect_error();
        assert_eq!(error.stage(), Some(Stage::Namespace), "{error}");
        let error = client.wait_connected(Duration::from_millis(1)).unwrap_err();
        assert!(error.to_string().contains("Builder::revision"), "it has its cause: {error}");
    }
}

/// A peer that welcomes, and tells what it reads from then on.
fn listening_peer() -> (RawPeer, crossbeam_channel::Receiver<String>) {
    let (sender, seen) = crossbeam_channel::unbounded();
    let peer = RawPeer::websocket(move |socket, _| {
        welcome(socket)?;
        loop {
            match socket.read()? {
                Message::Text(text) => sender.send(text.as_str().to_owned()).unwrap(),
                Message::Binary(bytes) => sender.send(format!("{} bytes", bytes.len())).unwrap(),
                Message::Close(_) => sender.send("close".into()).unwrap(),
                _ => {}
            }
        }
    });
    (peer, seen)
}

#[test]
fn a_farewell_on_a_quiet_connection_ends_with_a_close_frame() {
    let (peer, seen) = listening_peer();
    let client = Client::connect(Via::WebSocket.builder(peer.url()));
    // The thread of the connection sleeps by now, so that it is this one that writes.
    std::thread::sleep(Duration::from_millis(100));
    client.disconnect();
    let next = || recv_within(&seen, LIMIT);
    assert_eq!((next(), next()), ("41".into(), "close".into()));
}

#[test]
fn what_is_emitted_is_sent_before_the_farewell() {
    let (peer, seen) = listening_peer();
    let client = Client::connect(Via::WebSocket.builder(peer.url()));
    for n in 0..100 {
        client.emit("e", (n, Binary::from(vec![0; n]))).unwrap();
    }
    client.disconnect();
    let next = || recv_within(&seen, LIMIT);
    for n in 0..100 {
        let text = format!(r#"451-["e",{n},{{"_placeholder":true,"num":0}}]"#);
        assert_eq!((next(), next()), (text, format!("{n} bytes")));
    }
    assert_eq!((next(), next()), ("41".into(), "close".into()));
    assert!(matches!(client.next_status(), Status::Disconnected { .. }));
}

/// What has been taken from the socket and is no event yet must not wait for more to come.
#[test]
fn what_was_read_past_a_full_buffer_comes_when_there_is_room() {
    const BUFFER: usize = 8;
    // With these, one turn of reading (64 KiB) ends shortly before what has come does.
    let rest = |round: usize| 577 + 2 * round;
    let peer = RawPeer::websocket(move |socket, _| {
        welcome(socket)?;
        for round in 0..10 {
            for count in [BUFFER + 1, rest(round)] {
                // Whatever the client says.
                socket.read()?;
                for number in 0..count {
                    let pad = "x".repeat(100);
                    socket.write(Message::text(format!(r#"42["e",{number},"{pad}"]"#)))?;
                }
                socket.flush()?;
            }
        }
        hold(socket)
    });
    let limits = Limits::new().receive_events(BUFFER);
    let client = Client::connect(Via::WebSocket.builder(peer.url()).limits(limits));
    let events = client.subscribe("e");
    for round in 0..10 {
        client.emit("more", ()).unwrap();
        eventually(LIMIT, "a full buffer", || events.len() == BUFFER);
        // Nothing is read meanwhile: all of it will be there at once.
        client.emit("more", ()).unwrap();
        for number in (0..=BUFFER).chain(0..rest(round)) {
            let event = events.recv_timeout(LIMIT).unwrap();
            assert_eq!(event.arg::<usize>(0).unwrap(), number, "round {round}");
        }
    }
}
