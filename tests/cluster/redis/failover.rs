//! A Redis whose place another one takes, as sentinels have it.

use serde_json::{Value, json};
use siot::server::{RedisAdapter, RedisAddress, RedisEmitter, Server};

use super::members::{are_alone, know_each_other, mixed, siot};
use super::redis_process::RedisProcess;
use super::redis_server::RedisSource;
use crate::member::Guest;
use crate::operations;
use crate::support::program::write;
use crate::support::{LIMIT, eventually};

const NAME: &str = "Main_1";

/// A master, a replica and three sentinels.
struct Watched {
    master: RedisProcess,
    replica: RedisProcess,
    sentinels: Vec<RedisProcess>,
}

impl Watched {
    #[track_caller]
    fn start() -> Self {
        let login = ["--requirepass", "secret", "--masterauth", "secret"];
        let master =
            RedisProcess::start(&[&login[..], &["--repl-diskless-sync-delay", "0"]].concat());
        let port = master.port.to_string();
        let replica =
            RedisProcess::start(&[&login[..], &["--replicaof", "127.0.0.1", &port]].concat());
        let sentinels = (0..3).map(|_| sentinel(&port)).collect();
        let watched = Self { master, replica, sentinels };
        for sentinel in &watched.sentinels {
            eventually(LIMIT, "a sentinel that knows the others", || {
                let told = sentinel.say(&["SENTINEL", "MASTER", NAME]);
                told.contains("num-slaves\n1\n") && told.contains("num-other-sentinels\n2\n")
            });
        }
        let info = ["--no-auth-warning", "-a", "secret", "INFO", "replication"];
        eventually(LIMIT, "a replica that is in step", || {
            watched.replica.say(&info).contains("master_link_status:up")
        });
        watched
    }

    /// Waits until it is.
    #[track_caller]
    fn replica_is_master(&self) {
        eventually(LIMIT, "a replica that is the master", || {
            let role = self.replica.say(&["--no-auth-warning", "-a", "secret", "ROLE"]);
            role.starts_with("master")
        });
    }
}

#[track_caller]
fn sentinel(master: &str) -> RedisProcess {
    let mut sentinel = RedisProcess::idle();
    let text = format!(
        "port {}\nbind 127.0.0.1\nsentinel monitor {NAME} 127.0.0.1 {master} 2\n\
         sentinel auth-pass {NAME} secret\nsentinel down-after-milliseconds {NAME} 1000\n\
         sentinel failover-timeout {NAME} 4000\n",
        sentinel.port
    );
    let file = write(&sentinel.folder, "sentinel.conf", &text);
    sentinel.run(&[&file, "--sentinel"]);
    sentinel
}

impl RedisSource for Watched {
    fn address(&self) -> RedisAddress {
        let urls: Vec<String> = self.sentinels.iter().map(RedisProcess::url).collect();
        RedisAddress::sentinels(
            &format!("redis://:secret@{NAME}/"),
            urls.iter().map(String::as_str),
        )
    }

    fn for_node(&self) -> Value {
        let ports: Vec<u16> = self.sentinels.iter().map(|sentinel| sentinel.port).collect();
        json!({ "sentinels": ports, "name": NAME, "password": "secret" })
    }
}

/// The master is killed, and a sentinel with it: all servers find the replica, and all is as before.
#[test]
fn a_failover_is_followed() {
    let mut watched = Watched::start();
    let members = mixed(&watched);
    operations::events_reach_exactly_whom_they_should(&members);
    watched.master.kill();
    watched.sentinels[0].kill();
    watched.replica_is_master();
    know_each_other(&members);
    for operation in [
        operations::events_reach_exactly_whom_they_should,
        operations::sockets_are_found_wherever_they_are,
        operations::servers_hear_each_other,
    ] {
        are_alone(&members);
        operation(&members);
    }
    for member in [&members[0], &members[2]] {
        assert_eq!(member.server::<Server>().cluster_stats().unwrap().gaps, 1, "{}", member.name);
    }
    let guest = Guest::enter(&members[1], "guest", &[]);
    RedisEmitter::new(watched.address()).emit("outside", ()).unwrap();
    assert_eq!(guest.next().name(), "outside");
}

/// A master that hangs takes the subscribers with it until it wakes up, as a replica then. They know that they are deaf.
#[test]
fn a_master_that_hangs_is_left() {
    let watched = Watched::start();
    let members = ["a", "b"].map(|name| siot(name, &watched));
    know_each_other(&members);
    watched.master.signal("STOP");
    watched.replica_is_master();
    for member in &members {
        eventually(LIMIT, "a server that knows that it hears nothing", || {
            let counted = member.tries(json!({ "op": "count" }));
            counted["failed"].as_str().is_some_and(|why| why.contains("not subscribed where"))
        });
    }
    watched.master.signal("CONT");
    know_each_other(&members);
    operations::events_reach_exactly_whom_they_should(&members);
}

#[test]
fn sentinels_that_do_not_know_the_name_are_told_of() {
    let watched = Watched::start();
    let urls: Vec<String> = watched.sentinels.iter().map(RedisProcess::url).collect();
    let urls = || urls.iter().map(String::as_str);
    let emits =
        |address| RedisEmitter::new(address).emit("e", ()).map_err(|error| error.to_string());
    let error = emits(RedisAddress::sentinels("redis://:secret@Other/", urls())).unwrap_err();
    assert!(error.contains("know no Redis by the name \"Other\""), "{error}");
    let error =
        emits(RedisAddress::sentinels(&format!("redis://:wr0ng@{NAME}/"), urls())).unwrap_err();
    assert!(error.contains("authentication") && !error.contains("wr0ng"), "{error}");
    emits(watched.address()).unwrap();
    // A replica that a sentinel calls the master is not believed.
    let mut stale = RedisProcess::idle();
    let text = format!(
        "port {}\nbind 127.0.0.1\nsentinel monitor {NAME} 127.0.0.1 {} 1\n\
         sentinel auth-pass {NAME} secret\nsentinel down-after-milliseconds {NAME} 600000\n",
        stale.port, watched.replica.port
    );
    let file = write(&stale.folder, "sentinel.conf", &text);
    stale.run(&[&file, "--sentinel"]);
    let url = stale.url();
    let error =
        emits(RedisAddress::sentinels(&format!("redis://:secret@{NAME}/"), [&*url])).unwrap_err();
    assert!(error.contains("is none"), "{error}");
}

#[test]
fn an_address_of_no_redis_is_refused_at_once() {
    for address in [RedisAddress::cluster([]), RedisAddress::sentinels("redis://name/", [])] {
        let bound = Server::builder().adapter(RedisAdapter::new(address)).bind("127.0.0.1:0");
        assert_eq!(bound.map(drop).unwrap_err().kind(), siot::ErrorKind::InvalidUrl);
    }
}
