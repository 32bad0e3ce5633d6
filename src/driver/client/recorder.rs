//! The flight recorder: what happened last, in bounded memory, for those who look for the cause of
//! something afterwards.
//!
//! Changes of state are always kept, since they are few; packets where the user wants that. What must not be
//! shown is left out when it is noted, not when it is looked at: so it is in no memory dump either.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fmt;
use std::sync::Mutex;

use super::Driver;
use crate::core::time::Timestamp;
use crate::driver::clock::now;
use crate::error::flight_record::{FlightEntry, FlightRecord};
use crate::error::{Error, ErrorKind, Stage, start_of};
use crate::event::status::{ManagerEvent, Status};
use crate::options::ParserKind;
use crate::proto::packet::Packet;
use crate::proto::parser::describe::outline;
use crate::sync::lock::lock;

/// How many changes of state are kept.
const MOST_NEWS: usize = 64;

/// The longest text of one, in bytes.
const MOST_TEXT: usize = 300;

/// The recorder of one connection.
pub(super) struct Recorder {
    parser: ParserKind,
    /// How many packets are kept.
    most_packets: usize,
    kept: Mutex<Notes>,
}

#[derive(Default)]
struct Notes {
    news: VecDeque<Note>,
    packets: VecDeque<Note>,
}

struct Note {
    at: Timestamp,
    what: What,
    /// How often it has happened in a row, the last time at that moment.
    times: u32,
}

/// What has happened. What comes with each connection is put into words when somebody asks.
#[derive(PartialEq)]
enum What {
    Stage(Stage),
    Words(Cow<'static, str>),
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stage(stage) => write!(f, "stage {stage}"),
            Self::Words(words) => f.write_str(words),
        }
    }
}

/// Which way a packet goes.
#[derive(Clone, Copy)]
pub(super) enum Direction {
    Sent,
    Received,
}

impl Recorder {
    pub(super) fn new(parser: ParserKind, most_packets: usize) -> Self {
        Self { parser, most_packets, kept: Mutex::default() }
    }

    /// Whether packets are kept.
    pub(super) fn keeps_packets(&self) -> bool {
        self.most_packets > 0
    }

    /// Notes a packet, if packets are kept.
    pub(super) fn note_packet(&self, direction: Direction, packet: &Packet) {
        if self.most_packets == 0 {
            return;
        }
        let word = match direction {
            Direction::Sent => "sent",
            Direction::Received => "received",
        };
        let outline = outline(self.parser, packet);
        let text = match packet.size() {
            0 => format!("{word} {outline}"),
            size => format!("{word} {outline} ({size} B)"),
        };
        lock(&self.kept).note_packet(What::Words(text.into()), now(), self.most_packets);
    }

    /// Notes news of the connection.
    pub(super) fn note_news(&self, news: &ManagerEvent, now: Timestamp) {
        let text = match news {
            ManagerEvent::Open => "opened".into(),
            ManagerEvent::Close(reason, None) => format!("closed, {reason}").into(),
            ManagerEvent::Close(reason, Some(error)) => {
                format!("closed, {reason}: {error:#}").into()
            }
            ManagerEvent::Error(error) => format!("error: {error:#}").into(),
            ManagerEvent::Stage(stage) => {
                return lock(&self.kept).note_news(What::Stage(*stage), now);
            }
            ManagerEvent::Warning(error) => format!("warning: {error:#}").into(),
            ManagerEvent::Ping => "heartbeat".into(),
            ManagerEvent::Upgrade(transport) => format!("upgraded to {transport}").into(),
            ManagerEvent::UpgradeError(error) => format!("not upgraded: {error:#}").into(),
            ManagerEvent::ReconnectAttempt(attempt) => format!("attempt {attempt}").into(),
            ManagerEvent::ReconnectFailed => "the last attempt has failed".into(),
            // They are told as others as well.
            ManagerEvent::Reconnect(_) | ManagerEvent::ReconnectError(_) => return,
        };
        self.note(text, now);
    }

    /// Notes how a namespace stands.
    pub(super) fn note_status(&self, namespace: &str, status: &Status, now: Timestamp) {
        // Old servers look for credentials in its query.
        let name = namespace.split('?').next().unwrap_or_default();
        let text = match status {
            Status::Connected { recovered: false, .. } => format!("{name:?}: connected"),
            Status::Connected { recovered: true, .. } => format!("{name:?}: recovered"),
            // What keeps all of them from connecting is told once.
            Status::ConnectError(error) if error.kind() == ErrorKind::Refused => {
                format!("{name:?}: refused: {error:#}")
            }
            Status::ConnectError(_) => return,
            Status::Error(error) => format!("{name:?}: error: {error:#}"),
            Status::Disconnected { reason, .. } => format!("{name:?}: disconnected, {reason}"),
            Status::Dropped { events, bytes, reason } => {
                format!("{name:?}: {events} events of {bytes} bytes are lost: {reason}")
            }
        };
        self.note(text.into(), now);
    }

    fn note(&self, text: Cow<'static, str>, now: Timestamp) {
        let text = match text {
            Cow::Owned(text) if text.len() > MOST_TEXT => {
                format!("{}…", start_of(&text, MOST_TEXT)).into()
            }
            text => text,
        };
        lock(&self.kept).note_news(What::Words(text), now);
    }

    /// What has happened, with its ages at this moment.
    fn record(&self, now: Timestamp) -> FlightRecord {
        let kept = lock(&self.kept);
        let mut notes: Vec<&Note> = kept.news.iter().chain(&kept.packets).collect();
        // Stable: of the same moment, what is news comes before packets.
        notes.sort_by_key(|note| note.at);
        let entries = notes.into_iter().map(|Note { at, what, times }| FlightEntry {
            age: now.since(*at),
            text: if *times > 1 { format!("{what} (×{times})") } else { what.to_string() },
        });
        FlightRecord::new(entries.collect())
    }
}

impl Notes {
    fn note_news(&mut self, what: What, at: Timestamp) {
        match self.news.back_mut().filter(|last| last.what == what) {
            Some(last) => (last.at, last.times) = (at, last.times.saturating_add(1)),
            None => push(&mut self.news, Note { at, what, times: 1 }, MOST_NEWS),
        }
    }

    fn note_packet(&mut self, what: What, at: Timestamp, most: usize) {
        push(&mut self.packets, Note { at, what, times: 1 }, most);
    }
}

fn push(notes: &mut VecDeque<Note>, note: Note, most: usize) {
    if notes.len() >= most {
        notes.pop_front();
    }
    notes.push_back(note);
}

impl Driver {
    /// What happened last.
    pub(crate) fn flight_record(&self) -> FlightRecord {
        self.recorder.record(now())
    }

    /// Adds to an error of the protocol, of which news tell, what has led to it.
    pub(super) fn recorded_news(&self, news: ManagerEvent, now: Timestamp) -> ManagerEvent {
        use ManagerEvent as E;
        match news {
            E::Close(reason, Some(error)) => E::Close(reason, Some(self.recorded(error, now))),
            E::Error(error) => E::Error(self.recorded(error, now)),
            news => news,
        }
    }

    /// The same where a status tells of it.
    pub(super) fn recorded_status(&self, status: Status, now: Timestamp) -> Status {
        match status {
            Status::ConnectError(error) => Status::ConnectError(self.recorded(error, now)),
            Status::Disconnected { reason, error: Some(error), retry_in } => {
                let error = Some(self.recorded(error, now));
                Status::Disconnected { reason, error, retry_in }
            }
            status => status,
        }
    }

    fn recorded(&self, error: Error, now: Timestamp) -> Error {
        let is_to_have = error.kind() == ErrorKind::Protocol && error.flight_record().is_none();
        if is_to_have { error.with_flight_record(self.recorder.record(now)) } else { error }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::event::status::DisconnectReason;

    const START: Timestamp = Timestamp(Duration::from_secs(100));

    fn recorder(packets: usize) -> Recorder {
        Recorder::new(ParserKind::Json, packets)
    }

    #[test]
    fn packets_are_kept_where_there_is_room_for_some() {
        assert_eq!([0, 1].map(|packets| recorder(packets).keeps_packets()), [false, true]);
    }

    fn text(packet: &str) -> Packet {
        Packet::Text(packet.into())
    }

    fn lines(recorder: &Recorder) -> Vec<String> {
        let record = recorder.record(START + Duration::from_secs(9)).to_string();
        record.lines().map(|line| line.trim_start().to_owned()).collect()
    }

    #[test]
    fn the_last_changes_of_state_are_kept() {
        let recorder = recorder(0);
        for attempt in 1..=1000 {
            recorder.note_news(&ManagerEvent::ReconnectAttempt(attempt), START);
            recorder.note_packet(Direction::Sent, &text("2[\"a\"]"));
        }
        recorder.note_news(&ManagerEvent::Open, START + Duration::from_secs(9));
        let lines = lines(&recorder);
        assert_eq!(lines.len(), MOST_NEWS);
        assert_eq!((lines[0].as_str(), lines[63].as_str()), ("-9.000 attempt 938", "0.000 opened"));
    }

    #[test]
    fn a_refusal_is_noted_of_each_namespace_and_what_fails_for_all_is_not() {
        let recorder = recorder(0);
        for kind in [ErrorKind::Transport, ErrorKind::Refused] {
            let status = Status::ConnectError(Error::new(kind, "no"));
            recorder.note_status("/a?token=secret", &status, START);
        }
        assert_eq!(lines(&recorder), [r#"-9.000 "/a": refused: refused by the server: no"#]);
    }

    #[test]
    fn only_what_is_too_long_is_cut() {
        let recorder = recorder(0);
        for length in [MOST_TEXT, MOST_TEXT + 1] {
            recorder.note("x".repeat(length).into(), START);
        }
        let is_cut: Vec<_> = lines(&recorder).iter().map(|line| line.ends_with('…')).collect();
        assert_eq!(is_cut, [false, true]);
    }

    #[test]
    fn the_record_goes_with_errors_of_the_protocol_and_once() {
        let driver = super::super::testing::driver(9, crate::options::Limits::new());
        let recorded = |error| driver.recorded(error, START);
        assert!(recorded(Error::new(ErrorKind::Transport, "no")).flight_record().is_none());
        driver.recorder.note_news(&ManagerEvent::Open, START);
        let first = recorded(Error::new(ErrorKind::Protocol, "no"));
        driver.recorder.note_news(&ManagerEvent::Ping, START);
        let again = recorded(first.clone());
        let record = |error: &Error| error.flight_record().map(ToString::to_string);
        assert!(record(&first).is_some_and(|record| record.contains("opened")));
        assert_eq!(record(&again), record(&first));
    }

    #[test]
    fn heartbeats_are_one_line() {
        let recorder = recorder(0);
        recorder.note_news(&ManagerEvent::Open, START);
        for second in 1..=5 {
            recorder.note_news(&ManagerEvent::Ping, START + Duration::from_secs(second));
        }
        assert_eq!(lines(&recorder), ["-9.000 opened", "-4.000 heartbeat (×5)"]);
    }

    #[test]
    fn memory_is_bounded_whatever_comes() {
        let recorder = recorder(10);
        let long = "x".repeat(100_000);
        for number in 0..1000 {
            let error = Error::new(ErrorKind::Protocol, format!("{number}{long}"));
            let close = ManagerEvent::Close(DisconnectReason::ParseError, Some(error));
            recorder.note_news(&close, START);
            recorder.note_packet(Direction::Received, &text(&format!("2[\"{long}\"]")));
            recorder.note_packet(Direction::Received, &text(&format!("2/{long},[\"{number}\"]")));
            recorder.note_packet(Direction::Received, &Packet::Binary(vec![0; 100_000].into()));
        }
        let kept = lock(&recorder.kept);
        assert_eq!((kept.news.len(), kept.packets.len()), (MOST_NEWS, 10));
        let all = kept.news.iter().chain(&kept.packets);
        let bytes: usize = all.map(|note| note.what.to_string().len()).sum();
        assert!(bytes <= (MOST_NEWS + 10) * (MOST_TEXT + 3), "{bytes}");
    }

    #[test]
    fn of_events_the_names_and_sizes_are_shown_and_of_the_rest_no_secret() {
        let recorder = recorder(100);
        for packet in [
            Packet::Open(r#"{"sid":"secret"}"#.into()),
            text(r#"0{"token":"secret"}"#),
            text(r#"0/x?token=secret,{"sid":"secret"}"#),
            text(r#"2["login",{"password":"secret"}]"#),
            text(r#"2["alone"]"#),
            text(r#"3/x,7["secret"]"#),
            text(r#"4{"message":"secret"}"#),
            text("secret"),
            Packet::Binary(b"secret".as_slice().into()),
        ] {
            recorder.note_packet(Direction::Received, &packet);
        }
        let shown: Vec<_> =
            lock(&recorder.kept).packets.iter().map(|it| it.what.to_string()).collect();
        assert_eq!(
            shown,
            [
                "received Open",
                "received 0 (19 B)",
                "received 0/x, (33 B)",
                r#"received 2[\"login\",… (32 B)"#,
                r#"received 2[\"alone\"] (10 B)"#,
                "received 3/x,7… (15 B)",
                "received 4… (21 B)",
                "received 6 bytes that are no packet (6 B)",
                "received 6 bytes (6 B)",
            ]
        );
    }
}
