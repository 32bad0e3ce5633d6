//! Runs the examples, as `cargo test` has built them, and looks at what they print.

#[path = "../../tests/support/emulator.rs"]
mod emulator;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The examples, some with arguments, each with some of its lines in their order. A line may end with `…` for the rest.
macro_rules! examples {
    ($($(#[$condition:meta])* $name:ident$(($($argument:literal),+))?: [$($line:literal),+ $(,)?],)+) => {
        $(#[test]
        $(#[$condition])*
        fn $name() {
            run(stringify!($name), &[$($($argument),+)?], &[$($line),+]);
        })+

        const NAMES: &[&str] = &[$(stringify!($name)),+];
    };
}

examples! {
    hello: [
        "event: echo came back with \"hello\" and 42",
        "ack: the server says that 1 + 2 + 3 = 6",
        "binary: \"photo.jpg\" and \"<4 bytes>\"",
        "done",
    ],
    fleet("--devices", "10000"): [
        "10000 devices, spread over 300 s: 33 per second",
        "JavaScript's schedule:",
        "  at times above twice the steady rate",
        "reconnection_spread:",
        "  never above twice the steady rate",
    ],
    sensor: [
        "  server: alarm of hour 1, door open",
        "the server is gone",
        "the server is back",
        "  server: hour 5, 20.5 °C",
        "the alarm of hour 1 has arrived",
        "the alarm of hour 3 has arrived",
        "the alarm of hour 5 has arrived",
    ],
    telemetry: [
        "  server: thermometer 7 is here",
        "  server: second 0, 20 °C",
        "the night: no network",
        "the morning: 98 events of …",
        "  server: thermometer 7 is here",
        "  server: alarm of second 600, door open",
        "  server: alarm of second 22200, door open",
        "  server: second 899, 29.9 °C",
        "  server: second 1199, 29.9 °C",
        "switched off without network",
        "4 events are stored",
        "switched on again",
        "  server: thermometer 7 is here",
        "  server: alarm of second 29400, door open",
        "  server: second 29099, 29.9 °C",
        "  server: second 29699, 29.9 °C",
        "0 events are stored",
    ],
    ack: [
        "1 + 2 + 3 = 6",
        "echo: \"a\", [1, 2], None",
        "the next sum: 6",
        "no answer: timeout: no acknowledgement in time",
        "the server asks: what time is it?",
        "the server has our answer: tea time, 17",
    ],
    select: [
        "connected",
        "news: the sun shines",
        "echo: heard it",
        "disconnected: io server disconnect",
    ],
    health: [
        "http://127.0.0.1:…",
        "HTTP/1.1 200 OK",
        "siot_connected 1",
        "siot_connects_total 1",
        "siot_round_trip_seconds 0…",
        "siot_events_total{direction=\"in\"} 1",
        "siot_events_total{direction=\"out\"} 1",
        "siot_dropped_total{direction=\"out\",reason=\"expired\"} 0",
    ],
    watchdog: [
        "  systemd is told: READY=1",
        "  systemd is told: WATCHDOG=1",
        "  systemd is told: STATUS=the consumer does not turn over",
        "without WATCHDOG=1 systemd restarts it after 400ms",
    ],
    poll: [
        "the device says 20 °C",
        "the device says 22 °C",
        "the server says 22 °C",
        "closed",
    ],
    callbacks: [
        "news: [\"news\",\"it rains\"]",
        "the server says 42, which the callback waited for",
        "question: [\"question\",\"do you have an umbrella?\"]",
        "answer 2: [\"answer\",\"yes\"]",
        "closed",
    ],
    namespaces: [
        "/orders and /chat: 1 connection",
        "order: three apples",
        "chat: hi there",
        "chat is connected: false; orders still count: 5",
        "with /a and /b: 2 connections",
        "/a is connected: false, orders: true",
    ],
    auth: [
        "refused: no token; the server adds {\"please\":\"log in\"}",
        "  server: welcome with token-1",
        "  server: welcome with token-2",
        "  server: welcome with token-3",
        "connected for the third time",
    ],
    binary: [
        "alone: Binary(3 bytes: 01 02 03)",
        "7: front door, 100000 and 1000 bytes",
        "acknowledged: Binary(1 bytes: 09), \"nine\"",
    ],
    status: [
        "connected (1)",
        "  attempt 1 to reconnect",
        "connected (2)",
    ],
    proxy: [
        "through http://127.0.0.1:…",
        "  the proxy is asked for 127.0.0.1:…",
        "connected, as /#…",
    ],
    legacy_server: [
        "  server: / is joined, with the token \"of the URL\"",
        "found: Engine.IO 3 over …",
        "event: echo came back with [\"echo\",\"€\",42]",
        "ack: \"again\"",
        "  server: /orders is joined, with the token \"of the namespace\"",
        "namespace: /orders is joined",
        "told: Engine.IO 3 over …",
        "done",
    ],
    #[cfg(feature = "msgpack")]
    msgpack: [
        "connected as /#…",
        "ack: \"photo.jpg\", Binary(4 bytes: ff d8 ff e0), 21.5",
        "received: …",
        "done",
    ],
    #[cfg(feature = "polling")]
    doctor: [
        "  ok     DNS …",
        "  ok     TCP …",
        "  ok     HTTP …",
        "  ok     Engine.IO …",
        "  ok     namespace …",
        "  ok     closed …",
    ],
    #[cfg(feature = "rustls")]
    custom_ca: [
        "without the authority: cannot connect, TLS: the certificate of `127.0.0.1` is of an authority that is not trusted…",
        "with the authority: connected",
    ],
    #[cfg(feature = "rustls")]
    client_cert: [
        "without a certificate: cannot connect, TLS: the server asks for a client certificate…",
        "with a certificate: connected",
    ],
}

fn run(name: &str, arguments: &[&str], lines: &[&str]) {
    let program = folder().join(name);
    let start = Instant::now();
    let output = emulator::command(&program).args(arguments).output().unwrap_or_else(|error| {
        panic!("{}: {error} (`cargo test --examples` builds it)", program.display())
    });
    let printed = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{}\n{printed}{errors}", output.status);
    let mut rest = printed.lines();
    for line in lines {
        assert!(rest.any(|printed| matches(printed, line)), "no line {line:?} here:\n{printed}");
    }
    // A few seconds for whoever tries it; much more for a busy machine.
    assert!(start.elapsed() < Duration::from_secs(30), "it took {:?}", start.elapsed());
}

fn matches(printed: &str, line: &str) -> bool {
    line.strip_suffix('…').map_or(printed == line, |start| printed.starts_with(start))
}

/// Where Cargo has put them: beside the folder of this test.
fn folder() -> PathBuf {
    let this = std::env::current_exe().expect("a path");
    this.ancestors().nth(2).expect("a folder above").join("examples")
}

#[test]
fn every_example_is_run() {
    let files = std::fs::read_dir(env!("CARGO_MANIFEST_DIR")).unwrap();
    let found: BTreeSet<_> = files
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    let known: BTreeSet<_> = NAMES.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(found, known);
}
