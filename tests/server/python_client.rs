//! The client of python-socketio: `tests/servers/python/client.py`.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use siot::DisconnectReason;

use crate::host::Host;
use crate::support::{LIMIT, Via, over_each_transport};

over_each_transport!(it_does_all_that_it_can);

fn it_does_all_that_it_can(via: Via) {
    let host = Host::start(|builder| {
        builder.ping_interval(Duration::from_secs(1)).ping_timeout(Duration::from_secs(10))
    });
    host.of("/other").authorize(|socket| {
        let auth: Value = socket.handshake().auth()?;
        if auth["token"] == "secret" { Ok(()) } else { Err("no token".into()) }
    });
    let transports = match via {
        Via::WebSocket => json!(["websocket"]),
        Via::Polling => json!(["polling"]),
        Via::Upgrade => json!(["polling", "websocket"]),
    };
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servers/python");
    let config = json!({ "url": host.url, "transports": transports });
    let mut child = Command::new(format!("{folder}/venv-5/bin/python"))
        .args([format!("{folder}/client.py"), config.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("python-socketio is not there: {error}; `tests/install`"));
    let output = BufReader::new(child.stdout.take().expect("a piped stdout"));
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        output.lines().map_while(Result::ok).try_for_each(|one| sender.send(one))
    });
    // A whole session, and the start of Python.
    let line = lines.recv_timeout(2 * LIMIT).expect("results in time");
    let results: Value = serde_json::from_str(&line).expect("results in JSON");
    let transport = if via == Via::Polling { "polling" } else { "websocket" };
    let expected = json!({
        "echo": ["é\u{1e}\n😀", 1.5, { "a": [null] }],
        "binary": true,
        "back": ["text", true],
        "conclusion": ["why?", true],
        "other": "there",
        "transport": transport,
    });
    assert_eq!(results, expected);
    let sockets = [host.connected(), host.connected()];
    child.stdin.take().expect("a piped stdin").write_all(b"\n").expect("a client that reads");
    assert_eq!(lines.recv_timeout(LIMIT), Err(RecvTimeoutError::Disconnected), "it ends");
    assert!(child.wait().expect("a client that ends").success());
    for _ in sockets {
        let (socket, reason) = host.parted();
        let is_orderly = match reason {
            DisconnectReason::ClientNamespaceDisconnect | DisconnectReason::TransportClose => true,
            // By polling it may be gone before it has said all, between two requests.
            DisconnectReason::PingTimeout => via == Via::Polling,
            _ => false,
        };
        assert!(is_orderly, "{socket:?}: {reason}");
    }
}
