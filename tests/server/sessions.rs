//! Sessions that end anywhere, and many that come and go.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

use siot::server::ServerNamespace;

use crate::host::Host;
use crate::raw_client::{RawClient, text_frame};
use crate::soak;
use crate::support::{CaseName, LIMIT, Via, alone, ask, eventually, fds, threads};

/// How a client goes.
#[derive(Clone, Copy, Debug)]
enum End {
    Reset,
    Fin,
    Silence,
}

impl End {
    /// Ends a connection so; gives what is left of it.
    fn of(self, stream: TcpStream) -> TcpStream {
        match self {
            Self::Reset => rustix::net::connect_unspec(&stream).expect("a reset"),
            Self::Fin => stream.shutdown(Shutdown::Write).expect("an end"),
            Self::Silence => {}
        }
        stream
    }
}

/// The head of a request for a WebSocket; `query` begins with `&` or is empty.
pub(crate) fn websocket_head(query: &str) -> String {
    format!(
        "GET /socket.io/?EIO=4&transport=websocket{query} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

pub(crate) fn connect(address: SocketAddr, says: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("a server");
    stream.set_read_timeout(Some(LIMIT)).expect("a TCP option");
    stream.write_all(says).expect("a server that reads");
    stream
}

/// Reads until this text has come; gives what came.
#[track_caller]
pub(crate) fn read_until(stream: &mut TcpStream, text: &str) -> String {
    let mut came = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let lossy = String::from_utf8_lossy(&came);
        if lossy.contains(text) {
            return lossy.into_owned();
        }
        match stream.read(&mut buffer) {
            Ok(count) if count > 0 => came.extend_from_slice(&buffer[..count]),
            end => panic!("no {text:?}, but {end:?} behind {lossy:?}"),
        }
    }
}

/// A server that loses patience as soon as a slow machine allows, and its address.
fn impatient() -> (Host, SocketAddr) {
    let brisk = Duration::from_secs(2);
    let host = Host::start(|builder| {
        let builder = builder.ping_interval(Duration::from_millis(300)).ping_timeout(brisk);
        builder.connect_timeout(brisk).upgrade_timeout(brisk).workers(2).max_workers(1000)
    });
    host.of("/other");
    let address = host.server.local_addrs()[0];
    (host, address)
}

/// Waits until nothing is left of any client.
#[track_caller]
pub(crate) fn nothing_is_left(host: &Host) {
    eventually(LIMIT, "no session", || host.server.clients() == 0);
    let is_empty = || host.server.namespaces().iter().all(ServerNamespace::is_empty);
    eventually(LIMIT, "no socket", is_empty);
    assert!(host.server.rooms().is_empty());
}

/// Everything that a client says may be its last.
fn any_prefix_leaves_nothing(end: End) {
    let _name = CaseName::new(end);
    let (host, address) = impatient();
    let before = fds();
    let mut said = websocket_head("").into_bytes();
    let head = said.len();
    for text in [
        "40",
        "40/other,",
        r#"421["join","a"]"#,
        r#"42["question","?"]"#,
        r#"452-["echo",{"_placeholder":true,"num":0}]"#,
    ] {
        said.extend(text_frame(text));
    }
    said.extend([0x82, 0x80 | 3, 0, 0, 0, 0, 1, 2, 3]);
    // In the head each eighth byte, behind it each.
    let places = (1..head).step_by(8).chain(head..=said.len());
    let streams: Vec<_> = places
        .filter_map(|place| {
            let stream = end.of(connect(address, &said[..place]));
            (place >= head).then_some(stream)
        })
        .collect();
    assert!(streams.len() > 100);
    for mut stream in streams {
        // The server ends it, or knows already that it has ended.
        let _ = stream.read_to_end(&mut Vec::new());
    }
    nothing_is_left(&host);
    eventually(LIMIT, "as many descriptors as before", || fds() <= before);
    ask::<(u8,)>(&Via::WebSocket.connect(&host.url), "echo", 1);
}

#[test]
fn a_reset_anywhere_leaves_nothing() {
    alone(|| any_prefix_leaves_nothing(End::Reset));
}

#[test]
fn an_end_anywhere_leaves_nothing() {
    alone(|| any_prefix_leaves_nothing(End::Fin));
}

#[test]
fn silence_anywhere_leaves_nothing() {
    alone(|| any_prefix_leaves_nothing(End::Silence));
}

/// A client that polls, request by request, each by a connection of its own.
pub(crate) struct Poller {
    address: SocketAddr,
    query: String,
}

impl Poller {
    pub(crate) fn open(address: SocketAddr) -> Self {
        let mut poller = Self { address, query: String::new() };
        let opened = read_until(&mut poller.get(), "}");
        let (_, rest) = opened.split_once(r#""sid":""#).expect("a session id");
        let (sid, _) = rest.split_once('"').expect("a session id");
        poller.query = format!("&sid={sid}");
        poller
    }

    fn send(&self, line: &str, rest: &str) -> TcpStream {
        let query = &self.query;
        let text = format!(
            "{line} /socket.io/?EIO=4&transport=polling{query} HTTP/1.1\r\nHost: a\r\n{rest}"
        );
        connect(self.address, text.as_bytes())
    }

    pub(crate) fn get(&self) -> TcpStream {
        self.send("GET", "\r\n")
    }

    /// A POST that says so; `lacking` is how many bytes it announces beyond that.
    pub(crate) fn post(&self, body: &str, lacking: usize) -> TcpStream {
        let length = body.len() + lacking;
        self.send("POST", &format!("Content-Length: {length}\r\n\r\n{body}"))
    }

    pub(crate) fn websocket(&self) -> TcpStream {
        let mut stream = connect(self.address, websocket_head(&self.query).as_bytes());
        read_until(&mut stream, "\r\n\r\n");
        stream
    }

    /// A session that has gone so far; gives the connections that are left open.
    fn come_to(self, stage: usize) -> Vec<TcpStream> {
        if stage == 0 {
            return vec![self.get()];
        }
        read_until(&mut self.post("40\u{1e}421[\"join\",\"a\"]", 0), "ok");
        match stage {
            1 => Vec::new(),
            2 => vec![self.post("42[\"que", 100)],
            3 => vec![self.send("POST", "Content-Le")],
            4 => {
                let mut get = self.get();
                read_until(&mut get, "40{");
                vec![get, self.get()]
            }
            5 => vec![self.websocket()],
            6 | 7 => {
                let mut websocket = self.websocket();
                websocket.write_all(&text_frame("2probe")).expect("a server that reads");
                read_until(&mut websocket, "3probe");
                if stage == 7 {
                    websocket.write_all(&text_frame("5")).expect("a server that reads");
                }
                vec![websocket]
            }
            8 => {
                let mut websocket = self.websocket();
                websocket.write_all(&text_frame("2probe")[..4]).expect("a server that reads");
                vec![websocket, self.get()]
            }
            9 => vec![self.websocket(), self.post("451-[\"echo\",{\"_pl", 10)],
            _ => unreachable!("a stage"),
        }
    }
}

#[test]
fn a_session_by_polling_that_ends_anywhere_leaves_nothing() {
    alone(|| {
        for end in [End::Reset, End::Fin, End::Silence] {
            let (host, address) = impatient();
            let before = fds();
            let _name = CaseName::new(end);
            let streams = (0..=9).flat_map(|stage| Poller::open(address).come_to(stage));
            let left: Vec<_> = streams.map(|stream| end.of(stream)).collect();
            nothing_is_left(&host);
            drop(left);
            eventually(LIMIT, "as many descriptors as before", || fds() <= before);
        }
    });
}

#[test]
fn many_upgrades_that_are_begun_and_left_leave_nothing() {
    alone(|| {
        let (host, address) = impatient();
        let before = fds();
        for _ in 0..soak::size(1, 34) {
            let left: Vec<_> =
                (0..300).flat_map(|number| Poller::open(address).come_to(5 + number % 2)).collect();
            nothing_is_left(&host);
            drop(left);
            eventually(LIMIT, "as many descriptors as before", || fds() <= before);
        }
    });
}

pub(crate) fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("procfs");
    let line = status.lines().find(|line| line.starts_with("VmRSS")).expect("a size");
    line.split_whitespace().nth(1).expect("a number").parse().expect("a number of KiB")
}

/// Five hundred clients join a room, say something, and leave in one of several ways.
fn come_and_go(address: SocketAddr) -> io::Result<()> {
    let mut says = websocket_head("").into_bytes();
    for text in ["40", r#"421["join","a"]"#, r#"422["echo","x"]"#] {
        says.extend(text_frame(text));
    }
    let mut clients: Vec<_> = (0..500).map(|_| connect(address, &says)).collect();
    for client in &mut clients {
        read_until(client, r#"432["x"]"#);
    }
    for (number, mut client) in clients.into_iter().enumerate() {
        match number % 4 {
            0 => client.write_all(&text_frame("41"))?,
            1 => client.write_all(&text_frame("1"))?,
            2 => rustix::net::connect_unspec(&client)?,
            _ => {}
        }
    }
    Ok(())
}

#[test]
fn clients_that_come_and_go_leave_everything_as_it_was() {
    alone(|| {
        let mut host = Host::start(|builder| builder);
        // So that nobody keeps sockets.
        host.forget_notices();
        let address = host.server.local_addrs()[0];
        let mut measured = Vec::new();
        for round in 0..12 {
            come_and_go(address).expect("a server that reads");
            nothing_is_left(&host);
            if round >= 2 {
                eventually(LIMIT, "few descriptors", || fds() < 40);
                let ours = threads().iter().filter(|name| name.starts_with("siot-")).count();
                assert!(ours <= 1 + 32, "{ours} threads");
                measured.push(memory());
            }
        }
        let (first, last) = (measured[0], measured[measured.len() - 1]);
        assert!(last < first + 2048, "KiB: {measured:?}");
    });
}

/// CVE-2017-16031: nobody can guess an id, and that of a socket, which others may see, does not lead to the session.
#[test]
fn no_id_of_a_session_or_a_socket_is_like_another() {
    let host = Host::start(|builder| builder);
    let mut says = websocket_head("").into_bytes();
    says.extend(text_frame("40"));
    let mut seen = BTreeSet::new();
    for _ in 0..100 {
        let mut stream = connect(host.server.local_addrs()[0], &says);
        let mut said = String::new();
        while !said.contains("40{") || !said.ends_with('}') {
            said += &read_until(&mut stream, "}");
        }
        for part in said.split(r#""sid":""#).skip(1) {
            let (id, _) = part.split_once('"').expect("an id");
            assert_eq!(id.len(), 20, "{said}");
            assert!(seen.insert(id.to_owned()), "{id} again");
        }
    }
    assert_eq!(seen.len(), 200);
}

/// The system tells a thread that waits for connections that it was interrupted.
#[test]
fn a_process_that_was_stopped_and_goes_on_serves_its_clients_as_before() {
    alone(|| {
        let host = Host::start(|builder| builder);
        let mut client = RawClient::websocket(&host.url);
        client.say("40");
        client.expect("40");
        let process = std::process::id();
        // Interrupted is who waits. A thread that were to go on before it has stopped would hear of neither.
        let script = format!(
            "until_all() {{ while grep -q \"^State:.[^$1]\" /proc/{process}/task/*/status; do :; done; }}; \
             until_all S; kill -STOP {process}; until_all T; kill -CONT {process}"
        );
        assert!(Command::new("sh").args(["-c", &script]).status().unwrap().success());
        client.say(r#"420["echo"]"#);
        client.expect("430");
    });
}
