//! Connecting: the handshake, namespaces, credentials, and what goes wrong by name.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value as Json, json};
use siot::{Error, ErrorKind, ManagerEvent, Stage, Status};

use crate::support::{
    Client, LIMIT, Server, Via, eventually, over_each_transport, recv_within, shared,
};

over_each_transport!(
    the_server_sees_the_handshake,
    ids_and_states_are_known,
    wait_connected_returns_when_connected,
    a_status_tells_later_subscribers_of_the_connection,
    auth_is_sent_at_each_connection,
    an_auth_function_is_asked_at_each_connection,
    a_failed_auth_function_is_asked_again,
    a_slow_auth_function_holds_up_nothing,
    no_auth_is_sent_by_default,
    a_refusal_has_message_and_data,
    a_refusal_ends_wait_connected,
    a_refusal_is_overcome_by_connecting_again,
    a_refusal_leaves_other_namespaces_alone,
    an_unknown_namespace_is_refused,
    a_late_answer_is_waited_for,
    no_answer_for_a_namespace_is_an_error,
    a_namespace_without_answer_does_not_hurt_others,
    namespaces_share_a_connection,
    namespaces_have_any_name,
    a_shared_connection_ends_with_its_last_socket,
    a_refused_connection_names_the_stage,
    a_wrong_path_names_the_stage_and_the_status,
    an_unknown_host_names_the_stage,
    a_server_that_never_answers_is_a_timeout,
    without_reconnection_the_first_failure_is_final,
);

fn the_server_sees_the_handshake(via: Via) {
    let url = format!("{}?a=1&b=%20x&c=url", shared().url());
    let builder = via
        .builder(url)
        .query("c", "ä&=\r\n")
        .query("d", "")
        .extra_header("X-Device", "gateway 7")
        .auth(json!({"token": "123"}));
    let seen: Json = Client::connect(builder).ask("handshake", ());
    assert_eq!(seen["auth"], json!({"token": "123"}));
    assert_eq!(seen["protocol"], 4);
    assert_eq!(seen["headers"]["x-device"], "gateway 7");
    let query = &seen["query"];
    let ours = [&query["a"], &query["b"], &query["c"], &query["d"], &query["EIO"]];
    assert_eq!(ours, ["1", " x", "ä&=\r\n", "", "4"]);
}

fn ids_and_states_are_known(via: Via) {
    let client = Client::idle(via.builder(shared().url()));
    assert!(!client.socket.is_connected() && !client.is_active() && client.id().is_none());
    assert_eq!(client.manager().transport(), None);
    client.connect();
    assert!(client.is_active());
    let id = client.connected();
    assert!(client.socket.is_connected() && client.is_active());
    assert_eq!(client.id().as_ref(), Some(&id));
    assert_eq!(client.ask::<Json>("whoami", ())["id"], id);
    if via == Via::Upgrade {
        client.upgraded();
    }
    assert_eq!(client.manager().transport(), Some(via.transport()));
    assert_eq!(client.ask::<String>("transport", ()), via.transport().to_string());
    client.disconnect();
    client.disconnected();
    assert!(!client.socket.is_connected() && !client.is_active() && client.id().is_none());
}

fn wait_connected_returns_when_connected(via: Via) {
    let socket = via.builder(shared().url()).build().unwrap();
    socket.wait_connected(LIMIT).unwrap();
    assert!(socket.is_connected());
    socket.wait_connected(Duration::ZERO).unwrap();
}

fn a_status_tells_later_subscribers_of_the_connection(via: Via) {
    let client = via.connect(shared().url());
    let late = client.socket.status();
    match recv_within(late.receiver(), LIMIT) {
        Status::Connected { id, recovered, .. } => {
            assert_eq!((Some(id), recovered), (client.id(), false));
        }
        other => panic!("{other:?}"),
    }
}

/// What the server saw in the CONNECT of a namespace that tells.
#[track_caller]
fn auth_seen(events: &siot::Subscription) -> Json {
    recv_within(events.receiver(), LIMIT).args().unwrap()
}

fn auth_is_sent_at_each_connection(via: Via) {
    let builder = via.builder(format!("{}/auth", shared().url())).auth(json!({"n": 1}));
    let client = Client::idle(builder);
    let seen = client.subscribe("auth");
    for _ in 0..2 {
        client.connect();
        client.connected();
        assert_eq!(auth_seen(&seen), json!({"n": 1}));
        client.disconnect();
        client.disconnected();
    }
}

fn an_auth_function_is_asked_at_each_connection(via: Via) {
    let server = Server::start(json!({}));
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let client = Client::idle(
        via.builder(format!("{}/auth", server.url()))
            .auth_with(move || Ok(json!({"n": counter.fetch_add(1, Ordering::SeqCst)}))),
    );
    let seen = client.subscribe("auth");
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    client.connect();
    assert_eq!(auth_seen(&seen), json!({"n": 0}));
    client.connected();
    for n in 1..3 {
        server.cmd("close");
        client.disconnected();
        server.cmd("listen");
        client.reconnected();
        // A server that still closes may refuse an attempt, which then has asked as well.
        let now = auth_seen(&seen)["n"].as_u64().unwrap();
        assert!(now >= n, "{now} after {n}");
    }
}

fn a_failed_auth_function_is_asked_again(via: Via) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let builder = via.builder(format!("{}/auth", shared().url())).auth_with(move || match counter
        .fetch_add(1, Ordering::SeqCst)
    {
        0 => siot::Builder::new("not a url").build().map(|_| json!(null)),
        1 => panic!("on purpose: a panic of the auth function"),
        n => Ok(json!({"n": n})),
    });
    let client = Client::idle(builder);
    let seen = client.subscribe("auth");
    client.connect();
    assert_eq!(client.connect_error().kind(), ErrorKind::InvalidUrl);
    assert!(client.connect_error().message().contains("panicked"));
    client.reconnected();
    assert_eq!(auth_seen(&seen), json!({"n": 2}));
}

fn a_slow_auth_function_holds_up_nothing(via: Via) {
    let (release, gate) = crossbeam_channel::bounded::<()>(0);
    let (asking, asked) = crossbeam_channel::bounded(1);
    let client = Client::start(via.builder(shared().url()).auth_with(move || {
        let _ = asking.try_send(());
        let _ = gate.recv();
        Ok(json!({}))
    }));
    recv_within(&asked, LIMIT);
    let other = client.manager().socket("/admin").unwrap();
    other.wait_connected(LIMIT).unwrap();
    assert!(!client.socket.is_connected());
    drop(release);
    client.connected();
}

fn no_auth_is_sent_by_default(via: Via) {
    let client = Client::idle(via.builder(format!("{}/auth", shared().url())));
    let seen = client.subscribe("auth");
    client.connect();
    assert_eq!(auth_seen(&seen), json!({}));
}

fn refusal(error: &Error) -> (ErrorKind, Option<Stage>, &str, Option<Json>) {
    let data = error.data().map(|data| serde_json::from_str(data).expect("JSON"));
    (error.kind(), error.stage(), error.message(), data)
}

fn a_refusal_has_message_and_data(via: Via) {
    let client = Client::start(via.builder(format!("{}/forbidden", shared().url())));
    assert_eq!(
        refusal(&client.connect_error()),
        (
            ErrorKind::Refused,
            Some(Stage::Namespace),
            "forbidden by the test server",
            Some(json!({"code": 403, "detail": ["no", {"entry": true}]}))
        )
    );
    assert!(!client.is_active() && !client.socket.is_connected());
    let client = Client::start(via.builder(format!("{}/refused-plain", shared().url())));
    let error = client.connect_error();
    assert_eq!((error.message(), error.data()), ("no reason attached", None));
}

fn a_refusal_ends_wait_connected(via: Via) {
    let socket = via.builder(format!("{}/forbidden", shared().url())).build().unwrap();
    let error = socket.wait_connected(LIMIT).unwrap_err();
    assert_eq!(error.message(), "forbidden by the test server");
}

fn a_refusal_is_overcome_by_connecting_again(via: Via) {
    let server = Server::start(json!({}));
    let client = Client::idle(via.builder(format!("{}/third-time", server.url())));
    client.emit("tick", ("kept", 0)).unwrap();
    for attempt in [1, 2] {
        client.connect();
        let error = client.connect_error();
        assert_eq!(error.message(), "try again");
        assert_eq!(error.data(), Some(json!({"attempt": attempt}).to_string().as_str()));
        eventually(LIMIT, "the session's end", || server.sessions() == 0);
    }
    client.connect();
    client.connected();
    client.works();
    assert_eq!(server.cmd("ticks")["total"], 1, "what was emitted before is sent");
}

fn a_refusal_leaves_other_namespaces_alone(via: Via) {
    let client = via.connect(shared().url());
    let refused = client.manager().socket("/forbidden").unwrap();
    assert_eq!(refused.wait_connected(LIMIT).unwrap_err().kind(), ErrorKind::Refused);
    client.works();
    // With credentials that are right it is let in.
    let url = format!("{}/token", shared().url());
    assert_eq!(
        refusal(&Client::start(via.builder(&url)).connect_error()).3,
        Some(json!({"token": null}))
    );
    Client::connect(via.builder(&url).auth(json!({"token": "123"}))).works();
}

fn an_unknown_namespace_is_refused(via: Via) {
    let client = Client::start(via.builder(format!("{}/nowhere", shared().url())));
    assert_eq!(client.connect_error().message(), "Invalid namespace");
}

fn a_late_answer_is_waited_for(via: Via) {
    let url = format!("{}/late", shared().url());
    let client = Client::start(via.builder(url).auth(json!({"delay": 300})));
    client.connected();
    client.works();
}

fn no_answer_for_a_namespace_is_an_error(via: Via) {
    let server = Server::start(json!({}));
    let url = format!("{}/never", server.url());
    let client = Client::start(via.builder(url).namespace_timeout(Duration::from_millis(100)));
    for _ in 0..3 {
        let error = client.connect_error();
        assert_eq!(error.stage(), Some(Stage::Namespace), "{error}");
        assert!(error.to_string().contains("/never"), "{error}");
    }
    assert!(client.is_active(), "it goes on trying");
    let error = client.wait_connected(Duration::from_millis(50)).unwrap_err();
    assert!(error.is_timeout());
    client.disconnect();
    eventually(LIMIT, "the end of all sessions", || server.sessions() == 0);
}

fn a_namespace_without_answer_does_not_hurt_others(via: Via) {
    let builder = via.builder(shared().url()).namespace_timeout(Duration::from_millis(300));
    let client = Client::start(builder);
    // On a slow machine this one may be late at first, too.
    client.reconnected();
    let never = client.manager().socket("/never").unwrap();
    let status = never.status();
    for _ in 0..2 {
        assert!(matches!(recv_within(status.receiver(), LIMIT), Status::ConnectError(_)));
    }
    client.works();
    assert!(client.status.try_recv().is_none(), "the other namespace was disturbed");
}

fn namespaces_share_a_connection(via: Via) {
    let server = Server::start(json!({}));
    let client = via.connect(server.url());
    let names = ["/admin", "orders", "/multi-a", "/multi-b"];
    let others: Vec<_> = names.map(|name| client.manager().socket(name).unwrap()).into();
    for (socket, name) in others.iter().zip(names) {
        socket.wait_connected(LIMIT).unwrap();
        assert_eq!(socket.namespace().trim_start_matches('/'), name.trim_start_matches('/'));
    }
    assert_eq!(server.sessions(), 1);
    let sockets = server.cmd("sessions")["sockets"].clone();
    assert_eq!(sockets.as_object().unwrap().len(), 5, "{sockets}");
    // Each gets its own.
    let events: Vec<_> = others.iter().map(|socket| socket.subscribe("to-one")).collect();
    others[1].emit("send-me", ("to-one", "orders")).unwrap();
    let event = recv_within(events[1].receiver(), LIMIT);
    assert_eq!((event.namespace(), event.args::<String>().unwrap()), ("/orders", "orders".into()));
    // One may leave without the others.
    others[0].disconnect();
    eventually(LIMIT, "one socket less", || {
        server.cmd("sessions")["sockets"].get("/admin").is_none()
    });
    client.works();
    assert!(events.iter().all(|events| events.try_recv().is_none()));
    assert_eq!(server.sessions(), 1);
}

fn namespaces_have_any_name(via: Via) {
    let client = via.connect(shared().url());
    for name in ["/with space", "/ünïcode"] {
        let socket = client.manager().socket(name).unwrap();
        socket.wait_connected(LIMIT).unwrap();
        let who: Json = crate::support::ask(&socket, "whoami", ());
        assert_eq!(who["nsp"], name);
    }
    let refused = client.manager().socket("/a,b").unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidOption);
}

fn a_shared_connection_ends_with_its_last_socket(via: Via) {
    let server = Server::start(json!({}));
    let one = via.builder(server.url()).force_new(false).build().unwrap();
    let other = via.builder(format!("{}/admin", server.url())).force_new(false).build().unwrap();
    one.wait_connected(LIMIT).unwrap();
    other.wait_connected(LIMIT).unwrap();
    assert_eq!(server.sessions(), 1);
    drop(one);
    eventually(LIMIT, "one socket less", || {
        server.cmd("sessions")["sockets"] == json!({"/admin": 1})
    });
    drop(other);
    eventually(LIMIT, "the session's end", || server.sessions() == 0);
}

/// An address at which nobody listens.
fn dead_url() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

fn a_refused_connection_names_the_stage(via: Via) {
    let client = Client::start(via.builder(dead_url()));
    for _ in 0..2 {
        let error = client.connect_error();
        assert_eq!(error.stage(), Some(Stage::Tcp), "{error}");
        assert!(error.to_string().contains("refused"), "{error}");
        assert!(error.to_string().contains("127.0.0.1"), "{error}");
    }
    let error = client.wait_connected(Duration::from_millis(1)).unwrap_err();
    assert!(error.is_timeout());
    assert!(error.to_string().contains("refused"), "the last failure is the cause: {error}");
}

fn a_wrong_path_names_the_stage_and_the_status(via: Via) {
    let server = Server::start(json!({"options": {"path": "/right"}}));
    // Nobody answers requests elsewhere.
    let answer = json!({"cmd": "answer", "status": 404, "body": "no such page"});
    server.command(answer);
    let client = Client::start(via.builder(server.url()).path("/wrong"));
    let error = client.connect_error();
    assert_eq!(error.stage(), Some(Stage::Http), "{error}");
    assert!(error.to_string().contains("404"), "{error}");
    drop(client);
    Client::connect(via.builder(server.url()).path("right/")).works();
}

fn an_unknown_host_names_the_stage(via: Via) {
    let client = Client::start(via.builder("http://nonexistent.invalid:1"));
    let error = client.connect_error();
    assert_eq!(error.stage(), Some(Stage::Dns), "{error}");
    assert!(error.to_string().contains("nonexistent.invalid"), "{error}");
}

fn a_server_that_never_answers_is_a_timeout(via: Via) {
    let server = Server::start(json!({}));
    server.command(json!({"cmd": "answer", "hang": true}));
    let client = Client::start(via.builder(server.url()).connect_timeout(Duration::from_secs(1)));
    let error = client.connect_error();
    assert!(error.is_timeout(), "{error}");
    // Only the first request hangs.
    client.reconnected();
    client.works();
}

fn without_reconnection_the_first_failure_is_final(via: Via) {
    let client = Client::start(via.builder(dead_url()).reconnection(false));
    let error = client.wait_connected(LIMIT).unwrap_err();
    assert_eq!(error.stage(), Some(Stage::Tcp));
    client.wait_for("the error", |event| matches!(event, ManagerEvent::Error(_)));
    let error = Client::idle(via.builder(dead_url())).wait_connected(LIMIT).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Disconnected);

    let client = Client::start(via.builder(dead_url()).reconnection_attempts(2));
    let mut attempts = Vec::new();
    client.wait_for("the last attempt", |event| {
        if let ManagerEvent::ReconnectAttempt(number) = event {
            attempts.push(*number);
        }
        matches!(event, ManagerEvent::ReconnectFailed)
    });
    assert_eq!(attempts, [1, 2]);
    assert_eq!(client.wait_connected(LIMIT).unwrap_err().stage(), Some(Stage::Tcp));
}
