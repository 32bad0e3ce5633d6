//! Bodies of polling: how they come in pieces changes nothing, no packet is larger than allowed, and what is read is
//! written so that the same is read again.
#![no_main]

use std::collections::VecDeque;
use std::io::BufReader;

use libfuzzer_sys::fuzz_target;
use siot::internal::{BodyRoom, Dialect, Packet, dialect};

/// The packets, and whether an error ended them.
fn read(
    dialect: &dyn Dialect,
    binary: bool,
    body: &[u8],
    piece: usize,
    max: usize,
) -> (Vec<Packet>, bool) {
    let reader = Box::new(BufReader::with_capacity(piece, body));
    let mut packets = Vec::new();
    for item in dialect.decode_payload(binary, reader, max) {
        match item {
            Ok(packet) => packets.push(packet),
            Err(_) => return (packets, true),
        }
    }
    (packets, false)
}

fuzz_target!(|data: &[u8]| {
    let [choice, piece, body @ ..] = data else { return };
    let dialect = dialect(if choice & 1 == 0 { "3" } else { "4" }).expect("both are known");
    let binary = choice & 2 != 0;
    let max = if choice & 4 == 0 { usize::MAX } else { 16 };
    let whole = read(dialect, binary, body, body.len().max(1), max);
    let in_pieces = read(dialect, binary, body, usize::from(*piece).max(1), max);
    assert_eq!(in_pieces, whole);

    let (packets, failed) = whole;
    assert!(packets.len() <= body.len());
    for packet in &packets {
        match packet {
            Packet::Binary(bytes) => assert!(bytes.len() <= max),
            // Messages are held to the limit, heartbeats and the like to what it takes in base64; a byte that
            // is no UTF-8 becomes three.
            packet => {
                let longest = max.saturating_mul(4).saturating_add(24);
                assert!(dialect.frame_len(packet, false) <= longest);
            }
        }
    }
    if failed || packets.is_empty() {
        return;
    }
    let mut queue = VecDeque::from(packets.clone());
    let written = dialect.encode_payload(&mut queue, BodyRoom::ANY);
    assert!(queue.is_empty());
    let again = read(dialect, written.binary, &written.bytes, 8192, usize::MAX);
    assert_eq!(again, (packets, false));
});
