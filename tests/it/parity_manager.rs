//! The connection's handle: opening, closing, options, news, and the sockets it makes.

use std::time::Duration;

use crossbeam_channel::unbounded;
use serde_json::{Value as Json, json};
use siot::{
    DisconnectReason, EngineState, ErrorKind, Manager, ManagerEvent, SocketOptions, Status, Update,
};

use crate::support::{
    Client, LIMIT, Server, Via, ask, eventually, over_each_transport, recv_within,
};

over_each_transport!(
    a_connection_joins_nothing_by_itself,
    waiting_for_a_connection_tells_why_there_is_none,
    a_program_may_make_its_own_attempts,
    a_namespace_has_one_socket,
    a_socket_has_options_of_its_own,
    a_disconnected_socket_is_reopened_by_asking_for_it,
    a_socket_that_is_gone_leaves_nothing_behind,
    switching_reconnection_off_ends_the_attempts_and_connect_still_works,
    opening_by_hand_during_the_wait_leaves_reconnection_on,
    a_closed_engine_is_a_loss,
    a_closed_connection_stays_closed_until_somebody_asks,
    after_the_last_attempt_the_socket_is_still_active_and_can_connect,
    the_news_ends_with_the_connection,
    a_callback_for_the_news_can_be_removed,
    heartbeats_are_news,
    options_are_given_back_as_they_are,
);

#[track_caller]
fn manager(via: Via, server: &Server) -> Manager {
    let manager = via.builder(server.url()).manager().unwrap();
    manager.wait_open(LIMIT).unwrap();
    manager
}

fn a_connection_joins_nothing_by_itself(via: Via) {
    let server = Server::start(json!({}));
    let manager = manager(via, &server);
    let engine = manager.engine().unwrap();
    assert_eq!((engine.state, engine.protocol), (EngineState::Open, 4));
    assert_eq!(server.cmd("sessions")["sockets"], json!({}));
    // Only what somebody asks for is joined.
    let admin = manager.socket("admin").unwrap();
    admin.wait_connected(LIMIT).unwrap();
    assert_eq!(server.cmd("sessions")["sockets"], json!({"/admin": 1}));
    manager.wait_open(Duration::ZERO).unwrap();
}

fn waiting_for_a_connection_tells_why_there_is_none(via: Via) {
    let server = Server::start(json!({}));
    let idle = via.builder(server.url()).auto_connect(false).manager().unwrap();
    assert_eq!(idle.wait_open(LIMIT).unwrap_err().kind(), ErrorKind::Disconnected);
    server.stop();
    let once = via.builder(server.url()).reconnection(false).manager().unwrap();
    let error = once.wait_open(LIMIT).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Connect(_)), "{error}");
    let for_ever = via.builder(server.url()).manager().unwrap();
    eventually(LIMIT, "an attempt in vain", || for_ever.stats().failed_attempts > 0);
    let error = for_ever.wait_open(Duration::from_millis(200)).unwrap_err();
    assert!(error.is_timeout() && std::error::Error::source(&error).is_some(), "{error}");
}

fn a_program_may_make_its_own_attempts(via: Via) {
    let server = Server::start(json!({}));
    server.stop();
    let manager = via.builder(server.url()).reconnection(false).manager().unwrap();
    for _ in 0..2 {
        manager.wait_open(LIMIT).unwrap_err();
        manager.open();
    }
    manager.wait_open(LIMIT).unwrap_err();
    server.restart();
    manager.open();
    manager.wait_open(LIMIT).unwrap();
}

fn a_namespace_has_one_socket(via: Via) {
    let server = Server::start(json!({}));
    let manager = manager(via, &server);
    let one = manager.socket("/admin").unwrap();
    let other = manager.socket("admin").unwrap();
    one.wait_connected(LIMIT).unwrap();
    assert_eq!(one.id(), other.id());
    assert!(other.is_connected());
    assert_eq!(server.cmd("sessions")["sockets"], json!({"/admin": 1}));
}

fn a_socket_has_options_of_its_own(via: Via) {
    let server = Server::start(json!({}));
    let builder = via.builder(server.url()).auth(json!({"of": "the builder"}));
    let first = builder.ack_timeout(Duration::from_millis(50)).build().unwrap();
    let options = SocketOptions::new().auth(json!({"of": "the socket"})).auto_connect(false);
    let second = first.manager().socket_with("/auth", options).unwrap();
    assert!(!second.is_active());
    second.connect();
    second.wait_connected(LIMIT).unwrap();
    assert_eq!(ask::<Json>(&second, "handshake", ())["auth"]["of"], "the socket");
    // Where there are no options, the time limit of the builder holds, and its credentials do not.
    let third = first.manager().socket("/admin").unwrap();
    third.wait_connected(LIMIT).unwrap();
    // The answer to this may take longer than those 50 ms.
    let asked = third.timeout(LIMIT).emit_with_ack("handshake", ()).unwrap();
    assert_eq!(asked.wait::<Json>().unwrap()["auth"], json!({}));
    let limit = third.emit_with_ack("never-ack", ()).unwrap().wait::<()>().unwrap_err();
    assert!(limit.is_timeout());
    // A second call changes nothing about a socket that there is.
    let again = SocketOptions::new().auth(json!({"of": "a later call"}));
    let same = first.manager().socket_with("/auth", again).unwrap();
    second.disconnect();
    same.connect();
    same.wait_connected(LIMIT).unwrap();
    assert_eq!(ask::<Json>(&same, "handshake", ())["auth"]["of"], "the socket");
}

fn a_disconnected_socket_is_reopened_by_asking_for_it(via: Via) {
    let server = Server::start(json!({}));
    let manager = manager(via, &server);
    let socket = manager.socket("/").unwrap();
    socket.wait_connected(LIMIT).unwrap();
    socket.disconnect();
    assert!(!socket.is_active());
    manager.socket("/").unwrap();
    socket.wait_connected(LIMIT).unwrap();
}

fn a_socket_that_is_gone_leaves_nothing_behind(via: Via) {
    let server = Server::start(json!({}));
    let root = via.connect(server.url());
    let (called, calls) = unbounded();
    let options = SocketOptions::new().auth(json!({"token": "secret"})).auto_connect(false);
    let first = root.manager().socket_with("/auth", options).unwrap();
    first.on("tick-back", move |_| called.send(()).unwrap()).unwrap();
    first.emit("tick", (0, 0)).unwrap();
    let answer = first.emit_with_ack("sum", (1, 2)).unwrap();
    drop(first);
    assert!(answer.wait::<u32>().unwrap_err().is_disconnected());
    assert!(calls.recv().is_err(), "the callback is still there");
    let second = root.manager().socket("/auth").unwrap();
    assert_eq!(second.listener_count("tick-back"), 0);
    second.wait_connected(LIMIT).unwrap();
    assert_eq!(ask::<Json>(&second, "handshake", ())["auth"], json!({}));
    assert_eq!(server.cmd("ticks")["total"], 0);
}

fn switching_reconnection_off_ends_the_attempts_and_connect_still_works(via: Via) {
    let server = Server::start(json!({}));
    let client = via.connect(server.url());
    server.stop();
    client.disconnected();
    client.connect_error();
    client.manager().update(Update::new().reconnection(false)).unwrap();
    // What was under way may still fail.
    while client.status.recv_timeout(Duration::from_millis(300)).is_ok() {}
    server.restart();
    assert!(client.status.recv_timeout(Duration::from_millis(200)).unwrap_err().is_timeout());
    client.connect();
    client.manager().open();
    client.connected();
    client.works();
}

fn opening_by_hand_during_the_wait_leaves_reconnection_on(via: Via) {
    let server = Server::start(json!({}));
    let long = Duration::from_secs(3600);
    let client = Client::connect(
        via.builder(server.url()).reconnection_delay(long).reconnection_delay_max(long),
    );
    client.emit("close-engine", ()).unwrap();
    client.disconnected();
    client.manager().open();
    client.connected();
    let short = Duration::from_millis(20);
    let update = Update::new().reconnection_delay(short).reconnection_delay_max(short);
    client.manager().update(update).unwrap();
    client.emit("close-engine", ()).unwrap();
    client.disconnected();
    client.reconnected();
}

fn a_closed_engine_is_a_loss(via: Via) {
    let server = Server::start(json!({}));
    let client = via.connect(server.url());
    client.manager().close_engine();
    let reason = client.disconnected().0;
    assert_eq!((reason, reason.as_str()), (DisconnectReason::EngineClosed, "forced close"));
    client.reconnected();
    client.works();
    eventually(LIMIT, "one session alone", || server.sessions() == 1);
}

fn a_closed_connection_stays_closed_until_somebody_asks(via: Via) {
    let server = Server::start(json!({}));
    let client = via.connect(server.url());
    client.manager().disconnect();
    assert_eq!(client.disconnected().0, DisconnectReason::ForcedClose);
    assert!(client.status.recv_timeout(Duration::from_millis(200)).unwrap_err().is_timeout());
    eventually(LIMIT, "no session", || server.sessions() == 0);
    client.connect();
    client.connected();
    client.works();
}

fn after_the_last_attempt_the_socket_is_still_active_and_can_connect(via: Via) {
    let server = Server::start(json!({}));
    let client = Client::connect(via.builder(server.url()).reconnection_attempts(2));
    server.stop();
    client.wait_for("the end", |event| matches!(event, ManagerEvent::ReconnectFailed));
    assert!(client.is_active() && !client.socket.is_connected());
    server.restart();
    client.connect();
    client.reconnected();
}

fn the_news_ends_with_the_connection(via: Via) {
    let server = Server::start(json!({}));
    let client = via.connect(server.url());
    let (news, engine) = (client.manager().events(), client.manager().engine_events());
    client.manager().close(LIMIT);
    assert!(news.into_iter().any(|event| matches!(event, ManagerEvent::Close(..))));
    assert!(engine.into_iter().count() > 0);
}

fn a_callback_for_the_news_can_be_removed(via: Via) {
    let server = Server::start(json!({}));
    let client = Client::idle(via.builder(server.url()));
    let (sender, calls) = unbounded();
    let removed = sender.clone();
    let id = client.manager().on_event(move |event| removed.send(("removed", event)).unwrap());
    client.manager().on_event(move |event| sender.send(("kept", event)).unwrap()).unwrap();
    assert!(client.manager().off(id.as_ref().copied().unwrap()));
    assert!(!client.manager().off(id.unwrap()));
    client.connect();
    loop {
        match recv_within(&calls, LIMIT) {
            ("kept", ManagerEvent::Open) => break,
            (which, _) => assert_eq!(which, "kept"),
        }
    }
}

fn heartbeats_are_news(via: Via) {
    let server = Server::version(4, json!({"pingInterval": 50}));
    let client = via.connect(server.url());
    for _ in 0..2 {
        client.wait_for("a heartbeat", |event| matches!(event, ManagerEvent::Ping));
    }
    assert!(matches!(client.status.try_recv(), None | Some(Status::Connected { .. })));
}

fn options_are_given_back_as_they_are(via: Via) {
    let second = Duration::from_secs(1);
    let builder = via.builder("http://localhost:1").auto_connect(false);
    let manager = builder.connect_timeout(None).reconnection_attempts(7).manager().unwrap();
    assert_eq!(manager.connect_timeout(), None);
    assert_eq!(manager.reconnection_attempts(), Some(7));
    assert!(manager.reconnection());
    let update = Update::new()
        .reconnection(false)
        .reconnection_attempts(None)
        .reconnection_delay(second)
        .reconnection_delay_max(second * 9)
        .randomization_factor(0.25)
        .connect_timeout(Some(second * 3));
    manager.update(update).unwrap();
    assert!(!manager.reconnection());
    assert_eq!(manager.reconnection_attempts(), None);
    assert_eq!(manager.reconnection_delay(), second);
    assert_eq!(manager.reconnection_delay_max(), second * 9);
    assert_eq!(manager.randomization_factor().to_bits(), 0.25_f64.to_bits());
    assert_eq!(manager.connect_timeout(), Some(second * 3));
}
