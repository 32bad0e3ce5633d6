//! A server that does nothing unless it is told to: it sleeps while its clients do, and can stop reading.

use std::cell::Cell;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use tungstenite::{Message, WebSocket, accept};

use super::gate::Gate;
use super::greeting::Greeting;

thread_local! {
    /// Whether this thread is the server's, whose memory does not count.
    static SERVES: Cell<bool> = const { Cell::new(false) };
}

/// Whether the calling thread is the server's.
pub(crate) fn serves() -> bool {
    // While a thread ends there is nothing left to ask.
    SERVES.try_with(Cell::get).unwrap_or(false)
}

/// Does something whose memory does not count, nor its end, which is to be here too.
#[cfg(feature = "server")]
#[allow(dead_code, reason = "only the tests serve")]
pub(crate) fn uncounted<R>(work: impl FnOnce() -> R) -> R {
    let before = SERVES.replace(true);
    let result = work();
    SERVES.set(before);
    result
}

/// Serves connections until the process ends, so many at a time. All threads are there from the beginning: what it takes to
/// start one is freed by another than asked for it, and would be miscounted.
#[allow(dead_code, reason = "only the tests have so many")]
pub(crate) fn serve_all<E>(
    listener: &TcpListener,
    threads: usize,
    serve: impl Fn(TcpStream) -> Result<(), E> + Clone + Send + 'static,
) -> io::Result<()> {
    for _ in 0..threads {
        let (listener, serve) = (listener.try_clone()?, serve.clone());
        thread::Builder::new().stack_size(256 * 1024).spawn(move || {
            SERVES.set(true);
            while let Ok((stream, _)) = listener.accept() {
                // A client goes away when it likes.
                let _ = serve(stream);
            }
        })?;
    }
    Ok(())
}

/// Listens on a free port of loopback until the process ends; the URL of it.
///
/// An event `flood` with a number of events and their size is answered with as many events `drop`; an
/// event with an ack is acknowledged with the number of bytes that came since the last one.
pub(crate) fn start(gate: &Arc<Gate>) -> io::Result<String> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let url = format!("http://{}", listener.local_addr()?);
    let gate = Arc::clone(gate);
    thread::spawn(move || {
        SERVES.set(true);
        for stream in listener.incoming().map_while(Result::ok) {
            let gate = Arc::clone(&gate);
            thread::spawn(move || {
                SERVES.set(true);
                // A client that goes away ends its thread.
                let _ = serve(stream, &gate);
            });
        }
    });
    Ok(url)
}

pub(crate) fn serve(stream: TcpStream, gate: &Gate) -> Result<(), Box<dyn std::error::Error>> {
    stream.set_nodelay(true)?;
    let mut socket = accept(stream)?;
    // No heartbeat is due within any measurement.
    socket.send(Message::text(Greeting::new("s").heartbeat(300_000, 300_000).text()))?;
    let mut received = 0;
    loop {
        gate.pass();
        let message = socket.read()?;
        received += message.len();
        if let Message::Text(text) = message {
            if let Some(wish) = text.strip_prefix("40") {
                // The namespace, with its comma.
                let namespace = wish.find(',').map_or("", |comma| &wish[..=comma]);
                socket.send(Message::text(format!(r#"40{namespace}{{"sid":"n"}}"#)))?;
            } else if let Some(arguments) = text.strip_prefix(r#"42["flood","#) {
                flood(&mut socket, arguments)?;
            } else if let Some(id) = ack_id(&text) {
                socket.send(Message::text(format!("43{id}[{received}]")))?;
                received = 0;
            }
        }
    }
}

fn ack_id(text: &str) -> Option<&str> {
    text.strip_prefix("42")?.split('[').next().filter(|id| !id.is_empty())
}

fn flood(
    socket: &mut WebSocket<TcpStream>,
    arguments: &str,
) -> Result<(), Box<dyn std::error::Error>> {
    let (count, size) = arguments.trim_end_matches(']').split_once(',').ok_or("no two numbers")?;
    let message = Message::text(format!(r#"42["drop","{}"]"#, "x".repeat(size.parse()?)));
    for _ in 0..count.parse()? {
        socket.send(message.clone())?;
    }
    Ok(())
}
