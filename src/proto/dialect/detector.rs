//! Finding out which revision a server speaks.
//!
//! Every server is asked for the newest revision, and what it speaks is known by the form of its
//! answer: old servers ignore the question, and so do some new ones.
//!
//! | first answer                             | revision                                         |
//! |------------------------------------------|--------------------------------------------------|
//! | body `0{…}`                              | Engine.IO 4                                      |
//! | body `97:0{…}`, or `00 09 07 FF 0{…}`    | Engine.IO 3                                      |
//! | frame `0{…}` with `maxPayload`           | Engine.IO 4: so servers since 4.5                |
//! | frame `0{…}`, then a message             | Engine.IO 3: only there the server speaks first  |
//! | frame `0{…}`, then a ping, or nothing    | Engine.IO 4: servers 3.0 to 4.4                  |
//!
//! A server that refuses the question, since it does not speak that revision, is asked in the other
//! one from then on. What it then says by WebSocket is in that one.
//!
//! That nothing follows is known by the answer to a ping of the WebSocket itself, which the server
//! writes behind everything that it has sent before. Only a server 2.x that keeps its clients
//! waiting in a middleware of `/` is taken for a new one by this. It does not answer a CONNECT as a
//! new one does, and the next session takes that into account.

#[cfg(any(test, feature = "polling"))]
mod first_body;

use super::choice::{V3_DIALECT, V4_DIALECT};
use super::{Dialect, Frame};
use crate::options::Revision;
use crate::proto::handshake::Handshake;

/// What is known of the revision of a server, from one session to the next.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Detector {
    /// What the user told by `Builder::revision`.
    fixed: Option<&'static dyn Dialect>,
    /// What the server spoke when it was last heard.
    known: Option<&'static dyn Dialect>,
    /// The server has refused to be asked in the newest revision.
    asks_in_old: bool,
    /// A server that said nothing in time was taken for a new one, and was none: it is an old one
    /// that keeps its clients waiting.
    is_slow: bool,
}

impl Detector {
    pub(crate) fn new(revision: Revision) -> Self {
        let fixed = match revision {
            Revision::Auto => None,
            Revision::V3 => Some(V3_DIALECT),
            Revision::V4 => Some(V4_DIALECT),
        };
        Self { fixed, known: None, asks_in_old: false, is_slow: false }
    }

    /// What a session is asked for in, until its first answer is here.
    pub(crate) fn asks_in(&self) -> &'static dyn Dialect {
        self.fixed.unwrap_or(if self.asks_in_old { V3_DIALECT } else { V4_DIALECT })
    }

    /// The server refuses to be asked like this. `true`: the next session is asked for in the other
    /// revision. `false`: the user told the revision.
    pub(crate) fn ask_otherwise(&mut self) -> bool {
        self.asks_in_old = !self.asks_in_old;
        self.fixed.is_none()
    }

    /// Looks at the first frames of a session.
    pub(crate) fn greeting(self) -> Greeting {
        Greeting { detector: self, opened: false }
    }

    /// The server answered as it does in this revision.
    pub(crate) fn confirm(&mut self, dialect: &'static dyn Dialect) {
        self.known = Some(dialect);
        self.is_slow &= dialect.joins_root();
    }

    /// The server did not answer as it does in this revision. `true`: the next session may be taken
    /// for one of another revision.
    pub(crate) fn contradict(&mut self, dialect: &'static dyn Dialect) -> bool {
        // The revision may have been known from an earlier session: then another server answers
        // now, of which nothing is known. Else a new server was concluded from silence: then it is
        // an old one, and slow.
        self.is_slow = self.known.take().is_none() && !dialect.joins_root();
        self.asks_in_old = false;
        self.fixed.is_none()
    }

    /// A session came to nothing: the next one is looked at anew.
    pub(crate) fn forget(&mut self) {
        self.known = None;
        self.is_slow = false;
    }

    /// Whether the user told what the server speaks.
    pub(crate) fn is_told(&self) -> bool {
        self.fixed.is_some()
    }

    /// What to try when a server does not answer as it should.
    pub(crate) fn hint(&self) -> &'static str {
        match self.fixed {
            None => "the revision of the server may be mistaken: `Builder::revision` says it",
            Some(_) => "does the server speak the revision that `Builder::revision` says?",
        }
    }
}

/// The first frames of a session.
#[derive(Debug)]
pub(crate) struct Greeting {
    detector: Detector,
    /// The handshake was seen, and did not settle it.
    opened: bool,
}

impl Greeting {
    /// Looks at a frame. `None`: the next one, or the answer to a ping of the WebSocket, will tell.
    pub(crate) fn look_at(&mut self, frame: &Frame) -> Option<&'static dyn Dialect> {
        if let Some(fixed) = self.detector.fixed {
            return Some(fixed);
        }
        if self.detector.asks_in_old {
            return Some(V3_DIALECT);
        }
        match frame {
            Frame::Text(text) if !self.opened => match text.strip_prefix('0') {
                Some(json) => self.opened(json),
                None => Some(V4_DIALECT),
            },
            Frame::Text(text) if text.starts_with('4') => Some(V3_DIALECT),
            // The type byte of a message: the server has a parser of its own.
            Frame::Binary(bytes) if self.opened && bytes.starts_with(&[4]) => Some(V3_DIALECT),
            _ => Some(V4_DIALECT),
        }
    }

    /// The server answered a ping of the WebSocket, and said nothing before.
    pub(crate) fn silence(&self) -> &'static dyn Dialect {
        if self.detector.is_slow { V3_DIALECT } else { V4_DIALECT }
    }

    fn opened(&mut self, json: &str) -> Option<&'static dyn Dialect> {
        self.opened = true;
        let may_be_old = !Handshake::limits_payload(json) && Handshake::from_json(json).is_ok();
        let was_new = self.detector.known.is_some_and(|known| !known.joins_root());
        // A server that was new is expected to be new still. If it is not, its answer to the CONNECT
        // contradicts this.
        if may_be_old && !was_new { None } else { Some(V4_DIALECT) }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Cursor, Read};

    use proptest::prelude::*;

    use super::*;
    use crate::error::ErrorKind;
    use crate::proto::dialect::tests::Broken;

    const OPEN: &str = r#"{"sid":"s","upgrades":[],"pingInterval":25000,"pingTimeout":20000}"#;

    fn with_max_payload() -> Frame {
        let open = OPEN.replace('}', r#","maxPayload":1000000}"#);
        Frame::Text(format!("0{open}").into())
    }

    fn without_max_payload() -> Frame {
        Frame::Text(format!("0{OPEN}").into())
    }

    fn text(text: &str) -> Frame {
        Frame::Text(text.into())
    }

    fn eio(dialect: Option<&'static dyn Dialect>) -> Option<&'static str> {
        dialect.map(Dialect::eio)
    }

    /// What a body is taken for; it has to come back as it was.
    fn of_body(revision: Revision, binary: bool, body: &[u8]) -> &'static str {
        let reader = Box::new(BufReader::with_capacity(3, Cursor::new(body.to_vec())));
        let (dialect, mut back) =
            Detector::new(revision).look_at_body(binary, reader).expect("a body that can be read");
        let mut whole = Vec::new();
        back.read_to_end(&mut whole).unwrap();
        assert_eq!(whole, body);
        dialect.eio()
    }

    #[test]
    fn a_body_tells_its_revision_by_its_form() {
        for (body, expected) in [
            (r#"0{"sid":"x"}"#, "4"),
            (r#"0{"sid":"x"}40"#, "4"),
            (r#"97:0{"sid":"x"}2:40"#, "3"),
            (r#"118:0{"sid":"x"}"#, "3"),
            (r#"7:0{"sid":"x"}"#, "3"),
            ("97:1", "4"),
            (":0{", "4"),
            ("", "4"),
            ("<html>", "4"),
            ("42", "4"),
            ("99999999999999:0{", "4"),
        ] {
            assert_eq!(of_body(Revision::Auto, false, body.as_bytes()), expected, "{body}");
        }
        assert_eq!(of_body(Revision::Auto, true, b"\0\x09\x07\xff0{\"sid\""), "3");
        assert_eq!(of_body(Revision::Auto, true, b"0{\"sid\""), "4");
    }

    #[test]
    fn what_the_user_says_is_not_doubted() {
        assert_eq!(of_body(Revision::V4, false, br#"97:0{"sid":"x"}2:40"#), "4");
        assert_eq!(of_body(Revision::V3, false, br#"0{"sid":"x"}"#), "3");
        for (revision, expected) in [(Revision::V3, "3"), (Revision::V4, "4")] {
            let mut detector = Detector::new(revision);
            assert_eq!(detector.asks_in().eio(), expected);
            assert_eq!(eio(detector.greeting().look_at(&without_max_payload())), Some(expected));
            assert!(!detector.contradict(detector.asks_in()));
            assert_eq!(detector.asks_in().eio(), expected);
        }
    }

    #[test]
    fn a_current_server_is_known_by_its_first_frame() {
        let mut greeting = Detector::new(Revision::Auto).greeting();
        assert_eq!(eio(greeting.look_at(&with_max_payload())), Some("4"));
    }

    #[test]
    fn an_older_server_is_known_by_what_follows() {
        for (next, expected) in [
            (text("40"), "3"),
            (text("44\"no\""), "3"),
            (Frame::Binary(vec![4, 0x82].into()), "3"),
            (text("2"), "4"),
            (text("6"), "4"),
            (Frame::Binary(vec![0x82].into()), "4"),
        ] {
            let mut greeting = Detector::new(Revision::Auto).greeting();
            assert_eq!(eio(greeting.look_at(&without_max_payload())), None);
            assert_eq!(eio(greeting.look_at(&next)), Some(expected), "{next:?}");
        }
        let mut greeting = Detector::new(Revision::Auto).greeting();
        assert_eq!(eio(greeting.look_at(&without_max_payload())), None);
        assert_eq!(greeting.silence().eio(), "4");
    }

    #[test]
    fn a_server_is_expected_to_be_what_it_was() {
        let mut detector = Detector::new(Revision::Auto);
        detector.confirm(V4_DIALECT);
        assert_eq!(eio(detector.greeting().look_at(&without_max_payload())), Some("4"));
        // It is another one.
        assert!(detector.contradict(V4_DIALECT));
        assert_eq!(eio(detector.greeting().look_at(&without_max_payload())), None);
        assert_eq!(detector.greeting().silence().eio(), "4");
        detector.confirm(V3_DIALECT);
        assert_eq!(eio(detector.greeting().look_at(&without_max_payload())), None);
        assert_eq!(detector.greeting().silence().eio(), "4");
        assert!(detector.contradict(V3_DIALECT));
        assert_eq!(detector.greeting().silence().eio(), "4");
    }

    #[test]
    fn a_server_that_refuses_the_question_is_asked_in_the_other_revision() {
        let mut detector = Detector::new(Revision::Auto);
        assert!(detector.ask_otherwise());
        assert_eq!(detector.asks_in().eio(), "3");
        // New ones that speak the old revision too have a limit in their handshake as well.
        assert_eq!(eio(detector.greeting().look_at(&with_max_payload())), Some("3"));
        detector.confirm(V3_DIALECT);
        detector.forget();
        assert_eq!(detector.asks_in().eio(), "3");
        assert!(detector.contradict(V3_DIALECT));
        assert_eq!(detector.asks_in().eio(), "4");
        assert!(detector.ask_otherwise() && detector.ask_otherwise());
        assert_eq!(detector.asks_in().eio(), "4");
        for (revision, eio) in [(Revision::V3, "3"), (Revision::V4, "4")] {
            let mut detector = Detector::new(revision);
            assert!(!detector.ask_otherwise());
            assert_eq!(detector.asks_in().eio(), eio);
        }
    }

    #[test]
    fn a_slow_server_is_given_time_from_then_on() {
        for forget in [|d: &mut Detector| d.forget(), |d: &mut Detector| d.confirm(V4_DIALECT)] {
            let mut detector = Detector::new(Revision::Auto);
            assert_eq!(detector.greeting().silence().eio(), "4");
            assert!(detector.contradict(V4_DIALECT));
            assert_eq!(detector.greeting().silence().eio(), "3");
            detector.confirm(V3_DIALECT);
            assert_eq!(detector.greeting().silence().eio(), "3");
            assert_eq!(eio(detector.greeting().look_at(&with_max_payload())), Some("4"));
            forget(&mut detector);
            assert_eq!(detector.greeting().silence().eio(), "4");
        }
    }

    #[test]
    fn garbage_is_left_to_the_newest_revision() {
        for frame in [text(""), text("40"), text("0"), text("0x"), text("HTTP/1.1 400")] {
            let mut greeting = Detector::new(Revision::Auto).greeting();
            assert_eq!(eio(greeting.look_at(&frame)), Some("4"), "{frame:?}");
        }
        let mut greeting = Detector::new(Revision::Auto).greeting();
        assert_eq!(eio(greeting.look_at(&Frame::Binary(vec![4, 1].into()))), Some("4"));
    }

    #[test]
    fn a_body_that_breaks_is_an_error() {
        let body = Box::new(BufReader::new(Broken::behind(b"9")));
        let error = Detector::new(Revision::Auto).look_at_body(false, body).err();
        assert_eq!(error.map(|error| error.kind()), Some(ErrorKind::Transport));
    }

    proptest! {
        #[test]
        fn any_body_comes_back_whole(
            body in proptest::collection::vec(
                prop_oneof![prop::sample::select(&b"0123:{\0\xff"[..]), any::<u8>()],
                0..30,
            ),
            binary: bool,
        ) {
            of_body(Revision::Auto, binary, &body);
        }
    }
}
