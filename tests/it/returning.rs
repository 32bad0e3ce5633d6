//! Servers that refuse a namespace or put a socket out: when it comes back.

use std::time::Duration;

use serde_json::json;
use siot::{DisconnectReason, ErrorKind, ManagerEvent, Rejection, SocketOptions, Status, Update};

use crate::support::{Client, LIMIT, Server, Via, eventually, over_each_transport};

/// The versions of real servers that are tried.
const VERSIONS: [u32; 2] = [4, 2];

const BOTH: [Rejection; 2] = [Rejection::Refused, Rejection::IoServerDisconnect];

over_each_transport!(
    a_refused_socket_comes_back_by_itself_where_it_is_told_to,
    a_socket_that_was_put_out_comes_back_by_itself_where_it_is_told_to,
    a_server_whose_gate_is_shut_for_a_while_is_joined_later,
    who_waits_waits_for_the_attempts_and_not_after_the_last,
    connect_in_the_handler_of_a_kick_is_no_tight_loop,
    statuses_and_the_manager_say_when_the_next_attempt_is,
    sockets_of_a_connection_come_back_as_it_was_built,
);

fn a_refused_socket_comes_back_by_itself_where_it_is_told_to(via: Via) {
    for version in VERSIONS {
        let server = Server::version(version, json!({}));
        let url = format!("{}/third-time", server.url());
        let client = Client::idle(via.builder(url).reconnect_after([Rejection::Refused]));
        client.emit("tick", ("kept", 0)).unwrap();
        client.connect();
        for _ in 0..2 {
            let status = client.next_status();
            assert!(status.retry_in().is_some_and(|delay| delay <= Duration::from_millis(40)));
            assert!(
                matches!(&status, Status::ConnectError(error) if error.kind() == ErrorKind::Refused)
            );
            assert!(client.is_active());
        }
        client.connected();
        client.works();
        eventually(LIMIT, "what waited", || server.cmd("ticks")["total"] == 1);
        assert_eq!(server.sessions(), 1);
    }
}

fn a_socket_that_was_put_out_comes_back_by_itself_where_it_is_told_to(via: Via) {
    for version in VERSIONS {
        for kick in ["kick", "kick-hard"] {
            let server = Server::version(version, json!({}));
            let builder = via.builder(server.url());
            let client = Client::connect(builder.reconnect_after([Rejection::IoServerDisconnect]));
            for _ in 0..3 {
                client.emit(kick, ()).unwrap();
                let status = client.next_status();
                assert!(status.retry_in().is_some(), "{status:?}");
                assert!(matches!(
                    status,
                    Status::Disconnected { reason: DisconnectReason::IoServerDisconnect, .. }
                ));
                client.connected();
            }
            client.works();
            eventually(LIMIT, "one session alone", || server.sessions() == 1);
        }
    }
}

/// A middleware of `/`, which with an old server shuts out all namespaces.
fn a_server_whose_gate_is_shut_for_a_while_is_joined_later(via: Via) {
    for version in VERSIONS {
        let server = Server::start(json!({"version": version, "gate": {"refuse": "not yet"}}));
        let client = Client::start(via.builder(server.url()).reconnect_after(BOTH));
        for _ in 0..3 {
            assert_eq!(client.connect_error().message(), "not yet");
        }
        client.disconnect();
        assert!(!client.is_active());
        eventually(LIMIT, "no session", || server.sessions() == 0);
    }
}

fn who_waits_waits_for_the_attempts_and_not_after_the_last(via: Via) {
    let server = Server::start(json!({}));
    let url = format!("{}/third-time", server.url());
    let socket = via.builder(url).reconnect_after(BOTH).build().unwrap();
    socket.wait_connected(LIMIT).unwrap();

    let url = format!("{}/forbidden", server.url());
    let builder = via.builder(url).reconnect_after(BOTH).reconnection_attempts(3);
    let client = Client::start(builder);
    let error = client.socket.wait_connected(LIMIT).unwrap_err();
    assert_eq!((error.kind(), error.retry_in()), (ErrorKind::Refused, None));
    let statuses = std::iter::from_fn(|| client.status.try_recv());
    assert_eq!(statuses.filter(|status| status.retry_in().is_some()).count(), 3);
    assert!(!client.is_active());
}

fn connect_in_the_handler_of_a_kick_is_no_tight_loop(via: Via) {
    let server = Server::start(json!({}));
    let long = Duration::from_secs(4);
    let builder = via.builder(format!("{}/kick-at-once", server.url()));
    let client = Client::idle(builder.reconnection_delay(long).reconnection_delay_max(long));
    let socket = client.socket.clone();
    client
        .on_status(move |status| {
            if matches!(status, Status::Disconnected { .. }) {
                socket.connect();
            }
        })
        .unwrap();
    client.connect();
    // At once the first time; half of that delay at least after that.
    for _ in 0..2 {
        client.connected();
        client.disconnected();
    }
    assert!(client.status.recv_timeout(Duration::from_millis(300)).unwrap_err().is_timeout());
    client.connected();
    client.manager().close(LIMIT);
}

fn statuses_and_the_manager_say_when_the_next_attempt_is(via: Via) {
    let server = Server::start(json!({}));
    let hour = Duration::from_secs(3600);
    let builder = via.builder(server.url()).reconnection_delay(hour).reconnection_delay_max(hour);
    let client = Client::connect(builder);
    assert_eq!(client.manager().next_attempt(), None);
    server.stop();
    let status = client.next_status();
    let delay = status.retry_in().unwrap();
    assert!(delay >= hour / 2, "{status:?}");
    eventually(LIMIT, "the wait", || client.manager().next_attempt().is_some());
    let left = client.manager().next_attempt().unwrap();
    assert!(left <= delay && left + LIMIT >= delay, "{left:?} of {delay:?}");

    while client.news.try_recv().is_some() {}
    client.manager().open();
    let error = client.connect_error();
    assert!(error.retry_in().is_some_and(|delay| delay >= hour / 2), "{error}");
    loop {
        if let ManagerEvent::ReconnectError(error) = client.news.recv_timeout(LIMIT).unwrap() {
            break assert!(error.retry_in().is_some());
        }
    }
    client.manager().update(Update::new().reconnection(false)).unwrap();
    assert_eq!(client.manager().next_attempt(), None);
    client.connect();
    client.manager().open();
    assert_eq!(client.connect_error().retry_in(), None);
}

fn sockets_of_a_connection_come_back_as_it_was_built(via: Via) {
    let server = Server::start(json!({}));
    let client = Client::connect(via.builder(server.url()).reconnect_after(BOTH));
    let inheriting = Client::of(client.manager().socket("/third-time").unwrap());
    inheriting.reconnected();
    // Nobody would hear of a refusal that comes before the statuses are asked for.
    let options =
        SocketOptions::new().reconnect_after([Rejection::IoServerDisconnect]).auto_connect(false);
    let other = Client::of(client.manager().socket_with("/forbidden", options).unwrap());
    other.socket.connect();
    assert_eq!(other.connect_error().retry_in(), None);
    assert!(!other.is_active() && client.socket.is_connected());
}
