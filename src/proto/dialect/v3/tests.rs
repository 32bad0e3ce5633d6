//! Tests of the dialect of Engine.IO 3.

use std::io::{self, BufReader, Cursor, Read};

use proptest::prelude::*;

use super::*;
use crate::error::ErrorKind;
use crate::proto::dialect::choice::V3_DIALECT;
use crate::proto::dialect::tests::{self, MAX, any_packet, binary, text};
use crate::proto::packet::Probe;

fn decode_pieces(binary: bool, body: &[u8], max: usize, piece: usize) -> Vec<Result<Packet>> {
    tests::decode_pieces(V3_DIALECT, binary, body, max, piece)
}

fn decode(binary: bool, body: &[u8]) -> (Vec<Packet>, Option<Error>) {
    tests::decode(V3_DIALECT, binary, body)
}

fn encode(packets: &[Packet], max: Option<usize>) -> (Body, usize) {
    tests::encode(V3_DIALECT, packets, max)
}

#[test]
fn a_binary_frame_begins_with_its_type() {
    for (data, wire) in [(&b""[..], &b"\x04"[..]), (b"\x01\xff", b"\x04\x01\xff")] {
        let frame = Frame::Binary(Bytes::copy_from_slice(wire));
        assert_eq!(V3_DIALECT.encode_frame(binary(data), false), frame);
        assert_eq!(V3_DIALECT.decode_frame(frame).unwrap(), binary(data));
    }
}

#[test]
fn a_frame_of_another_type_is_an_error() {
    for wire in [&b""[..], b"\0", b"\x05a", b"4a", b"\xff"] {
        let frame = Frame::Binary(Bytes::copy_from_slice(wire));
        assert_eq!(V3_DIALECT.decode_frame(frame).unwrap_err().kind(), ErrorKind::Protocol);
    }
    for wire in ["", "7", "b", "bAQ==", "b5AQ==", "b4A", "<html>", " 4"] {
        let error = V3_DIALECT.decode_frame(Frame::Text(wire.into())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol, "{wire}");
    }
}

#[test]
fn the_lengths_of_a_text_body_count_utf16_units() {
    for (body, packets) in [
        (r#"12:0{"sid":"x"}2:40"#, vec![Packet::Open(r#"{"sid":"x"}"#.into()), text("0")]),
        ("2:4€", vec![text("€")]),
        ("16:42[\"utf\",\"€😀é\"]", vec![text("2[\"utf\",\"€😀é\"]")]),
        ("3:4😀1:6", vec![text("😀"), Packet::Noop]),
        ("4:4a\u{10FFFF}2:4\u{FFFF}", vec![text("a\u{10FFFF}"), text("\u{FFFF}")]),
        ("6:4hello6:4world", vec![text("hello"), text("world")]),
        ("10:b4AQIDBA==1:1", vec![binary(&[1, 2, 3, 4]), Packet::Close]),
        ("1:4", vec![text("")]),
        ("0:", vec![]),
        ("0:1:60:", vec![Packet::Noop]),
        ("2:b4", vec![binary(&[])]),
        ("0000000001:6", vec![Packet::Noop]),
    ] {
        let (decoded, error) = decode(false, body.as_bytes());
        assert_eq!(decoded, packets, "{body}");
        assert!(error.is_none(), "{body}: {error:?}");
    }
}

#[test]
fn the_lengths_of_a_binary_body_count_bytes() {
    for (body, packets) in [
        (&b"\x00\x09\xff4\xe2\x82\xac\xf0\x9f\x98\x80a"[..], vec![text("€😀a")]),
        (
            b"\x01\x05\xff\x04\x01\x02\x03\x04\x01\x02\xff\x04\x09",
            vec![binary(&[1, 2, 3, 4]), binary(&[9])],
        ),
        (b"\x01\x01\xff\x04", vec![binary(&[])]),
        (b"\x00\x00\xff\x01\x00\xff\x00\x01\xff6", vec![Packet::Noop]),
        (b"\x00\x01\x03\xff4123456789abc\x00\x01\xff1", vec![text("123456789abc"), Packet::Close]),
        (b"\x00\x06\xffb4AQI=", vec![binary(&[1, 2])]),
    ] {
        let (decoded, error) = decode(true, body);
        assert_eq!(decoded, packets);
        assert!(error.is_none(), "{error:?}");
    }
}

#[test]
fn every_byte_value_survives_in_binary() {
    let all: Vec<u8> = (0..=255).collect();
    let (body, _) = encode(&[binary(&all), text("2[\"x\"]")], None);
    assert!(body.binary);
    assert_eq!(&body.bytes[..6], b"\x01\x02\x05\x07\xff\x04");
    assert_eq!(decode(true, &body.bytes).0, [binary(&all), text("2[\"x\"]")]);
}

#[test]
fn ascii_is_a_text_body_and_anything_else_a_binary_one() {
    let (body, _) = encode(&[text("hi"), Packet::Ping(Probe::Heartbeat), Packet::Close], None);
    assert_eq!((body.binary, &body.bytes[..]), (false, &b"3:4hi1:21:1"[..]));
    let (body, _) = encode(&[text("€"), Packet::Noop], None);
    assert_eq!((body.binary, &body.bytes[..]), (true, &b"\0\x04\xff4\xe2\x82\xac\0\x01\xff6"[..]));
    let (body, _) = encode(&[text("a"), binary(&[7])], None);
    assert_eq!((body.binary, &body.bytes[..]), (true, &b"\0\x02\xff4a\x01\x02\xff\x04\x07"[..]));
    for (handshake, is_binary) in [("{}", false), (r#"{"sid":"€"}"#, true)] {
        assert_eq!(encode(&[Packet::Open(handshake.into())], None).0.binary, is_binary);
    }
}

#[test]
fn a_body_fits_its_limit() {
    // 5, then 5, 5 and 4 bytes in a binary body.
    let packets = [text("aa"), text("bb"), binary(&[1]), Packet::Close];
    for (max, count) in [(0, 1), (10, 1), (12, 2), (17, 3), (18, 3), (21, 4), (usize::MAX, 4)] {
        let (body, taken) = encode(&packets, Some(max));
        assert_eq!(taken, count, "max {max}");
        assert!(taken == 1 || body.bytes.len() <= max, "max {max}");
        assert_eq!(decode(body.binary, &body.bytes).0, packets[..count]);
    }
}

#[test]
fn packets_before_a_bad_one_are_delivered() {
    for (is_binary, body, good, wrong) in [
        (false, &b""[..], 0, "no packet"),
        (false, b"1:61:", 1, "ends within"),
        (false, b"1:6x", 1, "no packet"),
        (false, b"2:4a3:4b", 1, "ends within"),
        (false, b"2:4a9", 1, "ends within"),
        (false, b"2:4a2:9b", 1, "unknown packet type"),
        (false, b"2:4a2:4\xf0\x9f\x98\x80", 1, "within a character"),
        (false, b"2:4a12345678901:4", 1, "no packet"),
        (true, b"", 0, "no packet"),
        (true, b"\x00\x01\xff6\x02", 1, "no packet"),
        (true, b"\x00\x01\xff6\x00\xff", 1, "no packet"),
        (true, b"\x00\x01\xff6\x00\x0a\xff", 1, "no packet"),
        (true, b"\x00\x01\xff6\x01\x02\xff\x04", 1, "ends within"),
        (true, b"\x00\x01\xff6\x01\x02\xff\x05a", 1, "no message"),
        (true, b"\x00\x01\xff6\x00\x02\xff9a", 1, "unknown packet type"),
    ] {
        let (packets, error) = decode(is_binary, body);
        assert_eq!(packets.len(), good, "{body:?}");
        let error = error.unwrap();
        assert_eq!(error.kind(), ErrorKind::Protocol);
        assert!(error.message().contains(wrong), "{error}");
    }
}

#[test]
fn a_page_and_a_newer_server_are_recognised() {
    for (body, hint) in [
        ("<!DOCTYPE html>", NO_SERVER),
        ("{\"error\":1}", NO_SERVER),
        ("0x", NO_SERVER),
        ("", NO_SERVER),
        ("0{\"sid\":\"x\"}", NEW_SERVER),
    ] {
        let error = decode(false, body.as_bytes()).1.unwrap();
        assert_eq!((error.kind(), error.hint()), (ErrorKind::Protocol, Some(hint)), "{body}");
    }
}

#[test]
fn a_packet_may_be_as_large_as_the_limit() {
    let fits = [
        (false, "10:4xxxxxxxxx1:6".to_owned()),
        (false, format!("18:b4{}==1:6", "A".repeat(14))),
        (true, "\0\u{1}\0\u{FF}4xxxxxxxxx\0\u{1}\u{FF}6".to_owned()),
        (true, "\u{1}\u{1}\u{1}\u{FF}\u{4}xxxxxxxxxx\0\u{1}\u{FF}6".to_owned()),
    ];
    for (is_binary, body) in fits {
        let body: Vec<u8> = body.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
        let packets = decode_pieces(is_binary, &body, 10, 3);
        assert!(packets.len() == 2 && packets.iter().all(Result::is_ok), "{body:?}: {packets:?}");
        let error = decode_pieces(is_binary, &body, 9, 3).remove(0).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge, "{body:?}");
        assert!(error.hint().unwrap().contains("Limits::max_message"));
    }
}

#[test]
fn an_announced_size_takes_no_memory_and_an_endless_packet_no_time() {
    for (is_binary, start) in
        [(false, &b"9999999999:4"[..]), (true, b"\x01\x09\x09\x09\x09\xff\x04")]
    {
        let endless = BufReader::new(Cursor::new(start).chain(io::repeat(b'x')));
        let mut packets = V3_DIALECT.decode_payload(is_binary, Box::new(endless), 1000);
        assert_eq!(packets.next().unwrap().unwrap_err().kind(), ErrorKind::TooLarge);
        assert!(packets.next().is_none());
    }
    // Continuation bytes count no unit.
    let endless = BufReader::new(Cursor::new(b"2:4").chain(io::repeat(0x80)));
    let mut packets = V3_DIALECT.decode_payload(false, Box::new(endless), 1000);
    assert_eq!(packets.next().unwrap().unwrap_err().kind(), ErrorKind::TooLarge);
}

#[test]
fn bytes_that_are_not_utf8_are_replaced() {
    assert_eq!(decode(false, b"3:4a\xff1:6").1.unwrap().kind(), ErrorKind::Protocol);
    assert_eq!(decode(false, b"3:4a\xc31:6").0, [text("a\u{FFFD}"), Packet::Noop]);
    assert_eq!(decode(true, b"\0\x03\xff4a\xff\0\x01\xff6").0, [text("a\u{FFFD}"), Packet::Noop]);
}

/// A text body as JavaScript writes it.
fn text_body(packets: &[Packet]) -> String {
    packets.iter().fold(String::new(), |mut body, packet| {
        let mut text = String::new();
        write_text(packet, BINARY, &mut text);
        body.push_str(&text.encode_utf16().count().to_string());
        body.push(':');
        body.push_str(&text);
        body
    })
}

proptest! {
    #[test]
    fn any_packets_survive_the_text_body_of_a_server(
        packets in proptest::collection::vec(any_packet(), 1..12),
        piece in 1..40_usize,
    ) {
        let body = text_body(&packets);
        let items = decode_pieces(false, body.as_bytes(), MAX, piece);
        let received: Vec<_> = items.into_iter().map(Result::unwrap).collect();
        prop_assert_eq!(received, packets);
    }
}
