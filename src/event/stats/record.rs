//! The figures for formats of serde (feature `serde`).

use std::time::Duration;

use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::{Counters, QueueStats, Stats, TrafficStats};
use crate::options::Transport;

/// Writes all fields of a type under their names, in their order; a field may be written as something else.
macro_rules! record {
    ($(#[$doc:meta])* $type:ident as $this:ident { $($field:ident $(= $value:expr)?),* $(,)? }) => {
        $(#[$doc])*
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                let $this = self;
                // It names each field, so that none is forgotten.
                let Self { $($field: _),* } = self;
                let count = [$(stringify!($field)),*].len();
                let mut fields = to.serialize_struct(stringify!($type), count)?;
                $(fields.serialize_field(stringify!($field), record!(@ $this $field $($value)?))?;)*
                fields.end()
            }
        }
    };
    (@ $this:ident $field:ident) => { &$this.$field };
    (@ $this:ident $field:ident $value:expr) => { &$value };
}

record! {
    /// A table of the fields. Times are seconds, with fractions; the transport is its name, the error a text.
    Stats as stats {
        connects,
        disconnects,
        failed_attempts,
        connected_for = seconds(stats.connected_for),
        transport = stats.transport.map(Transport::name),
        next_attempt = seconds(stats.next_attempt),
        last_error = stats.last_error.as_ref().map(ToString::to_string),
        last_error_age = seconds(stats.last_error_age),
        round_trip = seconds(stats.round_trip),
        round_trip_smoothed = seconds(stats.round_trip_smoothed),
        last_received = seconds(stats.last_received),
        received,
        sent,
        send_queue,
        receive_queue,
        awaited_acks,
        counters,
    }
}

record! {
    /// A table of the fields.
    TrafficStats as traffic { events, bytes, wire_bytes }
}

record! {
    /// A table of the fields.
    QueueStats as queue { events, bytes }
}

record! {
    /// A table of the fields.
    Counters as counters {
        ignored,
        send_dropped,
        send_gave_way,
        send_expired,
        send_too_large,
        send_unacknowledged,
        send_session_ended,
        send_volatile,
        send_discarded,
        send_unconfirmed,
        receive_dropped,
        receive_gave_way,
        receive_refused,
    }
}

fn seconds(time: Option<Duration>) -> Option<f64> {
    time.map(|time| time.as_secs_f64())
}
