//! Requests for other paths, which the program answers.

use std::io::{Read, Write};
use std::net::TcpStream;

use crossbeam_channel::bounded;
use siot::server::{HttpReply, HttpRequest};

use crate::host::Host;
use crate::support::{Client, LIMIT, Via, ask};

/// A server that tells what it was asked, at `/echo`; panics at `/panic`; and gives an answer that cannot be sent at
/// `/split`.
fn host() -> Host {
    Host::start(|builder| builder.max_http_buffer_size(1000).fallback(answer))
}

fn answer(request: &HttpRequest) -> HttpReply {
    match request.path() {
        "/echo" => {
            let word = request.header("X-Word").unwrap_or("none");
            let body = String::from_utf8_lossy(request.body());
            let text = format!("{} {} {word} {body}", request.method(), request.query());
            HttpReply::ok("text/plain", text).header("x-own", "1")
        }
        "/who" => {
            let address = request.address().map(|address| address.to_string());
            let text = format!("{address:?} {}", request.is_secure());
            HttpReply::ok("text/plain", text)
        }
        "/panic" => panic!("on purpose"),
        "/split" => HttpReply::new(200).header("x", "a\r\nb: c"),
        "/length" => HttpReply::new(200).header("Content-Length", "7"),
        _ => HttpReply::new(404),
    }
}

fn connect(host: &Host) -> TcpStream {
    let stream = TcpStream::connect(host.server.local_addrs()[0]).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream
}

/// Says this, and gives all that comes up to the end of the connection.
#[track_caller]
fn exchange(host: &Host, requests: &str) -> String {
    let mut stream = connect(host);
    stream.write_all(requests.as_bytes()).unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).unwrap();
    said
}

const LAST: &str = "Host: h\r\nConnection: close\r\n";

#[test]
fn another_path_is_answered_by_the_program() {
    let host = host();
    let said = exchange(
        &host,
        &format!(
            "GET /echo?a=b HTTP/1.1\r\nHost: h\r\nX-Word: w\r\n\r\n\
             POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody\
             POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nch\r\n0\r\n\r\n\
             HEAD /echo HTTP/1.1\r\n{LAST}\r\n"
        ),
    );
    let answers: Vec<&str> = said.split("HTTP/1.1 200 OK\r\n").collect();
    assert_eq!(answers.len(), 5, "{said}");
    for (answer, body) in
        answers[1..].iter().zip(["GET a=b w ", "POST  none body", "POST  none ch", ""])
    {
        assert!(answer.ends_with(&format!("\r\n\r\n{body}")), "{answer}");
        assert!(answer.contains("Content-Type: text/plain\r\n") && answer.contains("X-Own: 1\r\n"));
    }
    assert!(answers[4].contains("Content-Length: 11\r\n"), "{}", answers[4]);
}

#[test]
fn what_the_program_cannot_do_is_status_500_and_the_server_goes_on() {
    let host = host();
    for path in ["/panic", "/split", "/length"] {
        let said = exchange(&host, &format!("GET {path} HTTP/1.1\r\n{LAST}\r\n"));
        assert!(said.starts_with("HTTP/1.1 500 "), "{path}: {said}");
    }
    assert!(exchange(&host, &format!("GET / HTTP/1.1\r\n{LAST}\r\n")).starts_with("HTTP/1.1 404 "));
    let client = Client::connect(Via::WebSocket.builder(&host.url));
    assert_eq!(ask::<(u8,)>(&client, "echo", 1), (1,));
}

#[test]
fn a_body_is_bounded_and_invited() {
    let host = host();
    let post = |length: usize| {
        format!(
            "POST /echo HTTP/1.1\r\n{LAST}Content-Length: {length}\r\nExpect: 100-continue\r\n\r\n"
        )
    };
    assert!(exchange(&host, &post(1001)).starts_with("HTTP/1.1 413 "));
    let mut stream = connect(&host);
    stream.write_all(post(2).as_bytes()).unwrap();
    let mut invitation = [0; 25];
    stream.read_exact(&mut invitation).unwrap();
    assert_eq!(&invitation, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"ab").unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).unwrap();
    assert!(said.ends_with("POST  none ab"), "{said}");
}

#[test]
fn a_slow_answer_holds_up_no_client() {
    let (go, wait) = bounded::<()>(0);
    let host = Host::start(|builder| {
        builder.fallback(move |_| {
            let _ = wait.recv();
            HttpReply::ok("text/plain", "late")
        })
    });
    let mut stream = connect(&host);
    stream.write_all(format!("GET / HTTP/1.1\r\n{LAST}\r\n").as_bytes()).unwrap();
    let client = Client::connect(Via::Polling.builder(&host.url));
    assert_eq!(ask::<(u8,)>(&client, "echo", 1), (1,));
    drop(go);
    let mut said = String::new();
    stream.read_to_string(&mut said).unwrap();
    assert!(said.ends_with("\r\n\r\nlate"), "{said}");
}

#[test]
fn a_name_that_the_server_does_not_have_is_refused_before_the_program_is_asked() {
    let host = Host::start(|builder| builder.hosts(["gateway.lan"]).fallback(answer));
    for (name, status) in [("gateway.lan", 200), ("127.0.0.1", 200), ("evil.example", 403)] {
        let head = format!("GET /echo HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n");
        let said = exchange(&host, &head);
        assert!(said.starts_with(&format!("HTTP/1.1 {status} ")), "{name}: {said}");
    }
}

#[test]
fn the_program_knows_from_where_a_request_came() {
    let host = host();
    let mut stream = connect(&host);
    let own = stream.local_addr().unwrap();
    stream.write_all(format!("GET /who HTTP/1.1\r\n{LAST}\r\n").as_bytes()).unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).unwrap();
    assert!(said.ends_with(&format!("\r\n\r\nSome(\"{own}\") false")), "{said}");
}
