//! A watchdog of systemd (`WatchdogSec=`) that is fed only while the connection and the consumer turn over.
//!
//! ```sh
//! cargo run --example watchdog [-- URL]
//! ```
//!
//! Run by systemd (`Type=notify`) it goes on for ever. Started by hand, it plays systemd's part too, and has its
//! own consumer hang. A server of yours needs the event `echo`, which emits `echo` with the same arguments.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use siot::{Manager, Subscription};
use siot_examples::ExampleServer;

/// The way to systemd, and how often it wants to hear from here at the least.
struct Watchdog {
    socket: UnixDatagram,
    systemd: SocketAddr,
    limit: Option<Duration>,
}

impl Watchdog {
    /// What systemd has told by the environment; `None` where it did not start this program.
    fn from_environment() -> io::Result<Option<Self>> {
        let Ok(path) = std::env::var("NOTIFY_SOCKET") else { return Ok(None) };
        let systemd = match path.strip_prefix('@') {
            Some(name) => SocketAddr::from_abstract_name(name)?,
            None => SocketAddr::from_pathname(&path)?,
        };
        let of_us =
            std::env::var("WATCHDOG_PID").map_or(true, |pid| pid.parse() == Ok(std::process::id()));
        let micros = std::env::var("WATCHDOG_USEC").ok().and_then(|micros| micros.parse().ok());
        let limit = micros.filter(|_| of_us).map(Duration::from_micros);
        Ok(Some(Self { socket: UnixDatagram::unbound()?, systemd, limit }))
    }

    fn notify(&self, state: &str) -> io::Result<()> {
        self.socket.send_to_addr(state.as_bytes(), &self.systemd).map(drop)
    }
}

/// What the consumer shows of itself.
#[derive(Default)]
struct Pulse(AtomicU64);

impl Pulse {
    fn beat(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Takes events, and shows that it lives also where none come.
fn consume(events: &Subscription, pulse: &Pulse, pause: Duration) {
    while !events.is_closed() {
        if let Ok(event) = events.recv_timeout(pause) {
            match event.arg::<String>(0) {
                Ok(word) if word == "hang" => thread::sleep(Duration::from_secs(3600)),
                Ok(word) => println!("consumed: {word}"),
                Err(error) => eprintln!("{error}"),
            }
        }
        pulse.beat();
    }
}

/// Whether the connection is alive, or on its way to be. A network that is down is no reason to restart a
/// program that tries again and again.
fn turns_over(manager: &Manager) -> bool {
    let (stats, engine) = (manager.stats(), manager.engine());
    if stats.connected_for.is_none() {
        // An attempt is under way, or its time has not come.
        let waits = stats.next_attempt.is_some_and(|delay| !delay.is_zero());
        return engine.is_some() || waits;
    }
    let heartbeat = engine.and_then(|engine| Some(engine.ping_interval? + engine.ping_timeout?));
    heartbeat.is_none_or(|limit| stats.last_received.is_some_and(|silence| silence < limit))
}

/// Feeds the watchdog for as long as both turn over.
fn feed(watchdog: &Watchdog, manager: &Manager, pulse: &Pulse) -> io::Result<()> {
    // Twice in each time, as systemd recommends.
    let Some(pause) = watchdog.limit.map(|limit| limit / 2) else { return Ok(()) };
    let mut before = u64::MAX;
    loop {
        let beats = pulse.0.load(Ordering::Relaxed);
        let consumes = std::mem::replace(&mut before, beats) != beats;
        if consumes && turns_over(manager) {
            watchdog.notify("WATCHDOG=1")?;
        } else {
            let what = if consumes { "the connection" } else { "the consumer" };
            watchdog.notify(&format!("STATUS={what} does not turn over"))?;
        }
        thread::sleep(pause);
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = ExampleServer::start(include_str!("watchdog.rs"), |_| ())?;
    let url = server.url().to_owned();
    if let Some(watchdog) = Watchdog::from_environment()? {
        return run(&url, &watchdog, false);
    }
    // By hand: this program stands for systemd too, and looks at what that would be told.
    let name = format!("siot-watchdog-{}", std::process::id());
    let systemd = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name)?)?;
    let limit = Duration::from_millis(400);
    let watchdog = Watchdog {
        socket: UnixDatagram::unbound()?,
        systemd: SocketAddr::from_abstract_name(&name)?,
        limit: Some(limit),
    };
    thread::spawn(move || run(&url, &watchdog, true).map_err(|error| error.to_string()));
    // At the start it may take its time, as `TimeoutStartSec=` has it.
    let mut state = [0; 256];
    loop {
        let length = systemd.recv(&mut state)?;
        let told = String::from_utf8_lossy(&state[..length]);
        println!("  systemd is told: {told}");
        if told.starts_with("STATUS=") {
            println!("without WATCHDOG=1 systemd restarts it after {limit:?}");
            return Ok(());
        }
    }
}

/// The program itself; `hangs`: to show what that leads to.
fn run(url: &str, watchdog: &Watchdog, hangs: bool) -> Result<(), Box<dyn std::error::Error>> {
    let socket = siot::io(url)?;
    let pulse = Arc::new(Pulse::default());
    let events = socket.subscribe("echo");
    let consumer = Arc::clone(&pulse);
    let pause = watchdog.limit.unwrap_or(Duration::from_secs(1)) / 10;
    thread::Builder::new().spawn(move || consume(&events, &consumer, pause))?;
    watchdog.notify("READY=1")?;
    socket.emit("echo", "work")?;
    if hangs {
        let socket = socket.clone();
        thread::Builder::new().spawn(move || {
            thread::sleep(pause * 20);
            socket.emit("echo", "hang")
        })?;
    }
    feed(watchdog, socket.manager(), &pulse)?;
    Ok(())
}
