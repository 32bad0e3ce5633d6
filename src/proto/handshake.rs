//! The handshake that opens an Engine.IO session.

use std::time::Duration;

use serde_json::Value;

use super::protocol_error;
use crate::error::Result;

/// What the server says about the session in its `open` packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// The id of the Engine.IO session: 1 to 256 visible ASCII characters.
    pub sid: String,
    /// Whether the server offers an upgrade to WebSocket.
    pub upgrade_to_websocket: bool,
    /// The period of heartbeats.
    pub ping_interval: Duration,
    /// How long a heartbeat may be late.
    pub ping_timeout: Duration,
    /// The largest body of a request that the server takes, in bytes.
    pub max_payload: Option<usize>,
}

/// The most bytes of JSON that are looked at; real ones have about 130.
const MAX_JSON: usize = 16 * 1024;

/// The longest session id.
const MAX_SID: usize = 256;

/// The longest time that a server may give, as the timers of JavaScript.
const MAX_MILLIS: u64 = 1 << 31;

/// The longest time that is kept: no longer should a dead link go unnoticed.
const LONGEST: Duration = Duration::from_secs(10 * 60);

impl Handshake {
    /// Reads the JSON of an `open` packet.
    pub(crate) fn from_json(json: &str) -> Result<Self> {
        let refuse = |wrong: &str| protocol_error(&format!("handshake: {wrong}"), json.as_bytes());
        if json.len() > MAX_JSON {
            return Err(refuse(&format!("{} bytes exceed {MAX_JSON}", json.len())));
        }
        let open: Value =
            serde_json::from_str(json).map_err(|error| refuse("is not JSON").with_source(error))?;
        if !open.is_object() {
            return Err(refuse("is not an object"));
        }
        // The member at fault, whatever stands before it.
        let refuse_member = |field: &str, what: &str| {
            let (is_not, came) = match open.get(field) {
                Some(value) => ("is not", format!("{field:?}:{value}")),
                None => ("is missing, where it should be", json.to_owned()),
            };
            protocol_error(&format!("handshake: `{field}` {is_not} {what}"), came.as_bytes())
        };
        let sid = sid(&open["sid"]).ok_or_else(|| {
            let what = format!("a string of 1 to {MAX_SID} visible ASCII characters");
            refuse_member("sid", &what)
        })?;
        let time = |field: &str| {
            time(&open[field]).ok_or_else(|| {
                let what = format!("an integer of 1 to {MAX_MILLIS} milliseconds");
                refuse_member(field, &what)
            })
        };
        Ok(Self {
            sid,
            upgrade_to_websocket: offers_websocket(&open["upgrades"]),
            ping_interval: time("pingInterval")?,
            ping_timeout: time("pingTimeout")?,
            max_payload: max_payload(&open["maxPayload"]),
        })
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

/// A session id goes into URLs and logs, so that it is checked.
fn sid(value: &Value) -> Option<String> {
    let sid = value.as_str()?;
    let visible = sid.bytes().all(|byte| byte.is_ascii_graphic());
    (visible && (1..=MAX_SID).contains(&sid.len())).then(|| sid.to_owned())
}

/// What is no list offers nothing, and other transports are not known.
fn offers_websocket(value: &Value) -> bool {
    value.as_array().is_some_and(|names| names.iter().any(|name| name == "websocket"))
}

fn time(value: &Value) -> Option<Duration> {
    let millis = value.as_u64().filter(|millis| (1..=MAX_MILLIS).contains(millis))?;
    Some(Duration::from_millis(millis).min(LONGEST))
}

/// Servers before 4.5 give none; below 1 it cannot be meant.
fn max_payload(value: &Value) -> Option<usize> {
    let bytes = value.as_u64().filter(|&bytes| bytes > 0)?;
    Some(usize::try_from(bytes).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

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
        refused(&with("more", &format!("\"{}\"", "x".repeat(MAX_JSON))), "exceed 16384");
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
    fn times_are_integers_within_bounds() {
        for field in ["pingInterval", "pingTimeout"] {
            for value in ["", "0", "-1", "\"25000\"", "1e18", "1000000000000000000", "0.5"] {
                refused(&with(field, value), &format!("`{field}`"));
            }
            for value in
                ["25000.5", "null", "true", "[25000]", "2147483649", "99999999999999999999"]
            {
                refused(&with(field, value), &format!("`{field}`"));
            }
        }
        let interval =
            |value| Handshake::from_json(&with("pingInterval", value)).unwrap().ping_interval;
        assert_eq!(interval("1"), Duration::from_millis(1));
        assert_eq!(interval("600000"), LONGEST);
        assert_eq!(interval("600001"), LONGEST);
        assert_eq!(interval("2147483648"), LONGEST);
    }

    #[test]
    fn a_payload_limit_below_one_is_none() {
        let limit = |value| Handshake::from_json(&with("maxPayload", value)).unwrap().max_payload;
        for value in ["", "0", "-1", "-1e9", "null", "\"7\"", "[]"] {
            assert_eq!(limit(value), None, "{value}");
        }
        assert_eq!(limit("1"), Some(1));
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
