//! Name servers that fail.

use std::time::Instant;

use serde_json::json;
use siot::{Error, ErrorKind, Stage, Timeouts, Transport};

use super::{MS, NAME, TRANSPORTS, builder, failure, met_at, serve};
use crate::support::dns::{NO_SUCH_NAME, REFUSED, Reply, SERVER_FAILURE};
use crate::support::network::{V4, V6, isolated};
use crate::support::{Client, LIMIT, Server, eventually, threads};

/// The threads that look names up.
fn lookers() -> usize {
    threads().iter().filter(|name| *name == "siot-dns").count()
}

#[track_caller]
fn assert_not_found(error: &Error) {
    assert_eq!(error.kind(), ErrorKind::Connect(Stage::Dns), "{error}");
    assert!(error.message().contains(NAME), "{error}");
    assert!(error.hint().is_some() && !error.is_fatal(), "{error}");
    assert!(error.elapsed().is_some(), "{error}");
}

#[test]
fn a_name_that_cannot_be_found_is_an_error_that_says_why() {
    isolated(|network| {
        let server = serve(V4[0]);
        for (reply, part) in [
            (Reply::Error(NO_SUCH_NAME), "not known"),
            (Reply::Addresses(Vec::new()), "No address"),
            (Reply::Error(SERVER_FAILURE), "Temporary failure"),
            (Reply::Error(REFUSED), "Temporary failure"),
            (Reply::Truncated, "Temporary failure"),
        ] {
            network.dns.reply(NAME, reply.clone());
            for &transport in TRANSPORTS {
                let error = failure(builder(&server, transport));
                assert_not_found(&error);
                assert!(error.to_string().contains(part), "{reply:?}: {error}");
            }
        }
    });
}

#[test]
fn a_name_server_that_recovers_is_asked_again() {
    isolated(|network| {
        let server = serve(V4[0]);
        for &transport in TRANSPORTS {
            network.dns.reply(NAME, Reply::Error(SERVER_FAILURE));
            let client = Client::start(builder(&server, transport));
            for _ in 0..3 {
                assert_not_found(&client.connect_error());
            }
            network.dns.set(NAME, &[V4[0]]);
            client.reconnected();
            client.socket.manager().close(LIMIT);
        }
    });
}

#[test]
fn a_silent_name_server_costs_one_thread_and_no_more_than_the_limit() {
    isolated(|network| {
        // Without the limit, a look-up would take minutes.
        network.resolver_options("timeout:30 attempts:5");
        let server = serve(V4[0]);
        for reply in [Reply::Silence, Reply::Garbage] {
            network.dns.reply(NAME, reply);
            for &transport in TRANSPORTS {
                let timeouts = Timeouts::new().dns(100 * MS);
                let before = lookers();
                let client = Client::start(builder(&server, transport).timeouts(timeouts));
                for _ in 0..5 {
                    let error = client.connect_error();
                    assert_eq!(error.kind(), ErrorKind::Connect(Stage::Dns), "{error}");
                    assert!(error.is_timeout(), "{error}");
                    assert!(
                        error.hint().is_some_and(|hint| hint.contains("name server")),
                        "{error}"
                    );
                    // A thread has its name from its first turn on, for which it may wait longer than for an answer.
                    eventually(LIMIT, "a thread looks the name up", || lookers() > before);
                    assert_eq!(lookers(), before + 1);
                }
                let start = Instant::now();
                client.socket.manager().close(LIMIT);
                assert!(start.elapsed() < LIMIT / 2, "{:?}", start.elapsed());
            }
        }
    });
}

#[test]
fn the_connect_timeout_holds_for_a_silent_name_server_too() {
    isolated(|network| {
        network.resolver_options("timeout:30 attempts:5");
        let server = serve(V4[0]);
        network.dns.reply(NAME, Reply::Silence);
        for &transport in TRANSPORTS {
            let start = Instant::now();
            let error = failure(builder(&server, transport).connect_timeout(300 * MS));
            assert_eq!(error.kind(), ErrorKind::Connect(Stage::Dns), "{error}");
            assert!(error.is_timeout(), "{error}");
            assert!(start.elapsed() < LIMIT / 2, "{:?}", start.elapsed());
        }
    });
}

#[test]
fn a_name_server_that_was_silent_is_heard_when_it_speaks() {
    isolated(|network| {
        network.resolver_options("timeout:1 attempts:5");
        let server = serve(V4[0]);
        network.dns.reply(NAME, Reply::Silence);
        let timeouts = Timeouts::new().dns(200 * MS);
        let client = Client::start(builder(&server, Transport::WebSocket).timeouts(timeouts));
        for _ in 0..2 {
            assert!(client.connect_error().is_timeout());
        }
        network.dns.set(NAME, &[V4[0]]);
        client.reconnected();
    });
}

#[test]
fn an_answer_for_one_family_is_enough_where_the_other_is_not_answered() {
    isolated(|network| {
        let server = serve(V4[0]);
        let known = Reply::Addresses(vec![V4[0].parse().unwrap()]);
        network.dns.replies(NAME, [known, Reply::Silence]);
        // The system waits for the other one as long as resolv.conf says.
        assert_eq!(met_at(&server, builder(&server, Transport::WebSocket)), V4[0]);
    });
}

#[test]
fn a_server_that_moves_is_followed() {
    isolated(|network| {
        for &transport in TRANSPORTS {
            let old = serve(V4[0]);
            network.dns.set(NAME, &[V4[0]]);
            let client = Client::connect(builder(&old, transport));
            let new = Server::start(json!({ "host": V6[1], "port": old.port() }));
            network.dns.set(NAME, &[V6[1]]);
            let asked = network.dns.asked(NAME);
            old.kill();
            client.reconnected();
            assert_eq!(new.entries("requests")[0]["to"], V6[1]);
            assert!(network.dns.asked(NAME) > asked);
            client.socket.manager().close(LIMIT);
        }
    });
}
