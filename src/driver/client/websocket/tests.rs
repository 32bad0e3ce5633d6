//! A connection whose consumer is behind, at peers that fill the socket, go away, or end half.

use std::io::Write;
use std::net::{Shutdown, TcpListener};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tungstenite::Message;

use super::*;
use crate::core::client::namespace::Phase;
use crate::driver::client::testing::live::{Peer, Stepped, join};
use crate::driver::client::testing::{self, LIMIT};
use crate::driver::listeners::Scope;
use crate::event::Event;
use crate::options::{Buffer, Limits, Transport};
use crate::proto::dialect::Frame;
use crate::sync::mailbox::Mailbox;

/// How long to look whether something does not happen.
const WHILE: Duration = Duration::from_millis(50);

/// How many events the receive buffer takes.
const ROOM: usize = 10;

/// What a test needs of a connection that is joined and whose receive buffer is full.
struct Full {
    _driver: Arc<Driver>,
    wire: SharedWire,
    waker: Arc<Waker>,
    events: Arc<Mailbox<Event>>,
    /// How the service has ended.
    ended: mpsc::Receiver<Result<Ending>>,
    /// The number of the thread that serves.
    thread: String,
}

impl Full {
    /// With so many bytes of reserve beyond the receive buffer.
    fn new(reserve: usize) -> (Self, Peer) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let driver = driver(&listener, reserve);
        let namespace = driver.register_namespace("/");
        let (_, events) = driver.subscribe(namespace, Scope::Event("e"), Buffer::new());
        // The test dials in the place of the driver.
        let (Stepped { driver, wire, waker, .. }, mut peer) = Stepped::new(driver, listener);
        let (ended, thread) = serve_in_thread(&driver, &wire, &waker);
        join(&mut peer);
        for number in 0..ROOM {
            send(&mut peer, number);
        }
        while events.len() < ROOM {
            thread::yield_now();
        }
        (Self { _driver: driver, wire, waker, events, ended, thread }, peer)
    }

    /// Reads the numbers of all events up to this many.
    fn take(&self, count: usize) -> Vec<usize> {
        let take = || self.events.take(Some(Instant::now() + LIMIT)).expect("an event");
        (0..count).map(|_| take().arg(0).unwrap()).collect()
    }

    /// How the service ends by itself.
    fn loss(&self) -> String {
        match self.ended.recv_timeout(LIMIT).expect("an end") {
            Ok(Ending::Lost(Loss::Closed(error))) => error.message().to_owned(),
            Ok(_) => panic!("the service ended in another way"),
            Err(error) => panic!("{error}"),
        }
    }

    /// That nothing is read, the service goes on, and its thread comes to rest: what it had to do may take long on a slow
    /// processor, but who turns in circles is never seen at rest.
    #[track_caller]
    fn assert_it_waits(&self) {
        let start = Instant::now();
        loop {
            let before = cpu_time(&self.thread);
            assert!(self.ended.recv_timeout(WHILE).is_err(), "the service has ended");
            let used = cpu_time(&self.thread).saturating_sub(before);
            assert_eq!(self.events.len(), ROOM);
            if used < WHILE / 4 {
                return;
            }
            assert!(
                start.elapsed() < LIMIT,
                "the thread goes on and on, the last time for {used:?}"
            );
        }
    }
}

fn driver(listener: &TcpListener, reserve: usize) -> Arc<Driver> {
    let limits = Limits::new().receive_events(ROOM).receive_reserve(reserve);
    testing::driver(listener.local_addr().unwrap().port(), limits)
}

/// Runs the service in a thread, and gives how it ends, and the number of the thread.
fn serve_in_thread(
    driver: &Arc<Driver>,
    wire: &SharedWire,
    waker: &Arc<Waker>,
) -> (mpsc::Receiver<Result<Ending>>, String) {
    let (driver, wire, waker) = (Arc::clone(driver), wire.clone(), Arc::clone(waker));
    let (end, ended) = mpsc::channel();
    let (here, thread) = mpsc::channel();
    thread::spawn(move || {
        here.send(std::fs::read_link("/proc/thread-self").unwrap()).unwrap();
        let _ = end.send(driver.pump(&wire, &waker));
    });
    (ended, thread.recv_timeout(LIMIT).unwrap().to_str().unwrap().to_owned())
}

fn send(peer: &mut Peer, number: usize) {
    peer.send(Message::text(format!(r#"42["e",{number}]"#))).unwrap();
}

/// How long a thread has run so far.
fn cpu_time(thread: &str) -> Duration {
    let text = std::fs::read_to_string(format!("/proc/{thread}/schedstat")).unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

#[test]
fn a_socket_full_of_pongs_does_not_lift_the_receive_limit() {
    const SIZE: usize = 15 << 20;
    let (full, mut peer) = Full::new(0);
    // In the place of pongs, which would have to be many: bytes to send that belong to no packet.
    let all_out = full.wire.with(|served| {
        let socket = &mut served.wire.socket;
        socket.write(Frame::Binary(Bytes::from(vec![0; SIZE]))).unwrap();
        socket.flush().unwrap()
    });
    assert_eq!(all_out, Some(false), "the socket is not full");
    full.waker.wake();
    for number in ROOM..1000 {
        send(&mut peer, number);
    }
    full.assert_it_waits();
    // The socket takes more, again and again.
    assert_eq!(peer.read().unwrap().len(), SIZE);
    full.assert_it_waits();
    assert_eq!(full.take(1000), (0..1000).collect::<Vec<_>>());
    drop(peer);
    full.loss();
}

/// Resets the connection.
fn reset(peer: Peer) {
    rustix::net::sockopt::set_socket_linger(peer.get_ref(), Some(Duration::ZERO)).unwrap();
    drop(peer);
}

#[test]
fn an_end_is_told_although_the_consumer_is_behind() {
    for (end, words) in [
        (reset as fn(Peer), "reset"),
        (|peer| peer.get_ref().shutdown(Shutdown::Write).unwrap(), "without a close frame"),
    ] {
        let (full, mut peer) = Full::new(1 << 20);
        for number in ROOM..2 * ROOM {
            send(&mut peer, number);
        }
        full.assert_it_waits();
        end(peer);
        let loss = full.loss();
        assert!(loss.contains(words), "{loss}");
        assert_eq!(full.take(2 * ROOM), (0..2 * ROOM).collect::<Vec<_>>());
    }
}

#[test]
fn without_a_reserve_what_came_before_the_end_is_delivered_as_there_is_room() {
    for (end, words) in [
        (reset as fn(Peer), "reset"),
        (
            |peer| {
                peer.get_ref().shutdown(Shutdown::Write).unwrap();
                // It stays open for reading until the test process ends.
                std::mem::forget(peer);
            },
            "without a close frame",
        ),
    ] {
        let (full, mut peer) = Full::new(0);
        for number in ROOM..2 * ROOM {
            send(&mut peer, number);
        }
        end(peer);
        full.assert_it_waits();
        assert_eq!(full.take(2 * ROOM), (0..2 * ROOM).collect::<Vec<_>>());
        let loss = full.loss();
        assert!(loss.contains(words), "{loss}");
    }
}

#[test]
fn a_flood_of_control_frames_does_not_hold_up_what_was_read_before() {
    let (full, mut peer) = Full::new(0);
    full.take(ROOM);
    // The event, and behind it pongs faster than the client can read them.
    let event = format!(r#"42["e",{ROOM}]"#);
    let length = u8::try_from(event.len()).unwrap();
    let pongs = [0x8a, 0].repeat(32 * 1024);
    let first = [&[0x81, length], event.as_bytes(), &pongs].concat();
    let flood = thread::spawn(move || {
        let stream = peer.get_mut();
        stream.write_all(&first).unwrap();
        while stream.write_all(&pongs).is_ok() {}
    });
    assert_eq!(full.take(1), [ROOM]);
    full.waker.cancel();
    let _ = full.ended.recv_timeout(LIMIT).expect("an end");
    drop(full);
    flood.join().unwrap();
}

#[test]
fn a_pause_is_repeated_while_callers_write_and_nothing_comes() {
    let [relieved, not] = [true, false].map(AtomicBool::new);
    assert!(after_pause(None, &relieved).is_none());
    assert!(after_pause(None, &relieved).is_some(), "once for each time");
    assert!(after_pause(None, &not).is_some());
    let relieved = AtomicBool::new(true);
    let came = Ready { readable: true, hung_up: false };
    assert!(after_pause(Some(came), &relieved).is_some_and(|ready| ready.readable));
    assert!(relieved.into_inner(), "it is left for the next pause");
}

/// That a connection is passed on to another thread, as `fate` tells, and works.
#[track_caller]
fn assert_passed_on(limits: Limits, fate: LaneFate) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let driver = testing::driver(listener.local_addr().unwrap().port(), limits);
    let (stepped, mut peer) = Stepped::new(driver, listener);
    let Stepped { driver, namespace, link, wire, waker } = stepped;
    let (_, events) = driver.subscribe(namespace, Scope::Event("e"), Buffer::new());
    let serving = Arc::clone(&driver);
    let opener = thread::spawn(move || serving.pass_on(link, &wire, &waker));
    join(&mut peer);
    send(&mut peer, 7);
    let event = events.take(Some(Instant::now() + LIMIT)).expect("an event");
    assert_eq!(event.arg::<usize>(0).unwrap(), 7);
    match fate {
        LaneFate::PassedOn => testing::eventually(|| opener.is_finished()),
        LaneFate::Left => assert!(!opener.is_finished()),
    }
    drop(peer);
    assert_eq!(opener.join().unwrap(), fate);
    testing::eventually(|| driver.look(|core| core.namespace(namespace).phase != Phase::Joined));
}

#[test]
fn what_one_thread_has_opened_another_serves() {
    assert_passed_on(Limits::new(), LaneFate::PassedOn);
}

#[test]
fn where_there_is_no_other_thread_to_be_had_the_one_that_has_opened_serves() {
    // Half of the memory that can be addressed may be had where that is 4 GiB.
    assert_passed_on(Limits::new().stack_size(usize::MAX / 16 * 15), LaneFate::Left);
}

#[test]
fn whoever_opens_by_tls_has_a_stack_that_no_other_is_given() {
    const KIB: usize = 1024;
    for (size, by_tls) in [
        (256 * KIB, 1088 * KIB),
        (512 * KIB, 2112 * KIB),
        // What is not kept is given to nobody.
        (16 * KIB * KIB, 16 * KIB * KIB),
        (usize::MAX, usize::MAX),
    ] {
        let driver = testing::driver(9, Limits::new().stack_size(size));
        let mut request = driver.lock().address.request("4", Transport::WebSocket, None);
        for (secure, expected) in [(false, size), (true, by_tls)] {
            request.endpoint.secure = secure;
            assert_eq!(driver.stack_to_open(&request), expected);
        }
    }
}
