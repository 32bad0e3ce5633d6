//! Packets as no client writes them.

use super::ground::{Ground, attack};
use super::raw_http::{frame, get, post, text};
use crate::support::CaseName;

/// What ends the session of whoever says it in a namespace that it has joined.
fn malformed() -> Vec<(&'static str, String)> {
    let digits = "9".repeat(900_000);
    let deep = format!(r#"2["x",{}"#, "[".repeat(400_000));
    [
        // CVE-2026-69185, CVE-2026-33151
        ("no attachments", r#"50-["a"]"#),
        ("no attachments of an answer", "60-1[]"),
        ("attachments of nothing", "5-"),
        ("attachments without end", "500000000000-"),
        ("eleven attachments", r#"511-["a"]"#),
        ("ten times as many attachments as there may be", r#"5100-["a"]"#),
        ("a number of attachments without end", &format!("5{digits}")),
        // CVE-2020-36049
        ("a namespace without end", &format!("0/{digits}")),
        ("a number without end", &format!("2{digits}")),
        // CVE-2023-32695
        ("an object for a name", r#"2[{"toString":"x"}]"#),
        ("no name", "2[]"),
        ("no list", "2{}"),
        ("null for a name", "2[null]"),
        ("true for a name", "2[true]"),
        ("a list for a name", "2[[]]"),
        ("the name connect", r#"2["connect"]"#),
        ("the name disconnect", r#"2["disconnect"]"#),
        ("the name disconnecting", r#"2["disconnecting"]"#),
        ("the name connect_error", r#"2["connect_error"]"#),
        ("the name newListener", r#"2["newListener"]"#),
        ("the name removeListener", r#"2["removeListener"]"#),
        ("no JSON", r#"2["x"#),
        ("JSON without end", &deep),
        ("an answer without number", "3[]"),
        ("an answer that is no list", "31{}"),
        ("a packet of no kind", "9"),
        ("nothing", ""),
        ("CONNECT again", "0"),
        ("CONNECT with a list", "0[]"),
        ("a refusal", r#"4{"message":"x"}"#),
        ("an event elsewhere", r#"2/elsewhere,["x"]"#),
    ]
    .map(|(name, packet)| (name, packet.to_owned()))
    .into()
}

#[test]
fn what_is_no_packet_ends_the_session_that_says_it() {
    attack(|| {
        let mut ground = Ground::new(|builder| builder);
        for (name, packet) in malformed() {
            let _name = CaseName::new(name);
            let mut client = ground.connect();
            let sid = client.join();
            client.say(post(&sid, &format!("4{packet}"))).response();
            // What came before may have to be fetched.
            let mut probe = ground.connect();
            while probe.say(super::raw_http::poll(&sid)).response().status == 200 {}
            let mut by_websocket = ground.connect();
            by_websocket.websocket();
            by_websocket.say(text("40"));
            by_websocket.message();
            by_websocket.say(text(&format!("4{packet}"))).rest();
            drop((client, probe, by_websocket));
            ground.is_unharmed();
        }
    });
}

#[test]
fn what_only_looks_strange_is_an_event_like_others() {
    attack(|| {
        let mut ground = Ground::new(|builder| builder);
        let (tell, told) = crossbeam_channel::unbounded();
        ground.server.on_any(move |_, event| _ = tell.send(event.name().to_owned()));
        let mut client = ground.connect();
        client.websocket();
        client.say(text("40"));
        client.message();
        // CVE-2024-38355.
        let names = ["error", "open", "close", "__proto__", "constructor", "message"];
        for name in names {
            client.say(text(&format!(r#"42["{name}"]"#)));
        }
        // CVE-2020-36049: numbers that no number can hold.
        let digits = "9".repeat(900_000);
        for strange in
            ["42[1,2]", &format!(r#"42{digits}["x"]"#), "439999[]", &format!("43{digits}[]")]
        {
            client.say(text(strange));
        }
        client.say(text(r#"420["echo",7]"#));
        assert_eq!(client.message(), "430[7]");
        for name in names.into_iter().chain(["1", "x", "echo"]) {
            assert_eq!(crate::support::recv_within(&told, crate::support::LIMIT), name);
        }
        client.say(text("43[]0")).rest();
        drop(client);
        ground.is_unharmed();
    });
}

/// CVE-2022-2421.
#[test]
fn places_of_attachments_that_fit_nothing_harm_nobody() {
    attack(|| {
        let mut ground = Ground::new(|builder| builder);
        for (places, is_event) in [
            (r#"{"_placeholder":true,"num":"splice"}"#, false),
            (r#"{"_placeholder":true,"num":-1}"#, false),
            (r#"{"_placeholder":true,"num":1}"#, false),
            (r#"{"_placeholder":true,"num":1000000000}"#, false),
            (r#"{"_placeholder":true,"num":0.5}"#, false),
            (r#"{"_placeholder":true}"#, false),
            (r#"{"a":{"_placeholder":true,"num":{"_placeholder":true,"num":0}}}"#, false),
            (r#"{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}"#, false),
            (r#"{"_placeholder":true,"num":0}"#, true),
            ("1", true),
        ] {
            let _name = CaseName::new(places);
            let mut client = ground.connect();
            client.websocket();
            client.say(text("40"));
            client.message();
            client.say(text(&format!(r#"451-1["echo",{places}]"#))).say(frame(0x82, b"abc"));
            if is_event {
                let answer = client.message();
                assert!(answer.starts_with("461-1[") || answer == "431[1]", "{answer}");
                client.say(text("1"));
            }
            client.rest();
            drop(client);
            ground.is_unharmed();
        }
    });
}

/// CVE-2026-33151: what is not what was announced, or more than a packet may be.
#[test]
fn attachments_that_nothing_announced_or_that_are_too_much_end_their_session() {
    attack(|| {
        let mut ground = Ground::new(|builder| builder);
        let half = r#"451-["x",{"_placeholder":true,"num":0}]"#;
        let two = r#"452-["x",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#;
        let large = vec![7; 600_000];
        for (name, said) in [
            ("nothing was announced", vec![frame(0x82, b"x")]),
            ("one more than announced", vec![text(half), frame(0x82, b"x"), frame(0x82, b"x")]),
            ("a text in the place of one", vec![text(half), text(r#"42["x"]"#)]),
            (
                "more than a message may be",
                vec![text(two), frame(0x82, &large), frame(0x82, &large)],
            ),
        ] {
            let _name = CaseName::new(name);
            let mut client = ground.connect();
            client.websocket();
            client.say(text("40"));
            client.message();
            for bytes in said {
                client.say(bytes);
            }
            client.rest();
            drop(client);
            ground.is_unharmed();
        }
        for body in
            ["bAAAA", &format!("{half}\u{1e}bAAAA\u{1e}bAAAA"), &format!("{half}\u{1e}42[]")]
        {
            let _name = CaseName::new(body);
            let mut client = ground.connect();
            let sid = client.join();
            assert_eq!(client.say(post(&sid, body)).response().status, 400);
            assert_eq!(client.say(super::raw_http::poll(&sid)).response().status, 400);
            drop(client);
            ground.is_unharmed();
        }
    });
}

/// PR 739 to 742 of another server: lengths of the older revision.
#[test]
fn lengths_of_the_older_revision_that_fit_nothing_end_the_session() {
    attack(|| {
        let mut ground = Ground::new(|builder| builder.allow_eio3(true));
        for body in [
            "0:",
            "-1:4",
            "99:42",
            "2:4\u{e9}\u{e9}",
            "1:\u{1f600}",
            "3:4\u{1f600}x",
            ":4",
            "2:",
            "2",
            "99999999999999999999:4",
            "\u{0}1\u{1}4",
            "1:4".repeat(300_000).as_str(),
            "2:42".repeat(249_000).as_str(),
            "2:4\u{e9}".repeat(190_000).as_str(),
        ] {
            let _name = CaseName::new(body.get(..20).unwrap_or(body));
            let mut client = ground.connect();
            let opened = client.say(get("EIO=3&transport=polling", "")).response();
            let (_, rest) = opened.body.split_once(r#""sid":""#).expect("a handshake");
            let sid = rest.split('"').next().expect("an id").to_owned();
            let posted = client.say(post(&sid, body).replace("EIO=4", "EIO=3")).response();
            // An empty packet is none, as at the reference.
            let lives = body == "0:";
            assert_eq!(posted.status, if lives { 200 } else { 400 });
            ground.stands();
            let mut last = ground.connect();
            let after = last.say(post(&sid, "1:1").replace("EIO=4", "EIO=3")).response();
            let is_gone = after.body.starts_with(r#"{"code":1,"#);
            assert_eq!(is_gone, !lives, "{after:?}");
            drop((client, last));
            ground.is_unharmed();
        }
    });
}

#[test]
fn the_name_of_a_namespace_has_1024_bytes_at_most() {
    attack(|| {
        let ground = Ground::new(|builder| builder);
        for (length, is_answered) in [(1024, true), (1025, false)] {
            let mut client = ground.connect();
            client.websocket();
            let name = format!("/{}", "x".repeat(length - 1));
            client.say(text(&format!("40{name},")));
            if is_answered {
                assert!(client.message().starts_with(&format!("44{name},")));
            } else {
                assert!(!String::from_utf8_lossy(&client.rest()).contains("xxx"));
            }
        }
    });
}
