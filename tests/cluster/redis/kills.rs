//! Servers in processes of their own, and Redis, killed under load.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use serde_json::json;

use super::members::{all_is_well, know_each_other, node, process, process_at};
use super::redis_server::RedisServer;
use crate::member::{Guest, Member, to};
use crate::support::program::Program;
use crate::support::{JsClient, LIMIT, Via, eventually};

/// How many events each server emits.
const EACH: u64 = 3000;

/// What came of each sender, by its name.
type Came = BTreeMap<String, Vec<u64>>;

/// Clients of each kind at one member, all in a room.
struct Watch {
    ours: Vec<Guest>,
    js: JsClient,
}

impl Watch {
    #[track_caller]
    fn enter(member: &Member) -> Self {
        let ours = [Via::WebSocket, Via::Polling, Via::Upgrade].map(|via| {
            Guest::enter_via(via, member, &format!("{} {via:?}", member.name), &["hall"])
        });
        let js = JsClient::connect(4, Via::WebSocket, &member.url);
        js.ask("join", json!(["hall"]));
        Self { ours: ours.into(), js }
    }

    /// What has come to each of them until so many senders have ended.
    #[track_caller]
    fn until_ends(&self, senders: usize) -> Vec<(String, Came)> {
        let from_js = || {
            let mut told = self.js.take("event");
            let args = told["args"].take();
            (told["name"].as_str().unwrap().to_owned(), args)
        };
        let of_js = ("js".to_owned(), until_ends(senders, from_js));
        let of_ours = self.ours.iter().map(|guest| {
            let from_guest = || {
                let event = guest.next();
                let mut parts: Vec<serde_json::Value> = serde_json::from_str(event.json()).unwrap();
                parts.remove(0);
                (event.name().to_owned(), json!(parts))
            };
            (guest.name.clone(), until_ends(senders, from_guest))
        });
        of_ours.chain([of_js]).collect()
    }
}

fn until_ends(senders: usize, mut next: impl FnMut() -> (String, serde_json::Value)) -> Came {
    let mut came = Came::new();
    let mut ended = 0;
    while ended < senders {
        let (name, args) = next();
        match &*name {
            "end" => ended += 1,
            _ => came
                .entry(args[0].as_str().expect("a sender").to_owned())
                .or_default()
                .push(args[1].as_u64().expect("a number")),
        }
    }
    came
}

fn flood(member: &Member) {
    member.does(to(
        "flood",
        &["hall"],
        json!({ "event": "n", "args": [member.name], "count": EACH }),
    ));
}

fn end(members: &[Member]) {
    for member in members {
        member.does(to("emit", &["hall"], json!({ "event": "end" })));
    }
}

#[test]
fn a_server_that_is_killed_under_load_takes_nobody_with_it() {
    let redis = RedisServer::start();
    let mut members = vec![process("a", &redis), node("js", &redis), process("b", &redis)];
    all_is_well(&members);
    let watches: Vec<_> = members.iter().map(Watch::enter).collect();
    let killed = members.pop().expect("the one that is killed");
    let emitted = AtomicU64::new(0);
    thread::scope(|scope| {
        for member in &members {
            scope.spawn(|| flood(member));
        }
        // It emits until it is gone.
        let emits = scope.spawn(|| {
            loop {
                let args = json!([killed.name, emitted.load(Ordering::Relaxed)]);
                let operation = to("emit", &["hall"], json!({ "event": "n", "args": args }));
                if killed.asks(&operation).is_err() {
                    break;
                }
                emitted.fetch_add(1, Ordering::Relaxed);
            }
        });
        eventually(LIMIT, "one that emits", || emitted.load(Ordering::Relaxed) > 100);
        killed.server::<Program>().signal("KILL");
        // Before attempts to come back push that out of the statuses that are kept.
        watches[2].ours.iter().for_each(Guest::leaves);
        drop(watches[2].js.disconnected());
        emits.join().unwrap();
    });
    know_each_other(&members);
    end(&members);
    for watch in &watches[..2] {
        for (watcher, mut came) in watch.until_ends(2) {
            let last = came.remove("b").unwrap_or_default();
            assert!(last.iter().copied().eq(0..last.len() as u64), "{watcher}: {last:?}");
            let whole = || (0..EACH).collect::<Vec<_>>();
            let expected = [("a".to_owned(), whole()), ("js".to_owned(), whole())];
            assert_eq!(came, Came::from(expected), "{watcher}");
        }
    }
    let port = killed.url.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).expect("a port");
    drop(killed);
    members.push(process_at("b", port, &redis));
    know_each_other(&members);
    // They come back by themselves, and are in no room then.
    watches[2].ours.iter().for_each(Guest::comes_back);
    members[0].does(json!({ "op": "emit", "event": "back" }));
    for guest in &watches[2].ours {
        while guest.next().name() != "back" {}
    }
    drop(watches);
    all_is_well(&members);
}

/// Clients get all that their own server emits, in order, and of the others no event twice or too late.
#[test]
fn a_redis_that_is_killed_under_load_takes_no_server_with_it() {
    let mut redis = RedisServer::start();
    let members = [process("a", &redis), node("js", &redis), process("b", &redis)];
    know_each_other(&members);
    let watches: Vec<_> = members.iter().map(Watch::enter).collect();
    thread::scope(|scope| {
        for member in &members {
            scope.spawn(|| flood(member));
        }
        for _ in 0..2 {
            redis.kill();
            redis.run();
        }
    });
    know_each_other(&members);
    end(&members);
    for (watch, at) in watches.iter().zip(&members) {
        for (watcher, came) in watch.until_ends(3) {
            for (sender, numbers) in &came {
                let is_sorted = numbers.is_sorted_by(|one, next| one < next);
                assert!(is_sorted, "{watcher} from {sender}: {numbers:?}");
            }
            assert_eq!(came[at.name], (0..EACH).collect::<Vec<_>>(), "{watcher} from its own");
        }
    }
    drop(watches);
    all_is_well(&members);
}
