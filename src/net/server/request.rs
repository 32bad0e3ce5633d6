//! The head of a request, as it comes (RFC 9110, RFC 9112). What two readers could understand in two
//! ways is refused.

use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, HOST, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use percent_encoding::percent_decode;

use super::HttpRefusal;
use crate::net::lists::lists;

/// What a head may have at most.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeadLimits {
    /// Its length, in bytes.
    pub(crate) bytes: usize,
    pub(crate) headers: usize,
}

/// The head of a request.
#[derive(Clone, Debug)]
pub(crate) struct RequestHead {
    pub(crate) method: Method,
    /// The target as it was sent.
    pub(crate) target: String,
    /// The path of it, percent-decoded once; it begins with a slash, but for `*`. Its dots are as sent.
    pub(crate) path: String,
    /// The query of it as it was sent, without the question mark.
    pub(crate) query: String,
    /// Of HTTP/1.1 they have exactly one `Host`.
    pub(crate) headers: HeaderMap,
    /// Whether it is HTTP/1.1, and not 1.0.
    pub(crate) is_http_1_1: bool,
    /// Whether the connection may be used for another request.
    pub(crate) keep_alive: bool,
    pub(crate) body: BodyLength,
    /// Whether the peer waits for `100 Continue` before it sends the body.
    pub(crate) expects_continue: bool,
}

/// How long the body is that follows a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyLength {
    /// So many bytes; without a body, none.
    Known(u64),
    Chunked,
}

impl Default for HeadLimits {
    fn default() -> Self {
        Self { bytes: 16 * 1024, headers: 100 }
    }
}

/// Finds the end of a head that comes in pieces. Each byte is looked at once.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct HeadScan {
    /// The length of the empty lines in front, which do not count (RFC 9112 §2.2).
    skipped: usize,
    /// Where the search goes on.
    searched: usize,
    /// How many lines have come.
    lines: usize,
}

impl HeadScan {
    /// The head at the beginning of `bytes`, and its length; `None` as long as it is not whole. Then the same
    /// bytes and more are to be given at the next call.
    pub(crate) fn read_head(
        &mut self,
        bytes: &[u8],
        limits: &HeadLimits,
    ) -> Result<Option<(RequestHead, usize)>, HttpRefusal> {
        // No further than that, so that it is refused in the same way however it comes.
        let within = bytes.get(..limits.bytes).unwrap_or(bytes);
        let end = self.end(within, limits.headers)?;
        if end.is_none() && bytes.len() >= limits.bytes {
            return Err(self.too_long());
        }
        let Some(end) = end else { return Ok(None) };
        let head = parse(&bytes[self.skipped..end], self.lines)?;
        *self = Self::default();
        Ok(Some((head, end)))
    }

    /// Where the head ends. Lines end by CR and LF together, and nothing else in them is a control character.
    fn end(&mut self, bytes: &[u8], headers: usize) -> Result<Option<usize>, HttpRefusal> {
        while let Some(&byte) = bytes.get(self.searched) {
            let at = self.searched;
            match byte {
                b'\r' => match bytes.get(at + 1) {
                    None => return Ok(None),
                    Some(b'\n') => {
                        let is_empty = at == self.skipped || bytes[..at].ends_with(b"\r\n");
                        self.searched = at + 2;
                        if !is_empty {
                            self.lines += 1;
                        } else if self.lines > 0 {
                            return Ok(Some(self.searched));
                        } else {
                            self.skipped = self.searched;
                        }
                        if self.lines > headers + 1 {
                            return Err(too_many_headers());
                        }
                    }
                    Some(_) => return Err(HttpRefusal::bad("a CR without LF")),
                },
                b'\n' => return Err(HttpRefusal::bad("an LF without CR")),
                b'\t' if self.lines > 0 => self.searched += 1,
                0..0x20 | 0x7f => return Err(HttpRefusal::bad(strange_byte(bytes))),
                _ => self.searched += 1,
            }
        }
        Ok(None)
    }

    fn too_long(&self) -> HttpRefusal {
        if self.lines == 0 {
            HttpRefusal::new(StatusCode::URI_TOO_LONG, "the target is too long")
        } else {
            let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
            HttpRefusal::new(status, "the head is too long")
        }
    }
}

fn too_many_headers() -> HttpRefusal {
    HttpRefusal::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "too many headers")
}

/// What a control character in a head means.
fn strange_byte(bytes: &[u8]) -> &'static str {
    if bytes.starts_with(b"\x16\x03") {
        "TLS on a port without it"
    } else {
        "a control character in the head"
    }
}

/// Reads a whole head of so many lines.
fn parse(bytes: &[u8], lines: usize) -> Result<RequestHead, HttpRefusal> {
    let mut found = vec![httparse::EMPTY_HEADER; lines];
    let mut request = httparse::Request::new(&mut found);
    match request.parse(bytes) {
        Ok(httparse::Status::Complete(length)) if length == bytes.len() => {}
        Ok(_) => return Err(HttpRefusal::bad("a head that ends elsewhere")),
        Err(error) => return Err(malformed(error)),
    }
    let (Some(method), Some(target), Some(version)) =
        (request.method, request.path, request.version)
    else {
        return Err(HttpRefusal::bad("no request line"));
    };
    let headers = header_map(request.headers)?;
    let method = Method::from_bytes(method.as_bytes())
        .map_err(|_| HttpRefusal::bad("no name of a method"))?;
    let is_http_1_1 = version == 1;
    let keep_alive = if is_http_1_1 {
        !lists(&headers, &CONNECTION, "close")
    } else {
        lists(&headers, &CONNECTION, "keep-alive")
    };
    let (path, query) = split(target, &method)?;
    check_host(&headers, is_http_1_1)?;
    Ok(RequestHead {
        method,
        path: decoded(path)?,
        query: query.to_owned(),
        target: target.to_owned(),
        is_http_1_1,
        keep_alive,
        body: body_length(&headers, is_http_1_1)?,
        expects_continue: expects_continue(&headers, is_http_1_1)?,
        headers,
    })
}

fn malformed(error: httparse::Error) -> HttpRefusal {
    use httparse::Error as E;
    match error {
        E::TooManyHeaders => too_many_headers(),
        E::Version => {
            HttpRefusal::new(StatusCode::HTTP_VERSION_NOT_SUPPORTED, "not HTTP/1.0 or HTTP/1.1")
        }
        E::HeaderName => HttpRefusal::bad("a malformed name of a header"),
        E::HeaderValue => HttpRefusal::bad("a malformed value of a header"),
        E::NewLine => HttpRefusal::bad("a malformed end of a line"),
        E::Token | E::Status => HttpRefusal::bad("a malformed request line"),
    }
}

fn header_map(found: &[httparse::Header<'_>]) -> Result<HeaderMap, HttpRefusal> {
    let mut headers = HeaderMap::with_capacity(found.len());
    for header in found {
        let name = HeaderName::from_bytes(header.name.as_bytes());
        let value = HeaderValue::from_bytes(header.value);
        let (Ok(name), Ok(value)) = (name, value) else {
            return Err(HttpRefusal::bad("a malformed header"));
        };
        headers.append(name, value);
    }
    Ok(headers)
}

/// Path and query of a target: of a path, of a whole URL, or of `*`.
fn split<'a>(target: &'a str, method: &Method) -> Result<(&'a str, &'a str), HttpRefusal> {
    let bad = HttpRefusal::bad("the target is no path");
    let scheme = ["http://", "https://"].into_iter().find(|scheme| {
        target.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    });
    let local = match scheme {
        Some(scheme) => {
            let rest = &target[scheme.len()..];
            &rest[rest.find(['/', '?']).unwrap_or(rest.len())..]
        }
        None if target.starts_with('/') || (target == "*" && *method == Method::OPTIONS) => target,
        None => return Err(bad),
    };
    if local.contains('#') {
        return Err(bad);
    }
    let (path, query) = local.split_once('?').unwrap_or((local, ""));
    Ok((if path.is_empty() { "/" } else { path }, query))
}

/// A path without its escapes, all of which have to be some.
fn decoded(path: &str) -> Result<String, HttpRefusal> {
    let is_escape = |digits: &str| {
        digits.as_bytes().get(..2).is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit))
    };
    if !path.split('%').skip(1).all(is_escape) {
        return Err(HttpRefusal::bad("a malformed escape in the path"));
    }
    let bytes = percent_decode(path.as_bytes());
    let path = bytes.decode_utf8().map_err(|_| HttpRefusal::bad("a path that is no UTF-8"))?;
    Ok(path.into_owned())
}

/// Without exactly one host, one who passes it on may have another in mind (RFC 9112 §3.2).
fn check_host(headers: &HeaderMap, is_http_1_1: bool) -> Result<(), HttpRefusal> {
    match headers.get_all(HOST).iter().count() {
        0 if is_http_1_1 => Err(HttpRefusal::bad("no Host")),
        0 | 1 => Ok(()),
        _ => Err(HttpRefusal::bad("more than one Host")),
    }
}

/// One of both headers, once, and as it should be (RFC 9112 §6): of anything else, others read another
/// length, and take a part of the body for a request.
fn body_length(headers: &HeaderMap, is_http_1_1: bool) -> Result<BodyLength, HttpRefusal> {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (lengths.next(), codings.next()) {
        (None, None) => Ok(BodyLength::Known(0)),
        (Some(length), None) if lengths.next().is_none() => known_length(length),
        (None, Some(coding)) if codings.next().is_none() && is_http_1_1 => {
            if coding.as_bytes().eq_ignore_ascii_case(b"chunked") {
                Ok(BodyLength::Chunked)
            } else {
                Err(HttpRefusal::bad("a Transfer-Encoding other than chunked"))
            }
        }
        (Some(_), Some(_)) => Err(HttpRefusal::bad("Content-Length and Transfer-Encoding")),
        (None, Some(_)) if !is_http_1_1 => Err(HttpRefusal::bad("Transfer-Encoding with HTTP/1.0")),
        _ => Err(HttpRefusal::bad("more than one length of the body")),
    }
}

fn known_length(value: &HeaderValue) -> Result<BodyLength, HttpRefusal> {
    let digits = value.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let length = digits.and_then(|digits| digits.parse().ok());
    length.map(BodyLength::Known).ok_or(HttpRefusal::bad("a malformed Content-Length"))
}

/// What else a peer may expect is not known (RFC 9110 §10.1.1).
fn expects_continue(headers: &HeaderMap, is_http_1_1: bool) -> Result<bool, HttpRefusal> {
    let mut expectations = headers.get_all(EXPECT).iter();
    match (expectations.next(), expectations.next()) {
        (None, _) => Ok(false),
        (Some(one), None) if one.as_bytes().eq_ignore_ascii_case(b"100-continue") => {
            Ok(is_http_1_1)
        }
        _ => Err(HttpRefusal::new(
            StatusCode::EXPECTATION_FAILED,
            "an expectation that is not known",
        )),
    }
}

#[cfg(test)]
mod tests;
