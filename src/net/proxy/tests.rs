//! Proxies made byte by byte.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::channel;
use std::thread::JoinHandle;

use super::*;
use crate::error::Stage;
use crate::net::testing::{LIMIT, accept, attempt, cancel_ends, header, read_head, silent, spawn};
use crate::net::{Net, NetOptions, Request};
use crate::options::Timeouts;

/// A network whose way leads through this proxy.
fn net(proxy: Proxy) -> std::sync::Arc<Net> {
    let proxy = ProxyChoice::Given(proxy);
    let options = NetOptions { proxy, max_message: 1000, ..NetOptions::default() };
    std::sync::Arc::new(Net::new(options).unwrap())
}

/// A request to a server that only the proxy could know.
fn request() -> Request {
    Request {
        endpoint: Endpoint { secure: false, host: "server.example".to_owned(), port: 4000 },
        path_and_query: "/socket.io/".to_owned(),
        headers: Vec::new(),
    }
}

/// Runs a proxy, which also plays the server behind it.
fn serve<T: Send + 'static>(
    run: impl FnOnce(TcpStream) -> T + Send + 'static,
) -> (u16, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (port, std::thread::spawn(move || run(accept(&listener))))
}

/// Answers the WebSocket handshake that comes out of the tunnel.
fn upgrade(stream: &mut TcpStream) {
    let head = read_head(stream);
    assert_eq!(header(&head, "host"), Some("server.example:4000"));
    let key = header(&head, "sec-websocket-key").unwrap();
    let accept = tungstenite::handshake::derive_accept_key(key.as_bytes());
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    stream.write_all(answer.as_bytes()).unwrap();
}

/// Reads exactly these bytes.
fn expect(stream: &mut TcpStream, bytes: &[u8]) {
    let mut read = vec![0; bytes.len()];
    stream.read_exact(&mut read).unwrap();
    assert_eq!(read, bytes);
}

/// What a client says to a proxy that answers like this.
fn refusal(proxy: impl Fn(u16) -> Proxy, answers: &[&[u8]]) -> Error {
    let answers: Vec<Vec<u8>> = answers.iter().map(|answer| answer.to_vec()).collect();
    let (port, thread) = serve(move |mut stream| {
        for answer in answers {
            let _ = stream.read(&mut [0; 1000]);
            let _ = stream.write_all(&answer);
        }
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let error = net(proxy(port)).websocket(&request(), &attempt()).unwrap_err();
    thread.join().unwrap();
    assert_eq!(error.kind(), ErrorKind::Connect(Stage::Proxy), "{error}");
    assert!(error.message().contains(&format!("127.0.0.1:{port}")), "{error}");
    error
}

#[test]
fn an_http_proxy_is_asked_for_the_server_with_basic_authentication() {
    let (port, proxy) = serve(|mut stream| {
        let head = read_head(&mut stream);
        stream.write_all(b"HTTP/1.0 200 Connection established\r\nVia: x\r\n\r\n").unwrap();
        upgrade(&mut stream);
        head
    });
    let chosen = Proxy::http("127.0.0.1", port).credentials("me", "pass:word");
    net(chosen).websocket(&request(), &attempt()).unwrap();
    let head = proxy.join().unwrap();
    assert!(head.starts_with("CONNECT server.example:4000 HTTP/1.1\r\n"), "{head}");
    assert_eq!(header(&head, "host"), Some("server.example:4000"));
    assert_eq!(header(&head, "proxy-authorization"), Some("Basic bWU6cGFzczp3b3Jk"));
}

#[test]
fn a_refusal_of_an_http_proxy_is_told_in_its_words() {
    let plain = |port| Proxy::http("127.0.0.1", port);
    let with = |port| plain(port).credentials("me", "secret");
    let basic: &[u8] = b"HTTP/1.1 407 Auth\r\nProxy-Authenticate: Basic realm=x\r\n\r\ngo away";
    let error = refusal(plain, &[basic]);
    assert!(error.message().contains("407 Auth") && error.message().contains("go away"), "{error}");
    assert!(error.hint().unwrap().contains("Proxy::credentials"), "{error}");
    assert!(error.is_fatal());
    let error = refusal(with, &[basic]);
    assert!(error.hint().unwrap().contains("right?"), "{error}");
    assert!(!format!("{error} {error:?}").contains("secret"));
    let busy: &[u8] = b"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\n\r\n";
    assert_eq!(refusal(plain, &[busy]).retry_after(), Some(std::time::Duration::from_secs(7)));
    let other: &[u8] = b"HTTP/1.1 407 x\r\nproxy-authenticate: NTLM\r\n\r\n";
    assert!(refusal(with, &[other]).hint().unwrap().contains("NTLM"));
    for (answer, part) in [
        (&b"HTTP/1.1 403 Forbidden\r\n\r\n"[..], "443 only"),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", "cannot reach the server"),
        (b"HTTP/1.1 2xx OK\r\n\r\n", "does not answer in HTTP"),
        (b"SSH-2.0-x\r\n", "does not answer in HTTP"),
        (b"HTTP/1.1 200 OK\r\n\r\nmore", "into the tunnel"),
        (b"HTTP/1.1 200 O", "closed the connection"),
        (b"", "closed the connection"),
    ] {
        let error = refusal(plain, &[answer]);
        assert!(error.to_string().contains(part), "{part}: {error}");
        assert!(!error.is_fatal());
    }
}

#[test]
fn an_endless_answer_of_a_proxy_is_cut() {
    let (port, proxy) = serve(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n");
        while stream.write_all(&[b'x'; 1000]).is_ok() {}
    });
    let error = net(Proxy::http("127.0.0.1", port)).websocket(&request(), &attempt()).unwrap_err();
    assert!(error.message().contains("longer than"), "{error}");
    proxy.join().unwrap();
}

#[test]
fn a_socks_proxy_is_asked_by_name_with_or_without_a_password() {
    for with_password in [false, true] {
        let (port, proxy) = serve(move |mut stream| {
            if with_password {
                expect(&mut stream, &[5, 2, 0, 2]);
                stream.write_all(&[5, 2]).unwrap();
                expect(&mut stream, b"\x01\x02me\x04pass");
                stream.write_all(&[1, 0]).unwrap();
            } else {
                expect(&mut stream, &[5, 1, 0]);
                stream.write_all(&[5, 0]).unwrap();
            }
            expect(&mut stream, b"\x05\x01\x00\x03\x0eserver.example\x0f\xa0");
            // The address that a proxy tells may have any form.
            stream.write_all(b"\x05\x00\x00\x03\x02ab\x00\x01").unwrap();
            upgrade(&mut stream);
        });
        let mut chosen = Proxy::socks5("127.0.0.1", port);
        if with_password {
            chosen = chosen.credentials("me", "pass");
        }
        net(chosen).websocket(&request(), &attempt()).unwrap();
        proxy.join().unwrap();
    }
}

#[test]
fn a_refusal_of_a_socks_proxy_is_told() {
    let plain = |port| Proxy::socks5("127.0.0.1", port);
    let with = |port| plain(port).credentials("me", "secret");
    let ok: &[u8] = &[5, 0];
    for (answers, part) in [
        (&[&b"\x05\xff"[..]][..], "Proxy::credentials"),
        (&[b"\x05\x02"], "not offered"),
        (&[b"HTTP/1.1 400"], "does not answer in SOCKS5"),
        (&[ok, &[5, 5, 0, 1, 0]], "connection refused (code 5)"),
        (&[ok, &[5, 2, 0, 1, 0]], "rules forbid"),
        (&[ok, &[5, 99, 0, 1, 0]], "(code 99)"),
        (&[ok, &[4, 0, 0, 1, 0]], "does not answer in SOCKS5"),
        (&[ok, &[5, 0, 0, 9, 0]], "does not answer in SOCKS5"),
        (&[ok, &[5, 0, 0]], "closed the connection"),
    ] {
        let error = refusal(plain, answers);
        assert!(error.to_string().contains(part), "{part}: {error}");
    }
    let error = refusal(with, &[&[5, 2], &[1, 1]]);
    assert!(error.message().contains("refused the user name"), "{error}");
    assert!(error.is_fatal() && !format!("{error:?}").contains("secret"));
}

#[test]
fn a_proxy_that_is_away_is_an_error_of_the_proxy() {
    let (port, proxy) = serve(drop);
    drop(TcpStream::connect(("127.0.0.1", port)).unwrap());
    proxy.join().unwrap();
    let error = net(Proxy::http("127.0.0.1", port)).websocket(&request(), &attempt()).unwrap_err();
    assert_eq!(error.stage(), Some(Stage::Proxy), "{error}");
    assert!(error.to_string().contains("refused"), "{error}");
}

#[test]
fn a_cancellation_or_the_limit_ends_the_wait_for_a_proxy() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (there, reached) = channel();
    let silent = std::thread::spawn(move || silent(there)(listener));
    let attempt_of = cancel_ends(&reached, move |attempt| {
        net(Proxy::http("127.0.0.1", port)).websocket(&request(), attempt)
    });
    assert_eq!(attempt_of.so_far().stage, Stage::Proxy);
    silent.join().unwrap();

    let (port, proxy) = serve(|mut stream| stream.read_to_end(&mut Vec::new()));
    let options = NetOptions {
        proxy: ProxyChoice::Given(Proxy::socks5("127.0.0.1", port)),
        timeouts: Timeouts::new().proxy(std::time::Duration::from_millis(50)),
        ..NetOptions::default()
    };
    let ended =
        spawn(move || Net::new(options).unwrap().websocket(&request(), &attempt()).map(drop));
    let error = ended.recv_timeout(LIMIT).unwrap().unwrap_err();
    assert_eq!((error.is_timeout(), error.stage()), (true, Some(Stage::Proxy)));
    assert_eq!(error.address().unwrap().port(), port);
    proxy.join().unwrap().unwrap();
}
