//! Tests of the dialect of Engine.IO 4.

use std::io::{self, BufReader, Cursor, Read};

use super::*;
use crate::error::snippet;
use crate::proto::dialect::body::SAMPLE;
use crate::proto::dialect::choice::V4_DIALECT;
use crate::proto::dialect::tests::{self, Broken, MAX, binary, text};
use crate::proto::packet::Probe;

fn decode_pieces(body: &[u8], max: usize, piece: usize) -> Vec<Result<Packet>> {
    tests::decode_pieces(V4_DIALECT, false, body, max, piece)
}

fn decode(body: &[u8]) -> (Vec<Packet>, Option<Error>) {
    tests::decode(V4_DIALECT, false, body)
}

fn encode(packets: &[Packet], max: Option<usize>) -> (Bytes, usize) {
    let (body, taken) = tests::encode(V4_DIALECT, packets, max);
    assert!(!body.binary);
    (body.bytes, taken)
}

#[test]
fn a_binary_frame_is_a_message_whatever_it_holds() {
    for bytes in [&b""[..], b"4hi", b"\0", b"b"] {
        let frame = Frame::Binary(Bytes::copy_from_slice(bytes));
        assert_eq!(V4_DIALECT.decode_frame(frame).unwrap(), binary(bytes));
    }
}

#[test]
fn base64_is_strict_but_for_its_padding() {
    for good in ["bAQ==", "bAQ=", "bAQ"] {
        assert_eq!(decode(good.as_bytes()).0, [binary(&[1])]);
    }
    assert_eq!(decode(b"b").0, [binary(&[])]);
    assert_eq!(decode(b"b+/+/").0, [binary(&[0xFB, 0xFF, 0xBF])]);
    for bad in ["bA", "bA===", "bAQ==AQ==", "b-_-_", "bAQ ID", "bAQI*", "b=", "bé", "bAR=="] {
        let (packets, error) = decode(format!("2\x1e{bad}\x1e2").as_bytes());
        assert_eq!(packets, [Packet::Ping(Probe::Heartbeat)], "{bad}");
        let error = error.unwrap();
        assert_eq!(error.kind(), ErrorKind::Protocol);
        assert!(error.message().contains(&bad[1..]), "{error}");
    }
}

#[test]
fn a_payload_is_joined_by_one_byte() {
    let packets = [text("hi"), Packet::Ping(Probe::Heartbeat), binary(&[1, 2, 3, 4])];
    let body = b"\x34\x68\x69\x1E\x32\x1E\x62\x41\x51\x49\x44\x42\x41\x3D\x3D";
    assert_eq!(encode(&packets, None), (Bytes::from_static(body), 3));
    let (decoded, error) = decode(body);
    assert_eq!(decoded, packets);
    assert!(error.is_none());
}

#[test]
fn a_payload_fits_its_limit_to_the_byte() {
    let packets = [text("€"), binary(&[0]), binary(&[0; 3]), binary(&[0; 4]), Packet::Close];
    // 4, then 5, 5, 9 and 1, each with its separator.
    for (max, count, size) in [
        (0, 1, 4),
        (9, 1, 4),
        (10, 2, 10),
        (15, 2, 10),
        (16, 3, 16),
        (25, 3, 16),
        (26, 4, 26),
        (27, 4, 26),
        (28, 5, 28),
        (usize::MAX, 5, 28),
    ] {
        let (body, taken) = encode(&packets, Some(max));
        assert_eq!((taken, body.len()), (count, size), "max {max}");
        assert_eq!(decode(&body).0, packets[..count]);
    }
}

#[test]
fn packets_before_a_bad_one_are_delivered() {
    for (body, good, wrong) in [
        (&b""[..], 0, "an empty body"),
        (b"\x1e4a", 0, "an empty packet"),
        (b"4a\x1e", 1, "an empty packet"),
        (b"4a\x1e\x1e4b", 1, "an empty packet"),
        (b"4a\x1e4b\x1e7x\x1e4c", 2, "7x"),
        (b"4a\x1exyz", 1, "xyz"),
    ] {
        let (packets, error) = decode(body);
        assert_eq!(packets.len(), good);
        let error = error.unwrap();
        assert_eq!(error.kind(), ErrorKind::Protocol);
        assert!(error.message().contains(wrong), "{error}");
        assert_eq!(error.hint(), None);
    }
}

#[test]
fn a_page_is_told_from_a_server() {
    let page = format!("<!DOCTYPE html>\r\n{}", "x".repeat(2 * MAX));
    for body in [page.as_str(), "{\"error\":1}", "OK", "\r\n0{}"] {
        let error = decode(body.as_bytes()).1.unwrap();
        assert_eq!(error.kind(), ErrorKind::Protocol);
        assert_eq!(error.hint(), Some(NO_SERVER));
        let start = snippet(&body.as_bytes()[..body.len().min(SAMPLE)]);
        assert!(error.message().contains(&start), "{error}");
    }
}

#[test]
fn an_old_server_is_recognised() {
    for body in ["97:0{\"sid\":\"x\"}2:40", "118:0{\"sid\":\"x\"}"] {
        let error = decode(body.as_bytes()).1.unwrap();
        assert_eq!((error.kind(), error.hint()), (ErrorKind::Protocol, Some(OLD_SERVER)));
        assert!(error.message().contains(&body[..5]), "{error}");
    }
    let mut binary = V4_DIALECT.decode_payload(true, Box::new(&b"\0\x09\x07\xff0{"[..]), MAX);
    let error = binary.next().unwrap().unwrap_err();
    assert_eq!((error.kind(), error.hint()), (ErrorKind::Protocol, Some(OLD_SERVER)));
    assert!(binary.next().is_none());
    assert_eq!(decode(b"42:0{").0, [text("2:0{")]);
}

#[test]
fn bytes_that_are_not_utf8_are_replaced() {
    let (packets, error) = decode(b"4a\xff\xc3\x1e2");
    assert_eq!(packets, [text("a\u{FFFD}\u{FFFD}"), Packet::Ping(Probe::Heartbeat)]);
    assert!(error.is_none());
}

#[test]
fn a_packet_may_be_as_large_as_the_limit() {
    let fits = format!("4{}\x1eb{}\x1eb{}\x1e2", "x".repeat(9), "AAAA".repeat(3), "AAAAAAAAAAAAAA");
    let packets = decode_pieces(fits.as_bytes(), 10, 3);
    assert!(packets.iter().all(Result::is_ok) && packets.len() == 4);
    for (body, max) in [
        (format!("4{}", "x".repeat(10)), 10),
        ("bAAAA".into(), 2),
        ("bAAAAA".into(), 3),
        ("bAAAAAAA=".into(), 4),
    ] {
        let error = decode_pieces(body.as_bytes(), max, 4).remove(0).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        assert!(error.message().contains(&format!("{} bytes", max + 1)), "{error}");
        assert!(error.message().contains(&format!("{max} bytes")), "{error}");
        assert!(error.hint().unwrap().contains("Limits::max_message"));
    }
}

#[test]
fn an_endless_packet_is_given_up_at_the_limit() {
    let endless = BufReader::new(Cursor::new(b"4").chain(io::repeat(b'x')));
    let mut packets = V4_DIALECT.decode_payload(false, Box::new(endless), 1000);
    assert_eq!(packets.next().unwrap().unwrap_err().kind(), ErrorKind::TooLarge);
    assert!(packets.next().is_none());
}

#[test]
fn a_broken_body_is_a_transport_error_behind_its_packets() {
    for (body, good) in [("4a\x1e4b", 1), ("4a\x1e", 1), ("", 0)] {
        let reader = BufReader::new(Broken::behind(body.as_bytes()));
        let mut packets = V4_DIALECT.decode_payload(false, Box::new(reader), MAX);
        for _ in 0..good {
            assert_eq!(packets.next().unwrap().unwrap(), text("a"));
        }
        let error = packets.next().unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Transport);
        let source = std::error::Error::source(&error).unwrap();
        let source = source.downcast_ref::<io::Error>().unwrap();
        assert_eq!(source.kind(), io::ErrorKind::ConnectionReset);
        assert!(packets.next().is_none());
    }
}

#[test]
fn many_packets_come_one_by_one() {
    let body = BufReader::new(Cursor::new(b"42[\"a\"]\x1e".repeat(1000)).chain(io::repeat(b'6')));
    let packets = V4_DIALECT.decode_payload(false, Box::new(body), 100);
    assert_eq!(packets.take_while(Result::is_ok).count(), 1000);
}

#[test]
fn a_binary_frame_is_sent_as_it_is() {
    let frame = Frame::Binary(Bytes::from_static(&[1, 2, 3, 4]));
    assert_eq!(V4_DIALECT.encode_frame(binary(&[1, 2, 3, 4]), false), frame);
}

#[test]
fn a_packet_at_the_end_of_a_body_may_be_as_large_as_the_limit() {
    let read = |body: &'static [u8], max| {
        V4_DIALECT.decode_payload(false, Box::new(body), max).next().expect("a packet")
    };
    assert_eq!(read(b"4abc", 4).unwrap(), text("abc"));
    assert_eq!(read(b"4abc", 3).unwrap_err().kind(), ErrorKind::TooLarge);
}
