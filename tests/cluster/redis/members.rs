//! The servers of such a cluster.

use serde_json::json;
use siot::server::RedisAdapter;

use super::redis_server::{RedisServer, RedisSource};
use crate::member::Member;
use crate::operations;
use crate::siot_member;
use crate::support::folder::Folder;
use crate::support::program::{Program, free_port};
use crate::support::{LIMIT, eventually};

/// A server of ours.
#[track_caller]
pub(crate) fn siot(name: &'static str, redis: &impl RedisSource) -> Member {
    siot_member::start(name, RedisAdapter::new(redis.address()))
}

/// One of ours in a process of its own, which can be killed.
#[track_caller]
pub(crate) fn process(name: &'static str, redis: &RedisServer) -> Member {
    process_at(name, free_port(), redis)
}

/// The same at this port.
#[track_caller]
pub(crate) fn process_at(name: &'static str, port: u16, redis: &RedisServer) -> Member {
    let program = std::env::current_exe().expect("own executable");
    let program = program.to_str().expect("a path in UTF-8");
    let config =
        format!("{PROCESS}={}", json!({ "name": name, "port": port, "redis": redis.url() }));
    let test = ["redis::members::is_a_process", "--exact", "--nocapture", "--ignored"];
    let command = [&["env", &*config, program][..], &test].concat();
    let program = Program::start(&command, "KILL", Folder::new(), port);
    Member::new(name, format!("http://127.0.0.1:{port}"), program)
}

const PROCESS: &str = "SIOT_TEST_MEMBER";

/// No test, but the program of such a member.
#[test]
#[ignore = "a member of other tests"]
fn is_a_process() {
    let Ok(config) = std::env::var(PROCESS) else { return };
    let config: serde_json::Value = serde_json::from_str(&config).unwrap();
    let text = |name: &str| config[name].as_str().expect("a text").to_owned();
    let port = u16::try_from(config["port"].as_u64().unwrap()).unwrap();
    let _server = siot_member::bind(text("name"), port, RedisAdapter::new(text("redis")), LIMIT);
    loop {
        std::thread::park();
    }
}

/// One in JavaScript.
#[track_caller]
pub(crate) fn node(name: &'static str, redis: &impl RedisSource) -> Member {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servers/cluster_member.js");
    let port = free_port();
    let command = ["node", script, &port.to_string(), name, &redis.for_node().to_string()];
    let program = Program::start(&command, "KILL", Folder::new(), port);
    Member::new(name, format!("http://127.0.0.1:{port}"), program)
}

/// Two of ours and one in JavaScript, which know each other.
#[track_caller]
pub(crate) fn mixed(redis: &impl RedisSource) -> [Member; 3] {
    let members = [siot("a", redis), node("js", redis), siot("b", redis)];
    know_each_other(&members);
    members
}

/// Waits until none of their clients is left but those that tell them what to do.
#[track_caller]
pub(crate) fn are_alone(members: &[Member]) {
    let mut expected: Vec<String> = members.iter().map(Member::commander).collect();
    expected.sort();
    for member in members {
        eventually(LIMIT, "servers without guests", || {
            member.tries(json!({ "op": "rooms" })) == json!(expected)
        });
    }
}

/// Waits until they do.
#[track_caller]
pub(crate) fn know_each_other(members: &[Member]) {
    for member in members {
        eventually(LIMIT, "servers that know each other", || {
            member.tries(json!({ "op": "count" })) == json!(members.len())
        });
    }
}

/// Each operation from each of them.
#[track_caller]
pub(crate) fn all_is_well(members: &[Member]) {
    know_each_other(members);
    for operation in [
        operations::events_reach_exactly_whom_they_should,
        operations::clients_answer_whoever_asks,
        operations::sockets_are_found_wherever_they_are,
        operations::sockets_are_moved_from_anywhere,
        operations::servers_hear_each_other,
    ] {
        are_alone(members);
        operation(members);
    }
    are_alone(members);
}
