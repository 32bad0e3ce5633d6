//! How figures are written.

use super::*;
use crate::error::ErrorKind;

fn stats() -> Stats {
    Stats {
        connects: 2,
        disconnects: 1,
        failed_attempts: 3,
        connected_for: Some(Duration::from_secs(3600)),
        transport: Some(Transport::WebSocket),
        next_attempt: None,
        last_error: Some(Error::new(ErrorKind::Disconnected, "lost")),
        last_error_age: Some(Duration::from_millis(12_500)),
        round_trip: Some(Duration::from_millis(30)),
        round_trip_smoothed: Some(Duration::from_millis(25)),
        last_received: Some(Duration::from_secs(5)),
        received: TrafficStats { events: 12, bytes: 3456, wire_bytes: 4000 },
        sent: TrafficStats { events: 1, bytes: 10, wire_bytes: 500 },
        send_queue: QueueStats { events: 3, bytes: 120 },
        receive_queue: QueueStats::default(),
        awaited_acks: 4,
        counters: Counters {
            ignored: 5,
            send_dropped: 6,
            receive_dropped: 7,
            ..Counters::default()
        },
    }
}

#[test]
fn figures_are_a_line() {
    assert_eq!(
        stats().to_string(),
        "connected for 3600 s by websocket, round trip 25 ms, silent for 5 s; 2 connects, \
         1 disconnects, 3 failed attempts; received 12 events (3456 bytes, 4000 on the wire), \
         sent 1 events (10 bytes, 500 on the wire); to send 3 events (120 bytes), \
         to take 0 events (0 bytes), acks 4; dropped 6 to send, 7 received; ignored 5; \
         12 s ago: disconnected: lost"
    );
    let next_attempt = Some(Duration::from_secs(2));
    let away = Stats { connected_for: None, transport: None, next_attempt, ..stats() };
    assert!(away.to_string().starts_with("not connected, next attempt in 2 s, "), "{away}");
}

#[cfg(feature = "serde")]
#[test]
fn figures_are_a_table() {
    let table = serde_json::to_value(stats()).unwrap();
    for (path, value) in [
        ("/connects", serde_json::json!(2)),
        ("/connected_for", 3600.0.into()),
        ("/transport", "websocket".into()),
        ("/next_attempt", serde_json::Value::Null),
        ("/last_error", "disconnected: lost".into()),
        ("/last_error_age", 12.5.into()),
        ("/received/wire_bytes", 4000.into()),
        ("/send_queue/events", 3.into()),
        ("/counters/receive_dropped", 7.into()),
    ] {
        assert_eq!(table.pointer(path), Some(&value), "{path}");
    }
    assert_eq!(table.as_object().unwrap().len(), 17);
    assert_eq!(table["counters"].as_object().unwrap().len(), 13);
}
