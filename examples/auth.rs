//! Credentials: refused without them, and a fresh token for each connection.

mod peer;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::json;
use siot::{Builder, ErrorKind, Status};

const LIMIT: Duration = Duration::from_secs(10);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let peer = start_server()?;

    // Without a token. A refusal is final: siot tries again only when it is told to.
    let stranger = Builder::new(peer.url()).force_new(true).build()?;
    match stranger.wait_connected(LIMIT) {
        Err(error) if error.kind() == ErrorKind::Refused => {
            println!(
                "refused: {}; the server adds {}",
                error.message(),
                error.data().unwrap_or("nothing")
            );
        }
        other => println!("unexpected: {other:?}"),
    }

    // With a token, which the function gets anew for each connection.
    let tokens = AtomicU32::new(0);
    let friend = Builder::new(peer.url())
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
                peer.drop_connections();
            }
            Status::Disconnected { reason, .. } => println!("disconnected: {reason}"),
            other => println!("{other:?}"),
        }
    }
    println!("connected for the third time");
    Ok(())
}

fn start_server() -> std::io::Result<peer::Peer> {
    peer::Peer::options()
        .admit(|_, auth| match auth["token"].as_str() {
            Some(token) => {
                println!("  server: welcome with {token}");
                Ok(())
            }
            None => Err(peer::Refusal {
                message: "no token".into(),
                data: json!({ "please": "log in" }).into(),
            }),
        })
        .start()
}
