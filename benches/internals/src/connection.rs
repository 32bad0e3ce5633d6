//! A connection as a program has it, without its socket.

use std::fmt::Write;
use std::hint::black_box;

use siot::internal::measured::PlayedClient;

use crate::Workload;
use crate::values::{READING, Reading};

/// The namespace that is used is the last one.
fn connect(namespaces: usize) -> PlayedClient {
    let mut connection = PlayedClient::new();
    for number in 1..namespaces {
        connection.join(&name(number));
    }
    connection
}

fn name(number: usize) -> String {
    format!("/{number:03}")
}

/// How a frame for the last namespace begins.
fn head(kind: char, namespaces: usize) -> String {
    match namespaces {
        1 => format!("4{kind}"),
        _ => format!("4{kind}{},", name(namespaces - 1)),
    }
}

/// From the call to the frame.
pub(crate) fn emit(namespaces: usize) -> Workload {
    let mut connection = connect(namespaces);
    let reading = Reading::example();
    Box::new(move || {
        connection.emit(namespaces - 1, "reading", &reading);
        black_box(connection.write());
    })
}

/// From the call to the answer, while others are awaited.
pub(crate) fn round_trip(namespaces: usize, pending: usize) -> Workload {
    let mut connection = connect(namespaces);
    let others: Vec<_> = (0..pending)
        .map(|_| {
            let answer = connection.ask(namespaces - 1, "reading", &1);
            connection.write();
            answer
        })
        .collect();
    let reading = Reading::example();
    let head = head('3', namespaces);
    let (mut frame, mut number) = (head.clone(), pending);
    Box::new(move || {
        let answer = connection.ask(namespaces - 1, "reading", &reading);
        black_box(connection.write());
        frame.truncate(head.len());
        write!(frame, "{number}[true]").expect("a string takes all");
        connection.receive(&frame);
        number += 1;
        let taken: bool = answer.take().expect("an answer").args().expect("a flag");
        black_box((taken, &others));
    })
}

/// From the frame to the consumer, with its arguments.
pub(crate) fn deliver(namespaces: usize, subscriptions: usize) -> Workload {
    let mut connection = connect(namespaces);
    let others: Vec<_> = (1..subscriptions)
        .map(|number| connection.subscribe(namespaces - 1, &format!("other-{number}")))
        .collect();
    let inbox = connection.subscribe(namespaces - 1, "reading");
    let frame = head('2', namespaces) + &READING[1..];
    Box::new(move || {
        connection.receive(&frame);
        let reading: Reading = inbox.take().expect("an event").args().expect("a reading");
        black_box((reading, &others));
    })
}

/// The same for 64 that are read at once.
pub(crate) fn deliver_many() -> Workload {
    let mut connection = connect(1);
    let inbox = connection.subscribe(0, "reading");
    let frame = head('2', 1) + &READING[1..];
    Box::new(move || {
        connection.receive_all([&*frame; 64]);
        for _ in 0..64 {
            let reading: Reading = inbox.take().expect("an event").args().expect("a reading");
            black_box(reading);
        }
    })
}

/// While there are so many connections, of which the last one is used.
pub(crate) fn among(connections: usize, make: fn() -> Workload) -> Workload {
    let others: Vec<_> = (1..connections).map(|_| make()).collect();
    let mut workload = make();
    Box::new(move || {
        workload();
        black_box(&others);
    })
}
