//! The head of an HTTP answer, as it comes (RFC 9110, RFC 9112); and the start of a body behind it.

use std::fmt;

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::lists::lists;
use crate::error::snippet;

/// The longest head that is read, in bytes, with all that is said before the final answer.
pub(super) const MAX_HEAD: usize = 64 * 1024;

/// How many headers a head may have.
const MAX_HEADERS: usize = 128;

/// How many answers of the 1xx kind may come before the final one.
const MAX_INTERIM: usize = 32;

/// What every answer begins with.
const START: &[u8] = b"HTTP/1.";

/// The head of an answer.
#[derive(Debug)]
pub(super) struct Head {
    /// Whether it says HTTP/1.1, and not HTTP/1.0.
    pub(super) is_current: bool,
    pub(super) status: u16,
    /// The words behind the status, which mean nothing.
    pub(super) reason: String,
    pub(super) headers: HeaderMap,
}

/// Reads up to the end of the head of the final answer.
#[derive(Debug, Default)]
pub(super) struct HeadReader {
    /// What has come, without the answers that were passed over.
    bytes: Vec<u8>,
    /// Where the search for the end goes on.
    searched: usize,
    /// The bytes of the answers that were passed over, and how many those are.
    passed_over: (usize, usize),
}

/// Why what has come is no head of an answer.
#[derive(Debug)]
pub(super) enum BadHead {
    /// It begins like this.
    NoHttp(Vec<u8>),
    TooLong,
    TooManyHeaders,
    /// So many answers that are none.
    OnlyInterim,
    Malformed(httparse::Error),
}

impl HeadReader {
    /// Takes in what has come; once the head is whole, gives it.
    ///
    /// Answers of the 1xx kind are passed over, but for 101, which is final (RFC 9110 §15.2). A header
    /// that goes on in the next line is refused (RFC 9112 §5.2).
    pub(super) fn take_in(&mut self, bytes: &[u8]) -> Result<Option<Head>, BadHead> {
        self.bytes.extend_from_slice(bytes);
        loop {
            if !may_be_http(&self.bytes) {
                return Err(BadHead::NoHttp(self.bytes.clone()));
            }
            let end = self.end();
            if self.passed_over.0 + end.unwrap_or(self.bytes.len()) > MAX_HEAD {
                return Err(BadHead::TooLong);
            }
            let Some(end) = end else { return Ok(None) };
            let head = parse(&self.bytes[..end])?;
            self.bytes.drain(..end);
            self.searched = 0;
            if head.status == 101 || head.status >= 200 {
                return Ok(Some(head));
            }
            self.passed_over = (self.passed_over.0 + end, self.passed_over.1 + 1);
            if self.passed_over.1 > MAX_INTERIM {
                return Err(BadHead::OnlyInterim);
            }
        }
    }

    /// What came behind the head, or of one that is not whole.
    pub(super) fn into_rest(self) -> Vec<u8> {
        self.bytes
    }

    /// The length of the head, once its empty line has come.
    fn end(&mut self) -> Option<usize> {
        let from = std::mem::replace(&mut self.searched, self.bytes.len());
        end_of_head(&self.bytes, from)
    }
}

/// Where a head ends whose empty line is not before `from`.
fn end_of_head(bytes: &[u8], from: usize) -> Option<usize> {
    let is_empty_line = |at: usize| {
        let before = bytes[..at].strip_suffix(b"\r").unwrap_or(&bytes[..at]);
        before.ends_with(b"\n")
    };
    let found = (from..bytes.len()).find(|&at| bytes[at] == b'\n' && is_empty_line(at));
    found.map(|at| at + 1)
}

/// What these bytes begin with, by the status alone.
#[cfg(feature = "polling")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beginning {
    /// Too little has come to tell.
    Unknown,
    /// An answer that is not final, of this length.
    Interim(usize),
    /// Anything else.
    Final,
}

#[cfg(feature = "polling")]
impl Beginning {
    pub(super) fn of(bytes: &[u8]) -> Self {
        const STATUS: std::ops::Range<usize> = 9..12;
        let Some(status) = bytes.get(STATUS) else { return Self::Unknown };
        if !may_be_http(bytes) || status[0] != b'1' || status == b"101" {
            return Self::Final;
        }
        end_of_head(bytes, 0).map_or(Self::Unknown, Self::Interim)
    }
}

fn parse(bytes: &[u8]) -> Result<Head, BadHead> {
    // Not on the stack, of which a connection keeps what it has touched once.
    let lines = bytes.split(|&byte| byte == b'\n').count();
    let mut found = vec![httparse::EMPTY_HEADER; lines.min(MAX_HEADERS)];
    let mut answer = httparse::Response::new(&mut found);
    match answer.parse(bytes) {
        Ok(httparse::Status::Complete(_)) => {}
        // It has its empty line.
        Ok(httparse::Status::Partial) => return Err(BadHead::Malformed(httparse::Error::NewLine)),
        Err(httparse::Error::TooManyHeaders) => return Err(BadHead::TooManyHeaders),
        Err(error) => return Err(BadHead::Malformed(error)),
    }
    let mut headers = HeaderMap::with_capacity(answer.headers.len());
    for header in answer.headers.iter() {
        let name = HeaderName::try_from(header.name);
        let value = HeaderValue::from_bytes(header.value);
        let (Ok(name), Ok(value)) = (name, value) else {
            return Err(BadHead::Malformed(httparse::Error::HeaderValue));
        };
        headers.append(name, value);
    }
    Ok(Head {
        is_current: answer.version == Some(1),
        // Less than 100 is nothing that HTTP knows.
        status: answer
            .code
            .filter(|code| *code >= 100)
            .ok_or(BadHead::Malformed(httparse::Error::Status))?,
        reason: answer.reason.unwrap_or_default().to_owned(),
        headers,
    })
}

impl Head {
    /// What a body that begins with these bytes says; and whether that is all of it. One that ends with
    /// the connection is never known to be whole.
    pub(super) fn decode(&self, bytes: &[u8]) -> (Vec<u8>, bool) {
        if matches!(self.status, 204 | 304) {
            return (Vec::new(), true);
        }
        if lists(&self.headers, &TRANSFER_ENCODING, "chunked") {
            return join_chunks(bytes);
        }
        let length = self.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
        match length.and_then(|length| length.trim().parse::<usize>().ok()) {
            Some(length) => (bytes[..bytes.len().min(length)].to_vec(), bytes.len() >= length),
            None => (bytes.to_vec(), false),
        }
    }
}

/// The content of as many chunks as there are; and whether the last one is among them. What is no chunk
/// is the end too.
fn join_chunks(mut bytes: &[u8]) -> (Vec<u8>, bool) {
    let mut content = Vec::new();
    loop {
        let (head, size) = match httparse::parse_chunk_size(bytes) {
            Ok(httparse::Status::Complete(chunk)) => chunk,
            Ok(httparse::Status::Partial) => return (content, false),
            Err(_) => return (content, true),
        };
        if size == 0 {
            return (content, true);
        }
        let rest = &bytes[head..];
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        content.extend_from_slice(&rest[..rest.len().min(size)]);
        match rest.get(size..).and_then(|rest| rest.strip_prefix(b"\r\n")) {
            Some(next) => bytes = next,
            None => return (content, false),
        }
    }
}

/// Whether an answer that begins with these bytes may be one in HTTP.
pub(super) fn may_be_http(bytes: &[u8]) -> bool {
    START.starts_with(&bytes[..bytes.len().min(START.len())])
}

/// What speaks there, by the first bytes of an answer that is none in HTTP.
pub(super) fn stranger(bytes: &[u8]) -> Option<&'static str> {
    let begins = |with: &[u8]| bytes.starts_with(with);
    if begins(b"\x15\x03") || begins(b"\x16\x03") {
        return Some("the port speaks TLS: use `https:` or `wss:`");
    }
    if begins(b"SSH-") {
        return Some("an SSH server listens there: is the port right?");
    }
    if begins(b"220") || begins(b"+OK") || begins(b"* OK") {
        return Some("a mail or file server listens there: is the port right?");
    }
    None
}

impl fmt::Display for BadHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoHttp(bytes) => write!(f, "it is no HTTP, and begins with `{}`", snippet(bytes)),
            Self::TooLong => write!(f, "its head is longer than {MAX_HEAD} bytes"),
            Self::TooManyHeaders => write!(f, "it has more than {MAX_HEADERS} headers"),
            Self::OnlyInterim => write!(f, "only 1xx comes, more than {MAX_INTERIM} times"),
            Self::Malformed(error) => write!(f, "its head is malformed: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::header::CONNECTION;

    use super::*;

    /// What is found in these bytes, which come at once and one by one.
    fn read(bytes: &[u8]) -> Result<(Head, Vec<u8>), String> {
        let mut outcomes = [bytes.len().max(1), 1].map(|size| {
            let mut reader = HeadReader::default();
            let mut chunks = bytes.chunks(size);
            for chunk in chunks.by_ref() {
                if let Some(head) = reader.take_in(chunk).map_err(|bad| bad.to_string())? {
                    let mut rest = reader.into_rest();
                    chunks.for_each(|chunk| rest.extend_from_slice(chunk));
                    return Ok((head, rest));
                }
            }
            Err("not whole".to_owned())
        });
        let single = format!("{:?}", outcomes[1]);
        let whole = std::mem::replace(&mut outcomes[0], Err(String::new()));
        // In crumbs, what is no HTTP shows less of itself.
        if !single.contains("no HTTP") {
            assert_eq!(format!("{whole:?}"), single);
        }
        whole
    }

    #[test]
    fn a_head_ends_with_its_empty_line_and_what_is_behind_it_is_kept() {
        for end in ["\r\n", "\n"] {
            let text =
                format!("HTTP/1.1 503 Too busy{end}A: b{end}a:  c {end}X:{end}{end}HTTP/1.1 x");
            let (head, rest) = read(text.as_bytes()).unwrap();
            assert_eq!((head.status, &*head.reason, head.is_current), (503, "Too busy", true));
            let all: Vec<_> = head.headers.get_all("a").iter().collect();
            assert_eq!(all, ["b", "c"]);
            assert_eq!(rest, b"HTTP/1.1 x");
        }
        let (head, _) = read(b"HTTP/1.0 404 \r\n\r\n").unwrap();
        assert_eq!((head.status, head.is_current), (404, false));
        assert_eq!(read(b"HTTP/1.1 200 OK\r\nA: b\r\n").unwrap_err(), "not whole");
    }

    #[test]
    fn answers_that_are_not_final_are_passed_over() {
        let early = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n";
        let text =
            format!("HTTP/1.1 100 Continue\r\n\r\n{early}{early}HTTP/1.1 101 Go\r\n\r\n\x01");
        let (head, rest) = read(text.as_bytes()).unwrap();
        assert_eq!((head.status, &rest[..]), (101, &b"\x01"[..]));
        assert!(read(early.repeat(MAX_INTERIM + 1).as_bytes()).unwrap_err().contains("only 1xx"));
        let long = format!("HTTP/1.1 100 x\r\nA: {}\r\n\r\n", "x".repeat(MAX_HEAD / 3));
        assert!(read(long.repeat(4).as_bytes()).unwrap_err().contains("longer than"));
    }

    #[test]
    fn what_is_no_head_is_named() {
        for (text, part) in [
            ("SSH-2.0-OpenSSH_9.2\r\n", "no HTTP, and begins with `SSH-2.0-OpenSSH_9.2\\r\\n`"),
            ("220 mail ESMTP\r\n", "`220 mail"),
            ("\x15\x03\x01\0\x02\x02\x46", "\\u{15}"),
            ("HTTP/2 200\r\n\r\n", "`HTTP/2 "),
            ("HTTP/1.1 2xx OK\r\n\r\n", "malformed"),
            ("HTTP/1.1 099 OK\r\n\r\n", "malformed"),
            ("HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", "malformed"),
            ("HTTP/1.1 200 OK\r\nA : b\r\n\r\n", "malformed"),
            ("HTTP/1.1 200 OK\r\nA: b\0\r\n\r\n", "malformed"),
        ] {
            let bad = read(text.as_bytes()).unwrap_err();
            assert!(bad.contains(part) || bad.contains("no HTTP"), "{part} in {bad}");
        }
        let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(MAX_HEADERS + 1));
        assert!(read(many.as_bytes()).unwrap_err().contains("headers"));
        let long = format!("HTTP/1.1 200 OK\r\nA: {}\r\n\r\n", "x".repeat(MAX_HEAD));
        assert!(read(long.as_bytes()).unwrap_err().contains("longer"));
    }

    #[test]
    fn a_list_is_one_over_several_headers_and_in_any_case() {
        for (lines, listed) in [
            ("Connection: Upgrade", true),
            ("Connection: keep-alive, Upgrade", true),
            ("Connection: keep-alive\r\nconnection: uPGRADE", true),
            ("Connection: ,upgrade ,, close", true),
            ("Connection: upgraded", false),
            ("Connection: \"upgrade\"", false),
            ("X: upgrade", false),
        ] {
            let (head, _) = read(format!("HTTP/1.1 101 x\r\n{lines}\r\n\r\n").as_bytes()).unwrap();
            assert_eq!(lists(&head.headers, &CONNECTION, "upgrade"), listed, "{lines}");
        }
    }

    #[test]
    fn a_body_is_decoded_as_far_as_it_has_come() {
        for (header, body, content, whole) in [
            ("Content-Length: 3", "abcd", "abc", true),
            ("Content-Length: 5", "abc", "abc", false),
            ("Content-Length: x", "abc", "abc", false),
            ("A: b", "abc", "abc", false),
            ("Transfer-Encoding: chunked", "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n", "abcde", true),
            ("Transfer-Encoding: Chunked", "3\r\nabc\r\nf\r\nde", "abcde", false),
            ("Transfer-Encoding: chunked", "3\r\nabc", "abc", false),
            ("Transfer-Encoding: chunked", "nonsense", "", true),
            ("Transfer-Encoding: chunked", "ffffffffffffffff\r\nabc", "abc", false),
        ] {
            let head = format!("HTTP/1.1 400 x\r\n{header}\r\n\r\n");
            let (head, _) = read(head.as_bytes()).unwrap();
            let decoded = head.decode(body.as_bytes());
            assert_eq!(decoded, (content.as_bytes().to_vec(), whole), "{header}: {body}");
        }
    }
}
