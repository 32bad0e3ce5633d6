//! What siot's own threads take of their stacks: the smallest that the limits allow is enough for all that they do, and what a
//! handshake has touched is not kept.

use std::iter::repeat_n;
use std::time::Duration;

use serde_json::json;
use siot::{Binary, Limits, Socket, Tls};

use super::{LIMIT, builder, for_all, start, trusting};
use crate::support::certs::CertAuthority;
use crate::support::{Server, Via, alone, eventually, recv_within, threads};

/// What `Limits` takes at the least, in bytes.
const LEAST: usize = 256 * 1024;

fn connect(server: &Server, tls: Tls, via: Via) -> siot::Result<Socket> {
    let limits = Limits::new().stack_size(LEAST);
    let socket = builder(server, tls, via).limits(limits).build()?;
    socket.wait_connected(LIMIT)?;
    Ok(socket)
}

#[test]
fn the_smallest_stack_bears_every_handshake_and_the_deepest_input() {
    alone(|| {
        let (authority, stranger) = (CertAuthority::new(), CertAuthority::new());
        let server = start(&authority.issue("127.0.0.1").server());
        let deep: String = repeat_n('[', 400_000).chain(repeat_n(']', 400_000)).collect();
        for_all(trusting(&authority), |tls, via| {
            let socket = connect(&server, tls, via).unwrap();
            let any = socket.subscribe_any();
            socket.emit("raw", format!(r#"2["deep",{deep},"after"]"#)).unwrap();
            let event = recv_within(any.receiver(), LIMIT);
            assert_eq!(event.arg::<String>(1).unwrap(), "after");
            let sent = Binary::from(vec![1; 500_000]);
            let ack = socket.timeout(LIMIT).emit_with_ack("echo", &sent).unwrap();
            assert_eq!(ack.wait::<Binary>().unwrap(), sent);
        });
        for_all(trusting(&stranger), |tls, via| {
            assert!(connect(&server, tls, via).is_err());
        });
    });
}

/// How much is in memory of each stack of this size, in kB.
fn touched(stack_size: usize) -> Vec<usize> {
    let smaps = std::fs::read_to_string("/proc/self/smaps").unwrap();
    let mut is_stack = false;
    let mut touched = Vec::new();
    for line in smaps.lines() {
        let mut words = line.split_whitespace();
        let first = words.next().unwrap_or_default();
        if let Some((start, end)) = first.split_once('-') {
            let [start, end] = [start, end].map(|it| usize::from_str_radix(it, 16).unwrap());
            // The system may have a page of its own beside what was asked for.
            is_stack = words.next() == Some("rw-p") && (end - start).abs_diff(stack_size) <= 8192;
        } else if is_stack && first == "Rss:" {
            touched.push(words.next().unwrap().parse().unwrap());
        }
    }
    touched
}

#[test]
fn a_connection_by_tls_keeps_no_more_of_its_stack_than_one_without() {
    alone(|| {
        let authority = CertAuthority::new();
        let server = start(&authority.issue("127.0.0.1").server());
        // No thread that has ended has had as much, nor up to four times as much: its stack might be given again.
        let mut size = 30 * 1024;
        let mut kept = |server: &Server, tls: Tls| {
            size *= 10;
            let limits = Limits::new().stack_size(size);
            let socket = builder(server, tls, Via::WebSocket).limits(limits).build().unwrap();
            socket.wait_connected(LIMIT).unwrap();
            let [touched] = touched(size)[..] else { panic!("not one stack of {size} bytes") };
            touched
        };
        let by_tls: Vec<usize> =
            trusting(&authority).into_iter().map(|tls| kept(&server, tls)).collect();
        let plain = kept(&Server::start(json!({})), Tls::new());
        let most = plain * 3 / 2;
        assert!(by_tls.iter().all(|touched| (1..most).contains(touched)), "{by_tls:?}, {plain}");
    });
}

fn are_served_no_more() -> bool {
    !threads().iter().any(|name| name == "siot-conn")
}

/// That so many connections, which begin as is said, have one stack each, also after they were lost together.
#[track_caller]
fn assert_stacks_apart(tls: &Tls, server: &Server, at_once: bool) {
    /// What no other thread has, in bytes: those of the tests and the timer's have 2 MiB, which is too much to be given here.
    const SIZE: usize = 300 * 1024;
    const CONNECTIONS: usize = 16;
    const DELAY: Duration = Duration::from_millis(300);
    let connect = |_| {
        let socket = builder(server, tls.clone(), Via::WebSocket)
            .limits(Limits::new().stack_size(SIZE))
            .reconnection(true)
            .reconnection_delay(DELAY)
            .reconnection_delay_max(DELAY)
            .randomization_factor(0.0)
            .build()
            .unwrap();
        if !at_once {
            socket.wait_connected(LIMIT).unwrap();
        }
        socket
    };
    let sockets: Vec<Socket> = (0..CONNECTIONS).map(connect).collect();
    for _ in 0..3 {
        for socket in &sockets {
            socket.wait_connected(LIMIT).unwrap();
        }
        assert_eq!(touched(SIZE).len(), CONNECTIONS);
        server.kill();
        // A stack is given to another when its thread is gone.
        eventually(LIMIT, "the end of their threads", are_served_no_more);
        server.restart();
    }
    for socket in &sockets {
        drop(socket.manager().close(LIMIT));
    }
    eventually(LIMIT, "the end of their threads", are_served_no_more);
}

// With one opener's stack for all of them when they are lost.
#[test]
fn those_who_open_by_tls_use_no_stack_of_those_who_serve() {
    alone(|| {
        let authority = CertAuthority::new();
        let server = start(&authority.issue("127.0.0.1").server());
        for tls in trusting(&authority) {
            assert_stacks_apart(&tls, &server, false);
        }
    });
}

// With an opener's stack for each of them when they are served.
#[test]
fn those_who_serve_use_no_stack_of_those_who_open_by_tls() {
    alone(|| {
        let authority = CertAuthority::new();
        let server = start(&authority.issue("127.0.0.1").server());
        for tls in trusting(&authority) {
            assert_stacks_apart(&tls, &server, true);
        }
    });
}
