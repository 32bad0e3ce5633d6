//! A program with a loop of its own around `poll(2)`: one thread waits for a device and for the server.
//!
//! ```sh
//! cargo run --example poll [-- URL]
//! ```
//!
//! A server of yours needs the event `echo`, which emits `echo` with the same arguments.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use siot::Status;
use siot_examples::Server;
use siot_examples::peer::Peer;

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

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::start(include_str!("poll.rs"), Peer::options())?;
    let socket = siot::io(server.url())?;
    let (echoes, status) = (socket.subscribe("echo"), socket.status());
    // One descriptor for both, and for all that are made later.
    let ready = socket.manager().ready_fd()?;
    let mut device = start_device()?;

    let limit = Timespec { tv_sec: 10, tv_nsec: 0 };
    let mut left = 3;
    while left > 0 {
        let mut fds = [PollFd::new(&device, PollFlags::IN), PollFd::new(&ready, PollFlags::IN)];
        if poll(&mut fds, Some(&limit))? == 0 {
            return Err("nothing happened".into());
        }
        let mut reading = [0];
        if !fds[0].revents().is_empty() && device.read(&mut reading).is_ok_and(|read| read == 1) {
            println!("the device says {} °C", reading[0]);
            socket.emit("echo", reading[0])?;
        }
        // Which of the subscriptions it was, they tell. Afterwards the descriptor is not readable.
        for status in status.try_iter() {
            if let Status::Connected { .. } = status {
                println!("connected");
            }
        }
        for echo in echoes.try_iter() {
            println!("the server says {} °C", echo.arg::<u8>(0)?);
            left -= 1;
        }
    }
    socket.manager().close(Duration::from_secs(2));
    println!("closed");
    Ok(())
}
