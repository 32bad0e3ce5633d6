//! What is known of a client when it connects.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use bytes::Bytes;
use serde::de::DeserializeOwned;

use crate::error::{Error, ErrorKind, Result};

/// What the first request of a client said, and what it gave as credentials.
#[derive(Clone, Debug)]
pub struct SocketHandshake {
    pub(super) request: Arc<FirstRequest>,
    pub(super) auth: Box<str>,
}

/// The request that opened a session.
#[derive(Debug)]
pub(super) struct FirstRequest {
    /// Its path with the query, and its headers, each on a line: one piece of memory, of which each client has one.
    pub(super) lines: Box<[u8]>,
    pub(super) address: Option<SocketAddr>,
    pub(super) time: SystemTime,
    pub(super) is_secure: bool,
    /// What few requests have.
    pub(super) rare: Option<Box<RarelyKept>>,
}

/// What is kept of few requests.
#[derive(Debug, Default)]
pub(super) struct RarelyKept {
    /// The certificates of the client.
    chain: Vec<Bytes>,
    /// Its share of what the requests of all sessions may take.
    share: Option<HeadShare>,
}

/// How much of its first request each session may keep, whatever others do, in bytes: more than most browsers say.
const OWN_SHARE: usize = 2 * 1024;

/// How much all may keep beyond that, together.
const COMMON_SHARE: usize = 8 * 1024 * 1024;

/// What the requests of all sessions take beyond the share of each, in bytes.
#[derive(Clone, Debug, Default)]
pub(super) struct KeptHeads(Arc<AtomicUsize>);

/// What one of them takes there, which is given back at its end.
#[derive(Debug)]
pub(super) struct HeadShare {
    of: KeptHeads,
    bytes: usize,
}

impl RarelyKept {
    /// The certificates of a client.
    pub(super) fn of(chain: Vec<Bytes>) -> Self {
        Self { chain, share: None }
    }
}

impl FirstRequest {
    fn chain(&self) -> &[Bytes] {
        self.rare.as_ref().map_or(&[], |rare| &rare.chain)
    }
}

impl KeptHeads {
    /// Keeps the request that opens a session; `None`: there is no room for so large a one.
    pub(super) fn keep(&self, mut request: FirstRequest) -> Option<FirstRequest> {
        let certificates: usize = request.chain().iter().map(Bytes::len).sum();
        let size = request.lines.len() + certificates;
        let bytes = size.saturating_sub(OWN_SHARE);
        if bytes == 0 {
            return Some(request);
        }
        let before = self.0.fetch_add(bytes, Ordering::AcqRel);
        let share = HeadShare { of: self.clone(), bytes };
        request.rare.get_or_insert_default().share = Some(share);
        (before + bytes <= COMMON_SHARE).then_some(request)
    }
}

impl Drop for HeadShare {
    fn drop(&mut self) {
        self.of.0.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

impl SocketHandshake {
    /// The value of a header of the request that opened the session, the first of that name. Names are compared
    /// without regard to case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The headers of that request, but for those whose value is no UTF-8.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let lines = self.request.lines.split(|byte| *byte == b'\n').skip(1);
        lines.filter_map(|line| std::str::from_utf8(line).ok()?.split_once(": "))
    }

    /// The path and query of that request, as they were sent.
    pub fn url(&self) -> &str {
        let url = self.request.lines.split(|byte| *byte == b'\n').next();
        url.and_then(|url| std::str::from_utf8(url).ok()).unwrap_or_default()
    }

    /// The query of that request, as it was sent, without the question mark.
    pub fn query(&self) -> &str {
        self.url().split_once('?').map_or("", |(_, query)| query)
    }

    /// From where the client has connected; `None` for a Unix socket. Behind a proxy it is the proxy's address.
    pub fn address(&self) -> Option<SocketAddr> {
        self.request.address
    }

    /// When.
    pub fn time(&self) -> SystemTime {
        self.request.time
    }

    /// Whether the connection is encrypted (up to this program, not up to a proxy before it).
    pub fn is_secure(&self) -> bool {
        self.request.is_secure
    }

    /// The certificate by which the client has identified itself, in DER, and those that link it to its authority;
    /// empty without one.
    pub fn client_certificates(&self) -> &[Bytes] {
        self.request.chain()
    }

    /// What other servers of a cluster are told of it, in the form of the reference: nothing that is worth anything, as
    /// cookies and credentials are.
    pub(super) fn shared(&self) -> String {
        let issued = self.time().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let address = self.address().map(|address| address.ip().to_string()).unwrap_or_default();
        format!(
            r#"{{"headers":{{}},"address":"{address}","xdomain":false,"secure":{},"issued":{},"url":"","query":{{}},"auth":{{}}}}"#,
            self.is_secure(),
            issued.as_millis(),
        )
    }

    /// The credentials that the client gave for the namespace.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Payload`] when they are of another type, or there are none and the type wants some.
    pub fn auth<T: DeserializeOwned>(&self) -> Result<T> {
        let json = if self.auth.is_empty() { "null" } else { &self.auth };
        serde_json::from_str(json).map_err(|error| {
            Error::new(ErrorKind::Payload, "the credentials are of another type").with_source(error)
        })
    }

    /// The credentials as they came: a JSON object, or nothing.
    pub fn auth_json(&self) -> &str {
        &self.auth
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(bytes: usize) -> FirstRequest {
        FirstRequest {
            lines: vec![b'x'; bytes].into(),
            address: None,
            time: SystemTime::UNIX_EPOCH,
            is_secure: false,
            rare: None,
        }
    }

    #[test]
    fn each_keeps_2_kibibytes_of_its_own_and_all_share_8_mebibytes_with_their_certificates() {
        let kept = KeptHeads::default();
        let with = |bytes, certificate: usize| {
            let chain = vec![Bytes::from(vec![0; certificate])];
            FirstRequest { rare: Some(Box::new(RarelyKept::of(chain))), ..request(bytes) }
        };
        let shared = |kept: &KeptHeads| kept.0.load(Ordering::Acquire);
        let own = kept.keep(with(2000, 48)).unwrap();
        assert_eq!((shared(&kept), own.chain().len()), (0, 1));
        let larger = kept.keep(with(2000, 49)).unwrap();
        assert_eq!((shared(&kept), larger.chain()[0].len()), (1, 49));
        let rest = kept.keep(request(2048 + 8 * 1024 * 1024 - 1)).unwrap();
        assert!(kept.keep(request(2049)).is_none());
        drop((larger, rest));
        assert_eq!(shared(&kept), 0);
    }

    #[test]
    fn what_the_first_request_said_is_told_and_others_hear_nothing_of_worth() {
        let handshake = SocketHandshake {
            request: Arc::new(FirstRequest {
                lines: (*b"/socket.io/?EIO=4\nHost: h\nX-Bad: \xff\ncookie: a=b").into(),
                address: Some(([10, 0, 0, 1], 7).into()),
                is_secure: true,
                ..request(0)
            }),
            auth: r#"{"token":"123"}"#.into(),
        };
        assert_eq!((handshake.url(), handshake.query()), ("/socket.io/?EIO=4", "EIO=4"));
        assert_eq!(handshake.header("Cookie"), Some("a=b"));
        assert_eq!(handshake.headers().count(), 2);
        assert_eq!(handshake.address(), Some(([10, 0, 0, 1], 7).into()));
        assert_eq!(handshake.auth_json(), r#"{"token":"123"}"#);
        let shared = handshake.shared();
        assert!(shared.contains(r#""address":"10.0.0.1""#) && shared.contains(r#""secure":true"#));
        assert!(!shared.contains("123") && !shared.contains("a=b"));
    }

    #[test]
    fn large_heads_have_what_they_share_and_small_ones_always_room() {
        let kept = KeptHeads::default();
        let large = OWN_SHARE + COMMON_SHARE / 4;
        let mut held: Vec<_> = (0..4).map(|_| kept.keep(request(large)).unwrap()).collect();
        assert!(kept.keep(request(OWN_SHARE + 1)).is_none());
        assert!(kept.keep(request(OWN_SHARE)).is_some());
        held.pop();
        assert!(kept.keep(request(large)).is_some(), "what it had is given back");
        drop(held);
        assert_eq!(kept.0.load(Ordering::Acquire), 0);
    }
}
