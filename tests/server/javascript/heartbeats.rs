//! Heartbeats.

use std::time::Duration;

use serde_json::json;

use crate::host::Host;
use crate::support::{JsClient, LIMIT, Via};

for_each_client!(heartbeats_go_on);

fn heartbeats_go_on(version: u32, via: Via) {
    let interval = Duration::from_millis(200);
    let host = Host::start(|builder| builder.ping_interval(interval).ping_timeout(LIMIT));
    let client = JsClient::connect(version, via, &host.url);
    for _ in 0..4 {
        client.take("heartbeat");
    }
    assert_eq!(client.ask("echo", json!([1])), json!([1]));
}
