//! What holds for the dialects of all revisions, and what the tests of each need.

use std::collections::VecDeque;
use std::io::{self, BufReader, Cursor, Read};

use bytes::Bytes;
use proptest::prelude::*;

use super::choice::{V3_DIALECT, V4_DIALECT};
use super::{Body, BodyRoom, Dialect, Frame};
use crate::error::{Error, ErrorKind, Result, snippet};
use crate::proto::packet::{Packet, Probe};
use crate::proto::text::MessageText;

/// The limit on packets where a test does not look at it.
pub(super) const MAX: usize = 1 << 20;

/// A dialect, and how it writes what the others write in another way.
struct Case {
    dialect: &'static dyn Dialect,
    /// What stands before base64.
    mark: &'static str,
    /// What no text may have in it that goes into a body.
    separator: Option<char>,
}

const V3: Case = Case { dialect: V3_DIALECT, mark: "b4", separator: None };
const V4: Case = Case { dialect: V4_DIALECT, mark: "b", separator: Some('\x1e') };
const CASES: [Case; 2] = [V3, V4];

pub(super) fn text(text: &str) -> Packet {
    Packet::Text(MessageText::from(text))
}

pub(super) fn binary(bytes: &[u8]) -> Packet {
    Packet::Binary(Bytes::copy_from_slice(bytes))
}

/// Decodes a body that comes in pieces of `piece` bytes.
pub(super) fn decode_pieces(
    dialect: &dyn Dialect,
    is_binary: bool,
    body: &[u8],
    max: usize,
    piece: usize,
) -> Vec<Result<Packet>> {
    let body = BufReader::with_capacity(piece, Cursor::new(body.to_vec()));
    let mut packets = dialect.decode_payload(is_binary, Box::new(body), max);
    let items = packets.by_ref().collect();
    assert!(packets.next().is_none(), "an iterator that ended stays so");
    items
}

/// Decodes a body: the good packets, then the error, if any.
pub(super) fn decode(
    dialect: &dyn Dialect,
    is_binary: bool,
    body: &[u8],
) -> (Vec<Packet>, Option<Error>) {
    let mut packets = Vec::new();
    let mut items = decode_pieces(dialect, is_binary, body, MAX, 5).into_iter();
    while let Some(item) = items.next() {
        match item {
            Ok(packet) => packets.push(packet),
            Err(error) => {
                assert!(items.next().is_none(), "the first error is the last item");
                return (packets, Some(error));
            }
        }
    }
    (packets, None)
}

/// Encodes packets: the body, and how many of them are in it.
pub(super) fn encode(
    dialect: &dyn Dialect,
    packets: &[Packet],
    max: Option<usize>,
) -> (Body, usize) {
    let mut queue = packets.iter().cloned().collect();
    let bytes = max.unwrap_or(usize::MAX);
    let body = dialect.encode_payload(&mut queue, BodyRoom { bytes, ..BodyRoom::ANY });
    (body, packets.len() - queue.len())
}

pub(super) fn any_packet() -> impl Strategy<Value = Packet> {
    let probe = any::<bool>().prop_map(|p| if p { Probe::Probe } else { Probe::Heartbeat });
    let data = prop_oneof![
        any::<String>(),
        "[a-z]{0,12}",
        "[\u{0}\u{7f}\u{80}\u{7ff}\u{800}\u{ffff}\u{10000}\u{10ffff}😀€]{0,12}",
    ];
    prop_oneof![
        data.clone().prop_map(Packet::Open),
        Just(Packet::Close),
        probe.clone().prop_map(Packet::Ping),
        probe.prop_map(Packet::Pong),
        data.prop_map(|data| text(&data)),
        any::<Vec<u8>>().prop_map(|bytes| Packet::Binary(bytes.into())),
        Just(Packet::Upgrade),
        Just(Packet::Noop),
    ]
}

/// A body that breaks. It gives each byte after an interruption, and then an error.
pub(super) struct Broken {
    left: Vec<u8>,
    interrupted: bool,
}

impl Broken {
    /// One that breaks behind these bytes.
    pub(super) fn behind(bytes: &[u8]) -> Self {
        Self { left: bytes.to_vec(), interrupted: false }
    }
}

impl Read for Broken {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.interrupted = !self.interrupted;
        if self.interrupted {
            return Err(io::ErrorKind::Interrupted.into());
        }
        if self.left.is_empty() {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        buffer[0] = self.left.remove(0);
        Ok(1)
    }
}

/// Any bytes, two thirds of them of an alphabet.
fn any_bytes(alphabet: &'static [u8]) -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![2 => prop::sample::select(alphabet), 1 => any::<u8>()];
    proptest::collection::vec(byte, 0..60)
}

impl Case {
    /// Each packet as text.
    fn every_packet(&self) -> Vec<(Packet, String)> {
        let mut packets: Vec<_> = [
            (Packet::Open(r#"{"sid":"é"}"#.to_owned()), r#"0{"sid":"é"}"#),
            (Packet::Open(String::new()), "0"),
            (Packet::Close, "1"),
            (Packet::Ping(Probe::Heartbeat), "2"),
            (Packet::Ping(Probe::Probe), "2probe"),
            (Packet::Pong(Probe::Heartbeat), "3"),
            (Packet::Pong(Probe::Probe), "3probe"),
            (text("hi"), "4hi"),
            (text(""), "4"),
            (text("2[\"€😀é\"]"), "42[\"€😀é\"]"),
            (Packet::Upgrade, "5"),
            (Packet::Noop, "6"),
        ]
        .map(|(packet, wire)| (packet, wire.to_owned()))
        .into();
        packets.push((binary(&[1, 2, 3, 4]), format!("{}AQIDBA==", self.mark)));
        packets
    }

    /// The packets as they may go into a body.
    fn without_separators(&self, packets: &[Packet]) -> Vec<Packet> {
        let Some(separator) = self.separator else { return packets.to_vec() };
        let clean = |data: &str| data.replace(separator, "");
        let packets = packets.iter().map(|packet| match packet {
            Packet::Open(data) => Packet::Open(clean(data)),
            Packet::Text(data) => text(&clean(data.as_str())),
            packet => packet.clone(),
        });
        packets.collect()
    }

    /// Sends packets in as many bodies as they take, and checks what comes of them.
    fn survive_payloads(&self, packets: &[Packet], max: Option<usize>, piece: usize) {
        let mut queue: VecDeque<_> = packets.iter().cloned().collect();
        let mut received = Vec::new();
        while !queue.is_empty() {
            let before = queue.len();
            let bytes = max.unwrap_or(usize::MAX);
            let room = BodyRoom { bytes, ..BodyRoom::ANY };
            let body = self.dialect.encode_payload(&mut queue, room);
            let one = before - queue.len() == 1;
            assert!(one || max.is_none_or(|max| body.bytes.len() <= max));
            let items = decode_pieces(self.dialect, body.binary, &body.bytes, MAX, piece);
            received.extend(items.into_iter().map(Result::unwrap));
        }
        assert_eq!(received, packets);
    }

    /// Decodes what need not be a body, in pieces and as a whole: gives what came of it.
    fn decode_in_two_ways(
        &self,
        is_binary: bool,
        body: &[u8],
        max: usize,
        piece: usize,
    ) -> Vec<Result<Packet>> {
        let items = decode_pieces(self.dialect, is_binary, body, max, piece);
        let whole = decode_pieces(self.dialect, is_binary, body, max, 1000);
        assert_eq!(items.len(), whole.len());
        for (item, other) in items.iter().zip(whole) {
            assert_eq!(item.as_ref().ok(), other.ok().as_ref());
        }
        let _ =
            self.dialect.decode_frame(Frame::Text(String::from_utf8_lossy(body).as_ref().into()));
        let _ = self.dialect.decode_frame(Frame::Binary(Bytes::copy_from_slice(body)));
        items
    }
}

#[test]
fn every_packet_reads_and_writes_as_a_text_frame() {
    for case in CASES {
        for (packet, wire) in case.every_packet() {
            let frame = Frame::Text(wire.into());
            assert_eq!(case.dialect.encode_frame(packet.clone(), true), frame);
            assert_eq!(case.dialect.decode_frame(frame.clone()).unwrap(), packet);
            if !matches!(packet, Packet::Binary(_)) {
                assert_eq!(case.dialect.encode_frame(packet, false), frame);
            }
        }
    }
}

#[test]
fn a_body_has_no_more_packets_than_there_is_room_for() {
    for case in CASES {
        let mut queue: VecDeque<_> = (0..40).map(|n| text(&n.to_string())).collect();
        let left: Vec<usize> = std::iter::from_fn(|| {
            let room = BodyRoom { packets: 16, ..BodyRoom::ANY };
            (!queue.is_empty()).then(|| _ = case.dialect.encode_payload(&mut queue, room))?;
            Some(queue.len())
        })
        .collect();
        assert_eq!(left, [24, 8, 0]);
    }
}

#[test]
fn a_ping_with_other_data_is_a_heartbeat() {
    for (case, data) in CASES.iter().flat_map(|case| {
        ["x", "probe ", "Probe", "probeprobe"].into_iter().map(move |data| (case, data))
    }) {
        for (digit, packet) in
            [("2", Packet::Ping(Probe::Heartbeat)), ("3", Packet::Pong(Probe::Heartbeat))]
        {
            let frame = Frame::Text(format!("{digit}{data}").into());
            assert_eq!(case.dialect.decode_frame(frame).unwrap(), packet);
        }
    }
}

#[test]
fn an_unknown_or_empty_frame_is_an_error_that_shows_it() {
    for case in CASES {
        for frame in ["", "7", "9x", "x4hi", " 4hi", "<html>", "😀", "\r\n", "B"] {
            let error = case.dialect.decode_frame(Frame::Text(frame.into())).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Protocol, "{frame}");
            assert!(error.message().contains(&snippet(frame.as_bytes())), "{error}");
        }
    }
}

proptest! {
    #[test]
    fn any_packet_survives_a_frame(packet in any_packet(), base64: bool) {
        for case in CASES {
            let frame = case.dialect.encode_frame(packet.clone(), base64);
            prop_assert_eq!(case.dialect.frame_len(&packet, base64), frame.len());
            let (body, _) = encode(case.dialect, std::slice::from_ref(&packet), None);
            let most = case.dialect.body_len(&packet);
            // A text takes one byte less in a text body of the old revision than in a binary one.
            prop_assert!((body.bytes.len()..=body.bytes.len() + 2).contains(&most));
            prop_assert_eq!(case.dialect.decode_frame(frame).unwrap(), packet.clone());
        }
    }

    #[test]
    fn any_packets_survive_payloads(
        packets in proptest::collection::vec(any_packet(), 1..12),
        max in proptest::option::of(0..300_usize),
        piece in 1..40_usize,
    ) {
        for case in CASES {
            case.survive_payloads(&case.without_separators(&packets), max, piece);
        }
    }

    #[test]
    fn any_bytes_are_decoded_or_refused(
        old in any_bytes(b"0123456b4:\0\x01\x02\x04\xff\xf0\x9f\x98\x80="),
        new in any_bytes(b"0123456b\x1e\x1e{:="),
        is_binary: bool,
        max in 0..40_usize,
        piece in 1..9_usize,
    ) {
        V3.decode_in_two_ways(is_binary, &old, max, piece);
        prop_assert!(!V4.decode_in_two_ways(false, &new, max, piece).is_empty());
    }
}
