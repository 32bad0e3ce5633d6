//! A WebSocket whose connection is full, or may have ended.

use std::os::unix::net::UnixStream;

use super::*;

/// One, and its other end, which waits for nothing.
fn wire() -> (PeerWire, UnixStream) {
    let (own, peer) = UnixStream::pair().unwrap();
    own.set_nonblocking(true).unwrap();
    peer.set_nonblocking(true).unwrap();
    let stream = ServerStream::Unix(mio::net::UnixStream::from_std(own));
    (PeerWire::new(Token(7), stream, 1000), peer)
}

fn bytes(count: usize) -> Vec<u8> {
    (0..=255).cycle().take(count).collect()
}

/// Reads what there is.
fn read_on(peer: &mut UnixStream, got: &mut Vec<u8>) {
    assert_eq!(peer.read_to_end(got).unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn it_is_told_how_much_of_a_write_the_system_has() {
    let (mut wire, mut peer) = wire();
    assert_eq!(wire.write(&bytes(4 << 20)).unwrap(), Written::Some);
    assert_eq!(wire.write(b"x").unwrap(), Written::None);
    assert_eq!(wire.write_on().unwrap(), Written::None);
    peer.read_exact(&mut vec![0; 64 << 10]).unwrap();
    assert_eq!(wire.write_on().unwrap(), Written::Some);
    // Each of these takes as much of its room as a large one.
    let (mut wire, _peer) = self::wire();
    let mut written = std::iter::repeat_with(|| wire.write(b"x").unwrap());
    assert_eq!(written.find(|written| *written != Written::All), Some(Written::None));
    assert!(wire.is_blocked());
}

#[test]
fn what_has_found_no_room_goes_out_in_its_order_and_the_pong_to_the_last_ping_behind_it() {
    let (mut wire, mut peer) = wire();
    let mut expected = bytes(4 << 20);
    wire.write(&expected).unwrap();
    assert!(wire.is_blocked());
    for ping in ["first", "last"] {
        wire.answer_ping(ping.into()).unwrap();
    }
    wire.write(b"behind").unwrap();
    expected.extend_from_slice(b"behind");
    write_pong(b"last", &mut expected);
    let mut got = Vec::new();
    while wire.write_on().unwrap() != Written::All {
        assert!(wire.is_blocked());
        read_on(&mut peer, &mut got);
    }
    read_on(&mut peer, &mut got);
    assert!(got == expected, "{} bytes of {}", got.len(), expected.len());
    assert!(!wire.is_blocked() && wire.backlog.is_none());
    wire.answer_ping("now".into()).unwrap();
    let (mut now, mut got) = (Vec::new(), Vec::new());
    write_pong(b"now", &mut now);
    read_on(&mut peer, &mut got);
    assert_eq!(got, now);
}

#[test]
fn what_is_left_to_be_written_goes_with_the_connection() {
    let (mut wire, mut peer) = wire();
    let mut expected = bytes(4 << 20);
    wire.write(&expected).unwrap();
    wire.write(b"the end").unwrap();
    expected.extend_from_slice(b"the end");
    let (_stream, rest) = wire.into_rest();
    let mut got = Vec::new();
    read_on(&mut peer, &mut got);
    got.extend_from_slice(&rest);
    assert!(got == expected, "{} bytes of {}", got.len(), expected.len());
}

#[test]
fn what_was_read_and_not_taken_is_kept_in_its_order() {
    let (mut wire, _peer) = wire();
    wire.keep_unread(b"");
    assert!(wire.backlog.is_none(), "one that is idle has none");
    for bytes in [&b"ab"[..], b"", b"cd"] {
        wire.keep_unread(bytes);
    }
    assert_eq!(wire.take_unread(), b"abcd");
    assert!(wire.backlog.is_none() && wire.take_unread().is_empty());
    wire.write(&bytes(4 << 20)).unwrap();
    wire.keep_unread(b"ef");
    assert_eq!(wire.take_unread(), b"ef");
    assert!(wire.is_blocked(), "what is unsent is no part of it");
}

#[test]
fn a_short_read_has_taken_all_unless_the_end_may_lie_behind_it() {
    let (mut wire, mut peer) = wire();
    let mut buffer = [0; 8];
    assert!(!wire.is_emptied_by_short_read(), "it is not yet known");
    peer.write_all(b"abc").unwrap();
    assert_eq!(wire.read(&mut buffer).unwrap(), 3);
    assert!(!wire.is_emptied_by_short_read());
    assert_eq!(wire.read(&mut buffer).unwrap_err().kind(), ErrorKind::WouldBlock);
    assert!(wire.is_emptied_by_short_read());
    wire.note_end();
    assert!(!wire.is_emptied_by_short_read());
    drop(peer);
    assert_eq!(wire.read(&mut buffer).unwrap(), 0);
    assert!(!wire.is_emptied_by_short_read());
    assert!(wire.write(b"x").is_err() && wire.write_on().is_ok());
}

/// TLS has what the socket does not take, and the client may go while it does.
#[cfg(feature = "rustls")]
#[test]
fn a_full_socket_below_tls_is_no_error_and_a_lost_one_is() {
    let (mut stream, client) = ServerStream::encrypted();
    while !stream.wants_write() {
        push(&mut stream, &bytes(1000)).unwrap();
    }
    assert_eq!(push(&mut stream, b"").unwrap(), 0);
    // It has read nothing of that.
    drop(client);
    assert!(push(&mut stream, b"").is_err());
}
