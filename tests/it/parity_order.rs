//! The order in which a socket and its connection tell of what happens.

use std::time::Duration;

use crossbeam_channel::{Receiver, unbounded};
use serde_json::json;
use siot::{Builder, ManagerEvent, Socket, Status};

use crate::support::{LIMIT, Server, Via, over_each_transport, recv_within};

over_each_transport!(
    a_first_connection_opens_then_joins,
    a_loss_and_its_end_are_told_in_order,
    failed_attempts_are_told_in_order,
    a_disconnection_on_purpose_closes_first,
    a_disconnection_by_the_server_closes_first,
    namespaces_are_told_in_the_order_of_their_making,
    what_waited_is_sent_before_the_status,
    answers_that_are_lost_come_after_the_disconnection,
);

/// A socket that tells what happens to it, all in one channel: the callbacks of a connection are
/// called one after the other.
fn told(builder: Builder) -> (Socket, Receiver<String>) {
    let (sender, told) = unbounded();
    let socket = builder.auto_connect(false).build().unwrap();
    let of_manager = sender.clone();
    let manager = socket.manager();
    manager
        .on_event(move |event| {
            let text = match event {
                ManagerEvent::Open => "open".into(),
                ManagerEvent::Close(reason, _) => format!("close({reason})"),
                ManagerEvent::Error(_) => "error".into(),
                ManagerEvent::ReconnectAttempt(n) => format!("reconnect_attempt({n})"),
                ManagerEvent::Reconnect(n) => format!("reconnect({n})"),
                ManagerEvent::ReconnectError(_) => "reconnect_error".into(),
                ManagerEvent::ReconnectFailed => "reconnect_failed".into(),
                _ => return,
            };
            let _ = of_manager.send(text);
        })
        .unwrap();
    tell_status(&socket, "", sender);
    (socket, told)
}

fn tell_status(socket: &Socket, name: &'static str, sender: crossbeam_channel::Sender<String>) {
    socket
        .on_status(move |status| {
            let text = match status {
                Status::Connected { .. } => format!("{name}connect"),
                Status::ConnectError(_) => format!("{name}connect_error"),
                Status::Disconnected { reason, .. } => format!("{name}disconnect({reason})"),
                _ => return,
            };
            let _ = sender.send(text);
        })
        .unwrap();
}

/// What was told, until this was.
#[track_caller]
fn until(told: &Receiver<String>, last: &str) -> Vec<String> {
    let mut all = Vec::new();
    while all.last().is_none_or(|text| text != last) {
        all.push(recv_within(told, LIMIT));
    }
    all
}

fn a_first_connection_opens_then_joins(via: Via) {
    let server = Server::start(json!({}));
    let (socket, told) = told(via.builder(server.url()));
    socket.connect();
    assert_eq!(until(&told, "connect"), ["open", "connect"]);
}

fn a_loss_and_its_end_are_told_in_order(via: Via) {
    let server = Server::start(json!({}));
    let (socket, told) = told(via.builder(server.url()));
    socket.connect();
    until(&told, "connect");
    socket.manager().close_engine();
    assert_eq!(
        until(&told, "connect"),
        [
            "disconnect(forced close)",
            "close(forced close)",
            "reconnect_attempt(1)",
            "open",
            "reconnect(1)",
            "connect"
        ]
    );
}

fn failed_attempts_are_told_in_order(via: Via) {
    let server = Server::start(json!({}));
    server.stop();
    let (socket, told) = told(via.builder(server.url()).reconnection_attempts(2));
    socket.connect();
    assert_eq!(
        until(&told, "reconnect_failed"),
        [
            "connect_error",
            "error",
            "reconnect_attempt(1)",
            "connect_error",
            "error",
            "reconnect_error",
            "reconnect_attempt(2)",
            "connect_error",
            "error",
            "reconnect_error",
            "reconnect_failed"
        ]
    );
}

fn a_disconnection_on_purpose_closes_first(via: Via) {
    let server = Server::start(json!({}));
    let (socket, told) = told(via.builder(server.url()));
    socket.connect();
    until(&told, "connect");
    socket.disconnect();
    let both = ["close(forced close)", "disconnect(io client disconnect)"];
    assert_eq!(until(&told, both[1]), both);
}

fn a_disconnection_by_the_server_closes_first(via: Via) {
    let server = Server::start(json!({}));
    let (socket, told) = told(via.builder(server.url()));
    socket.connect();
    until(&told, "connect");
    socket.emit("kick", ()).unwrap();
    let both = ["close(forced close)", "disconnect(io server disconnect)"];
    assert_eq!(until(&told, both[1]), both);
}

fn namespaces_are_told_in_the_order_of_their_making(via: Via) {
    let server = Server::start(json!({}));
    let (first, told) = told(via.builder(server.url()));
    let options = siot::SocketOptions::new().auto_connect(false);
    let second = first.manager().socket_with("/admin", options).unwrap();
    let (sender, of_second) = unbounded();
    tell_status(&second, "admin ", sender);
    second.connect();
    first.connect();
    assert_eq!(until(&told, "connect"), ["open", "connect"]);
    assert_eq!(recv_within(&of_second, LIMIT), "admin connect");
    let (sender, both) = unbounded();
    tell_status(&second, "second ", sender.clone());
    tell_status(&first, "first ", sender);
    // Each begins with what is.
    assert_eq!(recv_within(&both, LIMIT), "second connect");
    assert_eq!(recv_within(&both, LIMIT), "first connect");
    first.manager().close_engine();
    let order = ["first", "second", "first", "second"].map(|name| {
        let text = recv_within(&both, LIMIT);
        assert!(text.starts_with(name), "{text}");
        text.contains("disconnect")
    });
    assert_eq!(order, [true, true, false, false]);
}

fn what_waited_is_sent_before_the_status(via: Via) {
    let server = Server::start(json!({}));
    let builder = via.builder(server.url()).ack_timeout(Duration::from_secs(20));
    let (sender, told) = unbounded();
    let socket = builder.auto_connect(false).build().unwrap();
    let outgoing = sender.clone();
    socket.on_any_outgoing(move |event| outgoing.send(event.name().to_owned()).unwrap()).unwrap();
    tell_status(&socket, "", sender);
    socket.emit("tick", (0, 0)).unwrap();
    socket.emit("tock", (0, 1)).unwrap();
    socket.connect();
    assert_eq!(until(&told, "connect"), ["tick", "tock", "connect"]);
}

fn answers_that_are_lost_come_after_the_disconnection(via: Via) {
    let server = Server::start(json!({}));
    let (sender, told) = unbounded();
    let socket = via.builder(server.url()).auto_connect(false).build().unwrap();
    tell_status(&socket, "", sender.clone());
    socket.connect();
    until(&told, "connect");
    socket
        .emit_with_callback("never-ack", (), move |answer| {
            let _ = sender.send(format!("answer: {}", answer.is_ok()));
        })
        .unwrap();
    socket.disconnect();
    let both = ["disconnect(io client disconnect)", "answer: false"];
    assert_eq!(until(&told, both[1]), both);
}
