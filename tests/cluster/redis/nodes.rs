//! A Redis Cluster.

use serde_json::{Value, json};
use siot::server::{RedisAddress, RedisEmitter};

use super::members::{all_is_well, know_each_other, node, siot};
use super::redis_process::RedisProcess;
use super::redis_server::RedisSource;
use crate::member::Guest;
use crate::operations;
use crate::support::program::free_port;
use crate::support::{LIMIT, eventually};

/// Three nodes, each with a third of the slots.
struct RedisNodes {
    nodes: Vec<(RedisProcess, Vec<String>)>,
}

/// Some of them.
struct SomeNodes<'a>(&'a [(RedisProcess, Vec<String>)]);

impl RedisNodes {
    #[track_caller]
    fn start() -> Self {
        let start = || {
            let bus = free_port().to_string();
            let mut redis = RedisProcess::idle();
            let port = redis.port.to_string();
            let options = ["--port", &port, "--bind", "127.0.0.1", "--cluster-port", &bus];
            let more = ["--cluster-enabled", "yes", "--cluster-node-timeout", "1000", "--save", ""];
            let arguments: Vec<_> = options.iter().chain(&more).map(ToString::to_string).collect();
            run(&mut redis, &arguments);
            (redis, arguments, bus)
        };
        let started = [(); 3].map(|()| start());
        for (number, (redis, ..)) in started.iter().enumerate() {
            let bounds = [(0, 5460), (5461, 10922), (10923, 16383)][number];
            let (first, last) = (bounds.0.to_string(), bounds.1.to_string());
            let done = redis.say(&["CLUSTER", "ADDSLOTSRANGE", &first, &last]);
            assert_eq!(done, "OK\n");
            // Nodes that begin with the same epoch settle that later, each in a time of its own.
            let done = redis.say(&["CLUSTER", "SET-CONFIG-EPOCH", &(number + 1).to_string()]);
            assert_eq!(done, "OK\n");
        }
        for (redis, _, bus) in &started[1..] {
            let port = redis.port.to_string();
            let done = started[0].0.say(&["CLUSTER", "MEET", "127.0.0.1", &port, bus]);
            assert_eq!(done, "OK\n");
        }
        let nodes = started.into_iter().map(|(redis, arguments, _)| (redis, arguments)).collect();
        let nodes = Self { nodes };
        nodes.are_together();
        nodes
    }

    /// Waits until they are.
    #[track_caller]
    fn are_together(&self) {
        for (redis, _) in &self.nodes {
            eventually(LIMIT, "three nodes that are a cluster", || {
                let links = redis.say(&["CLUSTER", "LINKS"]).matches("events").count();
                let listed = redis.say(&["CLUSTER", "NODES"]);
                redis.say(&["CLUSTER", "INFO"]).contains("cluster_state:ok")
                    && listed.lines().filter(|line| line.contains("connected")).count() == 3
                    && !listed.contains("fail") && !listed.contains("handshake")
                    // Both ways to both others.
                    && links == 4
            });
        }
    }

    fn some(&self, which: std::ops::Range<usize>) -> SomeNodes<'_> {
        SomeNodes(&self.nodes[which])
    }
}

#[track_caller]
fn run(redis: &mut RedisProcess, arguments: &[String]) {
    redis.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
}

impl RedisSource for SomeNodes<'_> {
    fn address(&self) -> RedisAddress {
        let urls: Vec<String> = self.0.iter().map(|(redis, _)| redis.url()).collect();
        RedisAddress::cluster(urls.iter().map(String::as_str))
    }

    fn for_node(&self) -> Value {
        json!({ "nodes": self.0.iter().map(|(redis, _)| redis.port).collect::<Vec<_>>() })
    }
}

/// Servers at different nodes, one in JavaScript among them, do all that those at one Redis do.
#[test]
fn servers_at_different_nodes_are_one_cluster() {
    let redis = RedisNodes::start();
    let members = [
        siot("a", &redis.some(0..1)),
        node("js", &redis.some(0..3)),
        siot("b", &redis.some(1..2)),
        siot("c", &redis.some(2..3)),
    ];
    all_is_well(&members);
    let guests: Vec<_> = members.iter().map(|member| Guest::enter(member, "guest", &[])).collect();
    RedisEmitter::new(redis.some(2..3).address()).emit("outside", ()).unwrap();
    for guest in &guests {
        assert_eq!(guest.next().name(), "outside");
    }
}

/// Each node is killed in turn, and comes back: the servers that were there go to others.
#[test]
fn a_node_that_is_killed_is_left_for_another() {
    let mut redis = RedisNodes::start();
    let members = ["a", "b"].map(|name| siot(name, &redis.some(0..3)));
    know_each_other(&members);
    for number in 0..3 {
        redis.nodes[number].0.kill();
        // The others need a second to notice, and then those who ask are answered again.
        know_each_other(&members);
        operations::events_reach_exactly_whom_they_should(&members);
        let (node, arguments) = &mut redis.nodes[number];
        run(node, arguments);
        redis.are_together();
    }
    all_is_well(&members);
}
