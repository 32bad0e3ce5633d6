//! When the reader holds still, and when it goes on.

use std::time::Duration;

use super::*;
use crate::driver::server::answers::AnswerSink;
use crate::driver::server::hub_options::HubOptions;
use crate::driver::server::inbox::{InboxBounds, InboxItem};
use crate::driver::server::testing::{TestClient, options, server};
use crate::event::Event;
use crate::payload::Payload;

const BOUNDS: InboxBounds = InboxBounds { events: 2, bytes: 10_000 };

/// Puts an event with so many letters in front of the handlers of a socket; how much more room it takes.
fn put(socket: &ServedSocket, letters: usize) -> usize {
    let before = socket.waiting_memory();
    let event = Event::outgoing("/", Payload::event("e", &"x".repeat(letters)).unwrap());
    socket.put(InboxItem::Event(event));
    socket.waiting_memory() - before
}

/// All that waits for a socket is handled.
fn handle_all(socket: &ServedSocket) {
    while socket.inbox.load().0 > 0 {
        let batch = socket.inbox.take_batch(BOUNDS);
        socket.inbox.handled(&batch, BOUNDS);
    }
}

#[test]
fn it_holds_still_until_the_handlers_of_no_socket_are_behind() {
    let mut io = server(HubOptions { inbox: BOUNDS, ..options() });
    io.hub.of("/other");
    let (mut client, socket) = TestClient::joined(&mut io);
    client.send(&mut io, "40/other,");
    let other = Arc::clone(&socket.peer.lock().sockets[1]);
    assert!(!socket.peer.resume(&mut socket.peer.lock()), "it does not hold");
    for _ in 0..2 {
        client.send(&mut io, r#"42["e"]"#);
    }
    let peer = &socket.peer;
    assert!(peer.lock().holds);
    let waits = other.inbox.load();
    client.send(&mut io, r#"42/other,["e"]"#);
    assert_eq!(other.inbox.load(), waits, "it is not read");
    assert!(!peer.resume(&mut peer.lock()));
    handle_all(&socket);
    for _ in 0..3 {
        put(&other, 1);
    }
    assert!(!peer.resume(&mut peer.lock()), "those of the other one are behind");
    handle_all(&other);
    assert!(peer.resume(&mut peer.lock()));
    assert!(!peer.lock().holds);
}

#[test]
fn while_an_answer_is_awaited_it_goes_on_as_far_as_the_reserve_goes() {
    let mut io = server(HubOptions { inbox: BOUNDS, receive_reserve: 5_000, ..options() });
    let (_client, socket) = TestClient::joined(&mut io);
    let (peer, most) = (&socket.peer, BOUNDS.bytes + 5_000);
    assert!(peer.must_hold(&socket), "nobody waits for anything");
    let answer = AnswerSink::Gathering(Box::new(|_| {}));
    socket.expect(7, answer, Some(Duration::from_secs(60))).unwrap();
    assert!(!peer.must_hold(&socket));
    // What an event takes beside its letters.
    let beside = put(&socket, 1) - 1;
    let left = most - socket.waiting_memory();
    put(&socket, left - beside - 1);
    assert_eq!(socket.waiting_memory(), most - 1);
    assert!(!peer.must_hold(&socket));
    handle_all(&socket);
    let left = most - socket.waiting_memory();
    put(&socket, left - beside);
    assert_eq!(socket.waiting_memory(), most);
    assert!(peer.must_hold(&socket));
}
