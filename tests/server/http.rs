//! What a server says to requests that are not for a session, or not as usual.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::host::Host;
use crate::support::{Client, LIMIT, Via, ask};

/// A response, with the names of its headers in small letters.
struct Response {
    status: u16,
    headers: HashMap<String, String>,
    body: Vec<u8>,
}

impl Response {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }
}

fn connect(host: &Host) -> BufReader<TcpStream> {
    let stream = TcpStream::connect(host.server.local_addrs()[0]).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    BufReader::new(stream)
}

/// One request, with these headers, each on a line of its own; the connection stays.
#[track_caller]
fn request(stream: &mut BufReader<TcpStream>, line: &str, headers: &str, body: &[u8]) -> Response {
    let length = match body.len() {
        0 => String::new(),
        length => format!("Content-Length: {length}\r\n"),
    };
    let head = format!("{line} HTTP/1.1\r\nHost: localhost\r\n{length}{headers}\r\n");
    stream.get_mut().write_all(head.as_bytes()).unwrap();
    stream.get_mut().write_all(body).unwrap();
    response(stream, line.starts_with("HEAD"))
}

#[track_caller]
fn response(stream: &mut BufReader<TcpStream>, is_head: bool) -> Response {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        assert!(stream.read_line(&mut line).unwrap() > 0, "the end, behind {lines:?}");
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let status = lines[0].split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines[1..].iter().filter_map(|line| line.split_once(": "));
    let headers: HashMap<_, _> =
        headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; if is_head { 0 } else { length }];
    stream.read_exact(&mut body).unwrap();
    Response { status, headers, body }
}

#[track_caller]
fn get(host: &Host, target: &str, headers: &str) -> Response {
    request(&mut connect(host), &format!("GET {target}"), headers, b"")
}

/// Opens a session by polling, and joins; gives the target of its requests.
#[track_caller]
fn open(stream: &mut BufReader<TcpStream>) -> String {
    let opened = request(stream, "GET /socket.io/?EIO=4&transport=polling", "", b"").text();
    let sid = opened.split('"').nth(3).unwrap().to_owned();
    let target = format!("/socket.io/?EIO=4&transport=polling&sid={sid}");
    assert_eq!(request(stream, &format!("POST {target}"), "", b"40").status, 200);
    assert!(request(stream, &format!("GET {target}"), "", b"").text().starts_with("40"));
    target
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers/node_modules/socket.io-client/dist")
}

#[test]
fn pages_get_the_client_from_the_server() {
    let host = Host::start(|builder| builder.serve_client(folder()));
    for (name, content_type) in [
        ("socket.io.js", "application/javascript; charset=utf-8"),
        ("socket.io.min.js", "application/javascript; charset=utf-8"),
        ("socket.io.esm.min.js", "application/javascript; charset=utf-8"),
        ("socket.io.msgpack.min.js.map", "application/json; charset=utf-8"),
    ] {
        let target = format!("/socket.io/{name}");
        let got = get(&host, &format!("{target}?v=4"), "");
        assert_eq!((got.status, got.header("content-type")), (200, content_type), "{name}");
        assert_eq!(got.header("cache-control"), "public, max-age=0");
        assert!(got.body == std::fs::read(folder().join(name)).unwrap());
        let tag = got.header("etag");
        assert!(tag.starts_with('"') && tag.len() > 4, "{tag}");
        let mut stream = connect(&host);
        for known in [tag, &format!("W/{tag}"), &format!("\"other\", {tag}"), "*"] {
            let headers = format!("If-None-Match: {known}\r\n");
            let same = request(&mut stream, &format!("GET {target}"), &headers, b"");
            assert_eq!((same.status, same.header("etag")), (304, tag));
        }
        let other = "If-None-Match: \"other\"\r\n";
        let head = request(&mut stream, &format!("HEAD {target}"), other, b"");
        assert_eq!(head.status, 200);
        assert_eq!(head.header("content-length"), got.body.len().to_string());
    }
}

#[test]
fn nothing_but_the_client_is_served_from_its_folder() {
    let host = Host::start(|builder| builder.serve_client(folder().join("..")));
    for target in [
        "/socket.io/package.json",
        "/socket.io/dist/socket.io.js",
        "/socket.io/../package.json",
        "/socket.io/..%2fpackage.json",
        "/socket.io/%2e%2e/package.json",
        "/socket.io/socket.io.js/../../package.json",
        "/socket.io/socket.io.js%00",
        "/socket.io//socket.io.js",
        "/socket.io/SOCKET.IO.JS",
        "/socket.io/socket.io.js.",
    ] {
        assert_eq!(get(&host, target, "").status, 400, "{target}");
    }
    assert_eq!(get(&host, "/socket.io/socket.io.js", "").status, 404, "it is not there");
    for (method, body) in [("POST", &b"x"[..]), ("POST", b""), ("GET", b"x")] {
        let other =
            request(&mut connect(&host), &format!("{method} /socket.io/socket.io.js"), "", body);
        assert_eq!(other.status, 400, "{method} {body:?}");
    }
    let without = Host::start(|builder| builder);
    assert_eq!(get(&without, "/socket.io/socket.io.js", "").status, 400);
}

#[test]
fn a_page_of_another_origin_hears_whether_it_may_have_the_client() {
    let cors = siot::server::ServerBuilder::cors;
    let host = Host::start(|builder| {
        cors(builder.serve_client(folder()), siot::Cors::new().origin("https://a.example"))
    });
    let allowed = get(&host, "/socket.io/socket.io.js", "Origin: https://a.example\r\n");
    assert_eq!(allowed.header("access-control-allow-origin"), "https://a.example");
    let foreign = get(&host, "/socket.io/socket.io.js", "Origin: https://b.example\r\n");
    assert_eq!((foreign.status, foreign.header("access-control-allow-origin")), (200, ""));
}

#[cfg(feature = "http-compression")]
#[test]
fn an_answer_is_compressed_from_a_kilobyte_on_where_the_client_takes_that() {
    let host = Host::start(|builder| builder.serve_client(folder()));
    let mut stream = connect(&host);
    let target = format!("GET {}", open(&mut stream));
    let socket = host.connected();
    let text = "a reading ".repeat(200);
    let mut poll = |text: &str, accepts: &str| {
        socket.emit("event", text).unwrap();
        let headers = format!("Accept-Encoding: {accepts}\r\n");
        request(&mut stream, &target, &headers, b"")
    };
    let plain = format!(r#"42["event","{text}"]"#);
    let gzip = poll(&text, "gzip, deflate, br");
    assert_eq!((gzip.header("content-encoding"), gzip.body.len() < 100), ("gzip", true));
    let mut unpacked = String::new();
    flate2::read::GzDecoder::new(&*gzip.body).read_to_string(&mut unpacked).unwrap();
    assert_eq!(unpacked, plain);
    let deflate = poll(&text, "gzip;q=0, *");
    assert_eq!(deflate.header("content-encoding"), "deflate");
    let mut unpacked = String::new();
    flate2::read::ZlibDecoder::new(&*deflate.body).read_to_string(&mut unpacked).unwrap();
    assert_eq!(unpacked, plain);
    for (text, accepts) in [(&*text, "br"), (&text, "gzip;q=0"), ("short", "gzip")] {
        let got = poll(text, accepts);
        assert_eq!(got.header("content-encoding"), "");
        assert_eq!(got.text(), format!(r#"42["event","{text}"]"#));
    }
    // One that waits, too.
    let line = format!("{target} HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n");
    stream.get_mut().write_all(line.as_bytes()).unwrap();
    stream.get_ref().set_nonblocking(true).unwrap();
    crate::support::eventually(LIMIT, "an answer", || {
        // Dropped, unless the request waits.
        socket.volatile().emit("event", &text).unwrap();
        stream.get_ref().peek(&mut [0]).is_ok()
    });
    stream.get_ref().set_nonblocking(false).unwrap();
    let waited = response(&mut stream, false);
    assert_eq!(waited.header("content-encoding"), "gzip");
    let file = get(&host, "/socket.io/socket.io.js", "Accept-Encoding: gzip\r\n");
    assert_eq!((file.header("content-encoding"), file.header("vary")), ("gzip", "Accept-Encoding"));
    assert!(file.body.len() < 60_000);
}

#[test]
fn a_post_that_is_compressed_is_refused_and_the_session_goes_on() {
    let host = Host::start(|builder| builder);
    let mut stream = connect(&host);
    let target = open(&mut stream);
    for coding in ["gzip", "deflate", "identity, br"] {
        let headers = format!("Content-Encoding: {coding}\r\n");
        let refused =
            request(&mut connect(&host), &format!("POST {target}"), &headers, b"42[\"x\"]");
        assert_eq!(refused.status, 415, "{coding}");
        assert_eq!(refused.header("accept-encoding"), "identity");
    }
    let plain = "Content-Encoding: Identity\r\n";
    let taken = request(&mut stream, &format!("POST {target}"), plain, br#"420["echo","ok"]"#);
    assert_eq!(taken.text(), "ok");
    let answer = request(&mut stream, &format!("GET {target}"), "", b"");
    assert_eq!(answer.text(), r#"430["ok"]"#);
}

#[test]
fn a_program_makes_ids_of_sessions() {
    let number = std::sync::atomic::AtomicUsize::new(0);
    let host = Host::start(|builder| {
        builder.generate_id(move |handshake| match handshake.header("x-kind") {
            Some("panic") => panic!("on purpose"),
            Some(kind) => kind.to_owned(),
            None => format!("id-{}", number.fetch_add(1, std::sync::atomic::Ordering::Relaxed)),
        })
    });
    for via in [Via::WebSocket, Via::Polling, Via::Upgrade] {
        let client = Client::connect(via.builder(&host.url).force_new(true));
        assert!(client.manager().engine().unwrap().id.unwrap().starts_with("id-"));
        assert_eq!(ask::<u8>(&client, "echo", 7), 7);
    }
    let first = "/socket.io/?EIO=4&transport=polling";
    assert!(get(&host, first, "X-Kind: mine\r\n").text().contains(r#""sid":"mine""#));
    let long = "x".repeat(65);
    for kind in ["mine", "panic", "a/b", "a b", "é", &long] {
        let refused = get(&host, first, &format!("X-Kind: {kind}\r\n"));
        assert_eq!((refused.status, refused.text().contains(r#""code":3"#)), (400, true), "{kind}");
    }
    let known = get(&host, &format!("{first}&sid={}", "x".repeat(64)), "");
    assert!(known.text().contains(r#""code":1"#), "{}", known.text());
}

/// It takes longer than nothing may come.
#[test]
fn a_body_that_comes_slowly_and_steadily_is_read() {
    let host = Host::start(|builder| builder.ping_interval(10 * LIMIT));
    let mut stream = connect(&host);
    let target = open(&mut stream);
    let text = "x".repeat(60 * 1024);
    let body = format!(r#"420["echo","{text}"]"#);
    let length = body.len();
    let head = format!("POST {target} HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n");
    stream.get_mut().write_all(head.as_bytes()).unwrap();
    let (begun, pieces) = (Instant::now(), body.as_bytes().chunks(512));
    let gap = Duration::from_secs(22) / u32::try_from(pieces.len()).unwrap();
    for piece in pieces {
        stream.get_mut().write_all(piece).unwrap();
        std::thread::sleep(gap);
    }
    assert!(begun.elapsed() > Duration::from_secs(21));
    assert_eq!(response(&mut stream, false).text(), "ok");
    let answer = request(&mut stream, &format!("GET {target}"), "", b"");
    assert_eq!(answer.text(), format!(r#"430["{text}"]"#));
}
