//! The query of a request: what it says of its session.

use std::borrow::Cow;

use percent_encoding::percent_decode;

use super::response::EngineRefusal;

/// How long the ids of sessions are: 15 bytes in base64.
const SID_LENGTH: usize = 20;

/// How long those may be that a program makes.
const LONGEST_SID: usize = 64;

/// What the query of a request says. Names and values are percent-decoded; bytes that are no UTF-8 become
/// U+FFFD, what is no escape stays as it is, and a plus sign is a space, all as in browsers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SessionQuery {
    /// The revision of the protocol (`EIO`), unless it is missing or empty.
    pub(crate) revision: Option<String>,
    /// The name of the transport; empty where it is missing.
    pub(crate) transport: String,
    /// The session that the request belongs to. Without one, or with an empty one, it begins one.
    pub(crate) sid: Option<String>,
    /// The number of the script that is to take the answer (JSONP).
    pub(crate) j: Option<String>,
    /// Whether nothing binary may be sent (`b64`, with any value).
    pub(crate) is_base64: bool,
    /// All parameters in their order, these and others.
    pub(crate) pairs: Vec<(String, String)>,
}

impl SessionQuery {
    /// Reads a query without its question mark. Whatever is in it, this ends well, but where a
    /// parameter of the protocol stands twice: of two, one may be for whoever is on the way, and the
    /// other for the server.
    pub(crate) fn read(query: &str) -> Result<Self, EngineRefusal> {
        let pairs: Vec<_> = parameters(query).collect();
        let single = |name: &str| {
            let mut values = pairs.iter().filter(|pair| pair.0 == name).map(|pair| &*pair.1);
            let value = values.next();
            if values.next().is_some() { Err(EngineRefusal::BadRequest) } else { Ok(value) }
        };
        let owned = |value: Option<&str>| value.map(str::to_owned);
        let given = |value: Option<&str>| owned(value.filter(|value| !value.is_empty()));
        Ok(Self {
            revision: given(single("EIO")?),
            transport: single("transport")?.unwrap_or_default().to_owned(),
            sid: given(single("sid")?),
            j: owned(single("j")?),
            is_base64: given(single("b64")?).is_some(),
            pairs,
        })
    }

    /// Refuses an id that no session can have, before anybody looks for it. `are_own`: the program makes them.
    pub(crate) fn check_sid(&self, are_own: bool) -> Result<(), EngineRefusal> {
        match &self.sid {
            Some(sid) if !is_own_sid(sid) || !(are_own || sid.len() == SID_LENGTH) => {
                Err(EngineRefusal::UnknownSid)
            }
            _ => Ok(()),
        }
    }
}

/// Whether a program may give a session this id.
pub(crate) fn is_own_sid(sid: &str) -> bool {
    let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=LONGEST_SID).contains(&sid.len()) && sid.bytes().all(is_safe)
}

/// The parameters of a query, in their order.
pub(crate) fn parameters(query: &str) -> impl Iterator<Item = (String, String)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(pair)
}

/// The first parameter of this name.
pub(super) fn parameter(query: &str, name: &str) -> Option<String> {
    parameters(query).find(|(own, _)| own == name).map(|(_, value)| value)
}

fn pair(text: &str) -> (String, String) {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    (decoded(name), decoded(value))
}

fn decoded(text: &str) -> String {
    let spaced: Cow<'_, str> =
        if text.contains('+') { text.replace('+', " ").into() } else { text.into() };
    percent_decode(spaced.as_bytes()).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SID: &str = "OZ__L5bHSy-uRkPBAAAC";

    fn read(query: &str) -> SessionQuery {
        SessionQuery::read(query).unwrap()
    }

    #[test]
    fn what_clients_send_is_read() {
        let query = read("EIO=4&transport=polling&t=P7x&sid=OZ__L5bHSy-uRkPBAAAC");
        assert_eq!((query.revision.as_deref(), &*query.transport), (Some("4"), "polling"));
        assert_eq!(query.sid.as_deref(), Some(SID));
        assert!(query.j.is_none() && !query.is_base64);
        assert_eq!(query.pairs[2], ("t".to_owned(), "P7x".to_owned()));
        let old = read("transport=polling&b64=1&j=0");
        assert_eq!((old.revision, old.j.as_deref(), old.is_base64), (None, Some("0"), true));
        let empty = read("EIO=&sid=&b64=");
        assert_eq!((empty.revision, empty.sid, empty.is_base64), (None, None, false));
    }

    #[test]
    fn others_are_kept_as_browsers_read_them() {
        let query = read("?a=1&&b&a=2&c=%41+%2b%zz%&d=%ff=&=e&%E4%BD%A0=x");
        let pairs: Vec<(&str, &str)> = query.pairs.iter().map(|(n, v)| (&**n, &**v)).collect();
        let expected = [
            ("?a", "1"),
            ("b", ""),
            ("a", "2"),
            ("c", "A +%zz%"),
            ("d", "\u{fffd}="),
            ("", "e"),
            ("你", "x"),
        ];
        assert_eq!(pairs, expected);
    }

    #[test]
    fn a_parameter_of_the_protocol_stands_once() {
        for query in [
            "sid=a&sid=a",
            "sid=a&sid=b",
            "sid=a&%73id=b",
            "sid=&sid=a",
            "EIO=4&EIO=3",
            "transport=polling&transport=websocket",
            "j=0&j=1",
            "b64=1&b64=1",
        ] {
            assert_eq!(SessionQuery::read(query), Err(EngineRefusal::BadRequest), "{query}");
        }
    }

    /// CVE-2026-59724, CVE-2023-31125.
    #[test]
    fn an_id_that_no_session_has_is_refused_before_it_is_looked_for() {
        let long = "x".repeat(1_000_000);
        for sid in [
            "__proto__",
            "constructor",
            "x",
            "..%2F",
            "%00",
            "OZ__L5bHSy-uRkPBAAA",
            "OZ__L5bHSy-uRkPBAAACx",
            "OZ__L5bHSy/uRkPBAAAC",
            "OZ__L5bHSy+uRkPBAAAC",
            "OZ__L5bHSy%00uRkPBAAAC",
            "OZ__L5bHSy%c3%a9RkPBAAAC",
            &long,
        ] {
            let query = read(&format!("sid={sid}"));
            assert_eq!(query.check_sid(false), Err(EngineRefusal::UnknownSid), "{sid}");
        }
        read(&format!("sid={SID}")).check_sid(false).unwrap();
        read("sid=OZ__L5bHSy%2duRkPBAAAC").check_sid(false).unwrap();
        read("").check_sid(false).unwrap();
    }

    #[test]
    fn whatever_transport_is_asked_for_is_only_a_text() {
        for (query, transport) in [
            ("transport=constructor", "constructor"),
            ("transport=%00", "\0"),
            ("transport[]=a", ""),
        ] {
            assert_eq!(read(query).transport, transport);
        }
    }
}
