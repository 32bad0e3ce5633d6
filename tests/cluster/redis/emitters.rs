//! Programs without sockets that emit to a cluster: ours, and those with `@socket.io/redis-emitter`.

use std::process::Command;

use serde_json::{Value, json};
use siot::server::RedisEmitter;
use siot::{ArgList, Binary};

use super::members::mixed;
use super::redis_server::RedisServer;
use crate::member::Guest;
use crate::support::{Client, JsClient, LIMIT, Via, recv_within};

/// Makes such calls as `tests/servers/cluster_emitter.js` does, in its form.
type Emits = fn(&RedisServer, Value);

fn reference(redis: &RedisServer, calls: Value) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servers/cluster_emitter.js");
    let output = Command::new("node").arg(script).arg(redis.path()).arg(calls.to_string()).output();
    let output = output.expect("Node.js: run `tests/install`");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn ours(redis: &RedisServer, calls: Value) {
    let emitter = RedisEmitter::new(redis.url());
    for chain in calls.as_array().unwrap() {
        let mut emitter = emitter.clone();
        for call in chain.as_array().unwrap() {
            let [name, args @ ..] = &call.as_array().unwrap()[..] else { panic!("no call") };
            let text = || args[0].as_str().unwrap();
            let list = || ArgList(args[1..].to_vec());
            match name.as_str().unwrap() {
                "to" => emitter = emitter.to(text()),
                "except" => emitter = emitter.except(text()),
                "volatile" => emitter = emitter.volatile(),
                "of" => emitter = emitter.of(text()),
                "emit" => emitter.emit(text(), list()).unwrap(),
                "socketsJoin" => emitter.sockets_join(text()).unwrap(),
                "socketsLeave" => emitter.sockets_leave(text()).unwrap(),
                "disconnectSockets" => emitter.disconnect_sockets(args[0] == true).unwrap(),
                "serverSideEmit" => emitter.server_side_emit(text(), list()).unwrap(),
                other => panic!("no call {other:?}"),
            }
        }
    }
}

/// It does all that servers do, to clients of servers of ours and in JavaScript.
#[track_caller]
fn does_all_that_servers_do(emits: Emits) {
    let redis = RedisServer::start();
    let members = mixed(&redis);
    let enter = |member| Guest::enter(member, "guest", &["hall"]);
    let guests: Vec<_> = members.iter().map(enter).collect();
    let others: Vec<_> =
        members.iter().map(|member| Guest::enter(member, "other", &["hall", "kitchen"])).collect();
    emits(
        &redis,
        json!([
            [["emit", "one", 1]],
            [["to", "hall"], ["emit", "two", 2, "é", { "deep": [null, 1.5] }]],
            [["to", "hall"], ["to", "kitchen"], ["emit", "three"]],
            [["to", "hall"], ["except", "kitchen"], ["emit", "four"]],
            [["except", "hall"], ["emit", "nobody"]],
            [["to", "nowhere"], ["emit", "nobody"]],
            [["of", "/elsewhere"], ["emit", "nobody"]],
        ]),
    );
    let common = [r#"["one",1]"#, r#"["two",2,"é",{"deep":[null,1.5]}]"#, r#"["three"]"#];
    for guest in guests.iter().chain(&others) {
        assert_eq!([(); 3].map(|()| guest.next().json().to_owned()), common);
    }
    for guest in &guests {
        assert_eq!(guest.next().json(), r#"["four"]"#);
    }
    // Nothing else is left to be written to anybody.
    emits(
        &redis,
        json!([
            [["volatile"], ["emit", "five"]],
            [["serverSideEmit", "note", "from", "outside"]],
            [["to", "kitchen"], ["socketsJoin", "room"]],
            [["to", "kitchen"], ["socketsLeave", "hall"]],
            [["to", "hall"], ["emit", "six"]],
            [["to", "room"], ["emit", "seven"]],
            [["emit", "end"]],
        ]),
    );
    for member in 0..members.len() {
        assert_eq!(guests[member].until_end(), [r#"["five"]"#, r#"["six"]"#]);
        assert_eq!(others[member].until_end(), [r#"["five"]"#, r#"["seven"]"#]);
        let noted = members[member].does(json!({ "op": "noted" }));
        assert_eq!(noted, json!([["note", "from", "outside"]]), "{}", members[member].name);
    }
    emits(&redis, json!([[["to", "room"], ["disconnectSockets", true]], [["emit", "end"]]]));
    others.iter().for_each(Guest::leaves);
    assert!(guests.iter().all(|guest| guest.until_end().is_empty()));
}

#[test]
fn a_program_without_sockets_does_all_that_servers_do() {
    does_all_that_servers_do(ours);
}

#[test]
fn a_program_in_javascript_does_all_that_servers_do() {
    does_all_that_servers_do(reference);
}

#[test]
fn what_is_reserved_is_not_emitted() {
    let redis = RedisServer::start();
    let error = RedisEmitter::new(redis.url()).emit("disconnect", ()).unwrap_err();
    assert_eq!(error.kind(), siot::ErrorKind::ReservedEvent);
}

/// Binary comes to clients of each kind, of each server, from emitters of both.
#[test]
fn binary_comes_from_programs_without_sockets() {
    let redis = RedisServer::start();
    let members = mixed(&redis);
    let bytes: Binary = (0..=255).collect();
    let clients: Vec<_> =
        members.iter().map(|member| Client::connect(Via::WebSocket.builder(&member.url))).collect();
    let events: Vec<_> = clients.iter().map(|client| client.subscribe("b")).collect();
    let js: Vec<_> =
        members.iter().map(|member| JsClient::connect(4, Via::Polling, &member.url)).collect();
    RedisEmitter::new(redis.url()).emit("b", (&bytes, "deep")).unwrap();
    let base64 = json!({ "$bytes": BASE64 });
    reference(&redis, json!([[["emit", "b", base64, "deep"]]]));
    for _ in 0..2 {
        for events in &events {
            let came: (Binary, String) = recv_within(events.receiver(), LIMIT).args().unwrap();
            assert_eq!(came, (bytes.clone(), "deep".into()));
        }
        for client in &js {
            assert_eq!(client.event("b"), json!([base64, "deep"]), "{client:?}");
        }
    }
}

/// All bytes that there are, in their order.
const BASE64: &str = "\
    AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+P0BB\
    QkNERUZHSElKS0xNTk9QUVJTVFVWV1hZWltcXV5fYGFiY2RlZmdoaWprbG1ub3BxcnN0dXZ3eHl6e3x9fn+AgYKD\
    hIWGh4iJiouMjY6PkJGSk5SVlpeYmZqbnJ2en6ChoqOkpaanqKmqq6ytrq+wsbKztLW2t7i5uru8vb6/wMHCw8TF\
    xsfIycrLzM3Oz9DR0tPU1dbX2Nna29zd3t/g4eLj5OXm5+jp6uvs7e7v8PHy8/T19vf4+fr7/P3+/w==";
