//! Peers that speak WebSocket byte by byte.

mod buffers;

use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use super::*;
use crate::net::testing::{
    LIMIT, MAX_MESSAGE, accept_websocket, assert_cancelled, attempt, cancel_ends, net, serve, spawn,
};
use crate::net::{Ready, Waker};

/// A frame as a server sends it, with any first byte.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match u16::try_from(payload.len()) {
        Ok(short @ 0..=125) => frame.push(u8::try_from(short).unwrap()),
        Ok(length) => {
            frame.push(126);
            frame.extend(length.to_be_bytes());
        }
        Err(_) => {
            frame.push(127);
            frame.extend(u64::try_from(payload.len()).unwrap().to_be_bytes());
        }
    }
    frame.extend(payload);
    frame
}

/// Reads one short frame of a client: the first byte and the unmasked payload.
fn read_frame(stream: &mut TcpStream) -> (u8, Vec<u8>) {
    let mut head = [0; 6];
    stream.read_exact(&mut head).unwrap();
    assert_eq!(head[1] & 0x80, 0x80, "a client masks");
    let mut payload = vec![0; usize::from(head[1] & 0x7f)];
    stream.read_exact(&mut payload).unwrap();
    for (byte, mask) in payload.iter_mut().zip(head[2..].iter().cycle()) {
        *byte ^= mask;
    }
    (head[0], payload)
}

/// A client whose server does `script` behind the handshake; and what `script` returns.
fn client<T: Send + 'static>(
    script: impl FnOnce(TcpStream) -> T + Send + 'static,
) -> (WebSocket, Arc<Waker>, std::thread::JoinHandle<T>) {
    let (request, server) = serve(|listener| script(accept_websocket(&listener)));
    let attempt = attempt();
    (net().websocket(&request, &attempt).unwrap(), Arc::clone(attempt.waker()), server)
}

/// Reads until there is something.
fn next(websocket: &mut WebSocket, waker: &Waker) -> Result<Received> {
    loop {
        match websocket.read()? {
            Received::Nothing => {
                websocket.interest(true, true).wait(waker, None)?;
            }
            Received::Control => {}
            other => return Ok(other),
        }
    }
}

/// What a client makes of the bytes of a server, which then ends the connection; and what it
/// sends to them.
fn outcome(bytes: Vec<u8>) -> (Result<Received>, Vec<u8>) {
    let (mut websocket, waker, server) = client(move |mut stream| {
        stream.write_all(&bytes).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        answer
    });
    let result = next(&mut websocket, &waker);
    drop(websocket);
    (result, server.join().unwrap())
}

fn text(text: &str) -> Received {
    Received::Frame(Frame::Text(text.into()))
}

#[test]
fn messages_go_there_and_back() {
    let (request, server) = serve(|listener| {
        let mut server = tungstenite::accept(listener.accept().unwrap().0).unwrap();
        while let Ok(message) = server.read() {
            let _ = server.send(message);
        }
    });
    let attempt = attempt();
    let mut websocket = net().websocket(&request, &attempt).unwrap();
    let sent = [
        Frame::Text("4ä".into()),
        Frame::Binary(Bytes::from_static(&[0, 255])),
        Frame::Text("".into()),
        Frame::Binary(Bytes::from(vec![7; MAX_MESSAGE])),
        Frame::Text("y".repeat(100_000).into()),
    ];
    for frame in &sent {
        websocket.write(frame.clone()).unwrap();
    }
    let mut received = Vec::new();
    while received.len() < sent.len() {
        websocket.flush().unwrap();
        match websocket.read().unwrap() {
            Received::Frame(frame) => received.push(frame),
            Received::Nothing => {
                websocket.interest(true, true).wait(attempt.waker(), None).unwrap();
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(received == sent);
    websocket.close();
    server.join().unwrap();
}

#[test]
fn a_message_in_crumbs_and_fragments_is_whole() {
    let (mut websocket, waker, server) = client(|mut stream| {
        let mut bytes = frame(0x01, b"ab");
        bytes.extend(frame(0x89, b"ping"));
        bytes.extend(frame(0x00, b""));
        bytes.extend(frame(0x80, b"c"));
        bytes.extend(frame(0x82, &[1; 300]));
        for byte in bytes {
            stream.write_all(&[byte]).unwrap();
        }
        read_frame(&mut stream)
    });
    assert_eq!(next(&mut websocket, &waker).unwrap(), text("abc"));
    let binary = Received::Frame(Frame::Binary(Bytes::from(vec![1; 300])));
    assert_eq!(next(&mut websocket, &waker).unwrap(), binary);
    assert_eq!(server.join().unwrap(), (0x8a, b"ping".to_vec()));
}

#[test]
fn a_close_frame_says_why() {
    for (payload, why) in [
        (&b""[..], "close frame without a code"),
        (&[3, 232][..], "close code 1000"),
        (b"\x03\xe9bye\n", "close code 1001: bye\\n"),
        // What breaks the protocol is told as it came.
        (&[3, 231][..], "close code 999, which is none of the protocol"),
        (b"\xff\xffno", "close code 65535, which is none of the protocol: no"),
        (&[3, 237][..], "close code 1005, which is none of the protocol"),
        (b"\x03\xe8no\xff", "close code 1000: no\u{fffd} (no UTF-8)"),
    ] {
        let (received, answer) = outcome(frame(0x88, payload));
        let (Ok(Received::Closed(error)) | Err(error)) = received else {
            panic!("{why}: not closed")
        };
        assert_eq!(error.message(), format!("the server closed the WebSocket: {why}"));
        assert_eq!(answer[0], 0x88, "the close is answered");
    }
}

#[test]
fn an_end_without_a_close_frame_is_a_close_too() {
    for bytes in [vec![], vec![0x81], frame(0x01, b"a"), vec![0x81, 10, b'x']] {
        match outcome(bytes).0.unwrap() {
            Received::Closed(why) => {
                assert!(why.message().contains("without a close frame"), "{why}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_reset_is_a_close_with_its_cause() {
    let (mut websocket, waker, server) = client(|mut stream| {
        stream.write_all(&[0x81, 10, b'x']).unwrap();
        rustix::net::sockopt::set_socket_linger(&stream, Some(std::time::Duration::ZERO)).unwrap();
    });
    server.join().unwrap();
    match next(&mut websocket, &waker).unwrap() {
        Received::Closed(why) => {
            assert!(why.message().contains("reset"), "{why}");
            let cause = std::error::Error::source(&why).unwrap().downcast_ref::<io::Error>();
            assert_eq!(cause.unwrap().kind(), io::ErrorKind::ConnectionReset);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_broken_protocol_is_an_error_and_the_peer_learns_it() {
    let long = |length: u64| [&[0x82, 127][..], &length.to_be_bytes()].concat();
    let too_long = [frame(0x02, &vec![0; MAX_MESSAGE]), frame(0x80, b"x")].concat();
    for (bytes, kind, code) in [
        (frame(0x81, &[0xff]), ErrorKind::Transport, 1007),
        (vec![0x81, 0x81, 0, 0, 0, 0, b'x'], ErrorKind::Transport, 1002),
        (frame(0xc1, b"x"), ErrorKind::Transport, 1002),
        (frame(0x83, b"x"), ErrorKind::Transport, 1002),
        (frame(0x80, b"x"), ErrorKind::Transport, 1002),
        (frame(0x89, &[0; 126]), ErrorKind::Transport, 1002),
        (frame(0x09, b""), ErrorKind::Transport, 1002),
        (frame(0x88, b"x"), ErrorKind::Transport, 1002),
        (long(200_000_000), ErrorKind::TooLarge, 1009),
        (long(1 << 62), ErrorKind::TooLarge, 1009),
        (long(1 << 63), ErrorKind::TooLarge, 1009),
        (too_long, ErrorKind::TooLarge, 1009),
    ] {
        let start = bytes[..bytes.len().min(12)].to_vec();
        let (received, answer) = outcome(bytes);
        let error = received.unwrap_err();
        assert_eq!(error.kind(), kind, "{start:x?}: {error}");
        let told = [answer[6] ^ answer[2], answer[7] ^ answer[3]];
        assert_eq!((answer[0], u16::from_be_bytes(told)), (0x88, code), "{start:x?}: {error}");
    }
}

#[test]
fn a_message_that_is_too_large_names_the_limit() {
    let error = outcome(vec![0x82, 127, 0, 0, 0, 0, 1, 0, 0, 0]).0.unwrap_err();
    assert!(error.message().contains("16777216"), "{error}");
    assert!(error.message().contains(&MAX_MESSAGE.to_string()), "{error}");
}

#[test]
fn a_flood_of_pings_that_reads_no_pong_ends_in_an_error() {
    let (mut websocket, waker, server) = client(|mut stream| {
        let pings = frame(0x89, &[0; 125]).repeat(100);
        while stream.write_all(&pings).is_ok() {}
    });
    let error = next(&mut websocket, &waker).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transport);
    drop(websocket);
    server.join().unwrap();
}

#[test]
fn only_the_pong_for_the_last_ping_tells() {
    let (mut websocket, waker, server) = client(|mut stream| {
        let [(first, early), (second, late)] = [(); 2].map(|()| read_frame(&mut stream));
        assert_eq!([first, second], [0x89; 2]);
        for (pong, word) in [(&b""[..], "unasked"), (&early, "early"), (&late, "late")] {
            let answer = [frame(0x8a, pong), frame(0x81, word.as_bytes())].concat();
            stream.write_all(&answer).unwrap();
        }
        stream
    });
    for _ in 0..2 {
        websocket.ping().unwrap();
        assert!(websocket.flush().unwrap());
    }
    for (word, tells) in [("unasked", false), ("early", false), ("late", true)] {
        let frame = next(&mut websocket, &waker).unwrap();
        assert_eq!(frame, Received::Frame(Frame::Text(word.into())));
        assert_eq!(websocket.pong_came(), tells, "{word}");
    }
    websocket.ping().unwrap();
    assert!(!websocket.pong_came());
    drop(websocket);
    server.join().unwrap();
}

#[test]
fn a_cancellation_ends_reading_what_never_ends() {
    let (there, reached) = channel();
    let (request, server) = serve(move |listener| {
        let mut stream = accept_websocket(&listener);
        stream.write_all(&frame(0x01, b"")).unwrap();
        there.send(()).unwrap();
        let fragments = frame(0x00, b"").repeat(1000);
        while stream.write_all(&fragments).is_ok() {}
    });
    cancel_ends(&reached, move |attempt| {
        next(&mut net().websocket(&request, attempt)?, attempt.waker())
    });
    server.join().unwrap();
}

#[test]
fn a_cancellation_ends_a_wait_and_everything_after_it() {
    let (websocket, waker, _server) = client(|stream| stream);
    let mut websocket = websocket;
    waker.cancel();
    assert_cancelled(&websocket.interest(true, true).wait(&waker, None).unwrap_err());
    assert_cancelled(&websocket.read().unwrap_err());
    websocket.write(Frame::Text("x".into())).unwrap();
    assert_cancelled(&websocket.flush().unwrap_err());
}

#[test]
fn a_wake_up_ends_a_wait_without_an_error() {
    let (websocket, waker, _server) = client(|stream| stream);
    waker.wake();
    websocket.interest(true, true).wait(&waker, None).unwrap();
    let waiter = Arc::clone(&waker);
    let woken = spawn(move || websocket.interest(true, true).wait(&waiter, None));
    assert!(woken.recv_timeout(std::time::Duration::from_millis(50)).is_err());
    waker.wake();
    woken.recv_timeout(LIMIT).unwrap().unwrap();
}

/// Writes until there is no room for longer than a moment: on a busy machine the system takes what is under way late.
fn fill(websocket: &mut WebSocket, waker: &Waker) {
    while {
        assert!(websocket.wants_write() && !websocket.flush().unwrap(), "all is out");
        websocket.interest(false, false).wait_for(waker, WHILE).unwrap().is_some()
    } {}
}

#[test]
fn a_peer_that_stops_reading_fills_the_socket_and_blocks_nothing() {
    let (mut websocket, waker, server) = client(|stream| stream);
    let _stream = server.join().unwrap();
    let big = Frame::Binary(Bytes::from(vec![0; 16 << 20]));
    websocket.write(big).unwrap();
    fill(&mut websocket, &waker);
    assert_eq!(websocket.read().unwrap(), Received::Nothing);
    let (there, reached) = channel();
    let waiter = Arc::clone(&waker);
    let ended = spawn(move || {
        there.send(()).unwrap();
        websocket.interest(true, true).wait(&waiter, None)
    });
    reached.recv_timeout(LIMIT).unwrap();
    waker.cancel();
    assert_cancelled(&ended.recv_timeout(LIMIT).unwrap().unwrap_err());
}

/// Waits for an interest in a thread.
fn waiting(interest: Interest, waker: &Arc<Waker>) -> Receiver<Result<Ready>> {
    let waker = Arc::clone(waker);
    spawn(move || interest.wait(&waker, None))
}

/// How long to look whether something does not happen.
const WHILE: std::time::Duration = std::time::Duration::from_millis(50);

#[test]
fn a_reset_is_noticed_once_while_nobody_reads_and_what_came_before_can_be_read() {
    let (mut websocket, waker, server) = client(|mut stream| {
        stream.write_all(&frame(0x81, b"last")).unwrap();
        rustix::net::sockopt::set_socket_linger(&stream, Some(std::time::Duration::ZERO)).unwrap();
    });
    server.join().unwrap();
    let ready = websocket.interest(false, true).wait(&waker, None).unwrap();
    assert_eq!(ready, Ready { readable: false, hung_up: true });
    // Who does not ask again sleeps until a wake-up.
    let ended = waiting(websocket.interest(false, false), &waker);
    assert!(ended.recv_timeout(WHILE).is_err());
    waker.wake();
    assert_eq!(ended.recv_timeout(LIMIT).unwrap().unwrap(), Ready::default());
    assert_eq!(next(&mut websocket, &waker).unwrap(), text("last"));
    assert!(matches!(next(&mut websocket, &waker).unwrap(), Received::Closed(_)));
}

#[test]
fn a_half_close_is_noticed_while_nobody_reads_and_what_came_before_can_be_read() {
    let (mut websocket, waker, server) = client(|mut stream| {
        stream.write_all(&frame(0x81, b"last")).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        stream
    });
    let _stream = server.join().unwrap();
    let ready = websocket.interest(false, true).wait(&waker, None).unwrap();
    assert_eq!(ready, Ready { readable: false, hung_up: true });
    // Who reads finds it behind the last bytes.
    let ready = websocket.interest(true, true).wait(&waker, None).unwrap();
    assert_eq!(ready, Ready { readable: true, hung_up: false });
    assert_eq!(next(&mut websocket, &waker).unwrap(), text("last"));
    assert!(matches!(next(&mut websocket, &waker).unwrap(), Received::Closed(_)));
}

#[test]
fn a_pong_in_a_full_socket_is_something_to_write_and_no_end_of_the_connection() {
    const SIZE: usize = 16 << 20;
    let (mut websocket, waker, server) = client(|stream| stream);
    let mut stream = server.join().unwrap();
    websocket.write(Frame::Binary(Bytes::from(vec![0; SIZE]))).unwrap();
    fill(&mut websocket, &waker);
    stream.write_all(&frame(0x89, b"ping")).unwrap();
    assert!(websocket.interest(true, true).wait(&waker, None).unwrap().readable);
    assert_eq!(websocket.read().unwrap(), Received::Control);
    assert!(websocket.wants_write());
    stream.write_all(&frame(0x81, b"unread")).unwrap();
    let ended = waiting(websocket.interest(false, true), &waker);
    assert!(ended.recv_timeout(WHILE).is_err(), "the socket is full");
    let reading = spawn(move || {
        stream.read_exact(&mut vec![0; 14 + SIZE]).unwrap();
        read_frame(&mut stream)
    });
    // It is woken by the room alone, until all is out; what has come stays unread.
    assert_eq!(ended.recv_timeout(LIMIT).unwrap().unwrap(), Ready::default());
    while !websocket.flush().unwrap() {
        let ready = websocket.interest(false, true).wait(&waker, None).unwrap();
        assert_eq!(ready, Ready::default());
    }
    assert!(!websocket.wants_write());
    assert_eq!(reading.recv_timeout(LIMIT).unwrap(), (0x8a, b"ping".to_vec()));
    assert_eq!(next(&mut websocket, &waker).unwrap(), text("unread"));
}

#[test]
fn closing_delivers_all_to_a_peer_that_talks_and_reads_late() {
    const SIZE: usize = 4 << 20;
    let (websocket, _waker, server) = client(|mut stream| {
        // What the client never reads would make a plain close reset the connection.
        stream.write_all(&frame(0x82, &vec![0; 60_000])).unwrap();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        all
    });
    let mut websocket = websocket;
    websocket.write(Frame::Binary(Bytes::from(vec![0; SIZE]))).unwrap();
    let closed = spawn(move || websocket.close());
    closed.recv_timeout(LIMIT).unwrap();
    let all = server.join().unwrap();
    // A long header with a mask, the payload, and an empty close frame with a mask.
    assert_eq!(all.len(), 14 + SIZE + 6);
    assert_eq!(all[14 + SIZE..14 + SIZE + 2], [0x88, 0x80]);
}

#[test]
fn a_cancellation_ends_closing() {
    let (websocket, waker, _server) = client(|stream| stream);
    let closed = spawn(move || websocket.close());
    assert!(closed.recv_timeout(std::time::Duration::from_millis(50)).is_err());
    waker.cancel();
    closed.recv_timeout(LIMIT).unwrap();
}

#[cfg(target_pointer_width = "64")]
#[test]
fn a_websocket_is_moved_without_a_further_page_of_stack() {
    // It is moved several times on the stack of who opens it, of which an idle connection keeps every page that was touched. With 680
    // bytes each of 200 idle connections took 4 kB more.
    assert!(size_of::<WebSocket>() <= 608, "{}", size_of::<WebSocket>());
}
