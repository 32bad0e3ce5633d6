//! A device that measures every second, for years. A night without network passes within 64 kB of
//! memory, alarms go out before the backlog, and what is left at the end goes into a file.
//!
//! ```sh
//! cargo run --example telemetry [-- URL] [--period SECONDS]
//! ```
//!
//! `--period` is the time between two measurements; with 0.0001 an hour takes 0.36 s. A server of yours has to
//! acknowledge the events `alarm` and `ready`, and you are asked to stop and start it.

use std::error::Error;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::{Duration, Instant};

use siot::server::Server;
use siot::{
    ArgList, Builder, Limits, Socket, Status, Subscription, Transport, UndeliveredEvent, WhenFull,
};
use siot_examples::{Arguments, ExampleServer};

const LIMIT: Duration = Duration::from_secs(10);
const EVENING: u32 = 600;
const MORNING: u32 = 8 * 3600;
const TWO_HOURS: u32 = 2 * 3600;

/// An event takes some 200 bytes besides its text, so that a quarter of the memory is for texts.
const MEMORY: usize = 64 * 1024;
const TEXTS: usize = MEMORY / 4;
const EVENTS: usize = (MEMORY - TEXTS) / 200;

/// Without network, the last measurement in so many seconds is enough: the buffer lasts for 20 hours.
const COARSE: u32 = 300;

struct Device {
    socket: Socket,
    status: Subscription<Status>,
    period: Duration,
    /// What could not be delivered before the device was switched off.
    store: PathBuf,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::read(include_str!("telemetry.rs"), &["--period"]);
    let seconds = arguments.option("--period").unwrap_or(0.000_1);
    let period = Duration::try_from_secs_f64(seconds)?;
    let store = std::env::temp_dir().join(format!("telemetry-{}.jsonl", std::process::id()));
    let server = ExampleServer::of(&arguments, Server::builder(), take)?;

    let device = Device::start(server.url(), period, &store)?;
    device.socket.wait_connected(LIMIT)?;
    device.measure(0..EVENING)?;
    device.confirm()?;

    println!("the night: no network");
    server.stop()?;
    while !matches!(device.status.recv_timeout(server.limit())?, Status::Disconnected { .. }) {}
    device.measure(EVENING..MORNING)?;
    let unsent = device.socket.waiting();
    println!("the morning: {} events of {} bytes wait", unsent.events, unsent.bytes);
    server.resume()?;
    device.socket.wait_connected(server.limit())?;
    device.confirm()?;

    println!("switched off without network");
    server.stop()?;
    while !matches!(device.status.recv_timeout(server.limit())?, Status::Disconnected { .. }) {}
    device.measure(MORNING..MORNING + 3 * COARSE)?;
    device.stop(Duration::from_secs(1))?;

    println!("switched on again");
    server.resume()?;
    let device = Device::start(server.url(), period, &store)?;
    device.socket.wait_connected(server.limit())?;
    device.stop(LIMIT)
}

impl Device {
    fn start(url: &str, period: Duration, store: &Path) -> Result<Self, Box<dyn Error>> {
        let limits = Limits::new().send_bytes(TEXTS).send_events(EVENTS);
        let socket = Builder::new(url)
            .transports([Transport::WebSocket])
            .reconnection_delay(Duration::from_millis(50))
            .reconnection_delay_max(Duration::from_millis(200))
            // Should it last longer than foreseen: the newest stay, and alarms.
            .limits(limits.when_send_full(WhenFull::DropOldest))
            .auto_connect(false)
            .build()?;
        let status = socket.status();
        socket.on_status(|status| {
            if let Status::Dropped { events, bytes, reason, .. } = status {
                println!("lost: {events} events of {bytes} bytes, {reason}");
            }
        })?;
        // The server has to know who this is before the backlog comes.
        socket.on_connect_first("device", "thermometer 7")?;
        let device = Self { socket, status, period, store: store.to_owned() };
        device.restore()?;
        device.socket.connect();
        Ok(device)
    }

    fn measure(&self, seconds: Range<u32>) -> siot::Result<()> {
        let (start, first) = (Instant::now(), seconds.start);
        for second in seconds {
            sleep((self.period * (second - first)).saturating_sub(start.elapsed()));
            let celsius = 20.0 + f64::from(second % 100) / 10.0;
            // Which one waits is decided anew each time: with a connection all of them are sent.
            let part =
                (!self.socket.is_connected()).then(|| format!("reading {}", second / COARSE));
            self.socket
                .emitter()
                .with_coalesce(part.as_deref())
                .emit("reading", (second, celsius))?;
            if second % TWO_HOURS == EVENING {
                alarm(&self.socket, ArgList(vec![second.into(), "door open".into()]))?;
            }
        }
        Ok(())
    }

    /// The answer comes when the server has dealt with all that was sent before.
    fn confirm(&self) -> siot::Result<()> {
        self.socket.emit_with_ack("ready", ())?.wait_timeout(LIMIT)
    }

    /// The file is as good as the end was orderly. For what has to survive a power cut there is
    /// `siot::Outbox`.
    fn stop(&self, limit: Duration) -> Result<(), Box<dyn Error>> {
        let undelivered = self.socket.manager().close(limit);
        println!("{} events are stored", undelivered.len());
        let lines: Vec<_> = undelivered.iter().map(UndeliveredEvent::json).collect();
        if !lines.is_empty() {
            fs::write(&self.store, lines.join("\n"))?;
        }
        Ok(())
    }

    /// What was stored waits for the connection, before what is new.
    fn restore(&self) -> Result<(), Box<dyn Error>> {
        if !self.store.exists() {
            return Ok(());
        }
        for line in fs::read_to_string(&self.store)?.lines() {
            let (name, args) = serde_json::from_str::<Vec<serde_json::Value>>(line)
                .map(|mut list| (list.remove(0), ArgList(list)))?;
            match name.as_str() {
                Some("alarm") => alarm(&self.socket, args)?,
                Some(name) => self.socket.emit(name, args)?,
                None => {}
            }
        }
        Ok(fs::remove_file(&self.store)?)
    }
}

/// An alarm overtakes all that waits, and is sent again when the connection broke before the server
/// confirmed it.
fn alarm(socket: &Socket, args: ArgList<serde_json::Value>) -> siot::Result<()> {
    let (again, same) = (socket.clone(), args.clone());
    socket.urgent().emit_with_callback("alarm", args, move |answer| {
        if answer.is_err_and(|error| error.is_disconnected()) {
            // It fails after `close`, which has handed the alarm back.
            let _ = alarm(&again, same);
        }
    })
}

/// What the server does.
fn take(server: &Server) {
    // The readings since the device said who it is.
    let readings = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&readings);
    server.on("device", move |_, event| {
        println!("  server: {} is here", event.arg::<String>(0)?);
        *readings.lock().expect("no panic") = 0;
        Ok::<_, siot::Error>(())
    });
    server.on("alarm", |_, event| {
        let (second, text): (u32, String) = event.args()?;
        println!("  server: alarm of second {second}, {text}");
        event.ack(())
    });
    server.on("ready", |_, event| event.ack(()));
    server.on("reading", move |_, event| {
        let (second, celsius): (u32, f64) = event.args()?;
        let mut count = counted.lock().expect("no panic");
        *count += 1;
        if *count <= 3 {
            println!("  server: second {second}, {celsius} °C");
        }
        Ok::<_, siot::Error>(())
    });
}
