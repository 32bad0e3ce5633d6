//! The least that a server is: takes readings, and passes them on.

#[cfg(feature = "no-backtraces")]
#[path = "../../../no_backtraces.rs"]
mod no_backtraces;

use std::error::Error;
use std::io::Read;

use siot::server::Server;

fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_default();
    let server = Server::builder().bind_with(address.as_str(), |server| {
        server.on("watch", |socket, _| socket.join("dashboards"));
        server.on("reading", |socket, event| {
            let (sensor, value): (String, f64) = event.args()?;
            socket.to("dashboards").emit("reading", (sensor, value))?;
            if event.wants_ack() { event.ack("thanks") } else { Ok(()) }
        });
    })?;
    // Until its input ends.
    std::io::stdin().read_to_end(&mut Vec::new())?;
    drop(server);
    Ok(())
}
