//! Namespaces: several at once, refusals, credentials, and those that are made when they are asked for.

use std::collections::HashMap;

use serde_json::json;
use siot::DisconnectReason;
use siot::server::{Refusal, ServerSocket};

use crate::host::Host;
use crate::support::{JsClient, Via};

for_each_client!(
    a_client_is_in_several_namespaces,
    a_client_leaves_one_namespace_of_several,
    a_refusal_has_message_and_data,
    nobody_joins_what_does_not_exist,
    namespaces_are_made_when_they_are_asked_for,
);

fn a_client_is_in_several_namespaces(version: u32, via: Via) {
    let host = Host::start(|builder| builder);
    let [first, second] = ["/first", "second"].map(|name| host.of(name));
    let root = JsClient::connect(version, via, &host.url);
    let clients = ["/first", "/second"].map(|name| root.join(name, json!({})));
    let ids = clients.each_ref().map(JsClient::connected);
    // Version 1 gives the session's id for each.
    assert_eq!(ids[0] == ids[1], version == 1);
    assert_eq!((host.server.len(), first.len(), second.len()), (1, 1, 1));
    first.emit("event", "first").unwrap();
    second.emit("event", "second").unwrap();
    host.server.emit("event", "root").unwrap();
    assert_eq!(clients[0].event("event"), json!(["first"]));
    assert_eq!(clients[1].event("event"), json!(["second"]));
    assert_eq!(root.event("event"), json!(["root"]));
    assert_eq!(clients[1].ask("echo", json!([2])), json!([2]));
    assert_eq!(host.server.clients(), 1, "they share a session");
}

fn a_client_leaves_one_namespace_of_several(version: u32, via: Via) {
    let host = Host::start(|builder| builder);
    host.of("/other");
    let root = JsClient::connect(version, via, &host.url);
    host.connected();
    let other = root.join("/other", json!({}));
    let socket = host.connected();
    other.connected();
    other.disconnect();
    assert_eq!(other.disconnected(), "io client disconnect");
    assert_eq!(host.disconnected(&socket), DisconnectReason::ClientNamespaceDisconnect);
    assert_eq!(root.ask("echo", json!(["still here"])), json!(["still here"]));
    other.connect_again();
    other.connected();
    let again = host.connected();
    assert!(again.is_connected() && !socket.is_connected());
}

fn a_refusal_has_message_and_data(version: u32, via: Via) {
    let host = Host::start(|builder| builder);
    host.of("/closed").authorize(|_| Err("members only".into()));
    let picky = |socket: &ServerSocket| {
        let auth: Option<HashMap<String, String>> = socket.handshake().auth()?;
        match auth.unwrap_or_default().get("token").map(String::as_str) {
            Some("secret") => Ok(()),
            _ => Err(Refusal::new("not authorized").data(&json!({ "retry": [60] }))?),
        }
    };
    // A client asks for a namespace but once.
    for name in ["/picky", "/strict"] {
        host.of(name).authorize(picky);
    }
    let root = JsClient::connect(version, via, &host.url);
    host.connected();
    let refused = root.join("/closed", json!({})).take("refused");
    assert_eq!(refused["message"], "members only");
    let refused = root.join("/picky", json!({ "token": "guess" })).take("refused");
    assert_eq!(refused["data"], json!({ "retry": [60] }));
    if version >= 3 {
        assert_eq!(refused["message"], "not authorized");
        let let_in = root.join("/strict", json!({ "token": "secret" }));
        let_in.connected();
    }
    assert_eq!(root.ask("echo", json!([1])), json!([1]), "the connection stays");
}

fn nobody_joins_what_does_not_exist(version: u32, via: Via) {
    let host = Host::start(|builder| builder);
    let root = JsClient::connect(version, via, &host.url);
    let nowhere = root.join("/nowhere", json!({}));
    assert_eq!(nowhere.take("refused")["message"], "Invalid namespace");
    assert_eq!(root.ask("echo", json!([1])), json!([1]), "the connection stays");
    assert_eq!(host.server.namespaces().len(), 1);
}

fn namespaces_are_made_when_they_are_asked_for(version: u32, via: Via) {
    let host = Host::start(|builder| builder);
    let parent = host.server.of_dynamic(|name| name.starts_with("/room-"));
    host.serve(&parent);
    let root = JsClient::connect(version, via, &host.url);
    host.connected();
    let [one, two] = ["/room-1", "/room-2"].map(|name| root.join(name, json!({})));
    one.connected();
    two.connected();
    assert_eq!(one.ask("echo", json!([1])), json!([1]));
    assert_eq!(root.join("/hall-1", json!({})).take("refused")["message"], "Invalid namespace");
    let mut names: Vec<_> =
        host.server.namespaces().iter().map(|one| one.name().to_owned()).collect();
    names.sort();
    assert_eq!(names, ["/", "/room-1", "/room-2"]);
}
