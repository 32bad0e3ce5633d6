//! A device and its server that are killed at random moments while readings flow from an outbox.
//!
//! `SIOT_TEST_KILLS` says how often each; `tests/kills` runs it with 200.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use siot::{Builder, FileStore, Outbox, OutboxOptions, Transport};

use crate::support::folder::Folder;
use crate::support::{LIMIT, Server, this_program};

const DEVICE: &str = "SIOT_TEST_DEVICE";
const KILLS: &str = "SIOT_TEST_KILLS";

/// How many times each is killed.
fn kills() -> usize {
    std::env::var(KILLS).map_or(6, |kills| kills.parse().expect("a number"))
}

/// What a device has said: which values it began to emit, and which were promised to arrive.
#[derive(Default)]
struct Said {
    begun: BTreeSet<u32>,
    promised: BTreeSet<u32>,
}

impl Said {
    /// Hears a device until it ends.
    fn hear(&mut self, device: &mut Child) {
        let stdout = device.stdout.take().expect("a piped stdout");
        // The last line may be cut.
        let lines = BufReader::new(stdout).split(b'\n').map_while(Result::ok);
        for line in lines {
            let line = String::from_utf8_lossy(&line).into_owned();
            match line.split_once(' ').and_then(|(what, value)| Some((what, value.parse().ok()?))) {
                Some(("begin", value)) => _ = self.begun.insert(value),
                Some(("ok", value)) => _ = self.promised.insert(value),
                _ => {}
            }
        }
        device.wait().expect("a child");
    }

    fn next(&self) -> u32 {
        self.begun.last().map_or(0, |value| value + 1)
    }
}

/// Starts a device, which emits these many values from the next on.
fn start(said: &Said, server: &Server, folder: &Folder, count: u32) -> Child {
    let config = json!({
        "url": server.url(), "store": folder.path("outbox"), "first": said.next(), "count": count,
    });
    this_program()
        .args(["it::outbox_kills::device", "--exact", "--nocapture", "--ignored"])
        .env(DEVICE, config.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .expect("this program")
}

/// No test, but the program that is killed.
#[test]
#[ignore = "the device of the test below"]
fn device() {
    let Ok(config) = std::env::var(DEVICE) else { return };
    let config: serde_json::Value = serde_json::from_str(&config).unwrap();
    let socket = Builder::new(config["url"].as_str().unwrap())
        .transports([Transport::WebSocket])
        .reconnection_delay(Duration::from_millis(10))
        .reconnection_delay_max(Duration::from_millis(100))
        .build()
        .unwrap();
    let store = FileStore::open(config["store"].as_str().unwrap(), 1024 * 1024).unwrap();
    let outbox = Outbox::open(&socket, store, OutboxOptions::new()).unwrap();
    let first = u32::try_from(config["first"].as_u64().unwrap()).unwrap();
    let count = u32::try_from(config["count"].as_u64().unwrap()).unwrap();
    let mut out = std::io::stdout().lock();
    for value in first..first + count {
        // Readings that find no room would be refused, which is not what is to be shown here.
        while outbox.status().events > 500 {
            thread::sleep(Duration::from_millis(2));
        }
        writeln!(out, "begin {value}").unwrap();
        outbox.emit("outboxed", value).unwrap();
        writeln!(out, "ok {value}").unwrap();
    }
    outbox.flush(LIMIT).unwrap();
    outbox.close(LIMIT).unwrap();
    socket.manager().close(Duration::from_secs(5));
}

#[test]
fn no_kill_of_device_or_server_loses_doubles_or_reorders_a_promised_event() {
    let started = Instant::now();
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let folder = Folder::new();
    let file = folder.path("readings");
    let server = Server::start(json!({ "outboxed": file }));
    let mut said = Said::default();
    let (mut of_device, mut of_server) = (0, 0);
    while of_device < kills() || of_server < kills() {
        let mut device = start(&said, &server, &folder, u32::MAX / 2);
        let pid = device.id();
        thread::scope(|scope| {
            let hearing = scope.spawn(|| said.hear(&mut device));
            // As many of the server as come first, at a moment that is nobody's.
            while of_server < kills() && random.bool() {
                thread::sleep(Duration::from_millis(random.u64(0..150)));
                server.kill();
                of_server += 1;
                server.restart();
            }
            thread::sleep(Duration::from_millis(random.u64(0..250)));
            kill_process(pid);
            of_device += 1;
            hearing.join().unwrap();
        });
    }
    // What is left is delivered, by a device that ends in good order.
    let mut device = start(&said, &server, &folder, 5);
    said.hear(&mut device);
    assert!(device.wait().unwrap().success());
    check(&said, &file);
    let twice = fs::read_to_string(folder.path("readings.twice")).unwrap_or_default();
    println!(
        "{of_device} kills of the device, {of_server} of the server, in {:?}: {} begun, {} promised, {} came twice",
        started.elapsed(),
        said.begun.len(),
        said.promised.len(),
        twice.lines().count()
    );
}

/// Ends a process as nothing else does.
fn kill_process(pid: u32) {
    let command = format!("kill -KILL {pid}");
    let status = std::process::Command::new("sh").args(["-c", &command]).status().expect("a shell");
    assert!(status.success(), "{command}");
}

/// What the server applied against what was said.
fn check(said: &Said, file: &Path) {
    let text = fs::read_to_string(file).unwrap();
    let applied: Vec<u32> =
        text.lines().map(|line| line.rsplit(' ').next().unwrap().parse().unwrap()).collect();
    assert!(said.promised.len() > 10, "only {} events", said.promised.len());
    let disordered = applied.windows(2).find(|pair| pair[0] >= pair[1]);
    assert_eq!(disordered, None, "doubled or out of order");
    let applied: BTreeSet<u32> = applied.into_iter().collect();
    let lost: Vec<_> = said.promised.difference(&applied).collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
    let invented: Vec<_> = applied.difference(&said.begun).collect();
    assert!(invented.is_empty(), "never emitted: {invented:?}");
}
