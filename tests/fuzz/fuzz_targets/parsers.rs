//! Each parser: messages in any order, and what is read is written so that the same is read again.
#![no_main]

use std::collections::VecDeque;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use serde::de::IgnoredAny;
use siot::ParserKind;
use siot::internal::{
    Dialect, Header, Kind, Packet, Parser, Payload, SocketPacket, dialect, parser,
};

const KINDS: [ParserKind; 3] = [ParserKind::Json, ParserKind::PlainJson, ParserKind::MessagePack];

/// What comes in the session of one link.
fn take(parser: &mut dyn Parser, message: Packet) -> Option<SocketPacket> {
    match message {
        Packet::Text(text) => parser.decode_text(text).ok().flatten(),
        Packet::Binary(bytes) => parser.decode_binary(bytes).ok().flatten(),
        _ => None,
    }
}

fn check(kind: ParserKind, dialect: &dyn Dialect, packet: SocketPacket) {
    let data = packet.data();
    assert!(data.is_empty() || serde_json::from_str::<IgnoredAny>(data).is_ok(), "{data}");
    let _ = (packet.namespace(), packet.name());

    // What lacks the comma behind its namespace is for nobody, and a number beyond `u64` answers nothing.
    let is_list = matches!(packet.kind, Kind::Event | Kind::Ack);
    if is_list && data.is_empty() || packet.kind == Kind::Ack && packet.id.is_none() {
        return;
    }
    let header = Header { kind: packet.kind, namespace: packet.namespace(), id: packet.id };
    let payload = Payload { json: data.to_owned(), attachments: packet.attachments.to_vec() };
    let (mut parser, mut queue) = (parser(kind, dialect), VecDeque::new());
    parser.encode(header, &payload, &mut queue);
    let mut again = queue.into_iter().filter_map(|message| take(&mut *parser, message));
    let again = again.next().unwrap_or_else(|| panic!("what is written of {packet:?} is not read"));
    assert_eq!(again.kind, packet.kind);
    assert_eq!(again.id, packet.id);
    assert_eq!(again.namespace(), packet.namespace());
    assert_eq!(again.name(), packet.name());
}

fuzz_target!(|data: &[u8]| {
    let [choice, rest @ ..] = data else { return };
    let mut rest = rest;
    let dialect = dialect(if choice & 1 == 0 { "3" } else { "4" }).expect("both are known");
    let kind = KINDS[usize::from(choice >> 1) % KINDS.len()];
    let mut parser = parser(kind, dialect);
    // Each message is as long as the byte before it says, the last one may be longer.
    while let [length, content @ ..] = rest {
        let length =
            if *length == u8::MAX { content.len() } else { content.len().min((*length).into()) };
        let (message, others) = content.split_at(length);
        rest = others;
        let message = match std::str::from_utf8(message) {
            Ok(text) if message.first() != Some(&0) => Packet::Text(text.into()),
            _ => Packet::Binary(Bytes::copy_from_slice(
                message.strip_prefix(&[0]).unwrap_or(message),
            )),
        };
        if let Some(packet) = take(&mut *parser, message) {
            check(kind, dialect, packet);
        }
    }
});
