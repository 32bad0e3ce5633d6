//! Servers that answer the handshake byte by byte.

use std::net::TcpListener;
use std::sync::mpsc::channel;

use super::*;
use crate::net::testing::{
    LIMIT, accept, accept_websocket, attempt, cancel_ends, header, net, read_head, request_to,
    serve, shake_hands_on, silent, spawn,
};
use crate::net::{Net, NetOptions};

/// What a client says to an answer; `{accept}` in it becomes the right key.
fn outcome(answer: &str, subprotocols: &[&str]) -> Result<()> {
    let answer = answer.to_owned();
    let (request, server) = serve(move |listener| {
        let mut stream = accept(&listener);
        let head = read_head(&mut stream);
        let key = header(&head, "sec-websocket-key").unwrap();
        let accept = tungstenite::handshake::derive_accept_key(key.as_bytes());
        stream.write_all(answer.replace("{accept}", &accept).as_bytes()).unwrap();
    });
    let options = NetOptions {
        max_message: 1000,
        subprotocols: subprotocols.iter().map(|&name| name.to_owned()).collect(),
        ..NetOptions::default()
    };
    let result = Net::new(options).unwrap().websocket(&request, &attempt()).map(drop);
    server.join().unwrap();
    result
}

const UPGRADE: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
                       Connection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n";

#[test]
fn the_request_has_what_servers_look_for_and_the_callers_headers_in_their_order() {
    let (mut request, server) = serve(|listener| {
        let mut stream = accept(&listener);
        read_head(&mut stream)
    });
    for (name, value) in [("X-B", "1"), ("x-a", "2"), ("X-B", "3"), ("User-Agent", "mine")] {
        request.headers.push((name.to_owned(), value.to_owned()));
    }
    net().websocket(&request, &attempt()).unwrap_err();
    let head = server.join().unwrap();
    assert!(head.starts_with("GET /socket.io/?EIO=4 HTTP/1.1\r\nHost: 127.0.0.1:"), "{head}");
    for line in ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"] {
        assert!(head.contains(&format!("{line}\r\n")), "{head}");
    }
    assert_eq!(header(&head, "user-agent"), Some("mine"));
    assert_eq!(head.to_lowercase().matches("user-agent").count(), 1, "{head}");
    let own: Vec<_> = head.lines().filter(|line| line.starts_with("x-")).collect();
    assert_eq!(own, ["x-b: 1", "x-b: 3", "x-a: 2"]);
}

#[test]
fn what_was_asked_before_the_thread_was_there_is_not_asked_again() {
    for ahead in [usize::MAX, 10] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let request = request_to(&listener, false);
        let (net, attempt) = (net(), attempt());
        let begun = net.begin_to(&request.endpoint).unwrap();
        let stream = accept(&listener);
        let upgrade = UpgradeRequest::new(&request, &[], None).unwrap();
        let asked = &upgrade.as_bytes()[..ahead.min(upgrade.size())];
        attempt.go_on_with(Some(begun.send(asked).unwrap()));
        let size = upgrade.size();
        let server = spawn(move || {
            let mut rest = Vec::new();
            shake_hands_on(stream).read_to_end(&mut rest).unwrap();
            rest
        });
        drop(net.go_on_to_websocket(&request, Some(upgrade), &attempt).unwrap());
        assert_eq!(server.recv_timeout(LIMIT).unwrap(), b"", "nothing comes behind the request");
        assert_eq!(attempt.take_passed().1, size, "each byte counts once");
    }
}

#[test]
fn headers_that_cannot_be_sent_fail_before_dialling() {
    let (mut request, server) = serve(drop);
    server.join().unwrap();
    request.headers.push(("X-A".to_owned(), "1\r\nX-Evil: 1".to_owned()));
    let error = net().websocket(&request, &attempt()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidOption, "{error}");
}

#[test]
fn an_answer_that_is_no_upgrade_is_named() {
    for (answer, parts) in [
        (
            "HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\n\r\n\
             {\"code\":4,\"message\":\"no token\"}",
            &["401", "Unauthorized", "no token (code 4)", "credentials"][..],
        ),
        ("HTTP/1.1 404 Nope\r\nContent-Type: text/html\r\n\r\n<h1>nginx", &["404", "nginx"]),
        (
            "HTTP/1.1 302 Found\r\nLocation: https://other/x\r\n\r\n",
            &["302", "https://other/x", "not followed"],
        ),
        ("HTTP/1.1 503 Busy\r\nRetry-After: 120\r\n\r\n", &["503", "`120`"]),
        ("HTTP/1.1 200 OK\r\n\r\nhello", &["200", "hello"]),
        (
            "HTTP/1.1 400 Bad Request\r\nTransfer-Encoding: chunked\r\n\r\n\
             22\r\n{\"code\":3,\"message\":\"Bad request\"}\r\n0\r\n\r\n",
            &["400", "Bad request (code 3)"],
        ),
        ("HTTP/1.0 503 Busy\r\n\r\nall is lost", &["503", "all is lost", "busy"]),
        ("HTTP/1.1 400 No\r\n\r\nno", &["400", "`path` option", "WebSocket"]),
        ("HTTP/1.1 304 Same\r\n\r\n", &["304", "cache"]),
        ("HTTP/1.1 100 Continue\r\n\r\n", &["within the head"]),
        ("SSH-2.0-OpenSSH_9.2\r\n\r\n", &["no HTTP", "`SSH-2.0-OpenSSH_9.2", "an SSH server"]),
        ("220 mx.example ESMTP\r\n", &["no HTTP", "`220 mx.example", "mail"]),
        ("\x15\x03\x03\0\x02\x02\x46", &["no HTTP", "speaks TLS", "`wss:`"]),
        ("HTTP/1.1 101 x\r\nA: b\r\n c\r\n\r\n", &["malformed"]),
        ("", &["closed the connection instead", "`path` option", "want TLS"]),
        ("HTTP/1.1 101 Switching", &["closed the connection"]),
        (&UPGRADE.replace("{accept}", "x"), &["closed the connection"]),
        (&(UPGRADE.replace("{accept}", "x") + "\r\n"), &["Sec-WebSocket-Accept"]),
        (&(UPGRADE.replace("Upgrade: websocket\r\n", "") + "\r\n"), &["Upgrade"]),
        (
            &(UPGRADE.to_owned() + "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"),
            &["extension"],
        ),
        (&(UPGRADE.to_owned() + "Sec-WebSocket-Protocol: mqtt\r\n\r\n"), &["subprotocol"]),
    ] {
        let error = outcome(answer, &[]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect(Stage::Http), "{answer}: {error}");
        let text = format!("{error:#}").to_lowercase();
        for part in parts {
            assert!(text.contains(&part.to_lowercase()), "{part} in {error}");
        }
    }
}

#[test]
fn a_cookie_of_the_answer_is_kept_and_comes_back_if_that_is_asked_for() {
    for with_credentials in [true, false] {
        let (mut request, server) = serve(|listener| {
            [UPGRADE, "HTTP/1.1 503 Busy\r\n", UPGRADE].map(|answer| {
                let mut stream = accept(&listener);
                let head = read_head(&mut stream);
                let key = header(&head, "sec-websocket-key").unwrap();
                let key = tungstenite::handshake::derive_accept_key(key.as_bytes());
                let name = if answer == UPGRADE { "lb" } else { "busy" };
                let answer = answer.replace("{accept}", &key);
                write!(stream, "{answer}Set-Cookie: {name}=1; Path=/\r\n\r\n").unwrap();
                head
            })
        });
        request.headers.push(("Cookie".to_owned(), "own=1".to_owned()));
        let options = NetOptions { with_credentials, ..NetOptions::default() };
        let net = Net::new(options).unwrap();
        for _ in 0..3 {
            let _ = net.websocket(&request, &attempt());
        }
        let heads = server.join().unwrap();
        let cookies = heads.each_ref().map(|head| header(head, "cookie").unwrap());
        if with_credentials {
            assert_eq!(cookies, ["own=1", "own=1; lb=1", "own=1; lb=1; busy=1"]);
        } else {
            assert_eq!(cookies, ["own=1"; 3]);
        }
    }
}

#[test]
fn an_upgrade_is_taken_in_every_form_that_it_may_have() {
    let usual = UPGRADE.to_owned() + "\r\n";
    let with = |connection: &str| usual.replace("Connection: Upgrade", connection);
    let early = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n";
    for answer in [
        usual.clone(),
        with("Connection: keep-alive, Upgrade"),
        with("Connection: keep-alive\r\nconnection: upgrade"),
        with("connection: UPGRADE, close"),
        usual.replace("Upgrade: websocket", "upgrade: WebSocket"),
        usual.replace("Switching Protocols", ""),
        usual.replace("\r\n", "\n"),
        format!("HTTP/1.1 100 Continue\r\n\r\n{early}{early}{usual}"),
    ] {
        outcome(&answer, &[]).unwrap_or_else(|error| panic!("{answer}: {error}"));
        let crumbs = serve_in_crumbs(&answer);
        crumbs.unwrap_or_else(|error| panic!("{answer}, in crumbs: {error}"));
    }
    let error = outcome(&usual.replace("HTTP/1.1", "HTTP/1.0"), &[]).unwrap_err();
    assert!(error.message().contains("HTTP/1.0"), "{error}");
}

/// What a client says to an answer that comes in single bytes.
fn serve_in_crumbs(answer: &str) -> Result<()> {
    let answer = answer.to_owned();
    let (request, server) = serve(move |listener| {
        let mut stream = accept(&listener);
        stream.set_nodelay(true).unwrap();
        let head = read_head(&mut stream);
        let key = header(&head, "sec-websocket-key").unwrap();
        let accept = tungstenite::handshake::derive_accept_key(key.as_bytes());
        for byte in answer.replace("{accept}", &accept).bytes() {
            stream.write_all(&[byte]).unwrap();
        }
    });
    let result = net().websocket(&request, &attempt()).map(drop);
    server.join().unwrap();
    result
}

#[test]
fn the_status_is_told_although_the_body_never_ends() {
    let (request, server) = serve(|listener| {
        let mut stream = accept(&listener);
        read_head(&mut stream);
        stream.write_all(b"HTTP/1.1 503 Busy\r\nContent-Length: 99\r\n\r\nwait").unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let error = net().websocket(&request, &attempt()).unwrap_err();
    assert!(error.to_string().contains("503") && error.to_string().contains("wait"), "{error}");
    server.join().unwrap();
}

#[test]
fn a_handshake_is_followed_to_another_path_of_the_same_server() {
    let (mut request, server) = serve(|listener| {
        let mut stream = accept(&listener);
        read_head(&mut stream);
        stream
            .write_all(b"HTTP/1.1 308 Moved\r\nLocation: /new/?x=y\r\nSet-Cookie: a=1\r\n\r\n")
            .unwrap();
        drop(stream);
        let mut stream = accept(&listener);
        let head = read_head(&mut stream);
        let key = header(&head, "sec-websocket-key").unwrap();
        let accept = tungstenite::handshake::derive_accept_key(key.as_bytes());
        let answer = UPGRADE.replace("{accept}", &accept) + "\r\n";
        stream.write_all(answer.as_bytes()).unwrap();
        head
    });
    request.headers.push(("X-Api-Key".to_owned(), "1".to_owned()));
    let options = NetOptions { with_credentials: true, ..NetOptions::default() };
    Net::new(options).unwrap().websocket(&request, &attempt()).unwrap();
    let head = server.join().unwrap();
    assert!(head.starts_with("GET /new/?EIO=4 HTTP/1.1\r\n"), "{head}");
    assert_eq!((header(&head, "x-api-key"), header(&head, "cookie")), (Some("1"), Some("a=1")));
}

#[test]
fn a_subprotocol_that_was_asked_for_is_taken() {
    let answer = UPGRADE.to_owned() + "Sec-WebSocket-Protocol: b\r\n\r\n";
    outcome(&answer, &["a", "b"]).unwrap();
    outcome(&answer, &["a"]).unwrap_err();
}

#[test]
fn endless_headers_end_in_an_error() {
    let (request, server) = serve(|listener| {
        let mut stream = accept(&listener);
        read_head(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 101 OK\r\n");
        while stream.write_all(&[b'x'; 1000]).is_ok() {}
    });
    let error = net().websocket(&request, &attempt()).unwrap_err();
    assert!(error.message().contains("longer than 65536 bytes"), "{error}");
    assert_eq!(error.kind(), ErrorKind::Connect(Stage::Http), "{error}");
    server.join().unwrap();
}

#[test]
fn a_cancellation_ends_the_handshake() {
    let (there, reached) = channel();
    let (request, server) = serve(silent(there));
    let attempt = cancel_ends(&reached, move |attempt| net().websocket(&request, attempt));
    assert_eq!(attempt.so_far().stage, Stage::Http);
    server.join().unwrap();
}

#[test]
fn a_message_right_behind_the_handshake_is_not_lost() {
    let (request, server) = serve(|listener| {
        let mut stream = accept_websocket(&listener);
        stream.write_all(b"\x81\x01x").unwrap();
        stream
    });
    let attempt = attempt();
    let mut websocket = net().websocket(&request, &attempt).unwrap();
    let stream = server.join().unwrap();
    loop {
        use crate::net::websocket::Received;
        match websocket.read().unwrap() {
            Received::Nothing => {
                websocket.interest(true, true).wait(attempt.waker(), None).unwrap();
            }
            other => {
                let frame = crate::proto::dialect::Frame::Text("x".into());
                assert_eq!(other, Received::Frame(frame));
                break;
            }
        }
    }
    drop(stream);
}
