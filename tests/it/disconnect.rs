//! Disconnecting: every reason by its name, and what is left afterwards.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use siot::{DisconnectReason, Error, ErrorKind, ManagerEvent};

use crate::support::{
    Client, LIMIT, Server, Via, eventually, over_each_transport, recv_within, shared,
};

over_each_transport!(
    a_dead_server_is_a_lost_transport,
    a_closing_server_closes_the_transport,
    the_server_disconnects_the_socket,
    the_server_disconnects_the_whole_connection,
    a_server_that_kicks_at_once_is_obeyed,
    the_client_disconnects,
    a_closed_engine_closes_the_transport,
    an_engine_close_packet_closes_the_transport,
    a_destroyed_connection_is_a_lost_transport,
    missing_heartbeats_are_a_ping_timeout,
    a_frozen_server_is_a_ping_timeout,
    heartbeats_keep_a_quiet_connection,
    an_unknown_engine_packet_is_a_transport_error,
    a_broken_socket_packet_is_a_parse_error,
    a_message_the_server_does_not_take_loses_the_connection_at_most_once,
    what_is_emitted_while_disconnected_is_sent_in_order,
    volatile_events_are_dropped_while_disconnected,
    a_disconnection_leaves_no_session,
    a_disconnection_in_the_midst_of_connecting_leaves_no_session,
    a_disconnection_can_be_undone_at_once,
    disconnecting_twice_is_once,
    close_ends_subscriptions_and_threads,
    what_is_closed_for_good_stays_closed,
);

/// The reason in the words of the reference.
#[track_caller]
fn reason(client: &Client) -> String {
    client.disconnected().0.to_string()
}

fn either(via: Via, by_websocket: &'static str, by_polling: &'static str) -> &'static str {
    if via == Via::Polling { by_polling } else { by_websocket }
}

fn a_dead_server_is_a_lost_transport(via: Via) {
    let server = Server::start(json!({}));
    let client = via.settle(server.url());
    server.kill();
    let (reason, error) = client.disconnected();
    assert_eq!(reason.as_str(), either(via, "transport close", "transport error"));
    assert!(error.is_some());
    assert!(client.is_active() && !client.socket.is_connected());
}

fn a_closing_server_closes_the_transport(via: Via) {
    let server = Server::start(json!({}));
    let client = via.settle(server.url());
    if via == Via::Polling {
        // A poll has to wait for the server to say it: after the handshake and the CONNECT.
        eventually(LIMIT, "a third poll", || {
            let requests = server.entries("requests");
            requests.iter().filter(|request| request["method"] == "GET").count() == 3
        });
    }
    server.cmd("close");
    assert_eq!(reason(&client), "transport close");
    server.cmd("listen");
    client.reconnected();
    client.works();
}

/// After this there is no reconnection.
#[track_caller]
fn stays_away(server: &Server, client: &Client) {
    assert!(!client.is_active());
    eventually(LIMIT, "the session's end", || server.sessions() == 0);
    let error = client.wait_connected(LIMIT).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Disconnected);
    // Longer than the delay before an attempt.
    assert!(client.status.recv_timeout(Duration::from_millis(250)).unwrap_err().is_timeout());
    client.connect();
    client.connected();
    client.works();
}

fn the_server_disconnects_the_socket(via: Via) {
    let server = Server::start(json!({}));
    let client = via.settle(server.url());
    client.emit("kick", ()).unwrap();
    let (reason, error) = client.disconnected();
    assert_eq!((reason.as_str(), error.is_none()), ("io server disconnect", true));
    stays_away(&server, &client);
}

fn the_server_disconnects_the_whole_connection(via: Via) {
    let server = Server::start(json!({}));
    let client = via.settle(server.url());
    client.emit("kick-hard", ()).unwrap();
    assert_eq!(reason(&client), "io server disconnect");
    stays_away(&server, &client);
}

fn a_server_that_kicks_at_once_is_obeyed(via: Via) {
    let url = format!("{}/kick-at-once", shared().url());
    let client = Client::start(via.builder(url));
    client.connected();
    assert_eq!(reason(&client), "io server disconnect");
}

fn the_client_disconnects(via: Via) {
    let server = Server::start(json!({}));
    let client = via.settle(server.url());
    client.disconnect();
    let (reason, error) = client.disconnected();
    assert_eq!((reason, error.is_none()), (DisconnectReason::IoClientDisconnect, true));
    assert_eq!(reason.as_str(), "io client disconnect");
    eventually(LIMIT, "the session's end", || server.sessions() == 0);
    stays_away(&server, &client);
}

fn a_closed_engine_closes_the_transport(via: Via) {
    let client = via.settle(shared().url());
    client.emit("close-engine", ()).unwrap();
    assert_eq!(reason(&client), "transport close");
    client.reconnected();
    client.works();
}

fn an_engine_close_packet_closes_the_transport(via: Via) {
    let client = via.settle(shared().url());
    client.emit("raw-engine", "close").unwrap();
    assert_eq!(reason(&client), "transport close");
    client.reconnected();
    client.works();
}

fn a_destroyed_connection_is_a_lost_transport(via: Via) {
    let server = Server::start(json!({}));
    let client = via.settle(server.url());
    let (reason, error) = client.cut_off(&server);
    assert_eq!(reason.as_str(), either(via, "transport close", "transport error"));
    assert!(error.is_some());
    client.reconnected();
    client.works();
}

fn missing_heartbeats_are_a_ping_timeout(via: Via) {
    let server = Server::version(4, json!({"pingInterval": 300, "pingTimeout": 2000}));
    let client = via.settle(server.url());
    client.wait_for("a heartbeat", |event| matches!(event, ManagerEvent::Ping));
    let start = Instant::now();
    assert_eq!(server.cmd("stop-pinging"), 1);
    let (reason, error) = client.disconnected();
    assert_eq!(reason.as_str(), "ping timeout");
    assert!(error.is_some_and(|error| error.is_timeout() && error.message().contains("no ping")));
    assert!(start.elapsed() < LIMIT / 2, "{:?}", start.elapsed());
    client.reconnected();
    client.works();
}

fn a_frozen_server_is_a_ping_timeout(via: Via) {
    let server = Server::version(4, json!({"pingInterval": 300, "pingTimeout": 2000}));
    let client = via.settle(server.url());
    server.freeze();
    // A blocked caller is freed as well.
    let mut ack = client.emit_with_ack("sum", (1, 2)).unwrap();
    assert!(ack.wait_timeout::<u32>(LIMIT).unwrap_err().is_disconnected());
    assert_eq!(reason(&client), "ping timeout");
    server.thaw();
    client.reconnected();
    client.works();
}

fn heartbeats_keep_a_quiet_connection(via: Via) {
    let server = Server::version(4, json!({"pingInterval": 50, "pingTimeout": 2000}));
    let client = via.settle(server.url());
    for _ in 0..10 {
        client.wait_for("a heartbeat", |event| matches!(event, ManagerEvent::Ping));
    }
    assert!(client.ask::<u32>("ping-count", ()) >= 5);
    assert!(client.status.try_recv().is_none());
    assert_eq!(server.sessions(), 1);
}

fn an_unknown_engine_packet_is_a_transport_error(via: Via) {
    let client = via.settle(shared().url());
    client.emit("raw-engine", ("noop", "is harmless")).unwrap();
    client.works();
    if via == Via::Polling {
        // On this transport the packets below are made byte by byte, in the tests of bad peers.
        return;
    }
    for frame in ["9", "x", ""] {
        let client = via.settle(shared().url());
        client.emit("raw-frame", frame).unwrap();
        let (reason, error) = client.disconnected();
        assert_eq!(reason.as_str(), "transport error", "{frame:?}");
        assert_eq!(error.unwrap().kind(), ErrorKind::Protocol);
        client.reconnected();
        client.works();
    }
}

fn a_broken_socket_packet_is_a_parse_error(via: Via) {
    let client = via.settle(shared().url());
    client.emit("raw", "2[\"open").unwrap();
    let (reason, error) = client.disconnected();
    let error = error.unwrap();
    assert_eq!((reason.as_str(), error.kind()), ("parse error", ErrorKind::Protocol));
    assert!(error.to_string().contains("2["), "it shows the packet: {error}");
    client.reconnected();
    client.works();
}

/// The limit that the server announces is that of a request body; here it announces none.
fn a_message_the_server_does_not_take_loses_the_connection_at_most_once(via: Via) {
    let server = Server::version(4, json!({"maxHttpBufferSize": 2000}));
    let client = via.settle(server.url());
    // What the client knows it refuses itself.
    let error = client.emit("echo", "x".repeat(3000)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    // What it emits unconnected it cannot know.
    client.disconnect();
    client.disconnected();
    let mut ack = client.emit_with_ack("echo", "x".repeat(3000)).unwrap();
    client.emit("tick", ("after", 0)).unwrap();
    client.connect();
    client.connected();
    assert_eq!(ack.wait_timeout::<String>(LIMIT).unwrap_err().kind(), ErrorKind::TooLarge);
    client.works();
    assert_eq!(server.cmd("ticks")["total"], 1);
    assert_eq!(client.manager().counters().send_dropped, 1);
}

fn what_is_emitted_while_disconnected_is_sent_in_order(via: Via) {
    let server = Server::start(json!({}));
    let client = Client::idle(via.builder(server.url()));
    for n in 0..50 {
        client.emit("tick", ("a", n)).unwrap();
    }
    client.connect();
    client.connected();
    for n in 50..100 {
        client.emit("tick", ("a", n)).unwrap();
    }
    assert_eq!(client.ask::<Json>("ticks", ())["total"], 100);
    server.cmd("close");
    client.disconnected();
    for n in 100..200 {
        client.emit("tick", ("a", n)).unwrap();
    }
    server.cmd("listen");
    client.reconnected();
    let ticks: Json = client.ask("ticks", ());
    assert_eq!((&ticks["total"], &ticks["inOrder"]), (&json!(200), &json!(true)));
}

fn volatile_events_are_dropped_while_disconnected(via: Via) {
    let server = Server::start(json!({}));
    let client = Client::idle(via.builder(server.url()));
    client.volatile().emit("tick", ("a", 0)).unwrap();
    let mut ack = client.volatile().emit_with_ack("tick", ("a", 0)).unwrap();
    assert!(ack.wait_timeout::<u32>(LIMIT).unwrap_err().is_disconnected());
    client.connect();
    client.connected();
    client.works();
    assert_eq!(server.cmd("ticks")["total"], 0);
    assert_eq!(client.manager().counters().send_dropped, 2);
}

fn a_disconnection_leaves_no_session(via: Via) {
    let server = Server::start(json!({}));
    let client = via.connect(server.url());
    client.disconnect();
    eventually(LIMIT, "the session's end", || server.sessions() == 0);
    eventually(LIMIT, "the end of all connections", || server.cmd("sessions")["tcp"] == 0);
    // The same for one that is just dropped.
    drop(via.connect(server.url()));
    eventually(LIMIT, "the session's end", || server.sessions() == 0);
    eventually(LIMIT, "the end of all connections", || server.cmd("sessions")["tcp"] == 0);
}

fn a_disconnection_in_the_midst_of_connecting_leaves_no_session(via: Via) {
    let server = Server::start(json!({}));
    for step in 0..20 {
        let client = Client::start(via.builder(server.url()));
        // Not a wait for anything: a point of time somewhere in the handshakes.
        thread::sleep(Duration::from_micros(500 * step));
        client.disconnect();
        assert!(!client.is_active());
        drop(client);
    }
    eventually(LIMIT, "the end of all sessions", || {
        let sessions = server.cmd("sessions");
        sessions["engine"] == 0 && sessions["tcp"] == 0
    });
}

fn a_disconnection_can_be_undone_at_once(via: Via) {
    let server = Server::start(json!({}));
    let client = via.connect(server.url());
    for _ in 0..20 {
        client.disconnect();
        client.connect();
        assert_eq!(reason(&client), "io client disconnect");
        client.connected();
        client.works();
    }
    eventually(LIMIT, "one session alone", || {
        server.cmd("sessions")["sockets"] == json!({"/": 1}) && server.sessions() == 1
    });
    // Faster than the server can answer. Beyond four sessions on their way to be closed the oldest
    // is just dropped.
    for _ in 0..4 {
        client.disconnect();
        client.connect();
    }
    client.socket.wait_connected(LIMIT).unwrap();
    client.works();
    eventually(LIMIT, "one session alone", || {
        server.cmd("sessions")["sockets"] == json!({"/": 1}) && server.sessions() == 1
    });
}

fn disconnecting_twice_is_once(via: Via) {
    let client = via.connect(shared().url());
    client.disconnect();
    client.disconnect();
    client.disconnected();
    client.connect();
    client.connect();
    client.connected();
    client.works();
    assert!(client.status.try_recv().is_none());
}

fn close_ends_subscriptions_and_threads(via: Via) {
    let server = Server::start(json!({}));
    let client = via.settle(server.url());
    let events = client.subscribe("never");
    let (about_to, begun) = crossbeam_channel::bounded(1);
    let mut ack = client.emit_with_ack("never-ack", ()).unwrap();
    let reader = thread::spawn(move || {
        about_to.send(()).unwrap();
        events.recv().unwrap_err()
    });
    recv_within(&begun, LIMIT);
    let start = Instant::now();
    let back = client.manager().close(Duration::from_secs(1));
    assert!(start.elapsed() < LIMIT / 2, "{:?}", start.elapsed());
    assert_eq!(back.len(), 1, "what was never answered");
    assert!(reader.join().unwrap().is_disconnected());
    assert!(ack.wait_timeout::<()>(LIMIT).unwrap_err().is_disconnected());
    eventually(LIMIT, "the session's end", || server.sessions() == 0);
}

fn what_is_closed_for_good_stays_closed(via: Via) {
    let server = Server::start(json!({}));
    let client = Client::connect(via.builder(server.url()).force_new(false));
    let manager = client.manager().clone();
    manager.close(LIMIT);
    let is_told = |error: Error| {
        assert_eq!(error.kind(), ErrorKind::Disconnected);
        assert!(error.message().contains("the manager was closed"), "{error}");
    };
    let start = Instant::now();
    client.connect();
    manager.open();
    is_told(client.emit("echo", 1).unwrap_err());
    is_told(client.volatile().emit("echo", 1).unwrap_err());
    is_told(client.emit_with_ack("sum", (1, 2)).unwrap_err());
    is_told(client.emit_with_callback("sum", (1, 2), |_| ()).unwrap_err());
    is_told(client.socket.wait_connected(LIMIT).unwrap_err());
    is_told(manager.wait_open(LIMIT).unwrap_err());
    is_told(manager.socket("/other").unwrap_err());
    is_told(client.subscribe("echo").recv().unwrap_err());
    is_told(manager.events().recv().unwrap_err());
    is_told(manager.engine_events().recv().unwrap_err());
    assert!(
        !client.is_active() && !client.socket.is_connected() && client.send_buffer().is_empty()
    );
    assert!(start.elapsed() < LIMIT, "{:?}", start.elapsed());
    eventually(LIMIT, "the session's end", || server.sessions() == 0);

    // Who builds anew gets a connection of his own, which others can share.
    let next = Client::connect(via.builder(server.url()).force_new(false));
    next.works();
    let other = Client::connect(via.builder(format!("{}/admin", server.url())).force_new(false));
    assert_eq!(other.manager().engine().unwrap().id, next.manager().engine().unwrap().id);
    assert!(client.emit("echo", 1).is_err());
}
