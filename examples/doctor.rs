//! Walks the way to a server and says how far it goes, how long each step takes, and what is wrong.
//!
//! ```sh
//! cargo run --example doctor [-- https://example.com/namespace] [--ca FILE]
//! ```
//!
//! It exits with 1 when a connection fails.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use siot::{Builder, ManagerEvent, Stage, Status, Tls, Transport};
use siot_examples::peer::Peer;
use siot_examples::{Arguments, Server};

/// For each step; the whole has siot's own limit.
const LIMIT: Duration = Duration::from_secs(30);

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let arguments = Arguments::read(include_str!("doctor.rs"), &["--ca"]);
    let ca: Option<PathBuf> = arguments.option("--ca");
    let server = Server::of(&arguments, Peer::options())?;
    let url = server.url();
    let mut healthy = true;
    for transport in [Transport::WebSocket, Transport::Polling] {
        println!("{url} by {transport}");
        let tls = ca.iter().fold(Tls::new(), Tls::ca_file);
        if let Err(error) = examine(url, transport, tls) {
            healthy = false;
            println!("  FAILED {error:#}");
            if error.is_fatal() {
                println!("         trying again will not help");
            }
        }
    }
    Ok(if healthy { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Connects once, and prints each step when it is over.
fn examine(url: &str, transport: Transport, tls: Tls) -> siot::Result<()> {
    let socket = Builder::new(url)
        .transports([transport])
        .tls(tls)
        .force_new(true)
        .reconnection(false)
        .auto_connect(false)
        .build()?;
    let (news, statuses) = (socket.manager().events(), socket.status());
    let mut clock = Clock { stage: None, since: Instant::now() };
    socket.connect();
    loop {
        match news.recv_timeout(LIMIT)? {
            ManagerEvent::Stage(stage) => clock.enter(Some(stage)),
            ManagerEvent::Open => break clock.enter(Some(Stage::Namespace)),
            ManagerEvent::Warning(warning) => println!("  warning: {warning}"),
            ManagerEvent::Error(error) => return Err(error),
            _ => {}
        }
    }
    match statuses.recv_timeout(LIMIT)? {
        Status::ConnectError(error) | Status::Disconnected { error: Some(error), .. } => {
            return Err(error);
        }
        _ => clock.enter(None),
    }
    let start = Instant::now();
    socket.manager().close(Duration::from_secs(1));
    println!("  ok     closed     {:>6} ms", start.elapsed().as_millis());
    Ok(())
}

/// Tells how long each stage took.
struct Clock {
    stage: Option<Stage>,
    since: Instant,
}

impl Clock {
    fn enter(&mut self, next: Option<Stage>) {
        if let Some(stage) = self.stage {
            let (stage, took) = (stage.to_string(), self.since.elapsed());
            println!("  ok     {stage:<10} {:>6} ms", took.as_millis());
        }
        (self.stage, self.since) = (next, Instant::now());
    }
}
