//! Engine.IO 4: payloads separated by 0x1E, raw binary frames, heartbeats from the server.

use std::collections::VecDeque;
use std::io::{BufRead, Read};
use std::iter;

use bytes::Bytes;
use serde_json::Value;

use super::body::{NO_SERVER, broken_body, peek};
use super::{Body, Connect, Credentials, Dialect, Frame, Heartbeat, Membership};
use crate::error::{Error, ErrorKind, Result};
use crate::proto::packet::Packet;
use crate::proto::packet_text::{base64_len, read_text, text_len, write_text};
use crate::proto::{protocol_error, too_large};

/// What stands between the packets of a payload. JSON has it only as an escape.
const SEPARATOR: u8 = 0x1E;

/// What stands before base64.
const BINARY: &str = "b";

/// The dialect of servers 3.x and 4.x.
#[derive(Debug)]
pub(super) struct V4;

impl Dialect for V4 {
    fn eio(&self) -> &'static str {
        "4"
    }

    fn heartbeat(&self) -> Heartbeat {
        Heartbeat::ServerPings
    }

    fn joins_root(&self) -> bool {
        false
    }

    fn connect(&self, namespace: &str, credentials: Credentials<'_>) -> Connect {
        Connect { namespace: namespace.to_owned(), data: connect_data(credentials) }
    }

    fn membership(&self, _: &str, _: &str, data: &Value) -> Option<Membership> {
        let text = |member: &str| data.get(member).and_then(Value::as_str).map(str::to_owned);
        Some(Membership { id: text("sid")?, pid: text("pid") })
    }

    fn is_lax(&self) -> bool {
        false
    }

    fn reports_errors(&self) -> bool {
        false
    }

    fn encode_frame(&self, packet: Packet, base64: bool) -> Frame {
        match packet {
            Packet::Text(text) => Frame::Text(text.into_frame()),
            Packet::Binary(bytes) if !base64 => Frame::Binary(bytes),
            packet => {
                let mut text = String::with_capacity(text_len(&packet, BINARY));
                write_text(&packet, BINARY, &mut text);
                Frame::Text(text.into())
            }
        }
    }

    fn decode_frame(&self, frame: Frame) -> Result<Packet> {
        match frame {
            Frame::Text(text) => read_text(text, BINARY),
            Frame::Binary(bytes) => Ok(Packet::Binary(bytes)),
        }
    }

    fn encode_payload(&self, queue: &mut VecDeque<Packet>, max: Option<usize>) -> Body {
        let (count, size) = fitting(queue, max.unwrap_or(usize::MAX));
        let mut text = String::with_capacity(size);
        for packet in queue.drain(..count) {
            if !text.is_empty() {
                text.push(char::from(SEPARATOR));
            }
            write_text(&packet, BINARY, &mut text);
        }
        Body { binary: false, bytes: Bytes::from(text) }
    }

    fn decode_payload<'a>(
        &self,
        binary: bool,
        body: Box<dyn BufRead + 'a>,
        max: usize,
    ) -> Box<dyn Iterator<Item = Result<Packet>> + 'a> {
        if binary {
            let error = Error::new(ErrorKind::Protocol, "a binary body where text was expected");
            return Box::new(iter::once(Err(error.with_hint(OLD_SERVER))));
        }
        Box::new(Payload { body, max, started: false, ended: false })
    }
}

/// The credentials with what the recovery of a session needs.
fn connect_data(Credentials { auth, pid, offset }: Credentials<'_>) -> String {
    let Some(pid) = pid else { return auth.to_owned() };
    let mut json = format!("{{\"pid\":{}", Value::from(pid));
    if let Some(offset) = offset {
        json.push_str(",\"offset\":");
        json.push_str(&Value::from(offset).to_string());
    }
    // Of two members of one name the last one counts: the caller's.
    let members = auth.trim_start().strip_prefix('{').unwrap_or("}").trim_start();
    if !members.starts_with('}') {
        json.push(',');
    }
    json.push_str(members);
    json
}

/// How many packets fit into a body of `max` bytes, at least one, and the size of that body.
fn fitting(queue: &VecDeque<Packet>, max: usize) -> (usize, usize) {
    let mut count = 0;
    let mut size = 0_usize;
    for packet in queue {
        let separator = usize::from(count > 0);
        let larger = size.saturating_add(separator).saturating_add(text_len(packet, BINARY));
        if count > 0 && larger > max {
            break;
        }
        count += 1;
        size = larger;
    }
    (count, size)
}

const OLD_SERVER: &str = "the server seems to speak EIO=3, as Socket.IO 1.x and 2.x do";

/// How much of what is no packet is read, for the error message.
const SAMPLE: usize = 64;

/// The packets of a response, read one at a time.
struct Payload<'a> {
    body: Box<dyn BufRead + 'a>,
    max: usize,
    started: bool,
    ended: bool,
}

impl Iterator for Payload<'_> {
    type Item = Result<Packet>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let item = self.packet();
        self.ended |= item.is_err();
        self.started = true;
        Some(item)
    }
}

impl Payload<'_> {
    fn packet(&mut self) -> Result<Packet> {
        let first = peek(&mut self.body).map_err(broken_body)?;
        let limit = match first {
            Some(b'0'..=b'6') => self.max,
            // The limit is for what base64 carries, so that both transports take the same.
            Some(b'b') => base64_len(self.max).saturating_add(1),
            _ => return Err(self.no_packet(first)),
        };
        let text = self.text(limit)?;
        if !self.started && is_eio3(text.as_bytes()) {
            let error = protocol_error("a payload of another revision", text.as_bytes());
            return Err(error.with_hint(OLD_SERVER));
        }
        match read_text(text.into(), BINARY)? {
            Packet::Binary(bytes) if bytes.len() > self.max => Err(self.too_large()),
            packet => Ok(packet),
        }
    }

    /// Reads up to the next separator, which it drops, or to the end of the body.
    ///
    /// Bytes that are not UTF-8 become U+FFFD, as they do in browsers.
    fn text(&mut self, limit: usize) -> Result<String> {
        let mut packet = Vec::new();
        let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
        let mut body = self.body.by_ref().take(most);
        body.read_until(SEPARATOR, &mut packet).map_err(broken_body)?;
        if packet.last() == Some(&SEPARATOR) {
            packet.pop();
        } else if packet.len() > limit {
            return Err(self.too_large());
        } else {
            self.ended = true;
        }
        Ok(String::from_utf8(packet)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
    }

    /// The error for what does not begin like a packet.
    fn no_packet(&mut self, first: Option<u8>) -> Error {
        let wrong = match first {
            None if !self.started => "an empty body",
            None | Some(SEPARATOR) => "an empty packet",
            Some(_) => "no packet of Engine.IO",
        };
        let mut sample = Vec::new();
        // What cannot be read is only missing in the message.
        let _ = self.body.by_ref().take(SAMPLE as u64).read_to_end(&mut sample);
        let error = protocol_error(wrong, &sample);
        if self.started || matches!(first, None | Some(SEPARATOR)) {
            error
        } else if is_eio3(&sample) {
            error.with_hint(OLD_SERVER)
        } else {
            error.with_hint(NO_SERVER)
        }
    }

    fn too_large(&self) -> Error {
        too_large("a packet", self.max.saturating_add(1), self.max)
    }
}

/// Whether a body begins with a handshake and its length, as it does in Engine.IO 3.
///
/// A length that begins with 4 is not taken for one: it could be a message of a custom parser.
fn is_eio3(body: &[u8]) -> bool {
    let digits = body.iter().take_while(|byte| byte.is_ascii_digit()).take(5).count();
    (2..5).contains(&digits) && body[0] != b'4' && body[digits..].starts_with(b":0{")
}

#[cfg(test)]
mod tests {
    use std::io::{self, BufReader, Cursor};

    use proptest::prelude::*;

    use super::*;
    use crate::proto::dialect::choice::V4_DIALECT;
    use crate::proto::packet::Probe;
    use crate::proto::text::MessageText;

    const MAX: usize = 1 << 20;

    fn text(text: &str) -> Packet {
        Packet::Text(MessageText::from(text))
    }

    fn binary(bytes: &[u8]) -> Packet {
        Packet::Binary(Bytes::copy_from_slice(bytes))
    }

    /// Decodes a body that comes in pieces of `piece` bytes.
    fn decode_pieces(body: &[u8], max: usize, piece: usize) -> Vec<Result<Packet>> {
        let body = BufReader::with_capacity(piece, Cursor::new(body.to_vec()));
        let mut packets = V4_DIALECT.decode_payload(false, Box::new(body), max);
        let items = packets.by_ref().collect();
        assert!(packets.next().is_none(), "an iterator that ended stays so");
        items
    }

    /// Decodes a body: the good packets, then the error, if any.
    fn decode(body: &[u8]) -> (Vec<Packet>, Option<Error>) {
        let mut packets = Vec::new();
        let mut items = decode_pieces(body, MAX, 7).into_iter();
        for item in items.by_ref() {
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

    fn encode(packets: &[Packet], max: Option<usize>) -> (Bytes, usize) {
        let mut queue = packets.iter().cloned().collect();
        let body = V4_DIALECT.encode_payload(&mut queue, max);
        assert!(!body.binary);
        (body.bytes, packets.len() - queue.len())
    }

    fn every_packet() -> [(Packet, &'static str); 13] {
        [
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
            (binary(&[1, 2, 3, 4]), "bAQIDBA=="),
        ]
    }

    #[test]
    fn every_packet_reads_and_writes_as_a_frame() {
        for (packet, wire) in every_packet() {
            let frame = Frame::Text(wire.into());
            assert_eq!(V4_DIALECT.encode_frame(packet.clone(), true), frame);
            assert_eq!(V4_DIALECT.decode_frame(frame.clone()).unwrap(), packet);
            let Packet::Binary(bytes) = packet else {
                assert_eq!(V4_DIALECT.encode_frame(packet, false), frame);
                continue;
            };
            let frame = Frame::Binary(bytes.clone());
            assert_eq!(V4_DIALECT.encode_frame(Packet::Binary(bytes), false), frame);
        }
    }

    #[test]
    fn a_binary_frame_is_a_message_whatever_it_holds() {
        for bytes in [&b""[..], b"4hi", b"\0", b"b"] {
            let frame = Frame::Binary(Bytes::copy_from_slice(bytes));
            assert_eq!(V4_DIALECT.decode_frame(frame).unwrap(), binary(bytes));
        }
    }

    #[test]
    fn a_ping_with_other_data_is_a_heartbeat() {
        for data in ["x", "probe ", "Probe", "probeprobe"] {
            for (digit, packet) in
                [("2", Packet::Ping(Probe::Heartbeat)), ("3", Packet::Pong(Probe::Heartbeat))]
            {
                let frame = Frame::Text(format!("{digit}{data}").into());
                assert_eq!(V4_DIALECT.decode_frame(frame).unwrap(), packet);
            }
        }
    }

    #[test]
    fn an_unknown_or_empty_frame_is_an_error_that_shows_it() {
        for frame in ["", "7", "9x", "x4hi", " 4hi", "<html>", "😀", "\r\n", "B"] {
            let error = V4_DIALECT.decode_frame(Frame::Text(frame.into())).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Protocol);
            assert!(error.message().contains(&crate::error::snippet(frame.as_bytes())));
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
            let start = crate::error::snippet(&body.as_bytes()[..body.len().min(SAMPLE)]);
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
        let fits =
            format!("4{}\x1eb{}\x1eb{}\x1e2", "x".repeat(9), "AAAA".repeat(3), "AAAAAAAAAAAAAA");
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

    /// Gives each byte after an interruption, and then an error.
    struct Broken(Vec<u8>, bool);

    impl Read for Broken {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 {
                return Err(io::ErrorKind::Interrupted.into());
            }
            if self.0.is_empty() {
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            buffer[0] = self.0.remove(0);
            Ok(1)
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
            let reader = BufReader::new(Broken(body.into(), false));
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
        let body =
            BufReader::new(Cursor::new(b"42[\"a\"]\x1e".repeat(1000)).chain(io::repeat(b'6')));
        let packets = V4_DIALECT.decode_payload(false, Box::new(body), 100);
        assert_eq!(packets.take_while(Result::is_ok).count(), 1000);
    }

    fn any_packet() -> impl Strategy<Value = Packet> {
        let probe = any::<bool>().prop_map(|p| if p { Probe::Probe } else { Probe::Heartbeat });
        // Neither JSON nor the data of a message has the separator in it.
        let data = any::<String>().prop_map(|data| data.replace('\x1e', ""));
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

    proptest! {
        #[test]
        fn any_packet_survives_a_frame(packet in any_packet(), base64: bool) {
            let frame = V4_DIALECT.encode_frame(packet.clone(), base64);
            prop_assert_eq!(V4_DIALECT.decode_frame(frame).unwrap(), packet);
        }

        #[test]
        fn any_packets_survive_payloads(
            packets in proptest::collection::vec(any_packet(), 1..12),
            max in proptest::option::of(0..300_usize),
            piece in 1..40_usize,
        ) {
            let mut queue: VecDeque<_> = packets.iter().cloned().collect();
            let mut received = Vec::new();
            while !queue.is_empty() {
                let before = queue.len();
                let body = V4_DIALECT.encode_payload(&mut queue, max).bytes;
                let one = before - queue.len() == 1;
                prop_assert!(one || max.is_none_or(|max| body.len() <= max));
                received.extend(decode_pieces(&body, MAX, piece).into_iter().map(Result::unwrap));
            }
            prop_assert_eq!(received, packets);
        }

        #[test]
        fn any_bytes_are_decoded_or_refused(
            body in proptest::collection::vec(
                prop_oneof![2 => prop::sample::select(&b"0123456b\x1e\x1e{:="[..]), 1 => any::<u8>()],
                0..60,
            ),
            max in 0..40_usize,
            piece in 1..9_usize,
        ) {
            let items = decode_pieces(&body, max, piece);
            let whole = decode_pieces(&body, max, 1000);
            let packets = |items: Vec<Result<Packet>>| -> Vec<_> { items.into_iter().flatten().collect() };
            prop_assert!(!items.is_empty());
            prop_assert_eq!(packets(items), packets(whole));
            let _ = V4_DIALECT.decode_frame(Frame::Text(String::from_utf8_lossy(&body).as_ref().into()));
        }
    }
}
