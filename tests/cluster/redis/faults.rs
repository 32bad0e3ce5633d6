//! Redis that is away, and servers that are.

use std::time::{Duration, Instant};

use serde_json::json;
use siot::server::{RedisAdapter, RedisEmitter, Server};
use siot::{Error, ErrorKind};

use super::members::{know_each_other, node, process, siot};
use super::redis_server::{RedisClient, RedisServer};
use crate::member::{Guest, Member};
use crate::support::program::Program;
use crate::support::{Client, LIMIT, Via, alone, eventually, fds, recv_within, threads};

fn bind(adapter: RedisAdapter) -> Server {
    Server::builder().adapter(adapter).cluster_timeout(LIMIT).bind("127.0.0.1:0").expect("a server")
}

fn url_of(server: &Server) -> String {
    format!("http://{}", server.local_addrs()[0])
}

#[track_caller]
fn connected(server: &Server) {
    eventually(LIMIT, "a connection to Redis", || {
        server.cluster_stats().is_some_and(|stats| stats.is_connected)
    });
}

#[test]
fn local_clients_are_served_while_redis_is_away_at_the_start() {
    let mut redis = RedisServer::idle();
    let servers = [(); 2].map(|()| bind(RedisAdapter::new(redis.url())));
    let clients =
        servers.each_ref().map(|one| Client::connect(Via::WebSocket.builder(url_of(one))));
    let events = clients.each_ref().map(|client| client.subscribe_any());
    let report = servers[0].emit("early", 1).unwrap();
    assert_eq!((report.queued, report.is_unpublished), (1, false));
    assert_eq!(recv_within(events[0].receiver(), LIMIT).name(), "early");
    let start = Instant::now();
    let fetched = servers[0].all().fetch_sockets().unwrap();
    assert_eq!(fetched.answers.len(), 1);
    let missing = fetched.missing.expect("an error");
    assert_eq!(missing.kind(), ErrorKind::Transport, "{missing}");
    assert_eq!(servers[0].count_servers().unwrap_err().kind(), ErrorKind::Transport);
    assert!(start.elapsed() < LIMIT, "nobody waits for a Redis that is known to be away");
    redis.run();
    servers.iter().for_each(connected);
    servers[1].emit("late", 2).unwrap();
    assert_eq!(recv_within(events[0].receiver(), LIMIT).name(), "late");
}

#[test]
fn what_is_emitted_while_redis_is_away_waits_for_it_in_order() {
    let mut redis = RedisServer::start();
    let servers = [(); 2].map(|()| bind(RedisAdapter::new(redis.url())));
    servers.iter().for_each(connected);
    let client = Client::connect(Via::WebSocket.builder(url_of(&servers[1])));
    let events = client.subscribe_any();
    redis.kill();
    for server in &servers {
        eventually(LIMIT, "a loss that is noticed", || {
            server.count_servers().is_err_and(|error| error.kind() == ErrorKind::Transport)
        });
    }
    for number in 0..100 {
        assert!(!servers[0].emit("n", number).unwrap().is_unpublished);
    }
    redis.run();
    connected(&servers[1]);
    connected(&servers[0]);
    servers[0].emit("end", ()).unwrap();
    let mut came = Vec::new();
    loop {
        let event = recv_within(events.receiver(), LIMIT);
        if event.name() == "end" {
            break;
        }
        came.push(event.arg::<u32>(0).unwrap());
    }
    // The one may be subscribed again before the other publishes, or after.
    let first = came.first().copied().unwrap_or(100);
    assert_eq!(came, (first..100).collect::<Vec<_>>());
    for server in &servers {
        let stats = server.cluster_stats().unwrap();
        assert_eq!((stats.gaps, stats.lost), (1, 0), "{stats:?}");
    }
}

#[test]
fn what_is_worth_nothing_later_is_for_local_clients_while_redis_is_away() {
    let redis = RedisServer::idle();
    let server = bind(RedisAdapter::new(redis.url()).drop_while_away(true));
    let client = Client::connect(Via::WebSocket.builder(url_of(&server)));
    let events = client.subscribe_any();
    let report = server.emit("now", ()).unwrap();
    assert_eq!((report.queued, report.is_unpublished), (1, true));
    assert_eq!(recv_within(events.receiver(), LIMIT).name(), "now");
    assert_eq!(server.server_side_emit("now", ()).unwrap_err().kind(), ErrorKind::Transport);
    assert_eq!(server.cluster_stats().unwrap().lost, 2);
}

#[test]
fn what_waits_for_redis_is_bounded() {
    let redis = RedisServer::idle();
    let adapter = RedisAdapter::new(redis.url()).queue_bytes(10_000);
    let server = bind(adapter);
    let large = "x".repeat(1000);
    let reports: Vec<_> =
        (0..100).map(|_| server.emit("n", &large).unwrap().is_unpublished).collect();
    let first = reports.iter().position(|is_unpublished| *is_unpublished).expect("a bound");
    assert!((5..100).contains(&first), "{first}");
    assert!(reports[first..].iter().all(|is_unpublished| *is_unpublished));
    assert_eq!(server.server_side_emit("n", &large).unwrap_err().kind(), ErrorKind::BufferFull);
    let lost = server.cluster_stats().unwrap().lost;
    assert_eq!(lost, 100 - first as u64 + 1);
}

#[test]
fn a_wrong_password_is_told_to_who_asks_and_to_nobody_else() {
    let redis = RedisServer::with_password("right");
    let right = bind(RedisAdapter::new(redis.url()));
    connected(&right);
    let wrong = bind(RedisAdapter::new(redis.url().replace("right", "wr0ng")));
    let said = |error: &Error| error.to_string().contains("authentication");
    eventually(LIMIT, "an error that tells", || {
        wrong.count_servers().is_err_and(|error| said(&error))
    });
    let error = wrong.count_servers().unwrap_err();
    assert!(!format!("{error:?} {error:#}").contains("wr0ng"), "{error:?}");
    assert_eq!(right.count_servers().unwrap(), 1);
    let error = RedisEmitter::new(redis.url().replace("right", "wr0ng")).emit("e", ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transport);
    RedisEmitter::new(redis.url()).emit("e", ()).unwrap();
}

#[test]
fn a_url_that_names_no_redis_is_refused_at_once() {
    let error = Server::builder()
        .adapter(RedisAdapter::new("http://u:secret@h/"))
        .bind("127.0.0.1:0")
        .map(drop)
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidUrl);
    assert!(!format!("{error:?}").contains("secret"));
}

#[test]
fn servers_of_ours_that_do_not_answer_are_counted() {
    who_does_not_answer_is_counted(process);
}

#[test]
fn servers_in_javascript_that_do_not_answer_are_counted() {
    who_does_not_answer_is_counted(node);
}

/// A server that hangs is one whose answer is missing, also when it is killed meanwhile, and one that was killed before is none.
#[track_caller]
fn who_does_not_answer_is_counted(start: fn(&'static str, &RedisServer) -> Member) {
    let redis = RedisServer::start();
    let adapter = || RedisAdapter::new(redis.url());
    // Long enough for those who do answer.
    let brief = Duration::from_secs(3);
    let asks =
        Server::builder().adapter(adapter()).cluster_timeout(brief).bind("127.0.0.1:0").unwrap();
    let [one, hangs] = [siot("one", &redis), start("hangs", &redis)];
    let _guests = [&one, &hangs].map(|member| Guest::enter(member, member.name, &["hall"]));
    eventually(LIMIT, "three", || asks.count_servers().is_ok_and(|count| count == 3));
    hangs.server::<Program>().signal("STOP");
    let who = asks.server_side_emit_with_ack("who", ()).unwrap();
    let replies = asks.to("hall").timeout(brief).emit_with_ack("ask", ()).unwrap();
    let fetched = asks.to("hall").fetch_sockets().unwrap();
    let again = asks.server_side_emit_with_ack("who", ()).unwrap();
    // Its connections are closed by the kernel.
    drop(hangs);
    let (who, replies) = (who.wait().unwrap(), replies.wait().unwrap());
    let came = (fetched.answers.len(), who.answers.len(), replies.answers.len());
    assert_eq!(came, (1, 1, 1), "{:?}", fetched.missing);
    for missing in [fetched.complete().unwrap_err(), who.missing.unwrap(), replies.missing.unwrap()]
    {
        assert_eq!(missing.kind(), ErrorKind::Timeout);
        assert!(missing.to_string().contains("1 of 2 other servers"), "{missing}");
    }
    assert!(again.wait().unwrap().missing.unwrap().to_string().contains("1 of 2 other servers"));
    eventually(LIMIT, "two", || asks.count_servers().is_ok_and(|count| count == 2));
    let asked = asks.server_side_emit_with_ack("who", ()).unwrap().wait().unwrap();
    assert_eq!(asked.complete().unwrap().len(), 1);
}

/// A Redis that hangs holds up no client, and nobody longer than the limit.
#[test]
fn a_redis_that_hangs_holds_up_no_local_client() {
    let redis = RedisServer::start();
    let brief = Duration::from_millis(300);
    let adapter = RedisAdapter::new(redis.url());
    let server =
        Server::builder().adapter(adapter).cluster_timeout(brief).bind("127.0.0.1:0").unwrap();
    connected(&server);
    let client = Client::connect(Via::WebSocket.builder(url_of(&server)));
    let events = client.subscribe_any();
    redis.freeze();
    for number in 0..1000 {
        server.emit("n", number).unwrap();
    }
    for number in 0..1000 {
        assert_eq!(recv_within(events.receiver(), LIMIT).arg::<u32>(0).unwrap(), number);
    }
    let error = server.count_servers().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Transport), "{error}");
    redis.thaw();
    connected(&server);
    eventually(LIMIT, "a count", || server.count_servers().is_ok_and(|count| count == 1));
}

/// A Redis that takes its time delays what is emitted, and nothing else.
#[test]
fn a_redis_that_is_slow_loses_nothing() {
    let redis = RedisServer::start();
    let [from, to] = [(); 2].map(|()| bind(RedisAdapter::new(redis.url())));
    [&from, &to].into_iter().for_each(connected);
    let client = Client::connect(Via::WebSocket.builder(url_of(&to)));
    let events = client.subscribe_any();
    redis.say(&[b"CLIENT", b"PAUSE", b"500", b"ALL"]);
    for number in 0..1000 {
        assert!(!from.emit("n", number).unwrap().is_unpublished);
    }
    for number in 0..1000 {
        assert_eq!(recv_within(events.receiver(), LIMIT).arg::<u32>(0).unwrap(), number);
    }
    for stats in [from.cluster_stats().unwrap(), to.cluster_stats().unwrap()] {
        assert_eq!((stats.lost, stats.gaps), (0, 0), "{stats:?}");
    }
}

#[test]
fn a_redis_with_too_many_clients_is_joined_when_it_has_room() {
    let redis = RedisServer::start();
    let mut other = RedisClient::connect(&redis);
    other.say(&[b"CONFIG", b"SET", b"maxclients", b"1"]);
    let server = bind(RedisAdapter::new(redis.url()));
    let client = Client::connect(Via::WebSocket.builder(url_of(&server)));
    let events = client.subscribe_any();
    eventually(LIMIT, "a connection that is refused", || {
        let counted = server.count_servers();
        counted.is_err_and(|error| error.to_string().contains("cannot connect to Redis"))
    });
    assert!(!server.emit("n", ()).unwrap().is_unpublished);
    assert_eq!(recv_within(events.receiver(), LIMIT).name(), "n");
    other.say(&[b"CONFIG", b"SET", b"maxclients", b"100"]);
    connected(&server);
    assert_eq!(server.count_servers().unwrap(), 1);
}

/// What is published is kept nowhere: it passes also where Redis refuses whatever takes memory.
#[test]
fn a_redis_that_is_full_passes_on_what_is_emitted() {
    let redis = RedisServer::start();
    let [from, to] = [(); 2].map(|()| bind(RedisAdapter::new(redis.url())));
    [&from, &to].into_iter().for_each(connected);
    redis.say(&[b"CONFIG", b"SET", b"maxmemory", b"1"]);
    assert!(redis.say(&[b"SET", b"key", b"value"]).starts_with(b"-OOM"));
    let client = Client::connect(Via::WebSocket.builder(url_of(&to)));
    let events = client.subscribe_any();
    for number in 0..100 {
        from.emit("n", number).unwrap();
        assert_eq!(recv_within(events.receiver(), LIMIT).arg::<u32>(0).unwrap(), number);
    }
    // Also who comes now.
    let late = bind(RedisAdapter::new(redis.url()));
    connected(&late);
    assert_eq!(late.count_servers().unwrap(), 3);
}

/// Redis keeps what a subscriber is to get, up to 32 MB by default; beyond that it cuts him off, and none of it is read.
#[test]
fn a_message_that_is_larger_than_redis_keeps_for_a_subscriber_is_a_gap() {
    let redis = RedisServer::start();
    let [from, to] = [(); 2].map(|()| bind(RedisAdapter::new(redis.url())));
    [&from, &to].into_iter().for_each(connected);
    let client = Client::connect(Via::WebSocket.builder(url_of(&to)));
    let events = client.subscribe_any();
    redis.say(&[b"PUBLISH", b"socket.io#/#", &vec![b'x'; 40 << 20]]);
    for server in [&from, &to] {
        eventually(LIMIT, "a gap", || server.cluster_stats().is_some_and(|stats| stats.gaps == 1));
        connected(server);
        assert_eq!(server.cluster_stats().unwrap().malformed, 0);
    }
    from.emit("on", ()).unwrap();
    assert_eq!(recv_within(events.receiver(), LIMIT).name(), "on");
}

#[test]
fn what_is_malformed_or_foreign_harms_nothing() {
    let redis = RedisServer::start();
    let [a, b] = [bind(RedisAdapter::new(redis.url())), bind(RedisAdapter::new(redis.url()))];
    connected(&a);
    connected(&b);
    let client = Client::connect(Via::WebSocket.builder(url_of(&b)));
    let events = client.subscribe_any();
    let channels =
        ["socket.io#/#", "socket.io#/#x#", "socket.io-request#/#", "socket.io-response#/#"];
    for channel in channels {
        for bytes in [
            &b""[..],
            b"{",
            b"{}",
            b"[]",
            b"\xff\xff",
            b"\x93",
            b"\xdd\xff\xff\xff\xff",
            b"{\"type\":4}",
            b"{\"type\":4,\"close\":true}",
            b"{\"type\":1e9}",
            b"null",
        ] {
            redis.say(&[b"PUBLISH", channel.as_bytes(), bytes]);
        }
    }
    a.emit("still", 1).unwrap();
    let event = recv_within(events.receiver(), LIMIT);
    assert_eq!((event.name(), client.socket.is_connected()), ("still", true));
    let stats = b.cluster_stats().unwrap();
    assert!(stats.malformed >= 30 && stats.gaps == 0, "{stats:?}");
}

/// A client that names a namespace can subscribe the server to nothing else.
#[test]
fn the_name_of_a_namespace_is_no_pattern() {
    let redis = RedisServer::start();
    let [a, b] = [(); 2].map(|()| bind(RedisAdapter::new(redis.url())));
    for server in [&a, &b] {
        server.of_dynamic(|_| true);
        connected(server);
    }
    let client = Client::connect(Via::WebSocket.builder(url_of(&b)));
    let star = client.connect_in("/*");
    let plain = client.connect_in("/a");
    let events = [&star, &plain].map(|client| client.subscribe_any());
    for name in ["/*", "/a"] {
        a.of(name);
    }
    connected(&a);
    connected(&b);
    a.of("/a").emit("for a", ()).unwrap();
    a.of("/*").emit("for the star", ()).unwrap();
    assert_eq!(recv_within(events[1].receiver(), LIMIT).name(), "for a");
    assert_eq!(recv_within(events[0].receiver(), LIMIT).name(), "for the star");
    assert_eq!(b.cluster_stats().unwrap().heard, 2);
}

/// Redis is killed again and again while all emit: each event comes once or not at all, in order, and all is well in the end.
#[test]
fn a_redis_that_is_killed_under_load_loses_little_and_nothing_twice() {
    let mut redis = RedisServer::start();
    let members = [siot("a", &redis), siot("b", &redis)];
    know_each_other(&members);
    let guest = Guest::enter(&members[1], "g", &["hall"]);
    let local = Guest::enter(&members[0], "l", &["hall"]);
    std::thread::scope(|scope| {
        let sends = scope.spawn(|| {
            for number in 0..300 {
                let args = json!([number]);
                members[0]
                    .does(json!({ "op": "emit", "to": ["hall"], "event": "n", "args": args }));
            }
        });
        for _ in 0..3 {
            redis.kill();
            redis.run();
        }
        sends.join().unwrap();
    });
    know_each_other(&members);
    members[0].does(json!({ "op": "emit", "event": "end" }));
    let numbers = |came: &[String]| -> Vec<u32> {
        let event = |json: &String| serde_json::from_str::<(String, u32)>(json).unwrap().1;
        came.iter().map(event).collect()
    };
    assert_eq!(numbers(&local.until_end()), (0..300).collect::<Vec<_>>());
    let came = numbers(&guest.until_end());
    assert!(came.is_sorted_by(|one, next| one < next), "{came:?}");
}

/// The last words of a server go out before it ends.
#[test]
fn what_a_server_emits_last_goes_out() {
    let redis = RedisServer::start();
    let other = siot("other", &redis);
    let last = bind(RedisAdapter::new(redis.url()));
    connected(&last);
    eventually(LIMIT, "two", || last.count_servers().is_ok_and(|count| count == 2));
    let guest = Guest::enter(&other, "g", &[]);
    for number in 0..500 {
        last.emit("n", number).unwrap();
    }
    last.emit("end", ()).unwrap();
    assert!(last.close(LIMIT));
    assert_eq!(guest.until_end().len(), 500);
}

#[cfg(feature = "rustls")]
#[test]
fn a_redis_with_tls_is_trusted_by_its_authority() {
    let redis = RedisServer::with_tls();
    let (url, pem) = redis.tls();
    let [plain, encrypted] =
        [bind(RedisAdapter::new(redis.url())), bind(RedisAdapter::new(&url).ca_pem(&pem))];
    for server in [&plain, &encrypted] {
        eventually(LIMIT, "two", || server.count_servers().is_ok_and(|count| count == 2));
    }
    let client = Client::connect(Via::WebSocket.builder(url_of(&encrypted)));
    let events = client.subscribe_any();
    plain.emit("one", ()).unwrap();
    RedisEmitter::new(&url).ca_pem(&pem).emit("two", ()).unwrap();
    for name in ["one", "two"] {
        assert_eq!(recv_within(events.receiver(), LIMIT).name(), name);
    }
    // The system does not know the authority.
    let error = RedisEmitter::new(&url).emit("three", ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transport);
    let unreadable = RedisAdapter::new(&url).ca_pem("no PEM");
    assert!(Server::builder().adapter(unreadable).bind("127.0.0.1:0").is_err());
}

/// Threads and descriptors end with the server.
#[test]
fn nothing_is_left_of_a_server_that_has_closed() {
    alone(|| {
        let redis = RedisServer::start();
        let ours = || threads().into_iter().filter(|name| name.starts_with("siot-")).count();
        let round = || {
            let server = bind(RedisAdapter::new(redis.url()));
            connected(&server);
            server.emit("e", ()).unwrap();
            assert!(server.close(LIMIT));
            drop(server);
            eventually(LIMIT, "the end of all threads", || ours() == 0);
        };
        round();
        let before = fds();
        round();
        assert_eq!(fds(), before);
    });
}

/// The same where Redis is away: its end waits for nothing.
#[test]
fn a_server_closes_while_redis_is_away() {
    alone(|| {
        let redis = RedisServer::idle();
        let server = bind(RedisAdapter::new(redis.url()));
        server.emit("e", ()).unwrap();
        assert!(server.close(LIMIT));
        drop(server);
        let ours = || threads().into_iter().filter(|name| name.starts_with("siot-")).count();
        eventually(LIMIT, "the end of all threads", || ours() == 0);
    });
}
