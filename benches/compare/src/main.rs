//! Measures clients of Socket.IO beside each other, in one run on this machine's loopback: see `benches/README.md`.

mod clients;
mod measure;
mod modes;
mod plan;
mod plot;
mod report;
mod server;

use std::process::ExitCode;

use crate::clients::Maker;
use crate::modes::Mode;

pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const USAGE: &str = "usage: compare [--rounds N] [--only MODE[,MODE…]] [--plot FILE] [--title TEXT]
  measures all clients in so many rounds (5), prints a table, and writes a plot (SVG)
  modes: ask sparse burst flood blobs connect idle
       compare drive CLIENT MODE URL COUNT
  is what it starts for each measurement: prints the figures of one client in one mode";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words[..] {
        ["drive", client, mode, url, count] => drive(client, mode, url, count),
        ["-h" | "--help"] => {
            println!("{USAGE}");
            Ok(())
        }
        _ => plan::Plan::parse(&words).and_then(|plan| plan.run()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn drive(client: &str, mode: &str, url: &str, count: &str) -> Result<()> {
    let mode = Mode::parse(mode).ok_or_else(|| format!("no mode {mode:?}\n{USAGE}"))?;
    let maker = Maker::parse(client).ok_or_else(|| format!("no client {client:?}\n{USAGE}"))?;
    println!("{}", maker.drive(mode, url, count.parse()?)?);
    Ok(())
}
