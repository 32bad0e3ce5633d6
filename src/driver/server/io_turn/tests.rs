//! When handlers begin, and which deadlines are waited for.

use std::io::Write as _;
use std::sync::Weak;
use std::time::Duration;

use super::*;
use crate::driver::server::io::WAKER;
use crate::driver::server::parts::ServedSocket;
use crate::driver::server::saying::in_a_row;
use crate::driver::server::tasks::Task;
use crate::driver::server::testing::{TestClient, options, server};
use crate::payload::Payload;

/// A client that has joined, and what is to be known of it.
type Joined = (TestClient, Arc<ServedSocket>);

/// Clients that have joined, of whom the system has nothing to tell.
fn clients(io: &mut Io, count: usize) -> Vec<Joined> {
    let clients: Vec<_> = (0..count).map(|_| TestClient::joined(io)).collect();
    io.poll.poll(&mut io.turn.events, Some(Duration::ZERO)).unwrap();
    io.hub.commands.take();
    for (_, socket) in &clients {
        // That it has connected.
        is_handled(io, socket);
    }
    clients
}

/// What waits for the handlers of a socket is handled.
fn is_handled(io: &Io, socket: &ServedSocket) {
    let bounds = io.hub.options.inbox;
    while socket.inbox.load().0 > 0 {
        socket.inbox.handled(&socket.inbox.take_batch(bounds), bounds);
    }
}

fn frame(text: &str) -> Vec<u8> {
    let mut frame = vec![0x81, 0x80 + 126];
    frame.extend_from_slice(&u16::try_from(text.len()).unwrap().to_be_bytes());
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(text.as_bytes());
    frame
}

/// Steps up to where handlers are to begin; how many events there are for each by then.
fn up_to_handlers(io: &mut Io, clients: &[Joined]) -> Vec<usize> {
    while io.step() == Step::Done {}
    clients.iter().map(|(_, socket)| socket.inbox.load().0).collect()
}

#[test]
fn handlers_begin_when_64_connections_have_been_read_from() {
    let mut io = server(options());
    let mut clients = clients(&mut io, 70);
    for (client, _) in &mut clients {
        client.stream.write_all(&frame(r#"42["e"]"#)).unwrap();
    }
    assert_eq!(up_to_handlers(&mut io, &clients).iter().sum::<usize>(), 64);
    assert_eq!(up_to_handlers(&mut io, &clients).iter().sum::<usize>(), 70);
}

#[test]
fn handlers_begin_when_64_kibibytes_have_come_for_them() {
    let mut io = server(options());
    let mut clients = clients(&mut io, 2);
    let less = frame(&format!(r#"42["e","{}"]"#, "x".repeat(30_000)));
    for (client, _) in &mut clients {
        client.stream.write_all(&less).unwrap();
    }
    assert_eq!(up_to_handlers(&mut io, &clients), [1, 1], "not by less");
    for (_, socket) in &clients {
        is_handled(&io, socket);
    }
    let large = frame(&format!(r#"42["e","{}"]"#, "x".repeat(33_000))).repeat(2);
    for (client, _) in &mut clients {
        client.stream.write_all(&large).unwrap();
    }
    let mut events = up_to_handlers(&mut io, &clients);
    events.sort_unstable();
    assert_eq!(events, [0, 1]);
}

#[test]
fn what_comes_for_no_handler_is_read_from_all_first() {
    let mut io = server(options());
    let mut clients = clients(&mut io, 2);
    for (client, _) in &mut clients {
        client.stream.write_all(&frame("3").repeat(8_000)).unwrap();
        client.stream.write_all(&frame(&format!("3{}", "x".repeat(10_000)))).unwrap();
    }
    assert_eq!([(); 2].map(|()| io.step()), [Step::Done; 2]);
}

#[test]
fn steps_count_from_the_first_that_has_led_to_something_for_the_pool() {
    let mut io = server(options());
    let submit = |io: &mut Io| io.hub.pool.submit(Task::Once(Box::new(|| ())));
    let quiet = |_: &mut Io| ();
    io.survives(quiet);
    assert_eq!(io.turn.kept, 0);
    io.survives(submit);
    io.survives(quiet);
    io.survives(submit);
    assert_eq!(io.turn.kept, 3);
    io.turn.quickness.doubt(now());
    io.survives(submit);
    assert_eq!(io.turn.kept, 3, "it is left to the pool");
    assert_eq!(io.survives(|_| panic!("on purpose")), None);
    assert_eq!(io.survives(quiet), Some(()));
}

/// In a row, by another thread.
fn emit_to_all(clients: &[Joined]) {
    let event = || Payload::event("e", &()).unwrap();
    in_a_row(|| clients.iter().for_each(|(_, socket)| socket.emit(event(), false).unwrap()));
}

/// How many hear something in each of so many steps.
fn hear_in_steps(io: &mut Io, clients: &mut [Joined], steps: usize) -> Vec<usize> {
    let mut hear = |io: &mut Io| {
        assert_ne!(io.step(), Step::Ended);
        clients
            .iter_mut()
            .map(|(client, _)| client.heard())
            .filter(|heard| !heard.is_empty())
            .count()
    };
    (0..steps).map(|_| hear(io)).collect()
}

#[test]
fn what_is_said_in_a_row_is_written_to_64_clients_by_turns_with_what_is_ready() {
    let mut io = server(options());
    let mut clients = clients(&mut io, 130);
    for (client, _) in &mut clients {
        client.heard();
    }
    for (client, _) in &mut clients[..3] {
        client.stream.write_all(&frame(&format!("3{}", "x".repeat(200)))).unwrap();
    }
    assert!(io.begin_turn());
    emit_to_all(&clients);
    assert_eq!(hear_in_steps(&mut io, &mut clients, 6), [64, 0, 64, 0, 2, 0]);
    assert!(!io.hub.is_to_write());
}

#[test]
fn the_rest_of_what_is_said_in_a_row_is_not_slept_over() {
    let mut io = server(options());
    let mut clients = clients(&mut io, 5 * 64);
    for (client, _) in &mut clients {
        client.heard();
    }
    // What would wake it in the end.
    io.hub.timers.arm(now() + Duration::from_secs(20), Due::Accept);
    emit_to_all(&clients);
    // That these clients have read is nothing that is to be seen to.
    io.poll.poll(&mut io.turn.events, Some(Duration::ZERO)).unwrap();
    let began = now();
    while io.hub.is_to_write() {
        assert_ne!(io.step(), Step::Ended);
    }
    assert!(now().since(began) < Duration::from_secs(20));
    assert!(clients.iter_mut().all(|(client, _)| !client.heard().is_empty()));
}

#[test]
fn a_deadline_is_waited_for_as_long_as_somebody_needs_it() {
    let mut io = server(options());
    let (client, socket) = TestClient::joined(&mut io);
    let http = TestClient::connect(&mut io, None);
    let peer = Arc::downgrade(&socket.peer.this);
    let namespace = Arc::downgrade(&socket.namespace);
    for (due, is_over) in [
        (Due::Peer(peer), false),
        (Due::Peer(Weak::new()), true),
        (Due::Answers(Arc::downgrade(&socket)), false),
        (Due::Answers(Weak::new()), true),
        (Due::Recovery(namespace), false),
        (Due::Recovery(Weak::new()), true),
        (Due::Connection(http.token), false),
        (Due::Connection(client.token), true),
        (Due::Connection(WAKER), true),
        (Due::Accept, false),
        (Due::Deferred, false),
    ] {
        assert_eq!(io.is_over(&due), is_over);
    }
}
