//! Sentinels, and a Redis Cluster, with TLS: all connections that are made to what they name are encrypted as well.

use siot::ErrorKind;
use siot::server::{RedisAdapter, RedisAddress, RedisEmitter};

use super::members::know_each_other;
use super::redis_process::RedisProcess;
use crate::member::{Guest, Member};
use crate::support::certs::CertAuthority;
use crate::support::program::{free_port, write};
use crate::support::{LIMIT, eventually};
use crate::{operations, siot_member};

/// A Redis with TLS at a port of its own; at the other one the test speaks to it.
struct EncryptedRedis {
    redis: RedisProcess,
    port: u16,
    /// What it is told about TLS, also where it connects itself.
    options: Vec<(&'static str, String)>,
}

impl EncryptedRedis {
    /// One that does not yet run.
    #[track_caller]
    fn idle(authority: &CertAuthority) -> Self {
        let (redis, port) = (RedisProcess::idle(), free_port());
        let identity = authority.issue("127.0.0.1");
        let file = |name: &str, text: &str| write(&redis.folder, name, text);
        let options = vec![
            ("port", redis.port.to_string()),
            ("bind", "127.0.0.1".to_owned()),
            ("tls-port", port.to_string()),
            ("tls-cert-file", file("cert", &identity.cert)),
            ("tls-key-file", file("key", &identity.key)),
            ("tls-ca-cert-file", file("ca", &authority.pem())),
            ("tls-auth-clients", "no".to_owned()),
            ("tls-replication", "yes".to_owned()),
        ];
        Self { redis, port, options }
    }

    /// Starts one with these options besides, each a line; `role` is what it is told after its file.
    #[track_caller]
    fn start(authority: &CertAuthority, more: &str, role: &[&str]) -> Self {
        let mut started = Self::idle(authority);
        let lines = started.options.iter().map(|(name, value)| format!("{name} {value}\n"));
        let text = lines.chain([more.to_owned()]).collect::<String>();
        let file = write(&started.redis.folder, "redis.conf", &text);
        started.redis.run(&[&[&*file], role].concat());
        started
    }

    fn url(&self) -> String {
        format!("rediss://127.0.0.1:{}", self.port)
    }
}

/// Two servers, which do all that takes another connection, and an emitter; who does not trust the authority is told so.
#[track_caller]
fn members(address: &RedisAddress, authority: &CertAuthority) -> [Member; 2] {
    let adapter = || RedisAdapter::new(address.clone()).ca_pem(authority.pem());
    let members = ["a", "b"].map(|name| siot_member::start(name, adapter()));
    all_is_well(&members, address, authority);
    let error = RedisEmitter::new(address.clone()).emit("untrusted", ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transport, "{error}");
    members
}

#[track_caller]
fn all_is_well(members: &[Member], address: &RedisAddress, authority: &CertAuthority) {
    know_each_other(members);
    operations::events_reach_exactly_whom_they_should(members);
    let guest = Guest::enter(&members[1], "guest", &[]);
    let emitter = RedisEmitter::new(address.clone()).ca_pem(authority.pem());
    emitter.emit("outside", ()).unwrap();
    assert_eq!(guest.next().name(), "outside");
}

/// Sentinel and master, and the replica that takes its place.
#[test]
fn sentinels_with_tls_lead_to_a_master_with_tls() {
    const NAME: &str = "main";
    let authority = CertAuthority::new();
    let common = "save \"\"\nrepl-diskless-sync-delay 0\n";
    let mut master = EncryptedRedis::start(&authority, common, &[]);
    let replicates = format!("{common}replicaof 127.0.0.1 {}\n", master.port);
    let replica = EncryptedRedis::start(&authority, &replicates, &[]);
    let watches = format!(
        "sentinel monitor {NAME} 127.0.0.1 {} 1\nsentinel down-after-milliseconds {NAME} 1000\n\
         sentinel failover-timeout {NAME} 4000\n",
        master.port
    );
    let sentinel = EncryptedRedis::start(&authority, &watches, &["--sentinel"]);
    eventually(LIMIT, "a replica that is in step, and known", || {
        let told = sentinel.redis.say(&["SENTINEL", "REPLICAS", NAME]);
        told.contains("master-link-status\nok\n")
    });
    let address = RedisAddress::sentinels(&format!("rediss://{NAME}/"), [&*sentinel.url()]);
    let members = members(&address, &authority);
    master.redis.kill();
    eventually(LIMIT, "a replica that is the master", || {
        replica.redis.say(&["ROLE"]).starts_with("master")
    });
    all_is_well(&members, &address, &authority);
}

/// Servers at one node each, which asks the other.
#[test]
fn nodes_with_tls_lead_to_others_with_tls() {
    let authority = CertAuthority::new();
    let start = |slots: [&str; 2], epoch: &str| {
        let bus = free_port().to_string();
        let options = format!(
            "save \"\"\ncluster-enabled yes\ncluster-node-timeout 1000\ncluster-port {bus}\ntls-cluster yes\n"
        );
        let node = EncryptedRedis::start(&authority, &options, &[]);
        assert_eq!(node.redis.say(&["CLUSTER", "ADDSLOTSRANGE", slots[0], slots[1]]), "OK\n");
        assert_eq!(node.redis.say(&["CLUSTER", "SET-CONFIG-EPOCH", epoch]), "OK\n");
        (node, bus)
    };
    let (one, _) = start(["0", "8191"], "1");
    let (other, bus) = start(["8192", "16383"], "2");
    let met = one.redis.say(&["CLUSTER", "MEET", "127.0.0.1", &other.port.to_string(), &bus]);
    assert_eq!(met, "OK\n");
    for node in [&one, &other] {
        eventually(LIMIT, "two nodes that are a cluster", || {
            let links = node.redis.say(&["CLUSTER", "LINKS"]).matches("events").count();
            node.redis.say(&["CLUSTER", "INFO"]).contains("cluster_state:ok") && links == 2
        });
    }
    let address = RedisAddress::cluster([&*one.url()]);
    let [a, b] = members(&address, &authority);
    let there = RedisAddress::cluster([&*other.url()]);
    let adapter = RedisAdapter::new(there).ca_pem(authority.pem());
    all_is_well(&[a, b, siot_member::start("c", adapter)], &address, &authority);
}
