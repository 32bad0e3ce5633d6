//! Tests of the parser of plain JSON.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::error::ErrorKind;
use crate::payload::{Args, Binary};
use crate::proto::parser::tests::{any_json, payload};
use crate::proto::socket_packet::{Kind, Name};

fn encode(header: Header<'_>, payload: &Payload) -> String {
    let mut queue = VecDeque::new();
    PlainJsonParser::default().encode(header, payload, &mut queue);
    match queue.pop_front() {
        Some(Packet::Text(text)) if queue.is_empty() => text.as_str().to_owned(),
        other => panic!("not one text: {other:?} {queue:?}"),
    }
}

fn decode_as(text: &str, lax: bool) -> Result<SocketPacket> {
    let mut parser = PlainJsonParser::default();
    parser.set_lax(lax);
    parser.decode_text(text.into()).map(|packet| packet.expect("a whole packet"))
}

fn decode(text: &str) -> Result<SocketPacket> {
    decode_as(text, false)
}

fn header(kind: Kind, namespace: &str, id: Option<u64>) -> Header<'_> {
    Header { kind, namespace, id }
}

#[test]
fn packets_are_objects() {
    for (header, data, text) in [
        (header(Kind::Connect, "/", None), "", r#"{"type":0,"nsp":"/"}"#),
        (
            header(Kind::Connect, "/ünï \"q\"", None),
            r#"{"token":"x"}"#,
            r#"{"type":0,"data":{"token":"x"},"nsp":"/ünï \"q\""}"#,
        ),
        (header(Kind::Disconnect, "/admin", None), "", r#"{"type":1,"nsp":"/admin"}"#),
        (
            header(Kind::Event, "/", None),
            r#"["a",{"b":[null,"€😀\u001e"]}]"#,
            r#"{"type":2,"data":["a",{"b":[null,"€😀\u001e"]}],"nsp":"/"}"#,
        ),
        (
            header(Kind::Event, "/admin", Some(7)),
            r#"["a"]"#,
            r#"{"type":2,"data":["a"],"nsp":"/admin","id":7}"#,
        ),
        (
            header(Kind::Ack, "/", Some(u64::MAX)),
            "[]",
            r#"{"type":3,"data":[],"nsp":"/","id":18446744073709551615}"#,
        ),
        (
            header(Kind::ConnectError, "/x", None),
            r#"{"message":"no"}"#,
            r#"{"type":4,"data":{"message":"no"},"nsp":"/x"}"#,
        ),
    ] {
        assert_eq!(encode(header, &payload(data, &[])), text);
        let packet = decode(text).unwrap();
        assert_eq!((packet.kind, packet.namespace()), (header.kind, header.namespace));
        assert_eq!((packet.id, packet.data()), (header.id, data));
        assert_eq!(packet.name == Name::NONE, header.kind != Kind::Event);
        assert!(packet.attachments.is_empty());
    }
}

#[test]
fn members_may_come_in_any_order_and_form() {
    for (text, namespace, id, data) in [
        // As servers and JavaScript clients write them.
        (r#"{"id":3,"type":3,"data":[1],"nsp":"/"}"#, "/", Some(3), "[1]"),
        (
            r#"{"type":2,"data":["a"],"options":{"compress":true},"nsp":"/b","id":0}"#,
            "/b",
            Some(0),
            "[\"a\"]",
        ),
        // As nobody does, and as `JSON.parse` takes them.
        (
            " {\"nsp\" : \"\\u002fb\" ,\n\"t\\u0079pe\":2e0, \"id\": 4.0,\"data\":[ \"a\" ]} ",
            "/b",
            Some(4),
            "[ \"a\" ]",
        ),
        (
            r#"{"type":9,"type":2,"data":7,"data":["last"],"nsp":1,"nsp":"/","id":null,"id":-0}"#,
            "/",
            Some(0),
            "[\"last\"]",
        ),
        (r#"{"type":2,"data":["a","\ud800"],"nsp":"/"}"#, "/", None, "[\"a\",\"\u{FFFD}\"]"),
        (r#"{"type":2,"data":["a",1e999],"nsp":"/"}"#, "/", None, r#"["a",null]"#),
        (r#"{"type":2,"data":["a"],"nsp":"/","id":99999999999999999999}"#, "/", None, r#"["a"]"#),
        (r#"{"type":2,"data":["a"],"nsp":"/","id":1e300}"#, "/", None, r#"["a"]"#),
    ] {
        let packet = decode(text).unwrap();
        assert_eq!((packet.namespace(), packet.id, packet.data()), (namespace, id, data), "{text}");
    }
}

#[test]
fn what_is_no_packet_is_an_error() {
    for (text, wrong) in [
        ("", "text (at byte 0)"),
        ("{", "text (at byte 1)"),
        (r#"{"type":2,"nsp":"/","data":["a"]}x"#, "text (at byte 33)"),
        ("0", "data that is no packet"),
        ("null", "data that is no packet"),
        ("[]", "data that is no packet"),
        (r#"2["a"]"#, "text (at byte 1)"),
        ("{}", "without a type"),
        (r#"{"type":1}"#, "without a namespace"),
        (r#"{"type":"1","nsp":"/"}"#, "of no type"),
        (r#"{"type":1.5,"nsp":"/"}"#, "of no type"),
        (r#"{"type":-1,"nsp":"/"}"#, "of no type"),
        (r#"{"type":null,"nsp":"/"}"#, "of no type"),
        (r#"{"type":99999999999999999999,"nsp":"/"}"#, "of no type"),
        (r#"{"type":5,"nsp":"/","data":["a"]}"#, "unknown type"),
        (r#"{"type":1,"nsp":1}"#, "of no namespace"),
        (r#"{"type":1,"nsp":null}"#, "of no namespace"),
        (r#"{"type":1,"nsp":"/\ud800"}"#, "of no namespace"),
        (r#"{"type":1,"nsp":"a"}"#, "impossible namespace"),
        (r#"{"type":1,"nsp":"/a,b"}"#, "impossible namespace"),
        (r#"{"type":2,"nsp":"/","id":1}"#, "EVENT without data"),
        (r#"{"type":2,"nsp":"/","data":{}}"#, "no array"),
        (r#"{"type":2,"nsp":"/","data":[]}"#, "without a name"),
        (r#"{"type":2,"nsp":"/","data":["disconnect"]}"#, "reserved name"),
        (r#"{"type":3,"nsp":"/","data":[]}"#, "ACK without an id"),
        (r#"{"type":3,"nsp":"/","data":[],"id":-1}"#, "impossible id"),
        (r#"{"type":3,"nsp":"/","data":[],"id":0.5}"#, "impossible id"),
        (r#"{"type":3,"nsp":"/","data":[],"id":"0"}"#, "impossible id"),
        (r#"{"type":3,"nsp":"/","data":[],"id":null}"#, "impossible id"),
        (r#"{"type":0,"nsp":"/","data":null}"#, "no object"),
        (r#"{"type":4,"nsp":"/","data":[1]}"#, "neither object nor string"),
    ] {
        let error = decode(text).expect_err(text);
        assert_eq!(error.kind(), ErrorKind::Protocol, "{text}: {error}");
        assert!(error.message().contains(wrong), "{text}: {error}");
    }
    let error = PlainJsonParser::default().decode_binary(Bytes::from_static(b"{}")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
    for error in [error, decode("0{}").unwrap_err()] {
        assert!(error.hint().unwrap().contains("Builder::parser"), "{error}");
    }
}

#[test]
fn old_servers_have_types_and_refusals_of_their_own() {
    let lax = |text| decode_as(text, true);
    let event = lax(r#"{"type":5,"data":["a",{"type":"Buffer","data":[7]}],"nsp":"/"}"#).unwrap();
    assert_eq!((event.kind, event.name()), (Kind::Event, "a"));
    assert_eq!(lax(r#"{"type":6,"data":[],"nsp":"/","id":1}"#).unwrap().kind, Kind::Ack);
    assert_eq!(lax(r#"{"type":4,"data":"no","nsp":"/x"}"#).unwrap().data(), "\"no\"");
    assert_eq!(lax(r#"{"type":4,"data":[1],"nsp":"/x"}"#).unwrap().data(), "[1]");
    assert!(lax(r#"{"type":7,"data":[],"nsp":"/"}"#).is_err());
}

#[test]
fn binary_is_what_nodejs_makes_of_a_buffer() {
    let json = r#"["{\"_placeholder\":true,\"num\":0}",{"_placeholder":true,"num":1},{"a":[{"_placeholder":true,"num":0}]}]"#;
    let text = encode(header(Kind::Event, "/", None), &payload(json, &[&[], &[0, 255]]));
    assert_eq!(
        text,
        r#"{"type":2,"data":["{\"_placeholder\":true,\"num\":0}",{"type":"Buffer","data":[0,255]},{"a":[{"type":"Buffer","data":[]}]}],"nsp":"/"}"#
    );
    // The user's own: one that is no placeholder, and without binary any.
    let json = r#"["a",{"_placeholder":false,"num":0},{"_placeholder":true,"num":0}]"#;
    let text = encode(header(Kind::Event, "/", None), &payload(json, &[&[7]]));
    let data = r#"["a",{"_placeholder":false,"num":0},{"type":"Buffer","data":[7]}]"#;
    assert_eq!(decode(&text).unwrap().data(), data);
    let json = r#"["a",{"_placeholder":true,"num":0}]"#;
    let text = encode(header(Kind::Event, "/", None), &payload(json, &[]));
    assert_eq!(decode(&text).unwrap().data(), json);
}

#[test]
fn deep_nesting_takes_no_stack() {
    let data = format!("[\"a\",{}{}]", "[".repeat(300_000), "]".repeat(300_000));
    let text = encode(header(Kind::Event, "/", None), &payload(&data, &[]));
    assert_eq!(decode(&text).unwrap().data(), data);
}

proptest! {
    #[test]
    fn any_packet_survives(
        data in proptest::collection::vec(any_json(), 0..4),
        id: Option<u64>,
        namespace in "/[^,]{0,8}",
        is_ack: bool,
    ) {
        let kind = if is_ack && id.is_some() { Kind::Ack } else { Kind::Event };
        let mut list = vec![json!("name")];
        list.extend(data);
        let json = json!(list).to_string();
        let packet = decode(&encode(header(kind, &namespace, id), &payload(&json, &[]))).unwrap();
        prop_assert_eq!((packet.kind, packet.namespace(), packet.id), (kind, &*namespace, id));
        prop_assert_eq!(packet.data(), json);
    }

    #[test]
    fn any_binary_survives(
        first: Vec<u8>,
        second: Vec<u8>,
        text in any::<String>(),
    ) {
        let args = (&text, Binary::from(first.clone()), vec![(Binary::from(second.clone()), 1)]);
        let sent = Payload::event("name", &args).unwrap();
        let packet = decode(&encode(header(Kind::Event, "/", None), &sent)).unwrap();
        let args = Args { json: packet.data(), skip: 1, attachments: &packet.attachments };
        let (same, one, list): (String, Binary, Vec<(Binary, u8)>) = args.decode().unwrap();
        prop_assert_eq!((same, one), (text, Binary::from(first)));
        prop_assert_eq!(list, [(Binary::from(second), 1)]);
    }

    #[test]
    fn any_text_is_decoded_or_refused(text in r#"(\{"type":2,"nsp":"/","data":\[)?[{}\[\]",:\\a/1n ]{0,30}"#) {
        if let Ok(packet) = decode(&text) {
            prop_assert!(serde_json::from_str::<serde_json::Value>(packet.data()).is_ok());
        }
    }
}
