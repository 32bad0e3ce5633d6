//! Several addresses of one service.

use std::time::Duration;

use serde_json::json;
use siot::{Builder, ErrorKind, Stage, Update};

use crate::support::{Client, LIMIT, Server, Via, over_each_transport};

over_each_transport!(
    where_the_first_address_is_away_the_next_one_serves,
    the_address_that_serves_is_stayed_with_until_it_is_time,
    the_service_moves_from_address_to_address_and_all_is_delivered,
);

/// An address at which nobody listens.
fn nobody() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

fn where_the_first_address_is_away_the_next_one_serves(via: Via) {
    let server = Server::start(json!({}));
    let first = format!("{}/admin?of=first", nobody());
    let backups = [nobody(), format!("{}/admin?of=backup", server.url())];
    let [away, there] = backups;
    let client =
        Client::start(via.builder(first).query("all", "1").backup_url(away).backup_url(there));
    for _ in 0..2 {
        assert_eq!(client.connect_error().stage(), Some(Stage::Tcp));
    }
    client.connected();
    client.works();
    for request in server.entries("requests") {
        let url = request["url"].as_str().unwrap();
        assert!(url.contains("of=backup") && url.contains("all=1"), "{url}");
        assert!(!url.contains("of=first"), "{url}");
    }
}

fn the_address_that_serves_is_stayed_with_until_it_is_time(via: Via) {
    let (first, backup) = (Server::start(json!({})), Server::start(json!({})));
    let lose = |client: &Client| {
        client.emit("close-engine", ()).unwrap();
        client.disconnected();
        client.reconnected();
    };
    let builder = || via.builder(first.url()).backup_url(backup.url());
    let sticky = Client::connect(builder());
    first.stop();
    sticky.disconnected();
    sticky.reconnected();
    first.restart();
    for _ in 0..3 {
        lose(&sticky);
    }
    assert_eq!(backup.sessions(), 1);
    sticky.socket.manager().close(LIMIT);
    let returning = Client::connect(builder().fail_back_after(Duration::from_millis(1)));
    first.stop();
    returning.disconnected();
    returning.reconnected();
    first.restart();
    assert_eq!(backup.sessions(), 1);
    lose(&returning);
    assert_eq!((first.sessions(), backup.sessions()), (1, 0));
}

fn the_service_moves_from_address_to_address_and_all_is_delivered(via: Via) {
    let servers = [Server::start(json!({})), Server::start(json!({}))];
    let client = Client::connect(via.builder(servers[0].url()).backup_url(servers[1].url()));
    for round in 0..4 {
        let (from, to) = (&servers[round % 2], &servers[(round + 1) % 2]);
        client.works();
        from.stop();
        client.disconnected();
        client.emit("tick", ("a", 0)).unwrap();
        client.reconnected();
        client.works();
        assert_eq!((to.sessions(), &to.cmd("ticks")["total"]), (1, &json!(1)));
        from.restart();
        to.cmd("reset");
    }
}

#[test]
fn addresses_that_cannot_be_used_are_refused() {
    for (backup, word) in [
        ("b.example", "scheme"),
        ("http://b.example/orders", "/orders"),
        ("http://b.example?EIO=3", "EIO"),
    ] {
        let builder = Builder::new("http://a.example/admin").backup_url(backup);
        let error = builder.auto_connect(false).build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidUrl);
        assert!(error.message().contains(word), "{error}");
    }
    for backup in ["http://b.example", "http://b.example/", "http://b.example/admin"] {
        let builder = Builder::new("http://a.example/admin").backup_url(backup);
        builder.auto_connect(false).build().unwrap();
    }
    let builder = Builder::new("http://a.example").fail_back_after(Duration::ZERO);
    let error = builder.auto_connect(false).build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidOption);
}

#[test]
fn another_first_address_is_gone_to_next() {
    let servers: Vec<_> = (0..3).map(|_| Server::start(json!({}))).collect();
    let builder = Via::WebSocket.builder(servers[0].url()).backup_url(servers[1].url());
    let client = Client::connect(builder);
    servers[0].stop();
    client.disconnected();
    client.reconnected();
    client.manager().update(Update::new().url(servers[2].url())).unwrap();
    client.works();
    assert_eq!(servers[1].sessions(), 1);
    client.emit("close-engine", ()).unwrap();
    client.disconnected();
    client.reconnected();
    assert_eq!((servers[1].sessions(), servers[2].sessions()), (0, 1));
}
