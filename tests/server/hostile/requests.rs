//! Requests as no client writes them.

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::ground::{Ground, attack};
use super::raw_http::{RawHttp, get};
use crate::support::{CaseName, alone};
use siot::Cors;

/// Has a connection filled with these bytes again and again, and what comes back dropped, until `over`.
fn flood(
    client: &RawHttp,
    bytes: Vec<u8>,
    over: &Arc<AtomicBool>,
) -> Vec<std::thread::JoinHandle<()>> {
    let half = || client.stream().try_clone().expect("a descriptor");
    let (mut inward, mut outward) = (half(), half());
    let is_over = Arc::clone(over);
    let writer = std::thread::spawn(move || {
        while !is_over.load(Ordering::SeqCst) && inward.write_all(&bytes).is_ok() {}
        let _ = inward.shutdown(std::net::Shutdown::Both);
    });
    let reader = std::thread::spawn(move || {
        let mut dropped = vec![0; 1 << 20];
        while outward.read(&mut dropped).is_ok_and(|count| count > 0) {}
    });
    vec![writer, reader]
}

#[test]
fn requests_without_end_take_nobody_elses_turn() {
    attack(|| {
        let mut ground = Ground::new(|builder| builder);
        let nowhere = b"GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(10_000);
        let over = Arc::<AtomicBool>::default();
        let client = ground.connect();
        let threads = flood(&client, nowhere, &over);
        for _ in 0..20 {
            ground.ask();
        }
        over.store(true, Ordering::SeqCst);
        for thread in threads {
            thread.join().expect("no panic");
        }
        drop(client);
        ground.is_unharmed();
    });
}

#[test]
fn what_comes_behind_a_refusal_takes_nobody_elses_turn() {
    attack(|| {
        let mut ground = Ground::new(|builder| builder);
        let over = Arc::<AtomicBool>::default();
        let mut clients: Vec<_> = (0..4).map(|_| ground.connect()).collect();
        let mut threads = Vec::new();
        for client in &mut clients {
            client.say("nonsense\r\n\r\n");
            threads.extend(flood(client, vec![b'x'; 4 << 20], &over));
        }
        for _ in 0..20 {
            ground.ask();
        }
        over.store(true, Ordering::SeqCst);
        for thread in threads {
            thread.join().expect("no panic");
        }
        drop(clients);
        ground.is_unharmed();
    });
}

#[test]
fn what_two_readers_could_read_differently_is_refused_and_ends_the_connection() {
    attack(|| {
        let mut ground = Ground::new(|builder| builder);
        let smuggled =
            "0\r\n\r\nGET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\n\r\n";
        let with = |lines: &str| {
            format!(
                "POST /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\n{lines}\r\n{smuggled}"
            )
        };
        let many = "X: y\r\n".repeat(2000);
        let long = format!("X: {}\r\n", "y".repeat(70_000));
        let cases: Vec<(&str, String, u16)> = vec![
            ("both lengths", with("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"), 400),
            ("two lengths", with("Content-Length: 3\r\nContent-Length: 4\r\n"), 400),
            ("the same length twice", with("Content-Length: 3\r\nContent-Length: 3\r\n"), 400),
            ("a signed length", with("Content-Length: +3\r\n"), 400),
            ("a list of lengths", with("Content-Length: 3, 3\r\n"), 400),
            ("chunked with a space", with("Transfer-Encoding: chunked \r\n"), 400),
            ("chunked, with a control character", with("Transfer-Encoding: \u{b}chunked\r\n"), 400),
            ("another coding", with("Transfer-Encoding: identity\r\n"), 400),
            ("two codings", with("Transfer-Encoding: gzip, chunked\r\n"), 400),
            ("a space before the colon", with("Transfer-Encoding : chunked\r\n"), 400),
            ("a folded line", with("X: a\r\n b\r\n"), 400),
            ("bare LF", "GET /socket.io/ HTTP/1.1\nHost: a\n\n".into(), 400),
            ("no Host", "GET /socket.io/ HTTP/1.1\r\n\r\n".into(), 400),
            ("two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n".into(), 400),
            ("HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".into(), 505),
            ("HTTP/0.9", "GET /\r\n\r\n".into(), 400),
            ("TLS", "\u{16}\u{3}\u{1}".into(), 400),
            ("many headers", get("", &many), 431),
            ("a long header", get("", &long), 431),
            ("a long target", get(&"x".repeat(70_000), ""), 414),
            ("an expectation", with("Expect: magic\r\n"), 417),
        ];
        for (name, request, status) in &cases {
            let _name = CaseName::new(name);
            let mut client = ground.connect();
            let response = client.say(request).response();
            // Some spellings are read as they were meant.
            assert_eq!(response.status, *status, "{response:?}");
            let rest = client.rest();
            assert!(rest.is_empty(), "{}", String::from_utf8_lossy(&rest));
            drop(client);
        }
        ground.is_unharmed();
    });
}

/// A proxy passes the body of a GET on, and takes what is answered to it for the answer to somebody else.
#[test]
fn a_body_that_no_request_of_its_kind_has_is_never_taken_for_the_next_request() {
    attack(|| {
        let mut ground = Ground::new(|builder| builder.cors(Cors::new().origin_if(|_| true)));
        let mut bystander = ground.connect();
        let sid = bystander.join();
        let smuggled = get("EIO=4&transport=polling", "");
        let length = smuggled.len();
        let known = format!("Content-Length: {length}\r\n\r\n{smuggled}");
        let chunked =
            format!("Transfer-Encoding: chunked\r\n\r\n{length:x}\r\n{smuggled}\r\n0\r\n\r\n");
        let poll = format!("EIO=4&transport=polling&sid={sid}");
        for query in ["EIO=4&transport=polling", poll.as_str(), "EIO=9", "transport=websocket"] {
            for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"] {
                for origin in ["", "Origin: http://elsewhere\r\n"] {
                    for body in [&known, &chunked] {
                        let head = format!(
                            "{method} /socket.io/?{query} HTTP/1.1\r\nHost: localhost\r\n{origin}"
                        );
                        let request = [&head, body.as_str()].concat();
                        let _name = CaseName::new(&request);
                        let mut client = ground.connect();
                        client.say(&request);
                        if method == "GET" && query == poll {
                            // It waits, and is answered when there is something to say.
                            let echo = super::raw_http::post(&sid, r#"420["echo",1]"#);
                            assert_eq!(bystander.say(echo).response().body, "ok");
                        }
                        let answers = String::from_utf8_lossy(&client.rest()).into_owned();
                        assert_eq!(answers.matches("HTTP/1.1 ").count(), 1, "{answers}");
                    }
                }
            }
        }
        drop(bystander);
        ground.stands();
    });
}

#[test]
fn requests_of_other_forms_are_answered_as_they_should_be() {
    attack(|| {
        let mut ground = Ground::new(|builder| builder);
        let local = "HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let query = "EIO=4&transport=polling";
        for (request, status, ends) in [
            (format!("GET http://localhost/socket.io/?{query} {local}"), 200, false),
            (format!("GET HTTP://localhost/socket.io/?{query} {local}"), 200, false),
            (format!("GET /socket%2eio/?{query} {local}"), 200, false),
            (format!("GET /socket.io/?{query} HTTP/1.0\r\n\r\n"), 200, true),
            (
                format!("GET /socket.io/?{query} HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"),
                200,
                false,
            ),
            (format!("GET socket.io/?{query} {local}"), 400, true),
            (format!("GET /socket.io/?{query}#x {local}"), 400, true),
            (format!("PUT /socket.io/?{query} {local}"), 400, false),
            (format!("CONNECT localhost:80 {local}"), 400, true),
            (format!("OPTIONS * {local}"), 404, false),
            (format!("GET /socket.io {local}"), 404, false),
            (format!("GET /%zz {local}"), 400, true),
        ] {
            let _name = CaseName::new(&request);
            let mut client = ground.connect();
            let response = client.say(&request).response();
            assert_eq!(
                (response.status, response.head.contains("connection: close")),
                (status, ends)
            );
            if !ends {
                // The next one is read from where it begins.
                assert_eq!(client.say(get("EIO=9&transport=polling", "")).response().status, 400);
            }
        }
        let mut client = ground.connect();
        client.say(format!("HEAD /socket.io/?{query} {local}")).finish();
        let answer = String::from_utf8_lossy(&client.rest()).into_owned();
        assert!(answer.starts_with("HTTP/1.1 400") && answer.ends_with("\r\n\r\n"), "{answer}");
        drop(client);
        ground.stands();
    });
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    attack(|| {
        let mut ground = Ground::new(|builder| builder);
        let mut client = ground.connect();
        let sid = client.join();
        let echo = super::raw_http::post(&sid, r#"420["echo",1]"#);
        client.say([echo.as_str(), &super::raw_http::poll(&sid), &get("EIO=9", "")].concat());
        assert_eq!(client.response().body, "ok");
        assert_eq!(client.response().body, "430[1]");
        assert_eq!(client.response().status, 400);
        // More than anybody sends ahead of an answer.
        client.say(super::raw_http::poll(&sid)).say(vec![b'x'; 200_000]).rest();
        drop(client);
        ground.is_unharmed();
    });
}

#[test]
fn who_is_slow_beyond_measure_is_cut() {
    alone(|| {
        let mut ground = Ground::new(|builder| builder);
        let mut clients: Vec<_> = (0..200).map(|_| ground.connect()).collect();
        let request = get("EIO=4&transport=polling", &format!("X: {}\r\n", "y".repeat(2000)));
        let mut slow_post = ground.connect();
        let sid = slow_post.join();
        slow_post.say(super::raw_http::post(&sid, &"4".repeat(1000)).trim_end_matches('4'));
        let began = std::time::Instant::now();
        let mut next = 0;
        // 20 seconds from the first byte, whatever comes.
        while began.elapsed() < Duration::from_secs(22) {
            let byte = &request.as_bytes()[next..=next];
            for client in &mut clients {
                client.say(byte);
            }
            slow_post.say("4");
            next += 1;
            ground.ask();
            std::thread::sleep(Duration::from_millis(100));
        }
        for client in &mut clients {
            assert!(client.rest().is_empty());
        }
        slow_post.rest();
        drop((clients, slow_post));
        ground.is_unharmed();
    });
}

#[test]
fn bodies_that_are_too_long_or_end_early_end_their_session() {
    attack(|| {
        let mut ground = Ground::new(|builder| builder.max_http_buffer_size(1000));
        let head = |sid: &str, lines: &str| {
            format!(
                "POST /socket.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\nHost: a\r\n{lines}\r\n"
            )
        };
        for (lines, body, status) in [
            ("Content-Length: 1001\r\n", "4".repeat(1001), 413),
            ("Content-Length: 99999999999999999999\r\n", "4".into(), 400),
            ("Transfer-Encoding: chunked\r\n", "fffffffffffffffff\r\n".into(), 413),
            ("Transfer-Encoding: chunked\r\n", "3e9\r\n".into(), 413),
            ("Transfer-Encoding: chunked\r\n", "1\r\n4\r\n".repeat(1001), 413),
            ("Transfer-Encoding: chunked\r\n", "zz\r\n".into(), 400),
            ("Transfer-Encoding: chunked\r\n", "1\n4\n".into(), 400),
            ("Transfer-Encoding: chunked\r\n", format!("1;{}\r\n", "x".repeat(300)), 400),
        ] {
            let _name = CaseName::new((lines, &body));
            let mut client = ground.connect();
            let sid = client.join();
            assert_eq!(client.say(head(&sid, lines)).say(&body).response().status, status);
            client.rest();
            if body.starts_with('4') && status == 400 {
                let mut other = ground.connect();
                other.say(super::raw_http::post(&sid, "1")).response();
            }
            drop(client);
            ground.is_unharmed();
        }
        // CVE-2026-59725.
        for _ in 0..200 {
            let mut client = ground.connect();
            let sid = client.join();
            let lines = "Content-Type: application/octet-stream\r\nContent-Length: 3\r\n";
            client.say(head(&sid, lines)).say([0, 1, 2]);
            client.response();
        }
        ground.is_unharmed();
    });
}

/// CVE-2026-59725: whatever a body says that it is, and however long it is, its request is answered, or its connection ends.
#[test]
fn bodies_of_unknown_kinds_and_wrong_lengths_leave_nothing() {
    attack(|| {
        let mut ground = Ground::new(|builder| builder);
        let body = r#"420["echo",1]"#;
        for kind in [
            "",
            "application/octet-stream",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "image/png",
            "application/json; charset=utf-16",
            "text/plain;;;",
            "\u{e9}",
        ] {
            for (length, sent) in [(body.len(), body), (body.len() - 3, body), (1000, body)] {
                let _name = CaseName::new((kind, length));
                let mut client = ground.connect();
                let sid = client.join();
                let mut poster = ground.connect();
                poster.say(format!(
                    "POST /socket.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\nHost: a\r\n\
                     Content-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{sent}"
                ));
                // It waits for more, or takes what is left for the next request.
                poster.finish().rest();
                ground.connect().say(super::raw_http::post(&sid, "1")).response();
                drop((client, poster));
            }
        }
        ground.is_unharmed();
    });
}

/// CVE-2022-41940: a refusal that cannot be written.
#[test]
fn a_reset_at_any_byte_of_a_request_ends_nothing_else() {
    attack(|| {
        let mut ground = Ground::new(|builder| builder);
        let mut client = ground.connect();
        let sid = client.join();
        let requests = [
            super::raw_http::upgrade(&format!("EIO=4&transport=websocket&sid={sid}x")),
            super::raw_http::upgrade("EIO=9&transport=websocket"),
            get("EIO=4&transport=polling&sid=x", "Content-Encoding: gzip\r\n"),
        ];
        for request in &requests {
            for end in (0..=request.len()).chain([request.len(); 20]) {
                let mut victim = ground.connect();
                victim.say(&request[..end]);
                victim.reset();
            }
        }
        assert_eq!(client.say(super::raw_http::post(&sid, "1")).response().body, "ok");
        drop(client);
        ground.is_unharmed();
    });
}

#[test]
fn a_body_that_is_encoded_is_no_body_of_packets() {
    attack(|| {
        let mut ground = Ground::new(|builder| builder);
        let mut client = ground.connect();
        let sid = client.join();
        client.say(format!(
            "POST /socket.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\nHost: a\r\n\
             Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\u{1f}\u{b}\u{8}\u{0}"
        ));
        assert_eq!(client.response().status, 415);
        // The session goes on, by another connection.
        client = ground.connect();
        assert_eq!(client.say(super::raw_http::post(&sid, "1")).response().body, "ok");
        drop(client);
        ground.is_unharmed();
    });
}
