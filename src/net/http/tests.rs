//! Servers that speak HTTP byte by byte.

mod heads;
mod kept;

use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::net::testing::{
    LIMIT, accept, attempt, cancel_ends, header, net, read_head, serve, silent, spawn,
};

/// A complete answer.
fn answer(headers: &str, body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())
}

/// Reads a request with its body.
fn read_request(stream: &mut TcpStream) -> (String, Vec<u8>) {
    let head = read_head(stream);
    let length = header(&head, "content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    (head, body)
}

fn text(body: &str) -> Body {
    Body { binary: false, bytes: Bytes::copy_from_slice(body.as_bytes()) }
}

fn read_all(response: Response) -> std::io::Result<Vec<u8>> {
    let mut all = Vec::new();
    let mut body = response.body;
    body.read_to_end(&mut all).map(|_| all)
}

/// A server that gives one answer to one request and then ends the connection.
fn once(answer: &str) -> (Request, Http, std::thread::JoinHandle<()>) {
    let answer = answer.to_owned();
    let (request, server) = serve(move |listener| {
        let mut stream = accept(&listener);
        read_request(&mut stream);
        stream.write_all(answer.as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    });
    (request, Http::new(&net(), &attempt()), server)
}

#[test]
fn a_get_asks_for_plain_content_and_tells_text_from_binary() {
    for (kind, binary) in [
        ("text/plain; charset=UTF-8", false),
        ("application/octet-stream", true),
        ("Application/Octet-Stream; x=y", true),
    ] {
        let (mut request, server) = serve(move |listener| {
            let mut stream = accept(&listener);
            let (head, _) = read_request(&mut stream);
            let answer = answer(&format!("Content-Type: {kind}\r\n"), "0{}");
            stream.write_all(answer.as_bytes()).unwrap();
            head
        });
        request.headers.push(("X-B".to_owned(), "1".to_owned()));
        let response = Http::new(&net(), &attempt()).get(&request).unwrap();
        assert_eq!(response.binary, binary, "{kind}");
        assert_eq!(read_all(response).unwrap(), b"0{}");
        let head = server.join().unwrap();
        assert!(head.starts_with("GET /socket.io/?EIO=4 HTTP/1.1\r\n"), "{head}");
        assert_eq!(header(&head, "host"), Some(&*request.endpoint.host_header()));
        assert_eq!(header(&head, "accept-encoding"), Some("identity"));
        assert_eq!(header(&head, "user-agent"), Some(AGENT));
        assert_eq!(header(&head, "x-b"), Some("1"));
        assert_eq!(header(&head, "content-length"), None);
    }
}

#[test]
fn a_callers_header_replaces_the_default_one() {
    let (mut request, server) = serve(|listener| {
        let mut stream = accept(&listener);
        let (head, _) = read_request(&mut stream);
        stream.write_all(answer("", "").as_bytes()).unwrap();
        head
    });
    request.headers = vec![("host".into(), "other".into()), ("User-Agent".into(), "mine".into())];
    Http::new(&net(), &attempt()).get(&request).unwrap();
    let head = server.join().unwrap().to_lowercase();
    assert_eq!(head.matches("host: ").count(), 1, "{head}");
    assert_eq!(header(&head, "host"), Some("other"));
    assert_eq!(head.matches("user-agent: ").count(), 1, "{head}");
}

#[test]
fn requests_share_a_connection_and_a_post_delivers_its_body() {
    let (request, server) = serve(|listener| {
        let mut stream = accept(&listener);
        let mut requests = Vec::new();
        for _ in 0..3 {
            requests.push(read_request(&mut stream));
            stream.write_all(answer("Content-Type: text/html\r\n", "ok").as_bytes()).unwrap();
        }
        requests
    });
    let http = Http::new(&net(), &attempt());
    http.post(&request, text("4ä")).unwrap();
    let binary = Bytes::from(vec![7; 100_000]);
    http.post(&request, Body { binary: true, bytes: binary.clone() }).unwrap();
    assert_eq!(read_all(http.get(&request).unwrap()).unwrap(), b"ok");
    let requests = server.join().unwrap();
    assert!(requests[0].0.starts_with("POST /socket.io/?EIO=4 HTTP/1.1\r\n"));
    assert_eq!(header(&requests[0].0, "content-type"), Some("text/plain;charset=UTF-8"));
    assert_eq!(requests[0].1, "4ä".as_bytes());
    assert_eq!(header(&requests[1].0, "content-type"), Some("application/octet-stream"));
    assert_eq!(requests[1].1, binary);
}

#[test]
fn a_post_does_not_wait_for_a_get_in_another_thread() {
    let (posted, answer_now) = channel();
    let (asked, pending) = channel();
    let (request, server) = serve(move |listener| {
        let mut get = accept(&listener);
        read_request(&mut get);
        asked.send(()).unwrap();
        let mut post = accept(&listener);
        read_request(&mut post);
        post.write_all(answer("", "ok").as_bytes()).unwrap();
        answer_now.recv_timeout(LIMIT).unwrap();
        get.write_all(answer("", "6").as_bytes()).unwrap();
    });
    let net = net();
    let (getter, http) = (Http::new(&net, &attempt()), Http::new(&net, &attempt()));
    let to = request.clone();
    let got = spawn(move || getter.get(&to).map(|response| read_all(response).unwrap()));
    pending.recv_timeout(LIMIT).unwrap();
    http.post(&request, text("4")).unwrap();
    posted.send(()).unwrap();
    assert_eq!(got.recv_timeout(LIMIT).unwrap().unwrap(), b"6");
    server.join().unwrap();
}

#[test]
fn an_answer_that_is_not_ok_is_named() {
    for (answer, parts) in [
        (
            "400 Bad Request\r\nContent-Type: application/json\r\n\
             Content-Length: 41\r\n\r\n{\"code\":1,\"message\":\"Session ID unknown\"}",
            &["400", "Session ID unknown (code 1)", "sticky"][..],
        ),
        ("401 No\r\nContent-Length: 0\r\n\r\n", &["401", "credentials"]),
        ("413 Big\r\nContent-Length: 3\r\n\r\nbig", &["413", "big", "larger"]),
        ("204 None\r\n\r\n", &["204"]),
        ("429 Slow\r\nRetry-After: 7\r\n\r\n", &["429", "`7`"]),
        ("502 Bad\r\nContent-Type: text/html\r\n\r\n<h1>nginx\r\n", &["502", "<h1>nginx\\r\\n"]),
        ("302 Found\r\nLocation: file:///etc/passwd\r\n\r\n", &["302", "file:///etc/passwd"]),
        ("200 OK\r\nContent-Encoding: gzip\r\n\r\nx", &["`gzip`"]),
        (
            "200 OK\r\nContent-Type: text/html; charset=x\r\n\r\n\n <!doctype html>Log in",
            &["text/html; charset=x", "<!doctype", "login page"],
        ),
    ] {
        let (request, http, server) = once(&format!("HTTP/1.1 {answer}"));
        let error = http.get(&request).map(|_| answer).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect(Stage::Http), "{error}");
        for part in parts {
            assert!(error.to_string().contains(part), "{part} in {error}");
        }
        drop(http);
        server.join().unwrap();
    }
}

#[test]
fn a_packet_labelled_as_html_is_taken() {
    let (request, http, server) = once(&answer("Content-Type: text/html\r\n", "0{}"));
    assert_eq!(read_all(http.get(&request).unwrap()).unwrap(), b"0{}");
    drop(http);
    server.join().unwrap();
}

#[test]
fn a_connection_that_the_server_closed_is_not_used_again() {
    let (ended, gone) = channel();
    let (request, server) = serve(move |listener| {
        let mut posts = Vec::new();
        for _ in 0..2 {
            let mut stream = accept(&listener);
            posts.push(read_request(&mut stream).1);
            stream.write_all(answer("", "ok").as_bytes()).unwrap();
            // An end that says nothing, as of a restarted server or a proxy's timeout.
            stream.shutdown(Shutdown::Write).unwrap();
            ended.send(()).unwrap();
            assert_eq!(stream.read(&mut [0]).unwrap(), 0, "a request on a closed connection");
        }
        posts
    });
    let http = Http::new(&net(), &attempt());
    http.post(&request, text("1")).unwrap();
    gone.recv_timeout(LIMIT).unwrap();
    http.post(&request, text("2")).unwrap();
    drop(http);
    assert_eq!(server.join().unwrap(), [b"1", b"2"]);
}

#[test]
fn a_post_whose_answer_is_lost_is_an_error_and_not_repeated() {
    let (mut request, server) = serve(|listener| {
        let mut stream = accept(&listener);
        read_request(&mut stream);
        stream.write_all(answer("", "ok").as_bytes()).unwrap();
        read_request(&mut stream);
        drop(stream);
        listener.set_nonblocking(true).unwrap();
        listener
    });
    request.path_and_query.push_str("&sid=x");
    let http = Http::new(&net(), &attempt());
    http.post(&request, text("1")).unwrap();
    let error = http.post(&request, text("2")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transport, "{error}");
    assert!(server.join().unwrap().accept().is_err(), "a second connection");
}

#[test]
fn a_body_that_ends_early_is_an_error() {
    for answer in [
        "Content-Length: 10\r\n\r\n12345",
        "Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n",
        "Transfer-Encoding: chunked\r\n\r\n5\r\n123",
        "Transfer-Encoding: chunked\r\n\r\nnonsense",
    ] {
        let (request, http, server) = once(&format!("HTTP/1.1 200 OK\r\n{answer}"));
        let result = http.get(&request).unwrap();
        assert!(read_all(result).is_err(), "{answer}");
        drop(http);
        server.join().unwrap();
    }
}

#[test]
fn a_reset_is_never_the_end_of_a_body() {
    let (there, reset) = channel::<()>();
    let (request, server) = serve(move |listener| {
        let mut stream = accept(&listener);
        read_request(&mut stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n4half").unwrap();
        reset.recv_timeout(LIMIT).unwrap();
        rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
    });
    let http = Http::new(&net(), &attempt());
    let response = http.get(&request).unwrap();
    there.send(()).unwrap();
    server.join().unwrap();
    assert!(read_all(response).is_err());
}

#[test]
fn an_answer_that_is_no_http_is_an_error() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n12",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n12",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n12",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n12",
        "SSH-2.0-OpenSSH_9.2\r\n\r\n",
        "",
        "HTTP/1.1 200",
        "HTTP/1.1 999999 x\r\n\r\n",
    ] {
        let (request, http, server) = once(answer);
        let result = http.get(&request).and_then(|response| {
            read_all(response).map_err(|error| failed("the body").with_source(error))
        });
        let error = result.map(|body| (answer, body)).unwrap_err();
        let in_body = error.message() == "the body";
        let kind = if in_body { ErrorKind::Transport } else { ErrorKind::Connect(Stage::Http) };
        assert_eq!(error.kind(), kind, "{error}");
        drop(http);
        server.join().unwrap();
    }
}

#[test]
fn endless_headers_end_in_an_error() {
    for endless in ["X-A: b\r\n", "xxxxxxxxxxxxxxxx"] {
        let (request, server) = serve(move |listener| {
            let mut stream = accept(&listener);
            read_request(&mut stream);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n");
            while stream.write_all(endless.repeat(100).as_bytes()).is_ok() {}
        });
        let http = Http::new(&net(), &attempt());
        let error = http.get(&request).map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect(Stage::Http), "{error}");
        drop(http);
        server.join().unwrap();
    }
}

#[test]
fn an_answer_in_crumbs_is_whole() {
    let (request, server) = serve(|listener| {
        let mut stream = accept(&listener);
        read_request(&mut stream);
        for byte in answer("Content-Type: text/plain\r\n", "4crumbs").bytes() {
            stream.write_all(&[byte]).unwrap();
        }
    });
    assert_eq!(read_all(Http::new(&net(), &attempt()).get(&request).unwrap()).unwrap(), b"4crumbs");
    server.join().unwrap();
}

#[test]
fn a_refused_connection_keeps_its_own_error() {
    let (request, server) = serve(drop);
    server.join().unwrap();
    let error = Http::new(&net(), &attempt()).get(&request).map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect(Stage::Tcp));
}

#[test]
fn one_client_is_for_one_server() {
    let (request, http, server) = once(&answer("", "ok"));
    http.get(&request).map(drop).unwrap();
    let mut other = request.clone();
    other.endpoint.port ^= 1;
    let error = http.get(&other).map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    drop(http);
    server.join().unwrap();
}

#[test]
fn headers_that_cannot_be_sent_fail_before_dialling() {
    let (mut request, server) = serve(drop);
    server.join().unwrap();
    request.headers.push(("X-A".to_owned(), "1\r\nX-Evil: 1".to_owned()));
    let error = Http::new(&net(), &attempt()).get(&request).map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidOption, "{error}");
}

#[test]
fn a_cancellation_ends_waiting_for_headers() {
    for post in [false, true] {
        let (there, reached) = channel();
        let (request, server) = serve(silent(there));
        let attempt = cancel_ends(&reached, move |attempt| {
            let http = Http::new(&net(), attempt);
            if post { http.post(&request, text("4")) } else { http.get(&request).map(drop) }
        });
        assert_eq!(attempt.so_far().stage, Stage::Http);
        server.join().unwrap();
    }
}

/// Reads a body in a thread, which says when it has the headers; and what becomes of it.
fn read_body(request: Request, attempt: &Arc<Attempt>) -> Receiver<bool> {
    let (there, reached) = channel();
    let reader = Arc::clone(attempt);
    let ended = spawn(move || {
        let mut response = Http::new(&net(), &reader).get(&request).unwrap();
        there.send(()).unwrap();
        std::io::copy(&mut response.body, &mut std::io::sink()).is_ok()
    });
    reached.recv_timeout(LIMIT).unwrap();
    ended
}

#[test]
fn a_cancellation_ends_reading_a_body() {
    let silent = |stream: &mut TcpStream| drop(stream.read_to_end(&mut Vec::new()));
    let endless = |stream: &mut TcpStream| while stream.write_all(&[b'x'; 10_000]).is_ok() {};
    for then in [silent as fn(&mut TcpStream), endless] {
        let (request, server) = serve(move |listener| {
            let mut stream = accept(&listener);
            read_request(&mut stream);
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n4").unwrap();
            then(&mut stream);
        });
        let attempt = attempt();
        let ended = read_body(request, &attempt);
        attempt.waker().cancel();
        assert!(!ended.recv_timeout(LIMIT).unwrap(), "a body that was cut off is no success");
        server.join().unwrap();
    }
}
