//! Headers that a caller has configured, checked before anything is sent.

use http::header::{HeaderName, HeaderValue};

use crate::error::{Error, ErrorKind, Result};

/// What identifies this library to servers and their logs.
pub(super) const AGENT: &str = concat!("siot/", env!("CARGO_PKG_VERSION"));

/// Headers that the transports write themselves, because the messages would not be understood
/// otherwise.
const OWN: [&str; 11] = [
    "connection",
    "content-length",
    "content-type",
    "expect",
    "sec-websocket-extensions",
    "sec-websocket-key",
    "sec-websocket-protocol",
    "sec-websocket-version",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// Checks one header, for whoever wants to know before there is a request.
pub(crate) fn check_header(name: &str, value: &str) -> Result<()> {
    if OWN.iter().any(|own| own.eq_ignore_ascii_case(name)) {
        let what = format!("the header `{name}` is written by the transport");
        return Err(Error::new(ErrorKind::InvalidOption, what));
    }
    parse_name(name)?;
    parse_value(name, value).map(drop)
}

/// Checks the configured headers; the same ones are refused on both transports.
pub(super) fn checked(headers: &[(String, String)]) -> Result<Vec<(HeaderName, HeaderValue)>> {
    headers
        .iter()
        .map(|(name, value)| {
            check_header(name, value)?;
            Ok((parse_name(name)?, parse_value(name, value)?))
        })
        .collect()
}

/// Reads the value of a header; `name` is for the error.
pub(super) fn parse_value(name: &str, value: &str) -> Result<HeaderValue> {
    let parsed = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| {
        let what = format!("the value of the header `{name}` has a control character");
        Error::new(ErrorKind::InvalidOption, what).with_hint("such as a line break at its end")
    });
    // Any of them may be a secret, which no `Debug` shows.
    parsed.map(|mut value| {
        value.set_sensitive(true);
        value
    })
}

fn parse_name(name: &str) -> Result<HeaderName> {
    HeaderName::try_from(name).map_err(|_| {
        let what = format!("`{}` cannot be the name of a header", name.escape_debug());
        Error::new(ErrorKind::InvalidOption, what)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, value: &str) -> Result<Vec<(HeaderName, HeaderValue)>> {
        checked(&[(name.to_owned(), value.to_owned())])
    }

    #[test]
    fn usual_headers_pass_unchanged() {
        for (name, value) in
            [("Authorization", "Bearer x.y"), ("x-city", "K\u{f6}ln"), ("Host", "a")]
        {
            let headers = check(name, value).unwrap();
            assert_eq!(headers[0].1.as_bytes(), value.as_bytes());
        }
    }

    #[test]
    fn a_header_cannot_inject_another_one() {
        for (name, value) in
            [("X-A", "b\r\nX-Evil: 1"), ("X-A", "b\0"), ("X-A: b\r\nX-Evil", "1"), ("", "1")]
        {
            let error = check(name, value).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidOption, "{name}: {value}");
            assert!(!error.to_string().contains('\n'), "{error}");
        }
    }

    #[test]
    fn headers_of_the_transports_are_refused_by_name() {
        let error = check("Content-LENGTH", "1").unwrap_err();
        assert!(error.message().contains("Content-LENGTH"), "{error}");
    }
}
