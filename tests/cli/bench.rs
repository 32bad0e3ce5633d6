//! `siot bench`.

use serde_json::{Value, json};

use super::run;
use crate::support::Server;

#[test]
fn it_measures_round_trips_and_emits() {
    let server = Server::start(json!({}));
    let args = ["bench", &server.url(), "--time", "300ms", "--window", "4", "--size", "100"];
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
fn an_event_that_nobody_answers_is_told() {
    let server = Server::start(json!({}));
    let said = run(&["bench", &server.url(), "--event", "kick", "--time", "300ms"]).ended_with(6);
    assert!(said.err.contains("error: disconnected"), "{said:?}");
}
