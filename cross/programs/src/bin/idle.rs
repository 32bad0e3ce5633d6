//! Measures what idle connections take: `idle CONNECTIONS SECONDS`.
//!
//! The server is a process of its own, this program with the argument `serve`.

#[path = "../../../../tests/memory/allocator.rs"]
mod allocator;
#[allow(dead_code, reason = "nothing stops reading here")]
#[path = "../../../../tests/support/gate.rs"]
mod gate;
#[allow(dead_code, reason = "its server is a new one")]
#[path = "../../../../tests/support/greeting.rs"]
mod greeting;
#[allow(dead_code, reason = "the tests use all of it")]
#[path = "../../../../tests/memory/server.rs"]
mod server;

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use siot::{Builder, Socket, Transport};

#[global_allocator]
static ALLOCATOR: allocator::Counting = allocator::Counting;

/// The default time limits for connecting, and a little.
const LAPSE: Duration = Duration::from_secs(21);

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve"] => serve(),
        [connections, seconds] => measure(connections.parse()?, seconds.parse()?),
        _ => Err("usage: idle CONNECTIONS SECONDS".into()),
    }
}

fn serve() -> Result<(), Box<dyn Error>> {
    println!("{}", server::start(&Arc::default())?);
    // Until the pipe from the parent ends.
    std::io::stdin().lines().for_each(drop);
    Ok(())
}

fn measure(connections: usize, seconds: u64) -> Result<(), Box<dyn Error>> {
    let (mut child, url) = start_server()?;
    println!("before the first connection:      RSS {:>6} kB", status("VmRSS")?);
    allocator::reset_peak();
    let heap = allocator::live();
    let first = connect(&url)?;
    println!(
        "one connection:                   RSS {:>6} kB, heap {} kB (at most {}), {} threads",
        status("VmRSS")?,
        (allocator::live() - heap) / 1000,
        (allocator::peak() - heap) / 1000,
        status("Threads")?,
    );
    let (rss, heap) = (status("VmRSS")?, allocator::live());
    let sockets = (1..connections).map(|_| connect(&url)).collect::<Result<Vec<_>, _>>()?;
    let further = sockets.len().max(1);
    println!(
        "each of {further} more:                  RSS {:>6.1} kB, heap {:.1} kB, {:.2} threads",
        (status("VmRSS")? - rss) as f64 / further as f64,
        (allocator::live() - heap) as f64 / further as f64 / 1000.0,
        (status("Threads")? - 1) as f64 / further as f64,
    );
    // The limits of time for connecting, which were met, lapse without being taken back.
    thread::sleep(LAPSE);
    let before = switches()?;
    thread::sleep(Duration::from_secs(seconds));
    let after = switches()?;
    println!("voluntary context switches in {seconds} s:");
    for (thread, (threads, count)) in &after {
        let count = count - before.get(thread).map_or(0, |before| before.1);
        println!("  {thread:<16} {threads:>4} threads {count:>6}");
    }
    drop((first, sockets));
    child.kill()?;
    child.wait()?;
    Ok(())
}

fn start_server() -> Result<(Child, String), Box<dyn Error>> {
    let mut child = Command::new(std::env::current_exe()?)
        .arg("serve")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut url = String::new();
    BufReader::new(child.stdout.take().ok_or("no pipe")?).read_line(&mut url)?;
    Ok((child, url.trim().to_owned()))
}

fn connect(url: &str) -> siot::Result<Socket> {
    let socket = Builder::new(url).transports([Transport::WebSocket]).force_new(true).build()?;
    socket.wait_connected(Duration::from_secs(20))?;
    Ok(socket)
}

/// A number out of what the system says of this process.
fn status(field: &str) -> Result<usize, Box<dyn Error>> {
    number(&fs::read_to_string("/proc/self/status")?, field)
}

fn number(status: &str, field: &str) -> Result<usize, Box<dyn Error>> {
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    let number = line.and_then(|line| line.split_whitespace().next()).ok_or("no such field")?;
    Ok(number.parse()?)
}

/// How many threads of each name there are, and how often they went to sleep.
fn switches() -> Result<BTreeMap<String, (usize, usize)>, Box<dyn Error>> {
    let mut all = BTreeMap::new();
    for task in fs::read_dir("/proc/self/task")? {
        let path = task?.path();
        // A thread may end in between.
        let Ok(status) = fs::read_to_string(path.join("status")) else { continue };
        let name = fs::read_to_string(path.join("comm"))?.trim().to_owned();
        let (threads, count) = all.entry(name).or_insert((0, 0));
        *threads += 1;
        *count += number(&status, "voluntary_ctxt_switches")?;
    }
    Ok(all)
}
