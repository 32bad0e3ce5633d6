//! Credentials: refused without them, and a fresh token for each connection.
//!
//! ```sh
//! cargo run --example auth [-- URL]
//! ```
//!
//! A server of yours sees the tokens `token-1`, `token-2`, `token-3`, and may refuse who has none.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use siot::server::{Refusal, Server};
use siot::{Builder, ErrorKind, Status};
use siot_examples::ExampleServer;

const LIMIT: Duration = Duration::from_secs(10);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = ExampleServer::start(include_str!("auth.rs"), ask_for_tokens)?;

    // Without a token. A refusal is final: siot tries again only when it is told to.
    let stranger = Builder::new(server.url()).force_new(true).build()?;
    match stranger.wait_connected(LIMIT) {
        Err(error) if error.kind() == ErrorKind::Refused => {
            println!(
                "refused: {}; the server adds {}",
                error.message(),
                error.data().unwrap_or("nothing")
            );
        }
        Ok(()) => println!("this server asks for no token"),
        Err(error) => return Err(error.into()),
    }

    // With a token, which the function gets anew for each connection.
    let tokens = AtomicU32::new(0);
    let friend = Builder::new(server.url())
        .force_new(true)
        .reconnection_delay(Duration::from_millis(50))
        .auth_with(move || {
            let number = tokens.fetch_add(1, Ordering::Relaxed) + 1;
            Ok(json!({ "token": format!("token-{number}") }))
        })
        .build()?;
    let mut connections = 0;
    for status in friend.status() {
        match status {
            Status::Connected { .. } if connections == 2 => break,
            Status::Connected { .. } => {
                connections += 1;
                println!("connected; now the connection breaks");
                friend.manager().close_engine();
            }
            Status::Disconnected { reason, .. } => println!("disconnected: {reason}"),
            other => println!("{other:?}"),
        }
    }
    println!("connected for the third time");
    Ok(())
}

/// What the server does.
fn ask_for_tokens(server: &Server) {
    server.authorize(|socket| {
        let auth: Value = socket.handshake().auth()?;
        let Some(token) = auth["token"].as_str() else {
            return Err(Refusal::new("no token").data(&json!({ "please": "log in" }))?);
        };
        println!("  server: welcome with {token}");
        Ok(())
    });
}
