//! Runs the examples, as `cargo test` has built them, and looks at what they print.

#[path = "support/program.rs"]
mod program;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use siot::server::Server;
use siot::testing::TestServer;
use siot_examples::events;

use program::command;

/// The examples, some with arguments, each with some of its lines in their order. A line may end with `…` for the rest.
macro_rules! examples {
    ($($(#[$condition:meta])* $name:ident$(($($argument:literal),+))?: [$($line:literal),+ $(,)?],)+) => {
        $(#[test]
        $(#[$condition])*
        fn $name() {
            run(stringify!($name), &[$($($argument),+)?], &[$($line),+]);
        })+

        const NAMES: &[&str] = &[$(stringify!($name)),+];
        /// Those that are built with the features of this test.
        const BUILT: &[&str] = &[$($(#[$condition])* stringify!($name)),+];
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
    thermostat: [
        "the light is Some(Green)",
        "the server wants 21 °C",
        "19 °C",
        "20.4 °C",
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
        "connected, as …",
    ],
    legacy_server: [
        "  server: / is asked for, with the query token=of%20the%20URL…",
        "found: Engine.IO 3 over …",
        "event: echo came back with [\"echo\",\"€\",42]",
        "ack: \"again\"",
        "  server: /orders is asked for, with the credentials {\"token\":\"of the namespace\"}",
        "namespace: /orders is joined",
        "told: Engine.IO 3 over …",
        "done",
    ],
    #[cfg(feature = "msgpack")]
    msgpack: [
        "connected as …",
        "ack: \"photo.jpg\", Binary(4 bytes: ff d8 ff e0), 21.5",
        "received: …",
        "done",
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
    chat: [
        "http://127.0.0.1:…",
        "Ann is in the kitchen with Ann",
        "Ben is in the kitchen with Ann, Ben",
        "Ann sees Ben come",
        "Ann hears Ben say: is there any tea?",
        "Ben is in the garden with Ben",
        "Ann sees Ben leave",
        "Ben is in the kitchen with Ann, Ben",
        "Ann has heard 0 more",
        "Ann sees Ben leave",
        "closed, and all was read: true",
    ],
    gateway: [
        "the LAN is served at http://127.0.0.1:…",
        "the page knows {}",
        "the page shows kitchen: 31.5 °C",
        "the page shows fan: true, as the cloud wants it",
        "  the fan is told: [\"switch\",false]",
        "the page has switched it off: true",
        "closed",
    ],
}

/// What is for a server that is started for it, and works with any other that has the same events.
const OF_ANY_SERVER: &[&str] =
    &["hello", "select", "poll", "health", "watchdog", "callbacks", "namespaces", "binary"];

/// Takes no server at all.
const WITHOUT_SERVER: &[&str] = &["fleet"];

fn run(name: &str, arguments: &[&str], lines: &[&str]) {
    let start = Instant::now();
    let output = command(name).args(arguments).output().unwrap();
    expect(&output, lines);
    // A few seconds for whoever tries it; much more for a busy machine.
    assert!(start.elapsed() < Duration::from_secs(30), "it took {:?}", start.elapsed());
    if OF_ANY_SERVER.contains(&name) {
        let server = TestServer::start(Server::builder(), events::add_to).unwrap();
        expect(&command(name).arg(server.url()).output().unwrap(), lines);
    }
}

#[track_caller]
fn expect(output: &Output, lines: &[&str]) {
    let (printed, errors) = texts(output);
    assert!(output.status.success() && errors.is_empty(), "{}\n{printed}{errors}", output.status);
    let mut rest = printed.lines();
    for line in lines {
        assert!(rest.any(|printed| matches(printed, line)), "no line {line:?} here:\n{printed}");
    }
}

fn matches(printed: &str, line: &str) -> bool {
    line.strip_suffix('…').map_or(printed == line, |start| printed.starts_with(start))
}

/// What was printed, and what was said on the standard error.
fn texts(output: &Output) -> (Cow<'_, str>, Cow<'_, str>) {
    (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The names of the sources in the folder.
fn sources() -> BTreeSet<String> {
    let files = std::fs::read_dir(env!("CARGO_MANIFEST_DIR")).unwrap();
    files
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect()
}

fn source(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name).with_extension("rs");
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn every_example_is_run() {
    let known: BTreeSet<_> = NAMES.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(sources(), known);
}

#[test]
fn help_is_what_the_source_begins_with() {
    for &name in BUILT {
        let output = command(name).arg("--help").output().unwrap();
        let (printed, errors) = texts(&output);
        assert!(output.status.success() && errors.is_empty(), "{name}: {printed}{errors}");
        let usage = printed.lines().find(|line| line.starts_with("cargo run "));
        let usage = usage.unwrap_or_else(|| panic!("{name}: no command in {printed}"));
        assert!(usage.contains(&format!("--example {name}")), "{usage}");
        for option in usage.split(['[', ']', ' ']).filter(|word| word.starts_with("--")) {
            let known = ["--", "--example", "--release", "--features"].contains(&option);
            assert!(known || source(name).contains(&format!("\"{option}\"")), "{name}: {option}");
        }
        let source = source(name);
        let first = source.lines().next().unwrap().strip_prefix("//! ").unwrap();
        assert!(printed.starts_with(first), "{name}: {printed}");
    }
}

#[test]
fn every_example_takes_the_url_of_a_server() {
    for name in BUILT.iter().filter(|name| !WITHOUT_SERVER.contains(name)) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let mut child = command(name).arg(url).stdout(Stdio::null()).spawn().unwrap();
        let (sender, came) = channel();
        thread::spawn(move || sender.send(listener.accept().is_ok()));
        let came = came.recv_timeout(Duration::from_secs(30));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(came, Ok(true), "{name}");
    }
}

#[test]
fn what_cannot_be_used_is_said_in_a_sentence() {
    let too_many = ["http://127.0.0.1", "http://127.0.0.1"];
    for &name in BUILT {
        for arguments in [&["http://a b"] as &[_], &["ftp://server"], &["--nonsense"], &too_many] {
            let output = command(name).args(arguments).output().unwrap();
            let (printed, errors) = texts(&output);
            assert_eq!(output.status.code(), Some(2), "{name} {arguments:?}: {printed}{errors}");
            assert!(printed.is_empty(), "{name} {arguments:?}: {printed}");
            assert_eq!(errors.lines().count(), 1, "{name} {arguments:?}: {errors}");
            let wrong = format!("{name}: {:?} ", arguments[arguments.len() - 1]);
            assert!(errors.starts_with(&wrong), "{errors}");
        }
    }
}

/// What its page is made of comes from it too.
#[test]
fn a_gateway_serves_its_page() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/gateway.html");
    let mut child = command("gateway");
    let mut child = child
        .args(["--listen", "127.0.0.1:0", "--script", script])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let line = BufReader::new(child.stdout.take().unwrap()).lines().next().unwrap().unwrap();
    let address = line.rsplit('/').next().unwrap();
    for (path, status) in [("/", 200), ("/client.js", 200), ("/other", 404)] {
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n")
            .unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).unwrap();
        assert!(said.starts_with(&format!("HTTP/1.1 {status} ")), "{said}");
        assert_eq!(said.contains("<title>Gateway</title>"), status == 200, "{said}");
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

/// A server of an example: two guests talk there, and it ends when it is told to.
#[test]
fn a_chat_serves_until_it_is_told_to_end() {
    let mut child = command("chat");
    let mut child = child.args(["--listen", "127.0.0.1:0"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let url = lines.next().unwrap();
    expect(&command("chat").arg(url).output().unwrap(), &["Ann hears Ben say: is there any tea?"]);
    let told = Command::new("kill").arg(child.id().to_string()).status().unwrap();
    assert!(told.success());
    assert_eq!(lines.next().unwrap(), "closed, and all was read: true");
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_loop_says_what_fails_and_ends_when_it_is_told_to() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let mut child = command("poll").arg(url).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.starts_with("not connected: ")));
    let told = Command::new("kill").arg(child.id().to_string()).status().unwrap();
    assert!(told.success() && lines.any(|line| line == "told to end"));
    assert!(lines.any(|line| line == "closed"));
    assert!(child.wait().unwrap().success());
}
