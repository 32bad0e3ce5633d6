//! A socket's life: connecting and disconnecting at every wrong moment.

use std::time::Duration;

use serde_json::json;
use siot::{DisconnectReason, ErrorKind, Status};

use crate::support::{Client, LIMIT, Server, Via, eventually, over_each_transport, shared};

over_each_transport!(
    connecting_twice_sends_one_connect,
    disconnecting_before_the_answer_leaves_no_socket_on_the_server,
    disconnecting_while_opening_is_silent,
    disconnecting_one_of_two_keeps_the_connection,
    a_session_that_ends_before_the_answer_is_a_disconnection,
    an_error_on_a_connected_socket_leaves_it_connected,
    a_refused_socket_is_not_active_and_is_not_tried_again,
    a_kicked_socket_keeps_the_others,
    a_second_connect_while_one_socket_leaves_joins_the_same_session,
);

fn connecting_twice_sends_one_connect(via: Via) {
    let server = Server::start(json!({}));
    let client = Client::idle(via.builder(format!("{}/late", server.url())));
    for _ in 0..3 {
        client.connect();
    }
    client.connected();
    client.connect();
    client.works();
    let log = server.entries("log");
    assert_eq!(log.iter().filter(|entry| entry["what"] == "connect").count(), 1, "{log:?}");
    assert!(client.status.try_recv().is_none());
}

fn disconnecting_before_the_answer_leaves_no_socket_on_the_server(via: Via) {
    let server = Server::start(json!({}));
    let root = via.connect(server.url());
    let late = root.manager().socket("/late").unwrap();
    let status = late.status();
    // What is answered was sent after CONNECT.
    root.works();
    late.disconnect();
    // Only what comes after the answer tells that it was undone.
    eventually(LIMIT, "the end of the socket", || {
        let log = server.entries("log");
        let of = |what: &str| log.iter().any(|seen| seen["what"] == what && seen["nsp"] == "/late");
        of("connect") && of("disconnect")
    });
    assert!(status.try_recv().is_none());
    late.connect();
    late.wait_connected(LIMIT).unwrap();
    root.works();
    assert!(root.status.try_recv().is_none(), "the connection was lost");
}

fn disconnecting_while_opening_is_silent(via: Via) {
    // A session that was opened for one who is gone by then ends with its heartbeat.
    let server = Server::version(4, json!({"pingInterval": 3000, "pingTimeout": 5000}));
    let client = Client::start(via.builder(format!("{}/never", server.url())));
    client.disconnect();
    assert!(client.status.recv_timeout(Duration::from_millis(200)).unwrap_err().is_timeout());
    eventually(LIMIT, "no session", || server.sessions() == 0);
}

fn disconnecting_one_of_two_keeps_the_connection(via: Via) {
    let server = Server::start(json!({}));
    let root = via.connect(server.url());
    let admin = root.manager().socket("/admin").unwrap();
    admin.wait_connected(LIMIT).unwrap();
    root.disconnect();
    root.disconnected();
    let sum: u32 = admin.timeout(LIMIT).emit_with_ack("sum", (1, 2)).unwrap().wait().unwrap();
    assert_eq!(sum, 3);
    root.connect();
    root.connected();
    assert_eq!(server.sessions(), 1);
    assert_eq!(server.entries("log").iter().filter(|seen| seen["what"] == "open").count(), 1);
}

fn a_session_that_ends_before_the_answer_is_a_disconnection(via: Via) {
    let server = Server::start(json!({}));
    let client = Client::start(via.builder(format!("{}/never", server.url())).reconnection(false));
    client.manager().wait_open(LIMIT).unwrap();
    eventually(LIMIT, "a session", || server.sessions() == 1);
    server.cmd("close");
    // An error where a request is under way.
    let (reason, _) = client.disconnected();
    assert!(
        matches!(reason, DisconnectReason::TransportClose | DisconnectReason::TransportError),
        "{reason}"
    );
}

fn an_error_on_a_connected_socket_leaves_it_connected(via: Via) {
    let client = via.connect(shared().url());
    client.emit("raw", r#"4{"message":"later","data":7}"#).unwrap();
    let error = client.connect_error();
    assert_eq!((error.message(), error.data()), ("later", Some("7")));
    assert!(client.socket.is_connected() && client.is_active());
    client.works();
}

fn a_refused_socket_is_not_active_and_is_not_tried_again(via: Via) {
    let server = Server::start(json!({}));
    let client = Client::start(via.builder(format!("{}/third-time", server.url())));
    for attempt in 1..=2 {
        let error = client.connect_error();
        assert_eq!(error.kind(), ErrorKind::Refused);
        assert_eq!(error.data().unwrap(), json!({"attempt": attempt}).to_string());
        assert!(!client.is_active() && !client.socket.is_connected());
        assert!(client.status.recv_timeout(Duration::from_millis(150)).unwrap_err().is_timeout());
        client.connect();
    }
    client.connected();
    client.works();
}

fn a_kicked_socket_keeps_the_others(via: Via) {
    let server = Server::start(json!({}));
    let root = via.connect(server.url());
    let admin = root.manager().socket("/admin").unwrap();
    let status = admin.status();
    admin.wait_connected(LIMIT).unwrap();
    admin.emit("kick", ()).unwrap();
    while !matches!(status.recv_timeout(LIMIT).unwrap(), Status::Disconnected { .. }) {}
    // What is emitted now waits, rather than cost the others the connection.
    admin.emit("tick", (0, 0)).unwrap();
    assert_eq!(admin.send_buffer(), [r#"["tick",0,0]"#]);
    root.works();
    admin.connect();
    admin.wait_connected(LIMIT).unwrap();
    eventually(LIMIT, "what waited", || server.cmd("ticks")["total"] == 1);
    assert!(root.status.try_recv().is_none(), "the connection was lost");
}

fn a_second_connect_while_one_socket_leaves_joins_the_same_session(via: Via) {
    let server = Server::start(json!({}));
    let root = via.connect(server.url());
    let admin = root.manager().socket("/admin").unwrap();
    admin.wait_connected(LIMIT).unwrap();
    for _ in 0..4 {
        admin.disconnect();
        admin.connect();
        admin.wait_connected(LIMIT).unwrap();
    }
    root.works();
    assert_eq!(server.sessions(), 1);
    assert!(root.status.try_recv().is_none(), "the connection was lost");
}
