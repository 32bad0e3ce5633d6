//! What a connection takes of the heap: idle, under a burst in either direction, and after it; what is left of those
//! that are gone; and what a client takes of its server.
//!
//! A process of its own, for the allocator, and one test at a time.

mod allocator;
#[path = "../support/gate.rs"]
mod gate;
#[path = "../support/greeting.rs"]
#[allow(dead_code, reason = "its server is a new one")]
mod greeting;
mod leftovers;
#[cfg(feature = "server")]
mod served;
mod server;
mod states;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use siot::{Builder, ErrorKind, Limits, Socket, Transport, WhenFull};

use allocator::{Counting, live, peak, reset_peak};
use gate::Gate;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Emulated machines are slow, and the buffers of the system are large.
const LIMIT: Duration = Duration::from_secs(300);
const KIB: usize = 1024;

/// What an idle WebSocket may take: its read buffer of 4 KiB, and what stands around it.
const IDLE: usize = 16 * KIB;

/// What the buffer of tungstenite may take that is written at once, and what is kept of it to be handed
/// back.
const WRITE_BUFFER: usize = (256 + 64) * KIB;

/// What a connection may keep of a burst.
const KEPT: usize = 16 * KIB;

/// The limit of the buffer that a burst fills up.
const BUFFER: usize = 256 * KIB;

/// How much is read at a time, which may begin one byte below the limit.
const READ_AHEAD: usize = 64 * KIB;

/// The buffer of a read, in which messages stay. Short reads leave up to half of it empty.
const READ_BUFFER: usize = 32 * KIB;

/// What an event takes beside its text.
const EVENT: usize = 256;

fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn connect(url: &str, limits: Limits) -> Socket {
    let socket = Builder::new(url)
        .transports([Transport::WebSocket])
        .force_new(true)
        .limits(limits)
        .build()
        .unwrap();
    socket.wait_connected(LIMIT).unwrap();
    settle(&socket);
    socket
}

/// Waits until all that was emitted before has come to the server.
fn settle(socket: &Socket) {
    loop {
        match socket.timeout(LIMIT).emit_with_ack("settle", ()) {
            Ok(ack) => {
                let _: usize = ack.wait().unwrap();
                return;
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::BufferFull),
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// The same after a burst: the first answer may come together with the last of that. The second comes alone and shows that
/// the traffic is over, but may lie in a large buffer that is lent until this thread has read it. With the third, which does
/// not, that is taken back. Each is asked for when all is quiet: where the connection's thread is slow, it would else read the
/// second with the last of the burst, too.
fn settle_after_burst(socket: &Socket) {
    for _ in 0..3 {
        settle(socket);
        quiet();
    }
}

/// Waits until nothing has changed for a while.
fn quiet() {
    let start = Instant::now();
    let mut last = (live(), Instant::now());
    while last.1.elapsed() < Duration::from_millis(200) && start.elapsed() < LIMIT {
        thread::sleep(Duration::from_millis(5));
        if live() != last.0 {
            last = (live(), Instant::now());
        }
    }
}

/// What there is at rest beyond what there was before. Should it be more than this, threads may have something left to do that a
/// slow machine does not let run: that is waited for.
fn kept(before: usize, most: usize) -> usize {
    let start = Instant::now();
    loop {
        quiet();
        let kept = live().saturating_sub(before);
        if kept <= most || start.elapsed() > LIMIT / 10 {
            return kept;
        }
    }
}

#[test]
fn an_idle_connection_is_small() {
    let _alone = alone();
    let url = server::start(&Arc::default()).unwrap();
    // The first one starts what all share.
    let first = connect(&url, Limits::new());
    let before = live();
    let sockets: Vec<_> = (0..20).map(|_| connect(&url, Limits::new())).collect();
    let each = kept(before, IDLE * sockets.len()) / sockets.len();
    assert!((KIB..=IDLE).contains(&each), "{each} bytes");
    drop(first);
}

#[test]
fn a_burst_outwards_stays_inside_the_send_buffer() {
    let _alone = alone();
    let gate = Arc::new(Gate::default());
    let url = server::start(&gate).unwrap();
    let limits = Limits::new().send_bytes(BUFFER).unconfirmed_bytes(BUFFER);
    let limits = limits.when_send_full(WhenFull::DropNewest);
    let socket = connect(&url, limits);
    let idle = live();
    reset_peak();

    gate.close();
    let event = "x".repeat(KIB);
    let start = Instant::now();
    // A hundred refusals on end: the buffers of the system are full as well as our own.
    let mut refused = 0;
    while refused < 100 {
        match socket.emit("fill", event.as_str()) {
            Ok(()) => refused = 0,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::BufferFull);
                refused += 1;
                thread::sleep(Duration::from_millis(1));
            }
        }
        assert!(start.elapsed() < LIMIT, "the send buffer never fills up");
    }
    let grown = peak() - idle;
    // What waits, and what is written and not confirmed, with the last batch.
    let most = 2 * BUFFER + WRITE_BUFFER + 64 * KIB;
    assert!((BUFFER / 2..=most).contains(&grown), "{grown} bytes");

    gate.open();
    settle_after_burst(&socket);
    let kept = kept(idle, KEPT);
    assert!(kept <= KEPT, "{kept} bytes are kept");
}

#[test]
fn a_burst_inwards_stays_inside_the_receive_buffer() {
    let _alone = alone();
    let url = server::start(&Arc::default()).unwrap();
    let events = 10_000;
    let limits = Limits::new().receive_bytes(BUFFER).receive_events(events);
    let socket = connect(&url, limits);
    let drops = socket.subscribe("drop");
    let idle = live();
    reset_peak();

    socket.emit("flood", (events, KIB)).unwrap();
    let start = Instant::now();
    while socket.manager().stats().receive_queue.bytes < BUFFER / 2 {
        assert!(start.elapsed() < LIMIT, "the receive buffer does not fill up");
        thread::sleep(Duration::from_millis(1));
    }
    quiet();
    let grown = peak() - idle;
    // What was read lies in buffers that are half empty at worst.
    let read = BUFFER + READ_AHEAD;
    let most = 2 * read + READ_BUFFER + read / KIB * EVENT;
    assert!((BUFFER / 2..=most).contains(&grown), "{grown} bytes");

    // The server waits, and nothing is lost.
    for _ in 0..events {
        drop(drops.recv_timeout(LIMIT).unwrap());
    }
    settle_after_burst(&socket);
    drop(drops);
    let kept = kept(idle, KEPT);
    assert!(kept <= KEPT, "{kept} bytes are kept");
}

#[test]
fn a_large_message_leaves_nothing_behind() {
    let _alone = alone();
    let url = server::start(&Arc::default()).unwrap();
    let socket = connect(&url, Limits::new());
    let drops = socket.subscribe("drop");
    quiet();
    let idle = live();
    reset_peak();
    let size = 900 * KIB;
    socket.emit("fill", "x".repeat(size)).unwrap();
    socket.emit("flood", (1, size)).unwrap();
    let event = drops.recv_timeout(LIMIT).unwrap();
    assert_eq!(event.arg::<String>(0).unwrap().len(), size);
    drop(event);
    settle_after_burst(&socket);
    let kept = kept(idle, KEPT);
    assert!(peak() - idle > size);
    assert!(kept <= KEPT, "{kept} bytes are kept");
}

#[test]
fn namespaces_that_are_forgotten_leave_nothing_behind() {
    let _alone = alone();
    let url = server::start(&Arc::default()).unwrap();
    let socket = connect(&url, Limits::new());
    let join = |name: &str, count: usize| {
        for n in 0..count {
            let other = socket.manager().socket(&format!("/{name}-{n}")).unwrap();
            let unread = (other.subscribe("drop"), other.subscribe_any(), other.status());
            other.on("drop", |_| ()).unwrap();
            other.on_status(|_| ()).unwrap();
            other.wait_connected(LIMIT).unwrap();
            drop((other, unread));
        }
        settle(&socket);
        quiet();
    };
    join("first", 500);
    // How many are on their way out at a time varies, and the tables that they are in may grow for it
    // once. What each of them leaves, all of them leave.
    let count = 1500;
    let passes = ["second", "third", "fourth"].map(|name| {
        let before = live();
        join(name, count);
        live().saturating_sub(before)
    });
    let least = passes.into_iter().min().unwrap();
    assert!(least < count * size_of::<usize>(), "{passes:?} bytes are kept");
}
