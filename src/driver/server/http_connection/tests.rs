//! What is read of a connection, and when it is read from.

use std::io::Write;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

use http::StatusCode;

use super::*;

const GET: &[u8] = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n";

/// A connection, and its other end, which waits for nothing.
struct Connected {
    connection: HttpConnection<()>,
    peer: UnixStream,
    buffer: Vec<u8>,
}

impl Connected {
    /// One that is read from in pieces of this size.
    fn new(piece: usize) -> Self {
        let (own, peer) = UnixStream::pair().unwrap();
        own.set_nonblocking(true).unwrap();
        peer.set_nonblocking(true).unwrap();
        let stream = ServerStream::Unix(mio::net::UnixStream::from_std(own));
        Self { connection: HttpConnection::new(stream, None), peer, buffer: vec![0; piece] }
    }

    fn say(&mut self, bytes: &[u8]) {
        self.peer.write_all(bytes).unwrap();
    }

    /// What has come, in a word.
    fn read(&mut self) -> &'static str {
        match self.connection.read(&mut self.buffer, &HeadLimits::default()) {
            Came::Nothing => "nothing",
            Came::More => "more",
            Came::Request(..) => "a request",
            Came::Body(_) => "a body",
            Came::Refused(_) => "refused",
            Came::End(None) => "the end",
            Came::End(Some(_)) => "an error",
        }
    }

    fn told_of_more(&mut self) -> &'static str {
        self.connection.note_more();
        self.read()
    }
}

#[test]
fn a_connection_that_was_emptied_is_read_when_the_system_tells_of_more() {
    let mut connected = Connected::new(64);
    assert_eq!(connected.read(), "nothing");
    connected.say(&GET[..5]);
    assert_eq!(connected.told_of_more(), "nothing");
    connected.say(&GET[5..]);
    assert_eq!(connected.read(), "nothing", "it was emptied by a short read");
    assert_eq!(connected.told_of_more(), "a request");
}

#[test]
fn a_read_that_fills_the_buffer_is_followed_by_another() {
    let mut connected = Connected::new(GET.len() - 1);
    assert_eq!(connected.read(), "nothing");
    connected.say(GET);
    assert_eq!(connected.told_of_more(), "a request");
    assert!(!connected.connection.has_unread());
}

#[test]
fn the_end_is_found_behind_what_came_before_it() {
    let mut connected = Connected::new(64);
    assert_eq!(connected.read(), "nothing");
    connected.say(&[GET, &GET[..5]].concat());
    connected.peer.shutdown(Shutdown::Write).unwrap();
    connected.connection.note_end();
    assert_eq!(connected.read(), "a request");
    assert!(connected.connection.has_unread());
    assert_eq!(connected.read(), "the end");
}

#[test]
fn before_an_answer_so_much_is_read_ahead_and_not_more() {
    let mut connected = Connected::new(1024);
    assert!(connected.connection.read_ahead(&mut connected.buffer), "nothing has come");
    connected.say(&GET[..5]);
    assert!(connected.connection.read_ahead(&mut connected.buffer));
    connected.say(&GET[5..]);
    assert!(connected.connection.read_ahead(&mut connected.buffer));
    assert_eq!(connected.read(), "a request");
    connected.say(&b"x".repeat(64 * 1024 - 1));
    assert!(connected.connection.read_ahead(&mut connected.buffer), "a byte less");
    connected.say(b"x");
    assert!(!connected.connection.read_ahead(&mut connected.buffer));
    let mut ended = Connected::new(1024);
    drop(std::mem::replace(&mut ended.peer, UnixStream::pair().unwrap().0));
    assert!(!ended.connection.read_ahead(&mut ended.buffer));
}

/// The system tells of it by an error: what the client has not read was lost.
#[test]
fn a_connection_that_has_failed_is_over() {
    for ahead in [false, true] {
        let mut connected = Connected::new(64);
        connected.connection.respond(&HttpResponse::new(StatusCode::OK), Framing::CLOSE).unwrap();
        connected.connection.is_last = false;
        drop(std::mem::replace(&mut connected.peer, UnixStream::pair().unwrap().0));
        if ahead {
            assert!(!connected.connection.read_ahead(&mut connected.buffer));
        } else {
            assert_eq!(connected.read(), "an error");
        }
    }
}

#[test]
fn while_a_response_is_written_and_behind_the_last_one_nothing_is_understood() {
    let mut connected = Connected::new(64);
    connected.say(&[GET, GET, GET].concat());
    assert_eq!(connected.read(), "a request");
    let large = HttpResponse::new(StatusCode::OK).with_plain_body(vec![b'x'; 4 << 20].into());
    let framing =
        |keep_alive| Framing { head_only: false, keep_alive, is_http_1_1: true, coding: None };
    connected.connection.respond(&large, framing(true)).unwrap();
    assert!(connected.connection.is_writing() && !connected.connection.is_done());
    assert_eq!(connected.told_of_more(), "nothing");
    let mut got = Vec::new();
    while connected.connection.is_writing() {
        connected.peer.read_to_end(&mut got).unwrap_err();
        connected.connection.write_on().unwrap();
    }
    connected.peer.read_to_end(&mut got).unwrap_err();
    assert!(got.len() > 4 << 20 && got.ends_with(b"xxx"));
    assert_eq!(connected.told_of_more(), "a request");
    connected.connection.respond(&HttpResponse::new(StatusCode::OK), framing(false)).unwrap();
    assert!(connected.connection.is_done());
    assert_eq!(connected.told_of_more(), "nothing");
}

#[test]
fn who_says_nothing_has_no_more_time_and_whose_body_comes_has() {
    let connected = Connected::new(64);
    let mut connection = connected.connection;
    let later = now() + REQUEST_TIME;
    connection.pace.note(1 << 20);
    assert!(!connection.has_more_time(later), "the next request is awaited");
    connection.stage = RequestStage::PollAnswers(Arc::new(()));
    assert!(connection.has_more_time(later), "its answer goes");
    assert!(!connection.has_more_time(later + REQUEST_TIME), "it does not any more");
    assert!(!connection.is_reading());
}
