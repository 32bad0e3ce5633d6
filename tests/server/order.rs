//! What keeps its order, and what races.

use std::sync::{Arc, Barrier};
use std::thread;

use crossbeam_channel::unbounded;
use siot::{ArgList, Binary};

use crate::host::Host;
use crate::raw_client::RawClient;
use crate::soak;
use crate::support::{LIMIT, Via, ask, recv_within};

#[test]
fn nobody_is_in_a_room_after_the_end() {
    let host = Host::start(|builder| builder);
    for number in 0..200 {
        let mut client = RawClient::websocket(&host.url);
        client.say("40");
        client.expect("40");
        let socket = host.connected();
        let barrier = Arc::new(Barrier::new(2));
        let joining = thread::spawn({
            let (socket, barrier) = (socket.clone(), Arc::clone(&barrier));
            move || {
                barrier.wait();
                for room in 0..50 {
                    socket.join(&format!("room {room}"));
                }
            }
        });
        barrier.wait();
        match number % 3 {
            0 => drop(client),
            1 => client.say("41"),
            _ => socket.disconnect(),
        }
        joining.join().unwrap();
        host.disconnected(&socket);
        assert!(host.server.rooms().is_empty(), "{number}");
        assert!(host.server.to("room 49").sockets().is_empty());
        assert!(host.server.is_empty());
    }
}

/// Several threads broadcast: all receivers see the same order, and no event is torn.
#[test]
fn all_see_broadcasts_in_the_same_order() {
    const THREADS: u32 = 3;
    const EACH: u32 = 200;
    let host = Host::start(|builder| builder.workers(4));
    let clients = Via::WebSocket.connect_each::<4>(&host.url);
    for client in &clients {
        ask::<ArgList>(client, "join", "all");
    }
    let received = clients.each_ref().map(|client| client.subscribe("news"));
    // Inside of handlers, where writes are gathered, and outside.
    host.server.on("spread", |socket, event| -> siot::Result<()> {
        let from: u32 = event.arg(0)?;
        let namespace = socket.namespace();
        for number in 0..EACH {
            let bytes = Binary::from(vec![u8::try_from(from).unwrap(); 100]);
            namespace.to("all").emit("news", (from, number, &bytes, &bytes))?;
        }
        Ok(())
    });
    for from in 1..THREADS {
        clients[from as usize].emit("spread", from).unwrap();
    }
    for number in 0..EACH {
        let bytes = Binary::from(vec![0; 100]);
        host.server.to("all").emit("news", (0, number, &bytes, &bytes)).unwrap();
    }
    let orders = received.map(|news| {
        let mut order = Vec::new();
        for _ in 0..THREADS * EACH {
            let event = recv_within(news.receiver(), LIMIT);
            let (from, number, first, second): (u32, u32, Binary, Binary) = event.args().unwrap();
            assert!(first.iter().chain(&second[..]).all(|byte| u32::from(*byte) == from));
            assert_eq!((first.len(), second.len()), (100, 100));
            order.push((from, number));
        }
        order
    });
    for from in 0..THREADS {
        let own = orders[0].iter().filter(|(one, _)| *one == from).map(|(_, number)| *number);
        assert!(own.eq(0..EACH), "in the order of {from}");
    }
    for order in &orders[1..] {
        assert_eq!(*order, orders[0]);
    }
}

/// Whoever serves writes it, a moment later.
#[test]
fn what_a_thread_says_in_a_row_comes_before_the_end_of_its_client() {
    let host = Host::start(|builder| builder);
    for number in 0..200 {
        let mut client = RawClient::websocket(&host.url);
        client.say("40");
        client.expect("40");
        let socket = host.connected();
        for event in 0..number {
            match event % 2 {
                0 => socket.emit("event", event).unwrap(),
                _ => drop(host.server.emit("event", event).unwrap()),
            }
        }
        match number % 2 {
            0 => socket.disconnect(),
            _ => socket.disconnect_client(),
        }
        for event in 0..number {
            client.expect(&format!(r#"42["event",{event}]"#));
        }
        if number % 2 == 0 {
            client.expect("41");
        } else {
            client.ends();
        }
        host.disconnected(&socket);
    }
}

/// It is written by whoever serves, which is the thread that runs the handler.
#[test]
fn what_a_thread_says_in_a_row_waits_for_no_handler() {
    const EVENTS: usize = 1000;
    let host = Host::start(|builder| builder);
    let (begun, begins) = unbounded();
    let (open, gate) = unbounded::<()>();
    host.server.on("wait", move |_, _| {
        let _ = begun.send(());
        let _ = gate.recv();
    });
    let mut clients = [(); 2].map(|()| {
        let mut client = RawClient::websocket(&host.url);
        client.say("40");
        client.expect("40");
        (client, host.connected())
    });
    clients[0].0.say(r#"42["wait"]"#);
    recv_within(&begins, LIMIT);
    for number in 0..EVENTS {
        clients[1].1.emit("event", number).unwrap();
    }
    for number in 0..EVENTS {
        clients[1].0.expect(&format!(r#"42["event",{number}]"#));
    }
    drop(open);
}

/// The answer comes at once, from several threads' questions.
#[test]
fn no_answer_comes_too_early() {
    let questions = soak::size(5000, 250_000);
    let host = Host::start(|builder| builder);
    let client = Via::WebSocket.connect(&host.url);
    client.on("ask", |event| event.ack(event.args::<ArgList>().unwrap()).unwrap()).unwrap();
    let socket = host.connected();
    let askers = (0..4).map(|asker| {
        let socket = socket.clone();
        thread::spawn(move || {
            for number in 0..questions {
                let asked = socket.timeout(LIMIT).emit_with_ack("ask", (asker, number)).unwrap();
                assert_eq!(asked.wait::<(u32, u32)>().unwrap(), (asker, number));
            }
        })
    });
    askers.collect::<Vec<_>>().into_iter().for_each(|asker| asker.join().unwrap());
}

#[test]
fn an_answer_stays_in_its_place_among_events() {
    let host = Host::start(|builder| builder);
    host.server.on("three", |socket, event| {
        socket.emit("event", 1)?;
        event.ack(2)?;
        socket.broadcast().emit("others", ())?;
        socket.emit("event", 3)
    });
    let mut client = RawClient::websocket(&host.url);
    client.say("40");
    client.expect("40");
    for number in 0..100 {
        client.say(&format!(r#"42{number}["three"]"#));
        client.expect(r#"42["event",1]"#);
        client.expect(&format!("43{number}[2]"));
        client.expect(r#"42["event",3]"#);
    }
}

#[test]
fn two_events_of_different_sockets_run_at_the_same_time() {
    let host = Host::start(|builder| builder.workers(2));
    host.of("/other");
    let (meet, meetings) = unbounded();
    let barrier = Arc::new(Barrier::new(2));
    for namespace in host.server.namespaces() {
        let (barrier, meet) = (Arc::clone(&barrier), meet.clone());
        namespace.on("meet", move |_, _| {
            barrier.wait();
            let _ = meet.send(());
        });
    }
    let mut client = RawClient::websocket(&host.url);
    client.say_all(&["40", "40/other,", r#"42["meet"]"#, r#"42/other,["meet"]"#]);
    recv_within(&meetings, LIMIT);
    recv_within(&meetings, LIMIT);
}
