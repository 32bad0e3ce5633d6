//! The figures in one line, for logs.

use std::fmt;
use std::time::Duration;

use super::{QueueStats, Stats, TrafficStats};
use crate::error::Rounded;

/// One line for a log: how the connection stands, what has passed, what waits, what was dropped, and what
/// failed last. Its wording may change; programs read the fields.
impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.connected_for, self.transport) {
            (Some(time), Some(transport)) => {
                write!(f, "connected for {} by {transport}", Rounded(time))?;
            }
            (Some(time), None) => write!(f, "connected for {}", Rounded(time))?,
            (None, _) => f.write_str("not connected")?,
        }
        part(f, "next attempt in", self.next_attempt)?;
        part(f, "round trip", self.round_trip_smoothed)?;
        part(f, "silent for", self.last_received)?;
        let (connects, disconnects, failed) =
            (self.connects, self.disconnects, self.failed_attempts);
        write!(f, "; {connects} connects, {disconnects} disconnects, {failed} failed attempts")?;
        write!(f, "; received {}, sent {}", self.received, self.sent)?;
        write!(f, "; to send {}, to take {}", self.send_queue, self.receive_queue)?;
        let (sent, received) = (self.counters.send_dropped, self.counters.receive_dropped);
        let ignored = self.counters.ignored;
        write!(f, ", acks {}; dropped {sent} to send, {received} received", self.awaited_acks)?;
        write!(f, "; ignored {ignored}")?;
        if let (Some(error), Some(age)) = (&self.last_error, self.last_error_age) {
            write!(f, "; {} ago: {error}", Rounded(age))?;
        }
        Ok(())
    }
}

fn part(f: &mut fmt::Formatter<'_>, what: &str, time: Option<Duration>) -> fmt::Result {
    time.map_or(Ok(()), |time| write!(f, ", {what} {}", Rounded(time)))
}

/// As in `12 events (3456 bytes, 4000 on the wire)`.
impl fmt::Display for TrafficStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { events, bytes, wire_bytes } = self;
        write!(f, "{events} events ({bytes} bytes, {wire_bytes} on the wire)")
    }
}

/// As in `3 events (120 bytes)`.
impl fmt::Display for QueueStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} events ({} bytes)", self.events, self.bytes)
    }
}
