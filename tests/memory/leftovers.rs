//! What connections leave behind when they are gone, in whatever state they were: nothing.

use std::fs;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use siot::{Builder, Limits, Manager, Socket, Transport};

use super::states::{self, Stage};
use super::{Gate, LIMIT, alone, connect, kept, live, quiet, server};

/// The descriptors of a connection whose answers were waited for, beside those that it has from the beginning.
const WAITED_FOR: usize = 2;

/// What may be kept of all connections together: tables that have grown once.
const KEPT: usize = 8 * 1024;

/// A server for so many connections at a time; its URL.
fn start(connections: usize) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let serve = |stream| server::serve(stream, &Gate::default());
    server::serve_all(&listener, connections, serve).unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// The threads of the library, and the descriptors of this process but for the server's.
fn threads_and_descriptors() -> (usize, usize) {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let is_ours = |name: String| name.starts_with("siot-");
    let names = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
    (
        names.filter(|name| is_ours(name.clone())).count(),
        fs::read_dir("/proc/self/fd").unwrap().count(),
    )
}

/// Waits until threads and descriptors are at most as many as before.
fn settle(before: (usize, usize), what: &str) {
    let start = std::time::Instant::now();
    loop {
        let now = threads_and_descriptors();
        if now.0 <= before.0 && now.1 <= before.1 {
            return;
        }
        assert!(start.elapsed() < LIMIT, "{what}: {now:?} threads and descriptors, not {before:?}");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

#[test]
fn a_thousand_connections_of_a_manager_leave_nothing_behind() {
    let _alone = alone();
    let url = start(4);
    let socket = connect(&url, Limits::new());
    let cycle = |count: usize| {
        for _ in 0..count {
            socket.disconnect();
            socket.connect();
            socket.wait_connected(LIMIT).unwrap();
        }
        super::settle(&socket);
    };
    cycle(100);
    let (threads, descriptors) = threads_and_descriptors();
    quiet();
    let before = live();
    cycle(1000);
    // Whether it has these depends on how soon the answer has come.
    settle((threads, descriptors + WAITED_FOR), "cycles");
    let kept = kept(before, KEPT);
    assert!(kept <= KEPT, "{kept} bytes are kept");
}

/// A manager in some state, and what tells that it is in it.
struct InState {
    socket: Socket,
    gate: Option<Arc<Gate>>,
}

/// All states that a manager can be dropped in, in turn.
fn states(plain: &str, url: &str, number: usize) -> InState {
    let builder = |url: String| Builder::new(url).force_new(true);
    let at = |stage: Stage, transports: &[Transport]| {
        let builder = builder(format!("http://{plain}")).path(stage.path());
        builder.transports(transports.to_vec()).build().unwrap()
    };
    let (websocket, both) = ([Transport::WebSocket], [Transport::Polling, Transport::WebSocket]);
    let of = |socket| InState { socket, gate: None };
    match number % 11 {
        0 => of(builder(url.to_owned()).auto_connect(false).build().unwrap()),
        1 => of(at(Stage::Accepted, &websocket)),
        2 => of(builder("http://127.0.0.1:1".into()).transports(websocket).build().unwrap()),
        3 => of(at(Stage::Handshake, &websocket)),
        4 if cfg!(feature = "polling") => of(at(Stage::Polling, &[Transport::Polling])),
        5 if cfg!(feature = "polling") => of(at(Stage::Upgrading, &both)),
        6 if cfg!(feature = "rustls") => {
            of(builder(format!("https://{plain}")).transports(websocket).build().unwrap())
        }
        7 => {
            // Events wait to be sent, and one to be answered.
            let socket = at(Stage::Handshake, &websocket);
            for _ in 0..20 {
                socket.emit("wait", "x".repeat(1000)).unwrap();
            }
            drop(socket.emit_with_ack("wait", ()).unwrap());
            of(socket)
        }
        8 => {
            // A callback runs, and others wait.
            let socket = open(builder(url.to_owned()));
            let (gate, running) = hold_callback(&socket);
            socket.emit("flood", (20, 100)).unwrap();
            running.recv_timeout(LIMIT).unwrap();
            InState { socket, gate: Some(gate) }
        }
        9 => {
            // Events wait for somebody who does not read.
            let socket = open(builder(url.to_owned()));
            let drops = socket.subscribe("drop");
            socket.emit("flood", (20, 100)).unwrap();
            drop(drops.recv_timeout(LIMIT).unwrap());
            of(socket)
        }
        _ => of(open(builder(url.to_owned()))),
    }
}

fn open(builder: Builder) -> Socket {
    let socket = builder.transports([Transport::WebSocket]).build().unwrap();
    socket.wait_connected(LIMIT).unwrap();
    socket
}

/// A callback that does not return before the gate is opened; tells once that it runs.
fn hold_callback(socket: &Socket) -> (Arc<Gate>, Receiver<()>) {
    let gate = Arc::new(Gate::default());
    gate.close();
    let (runs, running) = channel();
    let closed = Arc::clone(&gate);
    let call = move |_| {
        let _ = runs.send(());
        closed.pass();
    };
    socket.on("drop", call).unwrap();
    (gate, running)
}

/// Makes managers in all states, and drops them: at once, a moment later, or when all are made.
fn drop_in_all_states(plain: &str, url: &str, count: usize) {
    let mut kept: Vec<(InState, Manager)> = Vec::new();
    for number in 0..count {
        let state = states(plain, url, number);
        if number % 3 > 0 {
            std::thread::sleep(std::time::Duration::from_millis(number as u64 % 3));
        }
        if number % 2 == 0 {
            let manager = state.socket.manager().clone();
            kept.push((state, manager));
        } else {
            drop_state(state);
        }
    }
    for (state, _manager) in kept {
        drop_state(state);
    }
}

fn drop_state(state: InState) {
    drop(state.socket);
    if let Some(gate) = state.gate {
        gate.open();
    }
}

#[test]
fn managers_that_are_dropped_in_any_state_leave_nothing_behind() {
    let _alone = alone();
    let (plain, url) = (states::start().unwrap(), start(200));
    let rest = threads_and_descriptors();
    drop_in_all_states(&plain, &url, 44);
    settle(rest, "a few");
    quiet();
    let before = live();
    drop_in_all_states(&plain, &url, 220);
    settle(rest, "many");
    let kept = kept(before, KEPT);
    assert!(kept <= KEPT, "{kept} bytes are kept");
}
