//! A sensor that goes on measuring while the server is away: temperatures may be lost, alarms may
//! not.
//!
//! ```sh
//! cargo run --example sensor [-- URL]
//! ```
//!
//! A server of yours has to acknowledge the event `alarm`, and you are asked to stop and start it.

use std::thread::sleep;
use std::time::Duration;

use siot::server::Server;
use siot::{Builder, Limits, Status, Transport, WhenFull};
use siot_examples::ExampleServer;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = ExampleServer::start(include_str!("sensor.rs"), take)?;
    let limit = server.limit();
    let socket = Builder::new(server.url())
        .transports([Transport::WebSocket])
        .reconnection_delay(Duration::from_millis(50))
        // What waits for a connection is bounded. Here the oldest gives way.
        .limits(Limits::new().send_events(100).when_send_full(WhenFull::DropOldest))
        .build()?;
    let status = socket.status();
    socket.wait_connected(limit)?;

    let mut alarms = Vec::new();
    for hour in 0..6 {
        if hour == 2 {
            server.stop()?;
            while !matches!(status.recv_timeout(limit)?, Status::Disconnected { .. }) {}
            println!("the server is gone");
        }
        if hour == 4 {
            server.resume()?;
            socket.wait_connected(limit)?;
            println!("the server is back");
        }
        // An old temperature is worth nothing: sent now or never.
        socket.volatile().emit("temperature", (hour, 20.5))?;
        // An alarm waits for the connection, and for the server's word that it has it.
        if hour % 2 == 1 {
            alarms.push((hour, socket.emit_with_ack("alarm", (hour, "door open"))?));
        }
        sleep(Duration::from_millis(100));
    }
    for (hour, mut alarm) in alarms {
        alarm.wait_timeout::<()>(limit)?;
        println!("the alarm of hour {hour} has arrived");
    }
    println!("temperatures lost: {}", socket.manager().counters().send_dropped);
    Ok(())
}

/// What the server does.
fn take(server: &Server) {
    server.on("temperature", |_, event| {
        let (hour, celsius): (u32, f64) = event.args()?;
        println!("  server: hour {hour}, {celsius} °C");
        Ok::<_, siot::Error>(())
    });
    server.on("alarm", |_, event| {
        let (hour, text): (u32, String) = event.args()?;
        println!("  server: alarm of hour {hour}, {text}");
        event.ack(())
    });
}
