//! What is measured.

use std::thread;
use std::time::{Duration, Instant};

use crate::Result;
use crate::clients::Client;
use crate::measure::{Figures, resident_memory, watch};

/// The argument of each event: a reading of a device, with its names, is about as long.
pub(crate) const SIZE: usize = 200;

/// The attachment of each binary event.
pub(crate) const BLOB: usize = 16 * 1024;

/// How many round trips are made before the first that counts.
const WARM: usize = 1000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Round trips, one after the other.
    Ask,
    /// The same, with a pause of two milliseconds before each.
    Sparse,
    /// Events to the server, as fast as they are taken.
    Burst,
    /// Events from the server, as fast as it has them.
    Flood,
    /// Binary events from the server, as fast as it has them.
    Blobs,
    /// From nothing to the answer to CONNECT.
    Connect,
    /// Connections that nothing happens on.
    Idle,
}

impl Mode {
    pub(crate) const ALL: [Self; 7] =
        [Self::Ask, Self::Sparse, Self::Burst, Self::Flood, Self::Blobs, Self::Connect, Self::Idle];

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.name() == name)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ask => "ask",
            Self::Sparse => "sparse",
            Self::Burst => "burst",
            Self::Flood => "flood",
            Self::Blobs => "blobs",
            Self::Connect => "connect",
            Self::Idle => "idle",
        }
    }

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Ask => "round trips, one after the other",
            Self::Sparse => "a round trip every 2 ms",
            Self::Burst => "events to the server",
            Self::Flood => "events from the server, decoded",
            Self::Blobs => "16 KiB of binary from the server",
            Self::Connect => "connecting",
            Self::Idle => "idle connections",
        }
    }

    /// How many messages, or connections, one measurement takes.
    pub(crate) fn count(self) -> usize {
        match self {
            Self::Ask => 10_000,
            Self::Sparse => 500,
            Self::Burst | Self::Flood => 200_000,
            Self::Blobs => 40_000,
            Self::Connect => 300,
            Self::Idle => 100,
        }
    }
}

/// Measures a client. What is lost is an error.
pub(crate) fn measure<C: Client>(mode: Mode, url: &str, count: usize) -> Result<Figures> {
    let text = "x".repeat(SIZE);
    match mode {
        Mode::Connect => watch(count, |times| connect_often::<C>(url, count, times)),
        Mode::Idle => rest::<C>(url, count),
        Mode::Ask | Mode::Sparse => {
            let pause = (mode == Mode::Sparse).then_some(Duration::from_millis(2));
            let mut client = C::connect(url)?;
            if pause.is_none() {
                ask_often(&mut client, &text, None, WARM, &mut Vec::new())?;
            }
            let figures = watch(count, |times| ask_often(&mut client, &text, pause, count, times))?;
            client.close()?;
            Ok(figures)
        }
        Mode::Burst => {
            let mut client = C::connect(url)?;
            let figures = watch(count, |_| {
                for _ in 0..count {
                    client.note(&text)?;
                }
                all_of(client.count_notes()?, count)
            })?;
            client.close()?;
            Ok(figures)
        }
        Mode::Flood => {
            let mut client = C::connect(url)?;
            let figures = watch(count, |_| all_of(client.take_items(count)?, count))?;
            client.close()?;
            Ok(figures)
        }
        Mode::Blobs => {
            let mut client = C::connect(url)?;
            let figures = watch(count, |_| all_of(client.take_blobs(count)?, count))?;
            client.close()?;
            Ok(figures)
        }
    }
}

fn all_of(had: usize, count: usize) -> Result<()> {
    if had == count { Ok(()) } else { Err(format!("{had} of {count} have come").into()) }
}

fn ask_often<C: Client>(
    client: &mut C,
    text: &str,
    pause: Option<Duration>,
    count: usize,
    times: &mut Vec<Duration>,
) -> Result<()> {
    for _ in 0..count {
        if let Some(pause) = pause {
            thread::sleep(pause);
        }
        let begun = Instant::now();
        client.ask(text)?;
        times.push(begun.elapsed());
    }
    Ok(())
}

fn connect_often<C: Client>(url: &str, count: usize, times: &mut Vec<Duration>) -> Result<()> {
    for _ in 0..count {
        let begun = Instant::now();
        let client = C::connect(url)?;
        times.push(begun.elapsed());
        client.close()?;
    }
    Ok(())
}

/// The first connection brings what all of them share.
fn rest<C: Client>(url: &str, count: usize) -> Result<Figures> {
    let mut clients = vec![C::connect(url)?];
    let before = resident_memory()?;
    for _ in 0..count {
        clients.push(C::connect(url)?);
    }
    let grown = resident_memory()?.saturating_sub(before);
    Ok(Figures { rss: Some(grown / count as u64), ..Figures::default() })
}
