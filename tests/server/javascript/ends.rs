//! Ends from either side, and the reasons that both sides give.

use std::time::Duration;

use serde_json::json;
use siot::DisconnectReason;

use crate::host::Host;
use crate::support::{JsClient, LIMIT, Via};

for_each_client!(
    a_client_disconnects,
    a_client_closes_its_connection,
    the_server_disconnects_a_socket,
    the_server_disconnects_a_client,
    the_server_closes,
);

fn a_client_disconnects(version: u32, via: Via) {
    let host = Host::start(|builder| builder);
    let client = JsClient::connect(version, via, &host.url);
    let socket = host.connected();
    client.disconnect();
    assert_eq!(client.disconnected(), "io client disconnect");
    assert_eq!(host.disconnected(&socket), DisconnectReason::ClientNamespaceDisconnect);
    assert!(!socket.is_connected());
    assert!(host.server.is_empty());
}

fn a_client_closes_its_connection(version: u32, via: Via) {
    let host = Host::start(|builder| builder);
    let client = JsClient::connect(version, via, &host.url);
    let socket = host.connected();
    client.close();
    assert_eq!(client.disconnected(), "forced close");
    assert_eq!(host.disconnected(&socket), DisconnectReason::TransportClose);
}

fn the_server_disconnects_a_socket(version: u32, via: Via) {
    let host = Host::start(|builder| builder);
    host.of("/other");
    let client = JsClient::connect(version, via, &host.url);
    host.connected();
    let other = client.join("/other", json!({}));
    other.connected();
    let socket = host.connected();
    socket.emit("event", "the last").unwrap();
    socket.disconnect();
    assert_eq!(other.disconnected(), "io server disconnect");
    assert_eq!(other.event("event"), json!(["the last"]));
    assert_eq!(host.disconnected(&socket), DisconnectReason::ServerNamespaceDisconnect);
    assert_eq!(client.ask("echo", json!([1])), json!([1]), "the connection stays");
}

fn the_server_disconnects_a_client(version: u32, via: Via) {
    let host = Host::start(|builder| builder);
    host.of("/other");
    let client = JsClient::connect(version, via, &host.url);
    let root = host.connected();
    let other = client.join("/other", json!({}));
    other.connected();
    host.connected();
    root.emit("event", "the last").unwrap();
    root.disconnect_client();
    assert_eq!(client.disconnected(), "io server disconnect");
    assert_eq!(client.event("event"), json!(["the last"]));
    assert_eq!(other.disconnected(), "io server disconnect");
    let reason = DisconnectReason::ServerNamespaceDisconnect;
    let mut parted = [host.parted(), host.parted()]
        .map(|(socket, reason)| (socket.namespace().name().to_owned(), reason));
    parted.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(parted, [("/".into(), reason), ("/other".into(), reason)]);
}

fn the_server_closes(version: u32, via: Via) {
    let host = Host::start(|builder| builder);
    let client = JsClient::connect(version, via, &host.url);
    let socket = host.connected();
    socket.emit("event", "the last").unwrap();
    assert!(host.server.close(LIMIT), "the client has read all");
    assert_eq!(client.event("event"), json!(["the last"]));
    assert_eq!(client.disconnected(), "transport close");
    assert_eq!(host.disconnected(&socket), DisconnectReason::ServerShuttingDown);
    assert_eq!(host.server.clients(), 0);
    assert!(host.server.close(Duration::ZERO), "again");
}
