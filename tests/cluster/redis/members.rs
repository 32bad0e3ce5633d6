//! The servers of such a cluster.

use serde_json::json;
use siot::server::RedisAdapter;

use super::redis_server::RedisServer;
use crate::member::Member;
use crate::siot_member;
use crate::support::folder::Folder;
use crate::support::program::{Program, free_port};
use crate::support::{LIMIT, eventually};

/// A server of ours.
#[track_caller]
pub(crate) fn siot(name: &'static str, redis: &RedisServer) -> Member {
    siot_member::start(name, RedisAdapter::new(&redis.url()))
}

/// One in JavaScript.
#[track_caller]
pub(crate) fn node(name: &'static str, redis: &RedisServer) -> Member {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servers/cluster_member.js");
    let (port, path) = (free_port(), redis.path());
    let path = path.to_str().expect("a path in UTF-8");
    let command = ["node", script, &port.to_string(), name, path];
    let program = Program::start(&command, "KILL", Folder::new(), port);
    Member::new(name, format!("http://127.0.0.1:{port}"), program)
}

/// Two of ours and one in JavaScript, which know each other.
#[track_caller]
pub(crate) fn mixed(redis: &RedisServer) -> [Member; 3] {
    let members = [siot("a", redis), node("js", redis), siot("b", redis)];
    know_each_other(&members);
    members
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
