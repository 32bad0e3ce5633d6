//! Networks that change, and who hears of it.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use siot::{Builder, DisconnectReason, ManagerEvent, Transport};

use super::{MS, NAME, TRANSPORTS, builder, serve};
use crate::support::network::{Network, V4, isolated};
use crate::support::{Client, LIMIT, Server, eventually, fds, threads};

/// An address of a link that can go.
const UPLINK: &str = "192.0.2.77";

const MINUTE: Duration = Duration::from_secs(60);

/// Far below the heartbeat of 25 s and the delay between attempts.
const SOON: Duration = Duration::from_secs(10);

fn add_uplink(network: &Network) {
    network.ip("link add uplink type veth peer name far");
    network.ip(&format!("address add {UPLINK}/24 dev uplink"));
    network.ip("link set uplink up");
    network.ip("link set far up");
}

/// A client that comes from the uplink, and that waits for long before it tries again.
fn by_uplink(server: &Server, transport: Transport) -> Builder {
    builder(server, transport)
        .local_address(UPLINK.parse::<IpAddr>().unwrap())
        .reconnection_delay(MINUTE)
        .reconnection_delay_max(MINUTE)
}

#[track_caller]
fn assert_gone(client: &Client, since: Instant) {
    let (reason, error) = client.disconnected();
    let error = error.unwrap();
    assert_eq!(reason, DisconnectReason::TransportClose, "{error}");
    assert!(error.message().contains(UPLINK), "{error}");
    assert!(since.elapsed() < SOON, "{:?}", since.elapsed());
}

fn take_address(network: &Network) {
    network.ip("address del 192.0.2.77/24 dev uplink");
}

fn give_address(network: &Network) {
    network.ip("address add 192.0.2.77/24 dev uplink");
}

#[test]
fn an_address_that_goes_ends_the_session_and_one_that_comes_brings_it_back() {
    isolated(|network| {
        let server = serve(V4[0]);
        network.dns.set(NAME, &[V4[0]]);
        add_uplink(network);
        for &transport in TRANSPORTS {
            let client = Client::connect(by_uplink(&server, transport).watch_network(true));
            for _ in 0..2 {
                let start = Instant::now();
                take_address(network);
                assert_gone(&client, start);
                give_address(network);
                client.reconnected();
                assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
            }
            client.socket.manager().close(LIMIT);
        }
    });
}

#[test]
fn a_link_that_comes_up_ends_the_wait_for_the_next_attempt() {
    isolated(|network| {
        let server = serve(V4[0]);
        network.dns.set(NAME, &[V4[0]]);
        add_uplink(network);
        let builder = builder(&server, Transport::WebSocket).reconnection_delay(MINUTE);
        let client = Client::connect(builder.reconnection_delay_max(MINUTE).watch_network(true));
        server.stop();
        client.disconnected();
        server.restart();
        network.ip("link set uplink down");
        let start = Instant::now();
        network.ip("link set uplink up");
        client.reconnected();
        assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    });
}

#[test]
fn a_route_that_goes_ends_the_session() {
    isolated(|network| {
        let server = serve(V4[0]);
        network.dns.set(NAME, &[V4[0]]);
        add_uplink(network);
        // What is local is looked for later, so that it can be said that nothing leads there.
        network.ip("rule add pref 10 lookup local");
        network.ip("rule del pref 0");
        network.ip("rule add pref 5 from 192.0.2.77 lookup 7");
        let client = Client::connect(by_uplink(&server, Transport::WebSocket).watch_network(true));
        let start = Instant::now();
        network.ip(&format!("route add unreachable {} table 7", V4[0]));
        // A route that is gone is told of, one more that leads nowhere is not.
        network.ip("route add 198.51.100.0/24 dev uplink");
        network.ip("route del 198.51.100.0/24 dev uplink");
        let (reason, error) = client.disconnected();
        assert_eq!(reason, DisconnectReason::TransportClose);
        assert!(error.as_ref().unwrap().message().contains(V4[0]), "{error:?}");
        assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    });
}

#[test]
fn a_program_that_hears_of_changes_can_say_so() {
    isolated(|network| {
        let server = serve(V4[0]);
        network.dns.set(NAME, &[V4[0]]);
        add_uplink(network);
        for &transport in TRANSPORTS {
            let client = Client::connect(by_uplink(&server, transport));
            let session = client.manager().engine().unwrap().id;
            // Nothing is gone: nothing happens.
            client.manager().network_changed();
            client.works();
            assert_eq!(client.manager().engine().unwrap().id, session);
            let start = Instant::now();
            take_address(network);
            client.manager().network_changed();
            assert_gone(&client, start);
            give_address(network);
            client.manager().network_changed();
            client.reconnected();
            assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
            client.socket.manager().close(LIMIT);
        }
    });
}

#[test]
fn who_does_not_watch_has_no_thread_for_it_and_the_last_who_does_ends_it() {
    isolated(|network| {
        let watching = || threads().iter().filter(|name| *name == "siot-net").count();
        let server = serve(V4[0]);
        network.dns.set(NAME, &[V4[0]]);
        let plain = Client::connect(builder(&server, Transport::WebSocket));
        assert_eq!(watching(), 0);
        let before = fds();
        let watch = || Client::connect(builder(&server, Transport::WebSocket).watch_network(true));
        let (one, other) = (watch(), watch());
        // Threads have their names a moment after they have begun.
        eventually(LIMIT, "one thread for both", || watching() == 1);
        one.socket.manager().close(LIMIT);
        drop(one);
        other.works();
        assert_eq!(watching(), 1);
        drop(other);
        eventually(LIMIT, "the end of the thread", || watching() == 0);
        eventually(LIMIT, "no descriptor more than before", || fds() <= before);
        plain.works();
        let again = watch();
        eventually(LIMIT, "another thread", || watching() == 1);
        again.works();
    });
}

#[test]
fn nobody_wakes_up_while_the_network_stays_as_it_is() {
    isolated(|network| {
        let server = serve(V4[0]);
        network.dns.set(NAME, &[V4[0]]);
        let client = Client::connect(builder(&server, Transport::WebSocket).watch_network(true));
        client.works();
        let switches = || -> Option<u64> {
            let mut tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
            let task = tasks.find(|task| {
                let comm = std::fs::read_to_string(task.path().join("comm"));
                comm.is_ok_and(|name| name.trim() == "siot-net")
            })?;
            let status = std::fs::read_to_string(task.path().join("status")).unwrap();
            let line = status.lines().find_map(|l| l.strip_prefix("voluntary_ctxt_switches:"));
            line.unwrap().trim().parse().ok()
        };
        eventually(LIMIT, "the thread", || switches().is_some());
        // What came of the making of this network is over.
        let mut last = None;
        eventually(LIMIT, "quiet", || {
            std::thread::sleep(1500 * MS);
            let now = switches();
            std::mem::replace(&mut last, now) == now
        });
        let before = switches();
        std::thread::sleep(2000 * MS);
        assert_eq!(switches(), before);
        drop(client);
    });
}

#[test]
fn where_names_cannot_be_looked_up_the_last_address_serves() {
    use crate::support::dns::{Reply, SERVER_FAILURE};
    isolated(|network| {
        network.resolver_options("timeout:30 attempts:5");
        let server = serve(V4[0]);
        for (reply, within) in [
            (Reply::Error(SERVER_FAILURE), SOON),
            // The limit of a look-up with this option is 5 s.
            (Reply::Silence, 2 * SOON),
        ] {
            for &transport in TRANSPORTS {
                network.dns.set(NAME, &[V4[0]]);
                let client = Client::connect(builder(&server, transport).remember_address(true));
                network.dns.reply(NAME, reply.clone());
                let start = Instant::now();
                client.emit("close-engine", ()).unwrap();
                client.disconnected();
                client.wait_for("a warning", |event| {
                    matches!(event, ManagerEvent::Warning(error)
                        if error.message().contains(V4[0]) && error.message().contains(NAME))
                });
                client.reconnected();
                assert!(start.elapsed() < within, "{:?}", start.elapsed());
                client.works();
                client.socket.manager().close(LIMIT);
            }
        }
    });
}

#[test]
fn without_the_option_and_before_it_has_worked_a_name_is_needed() {
    use crate::support::dns::{NO_SUCH_NAME, Reply};
    isolated(|network| {
        let server = serve(V4[0]);
        network.dns.set(NAME, &[V4[0]]);
        let client = Client::connect(builder(&server, Transport::WebSocket));
        network.dns.reply(NAME, Reply::Error(NO_SUCH_NAME));
        client.emit("close-engine", ()).unwrap();
        client.disconnected();
        assert_eq!(client.connect_error().stage(), Some(siot::Stage::Dns));
        let new = builder(&server, Transport::WebSocket).remember_address(true);
        let client = Client::start(new);
        assert_eq!(client.connect_error().stage(), Some(siot::Stage::Dns));
        // An address that serves no more gives way to the name's.
        network.dns.set(NAME, &[V4[0]]);
        client.reconnected();
    });
}
