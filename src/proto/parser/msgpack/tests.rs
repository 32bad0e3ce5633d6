//! Tests of the parser of `MessagePack`. The messages in hexadecimal were written by notepack.io 3.0,
//! which JavaScript's parser is made of.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::error::ErrorKind;
use crate::payload::{Args, Binary};
use crate::proto::parser::tests::{any_json, payload};
use crate::proto::socket_packet::Name;
use crate::proto::text::MessageBuilder;

const MAX: usize = 1 << 20;

fn bytes(hex: &str) -> Bytes {
    let digits: Vec<u32> = hex.chars().map(|c| c.to_digit(16).unwrap()).collect();
    digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap()).collect()
}

fn encode(header: Header<'_>, payload: &Payload) -> Bytes {
    let mut queue = VecDeque::new();
    MsgpackParser::new(MAX).encode(header, payload, &mut queue);
    match queue.pop_front() {
        Some(Packet::Binary(bytes)) if queue.is_empty() => bytes,
        other => panic!("not one binary message: {other:?} {queue:?}"),
    }
}

fn decode(bytes: &Bytes) -> Result<SocketPacket> {
    MsgpackParser::new(MAX).decode_binary(bytes.clone()).map(|packet| packet.unwrap())
}

/// Packets, and their messages by JavaScript.
fn packets() -> Vec<(Header<'static>, Payload, &'static str)> {
    let header = |kind, namespace, id| Header { kind, namespace, id };
    vec![
        (
            header(Kind::Event, "/", None),
            payload(
                r#"["a",1,-1,127,128,255,256,65535,65536,4294967295,4294967296,-32,-33,-128,-129,-32769,-2147483649]"#,
                &[],
            ),
            "83a47479706502a464617461dc0011a16101ff7fcc80ccffcd0100cdffffce00010000ceffffffffcf0000000100000000e0d0dfd080d1ff7fd2ffff7fffd3ffffffff7fffffffa36e7370a12f",
        ),
        (
            header(Kind::Event, "/admin", Some(7)),
            payload(r#"["x",1.5,true,false,null,"€😀é","",[],{},[[{}]]]"#, &[]),
            "84a47479706502a4646174619aa178cb3ff8000000000000c3c2c0a9e282acf09f9880c3a9a09080919180a36e7370a62f61646d696ea2696407",
        ),
        (
            header(Kind::Ack, "/", Some(0)),
            payload(
                r#"[{"_placeholder":true,"num":0},{"a":{"_placeholder":true,"num":1}}]"#,
                &[&[1, 2], &[]],
            ),
            "84a47479706503a46461746192c402010281a161c400a36e7370a12fa2696400",
        ),
        (
            header(Kind::ConnectError, "/x", None),
            payload(r#"{"message":"no"}"#, &[]),
            "83a47479706504a46461746181a76d657373616765a26e6fa36e7370a22f78",
        ),
        (header(Kind::Disconnect, "/", None), Payload::default(), "82a47479706501a36e7370a12f"),
    ]
}

#[test]
fn a_packet_is_one_binary_message_and_so_never_a_text_or_unfinished() {
    let parser = MsgpackParser::new(MAX);
    let mut text = MessageBuilder::default();
    for (header, payload, _) in packets() {
        assert!(!parser.write_text(header, &payload, &mut text));
        assert!(parser.unfinished().is_none());
    }
    assert_eq!(text.as_frame(), MessageBuilder::default().as_frame());
}

#[test]
fn packets_are_those_of_javascript() {
    for (header, payload, hex) in packets() {
        assert_eq!(encode(header, &payload.clone()), bytes(hex), "{payload:?}");
        let packet = decode(&bytes(hex)).unwrap();
        assert_eq!((packet.kind, packet.namespace()), (header.kind, header.namespace));
        assert_eq!(packet.id, header.id);
        assert_eq!((packet.data(), &*packet.attachments), (&*payload.json, &*payload.attachments));
        assert_eq!(packet.name == Name::NONE, header.kind != Kind::Event);
    }
}

#[test]
fn what_json_has_not_becomes_what_json_has() {
    for (hex, data, attachments) in [
        (
            "84a47479706502a46461746195a164d7000000018bcfe5687bd4000083a175d40000a16b01a176d40000c7010009a76f7074696f6e7381a8636f6d7072657373c3a36e7370a12f",
            r#"["d","2023-11-14T22:13:20.123Z",null,{"k":1},{"_placeholder":true,"num":0}]"#,
            &[9][..],
        ),
        (
            "83a47479706502a46461746194a16ecb7ff8000000000000cb7ff0000000000000d92878787878787878787878787878787878787878787878787878787878787878787878787878787878a36e7370a12f",
            r#"["n",null,null,"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"]"#,
            &[],
        ),
        ("83a47479706500a46461746182a3736964a173a3706964d40000a36e7370a12f", r#"{"sid":"s"}"#, &[]),
        // A float of 32 bits, a key that is a number, and an unknown type.
        (
            "83a47479706502a46461746194a161ca3f00000081ff01d50501ffa36e7370a12f",
            r#"["a",0.5,{"-1":1},[5,{"_placeholder":true,"num":0}]]"#,
            &[1, 255],
        ),
        // Undefined data is none.
        ("83a47479706501a464617461d40000a36e7370a12f", "", &[]),
    ] {
        let packet = decode(&bytes(hex)).unwrap();
        assert_eq!(packet.data(), data);
        assert_eq!(packet.attachments.concat(), attachments);
    }
}

#[test]
fn attachments_decode_as_binary() {
    let packet = decode(&bytes("84a47479706503a46461746192c402010281a161c400a36e7370a12fa2696400"));
    let packet = packet.unwrap();
    let args = Args { json: packet.data(), skip: 0, attachments: &packet.attachments };
    let (first, _): (Binary, serde::de::IgnoredAny) = args.decode().unwrap();
    assert_eq!(first, [1, 2]);
}

#[test]
fn an_object_that_looks_like_a_placeholder_is_data_or_an_error() {
    let header = Header { kind: Kind::Event, namespace: "/", id: None };
    // Our own, beside binary and without.
    for (json, attachments) in [
        (r#"["a",{"_placeholder":1,"num":0},{"_placeholder":true,"num":0}]"#, &[&[7][..]][..]),
        (r#"["a",{"_placeholder":false,"x":{"_placeholder":true,"num":0}}]"#, &[&[7]]),
        (r#"["a",{"_placeholder":true,"num":0}]"#, &[]),
    ] {
        let sent = payload(json, attachments);
        let packet = decode(&encode(header, &sent.clone())).unwrap();
        assert_eq!((packet.data(), &*packet.attachments), (&*sent.json, &*sent.attachments));
    }
    // {"_placeholder":true,"num":0} beside binary, and around it.
    for data in [
        "93a16182ac5f706c616365686f6c646572c3a36e756d00c40107",
        "93a161c4010782ac5f706c616365686f6c646572c3a36e756d00",
        "92a16183ac5f706c616365686f6c646572c3a36e756d00a178c40107",
    ] {
        let message = bytes(&format!("83a47479706502a464617461{data}a36e7370a12f"));
        let error = decode(&message).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol);
        assert!(error.message().contains("`_placeholder` is `true`"), "{error}");
    }
}

#[test]
fn an_excerpt_has_the_start_of_the_data_wherever_it_stands() {
    // As JavaScript writes it, with `undefined` in it and `options` beside it; the data last; none.
    for (hex, data) in [
        (
            "84a47479706502a46461746192a164d40000a76f7074696f6e7381a8636f6d7072657373c3a36e7370a22f78",
            r#"["d",null]"#,
        ),
        (
            "83a47479706502a36e7370a22f78a46461746192a16181a16bc40107",
            r#"["a",{"k":{"_placeholder":true,"num":0}}]"#,
        ),
        ("82a47479706502a36e7370a22f78", ""),
    ] {
        let message = bytes(hex);
        let excerpt = excerpt(&message).expect(hex);
        assert_eq!((excerpt.kind, &*excerpt.namespace, excerpt.id), (Kind::Event, "/x", None));
        assert_eq!(excerpt.data, data);
        for end in 0..message.len() {
            assert!(super::excerpt(&message.slice(..end)).is_none(), "{hex} up to {end}");
        }
    }
    // The end of long data is not converted, but passed over: what follows is seen.
    let mut message = bytes("84a47479706502a464617461dc1000").to_vec();
    message.extend(b"\xa1x".repeat(0x1000));
    message.extend(&bytes("a36e7370a12fa2696407")[..]);
    let excerpt = excerpt(&message.into()).unwrap();
    assert_eq!((&*excerpt.namespace, excerpt.id), ("/", Some(7)));
    assert!(excerpt.data.starts_with(r#"["x","x","#) && excerpt.data.len() == 100);
    assert!(super::excerpt(&bytes("83a47479706502a464617461ddffffffff")).is_none());
}

#[test]
fn of_two_members_of_one_name_the_last_one_counts() {
    let message = "84a47479706502a464617461\
                   92a161c40107a464617461\
                   92a162c40108a36e7370a12f";
    let packet = decode(&bytes(message)).unwrap();
    assert_eq!(packet.data(), r#"["b",{"_placeholder":true,"num":0}]"#);
    assert_eq!(*packet.attachments, [&[8][..]]);
}

#[test]
fn what_is_no_packet_is_an_error() {
    for (hex, wrong) in [
        ("", "cut short"),
        ("c0", "data that is no packet"),
        ("80", "without its type"),
        ("81a47479706502", "without its namespace"),
        ("82a47479706509a36e7370a12f", "unknown type"),
        ("82a47479706505a36e7370a12f", "unknown type"),
        ("82a474797065ffa36e7370a12f", "without its type"),
        ("82a47479706501a36e737001", "a namespace"),
        ("82a47479706501a36e7370a161", "impossible namespace"),
        ("82a47479706501a36e7370a32f2c61", "impossible namespace"),
        ("82a47479706502a36e7370a12f", "EVENT without data"),
        ("83a47479706502a464617461c0a36e7370a12f", "no array"),
        ("83a47479706500a464617461c0a36e7370a12f", "no object"),
        ("83a47479706503a46461746190a36e7370a12f", "ACK without an id"),
        ("83a47479706501a26964ffa36e7370a12f", "an ack id"),
        ("82a47479706501a36e7370a12f00", "bytes behind"),
        ("8201020304", "a key"),
        ("83a47479706502a46461746191c1a36e7370a12f", "without a meaning"),
        ("83a47479706502a46461746191819001a36e7370a12f", "a key"),
        ("83a47479706502a464617461ddffffffff", "cut short"),
        ("83a47479706502a464617461dfffffffff", "cut short"),
        ("83a47479706502a464617461c6ffffffff", "cut short"),
        ("83a47479706502a464617461dbffffffff00", "cut short"),
        ("83a47479706502a46461746191aa646973636f6e6e656374a36e7370a12f", "reserved name"),
    ] {
        let error = decode(&bytes(hex)).expect_err(hex);
        assert_eq!(error.kind(), ErrorKind::Protocol, "{hex}: {error}");
        assert!(error.message().contains(wrong), "{hex}: {error}");
    }
    let error = MsgpackParser::new(MAX).decode_text("2[\"a\"]".into()).unwrap_err();
    assert!(error.hint().unwrap().contains("Builder::parser"), "{error}");
}

#[test]
fn a_message_cannot_become_larger_than_the_limit() {
    // Two bytes of empty binary become thirty of JSON.
    let mut message = bytes("83a47479706502a36e7370a12fa464617461dc1000").to_vec();
    message.extend([0xc4, 0].repeat(0x1000));
    let message = Bytes::from(message);
    assert!(MsgpackParser::new(1 << 20).decode_binary(message.clone()).is_err(), "no name");
    let error = MsgpackParser::new(10_000).decode_binary(message).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
}

#[test]
fn json_is_as_long_as_the_limit_and_is_written_no_further() {
    // Each element is one byte of MessagePack, and two of JSON with its comma.
    let message: Bytes = [&[0xdc, 0x10, 0][..], &[1; 0x1000]].concat().into();
    let write = |message: &Bytes, limit| JsonWriter::new(limit).value(&mut Tokens::new(message));
    let length = 2 * 0x1000 + 1;
    assert_eq!(write(&message, length).unwrap().len(), length);
    assert_eq!(write(&message, length - 1).unwrap_err().kind(), ErrorKind::TooLarge);
    let error = write(&message, 10).unwrap_err();
    assert!(error.message().contains("at least 12 bytes"), "{error}");
    // What reaches the limit in the middle.
    let nested = Bytes::from_static(&[0x92, 1, 0x90]);
    assert_eq!(write(&nested, 6).unwrap(), "[1,[]]");
    for limit in 0..6 {
        assert_eq!(write(&nested, limit).unwrap_err().kind(), ErrorKind::TooLarge);
    }
}

#[test]
fn deep_nesting_takes_no_stack() {
    let depth = 300_000;
    let mut message = bytes("83a47479706502a36e7370a12fa46461746192a161").to_vec();
    message.extend(vec![0x91; depth]);
    message.push(0xc0);
    let size = message.len();
    let packet = decode(&message.into()).unwrap();
    assert!(packet.data().ends_with(&"]".repeat(depth)));
    let back = encode(
        Header { kind: Kind::Event, namespace: "/", id: None },
        &payload(packet.data(), &[]),
    );
    assert_eq!(back.len(), size);
}

#[test]
fn old_servers_get_and_send_some_packets_as_text() {
    let mut parser = MsgpackParser::new(MAX);
    parser.set_lax(true);
    let mut queue = VecDeque::new();
    let header = Header { kind: Kind::Connect, namespace: "/admin?a=b", id: None };
    parser.encode(header, &Payload::default(), &mut queue);
    let expected = Packet::Text(MessageText::from(r#"{"type":0,"nsp":"/admin?a=b"}"#));
    assert_eq!(queue.pop_front(), Some(expected));
    let header = Header { kind: Kind::Event, namespace: "/", id: None };
    parser.encode(header, &payload(r#"["a"]"#, &[]), &mut queue);
    assert!(matches!(queue.pop_front(), Some(Packet::Binary(_))));

    let connect = parser.decode_text(r#"{"type":0,"nsp":"/admin"}"#.into()).unwrap().unwrap();
    assert_eq!((connect.kind, connect.namespace()), (Kind::Connect, "/admin"));
    let refused = parser.decode_text(r#"{"type":4,"nsp":"/x","data":"no"}"#.into());
    assert_eq!(refused.unwrap().unwrap().data(), r#""no""#);
    // Type 5: an event with binary.
    let event = bytes("83a47479706505a46461746192a161c40107a36e7370a12f");
    let event = parser.decode_binary(event).unwrap().unwrap();
    assert_eq!((event.kind, event.name(), event.attachments.len()), (Kind::Event, "a", 1));
    for text in ["", "[]", "{}", r#"{"type":0}"#, r#"{"type":"0","nsp":"/"}"#, "0"] {
        assert_eq!(parser.decode_text(text.into()).unwrap_err().kind(), ErrorKind::Protocol);
    }
}

#[test]
fn text_with_escapes_and_space_is_written_as_what_it_says() {
    let json = " [ \"a\\n\\u20ac\\\"\" , { \"k\\t\" : [ 1 , 2.5e1 ] , \"e\" : { } } , [ ] ] ";
    let message =
        encode(Header { kind: Kind::Event, namespace: "/", id: None }, &payload(json, &[]));
    let back = decode(&message).unwrap();
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(back.data()).unwrap(),
        json!(["a\n€\"", { "k\t": [1, 25.0], "e": {} }, []])
    );
}

proptest! {
    #[test]
    fn any_event_survives(data in proptest::collection::vec(any_json(), 0..4), id: Option<u64>) {
        let mut list = vec![json!("name")];
        list.extend(data);
        let json = json!(list).to_string();
        let header = Header { kind: Kind::Event, namespace: "/n", id };
        let packet = decode(&encode(header, &payload(&json, &[]))).unwrap();
        prop_assert_eq!(packet.id, id);
        prop_assert_eq!(packet.data(), json);
    }

    #[test]
    fn any_bytes_are_decoded_or_refused(
        tail in proptest::collection::vec(any::<u8>(), 0..60),
        with_head: bool,
    ) {
        let mut message = if with_head {
            bytes("83a47479706502a36e7370a12fa46461746191").to_vec()
        } else {
            Vec::new()
        };
        message.extend(tail);
        if let Ok(packet) = decode(&message.into()) {
            prop_assert!(serde_json::from_str::<serde_json::Value>(packet.data()).is_ok());
        }
    }
}
