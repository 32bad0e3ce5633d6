//! A program whose logger sends what it is given to the server, by the socket that it is about.
//!
//! In a binary of its own: there is one logger for a whole process.

#[path = "../examples/src/events.rs"]
#[expect(unreachable_pub)]
mod events;
mod support;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use log::{LevelFilter, Log, Metadata, Record};
use siot::server::Server;
use siot::testing::TestServer;
use siot::{Limits, Socket, SocketOptions};
use support::{LIMIT, Via};

/// Uses the socket for everything that may be done with one.
struct Sender;

static SENDER: Sender = Sender;
static SOCKET: OnceLock<Socket> = OnceLock::new();
static LINES: AtomicUsize = AtomicUsize::new(0);

impl Log for Sender {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        SOCKET.get().is_none_or(|socket| socket.is_connected() || socket.is_active())
    }

    fn log(&self, record: &Record<'_>) {
        // The libraries below have so much to say about each line that it would never end.
        if !record.target().starts_with("siot") {
            return;
        }
        LINES.fetch_add(1, Ordering::SeqCst);
        let Some(socket) = SOCKET.get() else { return };
        let line = record.args().to_string();
        // Without end, if each line about a line were another line.
        if !line.contains("\\\"line\\\"") {
            // A full buffer is no reason to wait, on the thread that has to empty it.
            let _ = socket.emit("line", line);
        }
        let _ = (socket.id(), socket.send_buffer().len(), socket.manager().engine());
        let options = SocketOptions::new().auto_connect(false);
        let _ = socket.manager().socket_with("/other", options).map(|other| other.is_active());
    }

    fn flush(&self) {}
}

#[test]
fn a_logger_may_use_the_socket_that_it_is_told_about() {
    log::set_logger(&SENDER).unwrap();
    log::set_max_level(LevelFilter::Trace);
    let server = TestServer::start(Server::builder(), events::add_to).unwrap();
    let builder = Via::longest().builder(server.url()).limits(Limits::new().send_events(4));
    let socket = SOCKET.get_or_init(|| builder.auto_connect(false).build().unwrap());
    // Whatever is said on the way: opening, joining, upgrading, losing, and what is ignored.
    for _ in 0..5 {
        socket.connect();
        socket.wait_connected(LIMIT).unwrap();
        let sum = socket.timeout(LIMIT).emit_with_ack("sum", (1, 2)).unwrap();
        assert_eq!(sum.wait::<u32>().unwrap(), 3);
        socket.manager().close_engine();
        socket.wait_connected(LIMIT).unwrap();
        let volatile = socket.volatile();
        for n in 0..50 {
            volatile.emit("echo", n).unwrap();
        }
        socket.disconnect();
    }
    assert!(LINES.load(Ordering::SeqCst) > 50);
    socket.manager().close(LIMIT);
}
