use proptest::prelude::*;

use super::*;
use crate::error::ErrorKind;
use crate::proto::dialect::Frame;
use crate::proto::dialect::choice::{V3_DIALECT, V4_DIALECT};
use crate::proto::parser::tests::any_json;
use crate::proto::socket_packet::{Kind, Name, RESERVED_EVENTS};
use crate::proto::text::SharedText;

const MAX_BYTES: usize = 1 << 20;

fn parser() -> JsonParser {
    JsonParser::new(10, MAX_BYTES)
}

fn decode(text: &str) -> Result<Option<SocketPacket>> {
    parser().decode_text(MessageText::from(text))
}

/// Decodes a text that is a whole packet.
fn packet(text: &str) -> SocketPacket {
    decode(text).unwrap().unwrap()
}

/// Checks that a text is refused with an error that shows it.
fn refused(text: &str, wrong: &str) {
    let error = decode(text).expect_err(text);
    assert_eq!(error.kind(), ErrorKind::Protocol, "{text}");
    assert!(error.message().contains(wrong), "{text}: {error}");
    assert!(error.message().contains(&snippet(text.as_bytes())), "{text}: {error}");
}

#[test]
fn what_is_one_text_can_be_written_without_a_packet() {
    let mut text = MessageBuilder::default();
    for (namespace, id) in [("/", None), ("/", Some(7)), ("/a", None), ("/a", Some(8))] {
        for (kind, n) in [(Kind::Event, 0), (Kind::Ack, 0), (Kind::Event, 1)] {
            let header = Header { kind, namespace, id };
            let attachments = vec![Bytes::from_static(&[0; 4]); n];
            let payload = Payload { json: r#"["a"]"#.to_owned(), attachments };
            text.restart();
            assert_eq!(parser().write_text(header, &payload, &mut text), n == 0);
            let packets = encode(kind, namespace, id, &payload.json, 0);
            let [Packet::Text(expected)] = packets.as_slices().0 else { panic!("{packets:?}") };
            assert_eq!(text.as_frame(), if n == 0 { expected.as_frame() } else { "4" });
        }
    }
}

fn encode(kind: Kind, namespace: &str, id: Option<u64>, json: &str, n: u8) -> VecDeque<Packet> {
    let attachments = (0..n).map(|byte| Bytes::from(vec![byte; 4])).collect();
    let payload = Payload { json: json.to_owned(), attachments };
    let mut queue = VecDeque::new();
    parser().encode(Header { kind, namespace, id }, &payload, &mut queue);
    queue
}

/// Feeds messages to a parser, which gives a packet at the last one.
fn feed(parser: &mut JsonParser, mut messages: VecDeque<Packet>) -> SocketPacket {
    let last = messages.pop_back().unwrap();
    let mut take = |message| match message {
        Packet::Text(text) => parser.decode_text(text).unwrap(),
        Packet::Binary(bytes) => parser.decode_binary(bytes).unwrap(),
        other => panic!("{other:?} is no message"),
    };
    for message in messages {
        assert_eq!(take(message), None);
    }
    take(last).unwrap()
}

#[test]
fn every_packet_reads_and_writes() {
    use Kind::{Ack, Connect, ConnectError, Disconnect, Event};
    let one = r#"["baz",{"_placeholder":true,"num":0}]"#;
    let two = r#"["x",{"a":{"_placeholder":true,"num":0}},{"_placeholder":true,"num":1}]"#;
    let ack = r#"[{"_placeholder":true,"num":0}]"#;
    for (wire, kind, namespace, id, json, attachments, name) in [
        ("0", Connect, "/", None, "", 0, ""),
        (r#"0{"token":"x"}"#, Connect, "/", None, r#"{"token":"x"}"#, 0, ""),
        ("0/admin,", Connect, "/admin", None, "", 0, ""),
        (r#"0/admin,{"sid":"…"}"#, Connect, "/admin", None, r#"{"sid":"…"}"#, 0, ""),
        ("1", Disconnect, "/", None, "", 0, ""),
        ("1/admin,", Disconnect, "/admin", None, "", 0, ""),
        (r#"2["foo",1]"#, Event, "/", None, r#"["foo",1]"#, 0, "foo"),
        (r#"2/admin,["bar"]"#, Event, "/admin", None, r#"["bar"]"#, 0, "bar"),
        (r#"212["foo"]"#, Event, "/", Some(12), r#"["foo"]"#, 0, "foo"),
        (r#"2/admin,7["foo"]"#, Event, "/admin", Some(7), r#"["foo"]"#, 0, "foo"),
        (r#"312["bar"]"#, Ack, "/", Some(12), r#"["bar"]"#, 0, ""),
        ("3/admin,7[]", Ack, "/admin", Some(7), "[]", 0, ""),
        ("318446744073709551615[]", Ack, "/", Some(u64::MAX), "[]", 0, ""),
        ("4", ConnectError, "/", None, "", 0, ""),
        (r#"4/no,{"message":"x"}"#, ConnectError, "/no", None, r#"{"message":"x"}"#, 0, ""),
        (r#"4"no""#, ConnectError, "/", None, r#""no""#, 0, ""),
        (&*format!("51-{one}"), Event, "/", None, one, 1, "baz"),
        (&*format!("52-/admin,5{two}"), Event, "/admin", Some(5), two, 2, "x"),
        (&*format!("61-12{ack}"), Ack, "/", Some(12), ack, 1, ""),
        (&*format!("610-/é😀,0{ack}"), Ack, "/é😀", Some(0), ack, 10, ""),
    ] {
        let messages = encode(kind, namespace, id, json, attachments);
        assert_eq!(messages[0], Packet::Text(MessageText::from(wire)));
        assert_eq!(messages.len(), 1 + usize::from(attachments));
        let packet = feed(&mut parser(), messages);
        assert_eq!((packet.kind, packet.id), (kind, id), "{wire}");
        assert_eq!((packet.namespace(), packet.data(), packet.name()), (namespace, json, name));
        let expected: Vec<_> = (0..attachments).map(|byte| vec![byte; 4]).collect();
        assert_eq!(*packet.attachments, *expected);
    }
}

#[test]
fn a_received_packet_and_its_clones_share_the_text_of_the_frame() {
    for dialect in [V3_DIALECT, V4_DIALECT] {
        let frame = SharedText::from(r#"42["name",1]"#);
        let data = frame[2..].as_ptr();
        let Packet::Text(text) = dialect.decode_frame(Frame::Text(frame)).unwrap() else {
            panic!("no text");
        };
        let packet = parser().decode_text(text).unwrap().unwrap();
        let clone = packet.clone();
        assert_eq!((packet.data().as_ptr(), clone.data().as_ptr()), (data, data));
        let Frame::Text(sent) = dialect.encode_frame(Packet::Text(packet.text), false) else {
            panic!("no text");
        };
        assert_eq!(sent[2..].as_ptr(), data);
    }
}

#[test]
fn only_events_and_acknowledgements_carry_attachments() {
    for kind in [Kind::Connect, Kind::Disconnect, Kind::ConnectError] {
        assert_eq!(encode(kind, "/", None, "", 2).len(), 1);
    }
}

#[test]
fn a_namespace_may_end_with_the_text() {
    assert_eq!(packet("1/admin").namespace(), "/admin");
    assert_eq!(packet("0/admin").namespace(), "/admin");
    assert_eq!(packet("0/a?x=1,{}").namespace(), "/a?x=1");
    assert_eq!(packet(r#"2/,["x"]"#).namespace(), "/");
    let huge = format!("/{}", "n".repeat(100_000));
    assert_eq!(packet(&format!("0{huge}")).namespace(), huge);
}

#[test]
fn a_packet_without_a_comma_behind_its_namespace_has_no_data() {
    for (text, kind) in [
        (r#"2/admin["x"]"#, Kind::Event),
        (r#"2/admin7["x"]"#, Kind::Event),
        ("2/admin", Kind::Event),
        ("3/admin[]", Kind::Ack),
    ] {
        let packet = packet(text);
        assert_eq!((packet.kind, packet.namespace(), packet.data()), (kind, &text[1..], ""));
        assert_eq!((packet.id, packet.name()), (None, ""));
    }
    refused(r#"2/admin["x",1]"#, "invalid JSON");
    refused(r#"51-/admin["x"]"#, "EVENT without data");
}

#[test]
fn an_unknown_type_is_refused() {
    for text in ["7", "9[]", "x", " 2[\"a\"]", "-1", "é", "😀", "/admin"] {
        refused(text, "unknown Socket.IO packet type");
    }
    refused("", "empty Socket.IO packet");
}

#[test]
fn data_has_the_type_that_the_packet_asks_for() {
    for text in ["0null", "0[]", "0\"x\"", "0true", "0/a,1.5"] {
        refused(text, if text == "0/a,1.5" { "byte" } else { "CONNECT with data" });
    }
    for text in ["1{}", "1[]", "1/a,null", "1\"bye\""] {
        assert_eq!(packet(text).kind, Kind::Disconnect, "{text}");
    }
    refused("1bye", "invalid JSON");
    for text in ["4[]", "4null", "4true", "4/a,-1"] {
        refused(text, "CONNECT_ERROR with data");
    }
    for text in ["2{}", "2\"a\"", "2null", "2/a,-5", "2true"] {
        refused(text, "EVENT with data");
    }
    for text in ["2", "25", "2/a,", "2/a,7", "51-", "51-/a,7"] {
        refused(text, "EVENT without data");
    }
    for text in ["31{}", "31null", "31\"a\"", "61-0{}"] {
        refused(text, "ACK with data");
    }
    for text in ["3", "31", "3/a,7", "61-"] {
        refused(text, "ACK without data");
    }
    for text in ["3[]", "3/a,[]", "61-[]"] {
        refused(text, "ACK without an id");
    }
}

#[test]
fn an_event_has_a_name() {
    for text in ["2[]", "2/a,1[ ]"] {
        refused(text, "EVENT without a name");
    }
    for text in ["2[null]", "2[true,1]", "2[[\"a\"]]", "2[{\"a\":1}]"] {
        refused(text, "neither string nor number");
    }
    for name in RESERVED_EVENTS {
        refused(&format!("2[\"{name}\"]"), "reserved");
        refused(&format!("2/a,1[ \"\\u{:04x}{}\" ,1]", name.as_bytes()[0], &name[1..]), "reserved");
    }
    for (text, name) in [
        (r#"2[""]"#, ""),
        ("2[7]", "7"),
        ("2[-1.5e3,\"a\"]", "-1.5e3"),
        (r#"2 [ "a b" , 1 ] "#, "a b"),
        (r#"2["Connect"]"#, "Connect"),
        (r#"2["__proto__"]"#, "__proto__"),
        (r#"2["é😀"]"#, "é😀"),
    ] {
        assert_eq!(packet(text).name(), name);
        assert!(matches!(packet(text).name, Name::Plain(_)));
    }
    for (text, name) in [
        (r#"2["a\r\n\u0000b"]"#, "a\r\n\0b"),
        (r#"2["\"\\"]"#, "\"\\"),
        (r#"2["\ud83d\ude00",1]"#, "😀"),
    ] {
        assert_eq!(packet(text).name(), name);
        assert!(matches!(packet(text).name, Name::Unescaped(_)));
    }
}

#[test]
fn broken_json_is_refused_at_its_place() {
    for (text, at) in [
        (r#"2["a""#, 5),
        (r#"2["a"]x"#, 6),
        (r#"2/é,1["a",]"#, 11),
        ("2[\"a\nb\"]", 4),
        ("0{a:1}", 2),
        ("0 ", 2),
        ("2-1[]", 3),
        ("31.5[]", 2),
        ("31e3[]", 2),
        ("3-5[]", 3),
    ] {
        refused(text, &format!("at byte {at} "));
    }
    refused(&format!("2[\"a\",{}", "[".repeat(900_000)), "invalid JSON");
}

#[test]
fn deep_json_is_passed_on() {
    let json = format!("[\"a\",{}{}]", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(packet(&format!("2{json}")).data(), json);
}

#[test]
fn what_only_javascript_takes_is_repaired() {
    let packet_ = packet(r#"2/a,17["\ud800n","\udc00",1e400,[-1e999],"1e400"]"#);
    assert_eq!(packet_.namespace(), "/a");
    assert_eq!(packet_.id, Some(17));
    assert_eq!(packet_.name(), "\u{FFFD}n");
    assert_eq!(packet_.data(), "[\"\u{FFFD}n\",\"\u{FFFD}\",null,[null],\"1e400\"]");
    let text = "2[\"a\",123456789012345678901234567890,{\"a\":1,\"a\":2}]";
    assert_eq!(packet(text).data(), &text[1..]);
}

#[test]
fn an_id_beyond_64_bits_is_unknown_and_no_error() {
    let huge = ["18446744073709551616", "123456789012345678901234567890", &"9".repeat(100_000)];
    for id in huge {
        let event = packet(&format!("2{id}[\"a\"]"));
        assert_eq!((event.id, event.name()), (None, "a"));
        assert_eq!(packet(&format!("3{id}[]")).id, None);
    }
    assert_eq!(packet("300012[]").id, Some(12));
    assert_eq!(packet(&format!("3{}1[]", "0".repeat(100))).id, Some(1));
}

#[test]
fn the_number_of_attachments_is_checked() {
    for text in ["5-[\"a\"]", "5[\"a\"]", "5", "6/a,1[]", "5+1-[\"a\"]", "5--1-[\"a\"]"] {
        refused(text, "no number of attachments");
    }
    for text in ["51[\"a\"]", "51.5-[\"a\"]", "51e0-[\"a\"]", "51", "51 -[\"a\"]"] {
        refused(text, "no `-`");
    }
    for text in ["50-[\"a\"]", "6000-1[]"] {
        refused(text, "0 attachments");
    }
    for text in ["511-[\"a\"]", "55999999999-[", "5123456789012345678901234567890-[\"a\"]"] {
        refused(text, "more attachments than the limit of 10");
    }
    assert_eq!(decode("5010-[\"a\"]").unwrap(), None);
    let mut large = JsonParser::new(usize::MAX, MAX_BYTES);
    let announced = MessageText::from(&*format!("5{}-[\"a\"]", usize::MAX));
    assert_eq!(large.decode_text(announced).unwrap(), None);
}

/// A parser that waits for the rest of two attachments.
fn waiting(json: &str) -> JsonParser {
    let mut parser = parser();
    assert_eq!(parser.decode_text(format!("52-{json}").as_str().into()).unwrap(), None);
    assert_eq!(parser.decode_binary(Bytes::from_static(b"one")).unwrap(), None);
    parser
}

#[test]
fn an_interrupted_packet_is_an_error() {
    let mut parser = waiting(r#"["a"]"#);
    let error = parser.decode_text(r#"2["b"]"#.into()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
    for part in ["where an attachment was expected", r#"2[\"b\"]"#, r#"52-[\"a\"]"#, "1 of 2"] {
        assert!(error.message().contains(part), "{error}");
    }
    parser.reset();
    assert_eq!(parser.decode_text(r#"2["b"]"#.into()).unwrap().unwrap().name(), "b");
}

#[test]
fn an_attachment_that_nothing_announced_is_an_error() {
    let mut parser = parser();
    let error = parser.decode_binary(Bytes::from_static(b"a\0")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert!(error.message().contains("no packet announced: \"a\\0\""), "{error}");
    let mut parser = waiting(r#"["a"]"#);
    assert!(parser.decode_binary(Bytes::new()).unwrap().is_some());
    assert!(parser.decode_binary(Bytes::new()).is_err(), "one too many");
}

#[test]
fn the_namespace_of_an_unfinished_packet_is_known() {
    assert_eq!(parser().unfinished(), None);
    let mut parser = waiting(r#"/n,["a"]"#);
    assert_eq!(parser.unfinished(), Some("/n"));
    parser.decode_binary(Bytes::new()).unwrap();
    assert_eq!(parser.unfinished(), None);
}

#[test]
fn reset_forgets_an_unfinished_packet() {
    let mut parser = waiting(r#"["a"]"#);
    parser.reset();
    assert!(parser.decode_binary(Bytes::new()).is_err());
    parser.reset();
    assert_eq!(feed(&mut parser, encode(Kind::Event, "/", None, "[\"b\"]", 1)).name(), "b");
}

#[test]
fn placeholders_need_their_attachments() {
    for num in ["2", "-1", "0.5", "\"0\"", "null", "18446744073709551616"] {
        let json = format!(r#"["a",{{"_placeholder":true,"num":{num}}}]"#);
        let mut parser = waiting(&json);
        let error = parser.decode_binary(Bytes::new()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol);
        assert!(error.message().contains("a placeholder without its attachment"), "{error}");
        parser.reset();
        assert!(parser.decode_text("2[\"b\"]".into()).unwrap().is_some());
    }
    for json in [
        r#"["a",{"_placeholder":true,"num":1},{"_placeholder":true,"num":1}]"#,
        r#"["a",{"_placeholder":false,"num":9}]"#,
        r#"["a",{"_placeholder":true,"num":1.0,"more":[{"_placeholder":true,"num":9}]}]"#,
    ] {
        assert!(waiting(json).decode_binary(Bytes::new()).unwrap().is_some());
    }
    let data = r#"2["a",{"_placeholder":true,"num":0}]"#;
    assert_eq!(packet(data).data(), &data[1..], "without attachments it is data");
}

#[test]
fn there_are_no_more_placeholders_than_attachments_where_they_are_bounded() {
    let one = r#"{"_placeholder":true,"num":0}"#;
    let text = format!("[\"a\",{one},{one},{one}]");
    assert!(waiting(&text).decode_binary(Bytes::new()).is_ok(), "as many as the peer likes");
    let mut parser = waiting(&text);
    parser.bound_placeholders();
    let error = parser.decode_binary(Bytes::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert!(error.message().contains("more placeholders than attachments"), "{error}");
    let mut parser = waiting(&format!("[\"a\",{one},{one}]"));
    parser.bound_placeholders();
    assert!(parser.decode_binary(Bytes::new()).is_ok(), "as many as there are attachments");
}

#[test]
fn an_unfinished_packet_is_bounded() {
    let text = r#"52-["a"]"#;
    let mut parser = JsonParser::new(10, text.len() + 5);
    for (sizes, fits) in [(&[5, 0][..], true), (&[2, 3], true), (&[6], false), (&[2, 4], false)] {
        assert_eq!(parser.decode_text(text.into()).unwrap(), None);
        let results: Vec<_> =
            sizes.iter().map(|&size| parser.decode_binary(vec![0; size].into())).collect();
        let last = results.into_iter().next_back().unwrap();
        if fits {
            assert!(last.unwrap().is_some());
            continue;
        }
        let error = last.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        assert!(error.message().contains("14 bytes") && error.message().contains("13 bytes"));
        assert!(error.hint().unwrap().contains("Limits::max_message"));
    }
    let mut parser = JsonParser::new(10, text.len() - 1);
    assert_eq!(parser.decode_text(text.into()).unwrap_err().kind(), ErrorKind::TooLarge);
    assert!(parser.decode_text(r#"2["longer than that"]"#.into()).is_ok(), "it is whole");
}

fn any_namespace() -> impl Strategy<Value = String> {
    prop_oneof![Just("/".to_owned()), "/[^,]{0,8}"]
}

proptest! {
    #[test]
    fn any_event_survives(
        namespace in any_namespace(),
        id: Option<u64>,
        name in any::<String>(),
        arguments in proptest::collection::vec(any_json(), 0..4),
        count in 0..4_u8,
    ) {
        let reserved = RESERVED_EVENTS.contains(&name.as_str());
        prop_assume!(!reserved);
        let mut data = vec![serde_json::Value::from(name.as_str())];
        data.extend(arguments);
        let json = serde_json::Value::from(data).to_string();
        let packet = feed(&mut parser(), encode(Kind::Event, &namespace, id, &json, count));
        prop_assert_eq!((packet.namespace(), packet.data()), (&*namespace, &*json));
        prop_assert_eq!((packet.id, packet.name()), (id, &*name));
        prop_assert_eq!(packet.attachments.len(), usize::from(count));
    }

    #[test]
    fn any_text_is_decoded_or_refused(
        texts in proptest::collection::vec(
            prop_oneof![
                any::<String>(),
                "[0-6][0-9]{0,3}-?(/[a-z,]{0,3})?[0-9]{0,22}",
                r#"[0-6]([12]-)?(/a,)?[0-9]{0,2}[\[{]("[a-z\\]{0,2}"|[:,]|1e400|"\\ud800"){0,4}[\]}]"#,
            ],
            0..6,
        ),
        binary in any::<bool>(),
    ) {
        let mut parser = parser();
        for text in texts {
            if let Ok(Some(packet)) = parser.decode_text((&*text).into()) {
                prop_assert!(packet.namespace().starts_with('/'));
                let _ = packet.name();
                let data = packet.data();
                prop_assert!(data.is_empty() || serde_json::from_str::<serde_json::Value>(data).is_ok());
            }
            if binary {
                let _ = parser.decode_binary(Bytes::from(text));
            }
        }
        parser.reset();
        prop_assert!(parser.decode_text("2[\"a\"]".into()).unwrap().is_some());
    }
}
