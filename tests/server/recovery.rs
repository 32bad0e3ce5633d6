//! Clients that come back to their sockets.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use siot::server::{ConnectionStateRecovery, Refusal};

use crate::host::{Host, Notice, runs_handlers};
use crate::raw_client::RawClient;
use crate::support::mischief::DropWatch;
use crate::support::{Client, LIMIT, Via, ask, over_each_transport, recv_within};

over_each_transport!(
    a_client_that_comes_back_has_its_socket_and_misses_nothing,
    who_got_no_event_yet_comes_back_too,
    what_is_not_kept_any_more_begins_anew,
    handlers_that_were_added_before_a_client_was_let_in_are_called_when_it_is_back,
);

fn host(recovery: ConnectionStateRecovery) -> Host {
    Host::start(|builder| builder.connection_state_recovery(recovery))
}

fn connect(host: &Host, via: Via) -> Client {
    Client::connect(via.builder(&host.url).reconnection_delay(Duration::from_millis(50)))
}

/// Ends the session, not the socket; the server has noticed when this returns.
fn lose(host: &Host, client: &Client, socket: &siot::server::ServerSocket) {
    client.manager().close_engine();
    host.disconnected(socket);
}

fn a_client_that_comes_back_has_its_socket_and_misses_nothing(via: Via) {
    let host = host(ConnectionStateRecovery::new());
    let client = connect(&host, via);
    let before = host.connected();
    let events = client.subscribe("news");
    before.join("readers");
    before.set_data(7_u32);
    before.emit("news", 0).unwrap();
    assert_eq!(recv_within(events.receiver(), LIMIT).arg::<u32>(0).unwrap(), 0);
    for round in 1..4_u32 {
        let before_id = client.id();
        // What is sent before the client is back waits for it: to all, to its room, to itself.
        let number = 10 * round;
        let server = host.server.clone();
        host.server.on_disconnect(move |socket, _| -> siot::Result<()> {
            server.emit("news", number)?;
            server.to("readers").emit("news", number + 1)?;
            server.to(socket.id()).emit("news", number + 2)?;
            server.to("others").emit("news", 999)?;
            server.all().except("readers").emit("news", 999)?;
            Ok(())
        });
        client.manager().close_engine();
        let seen: Vec<u32> =
            (0..3 * round).map(|_| recv_within(events.receiver(), LIMIT).arg(0).unwrap()).collect();
        assert!(seen.ends_with(&[number, number + 1, number + 2]), "{seen:?}");
        let (after, _) = next_connected(&host);
        assert!(after.recovered() && client.is_recovered());
        assert_eq!(client.id(), before_id);
        assert_eq!(*after.data::<u32>().unwrap(), 7);
        let mut rooms = after.rooms();
        rooms.sort();
        assert!(rooms.iter().any(|room| &**room == "readers"), "{rooms:?}");
        assert_eq!(ask::<u32>(&client, "echo", round), round);
    }
    assert!(events.try_recv().is_none());
}

/// The next socket that connects, and how many went before.
fn next_connected(host: &Host) -> (siot::server::ServerSocket, usize) {
    for gone in 0.. {
        match host.notice() {
            Notice::Connected(socket) => return (socket, gone),
            Notice::Disconnected(..) => {}
        }
    }
    unreachable!("it waits for ever, or fails")
}

fn who_got_no_event_yet_comes_back_too(via: Via) {
    let host = host(ConnectionStateRecovery::new());
    let client = connect(&host, via);
    let socket = host.connected();
    let events = client.subscribe("news");
    lose(&host, &client, &socket);
    let _ = host.server.emit("news", 1).unwrap();
    assert_eq!(recv_within(events.receiver(), LIMIT).arg::<u32>(0).unwrap(), 1);
    assert!(client.is_recovered());
}

fn what_is_not_kept_any_more_begins_anew(via: Via) {
    let kept = ConnectionStateRecovery::new().max_bytes(100).skip_middlewares(false);
    let host = host(kept);
    host.server.authorize(|socket| {
        if socket.recovered() { Err(Refusal::new("it is not yet known")) } else { Ok(()) }
    });
    let client = connect(&host, via);
    let socket = host.connected();
    let id = client.id();
    let server = host.server.clone();
    host.server.on_disconnect(move |_, _| server.emit("news", "x".repeat(1000)).map(drop));
    lose(&host, &client, &socket);
    let after = host.connected();
    assert!(!after.recovered());
    assert_ne!(client.id(), id);
}

/// What is attached where it is decided whether a client may join belongs to the socket that it comes back to.
fn handlers_that_were_added_before_a_client_was_let_in_are_called_when_it_is_back(via: Via) {
    let host = host(ConnectionStateRecovery::new().skip_middlewares(false));
    host.server.authorize(|socket| {
        socket.on("early", |event| event.ack(7)).map_err(|_| Refusal::new("no handler"))?;
        Ok(())
    });
    let client = connect(&host, via);
    let socket = host.connected();
    assert_eq!(ask::<u8>(&client, "early", ()), 7);
    lose(&host, &client, &socket);
    assert!(host.connected().recovered());
    assert_eq!(ask::<u8>(&client, "early", ()), 7);
}

/// The program has let go of the socket, and nothing else happens in the server.
#[test]
fn what_was_attached_to_a_socket_ends_when_its_client_has_been_away_for_too_long() {
    let away = Duration::from_millis(200);
    let host = host(ConnectionStateRecovery::new().max_disconnection_duration(away));
    for _ in 0..2 {
        let (watch, by) = DropWatch::new(None);
        let mut client = RawClient::websocket(&host.url);
        client.say("40");
        client.expect("40");
        let socket = host.connected();
        socket.set_data(watch);
        drop(client);
        host.disconnected(&socket);
        drop(socket);
        let thread = recv_within(&by, LIMIT);
        assert!(runs_handlers(&thread), "{thread}");
    }
}

#[test]
fn what_is_attached_as_a_client_comes_back_takes_the_place_of_its_kind() {
    let host = host(ConnectionStateRecovery::new().skip_middlewares(false));
    let visits = AtomicU32::new(0);
    host.server.authorize(move |socket| {
        socket.set_data(visits.fetch_add(1, Ordering::Relaxed));
        socket.on("early", |event| event.ack(7)).map_err(|_| Refusal::new("no handler"))?;
        Ok(())
    });
    let client = connect(&host, Via::WebSocket);
    let before = host.connected();
    before.set_data("of before".to_owned());
    lose(&host, &client, &before);
    let after = host.connected();
    assert!(after.recovered());
    assert_eq!(ask::<u8>(&client, "early", ()), 7);
    assert_eq!(after.data::<u32>().as_deref(), Some(&1));
    assert_eq!(after.data::<String>().as_deref().map(String::as_str), Some("of before"));
}

/// A client that does not come back by itself; the secret name of its socket.
fn joined(host: &Host) -> (RawClient, siot::server::ServerSocket, String) {
    let mut client = RawClient::websocket(&host.url);
    client.say("40");
    let welcome = client.expect("40");
    let (_, pid) = welcome.split_once(r#""pid":""#).expect("a secret name");
    let (pid, _) = pid.split_once('"').expect("its end");
    (client, host.connected(), pid.to_owned())
}

fn claim(pid: &str) -> String {
    format!(r#"40{{"pid":"{pid}"}}"#)
}

#[test]
fn who_comes_back_before_the_loss_was_noticed_takes_its_socket_over() {
    let host = host(ConnectionStateRecovery::new());
    let (_former, before, pid) = joined(&host);
    let mut client = RawClient::websocket(&host.url);
    client.say(&claim(&pid));
    client.expect("40");
    // Handlers of two sockets may run at the same time.
    let (mut lost, mut back) = (None, None);
    for _ in 0..2 {
        match host.notice() {
            Notice::Connected(socket) => back = Some(socket),
            Notice::Disconnected(socket, reason) => lost = Some((socket, reason)),
        }
    }
    let (lost, reason) = lost.expect("an end");
    assert!(!lost.is_connected() && reason == siot::DisconnectReason::TransportClose, "{reason}");
    let after = back.expect("a socket");
    assert!(after.recovered());
    assert_eq!(after.id(), before.id());
}

#[test]
fn the_rooms_are_those_of_before_the_own_one_as_well() {
    let host = host(ConnectionStateRecovery::new());
    for leaves_own in [false, true] {
        let (former, before, pid) = joined(&host);
        before.join("readers");
        if leaves_own {
            before.leave(before.id());
        }
        drop(former);
        host.disconnected(&before);
        let mut client = RawClient::websocket(&host.url);
        client.say(&claim(&pid));
        client.expect("40");
        let after = host.connected();
        let rooms = after.rooms();
        assert!(after.recovered() && rooms.iter().any(|room| &**room == "readers"));
        assert_eq!(rooms.iter().any(|room| **room == *after.id()), !leaves_own);
        drop(client);
        host.disconnected(&after);
    }
}

#[test]
fn who_has_left_by_itself_begins_anew() {
    let host = host(ConnectionStateRecovery::new());
    let (mut former, before, pid) = joined(&host);
    former.say("41");
    host.disconnected(&before);
    let mut client = RawClient::websocket(&host.url);
    client.say(&claim(&pid));
    client.expect("40");
    let after = host.connected();
    assert!(!after.recovered());
    assert_ne!(after.id(), before.id());
}
