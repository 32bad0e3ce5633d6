//! What errors tell: the kind, the stage, the words of the peer, and what to try. One table of peers
//! that make an attempt fail at each stage, and one of those that end an open session.

mod losses;

use std::error::Error as StdError;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::net::TcpListener;
use std::time::Duration;

use siot::{Builder, Error, ErrorKind, ManagerEvent, Stage, Status, Timeouts};

use crate::support::greeting::Greeting;
use crate::support::raw::{RawConnection, RawPeer};
use crate::support::{CaseName, Client, Via};

const MS: Duration = Duration::from_millis(1);

/// What a failed attempt tells of each of these stages.
#[track_caller]
fn assert_tells_of_attempt(error: &Error, stage: Stage, parts: &[&str]) {
    assert_eq!(error.stage(), Some(stage), "{error:#}");
    match error.kind() {
        ErrorKind::Connect(of_kind) => assert_eq!(of_kind, stage, "{error:#}"),
        ErrorKind::Protocol | ErrorKind::TooLarge | ErrorKind::Refused => {}
        other => panic!("{other:?}: {error:#}"),
    }
    // Before there is a connection, the message has the addresses.
    assert_eq!(error.address().is_some(), stage > Stage::Tcp, "{error:#}");
    assert_tells(error, parts);
}

/// What the end of an open session tells.
#[track_caller]
fn assert_tells_of_loss(error: &Error, parts: &[&str]) {
    let kinds = [ErrorKind::Transport, ErrorKind::Protocol, ErrorKind::TooLarge];
    assert!(kinds.contains(&error.kind()), "{error:#}");
    assert_eq!(error.stage(), None, "{error:#}");
    assert!(!format!("{error:#}").contains("cannot connect"), "{error:#}");
    assert!(error.address().is_some(), "{error:#}");
    assert_tells(error, parts);
}

#[track_caller]
fn assert_tells(error: &Error, parts: &[&str]) {
    let text = error.to_string();
    assert!(error.hint().is_some(), "no hint: {error:#}");
    assert!(error.elapsed().is_some(), "no time: {error:#}");
    assert!(!text.contains('\n') && text.len() < 1000, "{text}");
    for part in parts {
        assert!(format!("{error:#}").contains(part), "{part} in {error:#}");
    }
    for source in causes(error) {
        assert!(!text.contains(&source.to_string()), "{source} is repeated: {text}");
    }
}

/// The first cause that is the system's.
fn io_cause(error: &Error) -> Option<io::ErrorKind> {
    causes(error).find_map(|cause| Some(cause.downcast_ref::<io::Error>()?.kind()))
}

fn causes(error: &Error) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    std::iter::successors(error.source(), |cause| (*cause).source())
}

/// The error of the only attempt, as status and as news.
#[track_caller]
fn attempt(builder: Builder) -> Error {
    let client = Client::start(builder.reconnection(false));
    let error = client.connect_error();
    if error.stage() != Some(Stage::Namespace) {
        let news = client.wait_for("the error", |event| matches!(event, ManagerEvent::Error(_)));
        let ManagerEvent::Error(told) = news else { unreachable!() };
        assert_eq!(told.to_string(), error.to_string());
    }
    error
}

/// How the only session ended, as status and as news.
#[track_caller]
fn loss(builder: Builder) -> Error {
    let client = Client::start(builder.reconnection(false));
    loop {
        match client.next_status() {
            Status::Connected { .. } => {}
            Status::Disconnected { error, .. } => {
                let error = error.expect("a loss that says why");
                let close = client.wait_for("the end", |event| {
                    if let ManagerEvent::Error(error) = event {
                        assert!(!matches!(error.kind(), ErrorKind::Connect(_)), "{error:#}");
                    }
                    matches!(event, ManagerEvent::Close(..))
                });
                let ManagerEvent::Close(_, told) = close else { unreachable!() };
                assert_eq!(told.map(|told| told.to_string()), Some(error.to_string()));
                return error;
            }
            other => panic!("{other:?}"),
        }
    }
}

fn dead_url() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

fn frame(opcode: u8, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).unwrap();
    assert!(length < 126, "a short frame");
    [&[0x80 | opcode, length], content].concat()
}

fn text(content: &str) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap();
    [&[0x81, 126][..], &length.to_be_bytes(), content.as_bytes()].concat()
}

fn close(code: u16, reason: &[u8]) -> Vec<u8> {
    frame(8, &[&code.to_be_bytes(), reason].concat())
}

/// What a peer does at the end of what it says.
#[derive(Clone, Copy, Debug)]
enum End {
    Close,
    Reset,
    Hold,
}

impl End {
    fn come(self, connection: RawConnection) -> io::Result<()> {
        match self {
            Self::Close => Ok(()),
            Self::Reset => connection.reset(),
            Self::Hold => connection.hold(),
        }
    }
}

/// A peer that answers the first request with these bytes, and then ends like this.
fn answering(answer: Vec<u8>, end: End) -> RawPeer {
    RawPeer::start(move |mut connection| {
        connection.read_request()?;
        connection.write(&answer)?;
        end.come(connection)
    })
}

/// A peer that upgrades to WebSocket, writes these bytes, and then ends like this.
fn speaking(bytes: Vec<u8>, end: End) -> RawPeer {
    RawPeer::start(move |mut connection| {
        let request = connection.read_request()?;
        let mut kept = connection.stream().try_clone()?;
        let (stream, _) = connection.upgrade_stream(&request)?;
        kept.write_all(&bytes)?;
        match end {
            // What comes is read, since the kernel resets a connection that is closed before.
            End::Close => {
                stream.shutdown(Shutdown::Write)?;
                io::copy(&mut &stream, &mut io::sink()).map(drop)
            }
            End::Reset => {
                // A reset takes away what was not read yet: not before the answer to the greeting.
                if !bytes.is_empty() {
                    (&stream).read_exact(&mut [0])?;
                }
                Ok(rustix::net::connect_unspec(&stream)?)
            }
            End::Hold => io::copy(&mut &stream, &mut io::sink()).map(drop),
        }
    })
}

fn http(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{headers}\r\n{body}").into_bytes()
}

fn opened() -> Vec<u8> {
    [text(&Greeting::new("s").text()), text(r#"40{"sid":"id"}"#)].concat()
}

#[test]
fn before_there_is_a_connection_the_stage_is_told() {
    for &via in Via::ALL {
        let _name = CaseName::new(via);
        let error = attempt(via.builder(dead_url()));
        assert_tells_of_attempt(
            &error,
            Stage::Tcp,
            &["127.0.0.1:", "refused", "is the server running"],
        );
        assert_eq!(io_cause(&error), Some(io::ErrorKind::ConnectionRefused));
        assert!(!error.is_timeout());
        let dead = dead_url();
        let port = dead.rsplit(':').next().unwrap().parse().unwrap();
        let proxy = siot::Proxy::http("127.0.0.1", port);
        let error = attempt(via.builder("http://server.test").proxy(proxy));
        assert_eq!(error.kind(), ErrorKind::Connect(Stage::Proxy), "{error:#}");
        assert_tells(&error, &["refused", "no_proxy"]);
        assert_eq!(io_cause(&error), Some(io::ErrorKind::ConnectionRefused));
    }
}

#[cfg(feature = "rustls")]
#[test]
fn what_goes_wrong_in_tls_has_its_stage() {
    let end = |end: End| {
        RawPeer::start(move |mut connection| {
            io::Read::read(&mut connection.reader(), &mut [0; 100])?;
            end.come(connection)
        })
    };
    let plain = || RawPeer::start(|mut connection| connection.write(b"HTTP/1.1 400 Bad\r\n\r\n"));
    let cases: [(RawPeer, &[&str], Option<io::ErrorKind>); 3] = [
        (plain(), &["does not answer in TLS", "https"], None),
        (end(End::Close), &["ended the connection within"], Some(io::ErrorKind::UnexpectedEof)),
        (end(End::Reset), &["reset the connection within"], Some(io::ErrorKind::ConnectionReset)),
    ];
    for (peer, parts, cause) in cases {
        for &via in Via::PLAIN {
            let _name = CaseName::new((via, parts));
            let error = attempt(via.builder(peer.url().replace("http", "https")));
            assert_tells_of_attempt(&error, Stage::Tls, parts);
            assert_eq!(io_cause(&error), cause, "{error:#}");
        }
    }
    let silent = end(End::Hold);
    let limits = Timeouts::new().tls(50 * MS);
    let error =
        attempt(Via::WebSocket.builder(silent.url().replace("http", "https")).timeouts(limits));
    assert_tells_of_attempt(&error, Stage::Tls, &["50 ms", "not complete"]);
    assert_eq!((error.is_timeout(), io_cause(&error)), (true, Some(io::ErrorKind::TimedOut)));
}

#[test]
fn an_answer_that_opens_no_session_has_its_stage() {
    let cases: [(Vec<u8>, End, Stage, &[&str]); 6] = [
        (http("404 Not Found", "", "nope"), End::Close, Stage::Http, &["404", "nope"]),
        (http("500 Oops", "", "a\u{1b}b"), End::Close, Stage::Http, &["500", r"a\u{1b}b"]),
        (http("503 Busy", "Retry-After: 1\r\n", ""), End::Hold, Stage::Http, &["503", "busy"]),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n".to_vec(), End::Close, Stage::Http, &[]),
        (Vec::new(), End::Close, Stage::Http, &[]),
        (Vec::new(), End::Reset, Stage::Http, &[]),
    ];
    for (answer, end, stage, parts) in cases {
        let peer = answering(answer.clone(), end);
        for &via in Via::PLAIN {
            let _name = CaseName::new((via, String::from_utf8_lossy(&answer), end));
            let error = attempt(via.builder(peer.url()));
            assert_eq!(error.kind(), ErrorKind::Connect(stage), "{error:#}");
            assert!(error.address().is_some() && error.elapsed().is_some(), "{error:#}");
            for part in parts {
                assert!(error.to_string().contains(part), "{part} in {error:#}");
            }
            assert!(!error.is_timeout(), "{error:#}");
        }
    }
    let silent = answering(Vec::new(), End::Hold);
    for &via in Via::PLAIN {
        let error = attempt(via.builder(silent.url()).timeouts(Timeouts::new().http(50 * MS)));
        assert_tells_of_attempt(&error, Stage::Http, &["50 ms", "not answered"]);
        assert_eq!((error.is_timeout(), io_cause(&error)), (true, Some(io::ErrorKind::TimedOut)));
    }
}

/// What a peer says, how it goes on, and what is to be told of it.
type Spoken = (Vec<u8>, End, &'static [&'static str]);

/// How a WebSocket may end at any time.
fn ends_of_websockets() -> [Spoken; 6] {
    [
        (close(999, b""), End::Hold, &["close code 999"]),
        (close(1000, b"\xff"), End::Hold, &["close code 1000: \u{fffd}"]),
        (Vec::new(), End::Close, &["without a close frame"]),
        (Vec::new(), End::Reset, &["reset"]),
        (frame(1, &[0xff]), End::Hold, &["no UTF-8"]),
        (vec![0x83, 0], End::Hold, &["broke the WebSocket protocol"]),
    ]
}

#[test]
fn a_websocket_that_opens_no_session_has_its_stage() {
    let broken = Greeting::new("s").text().replace("25000", "\"soon\"");
    let cases: [Spoken; 6] = [
        (text("0{x"), End::Hold, &["handshake", "{x"]),
        (text(&broken), End::Hold, &["pingInterval", r#"\"soon\""#]),
        (text("0{\"sid\":\"s\"}"), End::Hold, &["pingInterval"]),
        (text("42[\"e\"]"), End::Hold, &["not the handshake", "2["]),
        (text("hello"), End::Hold, &["hello"]),
        (close(1008, b"who are you?"), End::Hold, &["close code 1008: who are you?"]),
    ];
    for (bytes, end, parts) in cases.into_iter().chain(ends_of_websockets()) {
        let _name = CaseName::new((String::from_utf8_lossy(&bytes), end));
        let peer = speaking(bytes, end);
        let error = attempt(Via::WebSocket.builder(peer.url()));
        assert_tells_of_attempt(&error, Stage::Engine, parts);
        assert!(!error.is_timeout(), "{error:#}");
        if matches!(end, End::Reset) {
            assert_eq!(io_cause(&error), Some(io::ErrorKind::ConnectionReset), "{error:#}");
        }
    }
    let silent = speaking(Vec::new(), End::Hold);
    let error = attempt(Via::WebSocket.builder(silent.url()).connect_timeout(1500 * MS));
    assert_tells_of_attempt(&error, Stage::Engine, &["1500 ms", "no handshake"]);
    assert!(error.is_timeout());
}

#[cfg(feature = "polling")]
#[test]
fn a_body_that_opens_no_session_has_its_stage() {
    let broken = Greeting::new("s").text().replace("25000", "\"soon\"");
    let cut = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0{".to_vec();
    let cases: [(Vec<u8>, &[&str]); 5] = [
        (http("200 OK", "", "0{x"), &["handshake", "{x"]),
        (http("200 OK", "", &broken), &["pingInterval", r#"\"soon\""#]),
        (http("200 OK", "", "42[\"e\"]"), &["not the handshake"]),
        (http("200 OK", "", "hello"), &["hello"]),
        (cut, &[]),
    ];
    for (answer, parts) in cases {
        let _name = CaseName::new(String::from_utf8_lossy(&answer));
        let peer = answering(answer.clone(), End::Close);
        let error = attempt(Via::Polling.builder(peer.url()));
        assert_tells_of_attempt(&error, Stage::Engine, parts);
    }
}

type Options = fn(Builder) -> Builder;

/// What a peer says of a namespace, the name and the options of the client, and what becomes of it.
type Case = (Vec<u8>, &'static str, Options, ErrorKind, &'static [&'static str]);

#[test]
fn a_namespace_that_is_not_joined_has_its_stage() {
    let limited = Greeting::new("s").text().replace("1000000", "100");
    let greeting = Greeting::new("s").text();
    let unknown = |name: &str| text(&format!(r#"44{name},{{"message":"Invalid namespace"}}"#));
    let auth = serde_json::json!({ "token": "x".repeat(200) });
    let plain: Options = |builder| builder;
    let hurried: Options = |builder| builder.namespace_timeout(50 * MS);
    let cases: [Case; 5] = [
        (
            [text(&greeting), unknown("/socket.io/")].concat(),
            "/socket.io/",
            plain,
            ErrorKind::Refused,
            &["Invalid namespace", "the path of the server's HTTP requests"],
        ),
        (
            [text(&greeting), unknown("/api/v1")].concat(),
            "/api/v1",
            plain,
            ErrorKind::Refused,
            &["Invalid namespace", "the path of the server's HTTP requests"],
        ),
        (
            text(&greeting),
            "/quiet",
            hurried,
            ErrorKind::Connect(Stage::Namespace),
            &["no answer to CONNECT for \"/quiet\" within 50 ms", "ago, was the handshake"],
        ),
        (
            [text(&greeting), text("40{}")].concat(),
            "/",
            plain,
            ErrorKind::Connect(Stage::Namespace),
            &["another revision"],
        ),
        (
            text(&limited),
            "/big",
            plain,
            ErrorKind::TooLarge,
            &["a CONNECT of 2", "for \"/big\"", "takes 100", "maxHttpBufferSize"],
        ),
    ];
    for (bytes, namespace, options, kind, parts) in cases {
        let _name = CaseName::new((namespace, parts));
        let peer = speaking(bytes, End::Hold);
        let builder = options(Via::WebSocket.builder(format!("{}{namespace}", peer.url())));
        let builder = if kind == ErrorKind::TooLarge { builder.auth(&auth) } else { builder };
        let error = attempt(builder);
        assert_eq!(error.kind(), kind, "{error:#}");
        assert_tells_of_attempt(&error, Stage::Namespace, parts);
        assert!(!error.to_string().contains("xxx"), "{error:#}");
        assert_eq!(error.is_timeout(), namespace == "/quiet", "{error:#}");
    }
}
