//! Heartbeats.

use std::time::Duration;

use crossbeam_channel::{bounded, unbounded};
use serde_json::json;

use crate::host::Host;
use crate::support::{JsClient, LIMIT, Via, recv_within};

for_each_client!(heartbeats_go_on, heartbeats_go_on_while_handlers_are_behind);

fn heartbeats_go_on(version: u32, via: Via) {
    let interval = Duration::from_millis(200);
    let host = Host::start(|builder| builder.ping_interval(interval).ping_timeout(LIMIT));
    let client = JsClient::connect(version, via, &host.url);
    for _ in 0..4 {
        client.take("heartbeat");
    }
    assert_eq!(client.ask("echo", json!([1])), json!([1]));
}

/// Nothing is read from the client, which has sent more than may wait: neither side may take the other for gone.
fn heartbeats_go_on_while_handlers_are_behind(version: u32, via: Via) {
    const EVENTS: u32 = 200;
    let host = Host::start(|builder| {
        let brisk = builder.ping_interval(Duration::from_millis(200));
        brisk.ping_timeout(Duration::from_secs(2)).receive_events(10)
    });
    let (open, gate) = bounded::<()>(0);
    let (seen, sights) = unbounded();
    host.server.on("load", move |_, event| {
        let number: u32 = event.arg(0).unwrap();
        if number == 0 {
            let _ = gate.recv();
        }
        let _ = seen.send(number);
    });
    let client = JsClient::connect(version, via, &host.url);
    let socket = host.connected();
    (0..EVENTS).for_each(|number| client.emit("load", json!([number])));
    // What comes in 3 s and more, where 2.2 s of silence would end it.
    for _ in 0..if version >= 3 { 15 } else { 4 } {
        client.take("heartbeat");
    }
    assert!(sights.is_empty() && socket.is_connected());
    drop(open);
    (0..EVENTS).for_each(|number| assert_eq!(recv_within(&sights, LIMIT), number));
    assert_eq!(client.ask("echo", json!([1])), json!([1]));
}
