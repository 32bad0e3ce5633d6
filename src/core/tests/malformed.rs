//! What no server should send.

use super::logged::logged;
use super::*;

/// What the loss of the session is told as.
fn end_of(world: &mut World) -> Option<String> {
    world.news().into_iter().find(|line| line.starts_with("/: disconnect"))
}

#[test]
fn broken_packets_end_the_session_with_a_parse_error_and_it_comes_back() {
    for packet in [
        "4",
        "42",
        "42{}",
        "42[]",
        "42[",
        "42[\"a\"",
        "42[\"a\"]x",
        "42[null]",
        "425",
        "47[]",
        "4x",
        "42[\"connect\"]",
        "42[\"disconnect\",1]",
        "40[]",
        "43[]",
        "431",
        "431{}",
        "43-1[]",
        "431e3[]",
        "45-[\"a\"]",
        "450-[\"a\"]",
        "4511-[\"a\"]",
        "459999999999-[\"a\"]",
        "45-1-[\"a\"]",
        "451.5-[\"a\"]",
        "44[]",
        "44true",
    ] {
        let (mut world, _) = World::joined();
        world.receive(packet);
        assert_eq!(end_of(&mut world).as_deref(), Some("/: disconnect parse error"), "{packet}");
        world.advance_to_deadline();
        world.open();
        world.receive("40{\"sid\":\"b\"}");
        assert_eq!(world.news(), ["/: connect b"], "{packet}");
    }
}

#[test]
fn a_disconnect_with_data_is_a_disconnect() {
    for packet in ["41{\"reason\":\"bye\"}", "41[]", "41null", "41\"bye\""] {
        let (mut world, _) = World::joined();
        world.receive(packet);
        assert_eq!(world.news(), ["/: disconnect io server disconnect"], "{packet}");
    }
}

#[test]
fn a_packet_without_a_comma_behind_its_namespace_is_ignored() {
    let (mut world, _) = World::joined();
    world.connect("/a");
    world.receive("40/a,{\"sid\":\"b\"}");
    world.log();
    for packet in ["42/a[\"x\"]", "42/a", "42/b[\"x\"]", "43/a[]", "42/a,[\"well\"]"] {
        world.receive(packet);
    }
    assert_eq!(world.log(), ["/a: event [\"well\"]"]);
}

#[test]
fn what_a_server_adds_may_be_nested_as_deeply_as_it_likes() {
    let deep = "[".repeat(10_000) + &"]".repeat(10_000);
    let mut world = World::new();
    world.connect("/");
    world.connected();
    let open = world.handshake.to_json();
    world.receive(&format!("0{},\"more\":{deep}}}", &open[..open.len() - 1]));
    world.receive(&format!("40{{\"more\":{deep},\"sid\":\"a\"}}"));
    assert_eq!(world.log(), ["manager: open", "/: connect a"]);
    let error = refused_with(&format!("{{\"message\":\"no\",\"data\":{deep}}}"));
    assert_eq!((error.message(), error.data()), ("no", Some(&*deep)));
}

#[test]
fn broken_attachments_end_the_session_with_a_parse_error() {
    let announced = "451-[\"a\",{\"_placeholder\":true,\"num\":0}]";
    let wrong = "451-[\"a\",{\"_placeholder\":true,\"num\":1}]";
    for packets in [
        &["bAQID"] as &[&str],
        &[announced, "42[\"b\"]"],
        &[announced, "bAQID", "bAQID"],
        &[wrong, "bAQID"],
    ] {
        let (mut world, _) = World::joined();
        world.receive_on(LinkId(1), packets);
        assert_eq!(end_of(&mut world).as_deref(), Some("/: disconnect parse error"), "{packets:?}");
    }
}

#[test]
fn a_heartbeat_may_stand_between_a_packet_and_its_attachment() {
    let (mut world, _) = World::joined();
    world.receive_on(
        LinkId(1),
        &["451-[\"a\",{\"_placeholder\":true,\"num\":0}]", "2", "6", "bAQID"],
    );
    assert_eq!(world.news().len(), 1);
    assert_eq!(world.sent(), ["3"]);
}

#[test]
fn half_a_packet_is_not_continued_in_the_next_session() {
    let (mut world, _) = World::joined();
    world.receive("451-[\"a\",{\"_placeholder\":true,\"num\":0}]");
    world.drop_link();
    world.advance_to_deadline();
    world.open();
    world.receive("40{\"sid\":\"b\"}");
    world.log();
    world.receive("42[\"whole\"]");
    assert_eq!(world.log(), ["/: event [\"whole\"]"]);
}

#[test]
fn unknown_engine_packets_are_a_transport_error() {
    for packet in ["", "7", "x", "b?"] {
        let (mut world, _) = World::joined();
        world.receive(packet);
        let end = end_of(&mut world);
        assert_eq!(end.as_deref(), Some("/: disconnect transport error"), "{packet:?}");
    }
}

#[test]
fn a_handshake_that_is_none_is_a_failed_attempt() {
    for packet in [
        "0",
        "0[]",
        "0{broken",
        "0{}",
        "0{\"sid\":\"\",\"pingInterval\":1,\"pingTimeout\":1}",
        "0{\"sid\":\"a\",\"pingInterval\":0,\"pingTimeout\":1}",
        "0{\"sid\":\"a\",\"pingInterval\":1,\"pingTimeout\":-1}",
        "40{\"sid\":\"a\"}",
        "2",
        "1",
        "6",
        "3",
        "bAQID",
        "5",
    ] {
        for transport in [Transport::WebSocket, Transport::Polling] {
            let mut world = World::with(|options| options.transports = vec![transport]);
            world.connect("/");
            world.connected();
            world.receive(packet);
            let log = world.log();
            assert!(log[0].starts_with("/: connect_error"), "{packet}: {log:?}");
            assert_eq!(world.alive(), [], "{packet}");
            assert!(world.client.next_deadline().is_some(), "{packet}: it tries again");
        }
    }
}

#[test]
fn a_second_handshake_is_ignored_and_counted() {
    let (mut world, _) = World::joined();
    world.receive("0{\"sid\":\"x\",\"upgrades\":[],\"pingInterval\":1,\"pingTimeout\":1}");
    world.advance((INTERVAL + TIMEOUT).saturating_sub(SECOND));
    assert_eq!(world.log(), Vec::<String>::new());
    assert_eq!(world.client.engine().and_then(|engine| engine.sid()), Some("engine"));
    assert_eq!(world.client.tally().ignored, 1);
}

#[test]
fn a_poison_message_does_not_make_a_tight_loop() {
    let (mut world, _) = World::joined();
    let begin = world.now;
    for _ in 0..1000 {
        world.receive("42");
        world.advance_to_deadline();
        world.open();
        world.receive("40{\"sid\":\"b\"}");
    }
    assert!(world.now > begin + Duration::from_secs(2500));
}

#[test]
fn what_makes_no_sense_in_an_open_session_is_ignored() {
    let (mut world, _) = World::joined();
    for packet in ["3", "3probe", "5", "6", "6x"] {
        world.receive(packet);
    }
    assert_eq!(world.log(), Vec::<String>::new());
    assert_eq!(world.alive(), [LinkId(1)]);
}

/// What a session logs of a packet that comes a hundred times, and how often it was counted.
fn repeated(world: &mut World, packet: &str) -> (Vec<String>, usize) {
    let before = world.client.tally().ignored;
    let lines = logged(|| {
        for _ in 0..100 {
            world.receive(packet);
        }
    });
    (lines, world.client.tally().ignored - before)
}

#[test]
fn repeated_nonsense_is_one_line_of_the_log_in_each_session() {
    for packet in ["42/x,[\"a\"]", "4399[]", "0{}", "40{\"sid\":\"x\"}"] {
        let (mut world, _) = World::joined();
        for session in 0..2 {
            let (lines, ignored) = repeated(&mut world, packet);
            assert_eq!((lines.len(), ignored), (1, 100), "{packet}, {session}: {lines:?}");
            world.drop_link();
            world.advance_to_deadline();
            world.open();
            world.receive("40{\"sid\":\"b\"}");
        }
    }
}

#[test]
fn events_that_cannot_be_kept_are_one_line_of_the_log() {
    let mut world = World::with(|options| {
        options.limits = options.limits.clone().receive_events(3);
    });
    world.connect("/");
    world.open();
    let (lines, ignored) = repeated(&mut world, "42[\"early\"]");
    assert_eq!((lines.len(), ignored), (1, 97), "{lines:?}");
    assert!(lines[0].contains("too many events"), "{lines:?}");
    let root = world.client.namespace_id("/");
    assert_eq!(world.run(|client, _| client.clear_receive_buffer(root)), 3);
    world.receive("44\"no\"");

    let (mut world, root) = World::joined();
    world.join("/other");
    world.disconnect(root);
    let (lines, ignored) = repeated(&mut world, "42[\"late\"]");
    assert_eq!((lines.len(), ignored), (1, 100), "{lines:?}");
    assert!(lines[0].contains("not joined"), "{lines:?}");
    for packet in ["44\"no\"", "41"] {
        let (lines, ignored) = repeated(&mut world, packet);
        assert_eq!((lines.len(), ignored), (0, 100), "{packet}: {lines:?}");
    }
}

#[test]
fn a_line_of_the_log_is_short_whatever_the_name_of_the_namespace() {
    let (mut world, _) = World::joined();
    let (lines, _) = repeated(&mut world, &format!("42/{},[\"a\"]", "\u{1b}x".repeat(10_000)));
    assert!(lines.len() == 1 && lines[0].len() < 500 && !lines[0].contains('\u{1b}'), "{lines:?}");
}

/// What is told of a refusal with this JSON.
fn refused_with(json: &str) -> Error {
    let mut world = World::new();
    world.connect("/");
    world.open();
    world.receive(&format!("44{json}"));
    world.error.expect("a refusal")
}

#[test]
fn the_message_of_a_refusal_is_raw_and_bounded() {
    let error = refused_with(r#"{"message":"no\nway","data":{"code":7}}"#);
    assert_eq!((error.message(), error.data()), ("no\nway", Some(r#"{"code":7}"#)));
    assert_eq!(error.to_string(), r"refused by the server: no\nway [after 0 ms]");
    for (json, data) in [
        (r#"{"data": [ 1 ] ,"message":"a"}"#, Some("[ 1 ]")),
        (r#" {"message":"a"} "#, None),
        (r#""a""#, None),
        (r#"{"message":"a","code":1}"#, Some(r#"{"message":"a","code":1}"#)),
    ] {
        let error = refused_with(json);
        assert_eq!((error.message(), error.data()), ("a", data), "{json}");
    }
    for (json, data) in
        [("", None), ("{}", None), (r#"{"message":7}"#, None), (r#"{"data":null}"#, Some("null"))]
    {
        let error = refused_with(json);
        assert!(error.message().contains("no reason given"), "{json}: {error}");
        assert_eq!(error.data(), data, "{json}");
    }

    for json in ["{\"message\":\"LONG\"}", "\"LONG\""] {
        for (length, kept) in [(65_536, 65_536), (65_537, 65_539), (500_000, 65_539)] {
            let error = refused_with(&json.replace("LONG", &"x".repeat(length)));
            assert_eq!(error.message().len(), kept, "{json} {length}");
            assert_eq!(error.message().ends_with('…'), length > 65_536);
        }
        let error = refused_with(&json.replace("LONG", &"€".repeat(30_000)));
        assert_eq!(error.message(), "€".repeat(21_845) + "…");
        let shown = format!("refused by the server: {}… [after 0 ms]", "€".repeat(170));
        assert_eq!(error.to_string(), shown);
    }
}

#[test]
fn what_a_server_reports_in_a_joined_namespace_is_shorter() {
    let (mut world, _) = World::joined();
    for (length, kept) in [(512, 512), (513, 515), (500_000, 515)] {
        world.receive(&format!("44\"{}\"", "x".repeat(length)));
        assert_eq!(world.error.take().expect("a report").message().len(), kept);
    }
}

#[test]
fn the_data_of_a_refusal_is_kept_whole_or_not_at_all() {
    let data = |length: usize| format!("\"{}\"", "x".repeat(length - 2));
    for (length, is_kept) in [(64 * 1024, true), (64 * 1024 + 1, false)] {
        let data = data(length);
        let error = refused_with(&format!("{{\"message\":\"no\",\"data\":{data}}}"));
        assert_eq!(error.data(), is_kept.then_some(data.as_str()));
        assert_eq!(error.hint().is_none(), is_kept, "{error}");
    }
}

#[test]
fn the_refusal_of_a_name_that_no_server_knows_hints_at_what_the_path_of_the_url_is() {
    let is_hinted = |error: Error| error.hint().is_some_and(|hint| hint.contains("Builder::path"));
    assert!(is_hinted(refused_with("\"Invalid namespace\"")));
    assert!(!is_hinted(refused_with("\"no\"")));
}
