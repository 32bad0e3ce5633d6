//! Measures servers of Socket.IO beside each other, in one run on this machine's loopback: see `benches/README.md`.

mod client;
mod frames;
mod modes;
mod plan;
mod process;
mod report;
mod servers;

use std::process::ExitCode;

use crate::servers::Server;

pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

const USAGE: &str = "usage: servers compare [--rounds N] [--only MODE[,MODE…]]
  measures all servers in so many rounds (3), and prints a table of Markdown
  modes: ask ask100 paced taken broadcast broadcast20 connect idle
       servers serve SERVER
  is what it starts for each measurement: a server that prints its port";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words[..] {
        ["serve", name] => serve(name),
        ["compare", ref words @ ..] => plan::Plan::parse(words).and_then(|plan| plan.run()),
        _ => Err(USAGE.into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(name: &str) -> Result<()> {
    match Server::parse(name).ok_or(USAGE)? {
        Server::Raw => servers::raw::serve(),
        Server::Siot => servers::siot::serve(),
        Server::Socketioxide => servers::socketioxide::serve(),
        Server::Node => Err("that one is served by Node.js".into()),
    }
}
