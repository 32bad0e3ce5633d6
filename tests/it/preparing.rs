//! Attempts that are made afresh: by a function that is asked before each, by an update from a callback.

use std::error::Error as _;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{RecvTimeoutError, bounded, unbounded};
use serde_json::{Value as Json, json};
use siot::{
    AttemptInfo, Builder, Error, ErrorKind, ManagerEvent, SocketOptions, Stage, Status, Update,
};

use crate::support::{Client, LIMIT, Server, Via, alone, over_each_transport, recv_within};

over_each_transport!(
    every_request_of_a_session_carries_what_its_attempt_was_made_with,
    each_attempt_is_asked_for_and_told_what_it_is,
    a_failure_is_the_programs_own_and_the_next_attempt_asks_again,
    what_cannot_be_used_is_no_attempt_and_changes_nothing,
    another_server_is_gone_to_without_the_cookies_of_the_first,
    an_update_from_a_callback_of_an_attempt_is_in_that_attempt,
    an_update_for_another_server_tells_the_old_one_nothing,
);

/// Who fails without a limit of the test's is to be seen by it.
const SOON: Duration = Duration::from_secs(5);

fn requests(server: &Server) -> Vec<Json> {
    server.entries("requests")
}

fn every_request_of_a_session_carries_what_its_attempt_was_made_with(via: Via) {
    let server = Server::start(json!({}));
    let numbers = AtomicU32::new(0);
    let client = Client::connect(
        via.builder(server.url())
            .query("token", "usual")
            .extra_header("authorization", "usual")
            .before_attempt(move |_| {
                let number = numbers.fetch_add(1, Ordering::SeqCst);
                let update =
                    Update::new().extra_header("Authorization", format!("Bearer {number}"));
                Ok::<_, Error>(update.query("token", format!("t{number}")))
            }),
    );
    for number in 0..2 {
        if via == Via::Upgrade {
            client.upgraded();
        }
        client.works();
        for request in requests(&server) {
            assert_eq!(request["headers"]["authorization"], format!("Bearer {number}"));
            let url = request["url"].as_str().unwrap();
            assert!(url.contains(&format!("token=t{number}")) && !url.contains("usual"), "{url}");
        }
        if number == 0 {
            client.emit("close-engine", ()).unwrap();
            client.disconnected();
            // With the last request of the first session, and before the first of the second.
            server.cmd("reset");
            client.connected();
        }
    }
}

fn each_attempt_is_asked_for_and_told_what_it_is(via: Via) {
    let server = Server::start(json!({}));
    let (tell, told) = unbounded();
    let client = Client::connect(via.builder(server.url()).before_attempt(move |attempt| {
        tell.send(attempt.clone()).unwrap();
        Ok::<_, Error>(Update::new())
    }));
    let of = |attempt: AttemptInfo| (attempt.number(), attempt.url().to_owned());
    let url = format!("ws://127.0.0.1:{}", server.port());
    let first = recv_within(&told, LIMIT);
    assert!(first.last_error().is_none());
    assert_eq!(of(first), (0, url.clone()));
    server.stop();
    client.disconnected();
    assert_eq!(of(recv_within(&told, LIMIT)), (1, url.clone()));
    // How far an attempt comes while a server ends is chance.
    let failure = client.connect_error();
    let second = recv_within(&told, LIMIT);
    assert_eq!(second.last_error().map(ToString::to_string), Some(failure.to_string()));
    assert_eq!(of(second), (2, url));
    server.restart();
    client.reconnected();
}

fn a_failure_is_the_programs_own_and_the_next_attempt_asks_again(via: Via) {
    let server = Server::start(json!({}));
    let asked = AtomicU32::new(0);
    let client = Client::start(via.builder(server.url()).before_attempt(move |_| {
        match asked.fetch_add(1, Ordering::SeqCst) {
            0 => Err(io::Error::new(io::ErrorKind::PermissionDenied, "no token today")),
            1 => panic!("a panic that the test wants"),
            _ => Ok(Update::new()),
        }
    }));
    let error = client.connect_error();
    assert_eq!(error.kind(), ErrorKind::Connect(Stage::Prepare));
    assert!(error.message().contains("before_attempt"), "{error}");
    let source = error.source().unwrap().downcast_ref::<io::Error>().unwrap();
    assert_eq!(source.kind(), io::ErrorKind::PermissionDenied);
    let error = client.connect_error();
    assert_eq!(error.stage(), Some(Stage::Prepare), "{error}");
    assert!(error.to_string().contains("panicked"), "{error}");
    client.connected();
    client.works();
    assert_eq!(client.manager().engine().map(|engine| engine.id.is_some()), Some(true));
}

fn what_cannot_be_used_is_no_attempt_and_changes_nothing(via: Via) {
    let server = Server::start(json!({}));
    let asked = AtomicU32::new(0);
    let good = || Update::new().extra_header("x-good", "1").connect_timeout(Some(SOON));
    let client = Client::start(via.builder(server.url()).before_attempt(move |_| {
        let update = match asked.fetch_add(1, Ordering::SeqCst) {
            0 => good().query("EIO", "3"),
            1 => good().extra_header("x-bad", "a\nb"),
            2 => good().url("http://127.0.0.1/admin"),
            3 => good().url("127.0.0.1:80"),
            4 => good().url("http://127.0.0.1?sid=1"),
            5 => good().transports([]),
            _ => Update::new(),
        };
        Ok::<_, Error>(update)
    }));
    for word in ["EIO", "x-bad", "/admin", "scheme", "sid", "transport"] {
        let error = client.connect_error();
        assert_eq!(error.kind(), ErrorKind::Connect(Stage::Prepare));
        let source = error.source().unwrap().downcast_ref::<siot::Error>().unwrap();
        assert!(source.to_string().contains(word), "{word}: {source}");
        assert!(!error.is_fatal(), "{error}");
    }
    client.connected();
    client.works();
    assert!(requests(&server).iter().all(|request| request["headers"]["x-good"].is_null()));
    assert_ne!(client.manager().connect_timeout(), Some(SOON));
}

fn another_server_is_gone_to_without_the_cookies_of_the_first(via: Via) {
    let first = Server::start(json!({ "setCookies": ["route=first"] }));
    let second = Server::start(json!({ "setCookies": ["route=second"] }));
    let turn = Arc::new(AtomicU32::new(0));
    // Two names of this machine.
    let urls = [first.url(), format!("http://localhost:{}", second.port())];
    let builder = via.builder("http://127.0.0.1:1").with_credentials(true).before_attempt({
        let turn = Arc::clone(&turn);
        move |_| {
            let url = &urls[turn.load(Ordering::SeqCst) as usize % 2];
            Ok::<_, Error>(Update::new().url(url))
        }
    });
    let client = Client::connect(builder);
    for number in 0..4_u32 {
        let (server, name) = [(&first, "first"), (&second, "second")][number as usize % 2];
        client.works();
        let cookies: Vec<_> =
            requests(server).iter().map(|request| request["headers"]["cookie"].clone()).collect();
        let own = json!(format!("route={name}"));
        assert!(cookies.iter().all(|cookie| cookie.is_null() || *cookie == own), "{cookies:?}");
        // Those of its own are still there.
        let has_got_some = number >= 2 && via != Via::WebSocket;
        assert!(!has_got_some || cookies.contains(&own), "{cookies:?}");
        server.cmd("reset");
        turn.store(number + 1, Ordering::SeqCst);
        client.emit("close-engine", ()).unwrap();
        client.disconnected();
        client.reconnected();
    }
}

fn an_update_from_a_callback_of_an_attempt_is_in_that_attempt(via: Via) {
    let server = Server::start(json!({}));
    let client = Client::connect(via.builder(server.url()).extra_header("x-attempt", "0"));
    let manager = client.manager().clone();
    let callback = client.manager().on_event(move |event| {
        if let ManagerEvent::ReconnectAttempt(number) = event {
            // Later than any thread would take to dial.
            std::thread::sleep(Duration::from_millis(50));
            manager.update(Update::new().extra_header("x-attempt", number.to_string())).unwrap();
        }
    });
    let callback = callback.unwrap();
    for _ in 0..3 {
        client.emit("close-engine", ()).unwrap();
        client.disconnected();
        server.cmd("reset");
        client.reconnected();
        let seen: Json = client.ask("handshake", ());
        assert_eq!(seen["headers"]["x-attempt"], "1");
        client.manager().update(Update::new().extra_header("x-attempt", "0")).unwrap();
    }
    // The callback holds the manager.
    client.manager().off(callback);
}

fn an_update_for_another_server_tells_the_old_one_nothing(via: Via) {
    let (old, new) = (Server::start(json!({})), Server::start(json!({})));
    let client = Client::connect(via.builder(format!("{}?of=old", old.url())).query("n", "1"));
    if via == Via::Upgrade {
        client.upgraded();
    }
    let url = format!("{}?of=new", new.url());
    let update = Update::new().url(url).extra_header("authorization", "new").query("n", "2");
    client.manager().update(update).unwrap();
    client.works();
    for request in requests(&old) {
        assert!(request["headers"]["authorization"].is_null(), "{request}");
        assert!(request["url"].as_str().unwrap().contains("n=1"), "{request}");
    }
    client.emit("close-engine", ()).unwrap();
    client.disconnected();
    client.reconnected();
    client.works();
    assert_eq!((old.sessions(), new.sessions()), (0, 1));
    let seen: Json = client.ask("handshake", ());
    assert_eq!(seen["headers"]["authorization"], "new");
    assert_eq!((&seen["query"]["n"], &seen["query"]["of"]), (&json!("2"), &json!("new")));
}

#[test]
fn a_function_that_hangs_has_one_thread_and_answers_the_latest_attempt() {
    alone(|| {
        let server = Server::start(json!({}));
        let (release, gate) = bounded::<()>(0);
        let (asking, asked) = unbounded();
        let builder = Via::WebSocket.builder(server.url());
        let builder =
            builder.connect_timeout(Duration::from_secs(1)).before_attempt(move |attempt| {
                asking.send(attempt.number()).unwrap();
                let _ = gate.recv();
                Ok::<_, Error>(Update::new().extra_header("x-late", "1"))
            });
        let client = Client::start(builder);
        assert_eq!(recv_within(&asked, LIMIT), 0);
        for _ in 0..3 {
            let error = client.connect_error();
            assert_eq!((error.stage(), error.is_timeout()), (Some(Stage::Prepare), true));
            assert!(error.message().contains("before_attempt"), "{error}");
        }
        let threads = std::fs::read_dir("/proc/self/task").unwrap().filter(|task| {
            let comm = task.as_ref().unwrap().path().join("comm");
            std::fs::read_to_string(comm).is_ok_and(|name| name.trim() == "siot-auth")
        });
        assert_eq!((threads.count(), asked.try_recv().is_err()), (1, true));
        assert!(requests(&server).is_empty());
        drop(release);
        client.reconnected();
        let seen: Json = client.ask("handshake", ());
        assert_eq!(seen["headers"]["x-late"], "1");
    });
}

#[test]
fn who_leaves_while_the_function_runs_waits_for_nothing() {
    let server = Server::start(json!({}));
    for close in [false, true] {
        let (release, gate) = bounded::<()>(0);
        let (asking, asked) = unbounded();
        let client =
            Client::start(Via::WebSocket.builder(server.url()).before_attempt(move |_| {
                asking.send(()).unwrap();
                let _ = gate.recv();
                Ok::<_, Error>(Update::new())
            }));
        recv_within(&asked, LIMIT);
        let start = Instant::now();
        if close {
            client.manager().close(LIMIT);
        } else {
            client.disconnect();
            assert!(client.wait_connected(LIMIT).is_err());
        }
        assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
        drop(release);
        if close {
            // The end of the function is the end of what it has captured.
            assert_eq!(asked.recv_timeout(LIMIT), Err(RecvTimeoutError::Disconnected));
        } else {
            // What it gave was for an attempt that there is no more.
            client.connect();
            client.connected();
        }
    }
    let sessions = server.cmd("requests")["entries"].as_array().unwrap().len();
    assert_eq!(sessions, 1);
}

#[test]
fn a_callback_that_hangs_holds_up_attempts_but_a_little() {
    let server = Server::start(json!({}));
    let client = Client::connect(Via::WebSocket.builder(server.url()));
    let (release, gate) = bounded::<()>(0);
    client.manager().on_event(move |_| _ = gate.recv()).unwrap();
    for _ in 0..2 {
        client.emit("close-engine", ()).unwrap();
        client.disconnected();
        let start = Instant::now();
        client.reconnected();
        assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    }
    drop(release);
}

#[test]
fn credentials_can_fail_with_an_error_of_the_programs_own() {
    let server = Server::start(json!({}));
    let read = || -> siot::Result<Json> {
        // By `?`, as programs do.
        let text = std::fs::read_to_string("/nowhere/token")?;
        Ok(json!({ "token": text }))
    };
    let parse = || "x".parse::<u32>().map_err(siot::Error::other);
    let url = format!("{}/auth", server.url());
    let client = Client::start(Via::WebSocket.builder(&url).auth_with(read));
    let error = client.connect_error();
    assert_eq!(error.kind(), ErrorKind::Connect(Stage::Namespace));
    assert!(error.message().contains("auth_with"), "{error}");
    let source = error.source().unwrap().downcast_ref::<io::Error>().unwrap();
    assert_eq!(source.kind(), io::ErrorKind::NotFound);
    // The session is given up for it; that is no failure of its own.
    let late = format!("{:#}", client.wait_connected(SOON).unwrap_err());
    assert!(late.contains("cannot connect, namespace: the function of auth_with"), "{late}");
    assert_eq!(late.matches("auth_with").count(), 1, "{late}");
    let options = SocketOptions::new().auth_with(parse);
    let other = client.manager().socket_with("/orders", options).unwrap();
    let statuses = other.status();
    loop {
        if let Status::ConnectError(error) = recv_within(statuses.receiver(), LIMIT) {
            if error.source().is_some_and(<dyn std::error::Error>::is::<std::num::ParseIntError>) {
                break;
            }
        }
    }
}

#[test]
fn nothing_shows_what_is_secret() {
    let update = Update::new()
        .url("https://host.example?token=secret-1")
        .query("token", "secret-2")
        .extra_header("authorization", "secret-3");
    let builder = Builder::new("http://h?a=secret-4").backup_url("http://b?token=secret-5");
    let shown = format!("{update:?} {builder:?}");
    assert!(!shown.contains("secret"), "{shown}");
}
