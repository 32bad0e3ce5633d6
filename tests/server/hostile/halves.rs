//! What is begun and never finished, by clients that go on with their heartbeats.

use std::thread::sleep;
use std::time::{Duration, Instant};

use siot::server::ServerBuilder;

use super::ground::{Ground, attack};
use super::raw_http::{RawHttp, frame, poll, post, text};
use crate::support::{CaseName, LIMIT};

/// Heartbeats as short as they can be where a machine has something else to do.
fn brisk(builder: ServerBuilder) -> ServerBuilder {
    builder.ping_interval(Duration::from_millis(300)).ping_timeout(Duration::from_secs(2))
}

/// A client by a WebSocket that has joined a namespace.
#[track_caller]
fn joined(ground: &Ground) -> RawHttp {
    let mut client = ground.connect();
    client.websocket();
    client.say(text("40"));
    loop {
        let said = client.message();
        if said.starts_with("40{") {
            return client;
        }
        assert_eq!(said, "2");
        client.say(text("3"));
    }
}

/// Waits for the end of something, while the other client goes on.
#[track_caller]
fn await_beside(ground: &mut Ground, wait: impl FnOnce() + Send) {
    std::thread::scope(|scope| {
        let waits = scope.spawn(wait);
        while !waits.is_finished() {
            ground.ask();
            sleep(Duration::from_millis(20));
        }
        waits.join().expect("what was awaited");
    });
}

/// Answers heartbeats, and says this at each, until the session ends.
#[track_caller]
fn lives_on(mut client: RawHttp, at_each: &[u8]) {
    let began = Instant::now();
    loop {
        assert!(began.elapsed() < LIMIT, "no end");
        let header = client.bytes(2);
        if header[0] == 0x88 {
            client.rest();
            return;
        }
        if header[0] == 0x81 {
            assert_eq!((header[1], client.bytes(1).as_slice()), (1, &b"2"[..]));
            client.say(text("3")).say(at_each);
        }
    }
}

const HALF: &str = r#"453-["x",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1},{"_placeholder":true,"num":2}]"#;

#[test]
fn a_packet_whose_attachments_do_not_come_ends_its_session_though_heartbeats_go_on() {
    attack(|| {
        let mut ground = Ground::new(brisk);
        for (name, begun, at_each) in [
            ("an event", vec![text(HALF)], vec![]),
            ("an answer", vec![text(&HALF.replace(r#"453-["x","#, "463-1["))], vec![]),
            ("all but one", vec![text(HALF), frame(0x82, b"a"), frame(0x82, b"b")], vec![]),
            ("pings between", vec![text(HALF)], frame(0x89, b"")),
            ("a frame that stops", vec![text(HALF), vec![0x82, 0x80 | 5, 0, 0, 0, 0, 1]], vec![]),
        ] {
            let _name = CaseName::new(name);
            let mut client = joined(&ground);
            for bytes in &begun {
                client.say(bytes);
            }
            await_beside(&mut ground, move || {
                if name == "a frame that stops" {
                    // Its client can say nothing more, not even in a heartbeat.
                    client.rest();
                } else {
                    lives_on(client, &at_each);
                }
            });
            ground.is_unharmed();
        }
    });
}

/// Ten attachments can be strung out over ten of any limit that begins anew.
#[test]
fn a_packet_whose_attachments_come_one_by_one_in_a_long_time_ends_its_session() {
    attack(|| {
        let mut ground = Ground::new(brisk);
        let places = r#"{"_placeholder":true,"num":0},"#.repeat(10);
        let mut client = joined(&ground);
        client.say(text(&format!(r#"4510-["x",{}]"#, places.trim_end_matches(','))));
        let began = Instant::now();
        let mut last = began;
        await_beside(&mut ground, move || {
            loop {
                assert!(began.elapsed() < LIMIT, "no end");
                let header = client.bytes(2);
                if header[0] == 0x88 {
                    client.rest();
                    break;
                }
                client.bytes(1);
                client.say(text("3"));
                if last.elapsed() > Duration::from_secs(1) {
                    client.say(frame(0x82, b"x"));
                    last = Instant::now();
                }
            }
        });
        assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
        ground.is_unharmed();
    });
}

/// Control frames may stand between fragments: they are signs of life, though heartbeats cannot come.
#[test]
fn a_message_whose_last_fragment_does_not_come_ends_its_session_whatever_pings_come() {
    attack(|| {
        let mut ground = Ground::new(brisk);
        let mut client = joined(&ground);
        client.say(frame(0x01, br#"42["x""#));
        let began = Instant::now();
        await_beside(&mut ground, move || {
            loop {
                assert!(began.elapsed() < LIMIT, "no end");
                client.say(frame(0x89, b""));
                let header = client.bytes(2);
                match header[0] {
                    0x88 => break,
                    0x8A => sleep(Duration::from_millis(50)),
                    _ => drop(client.bytes(header[1].into())),
                }
            }
            client.rest();
        });
        ground.is_unharmed();
    });
}

#[test]
fn a_packet_whose_attachments_do_not_come_by_polling_ends_its_session_though_heartbeats_go_on() {
    attack(|| {
        let mut ground = Ground::new(brisk);
        let mut client = ground.connect();
        let sid = client.join();
        let mut poster = ground.connect();
        assert_eq!(poster.say(post(&sid, HALF)).response().body, "ok");
        let began = Instant::now();
        await_beside(&mut ground, move || {
            loop {
                assert!(began.elapsed() < LIMIT, "no end");
                let polled = client.say(poll(&sid)).response();
                if polled.status != 200 || polled.body == "1" {
                    break;
                }
                assert_eq!(polled.body, "2");
                poster.say(post(&sid, "3")).response();
            }
        });
        ground.is_unharmed();
    });
}

#[test]
fn attachments_for_a_namespace_that_is_not_joined_are_not_waited_for() {
    attack(|| {
        let mut ground = Ground::new(|builder| builder);
        for (name, joins, half) in [
            ("nothing is joined", false, HALF.to_owned()),
            ("another one is", true, HALF.replace("453-", "453-/elsewhere,")),
        ] {
            let _name = CaseName::new(name);
            let mut client = ground.connect();
            client.websocket();
            if joins {
                client.say(text("40"));
                client.message();
            }
            client.say(text(&half)).rest();
            client = ground.connect();
            let sid = client.open();
            if joins {
                client.say(post(&sid, "40")).response();
            }
            client.say(post(&sid, &half)).response();
            while client.say(poll(&sid)).response().status == 200 {}
            drop(client);
            ground.is_unharmed();
        }
    });
}

/// Some links carry little.
#[test]
fn a_packet_that_comes_slowly_and_steadily_is_taken() {
    attack(|| {
        let ground = Ground::new(|builder| {
            builder.ping_interval(Duration::from_millis(200)).ping_timeout(Duration::from_secs(2))
        });
        let mut client = joined(&ground);
        client.say(text(&HALF.replace(r#"453-["x","#, r#"453-7["echo","#)));
        for part in 0..3 {
            let content = vec![part; 60_000];
            let message = frame(0x82, &content);
            for piece in message.chunks(10_000) {
                // Seven of these are more than a client may be silent.
                sleep(Duration::from_millis(350));
                client.say(piece);
            }
            client.say(text("3"));
        }
        while client.message() == "2" {}
    });
}
