//! Packets in the log, at the level `TRACE`.

use crate::event::observed::without_credentials;
use crate::proto::packet::Packet;
use crate::sync::logging::log_later;

/// Logs a packet that comes or goes: the start of a text, the length of binary data, and of a
/// CONNECT no more than its namespace, since credentials may follow.
pub(super) fn trace(direction: &str, packet: &Packet) {
    log_later!(Trace, "{direction} {}", describe(packet));
}

fn describe(packet: &Packet) -> String {
    match packet {
        Packet::Text(text) => without_credentials(text),
        Packet::Binary(bytes) => format!("{} bytes", bytes.len()),
        Packet::Open(_) => "Open".into(),
        packet => format!("{packet:?}"),
    }
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
            assert_eq!(describe(&Packet::Text(text.into())), shown);
        }
        assert_eq!(describe(&Packet::Open(r#"{"sid":"secret"}"#.into())), "Open");
    }

    #[test]
    fn a_line_is_short_whatever_the_packet() {
        let long = Packet::Text("x".repeat(100_000).as_str().into());
        let binary = Packet::Binary(vec![0; 100_000].into());
        for packet in [long, binary, Packet::Ping(Probe::Heartbeat)] {
            assert!(describe(&packet).len() < 100);
        }
    }
}
