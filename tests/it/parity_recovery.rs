//! The server's connection state recovery.

use serde_json::{Value as Json, json};
use siot::{Status, Update};

use crate::support::{Client, LIMIT, Server, Via, eventually, over_each_transport, recv_within};

over_each_transport!(
    a_recovered_session_has_the_same_id_and_what_was_missed,
    a_session_that_cannot_be_recovered_is_a_new_one,
    without_recovery_nothing_is_recovered,
);

/// Loses the connection, and stays away.
#[track_caller]
fn lose(client: &Client, server: &Server) {
    client.manager().update(Update::new().reconnection(false)).unwrap();
    client.emit("close-engine", ()).unwrap();
    client.disconnected();
    eventually(LIMIT, "the loss", || server.sessions() == 0);
}

#[track_caller]
fn emit(server: &Server, n: u32) {
    server.command(json!({"cmd": "emit", "event": "news", "args": [n]}));
}

#[track_caller]
fn is_recovered(client: &Client) -> (String, bool) {
    match client.next_status() {
        Status::Connected { id, recovered, .. } => (id, recovered),
        other => panic!("{other:?}"),
    }
}

fn a_recovered_session_has_the_same_id_and_what_was_missed(via: Via) {
    let server = Server::version(4, json!({"connectionStateRecovery": {}}));
    let client = Client::start(via.builder(server.url()).auth(json!({"token": "123"})));
    let (id, recovered) = is_recovered(&client);
    assert!(!recovered && !client.is_recovered());
    let news = client.subscribe("news");
    emit(&server, 1);
    assert_eq!(recv_within(news.receiver(), LIMIT).arg::<u32>(0).unwrap(), 1);
    for round in 0..2 {
        lose(&client, &server);
        for n in 0..3 {
            emit(&server, 10 * round + n);
        }
        client.connect();
        // What was missed is there before the status.
        assert_eq!(is_recovered(&client), (id.clone(), true));
        assert!(client.is_recovered());
        let missed: Vec<u32> = news.try_iter().map(|event| event.arg(0).unwrap()).collect();
        assert_eq!(missed, [10 * round, 10 * round + 1, 10 * round + 2]);
        let seen: Json = client.ask("handshake", ());
        assert_eq!(seen["auth"]["token"], "123");
    }
}

fn a_session_that_cannot_be_recovered_is_a_new_one(via: Via) {
    let server = Server::version(4, json!({"connectionStateRecovery": {}}));
    let client = Client::start(via.builder(server.url()));
    let (id, _) = is_recovered(&client);
    let news = client.subscribe("news");
    emit(&server, 1);
    recv_within(news.receiver(), LIMIT);
    lose(&client, &server);
    server.restart();
    client.connect();
    let (new, recovered) = is_recovered(&client);
    assert!(!recovered && new != id && !client.is_recovered());
    // The new one can be recovered.
    emit(&server, 2);
    recv_within(news.receiver(), LIMIT);
    lose(&client, &server);
    client.connect();
    assert_eq!(is_recovered(&client), (new, true));
}

fn without_recovery_nothing_is_recovered(via: Via) {
    let server = Server::start(json!({}));
    let client = Client::start(via.builder(server.url()));
    let (id, _) = is_recovered(&client);
    lose(&client, &server);
    emit(&server, 1);
    client.connect();
    let (new, recovered) = is_recovered(&client);
    assert!(!recovered && new != id);
}
