//! Namespaces by the thousand, one after the other.

use std::time::{Duration, Instant};

use siot::SocketOptions;

use crate::support::hostile::HostileOptions;
use crate::support::{CaseName, Client, LIMIT, Via, over_each_transport, recv_within, shared};

over_each_transport!(
    a_namespace_that_was_forgotten_can_be_joined_again,
    an_answer_for_a_namespace_that_was_forgotten_is_for_nobody,
);

/// Joins as many, each of which is forgotten before the next one; how long it takes.
#[track_caller]
fn join_and_forget(client: &Client, name: &str, count: usize) -> Duration {
    let start = Instant::now();
    for n in 0..count {
        let socket = client.manager().socket(&format!("/{name}-{n}")).unwrap();
        socket.wait_connected(LIMIT).unwrap();
    }
    start.elapsed()
}

#[test]
fn namespaces_that_were_forgotten_slow_down_nothing() {
    for options in [HostileOptions::v4(), HostileOptions::v3()] {
        let _name = CaseName::new(&options);
        let server = options.start();
        let client = Client::start(Via::WebSocket.builder(server.url()));
        let session = server.session();
        client.connected();
        // Of a few times: the machine may have had other things to do.
        let quickest = |name: &str| {
            let pass = |number: usize| join_and_forget(&client, &format!("{name}-{number}"), 300);
            (0..3).map(pass).min().unwrap()
        };
        let first = quickest("first");
        // Some that were joined, many that were not, and those with something that waits.
        join_and_forget(&client, "joined", 1000);
        for n in 0..4000 {
            let idle = SocketOptions::new().auto_connect(false);
            let socket = client.manager().socket_with(&format!("/idle-{n}"), idle).unwrap();
            socket.on("news", |_| ()).unwrap();
            let _unread = (socket.subscribe("news"), socket.status());
            socket.emit("kept", n).unwrap();
        }
        let last = quickest("last");
        assert!(last < 4 * first + Duration::from_millis(500), "{first:?}, later {last:?}");
        let flood = client.subscribe("flood");
        session.burst(1000, 50);
        for n in 0..1000 {
            assert_eq!(flood.recv_timeout(LIMIT).unwrap().arg::<usize>(0).unwrap(), n);
        }
        let start = Instant::now();
        client.manager().close(Duration::from_millis(200));
        assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    }
}

fn a_namespace_that_was_forgotten_can_be_joined_again(via: Via) {
    let client = via.connect(shared().url());
    let mut ids = std::collections::HashSet::new();
    for _ in 0..4 {
        let admin = client.connect_in("/admin");
        // Nothing of the one before is left.
        assert_eq!(admin.listener_count("news"), 0);
        let (sender, called) = crossbeam_channel::unbounded();
        admin.on("news", move |_| sender.send(()).unwrap()).unwrap();
        admin.emit("send-me", "news").unwrap();
        recv_within(&called, LIMIT);
        assert!(ids.insert(admin.id().unwrap()), "the old session");
        drop(admin);
        // What it captured is gone with it.
        assert!(called.recv_timeout(LIMIT).is_err_and(|error| error.is_disconnected()));
    }
    client.works();
}

fn an_answer_for_a_namespace_that_was_forgotten_is_for_nobody(via: Via) {
    let client = via.connect(shared().url());
    for n in 0..5_usize {
        let admin = client.start_in("/admin");
        let mut ack = admin.emit_with_ack("sum", (n, 1)).unwrap();
        let flood = admin.subscribe("flood");
        admin.emit("flood", (10, 10)).unwrap();
        drop((flood, admin));
        // It may have been sent and answered already. Else nobody waits for it.
        let answer = ack.wait_timeout::<usize>(LIMIT);
        assert!(answer.as_ref().map_or_else(|error| !error.is_timeout(), |sum| *sum == n + 1));
        // The next of this name has its own.
        let admin = client.start_in("/admin");
        let flood = admin.subscribe_any();
        admin.works();
        assert!(flood.is_empty(), "{flood:?}");
    }
}
