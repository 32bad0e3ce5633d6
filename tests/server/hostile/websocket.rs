//! Frames that no client should send, and clients that do not read.

use std::time::{Duration, Instant};

use super::ground::{Ground, attack, memory};
use super::raw_http::{frame, text, upgrade};
use crate::support::{CaseName, LIMIT, eventually};

const PING: u8 = 0x89;

#[test]
fn pongs_that_a_client_does_not_read_are_not_kept_but_for_the_last() {
    attack(|| {
        let mut ground = Ground::new(|builder| builder);
        let mut client = ground.connect();
        client.websocket();
        let pings = frame(PING, &[b'x'; 125]).repeat(8192);
        for _ in 0..96 {
            client.say(&pings);
        }
        client.say(frame(PING, b"last"));
        ground.stands();
        let mut last = Vec::new();
        while last != b"last" {
            let header = client.bytes(2);
            last = client.bytes(header[1].into());
            assert_eq!(header[0], 0x8A);
        }
        drop(client);
        ground.is_unharmed();
    });
}

#[test]
fn probes_whose_answers_nobody_reads_are_answered_together() {
    attack(|| {
        let mut ground = Ground::new(|builder| builder.upgrade_timeout(Duration::from_secs(60)));
        let mut client = ground.connect();
        let sid = client.join();
        let mut candidate = ground.connect();
        let query = format!("EIO=4&transport=websocket&sid={sid}");
        assert_eq!(candidate.say(upgrade(&query)).response().status, 101);
        let before = memory();
        let probes = text("2probe").repeat(65_536);
        for _ in 0..32 {
            candidate.say(&probes);
        }
        ground.stands();
        let grown = memory().saturating_sub(before);
        assert!(grown < 8 * 1024 * 1024, "{} KiB", grown / 1024);
        assert_eq!(candidate.message(), "3probe");
        drop((client, candidate));
        ground.ask();
    });
}

#[test]
fn a_client_that_never_reads_is_given_up_and_nobody_else_waits() {
    attack(|| {
        let mut ground = Ground::new(|builder| builder);
        let mut client = ground.connect();
        client.websocket();
        client.say(text("40"));
        client.message();
        let began = Instant::now();
        let load = "x".repeat(10_000);
        let mut behind = 0;
        while behind == 0 {
            assert!(began.elapsed() < LIMIT, "it is never behind");
            // The other one reads.
            behind = ground.server.except("nobody").emit("load", &load).expect("sent").behind.len();
            ground.stands_behind("load");
        }
        eventually(LIMIT, "it is cut", || ground.server.clients() == 1);
        drop(client);
        ground.is_unharmed();
    });
}

#[test]
fn what_breaks_the_rules_of_frames_ends_that_connection_alone() {
    attack(|| {
        let mut ground = Ground::new(|builder| builder);
        let long = [0x81, 0xFF, 0x3F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0];
        let endless = |piece: &[u8]| [frame(0x01, b"4"), frame(0x00, piece).repeat(2000)].concat();
        let cases: [(&str, Vec<u8>); 16] = [
            ("a reserved bit", frame(0xC1, b"40")),
            ("an unknown opcode", frame(0x83, b"40")),
            ("no mask", vec![0x81, 0x02, b'4', b'0']),
            ("a ping of 126 bytes", frame(PING, &[0; 126])),
            ("a ping in pieces", frame(0x09, b"")),
            ("a length of 2^62", long.to_vec()),
            ("a length of 2^63", [&[0x81, 0xFF, 0x80][..], &[0; 11]].concat()),
            ("a continuation of nothing", frame(0x80, b"x")),
            ("a message in a message", [frame(0x01, b"4"), frame(0x01, b"4")].concat()),
            ("no UTF-8", frame(0x81, &[b'4', 0xFF])),
            ("half a close code", frame(0x88, &[3])),
            ("a close code of nobody", frame(0x88, &[0x03, 0xED])),
            ("a reason that is no UTF-8", frame(0x88, &[0x03, 0xE8, 0xFF])),
            ("fragments without end", endless(b"")),
            ("fragments of a byte", endless(b"x")),
            (
                "a long reason",
                frame(0x88, &[&[0x03, 0xE8][..], "é".repeat(61).as_bytes()].concat()),
            ),
        ];
        for (name, bytes) in &cases {
            let _name = CaseName::new(name);
            let mut direct = ground.connect();
            direct.websocket();
            direct.say(text("40"));
            direct.message();
            direct.say(bytes).rest();
            // Under test: the session lives on.
            let mut client = ground.connect();
            let sid = client.join();
            let mut candidate = ground.connect();
            let query = format!("EIO=4&transport=websocket&sid={sid}");
            assert_eq!(candidate.say(upgrade(&query)).response().status, 101);
            candidate.say(bytes).rest();
            let echo = client.say(super::raw_http::post(&sid, r#"420["echo",1]"#)).response();
            assert_eq!(echo.body, "ok");
            assert_eq!(client.say(super::raw_http::poll(&sid)).response().body, "430[1]");
            client.say(super::raw_http::post(&sid, "1")).response();
            drop((direct, client, candidate));
            ground.is_unharmed();
        }
    });
}

#[test]
fn garbage_behind_each_beginning_of_a_session_ends_it() {
    attack(|| {
        let mut ground = Ground::new(|builder| builder);
        let session =
            [upgrade("EIO=4&transport=websocket").into_bytes(), text("40"), text("420[\"echo\"]")]
                .concat();
        for end in 0..session.len() {
            for way in 0..3 {
                let mut client = ground.connect();
                client.say(&session[..end]);
                match way {
                    0 => client.reset(),
                    1 => drop(client.finish()),
                    _ => drop(client.say([0xFF; 64])),
                }
            }
        }
        ground.is_unharmed();
    });
}
