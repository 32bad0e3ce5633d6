//! What is measured.

use std::thread;
use std::time::{Duration, Instant};

use crate::Result;
use crate::client::Client;
use crate::frames::write_text;
use crate::process::Process;

/// About what a device says of itself: 200 bytes of JSON.
const READING: &str = concat!(
    r#"{"device":"pump-7","number":100000,"at":1767225600123,"celsius":21.53,"humid":48.2,"ok":true,"note":""#,
    "----------------------------------------------------------------------------------------------",
    r#""}"#
);

/// How many receive a broadcast.
const RECEIVERS: usize = 1000;

/// How many connections there are in the modes of memory.
const IDLE: usize = 10_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Round trips of one client, one after the other.
    Ask,
    /// The same of a hundred clients at the same time.
    AskMany,
    /// A thousand clients that say something ten times a second.
    Paced,
    /// Events of ten clients, as fast as they are taken.
    Taken,
    /// An event to a thousand clients, the next when all have it.
    Broadcast,
    /// Twenty in a row.
    BroadcastRow,
    /// From nothing to the answer to CONNECT, fifty at a time.
    Connect,
    /// Connections that nothing happens on.
    Idle,
}

/// What a measurement has come to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures {
    /// Processor time of the server for each unit, in nanoseconds.
    pub(crate) cpu: f64,
    /// Memory: of an idle connection in bytes, or the most in all.
    pub(crate) memory: f64,
}

impl Mode {
    pub(crate) const ALL: [Self; 8] = [
        Self::Ask,
        Self::AskMany,
        Self::Paced,
        Self::Taken,
        Self::Broadcast,
        Self::BroadcastRow,
        Self::Connect,
        Self::Idle,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ask => "ask",
            Self::AskMany => "ask100",
            Self::Paced => "paced",
            Self::Taken => "taken",
            Self::Broadcast => "broadcast",
            Self::BroadcastRow => "broadcast20",
            Self::Connect => "connect",
            Self::Idle => "idle",
        }
    }

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Ask => "round trips, one client",
            Self::AskMany => "round trips, 100 clients",
            Self::Paced => "1,000 clients, an event each every 100 ms",
            Self::Taken => "events as fast as they are taken, 10 clients",
            Self::Broadcast => "a broadcast to 1,000, for each: one at a time",
            Self::BroadcastRow => "twenty in a row",
            Self::Connect => "connections by WebSocket, 50 at a time",
            Self::Idle => "an idle connection, of 10,000",
        }
    }

    /// Measures a server that was just started. What is lost is an error.
    pub(crate) fn measure(self, server: &Process) -> Result<Figures> {
        match self {
            Self::Ask => ask(server, 1, 20_000),
            Self::AskMany => ask(server, 100, 400),
            Self::Paced => paced(server),
            Self::Taken => taken(server),
            Self::Broadcast => broadcast(server, 1, 100),
            Self::BroadcastRow => broadcast(server, 20, 40),
            Self::Connect => connect(server),
            Self::Idle => idle(server),
        }
    }
}

/// So many clients who may say something: there are servers that answer CONNECT before they have their handlers, and lose what
/// comes too soon.
fn settle(server: &Process, count: usize) -> Result<Vec<Client>> {
    let clients = Client::connect(server.port, count)?;
    thread::sleep(Duration::from_millis(500));
    Ok(clients)
}

/// Does something twice, and measures the second time.
fn watch(server: &Process, units: usize, mut work: impl FnMut() -> Result<()>) -> Result<Figures> {
    work()?;
    let before = server.cpu()?;
    work()?;
    let cpu = server.cpu()? - before;
    let memory = server.memory("VmHWM")? as f64 * 1024.0;
    Ok(Figures { cpu: cpu.as_nanos() as f64 / units as f64, memory })
}

fn ask(server: &Process, clients: usize, times: usize) -> Result<Figures> {
    let mut clients = settle(server, clients)?;
    let (question, answer) = (format!("427[\"ask\",{READING}]"), format!("437[{READING}]"));
    watch(server, times * clients.len(), || {
        for _ in 0..times {
            clients.iter_mut().try_for_each(|client| client.say(&question))?;
            for client in &mut clients {
                let heard = client.hear()?;
                // Numbers may be written in another way.
                if heard.len() + 8 < answer.len() || !heard.starts_with("437[{") {
                    return Err(format!("no answer: {heard}").into());
                }
            }
        }
        Ok(())
    })
}

fn note() -> Vec<u8> {
    let mut frame = Vec::new();
    write_text(format!("42[\"note\",{READING}]").as_bytes(), true, &mut frame);
    frame
}

/// All notes of the clients have been handled: so many each, since the last time.
fn check_notes(clients: &mut [Client], of_each: impl Fn(usize) -> usize) -> Result<()> {
    for client in &mut *clients {
        client.say("428[\"count\"]")?;
    }
    for (number, client) in clients.iter_mut().enumerate() {
        let (had, sent) = (client.expect("438[")?, of_each(number));
        if had != format!("438[{sent}]") {
            return Err(format!("{sent} were sent, and the server says {had}").into());
        }
    }
    Ok(())
}

fn paced(server: &Process) -> Result<Figures> {
    const CLIENTS: usize = 1000;
    const ROUNDS: usize = 20;
    let mut clients = settle(server, CLIENTS)?;
    let note = note();
    watch(server, CLIENTS * ROUNDS, || {
        let begin = Instant::now();
        for (slot, ten) in (0..ROUNDS * 100).zip((0..CLIENTS / 10).cycle()) {
            let at = begin + Duration::from_millis(slot as u64);
            thread::sleep(at.saturating_duration_since(Instant::now()));
            for client in &mut clients[ten * 10..ten * 10 + 10] {
                client.write(&note)?;
            }
        }
        check_notes(&mut clients, |_| ROUNDS)
    })
}

fn taken(server: &Process) -> Result<Figures> {
    const BLOCK: usize = 256;
    const BLOCKS: usize = 300;
    let mut clients = settle(server, 10)?;
    let block = note().repeat(BLOCK);
    watch(server, clients.len() * BLOCK * BLOCKS, || {
        for _ in 0..BLOCKS {
            clients.iter_mut().try_for_each(|client| client.write(&block))?;
        }
        check_notes(&mut clients, |_| BLOCK * BLOCKS)
    })
}

fn broadcast(server: &Process, row: usize, times: usize) -> Result<Figures> {
    let mut clients = settle(server, RECEIVERS)?;
    let order = format!("42[\"tell\",{row}]");
    watch(server, RECEIVERS * row * times, || {
        for _ in 0..times {
            clients[0].say(&order)?;
            for client in &mut clients {
                for _ in 0..row {
                    client.expect("42[\"told\",\"")?;
                }
            }
        }
        Ok(())
    })
}

/// They stay, so that the second thousand is like the first.
fn connect(server: &Process) -> Result<Figures> {
    let mut clients = Vec::new();
    watch(server, 1000, || {
        for _ in 0..20 {
            clients.extend(Client::connect(server.port, 50)?);
        }
        Ok(())
    })
}

fn idle(server: &Process) -> Result<Figures> {
    let mut clients = Client::connect(server.port, 50)?;
    let before = server.memory("VmRSS")?;
    for _ in 0..IDLE / 50 {
        clients.extend(Client::connect(server.port, 50)?);
    }
    let grown = server.memory("VmRSS")?.saturating_sub(before);
    Ok(Figures { cpu: 0.0, memory: grown as f64 * 1024.0 / IDLE as f64 })
}
