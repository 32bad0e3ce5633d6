//! What happens to a connection, while the server restarts.
//!
//! ```sh
//! cargo run --example status [-- URL]
//! ```
//!
//! You are asked to stop and start a server of yours.

use std::time::Duration;

use siot::{Builder, ManagerEvent, Status};
use siot_examples::ExampleServer;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = ExampleServer::start(include_str!("status.rs"), |_| ())?;
    let socket = Builder::new(server.url())
        .reconnection_delay(Duration::from_millis(100))
        .reconnection_delay_max(Duration::from_millis(400))
        .build()?;
    // More detail than most programs need; here only of the attempts.
    let details = socket.manager().events();

    let mut connections = 0;
    for status in socket.status() {
        for detail in details.try_iter() {
            if let ManagerEvent::ReconnectAttempt(number) = detail {
                println!("  attempt {number} to reconnect");
            }
        }
        match status {
            Status::Connected { .. } => {
                connections += 1;
                println!("connected ({connections})");
                if connections == 2 {
                    break;
                }
                server.stop()?;
            }
            Status::ConnectError(error) => {
                println!("{error:#}");
                server.resume()?;
            }
            Status::Disconnected { reason, .. } => println!("disconnected: {reason}"),
            _ => {}
        }
    }
    Ok(())
}
