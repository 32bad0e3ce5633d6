//! A thousand clients that come and go for long. `SIOT_TEST_SOAK` says how long, in seconds; `tests/soak` runs it for ten minutes,
//! and some other tests, which look at it too, at a larger size.

use std::collections::VecDeque;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use crate::host::Host;
use crate::raw_client::text_frame;
use crate::sessions::{Poller, connect, memory, nothing_is_left, read_until, websocket_head};
use crate::support::{LIMIT, alone, eventually, fds, threads};

/// How many clients there are at a time.
const CLIENTS: usize = 1000;

const JOINS: [&str; 3] = ["40", r#"421["join","a"]"#, r#"422["echo","x"]"#];

/// A client that has joined, is in a room, and has its echo.
enum Visitor {
    WebSocket(TcpStream),
    Polling(Poller),
}

impl Visitor {
    /// The one of this number comes by WebSocket, by polling, or from one to the other.
    fn come(address: SocketAddr, number: u64) -> Self {
        if number % 4 == 0 {
            let mut says = websocket_head("").into_bytes();
            for text in JOINS {
                says.extend(text_frame(text));
            }
            let mut stream = connect(address, &says);
            read_until(&mut stream, r#"432["x"]"#);
            return Self::WebSocket(stream);
        }
        let poller = Poller::open(address);
        read_until(&mut poller.post(&JOINS.join("\u{1e}"), 0), "ok");
        // There may be a heartbeat before, or between.
        while !read_until(&mut poller.get(), "\r\n\r\n").contains(r#"432["x"]"#) {}
        if number % 4 < 3 {
            return Self::Polling(poller);
        }
        let mut stream = poller.websocket();
        for (says, hears) in
            [("2probe", "3probe"), ("5", ""), (r#"423["echo","y"]"#, r#"433["y"]"#)]
        {
            stream.write_all(&text_frame(says)).expect("a server that reads");
            read_until(&mut stream, hears);
        }
        Self::WebSocket(stream)
    }

    /// By WebSocket it leaves its namespace, closes the session, is reset, or is gone; by polling it closes the session.
    fn go(self, number: u64) {
        let way = number / 4 % 4;
        match (self, way) {
            // The server may have ended it before.
            (Self::WebSocket(mut stream), 0) => drop(stream.write_all(&text_frame("41"))),
            (Self::WebSocket(mut stream), 1) => drop(stream.write_all(&text_frame("1"))),
            (Self::WebSocket(stream), 2) => drop(rustix::net::connect_unspec(&stream)),
            (Self::WebSocket(stream), _) => drop(stream),
            (Self::Polling(poller), _) => drop(poller.post("1", 0)),
        }
    }
}

/// For how many seconds, if that is said.
fn seconds() -> Option<u64> {
    std::env::var("SIOT_TEST_SOAK").ok().map(|seconds| seconds.parse().expect("a number"))
}

/// How large something is that a test looks at: usually, and in the long run.
pub(crate) fn size<T>(usual: T, long: T) -> T {
    if seconds().is_some() { long } else { usual }
}

/// What this process has: threads, descriptors, and memory in KiB. The clients are in it too.
type Belongings = (usize, usize, u64);

fn belongings() -> Belongings {
    (threads().len(), fds(), memory())
}

/// Clients come and go until then, a share of all of them; gives how many came.
fn come_and_go(address: SocketAddr, share: usize, until: Instant, met: &Barrier) -> u64 {
    let mut present: VecDeque<_> =
        (0..).map(|number| (number, Visitor::come(address, number))).take(share).collect();
    // All are there, and are looked at.
    met.wait();
    met.wait();
    let mut came = share as u64;
    while Instant::now() < until {
        let (number, visitor) = present.pop_front().expect("a client");
        visitor.go(number);
        present.push_back((came, Visitor::come(address, came)));
        came += 1;
    }
    for (number, visitor) in present {
        visitor.go(number);
    }
    came
}

/// The same of all of them; gives what the process has while they are there, too.
fn all_come_and_go(host: &Host, until: Instant) -> (Belongings, u64) {
    const THREADS: usize = 8;
    let address = host.server.local_addrs()[0];
    let met = Barrier::new(THREADS + 1);
    thread::scope(|scope| {
        let visits = [(); THREADS]
            .map(|()| scope.spawn(|| come_and_go(address, CLIENTS / THREADS, until, &met)));
        met.wait();
        let most = belongings();
        assert_eq!(host.server.clients(), CLIENTS);
        met.wait();
        let came = visits.map(|visit| visit.join().expect("clients that are served"));
        (most, came.iter().sum())
    })
}

#[test]
fn a_thousand_clients_that_come_and_go_leave_everything_as_it_was() {
    alone(|| {
        let seconds = seconds().unwrap_or(12);
        // At the end of each all of them go, so that it can be measured what they leave.
        let rounds = 3 + u32::from(seconds > 60) * 7;
        let before = threads().len();
        let mut host = Host::start(|builder| builder);
        // So that nobody keeps sockets.
        host.forget_notices();
        let mut left = Vec::new();
        for round in 0..=rounds {
            let span = if round == 0 { 0 } else { seconds };
            let until = Instant::now() + Duration::from_secs(span) / rounds;
            let (most, came) = all_come_and_go(&host, until);
            nothing_is_left(&host);
            left.push(belongings());
            println!("{came} came, then none: {most:?}, {:?}", left[left.len() - 1]);
        }
        // By then the process has grown to what it takes, but for deadlines, which stay where they are until they have passed.
        let (_, fds, memory) = left[1];
        for (_, fds_then, memory_then) in &left[2..] {
            assert!(*fds_then <= fds && *memory_then <= memory + 4096, "{left:?}");
        }
        // Those of the pool end when there has been nothing to do for ten seconds.
        eventually(LIMIT, "no more than the one that serves", || threads().len() == before + 1);
    });
}
