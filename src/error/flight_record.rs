//! What happened last on a connection, as it is told afterwards.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::Error;
#[cfg(doc)]
use super::ErrorKind;

/// What happened last on a connection: its changes of state, and where that was asked for
/// ([`Builder::flight_recorder`](crate::Builder::flight_recorder)) its packets; see
/// [`Manager::flight_record`](crate::Manager::flight_record) and
/// [`Error::flight_record`](crate::Error::flight_record).
///
/// It displays as one line each, the oldest first, with the time before the record was made in
/// seconds:
///
/// ```text
/// -12.041 opened
/// -12.040 sent 40 (1 B)
/// -12.031 received 40 (34 B)
/// -12.031 "/": connected
///  -0.001 received 42["order",… (212 B)
///   0.000 closed, parse error: protocol error: …
/// ```
///
/// It is made to be given away: there are no credentials in it, no ids of sessions, and of events nothing but
/// their names and sizes. What a peer or the system said of a failure is in it, cut short.
///
/// Cheap to clone.
#[derive(Clone)]
pub struct FlightRecord(Arc<[FlightEntry]>);

/// One line.
pub(crate) struct FlightEntry {
    /// How long before the record was made it was.
    pub(crate) age: Duration,
    pub(crate) text: String,
}

impl FlightRecord {
    pub(crate) fn new(entries: Vec<FlightEntry>) -> Self {
        Self(entries.into())
    }

    /// How many lines it has.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing has happened.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Error {
    /// Adds what has led to it.
    pub(crate) fn with_flight_record(self, record: FlightRecord) -> Self {
        self.change(|failure| failure.record = Some(record))
    }

    /// What has led to an error of kind [`ErrorKind::Protocol`], by which a connection was lost or not made,
    /// in several lines: for a file, or for who is to look into it. [`Display`](fmt::Display) leaves it out.
    ///
    /// ```no_run
    /// # fn main() -> siot::Result<()> {
    /// # let socket = siot::io("http://localhost:3000")?;
    /// use siot::Status;
    ///
    /// socket.on_status(|status| {
    ///     if let Status::Disconnected { error: Some(error), .. } = status {
    ///         if let Some(record) = error.flight_record() {
    ///             eprintln!("{error}\n{record}");
    ///         }
    ///     }
    /// })?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn flight_record(&self) -> Option<&FlightRecord> {
        self.0.record.as_ref()
    }
}

impl fmt::Display for FlightRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|FlightEntry { age, text }| {
            let (sign, millis) = (if age.is_zero() { "" } else { "-" }, age.subsec_millis());
            let seconds = format!("{sign}{}.{millis:03}", age.as_secs());
            writeln!(f, "{seconds:>8} {text}")
        })
    }
}

impl fmt::Debug for FlightRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_displays_line_by_line_with_the_time_before() {
        let entry = |millis, text: &str| FlightEntry {
            age: Duration::from_millis(millis),
            text: text.into(),
        };
        let record = FlightRecord::new(vec![entry(12_041, "opened"), entry(0, "closed")]);
        assert_eq!(record.to_string(), " -12.041 opened\n   0.000 closed\n");
        assert_eq!((record.len(), record.is_empty()), (2, false));
    }
}
