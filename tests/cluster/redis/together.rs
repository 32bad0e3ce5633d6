//! Each operation, from each of them.

use serde_json::json;
use siot::Binary;
use siot::server::{RedisAdapter, RedisEmitter};

use super::members::{know_each_other, mixed, node, siot};
use super::redis_server::RedisServer;
use crate::member::{Guest, Member};
use crate::operations;
use crate::siot_member;
use crate::support::{Client, JsClient, LIMIT, Via, recv_within};

/// A Redis of each test's own, and its members.
fn begin() -> (RedisServer, [Member; 3]) {
    let redis = RedisServer::start();
    let members = mixed(&redis);
    (redis, members)
}

#[test]
fn events_reach_exactly_whom_they_should() {
    operations::events_reach_exactly_whom_they_should(&begin().1);
}

#[test]
fn what_is_volatile_reaches_who_is_idle() {
    operations::what_is_volatile_reaches_who_is_idle(&begin().1);
}

#[test]
fn clients_answer_whoever_asks() {
    operations::clients_answer_whoever_asks(&begin().1);
}

#[test]
fn sockets_are_found_wherever_they_are() {
    operations::sockets_are_found_wherever_they_are(&begin().1);
}

#[test]
fn sockets_are_moved_from_anywhere() {
    operations::sockets_are_moved_from_anywhere(&begin().1);
}

#[test]
fn servers_hear_each_other() {
    operations::servers_hear_each_other(&begin().1);
}

#[test]
fn answers_may_go_to_who_has_asked_alone() {
    let redis = RedisServer::start();
    let apart = |name| {
        let adapter = RedisAdapter::new(redis.url()).publish_on_specific_response_channel(true);
        siot_member::start(name, adapter)
    };
    let members = [apart("a"), node("js", &redis), apart("b")];
    know_each_other(&members);
    operations::clients_answer_whoever_asks(&members);
    operations::sockets_are_found_wherever_they_are(&members);
}

#[test]
fn another_key_is_another_cluster() {
    let redis = RedisServer::start();
    let other = siot_member::start("other", RedisAdapter::new(redis.url()).key("other"));
    let members = [siot("a", &redis), siot("b", &redis)];
    know_each_other(&members);
    know_each_other(&[other]);
}

/// Clients of each kind get binary from each server, and from an emitter.
#[test]
fn binary_passes_between_all() {
    let (redis, members) = begin();
    let bytes: Binary = (0..=255).cycle().take(70_000).collect();
    let clients: Vec<_> =
        members.iter().map(|member| Client::connect(Via::WebSocket.builder(&member.url))).collect();
    let events: Vec<_> = clients.iter().map(|client| client.subscribe("b")).collect();
    let js: Vec<_> =
        members.iter().map(|member| JsClient::connect(4, Via::Polling, &member.url)).collect();
    let emitter = RedisEmitter::new(redis.url());
    emitter.emit("b", (&bytes, json!({ "deep": [1] }))).unwrap();
    for events in &events {
        let event = recv_within(events.receiver(), LIMIT);
        let (came, deep): (Binary, serde_json::Value) = event.args().unwrap();
        assert_eq!((&came, deep), (&bytes, json!({ "deep": [1] })));
    }
    for client in &js {
        let args = client.event("b");
        assert_eq!(args[1], json!({ "deep": [1] }), "{client:?}");
    }
}

/// Many senders at once: what each has sent comes in its order, once.
#[test]
fn a_flood_from_all_comes_whole_and_in_order() {
    const EACH: usize = 3000;
    let (_redis, members) = begin();
    let guests: Vec<_> =
        members.iter().map(|member| Guest::enter(member, "g", &["hall"])).collect();
    std::thread::scope(|scope| {
        for (number, member) in members.iter().enumerate() {
            scope.spawn(move || {
                let args = json!([number]);
                member.does(json!({
                    "op": "flood", "to": ["hall"], "event": "n", "args": args, "count": EACH,
                }));
            });
        }
    });
    for guest in &guests {
        let mut next = [0; 3];
        for _ in 0..3 * EACH {
            let (sender, number): (usize, usize) = guest.next().args().unwrap();
            assert_eq!(number, next[sender], "of {sender}");
            next[sender] += 1;
        }
    }
}
