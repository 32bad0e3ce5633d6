//! Networks that fail: packets that vanish, names that cannot be found, links that die. Each test
//! has a network of its own ([`isolated`](crate::support::network::isolated)).

mod addresses;
mod dead_link;
#[cfg(feature = "cli")]
mod doctor;
mod names;
mod source;
mod watch;

use std::time::Duration;

use serde_json::json;
use siot::{Builder, Transport};

use crate::support::{Client, LIMIT, Server, TRANSPORTS, direct, failure};

const MS: Duration = Duration::from_millis(1);

/// A name for the server.
const NAME: &str = "server.test";

/// A server at an address, or at all of them (`::`).
fn serve(address: &str) -> Server {
    Server::start(json!({ "host": address }))
}

/// A client of the server by its name.
fn builder(server: &Server, transport: Transport) -> Builder {
    direct(format!("http://{NAME}:{}", server.port()), transport)
}

/// Connects, and gives the address at which the server was met; the client is gone afterwards.
#[track_caller]
fn met_at(server: &Server, builder: Builder) -> String {
    server.cmd("reset");
    let client = Client::connect(builder.reconnection(false));
    let met = server.entries("requests")[0]["to"].as_str().unwrap().to_owned();
    client.socket.manager().close(LIMIT);
    met
}
