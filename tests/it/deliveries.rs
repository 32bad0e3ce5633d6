//! Peers that keep up the heartbeat while what they are sent does not move, or moves slowly.

use std::io::{self, Read, Write};
use std::thread::{self, JoinHandle, sleep};
use std::time::{Duration, Instant};

use crossbeam_channel::{RecvTimeoutError, Sender, bounded};
use siot::{Builder, DisconnectReason, Error, ErrorKind, Limits, Transport};
use tungstenite::Message;

use crate::support::greeting::Greeting;
use crate::support::hostile::{HostileOptions, HostileServer, HostileSession};
use crate::support::raw::{RawConnection, RawPeer};
use crate::support::{Client, LIMIT, Via, direct, over_each_transport, recv_within};

over_each_transport!(
    a_peer_that_pings_and_takes_nothing_is_left,
    an_old_peer_that_talks_and_takes_nothing_is_left,
    after_a_peer_that_took_nothing_comes_the_next,
);

/// The interval and the timeout of heartbeats, in milliseconds.
const BEAT: u64 = 1000;

/// How long a peer has to take something.
const PATIENCE: Duration = Duration::from_millis(2 * BEAT);

/// The pause between two signs of life.
const PAUSE: Duration = Duration::from_millis(2 * BEAT / 10);

/// Does something again and again, until it is dropped.
struct Repeating {
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Repeating {
    fn start(mut action: impl FnMut() + Send + 'static) -> Self {
        let (end, ended) = bounded(0);
        let thread = thread::spawn(move || {
            while ended.recv_timeout(PAUSE) == Err(RecvTimeoutError::Timeout) {
                action();
            }
        });
        Self { end: Some(end), thread: Some(thread) }
    }

    /// A session whose server says this all the time.
    fn signs(session: &HostileSession, sign: &'static str) -> Self {
        let session = session.clone();
        Self::start(move || session.send(sign))
    }
}

impl Drop for Repeating {
    fn drop(&mut self) {
        drop(self.end.take());
        self.thread.take().into_iter().for_each(|thread| thread.join().unwrap());
    }
}

/// A client that is connected and has been heard, and the session that it has, which takes nothing
/// from then on.
#[track_caller]
fn visit_deaf(
    server: &HostileServer,
    via: Via,
    options: impl FnOnce(Builder) -> Builder,
) -> (Client, HostileSession) {
    let (client, session) = via.visit(server, options);
    client.emit("first", ()).unwrap();
    while session.next() != r#"42["first"]"# {}
    session.stop_reading();
    (client, session)
}

/// How a session ends whose peer takes nothing, and says `sign` all the time.
#[track_caller]
fn end_of_deaf(server: &HostileServer, via: Via, sign: &'static str) -> Error {
    let limits = Limits::new().send_events(8).send_bytes(100_000);
    let options = |builder: Builder| builder.reconnection(false).limits(limits);
    let (client, session) = visit_deaf(server, via, options);
    let start = Instant::now();
    let _signs = Repeating::signs(&session, sign);
    let socket = client.socket.clone();
    let emitting = thread::spawn(move || {
        let text = "x".repeat(50_000);
        std::iter::from_fn(|| Some(socket.emit("e", &text))).find_map(Result::err)
    });
    let (reason, error) = client.disconnected();
    assert_eq!(reason, DisconnectReason::TransportError, "{error:?}");
    let error = error.expect("the cause");
    assert!(start.elapsed() >= PATIENCE, "{:?}", start.elapsed());
    assert!(!client.socket.is_connected());
    // Who waited for room is told that there is no connection to wait for.
    assert_eq!(emitting.join().unwrap().unwrap().kind(), ErrorKind::BufferFull);
    error
}

fn a_peer_that_pings_and_takes_nothing_is_left(via: Via) {
    let server = HostileOptions::v4().heartbeat(BEAT, BEAT).start();
    let error = end_of_deaf(&server, via, "2");
    assert_eq!((error.kind(), error.is_timeout()), (ErrorKind::Transport, true), "{error}");
    let what = match via.transport() {
        Transport::WebSocket => "no byte could be written to the WebSocket for 2 s",
        _ => "a POST was neither taken nor answered for 2 s",
    };
    assert!(error.message().contains(what), "{error}");
    assert!(error.hint().unwrap().contains("pingTimeout"), "{error:?}");
}

fn an_old_peer_that_talks_and_takes_nothing_is_left(via: Via) {
    let server = HostileOptions::v3().heartbeat(BEAT, BEAT).start();
    assert_eq!(end_of_deaf(&server, via, "6").kind(), ErrorKind::Transport);
}

fn after_a_peer_that_took_nothing_comes_the_next(via: Via) {
    // The next one has time for what is much, whatever else the machine does.
    let server = HostileOptions::v4().heartbeat(BEAT, BEAT).patient_later().start();
    let limits = Limits::new().send_bytes(1 << 26);
    let (client, deaf) = visit_deaf(&server, via, |builder| builder.limits(limits));
    let _signs = Repeating::signs(&deaf, "2");
    // More than the kernel's buffers hold.
    for _ in 0..16 {
        client.emit("before", "x".repeat(900_000)).unwrap();
    }
    assert_eq!(client.disconnected().0, DisconnectReason::TransportError);
    let session = server.session();
    client.reconnected();
    client.emit("after", 1).unwrap();
    while session.next() != r#"42["after",1]"# {}
}

/// A WebSocket takes a few bytes also where its peer does not.
#[cfg(feature = "polling")]
#[test]
fn a_heartbeat_that_nobody_takes_by_polling_ends_the_session_by_itself() {
    let server = HostileOptions::v4().heartbeat(BEAT, BEAT).start();
    let (client, session) =
        visit_deaf(&server, Via::Polling, |builder| builder.reconnection(false));
    let _signs = Repeating::signs(&session, "2");
    let (reason, error) = client.disconnected();
    assert_eq!(reason, DisconnectReason::TransportError);
    assert!(error.unwrap().message().contains("a POST"));
}

/// How much a slow peer reads each ten milliseconds, in bytes.
const SIP: usize = 40 * 1024;

/// The size of what it is sent: reading it takes a few times as long as a peer has, also without what
/// the system holds of it, and a third of that a small part.
const DRAUGHT: usize = 400 * SIP;

/// Reads slowly.
fn sip(from: &mut impl Read, total: usize) -> io::Result<()> {
    let mut buffer = vec![0; SIP];
    let mut left = total;
    while left > 0 {
        let next = left.min(SIP);
        from.read_exact(&mut buffer[..next])?;
        left -= next;
        sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// That of a server which takes messages of any size.
fn greeting() -> Greeting {
    Greeting::new("s").heartbeat(BEAT, BEAT).without_max_payload()
}

/// That a large message gets through to a slow peer, which then says `done`.
#[track_caller]
fn assert_slow_peer_stays(peer: &RawPeer, transport: Transport) {
    let client = Client::connect(direct(peer.url(), transport));
    let done = client.subscribe("done");
    let start = Instant::now();
    client.emit("large", "x".repeat(DRAUGHT)).unwrap();
    recv_within(done.receiver(), LIMIT);
    assert!(start.elapsed() > PATIENCE * 3 / 2, "it was fast: {:?}", start.elapsed());
    let end = client.status.try_recv();
    assert!(end.is_none(), "the session was given up: {end:?}");
}

#[test]
fn a_peer_that_reads_a_websocket_slowly_stays() {
    let peer = RawPeer::start(|connection: RawConnection| {
        let mut socket = connection.accept_websocket()?;
        socket.send(Message::text(greeting().text())).map_err(io::Error::other)?;
        while !matches!(socket.read(), Ok(Message::Text(_))) {}
        socket.send(Message::text(r#"40{"sid":"id"}"#)).map_err(io::Error::other)?;
        // From here on what comes is only counted, and frames are written as bytes.
        let stream = socket.get_ref().try_clone()?;
        let pings = Repeating::start(move || drop((&stream).write_all(b"\x81\x012")));
        sip(socket.get_mut(), DRAUGHT)?;
        drop(pings);
        socket.send(Message::text(r#"42["done"]"#)).map_err(io::Error::other)?;
        io::copy(socket.get_mut(), &mut io::sink()).map(drop)
    });
    assert_slow_peer_stays(&peer, Transport::WebSocket);
}

/// Serves long-polling: polls are answered with pings, and with the event `done` after the last POST.
/// `take` reads a POST, and tells whether it is the last.
#[cfg(feature = "polling")]
fn slow_poster(
    greeting: Greeting,
    take: impl Fn(&mut RawConnection, usize) -> io::Result<bool> + Send + Sync + 'static,
) -> RawPeer {
    use std::sync::atomic::{AtomicBool, Ordering};
    const TEXT: &str = "Content-Type: text/plain\r\n";
    let done = AtomicBool::new(false);
    RawPeer::start(move |mut connection: RawConnection| {
        connection.stream().set_nodelay(true)?;
        loop {
            let request = connection.read_head()?;
            if request.method == "POST" {
                let is_last = take(&mut connection, request.length())?;
                connection.respond(200, "", b"ok")?;
                done.fetch_or(is_last, Ordering::SeqCst);
            } else if request.parameter("sid").is_none() {
                let both = format!("{}\x1e40{{\"sid\":\"id\"}}", greeting.text());
                connection.respond(200, TEXT, both.as_bytes())?;
            } else {
                sleep(PAUSE);
                let is_done = done.swap(false, Ordering::SeqCst);
                let packet: &[u8] = if is_done { br#"42["done"]"# } else { b"2" };
                connection.respond(200, TEXT, packet)?;
            }
        }
    })
}

#[cfg(feature = "polling")]
#[test]
fn a_peer_that_reads_a_post_slowly_stays() {
    let peer = slow_poster(greeting(), |connection, length| {
        sip(connection.reader(), length)?;
        Ok(length > DRAUGHT)
    });
    assert_slow_peer_stays(&peer, Transport::Polling);
}

#[cfg(feature = "polling")]
#[test]
fn posts_that_are_answered_one_after_the_other_have_the_time_anew() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    const POSTS: usize = 6;
    let large = |length: usize| length > 600_000;
    let posts = AtomicUsize::new(0);
    let greeting = Greeting::new("s").heartbeat(BEAT, BEAT);
    let peer = slow_poster(greeting, move |connection, length| {
        io::copy(&mut connection.reader().take(length as u64), &mut io::sink())?;
        sleep(if large(length) { PATIENCE / 3 } else { Duration::ZERO });
        Ok(large(length) && posts.fetch_add(1, Ordering::SeqCst) + 1 == POSTS)
    });
    let limits = Limits::new().send_bytes(1 << 26);
    let client = Client::connect(direct(peer.url(), Transport::Polling).limits(limits));
    let done = client.subscribe("done");
    // Each of them is a POST; all but the first are one batch.
    for n in 0..POSTS {
        client.emit("e", (n, "x".repeat(600_000))).unwrap();
    }
    recv_within(done.receiver(), LIMIT);
    let end = client.status.try_recv();
    assert!(end.is_none(), "the session was given up: {end:?}");
}
