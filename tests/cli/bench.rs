//! `siot bench`.

use serde_json::{Value, json};
use tungstenite::Message;

use super::{DeafServer, run};
use crate::support::Server;
use crate::support::raw::RawPeer;

#[test]
fn it_measures_round_trips_and_emits() {
    let server = Server::start(json!({}));
    let args = ["bench", &server.url(), "--time", "2s", "--window", "4", "--size", "100"];
    let said = run(&[&args[..], &["--json"]].concat()).ended_with(0);
    let figures: Value = serde_json::from_str(said.out.trim()).unwrap();
    assert!(figures["round_trips"].as_u64() > Some(10), "{figures}");
    assert!(figures["emits"].as_u64() > Some(10), "{figures}");
    let latency = &figures["latency_ms"];
    assert!(latency["p50"].as_f64() <= latency["max"].as_f64(), "{figures}");
    let said = run(&args).ended_with(0);
    assert_eq!(said.out.lines().count(), 3, "{said:?}");
    assert!(said.out.starts_with("round trips "), "{said:?}");
}

#[test]
fn a_server_that_ends_while_events_are_sent_is_told_as_that() {
    let peer = RawPeer::websocket(|socket, _| {
        let open = r#"0{"sid":"s","upgrades":[],"pingInterval":25000,"pingTimeout":20000}"#;
        socket.send(Message::text(open))?;
        socket.read()?;
        socket.send(Message::text(r#"40{"sid":"x"}"#))?;
        loop {
            let message = socket.read()?.into_text()?.to_string();
            // The first of both measurements is over when an event asks for no answer.
            let Some((id, _)) = message[2..].split_once('[').filter(|(id, _)| !id.is_empty())
            else {
                return Ok(());
            };
            socket.send(Message::text(format!("43{id}[]")))?;
        }
    });
    let args = ["bench", &peer.url(), "--time", "300ms"];
    let said = run(&[&args[..], &DeafServer::OPTIONS].concat()).ended_with(6);
    let words = said.err.strip_prefix("siot: error: disconnected: transport ");
    assert!(matches!(words, Some("close\n" | "error\n")), "{said:?}");
}

#[test]
fn an_event_that_nobody_answers_is_told() {
    let server = Server::start(json!({}));
    let said = run(&["bench", &server.url(), "--event", "kick", "--time", "300ms"]).ended_with(6);
    assert!(said.err.contains("error: disconnected"), "{said:?}");
}
