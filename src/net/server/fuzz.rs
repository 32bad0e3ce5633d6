//! What has to hold of what clients send, whatever it is.

use http::StatusCode;

use super::accept::{Acceptance, asks_for_upgrade};
use super::body::BodyReader;
use super::cors::CorsPolicy;
use super::frames::{FrameFault, FrameLimits, FrameReader, Inbound};
use super::query::SessionQuery;
use super::request::{HeadLimits, HeadScan};
use crate::options::Cors;
use crate::proto::dialect::Frame;

const HEAD: HeadLimits = HeadLimits { bytes: 1024, headers: 16 };
const MOST_IN_BODY: usize = 512;
const FRAMES: FrameLimits = FrameLimits { message: 512, fragments: 8 };

/// How requests come in pieces changes nothing.
pub(crate) fn check_requests(bytes: &[u8], piece: usize) {
    assert_eq!(requests(bytes, piece), requests(bytes, bytes.len().max(1)));
}

/// The heads and bodies of the requests that follow each other in these bytes, and why the last one is
/// refused.
fn requests(bytes: &[u8], piece: usize) -> (Vec<String>, Option<StatusCode>) {
    let (mut found, mut from) = (Vec::new(), 0);
    while from < bytes.len() {
        match request(&bytes[from..], piece) {
            Ok(Some((shown, length))) => {
                found.push(shown);
                from += length;
            }
            Ok(None) => break,
            Err(status) => return (found, Some(status)),
        }
    }
    (found, None)
}

/// The first request, and its length.
fn request(bytes: &[u8], piece: usize) -> Result<Option<(String, usize)>, StatusCode> {
    let ends = || (1..=bytes.len()).filter(|end| end % piece == 0 || *end == bytes.len());
    let mut scan = HeadScan::default();
    let mut head = None;
    for end in ends() {
        head = scan.read_head(&bytes[..end], &HEAD).map_err(|refusal| refusal.status)?;
        if head.is_some() {
            break;
        }
    }
    let Some((head, length)) = head else { return Ok(None) };
    assert!(length <= HEAD.bytes && head.headers.len() <= HEAD.headers);
    let query = SessionQuery::read(&head.query);
    let accepted = asks_for_upgrade(&head) && Acceptance::of(&head).is_ok();
    let cors = CorsPolicy::new(&Cors::new().origin("http://a.b")).expect("it is an origin");
    let verdict = cors.judge(&head.headers);
    let _ = (cors.preflight(&head.headers, verdict), cors.headers(&head.headers, verdict));
    let mut reader = BodyReader::new(head.body, MOST_IN_BODY).map_err(|refusal| refusal.status)?;
    let mut rest = &bytes[length..];
    loop {
        let (mut now, later) = rest.split_at(piece.min(rest.len()));
        let body = reader.take_in(&mut now).map_err(|refusal| refusal.status)?;
        assert!(reader.kept() <= MOST_IN_BODY);
        if let Some(body) = body {
            let shown = format!("{head:?} {query:?} {accepted} {verdict:?} {body:?}");
            return Ok(Some((shown, bytes.len() - later.len() - now.len())));
        }
        if later.is_empty() {
            return Ok(None);
        }
        rest = later;
    }
}

/// How frames come in pieces changes nothing, and no limit is passed.
pub(crate) fn check_frames(bytes: &[u8], piece: usize) {
    assert_eq!(frames(bytes.chunks(piece)), frames(bytes.chunks(bytes.len().max(1))));
}

fn frames<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Inbound>, Option<FrameFault>, usize) {
    let mut reader = FrameReader::new(FRAMES);
    let mut found = Vec::new();
    for mut piece in pieces {
        loop {
            match reader.next(&mut piece, None) {
                Ok(None) => break assert!(piece.is_empty()),
                Ok(Some(Inbound::Message(frame))) => {
                    let length = match &frame {
                        Frame::Text(text) => text.len(),
                        Frame::Binary(bytes) => bytes.len(),
                    };
                    assert!(length <= FRAMES.message);
                    found.push(Inbound::Message(frame));
                }
                Ok(Some(Inbound::Close(why))) => {
                    found.push(Inbound::Close(why));
                    return (found, None, 0);
                }
                Ok(Some(control)) => found.push(control),
                Err(fault) => return (found, Some(fault), 0),
            }
        }
        assert!(reader.kept() <= FRAMES.message + 125);
    }
    (found, None, reader.kept())
}
