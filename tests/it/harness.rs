//! The test kit itself: what it promises to the other tests.

use std::fs::{File, create_dir_all, remove_dir_all};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process;
use std::time::Duration;

use serde_json::{Value, json};
use tungstenite::{Message, WebSocket};

use crate::support::folder::Folder;
use crate::support::greeting::Greeting;
use crate::support::raw::{RawConnection, RawPeer};
use crate::support::{LIMIT, Server, alone, eventually, fds, pattern, recv_within, threads};

/// A bare WebSocket session: engine packets as text, no client logic.
struct Raw(WebSocket<TcpStream>);

impl Raw {
    /// Connects, and reads the engine's open packet.
    fn open(port: u16, engine: u32) -> (Self, Value) {
        let stream = connect(port);
        let url = format!("ws://127.0.0.1:{port}/socket.io/?EIO={engine}&transport=websocket");
        let (socket, _) = tungstenite::client(url, stream).unwrap();
        let mut raw = Self(socket);
        let text = raw.read();
        let open = serde_json::from_str(text.strip_prefix('0').unwrap()).unwrap();
        (raw, open)
    }

    fn send(&mut self, text: &str) {
        self.0.send(Message::text(text)).unwrap();
    }

    /// The next text message that is no ping.
    fn read(&mut self) -> String {
        loop {
            match self.0.read().unwrap() {
                Message::Text(text) if text.as_str() == "2" => self.send("3"),
                Message::Text(text) => return text.as_str().to_owned(),
                other => panic!("not a text: {other:?}"),
            }
        }
    }

    /// Joins the default namespace, as the engine's revision wants it.
    fn join(port: u16, engine: u32) -> Self {
        let (mut raw, _) = Self::open(port, engine);
        if engine == 4 {
            raw.send("40");
        }
        assert!(raw.read().starts_with("40"));
        raw
    }
}

fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream
}

/// The whole response to a GET, as text.
fn get(port: u16, target: &str) -> String {
    let mut stream = connect(port);
    let request = format!("GET {target} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut response = Vec::new();
    stream.read_to_end(&mut response).unwrap();
    // Versions 1 and 2 frame poll bodies with bytes that are no text.
    String::from_utf8_lossy(&response).into_owned()
}

const POLL: &str = "/socket.io/?EIO=4&transport=polling";

#[test]
fn each_version_answers_a_polling_handshake() {
    for (version, engine) in [(1, 3), (2, 3), (3, 4), (4, 4)] {
        let server = Server::start(json!({ "version": version }));
        let response = get(server.port(), &format!("/socket.io/?EIO={engine}&transport=polling"));
        assert!(response.starts_with("HTTP/1.1 200"), "version {version}: {response}");
        assert!(response.contains("\"sid\""), "version {version}: {response}");
    }
}

#[test]
fn each_version_acknowledges_over_websocket() {
    for (version, engine) in [(1, 3), (2, 3), (3, 4), (4, 4)] {
        let server = Server::start(json!({ "version": version }));
        let mut raw = Raw::join(server.port(), engine);
        raw.send(r#"427["sum",1,2]"#);
        assert_eq!(raw.read(), "437[3]", "version {version}");
        let events = server.entries("events");
        assert_eq!(events[0]["name"], "sum", "version {version}: {events:?}");
        assert_eq!(events[0]["args"], json!([1, 2, { "$ack": 7 }]));
    }
}

#[test]
fn options_reach_the_server() {
    let server = Server::version(4, json!({ "pingInterval": 1234, "path": "/elsewhere" }));
    let response = get(server.port(), "/elsewhere/?EIO=4&transport=polling");
    assert!(response.contains("\"pingInterval\":1234"), "{response}");
}

#[test]
fn an_ack_can_come_twice() {
    for (version, engine) in [(1, 3), (2, 3), (3, 4), (4, 4)] {
        let server = Server::start(json!({ "version": version }));
        let mut raw = Raw::join(server.port(), engine);
        raw.send(r#"420["ack-twice"]"#);
        assert_eq!(raw.read(), r#"430["first"]"#);
        assert_eq!(raw.read(), r#"430["second"]"#, "version {version}");
    }
}

#[test]
fn malformed_packets_can_be_asked_for() {
    let server = Server::start(json!({}));
    let mut raw = Raw::join(server.port(), 4);
    raw.send(r#"42["raw","2","5999-["]"#);
    assert_eq!((raw.read(), raw.read()), ("42".into(), "45999-[".into()));
    raw.send(r#"42["raw-frame","","9x"]"#);
    assert_eq!((raw.read(), raw.read()), (String::new(), "9x".into()));
}

#[test]
fn the_server_checks_blobs_and_order() {
    let server = Server::start(json!({}));
    let mut raw = Raw::join(server.port(), 4);
    let mut blob = |n: usize, second: Vec<u8>| {
        let (a, b) = (r#"{"_placeholder":true,"num":0}"#, r#"{"_placeholder":true,"num":1}"#);
        raw.send(&format!(r#"452-["blob",3,{n},{a},{b}]"#));
        raw.0.send(Message::binary(pattern(3, n, 0, 300))).unwrap();
        raw.0.send(Message::binary(second)).unwrap();
    };
    blob(0, pattern(3, 0, 1, 10));
    eventually(LIMIT, "the first blob", || server.cmd("blobs")["total"] == 1);
    let good = server.cmd("blobs");
    assert_eq!(
        (&good["bad"], &good["inOrder"], &good["bytes"]),
        (&0.into(), &true.into(), &310.into())
    );
    blob(2, pattern(3, 2, 0, 10));
    eventually(LIMIT, "the second blob", || server.cmd("blobs")["total"] == 2);
    let bad = server.cmd("blobs");
    assert_eq!((&bad["bad"], &bad["inOrder"]), (&1.into(), &false.into()));
}

#[test]
fn the_server_counts_and_logs_sessions() {
    let server = Server::start(json!({}));
    let raw = Raw::join(server.port(), 4);
    assert_eq!(server.sessions(), 1);
    assert_eq!(server.cmd("sessions")["sockets"], json!({ "/": 1 }));
    drop(raw);
    eventually(LIMIT, "the session's end", || server.sessions() == 0);
    let kinds: Vec<_> = server.entries("log").iter().map(|entry| entry["what"].clone()).collect();
    assert_eq!(kinds, ["open", "connect", "disconnect", "close"]);
}

#[test]
fn a_restarted_server_has_its_old_port() {
    let server = Server::start(json!({}));
    let first = server.pid();
    server.stop();
    assert!(TcpStream::connect(("127.0.0.1", server.port())).is_err());
    server.restart();
    assert_ne!(server.pid(), first);
    assert_eq!(server.sessions(), 0);
    assert!(get(server.port(), POLL).contains("\"sid\""));
}

#[test]
fn a_server_closes_and_listens_again_without_losing_its_counts() {
    for (version, engine) in [(1, 3), (2, 3), (3, 4), (4, 4)] {
        let server = Server::start(json!({ "version": version }));
        let mut raw = Raw::join(server.port(), engine);
        raw.send(r#"420["tick","a",0]"#);
        raw.read();
        server.cmd("close");
        assert!(
            raw.0.read().is_err() || raw.0.read().is_err(),
            "version {version} keeps a connection"
        );
        server.cmd("listen");
        let mut raw = Raw::join(server.port(), engine);
        raw.send(r#"420["tick","a",1]"#);
        raw.read();
        let ticks = server.cmd("ticks");
        assert_eq!((&ticks["total"], &ticks["inOrder"]), (&2.into(), &true.into()));
    }
}

#[test]
fn a_dropped_server_leaves_no_process() {
    let server = Server::start(json!({}));
    let process = format!("/proc/{}", server.pid());
    assert!(Path::new(&process).exists());
    server.freeze();
    drop(server);
    assert!(!Path::new(&process).exists());
}

#[test]
fn a_frozen_server_answers_only_when_thawed() {
    let server = Server::start(json!({}));
    let mut raw = Raw::join(server.port(), 4);
    server.freeze();
    raw.send(r#"420["sum",1,2]"#);
    raw.0.get_ref().set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    assert!(matches!(raw.0.read(), Err(tungstenite::Error::Io(_))));
    server.thaw();
    raw.0.get_ref().set_read_timeout(Some(LIMIT)).unwrap();
    assert_eq!(raw.read(), "430[3]");
}

#[test]
fn a_server_that_stops_pinging_neither_pings_nor_closes() {
    let server = Server::version(4, json!({ "pingInterval": 50, "pingTimeout": 1000 }));
    let mut raw = Raw::join(server.port(), 4);
    assert_eq!(server.cmd("stop-pinging"), 1);
    raw.0.get_ref().set_read_timeout(Some(Duration::from_millis(1500))).unwrap();
    loop {
        match raw.0.read() {
            // A ping that was on its way.
            Ok(Message::Text(text)) if text.as_str() == "2" => raw.send("3"),
            Err(tungstenite::Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => break,
            other => panic!("not silence: {other:?}"),
        }
    }
    assert_eq!(server.sessions(), 1);
}

#[test]
fn a_dropped_connection_ends_at_once() {
    let server = Server::start(json!({}));
    let mut raw = Raw::join(server.port(), 4);
    assert_eq!(server.cmd("drop"), 1);
    assert!(matches!(raw.0.read(), Err(tungstenite::Error::Protocol(_))));
    let mut raw = Raw::join(server.port(), 4);
    server.command(json!({ "cmd": "drop", "reset": true }));
    match raw.0.read() {
        Err(tungstenite::Error::Io(error)) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        other => panic!("not a reset: {other:?}"),
    }
}

#[test]
fn prepared_answers_are_used_once_each() {
    let server = Server::start(json!({}));
    server
        .command(json!({ "cmd": "answer", "match": "GET", "status": 502, "body": "bad gateway" }));
    assert!(get(server.port(), POLL).starts_with("HTTP/1.1 502"));
    assert!(get(server.port(), POLL).starts_with("HTTP/1.1 200"));
    let requests = server.entries("requests");
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0]["headers"]["host"], "t");
}

#[test]
fn the_server_emits_on_command_with_binary() {
    let server = Server::start(json!({}));
    let mut raw = Raw::join(server.port(), 4);
    server.command(json!({ "cmd": "emit", "event": "hi", "args": [1, { "$bytes": "AAEC" }] }));
    assert_eq!(raw.read(), r#"451-["hi",1,{"_placeholder":true,"num":0}]"#);
    assert_eq!(raw.0.read().unwrap().into_data(), vec![0, 1, 2]);
}

#[test]
#[should_panic(expected = "no command")]
fn an_unknown_command_fails_the_test() {
    Server::start(json!({})).cmd("nonsense");
}

#[test]
#[should_panic(expected = "within")]
fn a_condition_that_never_holds_fails_the_test() {
    eventually(Duration::from_millis(20), "the impossible", || false);
}

#[test]
#[should_panic(expected = "no message within")]
fn a_message_that_never_comes_fails_the_test() {
    let (_sender, receiver) = crossbeam_channel::unbounded::<()>();
    recv_within(&receiver, Duration::from_millis(20));
}

#[test]
fn a_folder_that_an_earlier_process_has_left_is_passed_over() {
    alone(|| {
        let left =
            |number| std::env::temp_dir().join(format!("siot-test-{}-{number}", process::id()));
        (0..3).for_each(|number| create_dir_all(left(number)).unwrap());
        let folder = Folder::new();
        assert_eq!(folder.path(""), left(3).join(""));
        (0..3).for_each(|number| remove_dir_all(left(number)).unwrap());
    });
}

#[test]
fn threads_and_descriptors_are_counted() {
    alone(|| {
        let (threads_before, fds_before) = (threads(), fds());
        let file = File::open("/dev/null").unwrap();
        assert_eq!(fds(), fds_before + 1);
        drop(file);
        assert_eq!(fds(), fds_before);
        let (release, gate) = crossbeam_channel::bounded::<()>(0);
        let named = std::thread::Builder::new().name("harness-named".into());
        let (started, begun) = crossbeam_channel::bounded::<()>(0);
        let handle = named.spawn(move || (started.send(()), gate.recv().is_err()));
        begun.recv().unwrap();
        assert_eq!(threads().len(), threads_before.len() + 1);
        assert!(threads().contains(&"harness-named".to_owned()), "{:?}", threads());
        drop(release);
        handle.unwrap().join().unwrap().0.unwrap();
        eventually(LIMIT, "the thread's end", || threads() == threads_before);
    });
}

#[test]
#[should_panic(expected = "alone in its process")]
fn what_fails_alone_fails_here() {
    // A panic would satisfy `should_panic` in the other process already.
    alone(|| std::process::exit(7));
}

#[test]
fn a_peer_answers_byte_by_byte() {
    let peer = RawPeer::start(|mut connection: RawConnection| {
        let request = connection.read_request()?;
        assert_eq!((request.method.as_str(), request.header("host")), ("GET", Some("t")));
        connection.respond(418, "X-Tea: yes\r\n", request.target.as_bytes())
    });
    let response = get(peer.port(), "/a?b=c");
    assert_eq!(response, "HTTP/1.1 418 Test\r\nContent-Length: 6\r\nX-Tea: yes\r\n\r\n/a?b=c");
    assert_eq!(peer.accepted(), 1);
}

#[test]
fn a_peer_speaks_websocket() {
    let peer = RawPeer::websocket(|socket, number| {
        socket.send(Message::text(Greeting::new(format!("s{number}")).text()))?;
        let echo = socket.read()?;
        socket.send(echo)
    });
    let (mut raw, open) = Raw::open(peer.port(), 4);
    assert_eq!(open["sid"], "s0");
    raw.send("40");
    assert_eq!(raw.read(), "40");
    let (_, open) = Raw::open(peer.port(), 4);
    assert_eq!(open["sid"], "s1");
}

#[test]
fn a_peer_resets_connections() {
    let peer = RawPeer::start(|mut connection| {
        connection.read_request()?;
        connection.reset()
    });
    let mut stream = connect(peer.port());
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let error = stream.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[test]
fn a_dropped_peer_ends_what_it_holds() {
    let peer = RawPeer::start(RawConnection::hold);
    let mut stream = connect(peer.port());
    eventually(LIMIT, "the connection", || peer.accepted() == 1);
    drop(peer);
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
}

#[test]
#[should_panic(expected = "the closure's own words")]
fn a_panic_in_a_peer_fails_the_test() {
    let peer = RawPeer::start(|_| panic!("the closure's own words"));
    let mut stream = connect(peer.port());
    let _ = stream.read(&mut [0]);
}
