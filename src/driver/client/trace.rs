//! Packets in the log, at the level `TRACE`.

use log::{Level, STATIC_MAX_LEVEL, max_level};

use crate::options::ParserKind;
use crate::proto::packet::Packet;
use crate::proto::parser::describe::describe;
use crate::sync::logging::log_later;
use crate::sync::speaker::SpeakerId;

/// Whether packets are logged.
pub(super) fn is_traced() -> bool {
    Level::Trace <= STATIC_MAX_LEVEL && Level::Trace <= max_level()
}

/// Logs a packet that comes or goes, as far as it may be shown.
pub(super) fn trace(speaker: SpeakerId, direction: &str, parser: ParserKind, packet: &Packet) {
    log_later!(Trace, of speaker, "{direction} {}", describe(parser, packet));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::packet::Probe;

    #[test]
    fn credentials_are_not_shown() {
        for (text, shown) in [
            (r#"0{"token":"secret"}"#, "0"),
            (r#"0/orders,{"token":"secret"}"#, "0/orders,"),
            (r#"2["event",{"a":1}]"#, r#"2[\"event\",{\"a\":1}]"#),
        ] {
            assert_eq!(describe(ParserKind::Json, &Packet::Text(text.into())), shown);
        }
        assert_eq!(describe(ParserKind::Json, &Packet::Open(r#"{"sid":"secret"}"#.into())), "Open");
    }

    #[test]
    fn a_line_is_short_whatever_the_packet() {
        let long = Packet::Text("x".repeat(100_000).as_str().into());
        let binary = Packet::Binary(vec![0; 100_000].into());
        for packet in [long, binary, Packet::Ping(Probe::Heartbeat)] {
            assert!(describe(ParserKind::Json, &packet).len() < 100);
        }
    }
}
