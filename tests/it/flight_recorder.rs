//! The flight recorder: what is in it, and what never is.

use siot::{DisconnectReason, ErrorKind, Transport};

use tungstenite::Message;

use crate::support::hostile::HostileOptions;
use crate::support::raw::RawPeer;
use crate::support::{
    Client, LIMIT, Via, brisk_each, direct, eventually, failure, over_each_transport, shared,
};

over_each_transport!(
    the_way_of_a_connection_is_recorded_without_being_asked_for,
    packets_are_recorded_where_that_is_asked_for,
    no_secret_is_recorded,
    an_error_of_the_protocol_has_its_record,
);

fn record(client: &Client) -> String {
    client.manager().flight_record().to_string()
}

/// Whether the lines stand in the record in this order; each is given by a part of it.
#[track_caller]
fn assert_in_order(record: &str, parts: &[&str]) {
    let mut lines = record.lines();
    for part in parts {
        assert!(lines.any(|line| line.contains(part)), "no {part:?} in its place in:\n{record}");
    }
}

fn the_way_of_a_connection_is_recorded_without_being_asked_for(via: Via) {
    let client = via.connect(shared().url());
    client.works();
    client.disconnect();
    client.disconnected();
    let record = record(&client);
    assert_in_order(&record, &["stage TCP", "opened", "\"/\": connected", "io client disconnect"]);
    assert!(!record.contains("sent"), "{record}");
}

fn packets_are_recorded_where_that_is_asked_for(via: Via) {
    for server in brisk_each() {
        let client = Client::connect(via.builder(server.url()).flight_recorder(1000));
        client.works();
        let record = record(&client);
        let parts = ["received Open", "received 0", r#"sent 20[\"sum\",… ("#, "received 30… ("];
        assert_in_order(&record, &parts);
        let with_heartbeat = || self::record(&client).contains("received P");
        eventually(LIMIT, "a heartbeat is recorded", with_heartbeat);
    }
}

fn no_secret_is_recorded(via: Via) {
    let builder = |url: String| {
        via.builder(url)
            .flight_recorder(1000)
            .with_credentials(true)
            .query("token", "secret-of-the-query")
            .auth(serde_json::json!({ "token": "secret-of-auth" }))
            .extra_header("Authorization", "secret-of-a-header")
            .extra_header("Cookie", "session=secret-of-a-cookie")
    };
    let client = Client::connect(builder(shared().url()));
    client.emit("login", ("secret-of-an-event", 1)).unwrap();
    client.ask::<String>("echo", "secret-of-an-answer");
    let ids = [client.id().unwrap(), client.manager().engine().unwrap().id.unwrap()];
    let record = record(&client);
    assert_in_order(&record, &["opened", r#"sent 2[\"login\",… ("#]);
    assert!(!record.contains("secret"), "{record}");
    assert!(ids.iter().all(|id| !record.contains(id.as_str())), "{ids:?} in {record}");

    // Attempts that fail tell no more.
    let peer = RawPeer::start(|mut connection| {
        connection.read_request()?;
        connection.respond(401, "set-cookie: id=secret-of-the-server\r\n", b"no")
    });
    let client = Client::start(builder(peer.url()));
    client.connect_error();
    eventually(LIMIT, "the next attempt", || self::record(&client).contains("attempt 1"));
    let record = self::record(&client);
    assert_in_order(&record, &["error: ", "attempt 1"]);
    assert!(!record.contains("secret"), "{record}");
}

fn an_error_of_the_protocol_has_its_record(via: Via) {
    let server = HostileOptions::v4().start();
    let client = Client::connect(via.builder(server.url()).flight_recorder(100));
    let session = server.session();
    session.send(r#"42["fine",1]"#);
    session.send("49[no packet");
    let (reason, error) = client.disconnected();
    let error = error.expect("a reason");
    assert_eq!((reason, error.kind()), (DisconnectReason::ParseError, ErrorKind::Protocol));
    let record = error.flight_record().expect("a record").to_string();
    let parts = ["\"/\": connected", r#"received 2[\"fine\",… ("#, "bytes that are no packet"];
    assert_in_order(&record, &parts);
    // One line of a log stays one line.
    assert!(!format!("{error:#}").contains('\n'));
}

#[test]
fn an_attempt_that_fails_by_the_protocol_has_its_record_too() {
    let peer = RawPeer::websocket(|socket, _| {
        socket.send(Message::text("0this is no handshake"))?;
        socket.read().map(drop)
    });
    let error = failure(direct(peer.url(), Transport::WebSocket));
    assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
    assert!(error.flight_record().is_some_and(|record| !record.is_empty()));
}
