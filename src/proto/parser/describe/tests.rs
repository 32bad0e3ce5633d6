//! Tests of what is shown of packets.

use std::collections::VecDeque;

use super::*;
use crate::payload::{Binary, Payload};
use crate::proto::dialect::choice::{V3_DIALECT, V4_DIALECT};
use crate::proto::dialect::{Connect, Credentials, Dialect};
use crate::proto::parser::choice::new_parser;
use crate::proto::parser::tests::payload;
use crate::proto::text::MessageText;

const SECRET: &str = "s3cr3t";

const PARSERS: &[ParserKind] = &[
    ParserKind::Json,
    ParserKind::PlainJson,
    #[cfg(feature = "msgpack")]
    ParserKind::MessagePack,
];

/// Each revision with each parser.
fn cases() -> impl Iterator<Item = (&'static dyn Dialect, ParserKind)> {
    [V3_DIALECT, V4_DIALECT]
        .into_iter()
        .flat_map(|dialect| PARSERS.iter().map(move |parser| (dialect, *parser)))
}

/// What is shown of the first message of a packet, when it is sent and when it is received.
fn shown(
    dialect: &dyn Dialect,
    parser: ParserKind,
    header: Header<'_>,
    payload: &Payload,
) -> String {
    let mut encoder = new_parser(parser, 10, 1 << 20);
    encoder.set_lax(dialect.is_lax());
    let mut queue = VecDeque::new();
    encoder.encode(header, payload, &mut queue);
    let sent = queue.pop_front().unwrap();
    let received = dialect.decode_frame(dialect.encode_frame(sent.clone(), false)).unwrap();
    let text = describe(parser, &sent);
    assert_eq!(describe(parser, &received), text);
    text
}

#[test]
fn secrets_are_not_shown_in_any_revision_with_any_parser() {
    let auth = format!(r#"{{"token":"{SECRET}"}}"#);
    let credentials = Credentials { auth: &auth, pid: Some(SECRET), offset: Some("offset") };
    let answer = format!(r#"{{"sid":"id","pid":"{SECRET}"}}"#);
    // As servers 1.x and 2.x know the namespace.
    let with_query = &*format!("/orders?token={SECRET}");
    for (dialect, parser) in cases() {
        let Connect { namespace, data } = dialect.connect("/orders", credentials);
        let mut packets = vec![
            (Kind::Connect, &*namespace, None, &*data, "0/orders,"),
            (Kind::Disconnect, "/orders", None, "", "1/orders,"),
        ];
        for namespace in ["/orders", with_query] {
            packets.extend([
                (Kind::Connect, namespace, None, &*answer, "0/orders,"),
                (
                    Kind::ConnectError,
                    namespace,
                    None,
                    r#"{"message":"no"}"#,
                    r#"4/orders,{\"message\":\"no\"}"#,
                ),
                (Kind::ConnectError, namespace, None, r#""no""#, r#"4/orders,\"no\""#),
                (
                    Kind::Event,
                    namespace,
                    Some(7),
                    r#"["harmless",{"a":1}]"#,
                    r#"2/orders,7[\"harmless\",{\"a\":1}]"#,
                ),
                (Kind::Event, "/", None, r#"["harmless"]"#, r#"2[\"harmless\"]"#),
                (Kind::Ack, namespace, Some(12), r#"["harmless"]"#, r#"3/orders,12[\"harmless\"]"#),
            ]);
        }
        for (kind, namespace, id, data, expected) in packets {
            let header = Header { kind, namespace, id };
            let text = shown(dialect, parser, header, &payload(data, &[]));
            assert_eq!(text, expected, "{dialect:?} {parser:?}");
            assert!(!text.contains(SECRET));
        }
        let open = Packet::Open(format!(r#"{{"sid":"{SECRET}"}}"#));
        assert_eq!(describe(parser, &open), "Open");
    }
}

#[test]
fn binary_is_shown_as_the_parser_has_it() {
    for (dialect, parser) in cases() {
        let sent = Payload::event("photo", &Binary::from([1, 2])).unwrap();
        let header = Header { kind: Kind::Event, namespace: "/", id: None };
        let text = shown(dialect, parser, header, &sent);
        let expected = match parser {
            ParserKind::Json => r#"51-[\"photo\",{\"_placeholder\":true"#,
            ParserKind::PlainJson => r#"2[\"photo\",{\"type\":\"Buffer\",\"data\":[1,2]}]"#,
            ParserKind::MessagePack => r#"2[\"photo\",{\"_placeholder\":true"#,
        };
        assert!(text.starts_with(expected), "{text}");
    }
    assert_eq!(describe(ParserKind::Json, &Packet::Binary(vec![7; 5].into())), "5 bytes");
}

#[test]
fn a_line_is_short_and_escaped_whatever_the_packet() {
    let namespace = format!("/{}", "n\n".repeat(50_000));
    let data = format!(r#"["name","{}",[1,2]]"#, "€\u{1b}😀é".repeat(50_000));
    for (dialect, parser) in cases() {
        for (namespace, data) in [("/", &*data), (&*namespace, "[\"name\"]")] {
            // JSON has no control characters within strings.
            let data = data.replace('\u{1b}', "\\u001b");
            let header = Header { kind: Kind::Event, namespace, id: Some(u64::MAX) };
            let text = shown(dialect, parser, header, &payload(&data, &[]));
            assert!(text.ends_with('…') && text.len() < 400, "{text}");
            assert!(!text.contains(char::is_control), "{text}");
        }
    }
}

#[test]
fn of_what_is_no_packet_of_the_parser_only_the_size_is_shown() {
    let texts = [
        String::new(),
        SECRET.to_owned(),
        format!(r#"7{{"token":"{SECRET}"}}"#),
        format!(r#"5{{"token":"{SECRET}"}}"#),
        format!(r#"{{"type":9,"nsp":"/","data":{{"token":"{SECRET}"}}}}"#),
        format!(r#"{{"type":0,"nsp":"/","data":{{"token":"{SECRET}"}}"#),
        format!(r#"{{"type":0,"data":{{"token":"{SECRET}"}}}}"#),
    ];
    for parser in PARSERS {
        for text in &texts {
            let message = Packet::Text(MessageText::from(&**text));
            let expected = format!("{} bytes that are no packet", text.len());
            assert_eq!(describe(*parser, &message), expected, "{parser:?}: {text}");
            let message = Packet::Binary(text.clone().into_bytes().into());
            assert_eq!(describe(*parser, &message), format!("{} bytes", text.len()));
        }
        // Those of other parsers.
        for other in PARSERS.iter().filter(|other| *other != parser) {
            let header = Header { kind: Kind::Connect, namespace: "/", id: None };
            let mut queue = VecDeque::new();
            let data = payload(&format!(r#"{{"token":"{SECRET}"}}"#), &[]);
            new_parser(*other, 10, 1 << 20).encode(header, &data, &mut queue);
            let text = describe(*parser, &queue[0]);
            assert!(!text.contains(SECRET), "{parser:?} {other:?}: {text}");
        }
    }
}

#[test]
fn an_outline_has_the_name_of_an_event_and_nothing_that_it_carries() {
    let array = format!(r#"["{SECRET}",{{"a":"{SECRET}"}}]"#);
    let event = format!(r#"["login",{{"password":"{SECRET}"}},"{SECRET}"]"#);
    let escaped = format!(r#"["a\"]b","{SECRET}"]"#);
    for (_, parser) in cases() {
        for (kind, json, shown) in [
            (Kind::Event, &*event, r#"2/orders,7[\"login\",…"#),
            (Kind::Event, &*escaped, r#"2/orders,7[\"a\\\"]b\",…"#),
            (Kind::Event, r#"["alone"]"#, r#"2/orders,7[\"alone\"]"#),
            (Kind::Event, &*format!("[7,\"{SECRET}\"]"), "2/orders,7…"),
            (Kind::Ack, &*array, "3/orders,7…"),
            (Kind::ConnectError, &*format!(r#"{{"message":"{SECRET}"}}"#), "4/orders,7…"),
        ] {
            let header = Header { kind, namespace: "/orders", id: Some(7) };
            let mut queue = VecDeque::new();
            new_parser(parser, 10, 1 << 20).encode(header, &payload(json, &[]), &mut queue);
            assert_eq!(outline(parser, &queue[0]), shown, "{parser:?}");
        }
        let (text, bytes) = (Packet::Text(SECRET.into()), Packet::Binary(SECRET.into()));
        for packet in [text, bytes] {
            assert!(!outline(parser, &packet).contains(SECRET), "{parser:?}");
        }
    }
}
