//! The figures of a connection for Prometheus: plain text over HTTP, without a library.
//!
//! ```sh
//! cargo run --example health [-- URL] [--port PORT]
//! ```
//!
//! With a port it goes on serving, at 127.0.0.1; without one it asks itself once, and ends. A server of
//! yours needs nothing but to let the socket in.

use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use siot::server::Server;
use siot::{Manager, Stats};
use siot_examples::{Arguments, ExampleServer};

/// How long the server may take to answer; and one who asks, so that nobody keeps the others from asking.
const LIMIT: Duration = Duration::from_secs(2);

/// The longest head of a request, in bytes.
const MOST: usize = 8 * 1024;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::read(include_str!("health.rs"), &["--port"]);
    let port: Option<u16> = arguments.option("--port");
    let server = ExampleServer::of(&arguments, Server::builder(), |_| ())?;
    let socket = siot::io(server.url())?;
    socket.wait_connected(server.limit())?;
    // An acknowledgement tells the round-trip time, where the server knows this event.
    let sum = socket.timeout(LIMIT).emit_with_ack("sum", (1, 2))?;
    println!("1 + 2 = {:?}", sum.wait::<i64>().ok());

    let listener = TcpListener::bind(("127.0.0.1", port.unwrap_or(0)))?;
    let address = listener.local_addr()?;
    println!("http://{address}/metrics");
    let manager = socket.manager().clone();
    let server = thread::spawn(move || serve(&listener, &manager));
    if port.is_some() {
        server.join().map_err(|_| "the server has panicked")?;
    } else {
        let mut scraper = TcpStream::connect(address)?;
        scraper.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
        let mut answer = String::new();
        scraper.read_to_string(&mut answer)?;
        println!("{answer}");
    }
    Ok(())
}

fn serve(listener: &TcpListener, manager: &Manager) {
    for scraper in listener.incoming() {
        if let Err(error) = scraper.and_then(|scraper| answer(scraper, manager)) {
            eprintln!("no answer: {error}");
        }
    }
}

/// Answers one request, whatever it asks for, and closes the connection.
fn answer(mut scraper: TcpStream, manager: &Manager) -> io::Result<()> {
    scraper.set_read_timeout(Some(LIMIT))?;
    scraper.set_write_timeout(Some(LIMIT))?;
    // What it asks for comes in one piece, and is always the same.
    let _ = scraper.read(&mut [0; MOST])?;
    let body = metrics(&manager.stats());
    let length = body.len();
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nConnection: close";
    write!(scraper, "{head}\r\nContent-Length: {length}\r\n\r\n{body}")
}

/// The figures in Prometheus' text format. What is not known is left out.
fn metrics(stats: &Stats) -> String {
    let mut text = String::new();
    let mut family = |name: &str, kind: &str, samples: &[(&str, Option<f64>)]| {
        if samples.iter().any(|(_, value)| value.is_some()) {
            let _ = writeln!(text, "# TYPE siot_{name} {kind}");
        }
        for (labels, value) in samples {
            if let Some(value) = value {
                let _ = writeln!(text, "siot_{name}{labels} {value}");
            }
        }
    };
    let seconds = |time: Option<Duration>| time.map(|time| time.as_secs_f64());
    #[allow(clippy::cast_precision_loss, reason = "Prometheus has nothing but f64")]
    let sum = |count: u64| Some(count as f64);
    let size = |count: usize| sum(count as u64);

    let connected = u64::from(stats.connected_for.is_some());
    family("connected", "gauge", &[("", sum(connected))]);
    family("connected_seconds", "gauge", &[("", seconds(stats.connected_for))]);
    family("connects_total", "counter", &[("", sum(stats.connects))]);
    family("disconnects_total", "counter", &[("", sum(stats.disconnects))]);
    family("failed_attempts_total", "counter", &[("", sum(stats.failed_attempts))]);
    family("last_error_age_seconds", "gauge", &[("", seconds(stats.last_error_age))]);
    family("round_trip_seconds", "gauge", &[("", seconds(stats.round_trip_smoothed))]);
    family("last_received_seconds", "gauge", &[("", seconds(stats.last_received))]);
    let (received, sent) = (stats.received, stats.sent);
    let both = |received, sent| {
        [("{direction=\"in\"}", sum(received)), ("{direction=\"out\"}", sum(sent))]
    };
    family("events_total", "counter", &both(received.events, sent.events));
    family("bytes_total", "counter", &both(received.bytes, sent.bytes));
    family("wire_bytes_total", "counter", &both(received.wire_bytes, sent.wire_bytes));
    let (arrived, leaving) = (stats.receive_queue, stats.send_queue);
    family("queued_events", "gauge", &both(arrived.events as u64, leaving.events as u64));
    family("queued_bytes", "gauge", &both(arrived.bytes as u64, leaving.bytes as u64));
    family("awaited_acks", "gauge", &[("", size(stats.awaited_acks))]);
    let counters = &stats.counters;
    family(
        "dropped_total",
        "counter",
        &[
            ("{direction=\"in\",reason=\"gave way\"}", size(counters.receive_gave_way)),
            ("{direction=\"in\",reason=\"no room\"}", size(counters.receive_refused)),
            ("{direction=\"in\",reason=\"no meaning\"}", size(counters.ignored)),
            ("{direction=\"out\",reason=\"gave way\"}", size(counters.send_gave_way)),
            ("{direction=\"out\",reason=\"expired\"}", size(counters.send_expired)),
            ("{direction=\"out\",reason=\"too large\"}", size(counters.send_too_large)),
            ("{direction=\"out\",reason=\"no ack\"}", size(counters.send_unacknowledged)),
            ("{direction=\"out\",reason=\"session ended\"}", size(counters.send_session_ended)),
            ("{direction=\"out\",reason=\"volatile\"}", size(counters.send_volatile)),
            ("{direction=\"out\",reason=\"discarded\"}", size(counters.send_discarded)),
        ],
    );
    text
}
