//! Who comes in, and who does not.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use siot::Cors;

use super::ground::{Ground, attack};
use super::raw_http::{get, poll, post, text, upgrade};
use crate::support::logged::{capture_log, lines, wait_for_line};
use crate::support::{CaseName, LIMIT, eventually};

#[test]
fn whoever_begins_a_session_is_decided_about_whatever_else_the_query_says() {
    attack(|| {
        let asked = Arc::<AtomicUsize>::default();
        let count = Arc::clone(&asked);
        let mut ground = Ground::new(move |builder| {
            builder.allow_request(move |request| {
                count.fetch_add(1, Ordering::SeqCst);
                !request.url().contains("evil")
            })
        });
        for query in [
            "EIO=4&transport=polling&evil",
            "EIO=4&transport=polling&evil&sid=",
            "EIO=4&transport=polling&evil&xsid=1",
            "EIO=4&transport=polling&evil&x=sid=",
            "sid=&EIO=4&transport=polling&evil",
            "EIO=4&transport=polling&evil&%73id=",
        ] {
            let _name = CaseName::new(query);
            let mut client = ground.connect();
            assert_eq!(client.say(get(query, "")).response().status, 403);
            let websocket = query.replace("polling", "websocket");
            let mut client = ground.connect();
            assert_eq!(client.say(upgrade(&websocket)).response().status, 403);
        }
        let before = asked.load(Ordering::SeqCst);
        let mut client = ground.connect();
        let sid = client.join();
        client.say(post(&sid, "1")).response();
        assert_eq!(asked.load(Ordering::SeqCst), before + 1, "once for a session");
        drop(client);
        ground.is_unharmed();
    });
}

/// CVE-2019-13611.
#[test]
fn pages_of_other_origins_get_nothing_by_any_kind_of_request() {
    attack(|| {
        let mut ground = Ground::new(|builder| {
            builder.hosts(["gw.local"]).cors(Cors::new().origin("https://app.example"))
        });
        let mut client = ground.connect();
        let sid = client.join();
        let own = format!("EIO=4&transport=polling&sid={sid}");
        let websocket = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        for origin in [
            "http://evil.example",
            "null",
            "http://localhost.evil.example",
            "https://app.example.evil.example",
            "https://app.example, http://evil.example",
            "https://app.example\r\nOrigin: http://evil.example",
        ] {
            let _name = CaseName::new(origin);
            for (method, query, lines) in [
                ("GET", "EIO=4&transport=polling", ""),
                ("GET", own.as_str(), ""),
                ("POST", own.as_str(), "Content-Length: 2\r\n"),
                ("OPTIONS", own.as_str(), ""),
                ("GET", "EIO=4&transport=websocket", websocket),
                ("GET", &own.replace("polling", "websocket"), websocket),
            ] {
                let mut page = ground.connect();
                let response = page
                    .say(format!(
                        "{method} /socket.io/?{query} HTTP/1.1\r\nHost: localhost\r\n\
                         Origin: {origin}\r\n{lines}\r\n"
                    ))
                    .response();
                assert_eq!(response.status, 403, "{method} {query}: {response:?}");
                assert!(
                    !response.head.contains("access-control-allow-origin: http"),
                    "{response:?}"
                );
            }
        }
        // A name that leads here, but is not ours.
        for (host, status) in
            [("evil.example", 403), ("gw.local.evil.example", 403), ("gw.local", 200)]
        {
            let request =
                format!("GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: {host}\r\n\r\n");
            assert_eq!(ground.connect().say(request).response().status, status, "{host}");
        }
        // The session has suffered nothing.
        assert_eq!(client.say(post(&sid, r#"420["echo",1]"#)).response().body, "ok");
        assert_eq!(client.say(poll(&sid)).response().body, "430[1]");
        ground.stands();
    });
}

/// CVE-2026-102599.
#[test]
fn a_request_of_another_revision_changes_nothing() {
    attack(|| {
        for allow in [false, true] {
            let mut ground = Ground::new(|builder| builder.allow_eio3(allow));
            let unknown = ["EIO=5", "EIO=2", "EIO=x", "EIO=04"];
            for refused in unknown.iter().chain(if allow { &[][..] } else { &["EIO=3", ""] }) {
                for request in [
                    get(&format!("{refused}&transport=polling"), ""),
                    upgrade(&format!("{refused}&transport=websocket")),
                ] {
                    let _name = CaseName::new((allow, &request));
                    let mut client = ground.connect();
                    let response = client.say(request).response();
                    assert_eq!(response.status, 400);
                    assert!(response.body.starts_with(r#"{"code":5,"#), "{response:?}");
                    for packet in ["2", "3", "2probe", "40"] {
                        client.say(text(packet));
                    }
                }
            }
            for own in if allow { &["EIO=4", "EIO=3", ""][..] } else { &["EIO=4"] } {
                let opened =
                    ground.connect().say(get(&format!("{own}&transport=polling"), "")).response();
                assert_eq!(opened.status, 200);
                let (_, rest) = opened.body.split_once(r#""sid":""#).expect("a handshake");
                let sid = rest.split('"').next().expect("an id");
                for other in ["EIO=4", "EIO=3", "", "EIO=5", "EIO=2", "EIO=x", "EIO=04"] {
                    let _name = CaseName::new((allow, own, other));
                    let revision = |query: &str| {
                        if query.is_empty() { "EIO=3".into() } else { query.to_owned() }
                    };
                    if revision(own) == revision(other) {
                        continue;
                    }
                    for kind in ["polling", "a post", "websocket"] {
                        let query = format!("{other}&transport=polling&sid={sid}");
                        let request = match kind {
                            "polling" => get(&query, ""),
                            "a post" => post(sid, "2")
                                .replace(&format!("EIO=4&transport=polling&sid={sid}"), &query),
                            _ => upgrade(&query.replace("polling", "websocket")),
                        };
                        let mut client = ground.connect();
                        let response = client.say(request).response();
                        assert_eq!(response.status, 400, "{response:?}");
                        for packet in ["2", "3", "2probe", "5"] {
                            client.say(text(packet));
                        }
                    }
                }
                // It goes on in its own.
                let query = format!("{own}&transport=websocket&sid={sid}");
                let mut candidate = ground.connect();
                assert_eq!(candidate.say(upgrade(&query)).response().status, 101);
                candidate.say(text("2probe"));
                assert_eq!(candidate.message(), "3probe");
                candidate.say(text("5")).say(text("1"));
                candidate.rest();
            }
            ground.is_unharmed();
        }
    });
}

/// CVE-2026-59724, CVE-2023-31125.
#[test]
fn sessions_and_transports_that_do_not_exist_are_refused() {
    attack(|| {
        let mut ground = Ground::new(|builder| builder);
        let mut client = ground.connect();
        let sid = client.join();
        for (query, code) in [
            ("transport=polling&sid=__proto__", 1),
            ("transport=polling&sid=%00", 1),
            ("transport=polling&sid=../", 1),
            ("transport=polling&sid=AAAAAAAAAAAAAAAAAAAA", 1),
            (&format!("transport=polling&sid={}", "x".repeat(10_000)), 1),
            (&format!("transport=polling&sid={}", sid.to_ascii_lowercase()), 1),
            (&format!("transport=polling&sid={}%00", &sid[..19]), 1),
            (&format!("transport=polling&sid={sid}%20"), 1),
            (&format!("transport=polling&sid=%25{:x}{}", sid.as_bytes()[0], &sid[1..]), 1),
            (&format!("transport=polling&sid={sid}&%73id={sid}"), 3),
            (&format!("transport=polling&sid={sid}&sid={sid}"), 3),
            (&format!("transport=polling&sid={sid}x"), 1),
            (&format!("transport=websocket&sid={sid}"), 3),
            ("transport=constructor", 0),
            ("transport=%00", 0),
            ("transport[]=polling", 0),
            ("", 0),
            ("transport=polling&transport=polling", 3),
        ] {
            let _name = CaseName::new(query);
            let response = ground.connect().say(get(&format!("EIO=4&{query}"), "")).response();
            assert_eq!(response.status, 400);
            assert!(response.body.starts_with(&format!(r#"{{"code":{code},"#)), "{response:?}");
        }
        // Those that are no request at all.
        for (sid, status) in [("x".repeat(1_000_000), 414), ("\0".to_owned(), 400)] {
            let request = get(&format!("EIO=4&transport=polling&sid={sid}"), "");
            assert_eq!(ground.connect().say(request).response().status, status);
        }
        // An empty one is none: a session begins. An escaped one is what it stands for.
        let mut other = ground.connect();
        let begun = other.say(get("EIO=4&transport=polling&sid=", "")).response();
        let (_, rest) = begun.body.split_once(r#""sid":""#).expect("a handshake");
        let own = rest.split('"').next().expect("an id");
        assert_eq!(other.say(post(own, "1")).response().body, "ok");
        let escaped = format!("%{:02x}{}", sid.as_bytes()[0], &sid[1..]);
        assert_eq!(client.say(post(&escaped, "1")).response().body, "ok");
        drop((client, other));
        ground.is_unharmed();
    });
}

#[test]
fn nothing_is_left_of_a_client_that_was_refused() {
    attack(|| {
        let mut ground = Ground::new(|builder| builder);
        let token = Arc::new(());
        let held = Arc::downgrade(&token);
        ground.server.of("/closed").authorize(move |socket| {
            let (own, token) = (socket.clone(), Arc::clone(&token));
            socket.on("x", move |_| drop((own.id().to_owned(), Arc::clone(&token)))).unwrap();
            Err("no".into())
        });
        let mut client = ground.connect();
        client.websocket();
        for _ in 0..10 {
            client.say(text("40/closed,"));
            assert!(client.message().starts_with("44/closed,"));
        }
        drop(client);
        ground.is_unharmed();
        eventually(LIMIT, "only the function has it", || held.strong_count() == 1);
    });
}

/// Who runs the server hears why its clients do not come in, and one that comes again and again fills no disk.
#[test]
fn whoever_is_turned_away_is_told_why_and_the_log_has_a_line_for_each_cause() {
    attack(|| {
        capture_log(log::LevelFilter::Warn);
        let mut ground = Ground::new(|builder| {
            builder.hosts(["gw.local"]).max_connections_per_address(8).max_connections(10)
        });
        let mut client = ground.connect();
        let mut refused = None;
        for _ in 0..50 {
            let response = client.say(get("EIO=4&transport=polling", "")).response();
            refused = Some(response).filter(|response| response.status != 200).or(refused);
        }
        let refused = refused.expect("there is an end");
        assert_eq!((refused.status, refused.body.as_str()), (503, "Too many clients"));
        assert!(refused.head.contains("\r\nretry-after: 5\r\n"), "{}", refused.head);
        for _ in 0..50 {
            for (lines, host) in
                [("Origin: http://evil.example\r\n", "localhost"), ("", "evil.example")]
            {
                let request = get("EIO=4&transport=polling", lines).replace("localhost", host);
                assert_eq!(client.say(request).response().status, 403);
            }
        }
        let crowd: Vec<_> = (0..20).map(|_| ground.connect()).collect();
        let said = wait_for_line("a connection", |line| line.text.contains("a connection is"));
        assert!(said.text.contains("`max_connections_per_address` is how many 127.0.0.1 may have"));
        for part in [
            "a client of 127.0.0.1 is refused (503): `max_connections_per_address`",
            r#"its origin "http://evil.example" is none that `cors` lets in"#,
            r#"its host "evil.example" is none that `hosts` has"#,
            "a connection is closed at once",
        ] {
            let told = lines().iter().filter(|line| line.text.contains(part)).count();
            assert_eq!(told, 1, "{part}: {:?}", lines());
        }
        drop((client, crowd));
        ground.ask();
    });
}
