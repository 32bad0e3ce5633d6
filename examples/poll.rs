//! A program with a loop of its own around `poll(2)`: one thread waits for a device, for the server, for
//! SIGTERM and SIGINT, and for the time.
//!
//! ```sh
//! cargo run --example poll [-- URL]
//! ```
//!
//! A server of yours needs the event `echo`, which emits `echo` with the same arguments.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::low_level::pipe;
use siot::{Builder, Status};
use siot_examples::ExampleServer;

/// How often it says what it is waiting for.
const TICK: Duration = Duration::from_secs(5);

/// Stands for a device with a descriptor: a serial port, a GPIO line, a CAN socket.
fn start_device() -> std::io::Result<UnixStream> {
    let (mut device, port) = UnixStream::pair()?;
    thread::spawn(move || {
        for reading in [20, 21, 22] {
            thread::sleep(Duration::from_millis(50));
            // It fails when the program has ended.
            let _ = device.write_all(&[reading]);
        }
    });
    port.set_nonblocking(true)?;
    Ok(port)
}

/// A descriptor that is readable once somebody wants the program to end.
fn watch_signals() -> std::io::Result<UnixStream> {
    let (signals, caught) = UnixStream::pair()?;
    pipe::register(SIGTERM, caught.try_clone()?)?;
    pipe::register(SIGINT, caught)?;
    Ok(signals)
}

fn report(status: Status) {
    match status {
        Status::Connected { .. } => println!("connected"),
        Status::ConnectError(error) => println!("not connected: {error:#}"),
        Status::Disconnected { reason, .. } => println!("disconnected: {reason}"),
        _ => {}
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = ExampleServer::start(include_str!("poll.rs"), |_| ())?;
    let signals = watch_signals()?;
    // Subscribed before it connects, a socket misses nothing.
    let socket = Builder::new(server.url()).auto_connect(false).build()?;
    let (echoes, status) = (socket.subscribe("echo"), socket.status());
    // One descriptor for both, and for all that are made later.
    let ready = socket.manager().ready_fd()?;
    let mut device = start_device()?;
    socket.connect();

    let mut tick = Instant::now() + TICK;
    let mut left = 3;
    while left > 0 {
        let limit = Timespec::try_from(tick.saturating_duration_since(Instant::now()))?;
        let mut fds = [
            PollFd::new(&signals, PollFlags::IN),
            PollFd::new(&device, PollFlags::IN),
            PollFd::new(&ready, PollFlags::IN),
        ];
        match poll(&mut fds, Some(&limit)) {
            // A signal came, which its descriptor tells the next time.
            Err(Errno::INTR) => continue,
            result => _ = result?,
        }
        let [signalled, measured] = [0, 1].map(|fd: usize| !fds[fd].revents().is_empty());
        if signalled {
            println!("told to end");
            break;
        }
        let mut reading = [0];
        if measured && device.read(&mut reading).is_ok_and(|read| read == 1) {
            println!("the device says {} °C", reading[0]);
            // It never waits for room: a full buffer is an error.
            if let Err(error) = socket.timeout(Duration::ZERO).emit("echo", reading[0]) {
                println!("not sent: {error:#}");
            }
        }
        // Which of the subscriptions it was, they tell. Afterwards the descriptor is not readable.
        status.try_iter().for_each(report);
        for echo in echoes.try_iter() {
            println!("the server says {} °C", echo.arg::<u8>(0)?);
            left -= 1;
        }
        if Instant::now() >= tick {
            tick += TICK;
            println!("still waiting: {}", socket.manager().stats());
        }
    }
    socket.manager().close(Duration::from_secs(2));
    println!("closed");
    Ok(())
}
