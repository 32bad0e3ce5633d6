//! The way to the server: cookies, delays that it asks for, limits, and secrets that stay secret.

#[cfg(feature = "polling")]
use std::io::{Read, Write};
use std::net::{IpAddr, TcpListener};
#[cfg(feature = "polling")]
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};
use siot::{
    Builder, ErrorKind, ManagerEvent, Proxy, Socket, SocketOptions, Stage, Timeouts, Transport,
};

use crate::support::logged::{capture_log, logged};
#[cfg(feature = "polling")]
use crate::support::raw::{RawConnection, RawPeer};
use crate::support::{Client, LIMIT, Server, TRANSPORTS, alone, failure, recv_within};

const MS: Duration = Duration::from_millis(1);

fn builder(server: &Server) -> Builder {
    Builder::new(server.url())
        .force_new(true)
        .no_proxy()
        .reconnection_delay(10 * MS)
        .reconnection_delay_max(20 * MS)
}

fn connect(builder: Builder) -> Socket {
    let socket = builder.build().unwrap();
    socket.wait_connected(LIMIT).unwrap();
    socket
}

/// The `Cookie` headers of each request.
#[cfg(feature = "polling")]
fn cookies(server: &Server) -> Vec<Vec<String>> {
    let of = |request: &Value| {
        let raw = request["rawHeaders"].as_array().unwrap();
        let pairs =
            raw.chunks(2).filter(|pair| pair[0].as_str().unwrap().eq_ignore_ascii_case("cookie"));
        pairs.map(|pair| pair[1].as_str().unwrap().to_owned()).collect()
    };
    server.entries("requests").iter().map(of).collect()
}

#[cfg(feature = "polling")]
#[test]
fn cookies_are_kept_over_reconnections_and_shared_by_the_transports() {
    let server = Server::start(json!({
        "setCookies": ["lb=node-1; Path=/; HttpOnly", "gone=1; Max-Age=0", "tls=1; Secure"],
    }));
    let client = Client::start(
        builder(&server).with_credentials(true).extra_header("Cookie", "own=1; lb=old"),
    );
    for round in 0..2 {
        client.upgraded();
        let seen = cookies(&server);
        // That of the handshake and that of the WebSocket; how many come between is chance.
        assert!(seen.len() >= 2, "{seen:?}");
        for (index, cookies) in seen.iter().enumerate() {
            let first = round == 0 && index == 0;
            let expected = if first { "own=1; lb=old" } else { "own=1; lb=node-1" };
            assert_eq!(cookies, &[expected], "request {index} of round {round}");
        }
        if round == 0 {
            server.cmd("reset");
            server.cmd("drop");
        }
    }
}

/// The milliseconds between the first two requests of a client whose first one is answered so.
fn gap_after(answer: &Value, builder: impl Fn(&Server) -> Builder) -> i64 {
    let server = Server::start(json!({}));
    let mut command = answer.clone();
    command["cmd"] = json!("answer");
    server.command(command);
    let _socket = connect(builder(&server).transports([Transport::WebSocket]));
    let requests = server.entries("requests");
    requests[1]["at"].as_i64().unwrap() - requests[0]["at"].as_i64().unwrap()
}

#[test]
fn a_busy_server_is_left_alone_for_as_long_as_it_asks() {
    let busy = json!({ "status": 503, "headers": { "Retry-After": "4" } });
    let gap = gap_after(&busy, builder);
    assert!(gap >= 3999, "{gap} ms");
    let gap = gap_after(&json!({ "status": 503 }), builder);
    assert!(gap < 3900, "{gap} ms");
}

#[test]
fn wrong_credentials_are_repeated_at_the_slowest() {
    let slow = |server: &Server| builder(server).reconnection_delay_max(700 * MS);
    let gap = gap_after(&json!({ "status": 401 }), slow);
    assert!(gap >= 699, "{gap} ms");
}

#[test]
fn a_stage_that_takes_too_long_ends_the_attempt_and_is_named() {
    let server = Server::start(json!({}));
    for &transport in TRANSPORTS {
        server.command(json!({ "cmd": "answer", "hang": true }));
        let timeouts = Timeouts::new().http(100 * MS);
        let error = failure(builder(&server).transports([transport]).timeouts(timeouts));
        assert_eq!(error.kind(), ErrorKind::Connect(Stage::Http), "{error}");
        assert!(error.is_timeout(), "{error}");
        assert_eq!(error.address().unwrap().port(), server.port());
        assert!(error.elapsed().unwrap() >= 100 * MS);
    }
}

#[test]
fn a_limit_on_the_first_answer_does_not_end_a_quiet_session() {
    let server = Server::version(4, json!({ "pingInterval": 3000 }));
    let socket = builder(&server).upgrade(false).timeouts(Timeouts::new().http(2000 * MS));
    #[cfg(not(feature = "polling"))]
    let socket = socket.transports([Transport::WebSocket]);
    let socket = connect(socket);
    let news = socket.manager().events();
    for _ in 0..2 {
        let event = recv_within(news.receiver(), LIMIT);
        assert!(matches!(event, ManagerEvent::Ping), "{event:?}");
    }
}

#[test]
fn connections_come_from_the_address_that_was_asked_for() {
    let server = Server::start(json!({}));
    let local: IpAddr = "127.0.0.5".parse().unwrap();
    let _socket = connect(builder(&server).local_address(local).interface("lo"));
    let error = failure(builder(&server).local_address("192.0.2.1".parse::<IpAddr>().unwrap()));
    assert_eq!(error.stage(), Some(Stage::Tcp), "{error}");
    assert!(error.message().contains("192.0.2.1"), "{error}");
}

#[test]
fn an_attempt_tells_the_stages_that_it_comes_to() {
    let server = Server::start(json!({}));
    let client = Client::start(builder(&server).transports([Transport::WebSocket]));
    let mut stages = Vec::new();
    loop {
        match recv_within(client.news.receiver(), LIMIT) {
            ManagerEvent::Stage(stage) => stages.push(stage),
            ManagerEvent::Open => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(stages, [Stage::Dns, Stage::Tcp, Stage::Http, Stage::Engine]);
}

/// In every place that takes a secret, one that begins like this.
const SECRET: &str = "s3cr3t";

fn secretive(server: &Server, transport: Transport) -> Builder {
    builder(server)
        .transports([transport])
        .with_credentials(true)
        .query("token", format!("{SECRET} query"))
        .extra_header("Authorization", format!("Bearer {SECRET}-header"))
        .extra_header("Cookie", format!("sid={SECRET}-cookie"))
        .auth(json!({ "token": format!("{SECRET}-auth") }))
}

#[test]
fn secrets_are_in_no_log_no_error_and_no_debug() {
    alone(|| {
        capture_log(log::LevelFilter::Debug);
        let mut said = Vec::new();
        let cookie = format!("server={SECRET}-set; Path=/");
        let server = Server::start(json!({ "setCookies": [cookie] }));
        for &transport in TRANSPORTS {
            let builder = secretive(&server, transport);
            said.push(format!("{builder:?}"));
            let client = Client::start(builder);
            client.wait_connected(LIMIT).unwrap();
            said.push(format!("{:?} {:?}", client.socket, client.manager()));
            client.manager().close_engine();
            client.wait_for("the reconnection", |e| matches!(e, ManagerEvent::Reconnect(_)));
            said.push(format!("{:?}", client.status.try_recv()));
            client.manager().close(LIMIT);
            // A server that repeats what it was asked.
            let echo = format!("Cannot GET /?token={SECRET}%20query with {SECRET}-header");
            for status in [302, 400] {
                let location = format!("https://h/?token={SECRET}-elsewhere");
                let headers = json!({ "Location": location, "Content-Type": "text/plain" });
                server.command(
                    json!({ "cmd": "answer", "status": status, "headers": headers, "body": echo }),
                );
                let error = failure(secretive(&server, transport));
                assert_eq!(error.stage(), Some(Stage::Http), "{error}");
                said.push(format!("{error} {error:?}"));
            }
            // A proxy that does the same, and one that is away.
            for proxy in [Proxy::http("127.0.0.1", server.port()), Proxy::socks5("127.0.0.1", 1)] {
                let proxy = proxy.credentials("me", format!("{SECRET}-proxy"));
                let error = failure(secretive(&server, transport).proxy(proxy));
                assert_eq!(error.stage(), Some(Stage::Proxy), "{error}");
                said.push(format!("{error} {error:?}"));
            }
        }
        let logged = logged().concat();
        assert!(logged.contains("siot"), "nothing was logged");
        for (what, text) in [("logged", logged), ("said", said.concat())] {
            assert!(!text.contains(SECRET), "{what}: {text}");
            assert!(!text.contains("czNjcjN0"), "{what}, in base64: {text}");
        }
    });
}

#[test]
fn a_server_that_hangs_up_is_an_error_of_the_first_request() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = std::io::Read::read(&mut stream, &mut [0; 1000]);
        }
    });
    for &transport in TRANSPORTS {
        let error = failure(Builder::new(&url).force_new(true).no_proxy().transports([transport]));
        assert_eq!(error.stage(), Some(Stage::Http), "{error}");
        assert!(error.hint().is_some() && !error.is_fatal(), "{error}");
    }
}

#[test]
fn a_redirection_is_not_followed_and_nobody_else_gets_the_headers() {
    let (server, elsewhere) = (Server::start(json!({})), Server::start(json!({})));
    for &transport in TRANSPORTS {
        for status in [301, 302, 307, 308] {
            let location = format!("{}/socket.io/?EIO=4", elsewhere.url());
            let headers = json!({ "Location": location });
            server.command(json!({ "cmd": "answer", "status": status, "headers": headers }));
            let error = failure(
                builder(&server).transports([transport]).extra_header("X-Api-Key", "for one only"),
            );
            assert_eq!(error.stage(), Some(Stage::Http), "{error}");
            assert!(error.message().contains(&elsewhere.url()), "{error}");
            // What else sends people elsewhere.
            assert!(error.hint().unwrap().contains("login page"), "{error}");
        }
    }
    assert_eq!(elsewhere.entries("requests"), [Value::Null; 0]);
}

/// A relay before a server that ends each connection behind its answer, and does not say so. It does
/// while the next request is on its way, if one comes soon.
#[cfg(feature = "polling")]
fn hasty_relay(server: &Server) -> RawPeer {
    let port = server.port();
    RawPeer::start(move |mut connection: RawConnection| {
        let request = connection.read_request()?;
        let mut behind = TcpStream::connect(("127.0.0.1", port))?;
        let (method, target, length) = (&request.method, &request.target, request.body.len());
        let kind = request.header("content-type").unwrap_or("text/plain");
        let head = format!(
            "{method} {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: {kind}\r\n\
             Content-Length: {length}\r\n\r\n"
        );
        behind.write_all(&[head.as_bytes(), &request.body].concat())?;
        let mut answer = Vec::new();
        behind.read_to_end(&mut answer)?;
        let answer = String::from_utf8_lossy(&answer).replace("Connection: close\r\n", "");
        connection.write(answer.as_bytes())?;
        connection.stream().set_read_timeout(Some(50 * MS))?;
        let _ = connection.stream().peek(&mut [0]);
        connection.stream().shutdown(Shutdown::Write)
    })
}

#[cfg(feature = "polling")]
#[test]
fn a_server_that_ends_each_connection_behind_its_answer_keeps_its_sessions() {
    let server = Server::start(json!({}));
    let relay = hasty_relay(&server);
    let builder = Builder::new(relay.url()).force_new(true).no_proxy();
    let client = Client::start(builder.transports([Transport::Polling]));
    for number in 0..20 {
        assert_eq!(client.ask::<u32>("echo", number), number);
    }
    assert_eq!(server.sessions(), 1);
}

#[test]
fn options_that_are_shown_have_no_secrets_in_them() {
    let auth = || json!({ "token": format!("{SECRET}-auth") });
    let proxy = Proxy::http("proxy.test", 3128).credentials("me", SECRET);
    let builder = Builder::new(format!("http://server.test/?token={SECRET}"))
        .auth(auth())
        .query("key", SECRET)
        .extra_header("Cookie", SECRET)
        .proxy(proxy.clone())
        .auto_connect(false);
    let of_socket = SocketOptions::new().auth(auth());
    let mut said = vec![format!("{builder:?} {proxy:?} {proxy} {of_socket:?}")];
    let socket = builder.build().unwrap();
    said.push(format!("{socket:?} {:?}", socket.manager()));
    // What is no URL may still be a secret.
    for url in [
        format!("http://me:{SECRET}@server.test"),
        format!("http://server.test:{SECRET}"),
        format!("http://[{SECRET}"),
        format!("ftp://server.test/?token={SECRET}"),
        SECRET.to_owned(),
    ] {
        let error = Builder::new(url).build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidUrl, "{error}");
        said.push(format!("{error} {error:?}"));
    }
    assert!(!said.concat().contains(SECRET), "{said:?}");
}
