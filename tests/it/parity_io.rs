//! What a URL means, and which sockets share a connection.

use std::time::Duration;

use serde_json::{Value as Json, json};
use siot::{Builder, ErrorKind, Socket, Stage, Transport};

use crate::support::{Client, LIMIT, Server, Via, ask, eventually, over_each_transport, shared};

over_each_transport!(
    a_trailing_slash_makes_another_namespace,
    a_fragment_of_the_url_is_ignored,
    the_query_goes_with_every_request,
    options_are_read_at_each_attempt,
    a_connection_of_its_own_is_never_shared,
    nothing_is_requested_before_connect,
    an_ipv6_address_is_a_host,
    a_path_needs_no_slashes,
    a_path_without_trailing_slash_is_sent_as_it_is,
);

/// By WebSocket alone, so that it is quick, and shared where that is possible.
fn sharing(url: &str) -> Builder {
    Builder::new(url).transports([Transport::WebSocket])
}

/// The id of the session that a socket is on.
#[track_caller]
fn session(socket: &Socket) -> String {
    socket.wait_connected(LIMIT).unwrap();
    ask::<Json>(socket, "whoami", ())["engine"].as_str().unwrap().to_owned()
}

#[test]
fn namespaces_of_one_server_share_a_connection_and_the_same_one_twice_does_not() {
    let server = Server::start(json!({}));
    let url = server.url();
    let first = sharing(&url).build().unwrap();
    let admin = sharing(&format!("{url}/admin")).build().unwrap();
    assert_eq!(session(&first), session(&admin));
    // A query does not make the same namespace another one.
    let second = sharing(&format!("{url}?other=1")).build().unwrap();
    assert_ne!(session(&first), session(&second));
    // The second connection is not the one that later calls share.
    let orders = sharing(&format!("{url}/orders")).build().unwrap();
    assert_eq!(session(&first), session(&orders));
    // A socket that is disconnected is still a socket of the namespace.
    admin.disconnect();
    let again = sharing(&format!("{url}/admin")).build().unwrap();
    assert_ne!(session(&first), session(&again));
}

#[test]
fn http_and_ws_are_one_server_in_any_case_of_letters() {
    let server = Server::start(json!({}));
    let first = sharing(&server.url()).build().unwrap();
    let port = server.port();
    let admin = sharing(&format!("WS://127.0.0.1:{port}/admin")).build().unwrap();
    assert_eq!(session(&first), session(&admin));
}

#[test]
fn a_namespace_whose_socket_is_gone_shares_again() {
    let server = Server::start(json!({}));
    let first = sharing(&server.url()).build().unwrap();
    let admin = sharing(&format!("{}/admin", server.url())).build().unwrap();
    session(&admin);
    drop(admin);
    let again = sharing(&format!("{}/admin", server.url())).build().unwrap();
    assert_eq!(session(&first), session(&again));
}

#[test]
fn another_path_is_another_connection() {
    let server = Server::start(json!({}));
    let elsewhere = sharing(&server.url()).path("/elsewhere").reconnection(false).build().unwrap();
    let error = elsewhere.wait_connected(LIMIT).unwrap_err();
    assert_eq!(error.stage(), Some(Stage::Http), "{error}");
    let admin = sharing(&format!("{}/admin", server.url())).build().unwrap();
    session(&admin);
    // However it is written, it is the same path.
    for (namespace, path) in [("orders", "socket.io"), ("multi-1", "/socket.io/")] {
        let url = format!("{}/{namespace}", server.url());
        assert_eq!(session(&sharing(&url).path(path).build().unwrap()), session(&admin));
    }
}

#[test]
fn credentials_and_time_limits_belong_to_the_socket_and_the_rest_to_the_connection() {
    let server = Server::start(json!({}));
    let first = sharing(&server.url()).query("who", "first").build().unwrap();
    let auth = || sharing(&format!("{}/auth", server.url())).auth(json!({"token": 2}));
    let other = auth().query("who", "other").build().unwrap();
    assert_ne!(session(&first), session(&other));
    let seen: Json = ask(&other, "handshake", ());
    assert_eq!(seen["query"]["who"], "other");
    let second =
        auth().query("who", "first").ack_timeout(Duration::from_millis(20)).build().unwrap();
    assert_eq!(session(&first), session(&second));
    let seen: Json = ask(&second, "handshake", ());
    assert_eq!((&seen["auth"]["token"], &seen["query"]["who"]), (&json!(2), &json!("first")));
    let unanswered = second.emit_with_ack("never-ack", ()).unwrap().wait::<()>();
    assert!(unanswered.unwrap_err().is_timeout());
}

#[test]
fn sockets_made_at_the_same_time_are_never_the_same() {
    let server = Server::start(json!({}));
    let url = server.url();
    let sockets: Vec<Socket> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..8).map(|_| scope.spawn(|| sharing(&url).build().unwrap())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let mut sessions: Vec<String> = sockets.iter().map(session).collect();
    sessions.sort();
    sessions.dedup();
    assert_eq!(sessions.len(), 8);
}

fn a_trailing_slash_makes_another_namespace(via: Via) {
    via.connect(format!("{}/admin", shared().url())).works();
    let other = Client::start(via.builder(format!("{}/admin/", shared().url())));
    let error = other.connect_error();
    assert_eq!((error.kind(), error.message()), (ErrorKind::Refused, "Invalid namespace"));
}

fn a_fragment_of_the_url_is_ignored(via: Via) {
    let client = via.connect(format!("{}/admin?a=1#/other?b=2", shared().url()));
    assert_eq!(client.namespace(), "/admin");
    let query = client.ask::<Json>("handshake", ())["query"].take();
    assert_eq!((&query["a"], query.get("b")), (&json!("1"), None));
}

fn the_query_goes_with_every_request(via: Via) {
    let server = Server::start(json!({}));
    let url = format!("{}?of=url&both=url", server.url());
    let client = Client::connect(via.builder(url).query("both", "option"));
    client.works();
    if via == Via::Upgrade {
        client.upgraded();
    }
    let requests = server.entries("requests");
    assert!(requests.len() > usize::from(via != Via::WebSocket));
    for request in requests {
        let url = request["url"].as_str().unwrap();
        assert!(url.contains("of=url") && url.contains("both=option"), "{url}");
        assert!(!url.contains("both=url"), "{url}");
    }
}

fn options_are_read_at_each_attempt(via: Via) {
    let server = Server::start(json!({}));
    let client =
        Client::connect(via.builder(server.url()).query("n", "1").extra_header("X-N", "1"));
    let change = siot::Update::new().query("n", "2").extra_header("x-n", "2");
    client.manager().update(change.transports([Transport::WebSocket])).unwrap();
    client.emit("close-engine", ()).unwrap();
    client.disconnected();
    client.reconnected();
    let seen: Json = client.ask("handshake", ());
    assert_eq!((&seen["query"]["n"], &seen["headers"]["x-n"]), (&json!("2"), &json!("2")));
    assert_eq!(seen["query"]["transport"], "websocket");
}

fn a_connection_of_its_own_is_never_shared(via: Via) {
    let server = Server::start(json!({}));
    let own = via.connect(server.url());
    let other = via.builder(format!("{}/admin", server.url())).force_new(false).build().unwrap();
    assert_ne!(session(&own), session(&other));
}

fn nothing_is_requested_before_connect(via: Via) {
    let server = Server::start(json!({}));
    let client = Client::idle(via.builder(server.url()));
    client.emit("tick", (0, 0)).unwrap();
    assert!(client.manager().engine().is_none() && !client.is_active());
    assert_eq!(server.entries("requests").len(), 0);
    client.connect();
    client.connected();
    eventually(LIMIT, "the event", || server.cmd("ticks")["total"] == 1);
}

fn an_ipv6_address_is_a_host(via: Via) {
    let server = Server::start(json!({"host": "::1"}));
    let client = via.connect(format!("http://[::1]:{}/admin", server.port()));
    client.works();
    let host = client.ask::<Json>("handshake", ())["headers"]["host"].take();
    assert_eq!(host, format!("[::1]:{}", server.port()));
}

fn a_path_needs_no_slashes(via: Via) {
    let server = Server::start(json!({"options": {"path": "/deep/down"}}));
    for path in ["deep/down", "/deep/down/", "/deep/down"] {
        Client::connect(via.builder(server.url()).path(path)).works();
    }
    let requests = server.entries("requests");
    assert!(requests.iter().all(|seen| seen["url"].as_str().unwrap().starts_with("/deep/down/?")));
}

fn a_path_without_trailing_slash_is_sent_as_it_is(via: Via) {
    let server = Server::start(json!({"options": {"addTrailingSlash": false}}));
    let client = Client::connect(via.builder(server.url()).add_trailing_slash(false));
    client.works();
    let requests = server.entries("requests");
    assert!(requests.iter().all(|seen| seen["url"].as_str().unwrap().starts_with("/socket.io?")));
}
