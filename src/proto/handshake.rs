//! The handshake that opens an Engine.IO session.

use std::time::Duration;

use serde_json::Value;

use super::json::{JsonType, SyntaxError, member, members, scan, unquoted};
use super::protocol_error;
use crate::error::{Error, ErrorKind, Result};

/// What the server says about the session in its `open` packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// The id of the Engine.IO session: 1 to 256 visible ASCII characters.
    pub sid: String,
    /// Whether the server offers an upgrade to WebSocket.
    pub upgrade_to_websocket: bool,
    /// The period of heartbeats.
    pub ping_interval: Duration,
    /// How long a heartbeat may be late; zero where the server gives no time.
    pub ping_timeout: Duration,
    /// The largest body of a request that the server takes, in bytes.
    pub max_payload: Option<usize>,
}

/// The longest session id.
const MAX_SID: usize = 256;

const SID: &str = "a string of 1 to 256 visible ASCII characters";

/// The longest time that a server may give, in milliseconds: some 24 days. The timers of JavaScript
/// cannot wait for longer ones, and end at once.
const LONGEST: f64 = 2_147_483_648.0;

/// What is looked at in an `open` packet, as it is written.
#[derive(Default)]
struct Members<'a> {
    sid: &'a str,
    upgrades: &'a str,
    ping_interval: &'a str,
    ping_timeout: &'a str,
    max_payload: &'a str,
}

impl Handshake {
    /// Reads the JSON of an `open` packet. What else is in it may be nested as deeply as it likes.
    pub(crate) fn from_json(json: &str) -> Result<Self> {
        let refuse = |wrong: &str| protocol_error(&format!("handshake: {wrong}"), json.as_bytes());
        let not_json = |at| refuse(&format!("is not JSON, at byte {at}"));
        let outline = scan(json).map_err(|error| not_json(error.at))?;
        if outline.json_type != JsonType::Object {
            return Err(refuse("is not an object"));
        }
        let open = Members::of(json).map_err(|error| not_json(error.at))?;
        let ping_interval = time(open.ping_interval).filter(|interval| !interval.is_zero());
        let ping_interval = ping_interval.ok_or_else(|| {
            wrong_member(
                "pingInterval",
                "a number of milliseconds, above 0 and within 24 days",
                open.ping_interval,
            )
        })?;
        let ping_timeout = time(open.ping_timeout).ok_or_else(|| {
            wrong_member(
                "pingTimeout",
                "a number of milliseconds within 24 days",
                open.ping_timeout,
            )
        })?;
        Ok(Self {
            sid: sid(open.sid).ok_or_else(|| wrong_member("sid", SID, open.sid))?,
            upgrade_to_websocket: offers_websocket(open.upgrades),
            ping_interval,
            ping_timeout,
            max_payload: max_payload(open.max_payload),
        })
    }

    /// Whether the JSON of an `open` packet says how large a body the server takes. What is wrong with the rest of it
    /// is found when it is read.
    pub(crate) fn limits_payload(json: &str) -> bool {
        member(json, "maxPayload").is_some_and(|value| max_payload(value).is_some())
    }

    /// Writes the JSON of an `open` packet.
    pub fn to_json(&self) -> String {
        let sid = Value::from(self.sid.as_str());
        let upgrades = if self.upgrade_to_websocket { r#"["websocket"]"# } else { "[]" };
        let interval = self.ping_interval.as_millis();
        let timeout = self.ping_timeout.as_millis();
        let max_payload =
            self.max_payload.map(|max| format!(r#","maxPayload":{max}"#)).unwrap_or_default();
        format!(
            r#"{{"sid":{sid},"upgrades":{upgrades},"pingInterval":{interval},"pingTimeout":{timeout}{max_payload}}}"#
        )
    }
}

impl<'a> Members<'a> {
    /// Finds them in a valid object. Of two with the same name the last one counts.
    fn of(json: &'a str) -> Result<Self, SyntaxError> {
        let mut open = Self::default();
        members(json, |key, value| match &*unquoted(key).unwrap_or_default() {
            "sid" => open.sid = value,
            "upgrades" => open.upgrades = value,
            "pingInterval" => open.ping_interval = value,
            "pingTimeout" => open.ping_timeout = value,
            "maxPayload" => open.max_payload = value,
            _ => {}
        })?;
        Ok(open)
    }
}

/// The error about a member: what it should be, and what it is.
#[cold]
fn wrong_member(name: &str, expected: &str, value: &str) -> Error {
    if value.is_empty() {
        return Error::new(ErrorKind::Protocol, format!("handshake: `{name}` is missing"));
    }
    protocol_error(&format!("handshake: `{name}` is not {expected}"), value.as_bytes())
}

/// A session id goes into URLs and logs, so that it is checked.
fn sid(json: &str) -> Option<String> {
    let sid = unquoted(json)?;
    let visible = sid.bytes().all(|byte| byte.is_ascii_graphic());
    (visible && (1..=MAX_SID).contains(&sid.len())).then(|| sid.into_owned())
}

/// What is no list offers nothing, and other transports are not known.
fn offers_websocket(json: &str) -> bool {
    let names: Vec<Value> = serde_json::from_str(json).unwrap_or_default();
    names.iter().any(|name| name == "websocket")
}

/// A number of milliseconds that a timer can wait for, however it is written.
fn time(json: &str) -> Option<Duration> {
    let millis: f64 = json.parse().ok().filter(|millis| (0.0..=LONGEST).contains(millis))?;
    let time = Duration::from_secs_f64(millis / 1000.0);
    // Less than what there is would be no time.
    Some(if millis > 0.0 { time.max(Duration::from_millis(1)) } else { time })
}

/// Servers before 4.5 give none; below 1 it cannot be meant.
fn max_payload(json: &str) -> Option<usize> {
    if let Ok(bytes) = json.parse::<usize>() {
        return (bytes > 0).then_some(bytes);
    }
    let bytes: f64 = json.parse().ok().filter(|bytes| *bytes >= 1.0)?;
    Some(format!("{:.0}", bytes.floor()).parse().unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A handshake with one field replaced.
    fn with(field: &str, value: &str) -> String {
        let mut fields = vec![
            ("sid", r#""OZ__L5bHSyWuRkPBAAAC""#),
            ("upgrades", r#"["websocket"]"#),
            ("pingInterval", "25000"),
            ("pingTimeout", "20000"),
            ("maxPayload", "1000000"),
        ];
        fields.retain(|(name, _)| *name != field);
        if !value.is_empty() {
            fields.push((field, value));
        }
        let members: Vec<_> = fields.iter().map(|(name, v)| format!("\"{name}\":{v}")).collect();
        format!("{{{}}}", members.join(","))
    }

    fn refused(json: &str, part: &str) {
        let error = Handshake::from_json(json).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol, "{json}");
        assert!(error.message().contains(part), "{error}");
        assert!(error.message().len() < 300, "{error}");
    }

    #[test]
    fn a_handshake_reads_and_writes() {
        let json = r#"{"sid":"OZ__L5bHSyWuRkPBAAAC","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;
        let handshake = Handshake::from_json(json).unwrap();
        assert_eq!(handshake.sid, "OZ__L5bHSyWuRkPBAAAC");
        assert!(handshake.upgrade_to_websocket);
        assert_eq!(handshake.ping_interval, Duration::from_secs(25));
        assert_eq!(handshake.ping_timeout, Duration::from_secs(20));
        assert_eq!(handshake.max_payload, Some(1_000_000));
        assert_eq!(handshake.to_json(), json);

        let json = r#"{"sid":"\"\\","upgrades":[],"pingInterval":1,"pingTimeout":2}"#;
        let handshake = Handshake::from_json(json).unwrap();
        assert_eq!(handshake.sid, "\"\\");
        assert_eq!(handshake.max_payload, None);
        assert_eq!(handshake.to_json(), json);
    }

    #[test]
    fn what_is_no_object_is_refused_with_its_start() {
        for json in ["", "[]", "{broken", "null", "{}x", "\"sid\""] {
            refused(json, &crate::error::snippet(json.as_bytes()));
        }
        refused("{\r\n\0", "{\\r\\n\\0");
        refused(&"[".repeat(10_000), "[[[[[[…");
    }

    #[test]
    fn what_else_is_in_it_may_be_large_deep_and_odd() {
        let usual = Handshake::from_json(&with("", "")).unwrap();
        let deep = "[{\"a\":".repeat(100_000) + "0" + &"}]".repeat(100_000);
        let long = format!("\"{}\"", "x".repeat(100_000));
        for value in [&*deep, &*long, "1e400", r#""\ud800""#, "null"] {
            assert_eq!(Handshake::from_json(&with("more", value)).unwrap(), usual);
        }
        refused(&with("pingInterval", "[7]"), "24 days: \"[7]\"");
        refused(&with("pingInterval", ""), "`pingInterval` is missing");
        for field in ["sid", "pingInterval", "pingTimeout"] {
            refused(&with(field, &deep), &format!("`{field}`"));
        }
        assert_eq!(Handshake::from_json(&with("maxPayload", &deep)).unwrap().max_payload, None);
        assert!(!Handshake::from_json(&with("upgrades", &deep)).unwrap().upgrade_to_websocket);
        let twice = r#"{"sid":"a","\u0073id":"b","pingInterval":1,"pingTimeout":2,"sid" : "c" }"#;
        assert_eq!(Handshake::from_json(twice).unwrap().sid, "c");
    }

    #[test]
    fn an_unusable_sid_is_refused() {
        let long = format!("\"{}\"", "x".repeat(257));
        for sid in
            ["", "7", "null", "\"\"", "\"a b\"", r#""a\r\nb""#, r#""é""#, r#""\u007f""#, &long]
        {
            refused(&with("sid", sid), "`sid`");
        }
        for sid in [r#""a&b#c/..%""#, &long.replace("xx\"", "x\"")] {
            let handshake = Handshake::from_json(&with("sid", sid)).unwrap();
            assert_eq!(format!("\"{}\"", handshake.sid), sid);
        }
    }

    #[test]
    fn times_are_numbers_that_a_timer_can_wait_for() {
        for field in ["pingInterval", "pingTimeout"] {
            for value in ["", "-1", "-1e400", "2147483649", "1e18", "1e400", "99999999999999999999"]
            {
                refused(&with(field, value), &format!("`{field}`"));
            }
            for value in ["\"25000\"", "null", "true", "[25000]", "{}"] {
                refused(&with(field, value), &format!("`{field}`"));
            }
        }
        for value in ["0", "0.0", "-0", "0e9"] {
            refused(&with("pingInterval", value), "`pingInterval`");
            let handshake = Handshake::from_json(&with("pingTimeout", value)).unwrap();
            assert_eq!(handshake.ping_timeout, Duration::ZERO);
        }
        let interval =
            |value| Handshake::from_json(&with("pingInterval", value)).unwrap().ping_interval;
        for (value, micros) in [
            ("1", 1000),
            ("25000", 25_000_000),
            ("25000.0", 25_000_000),
            ("25e3", 25_000_000),
            ("25000.5", 25_000_500),
            ("20001", 20_001_000),
            ("900000", 900_000_000),
            ("2147483648", 2_147_483_648_000),
            ("0.5", 1000),
            ("1e-400", 0),
        ] {
            if micros == 0 {
                refused(&with("pingInterval", value), "`pingInterval`");
            } else {
                assert_eq!(interval(value), Duration::from_micros(micros), "{value}");
            }
        }
    }

    #[test]
    fn a_payload_limit_below_one_is_none() {
        let limit = |value| Handshake::from_json(&with("maxPayload", value)).unwrap().max_payload;
        for value in ["", "0", "-1", "-1e9", "0.5", "null", "\"7\"", "[]"] {
            assert_eq!(limit(value), None, "{value}");
        }
        assert_eq!(limit("1"), Some(1));
        assert_eq!(limit("1e6"), Some(1_000_000));
        assert_eq!(limit("1000000.0"), Some(1_000_000));
        assert_eq!(limit("1e400"), Some(usize::MAX));
        assert_eq!(limit("18446744073709551615"), Some(usize::MAX));
    }

    #[test]
    fn only_websocket_counts_as_an_upgrade() {
        let upgrade =
            |value| Handshake::from_json(&with("upgrades", value)).unwrap().upgrade_to_websocket;
        assert!(upgrade(r#"["webtransport","websocket"]"#));
        for value in
            ["", "[]", "null", "\"websocket\"", "{\"websocket\":1}", "7", r#"["x",1,null]"#]
        {
            assert!(!upgrade(value), "{value}");
        }
    }
}
