//! Much of what is allowed once.

use crossbeam_channel::{bounded, unbounded};

use super::ground::{Ground, attack};
use super::raw_http::{RawHttp, get, post, text, upgrade};
use crate::support::process::again;
use crate::support::{LIMIT, eventually};

#[test]
fn sessions_that_need_no_connection_are_counted_as_if_they_did() {
    attack(|| {
        let mut ground = Ground::new(|builder| builder.max_connections(50));
        let mut client = ground.connect();
        let mut taken = 0;
        for _ in 0..1000 {
            let response = client.say(get("EIO=4&transport=polling", "")).response();
            match response.status {
                200 => taken += 1,
                status => assert_eq!(status, 503, "{response:?}"),
            }
        }
        assert_eq!(taken, 49);
        assert_eq!(ground.server.clients(), 50);
        ground.stands();
    });
}

#[test]
fn sessions_of_one_address_are_bounded_too() {
    attack(|| {
        let mut ground = Ground::new(|builder| builder.max_connections_per_address(20));
        let mut client = ground.connect();
        let query = get("EIO=4&transport=polling", "");
        let taken: Vec<_> = (0..100)
            .filter_map(|_| {
                let response = client.say(&query).response();
                let (_, rest) = response.body.split_once(r#""sid":""#)?;
                Some(rest.split('"').next()?.to_owned())
            })
            .collect();
        assert_eq!(taken.len(), 19, "one is the other client's");
        assert_eq!(client.say(post(&taken[0], "1")).response().body, "ok");
        assert_eq!(client.say(&query).response().status, 200, "there is room again");
        ground.stands();
    });
}

/// Runs the calling test's closure in a process of its own that may have few descriptors.
#[track_caller]
fn with_few_descriptors<F: FnOnce()>(body: F) {
    let start = |program| {
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", r#"ulimit -n 128; exec "$0" "$@""#]).arg(program);
        shell
    };
    if again::<F>(start) {
        body();
    }
}

#[test]
fn a_server_without_descriptors_keeps_its_clients_and_accepts_again() {
    with_few_descriptors(|| {
        let mut ground = Ground::new(|builder| builder);
        let mut client = ground.connect();
        let sid = client.join();
        let mut hoard: Vec<_> =
            std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()).collect();
        // Each connection that the server takes needs two, and the last one has one.
        hoard.truncate(hoard.len() - 9);
        let address = ground.server.local_addrs()[0];
        let mut waiting = Vec::new();
        // accept(2) takes one for a moment before it finds that nobody waits.
        eventually(LIMIT, "more have connected than it can take", || {
            let connected = std::iter::from_fn(|| std::net::TcpStream::connect(address).ok());
            waiting.extend(connected.map(RawHttp::over));
            waiting.len() > 4
        });
        ground.ask();
        assert_eq!(client.say(post(&sid, r#"420["echo",1]"#)).response().body, "ok");
        assert_eq!(client.say(super::raw_http::poll(&sid)).response().body, "430[1]");
        drop(hoard);
        for mut late in waiting {
            assert_eq!(late.say(get("", "")).response().status, 400);
        }
        client.say(post(&sid, "1")).response();
        drop(client);
        ground.is_unharmed();
    });
}

#[test]
fn a_socket_that_is_gone_counts_until_its_handlers_have_seen_it() {
    attack(|| {
        let mut ground = Ground::new(|builder| builder);
        let (release, gate) = bounded::<()>(0);
        let (told, seen) = unbounded();
        ground.server.of("/churn").on_connection(move |_| {
            let _ = told.send(());
            let _ = gate.recv();
        });
        let mut client = ground.connect();
        client.websocket();
        for _ in 0..1000 {
            client.say(text("40/churn,")).say(text("41/churn,"));
        }
        client.rest();
        drop((client, release));
        eventually(LIMIT, "all are handled", || seen.len() == 64);
        ground.is_unharmed();
        assert_eq!(seen.len(), 64);
    });
}

#[test]
fn clients_who_come_and_go_faster_than_handlers_are_held_off() {
    attack(|| {
        let mut ground = Ground::new(|builder| builder.max_connections(100).workers(4));
        let (release, gate) = bounded::<()>(0);
        let waits = move || {
            let _ = gate.recv();
        };
        let (told, seen) = unbounded();
        let (counts, count, wait) = (told.clone(), told, waits.clone());
        ground.server.of("/slow").on_connection(move |_| {
            let _ = counts.send(());
            wait();
        });
        ground.server.of("/picky").authorize(move |_| {
            let _ = count.send(());
            waits();
            Ok(())
        });
        let mut refused = 0;
        for number in 0..500 {
            let mut client = ground.connect();
            let response = client.say(upgrade("EIO=4&transport=websocket")).try_response();
            if response.is_none_or(|response| response.status == 503) {
                refused += 1;
                continue;
            }
            client.message();
            client.say(text(if number % 2 == 0 { "40/slow," } else { "40/picky," }));
            client.say(text("1"));
            client.rest();
        }
        assert!(refused >= 400, "{refused}");
        drop(release);
        eventually(LIMIT, "all are handled", || seen.len() == 500 - refused);
        ground.is_unharmed();
        assert_eq!(
            ground.connect().say(upgrade("EIO=4&transport=websocket")).response().status,
            101
        );
    });
}

#[test]
fn upgrades_that_nobody_finishes_are_given_up() {
    attack(|| {
        let brief = std::time::Duration::from_millis(500);
        let mut ground = Ground::new(|builder| builder.upgrade_timeout(brief));
        for _ in 0..10 {
            let clients: Vec<_> = (0..100)
                .map(|_| {
                    let mut client = ground.connect();
                    let sid = client.open();
                    let query = format!("EIO=4&transport=websocket&sid={sid}");
                    let mut candidate = ground.connect();
                    candidate.say(upgrade(&query));
                    (client, candidate, sid)
                })
                .collect();
            ground.stands();
            for (mut client, mut candidate, sid) in clients {
                assert_eq!(candidate.response().status, 101);
                candidate.rest();
                assert_eq!(client.say(post(&sid, "1")).response().body, "ok");
            }
        }
        ground.is_unharmed();
    });
}

#[test]
fn connections_beyond_the_bounds_are_closed() {
    attack(|| {
        let mut ground = Ground::new(|builder| builder.max_connections_per_address(20));
        let mut clients: Vec<_> = (0..60).map(|_| ground.connect()).collect();
        let answered =
            clients.iter_mut().filter_map(|client| client.say(get("", "")).try_response()).count();
        assert_eq!(answered, 19, "one is the other client's");
        drop(clients);
        ground.is_unharmed();
        assert_eq!(ground.connect().say(get("", "")).response().status, 400);
    });
}

#[test]
fn floods_of_what_means_nothing_change_nothing() {
    attack(|| {
        let mut ground = Ground::new(|builder| builder);
        let unknown: Vec<u8> = (0..3000).flat_map(|n| text(&format!("40/nowhere{n},"))).collect();
        let acks: Vec<u8> = (0..3000).flat_map(|n| text(&format!("43{n}[]"))).collect();
        for (flood, joins) in [
            (unknown, true),
            (acks, true),
            (text("3").repeat(100_000), true),
            // CVE-2026-48802: of somebody who has yet to say who it is.
            (text("3").repeat(100_000), false),
            (text("6").repeat(100_000), true),
        ] {
            let mut client = ground.connect();
            client.websocket();
            if joins {
                client.say(text("40"));
                client.message();
            }
            client.say(&flood);
            ground.stands();
            drop(client);
            ground.is_unharmed();
        }
    });
}

/// CVE-2026-48802: until somebody has joined, it costs a little memory and nothing else.
#[test]
fn a_thousand_sessions_that_join_nothing_take_no_thread_and_little_memory() {
    attack(|| {
        let mut ground = Ground::new(|builder| builder);
        ground.server.authorize(|_| Ok(()));
        let before = (crate::support::threads().len(), super::ground::memory());
        let mut client = ground.connect();
        let sids: Vec<_> = (0..1000).map(|_| client.open()).collect();
        let websockets: Vec<_> = (0..100)
            .map(|_| {
                let mut websocket = ground.connect();
                websocket.websocket();
                websocket.say(text("3"));
                websocket
            })
            .collect();
        assert_eq!(ground.server.clients(), 1 + 1000 + 100);
        assert!(crate::support::threads().len() <= before.0);
        let grown = super::ground::memory().saturating_sub(before.1);
        assert!(grown < 8 * 1024 * 1024, "{} KiB", grown / 1024);
        ground.stands();
        for sid in sids {
            assert_eq!(client.say(post(&sid, "1")).response().body, "ok");
        }
        drop((client, websockets));
        ground.is_unharmed();
    });
}
