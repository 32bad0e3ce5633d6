//! Options of the Engine.IO session, and what can be seen of it.

use std::time::Duration;

use serde_json::{Value as Json, json};
#[cfg(feature = "polling")]
use siot::Stage;
use siot::{Binary, DisconnectReason, EngineEvent, EngineState, Subscription, Transport};

use crate::support::{Client, LIMIT, Server, Via, over_each_transport, shared};

over_each_transport!(
    the_session_can_be_looked_at,
    packets_can_be_watched,
    who_stops_watching_is_told_nothing_more,
    a_watcher_who_does_not_read_holds_up_nothing,
    binary_may_be_forced_into_text,
    a_header_may_be_for_one_transport,
    timestamps_are_on_polling_alone_unless_said_otherwise,
    a_timeout_of_connecting_ends_with_the_handshake,
);

fn the_session_can_be_looked_at(via: Via) {
    let server = Server::version(4, json!({"pingInterval": 7000, "pingTimeout": 3000}));
    let client = Client::idle(via.builder(server.url()));
    assert!(client.manager().engine().is_none());
    client.connect();
    client.connected();
    if via == Via::Upgrade {
        client.upgraded();
    }
    let id = client.ask::<Json>("whoami", ())["engine"].take();
    let engine = client.manager().engine().unwrap();
    assert_eq!((engine.state, engine.transport), (EngineState::Open, via.transport()));
    assert_eq!((json!(engine.id), engine.protocol), (id, 4));
    assert_eq!(engine.ping_interval, Some(Duration::from_secs(7)));
    assert_eq!(engine.ping_timeout, Some(Duration::from_secs(3)));
    assert_eq!(engine.max_payload, Some(1_000_000));
    client.disconnect();
    client.disconnected();
    assert!(client.manager().engine().is_none());
}

/// What was seen so far, in short.
fn seen(events: &Subscription<EngineEvent>) -> Vec<String> {
    let short = |event| match event {
        EngineEvent::Packet(packet) => format!("in {:?}", packet.packet_type()),
        EngineEvent::PacketCreate(packet) => {
            let text = packet.text().map_or("binary", |text| text.split('[').next().unwrap_or(""));
            format!("out {:?} {text}", packet.packet_type()).trim_end().to_owned()
        }
        other => format!("{other:?}"),
    };
    events.try_iter().map(short).collect()
}

fn packets_can_be_watched(via: Via) {
    let server = Server::start(json!({}));
    let client = Client::idle(via.builder(server.url()).auth(json!({"token": "secret"})));
    let events = client.manager().engine_events();
    client.connect();
    client.connected();
    if via == Via::Upgrade {
        client.upgraded();
    }
    client.works();
    let first = seen(&events);
    let upgrade = ["out Ping probe", "in Pong", "out Upgrade", "Upgrade(WebSocket)"];
    let of_upgrade: Vec<&String> =
        first.iter().filter(|event| upgrade.contains(&event.as_str())).collect();
    assert_eq!(of_upgrade, if via == Via::Upgrade { &upgrade[..] } else { &[] });
    let rest: Vec<&str> = first
        .iter()
        .map(String::as_str)
        // An answer may be there before the end of the request that it is an answer to.
        .filter(|event| !upgrade.contains(event) && !["in Noop", "Drain"].contains(event))
        .collect();
    let connect = r#"out Message 0{"token":"secret"}"#;
    let expected = ["in Open", "Open", connect, "in Message", "out Message 20", "in Message"];
    assert_eq!(rest, expected);
    if !first.iter().any(|event| event == "Drain") {
        assert!(events.iter().any(|event| matches!(event, EngineEvent::Drain)));
    }
    client.ask::<Binary>("echo", Binary::from(vec![7; 9]));
    let parts = ["out Message 51-1", "out Message binary", "in Message", "in Message"];
    let mut seen_parts = seen(&events);
    seen_parts.retain(|event| event != "Drain");
    assert_eq!(seen_parts, parts);
    client.emit("close-engine", ()).unwrap();
    assert_eq!(client.disconnected().0, DisconnectReason::TransportClose);
    let is_end = |event: &EngineEvent| matches!(event, EngineEvent::Close(_));
    let end = std::iter::from_fn(|| events.recv_timeout(LIMIT).ok()).find(is_end);
    let reason = end.map(|end| format!("{end:?}"));
    assert_eq!(reason.as_deref(), Some("Close(TransportClose)"));
}

fn who_stops_watching_is_told_nothing_more(via: Via) {
    let client = via.settle(shared().url());
    let (one, other) = (client.manager().engine_events(), client.manager().engine_events());
    drop(one);
    client.works();
    // What is seen is what the test did, and no more than once.
    let packets = seen(&other);
    assert_eq!(packets.iter().filter(|packet| packet.starts_with("out Message")).count(), 1);
}

fn a_watcher_who_does_not_read_holds_up_nothing(via: Via) {
    let limits = siot::Limits::new().receive_events(16);
    let client = Client::connect(via.builder(shared().url()).limits(limits));
    let events = client.manager().engine_events();
    for _ in 0..20 {
        client.works();
    }
    let kept = events
        .try_iter()
        .filter(|event| matches!(event, EngineEvent::Packet(_) | EngineEvent::PacketCreate(_)));
    let kept = kept.count();
    assert!((1..=16).contains(&kept), "{kept}");
}

fn binary_may_be_forced_into_text(via: Via) {
    let server = Server::start(json!({}));
    let client = Client::connect(via.builder(server.url()).force_base64(true));
    if via == Via::Upgrade {
        client.upgraded();
    }
    let every: Binary = (0..=255).collect();
    assert_eq!(client.ask::<Binary>("echo", &every), every);
    for request in server.entries("requests") {
        let asks = request["url"].as_str().unwrap().contains("b64=1");
        assert_eq!(asks, request["event"] == "upgrade", "{request}");
    }
}

fn a_header_may_be_for_one_transport(via: Via) {
    let server = Server::start(json!({}));
    let builder = via
        .builder(server.url())
        .extra_header("X-Both", "both")
        .transport_header(Transport::Polling, "X-One", "polling")
        .transport_header(Transport::WebSocket, "X-One", "websocket");
    let client = Client::connect(builder);
    if via == Via::Upgrade {
        client.upgraded();
    }
    for request in server.entries("requests") {
        let by = if request["event"] == "upgrade" { "websocket" } else { "polling" };
        let headers = &request["headers"];
        assert_eq!((&headers["x-both"], &headers["x-one"]), (&json!("both"), &json!(by)));
    }
}

fn timestamps_are_on_polling_alone_unless_said_otherwise(via: Via) {
    let server = Server::start(json!({}));
    let stamped = |builder: siot::Builder, name: &str| -> Vec<(bool, bool)> {
        server.cmd("reset");
        let client = Client::connect(builder.query("x", "y"));
        if via == Via::Upgrade {
            client.upgraded();
        }
        let requests = server.entries("requests");
        // Its last request is not to be among those of the next one.
        client.manager().close(LIMIT);
        let has = |url: &str| url.contains(&format!("&{name}="));
        let of = |seen: &Json| (seen["event"] == "upgrade", has(seen["url"].as_str().unwrap()));
        requests.iter().map(of).collect()
    };
    let by_default = stamped(via.builder(server.url()), "t");
    assert!(!by_default.is_empty());
    assert!(by_default.iter().all(|(websocket, stamp)| stamp != websocket), "{by_default:?}");
    let always = via.builder(server.url()).timestamp_requests(true).timestamp_param("ts");
    assert!(stamped(always, "ts").iter().all(|(_, stamp)| *stamp));
    let never = via.builder(server.url()).timestamp_requests(false);
    assert!(stamped(never, "t").iter().all(|(_, stamp)| !stamp));
}

fn a_timeout_of_connecting_ends_with_the_handshake(via: Via) {
    let server = Server::start(json!({}));
    let builder = via.builder(format!("{}/late", server.url())).auth(json!({"delay": 3000}));
    let client = Client::start(builder.connect_timeout(Duration::from_secs(2)));
    // The answer for the namespace has a limit of its own.
    client.connected();
}

#[test]
fn a_subprotocol_is_asked_for() {
    let client = Client::connect(
        Via::WebSocket.builder(shared().url()).subprotocols(["device.v1", "device.v2"]),
    );
    let headers = client.ask::<Json>("handshake", ())["headers"].take();
    assert_eq!(headers["sec-websocket-protocol"], "device.v1, device.v2");
}

#[cfg(feature = "polling")]
mod transports {
    use super::*;

    const BOTH: [Transport; 2] = [Transport::WebSocket, Transport::Polling];

    #[test]
    fn the_first_transport_alone_decides_unless_all_are_tried() {
        let server = Server::start(json!({}));
        server.command(json!({"cmd": "answer", "match": "upgrade", "status": 503, "times": 2}));
        let builder = || Via::WebSocket.builder(server.url()).transports(BOTH).reconnection(false);
        let error = Client::start(builder()).connect_error();
        assert_eq!(error.stage(), Some(Stage::Http), "{error}");
        let client = Client::connect(builder().try_all_transports(true));
        client.works();
        assert_eq!(client.ask::<String>("transport", ()), "polling");
    }

    #[test]
    fn a_transport_that_failed_is_no_goal_of_an_upgrade() {
        let server = Server::start(json!({}));
        server.command(json!({"cmd": "answer", "match": "upgrade", "status": 503}));
        let builder =
            Via::WebSocket.builder(server.url()).transports(BOTH).try_all_transports(true);
        let client = Client::connect(builder);
        client.works();
        let requests = server.entries("requests");
        assert_eq!(requests.iter().filter(|seen| seen["event"] == "upgrade").count(), 1);
        assert_eq!(client.manager().transport(), Some(Transport::Polling));
    }

    /// With what each session began.
    fn beginnings(server: &Server) -> Vec<Json> {
        let log = server.entries("log").into_iter();
        log.filter(|entry| entry["what"] == "open")
            .map(|mut open| open["transport"].take())
            .collect()
    }

    #[test]
    fn a_websocket_that_worked_comes_first_where_that_is_wanted() {
        let server = Server::start(json!({}));
        for (remember, second) in [(false, "polling"), (true, "websocket")] {
            server.cmd("reset");
            let builder = Via::Upgrade.builder(server.url()).remember_upgrade(remember);
            let client = Client::connect(builder);
            client.upgraded();
            client.manager().disconnect();
            client.disconnected();
            client.connect();
            client.connected();
            assert_eq!(beginnings(&server), ["polling", second]);
        }
    }
}
