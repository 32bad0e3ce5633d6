//! The choice among the parsers.

use super::Parser;
use super::json::JsonParser;
#[cfg(feature = "msgpack")]
use super::msgpack::MsgpackParser;
use super::plain_json::PlainJsonParser;
use crate::options::ParserKind;

/// The parser of a kind, with its limits: on the attachments of a packet, and on all its bytes.
pub(crate) fn new_parser(
    kind: ParserKind,
    max_attachments: usize,
    max_bytes: usize,
) -> Box<dyn Parser> {
    match kind {
        #[cfg(feature = "msgpack")]
        ParserKind::MessagePack => Box::new(MsgpackParser::new(max_bytes)),
        ParserKind::PlainJson => Box::new(PlainJsonParser::default()),
        _ => Box::new(JsonParser::new(max_attachments, max_bytes)),
    }
}
