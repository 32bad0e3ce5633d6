//! Reconnecting, by itself and as often as it takes.

use std::net::TcpListener;
use std::time::Duration;

use serde_json::json;
use siot::{ManagerEvent, Transport};

use crate::support::{
    Client, LIMIT, Server, Via, alone, eventually, fds, over_each_transport, recv_within, threads,
};

over_each_transport!(
    a_restarted_server_is_found_again,
    a_killed_server_is_found_again,
    the_first_connection_waits_for_the_server,
    all_namespaces_come_back,
    subscriptions_outlive_the_connection,
    a_lost_connection_comes_back_on_any_cause,
    the_news_tell_of_each_attempt,
    an_explicit_disconnection_ends_the_attempts,
    connect_cuts_the_delay_short,
);

fn a_restarted_server_is_found_again(via: Via) {
    let server = Server::start(json!({}));
    let client = via.settle(server.url());
    let first = client.id();
    server.stop();
    client.disconnected();
    assert!(client.connect_error().stage().is_some());
    assert!(client.is_active() && client.id().is_none());
    server.restart();
    let second = client.reconnected();
    assert_ne!(first, Some(second));
    client.works();
    assert_eq!(server.sessions(), 1);
    if via == Via::Upgrade {
        client.upgraded();
        assert_eq!(client.manager().transport(), Some(Transport::WebSocket));
        client.works();
    }
}

fn a_killed_server_is_found_again(via: Via) {
    let server = Server::start(json!({}));
    let client = via.connect(server.url());
    server.kill();
    client.disconnected();
    server.restart();
    client.reconnected();
    client.works();
}

fn the_first_connection_waits_for_the_server(via: Via) {
    let port = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let client = Client::start(via.builder(format!("http://127.0.0.1:{port}")));
    client.emit("tick", ("a", 0)).unwrap();
    for _ in 0..3 {
        client.connect_error();
    }
    let server = Server::start(json!({"port": port}));
    client.reconnected();
    client.works();
    assert_eq!(server.cmd("ticks")["total"], 1);
}

fn all_namespaces_come_back(via: Via) {
    let server = Server::start(json!({}));
    let client = via.connect(server.url());
    let others: Vec<_> =
        ["/admin", "/orders"].map(|name| client.manager().socket(name).unwrap()).into();
    let left = client.manager().socket("/multi-a").unwrap();
    for socket in others.iter().chain([&left]) {
        socket.wait_connected(LIMIT).unwrap();
    }
    left.disconnect();
    server.kill();
    client.disconnected();
    server.restart();
    client.reconnected();
    for socket in &others {
        socket.wait_connected(LIMIT).unwrap();
    }
    assert!(!left.is_connected() && !left.is_active());
    let sockets = server.cmd("sessions")["sockets"].clone();
    assert_eq!(sockets, json!({"/": 1, "/admin": 1, "/orders": 1}));
}

fn subscriptions_outlive_the_connection(via: Via) {
    let server = Server::start(json!({}));
    let client = via.connect(server.url());
    let echoes = client.subscribe("echo");
    let (sender, seen) = crossbeam_channel::unbounded();
    client.on("echo", move |event| sender.send(event.args::<u32>().unwrap()).unwrap()).unwrap();
    for n in 0..3 {
        client.emit("echo", n).unwrap();
        assert_eq!(echoes.recv_timeout(LIMIT).unwrap().args::<u32>().unwrap(), n);
        assert_eq!(recv_within(&seen, LIMIT), n);
        server.cmd("close");
        client.disconnected();
        server.cmd("listen");
        client.reconnected();
    }
}

fn a_lost_connection_comes_back_on_any_cause(via: Via) {
    let server = Server::start(json!({}));
    let client = via.settle(server.url());
    for cause in ["close-engine", "close-transport"] {
        client.emit(cause, ()).unwrap();
        client.disconnected();
        client.reconnected();
        client.works();
    }
    eventually(LIMIT, "one session alone", || server.sessions() == 1);
    // Of this the server may not hear before its own ping timeout.
    client.cut_off(&server);
    client.reconnected();
    client.works();
}

fn the_news_tell_of_each_attempt(via: Via) {
    let server = Server::start(json!({}));
    // Few attempts while the server ends and starts: the first news of many would give way.
    let delay = Duration::from_millis(300);
    let builder = via.builder(server.url()).reconnection_delay(delay);
    let client = Client::connect(builder.reconnection_delay_max(delay));
    server.stop();
    client.wait_for("the end", |event| matches!(event, ManagerEvent::Close(..)));
    for attempt in 1..=3 {
        client.wait_for(
            "an attempt",
            |event| matches!(event, ManagerEvent::ReconnectAttempt(number) if *number == attempt),
        );
        client.wait_for("its failure", |event| matches!(event, ManagerEvent::ReconnectError(_)));
    }
    server.restart();
    client.wait_for(
        "success",
        |event| matches!(event, ManagerEvent::Reconnect(attempts) if *attempts > 3),
    );
    client.reconnected();
}

fn an_explicit_disconnection_ends_the_attempts(via: Via) {
    let server = Server::start(json!({}));
    let client = via.connect(server.url());
    server.stop();
    client.disconnected();
    client.connect_error();
    client.disconnect();
    while client.status.try_recv().is_some() {}
    server.restart();
    assert!(client.status.recv_timeout(Duration::from_millis(250)).unwrap_err().is_timeout());
    assert_eq!(server.sessions(), 0);
    client.connect();
    client.reconnected();
    client.works();
}

fn connect_cuts_the_delay_short(via: Via) {
    let server = Server::start(json!({}));
    let hours = Duration::from_secs(36_000);
    let builder = via.builder(server.url()).reconnection_delay(hours).reconnection_delay_max(hours);
    let client = Client::connect(builder);
    server.cmd("close");
    client.disconnected();
    server.cmd("listen");
    client.manager().open();
    client.connected();
    client.works();
}

/// Loses and finds the server again, so often; counts threads and descriptors before and after.
#[track_caller]
fn restarts_leave_nothing_behind(via: Via, count: usize) {
    let server = Server::start(json!({}));
    let builder = via
        .builder(server.url())
        .reconnection_delay(Duration::from_millis(2))
        .reconnection_delay_max(Duration::from_millis(10));
    let client = Client::connect(builder);
    let settled = || client.manager().transport() == Some(via.transport());
    eventually(LIMIT, "the upgrade", settled);
    client.works();
    let (threads_before, fds_before) = at_rest();
    for _ in 0..count {
        server.cmd("close");
        client.disconnected();
        server.cmd("listen");
        client.reconnected();
        client.works();
    }
    eventually(LIMIT, "the upgrade", settled);
    // Who waits for an answer may take two, if they wait when nothing else goes on.
    let fds_before = fds_before + 2;
    eventually(LIMIT, "no more than before", || {
        is_among(&threads(), &threads_before) && fds() <= fds_before
    });
    eventually(LIMIT, "one session alone", || server.sessions() == 1);
}

/// Whether there is no thread that there was not before. One that was about to end then may be gone.
fn is_among(now: &[String], before: &[String]) -> bool {
    let count = |all: &[String], name: &String| all.iter().filter(|other| *other == name).count();
    now.iter().all(|name| count(now, name) <= count(before, name))
}

/// Threads and descriptors once nothing changes any more: a connection's may outlive it a little.
#[track_caller]
fn at_rest() -> (Vec<String>, usize) {
    let mut last = (threads(), fds());
    let mut same = 0;
    eventually(LIMIT, "rest", || {
        let now = (threads(), fds());
        same = if now == last { same + 1 } else { 0 };
        last = now;
        same == 20
    });
    last
}

#[test]
fn restarts_leave_nothing_behind_by_websocket() {
    alone(|| restarts_leave_nothing_behind(Via::WebSocket, 200));
}

#[cfg(feature = "polling")]
#[test]
fn restarts_leave_nothing_behind_by_polling() {
    alone(|| restarts_leave_nothing_behind(Via::Polling, 60));
}

#[cfg(feature = "polling")]
#[test]
fn restarts_leave_nothing_behind_by_upgrade() {
    alone(|| restarts_leave_nothing_behind(Via::Upgrade, 60));
}
