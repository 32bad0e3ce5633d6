//! A session over long-polling, whose server the test plays request by request.

use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::*;
use crate::driver::client::testing::live::Live;
use crate::driver::client::testing::{LIMIT, OPEN, emit, eventually};
use crate::driver::listeners::Scope;
use crate::event::Event;
use crate::options::{Buffer, Transport};
use crate::sync::mailbox::Mailbox;

/// How long to look whether something does not happen.
const WHILE: Duration = Duration::from_millis(20);

/// What separates the packets of a body.
const NEXT: &str = "\u{1e}";

/// A request, and the connection that is to have its answer.
struct Asked {
    head: String,
    body: String,
    stream: TcpStream,
}

impl Asked {
    fn begin(&mut self, status: &str, length: usize) -> io::Result<()> {
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n"
        );
        self.stream.write_all(head.as_bytes())
    }

    fn try_answer(mut self, body: &str) -> io::Result<()> {
        self.begin("200 OK", body.len())?;
        self.stream.write_all(body.as_bytes())
    }

    fn answer(self, body: &str) {
        self.try_answer(body).unwrap();
    }

    fn refuse(mut self) {
        self.begin("400 Bad Request", 0).unwrap();
    }
}

/// Reads one request after the other from a connection.
fn read_requests(mut stream: TcpStream, tell: &Sender<Asked>) -> io::Result<()> {
    loop {
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap().to_lowercase();
        let length = head.split_once("content-length: ").and_then(|(_, rest)| rest.lines().next());
        let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        stream.read_exact(&mut body)?;
        let body = String::from_utf8(body).unwrap();
        let _ = tell.send(Asked { head, body, stream: stream.try_clone()? });
    }
}

/// A connection, and what its server is asked.
struct Polled {
    live: Live,
    asked: Receiver<Asked>,
    others: RefCell<Vec<Asked>>,
}

impl Polled {
    /// The attempt to connect has begun.
    fn connecting() -> Self {
        let live = Live::connecting(Transport::Polling);
        let (tell, asked) = channel();
        let listener = live.listener.try_clone().unwrap();
        thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                let tell = tell.clone();
                thread::spawn(move || read_requests(stream, &tell));
            }
        });
        Self { live, asked, others: RefCell::default() }
    }

    /// The namespace is joined, and nothing was answered since.
    fn joined() -> Self {
        let polled = Self::connecting();
        let opening = polled.next("get");
        assert!(!opening.head.contains("sid="));
        opening.answer(&format!("0{OPEN}"));
        let joining = polled.next("post");
        assert_eq!(joining.body, "40");
        joining.answer("ok");
        let polling = polled.next("get");
        assert!(polling.head.contains("sid=s"));
        polling.answer(r#"40{"sid":"n"}"#);
        polled.live.driver.wait_joined(polled.live.namespace, LIMIT).unwrap();
        polled
    }

    /// The next request by this method.
    fn next(&self, method: &str) -> Asked {
        let mut others = self.others.borrow_mut();
        if let Some(place) = others.iter().position(|asked| asked.head.starts_with(method)) {
            return others.remove(place);
        }
        loop {
            let asked = self.asked.recv_timeout(LIMIT).expect("a request");
            if asked.head.starts_with(method) {
                return asked;
            }
            others.push(asked);
        }
    }

    fn subscribe(&self, buffer: Buffer) -> Arc<Mailbox<Event>> {
        self.live.driver.subscribe(self.live.namespace, Scope::Event("e"), buffer).1
    }

    /// Answers whatever is asked, until all threads of the connection have ended.
    fn see_to_the_end(&self) {
        eventually(|| {
            for asked in self.others.take().into_iter().chain(self.asked.try_iter()) {
                let is_get = asked.head.starts_with("get");
                // One that waits at the end is cut short.
                let _ = asked.try_answer(if is_get { "6" } else { "ok" });
            }
            self.live.driver.lock().links.is_empty()
        });
    }
}

fn take(events: &Mailbox<Event>, numbers: std::ops::Range<usize>) {
    for number in numbers {
        let event = events.take(Some(Instant::now() + LIMIT)).expect("an event");
        assert_eq!(event.arg::<usize>(0).unwrap(), number);
    }
}

fn event(number: usize) -> String {
    format!(r#"42["e",{number}]"#)
}

fn events(numbers: std::ops::Range<usize>) -> String {
    numbers.map(event).collect::<Vec<_>>().join(NEXT)
}

#[test]
fn what_is_asked_is_answered_and_what_is_emitted_is_posted_until_the_end() {
    let polled = Polled::joined();
    let driver = &polled.live.driver;
    let received = polled.subscribe(Buffer::new());
    for _ in 0..3 {
        driver.emit(polled.live.namespace, emit(None), None).unwrap();
        let post = polled.next("post");
        assert_eq!(post.body, r#"42["q"]"#);
        post.answer("ok");
    }
    polled.next("get").answer(&events(0..100));
    take(&received, 0..100);
    polled.next("get").answer(&events(100..101));
    take(&received, 100..101);
    driver.shut_down();
    polled.see_to_the_end();
    assert_eq!(driver.stats().sent.events, 3);
}

#[test]
fn what_has_come_of_an_answer_is_handed_on_before_the_rest_of_it() {
    let polled = Polled::joined();
    let received = polled.subscribe(Buffer::new());
    let large = |number: usize| format!(r#"42["e",{number},"{}"]"#, "x".repeat(BATCH / 2));
    // Enough packets, and enough bytes.
    let first = format!("{}{NEXT}", events(0..BATCH_PACKETS));
    let second = format!("{}{NEXT}{}{NEXT}", large(BATCH_PACKETS), large(BATCH_PACKETS + 1));
    let third = event(BATCH_PACKETS + 2);
    let mut get = polled.next("get");
    get.begin("200 OK", first.len() + second.len() + third.len()).unwrap();
    get.stream.write_all(first.as_bytes()).unwrap();
    take(&received, 0..BATCH_PACKETS);
    get.stream.write_all(second.as_bytes()).unwrap();
    take(&received, BATCH_PACKETS..BATCH_PACKETS + 2);
    get.stream.write_all(third.as_bytes()).unwrap();
    take(&received, BATCH_PACKETS + 2..BATCH_PACKETS + 3);
}

#[test]
fn nothing_is_asked_while_a_consumer_is_behind() {
    let polled = Polled::joined();
    let received = polled.subscribe(Buffer::new().events(1));
    polled.next("get").answer(&events(0..3));
    assert!(polled.asked.recv_timeout(WHILE).is_err());
    assert_eq!(received.len(), 1);
    take(&received, 0..3);
    polled.next("get").answer(&events(3..6));
    eventually(|| received.len() == 1);
    polled.live.driver.shut_down();
    polled.see_to_the_end();
}

#[test]
fn a_server_that_says_nothing_again_and_again_is_asked_less_often() {
    let polled = Polled::joined();
    let start = Instant::now();
    for _ in 0..12 {
        polled.next("get").answer("6");
    }
    // Those that come at once are followed by pauses, and the others take as long.
    assert!(start.elapsed() > Duration::from_millis(40));
    polled.live.driver.shut_down();
    polled.see_to_the_end();
}

#[test]
fn a_request_that_is_refused_ends_the_session() {
    for method in ["get", "post"] {
        let polled = Polled::joined();
        let driver = &polled.live.driver;
        if method == "post" {
            driver.emit(polled.live.namespace, emit(None), None).unwrap();
        }
        polled.next(method).refuse();
        eventually(|| driver.stats().disconnects == 1);
        assert!(driver.stats().last_error.is_some_and(|error| error.message().contains("400")));
    }
}

#[test]
fn what_is_no_packet_ends_the_session_behind_what_came_before() {
    let polled = Polled::joined();
    let received = polled.subscribe(Buffer::new().events(1));
    polled.next("get").answer(&format!("{}{NEXT}x", events(0..3)));
    eventually(|| polled.live.driver.stats().disconnects == 1);
    take(&received, 0..3);
}

#[test]
fn a_poller_that_rests_polls_again_when_its_rest_is_over() {
    let polled = Polled::joined();
    // More than are followed by the next request at once.
    for _ in 0..8 {
        polled.next("get").answer("6");
    }
    assert!(polled.next("get").head.contains("sid=s"), "another session has begun");
}

/// An emit while the answer is awaited rouses the poller, which has nothing to do: that it sleeps is to be known again, when it rests.
#[test]
fn a_poller_that_was_roused_in_vain_is_woken_when_its_rest_is_over() {
    let polled = Polled::joined();
    for _ in 0..8 {
        let polling = polled.next("get");
        polled.live.driver.emit(polled.live.namespace, emit(None), None).unwrap();
        polled.next("post").answer("ok");
        polling.answer("6");
    }
    assert!(polled.next("get").head.contains("sid=s"), "another session has begun");
}
