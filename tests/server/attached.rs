//! What a program attaches to sockets: how it ends, also where that panics, and what becomes of what comes too late.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, unbounded};
use siot::server::{Server, ServerSocket, SocketNews};
use siot::{DisconnectReason, ErrorKind};

use crate::host::runs_handlers;
use crate::raw_client::RawClient;
use crate::support::logged::{capture_log, lines, wait_for_line};
use crate::support::mischief::{DropWatch, Mischief};
use crate::support::{CaseName, LIMIT, Via, alone, eventually, recv_within};

/// Something whose end panics, and who ends it.
fn bomb() -> (DropWatch, Receiver<String>) {
    DropWatch::new(Some(Mischief::Panic))
}

fn url_of(server: &Server) -> String {
    format!("http://{}", server.local_addrs()[0])
}

/// A client that has joined the namespace `/`.
fn joined(url: &str) -> RawClient {
    let mut client = RawClient::websocket(url);
    client.say("40");
    client.expect("40{");
    client
}

/// Puts something whose end panics somewhere on a socket.
fn put(socket: &ServerSocket, at: &str) -> Receiver<String> {
    let (watch, dropped) = bomb();
    match at {
        "on" => _ = socket.on("x", move |_| _ = &watch).unwrap(),
        "once" => _ = socket.once("x", move |_| _ = &watch).unwrap(),
        "any" => _ = socket.on_any(move |_| _ = &watch),
        "outgoing" => _ = socket.on_any_outgoing(move |_| _ = &watch),
        "middleware" => {
            socket.middleware(move |_| {
                _ = &watch;
                Ok(())
            });
        }
        "disconnecting" => _ = socket.on_disconnecting(move |_| _ = &watch),
        "disconnect" => _ = socket.on_disconnect(move |_| _ = &watch),
        "callback" => socket.emit_with_callback("ask", (), move |_| _ = &watch).unwrap(),
        at => unreachable!("{at}"),
    }
    dropped
}

const PLACES: [&str; 8] =
    ["on", "once", "any", "outgoing", "middleware", "disconnecting", "disconnect", "callback"];

#[test]
fn all_handlers_of_the_end_are_called_whatever_panics_in_the_end_of_what_others_have_captured() {
    let server = Server::builder().workers(1).bind("127.0.0.1:0").unwrap();
    let url = url_of(&server);
    let (called, calls) = unbounded();
    let (sockets, came) = unbounded();
    server.on_connection(move |socket| _ = sockets.send(socket.clone()));
    for (what, at) in [("disconnecting", 0), ("disconnect", 1)] {
        let called = called.clone();
        let call = move |_: &ServerSocket, _| _ = called.send(what);
        _ = if at == 0 { server.on_disconnecting(call) } else { server.on_disconnect(call) };
    }
    for at in PLACES {
        let _name = CaseName::new(at);
        let mut client = joined(&url);
        let socket: ServerSocket = recv_within(&came, LIMIT);
        let dropped = put(&socket, at);
        let told = called.clone();
        socket.on_disconnecting(move |_| _ = told.send("own disconnecting"));
        let told = called.clone();
        socket.on_disconnect(move |_| _ = told.send("own disconnect"));
        client.say("41");
        for expected in ["disconnecting", "own disconnecting", "disconnect", "own disconnect"] {
            assert_eq!(recv_within(&calls, LIMIT), expected);
        }
        let thread = recv_within(&dropped, LIMIT);
        assert!(runs_handlers(&thread), "{thread}");
    }
    assert!(server.close(LIMIT));
}

/// Refuses everybody, each with something attached at every place whose end panics.
fn refuse_with_bombs(server: &Server) {
    server.authorize(|socket| {
        for at in PLACES.into_iter().filter(|at| *at != "callback") {
            put(socket, at);
        }
        socket.set_data(bomb().0);
        Err("not today".into())
    });
}

#[test]
fn who_is_refused_hears_of_it_though_the_end_of_what_was_attached_panics() {
    let server = Server::builder().workers(1).bind("127.0.0.1:0").unwrap();
    refuse_with_bombs(&server);
    let mut client = RawClient::websocket(&url_of(&server));
    for _ in 0..2 {
        client.say("40");
        client.expect(r#"44{"message":"not today""#);
    }
}

#[test]
fn subscriptions_end_with_the_server_though_the_end_of_what_handlers_have_captured_panics() {
    let server = Server::builder().bind("127.0.0.1:0").unwrap();
    let incoming = ["/a", "/b", "/c"].map(|name| {
        let (watch, dropped) = bomb();
        server.of(name).on("x", move |_, _| _ = &watch);
        (server.of(name).subscribe_all().unwrap(), dropped)
    });
    let _client = joined(&url_of(&server));
    assert!(server.close(LIMIT));
    for (incoming, dropped) in incoming {
        let ended = incoming.recv_timeout(LIMIT).unwrap_err();
        assert_eq!(ended.kind(), ErrorKind::Disconnected);
        recv_within(&dropped, LIMIT);
    }
}

/// A server whose one client has gone, of which all handlers have heard.
fn ended() -> (Server, ServerSocket) {
    let server = Server::builder().bind("127.0.0.1:0").unwrap();
    let (ended, ends) = unbounded();
    server.on_disconnect(move |socket, _| _ = ended.send(socket.clone()));
    let mut client = joined(&url_of(&server));
    client.say("41");
    let socket = recv_within(&ends, LIMIT);
    (server, socket)
}

/// How a handler is added that holds a sender.
type Adds = fn(&ServerSocket, Sender<()>);

/// Who waits for what a handler sends would wait for ever.
#[test]
fn a_handler_that_is_added_behind_the_end_is_dropped_at_once() {
    let (_server, socket) = ended();
    let ways: [(&str, Adds); 5] = [
        ("on", |socket, told| drop(socket.on("x", move |_| _ = told.send(())))),
        ("once", |socket, told| drop(socket.once("x", move |_| _ = told.send(())))),
        ("any", |socket, told| _ = socket.on_any(move |_| _ = told.send(()))),
        ("outgoing", |socket, told| _ = socket.on_any_outgoing(move |_| _ = told.send(()))),
        ("middleware", |socket, told| {
            socket.middleware(move |_| {
                _ = told.send(());
                Ok(())
            });
        }),
    ];
    for (name, add) in ways {
        let _name = CaseName::new(name);
        // The last handlers may yet be at work.
        eventually(LIMIT, "it ends", || {
            let (told, tells) = unbounded();
            add(&socket, told);
            tells.recv_timeout(Duration::ZERO)
                == Err(crossbeam_channel::RecvTimeoutError::Disconnected)
        });
    }
    assert_eq!(socket.listener_count("x"), 0);
}

#[test]
fn a_handler_of_the_end_that_is_added_behind_it_is_called_at_once() {
    let (_server, socket) = ended();
    let (told, tells) = unbounded();
    let tell = told.clone();
    socket.on_disconnecting(move |reason| _ = tell.send(reason));
    socket.on_disconnect(move |reason| _ = told.send(reason));
    for _ in 0..2 {
        assert_eq!(recv_within(&tells, LIMIT), DisconnectReason::ClientNamespaceDisconnect);
    }
    assert!(tells.recv().is_err(), "once each");
}

#[test]
fn what_waits_for_a_socket_that_has_ended_ends_at_once() {
    let (server, socket) = ended();
    let (told, tells) = unbounded();
    let tell = told.clone();
    let refused = [
        socket.emit("x", ()),
        socket.emit_with_callback("x", (), move |_| _ = tell.send(())),
        socket.emit_with_ack("x", ()).map(drop),
        socket.timeout(LIMIT).emit_with_ack("x", ()).map(drop),
    ];
    for refused in refused {
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Disconnected);
    }
    drop(told);
    assert!(tells.recv().is_err(), "nobody holds it");
    assert_eq!(socket.subscribe_all().unwrap_err().kind(), ErrorKind::InvalidOption);
    assert!(server.close(LIMIT));
}

/// Clients come, say something and go, before the program looks at the first.
#[test]
fn a_socket_that_has_left_before_it_is_taken_has_all_that_came_and_then_its_end() {
    let mut connections = None;
    let server = Server::builder()
        .bind_with("127.0.0.1:0", |server| connections = Some(server.connections()))
        .unwrap();
    let connections = connections.unwrap().unwrap();
    for end in ["client", "server", "close"] {
        let _name = CaseName::new(end);
        let mut client = joined(&url_of(&server));
        client.say(r#"42["x",1]"#);
        match end {
            "client" => client.say("41"),
            "server" => server.all().disconnect_sockets(false),
            _ => drop(server.close(LIMIT)),
        }
        eventually(LIMIT, "nobody", || server.is_empty());
        let socket = connections.recv_timeout(LIMIT).unwrap();
        let incoming = socket.subscribe_all().unwrap();
        let mut news = Vec::new();
        while let Ok(item) = incoming.recv_timeout(LIMIT) {
            news.push(matches!(item.news, SocketNews::Disconnected(_)));
        }
        assert_eq!(news.iter().filter(|is_end| **is_end).count(), 1, "{news:?}");
        assert_eq!(news.last(), Some(&true));
        assert!(incoming.is_closed());
    }
}

/// Of sockets that the program has taken, and has yet to subscribe to.
#[test]
fn a_callback_of_a_socket_that_nobody_has_subscribed_to_is_called() {
    let mut connections = None;
    let server = Server::builder()
        .bind_with("127.0.0.1:0", |server| connections = Some(server.connections()))
        .unwrap();
    let connections = connections.unwrap().unwrap();
    let mut client = joined(&url_of(&server));
    let socket = connections.recv_timeout(LIMIT).unwrap();
    let (told, tells) = unbounded();
    for _ in 0..2 {
        let told = told.clone();
        let tell = move |answer: siot::Result<_>| {
            _ = told.send(answer.map(drop).map_err(|error| error.kind()));
        };
        socket.timeout(Duration::from_secs(600)).emit_with_callback("ask", (), tell).unwrap();
    }
    let question = client.expect("42");
    client.say(&format!("43{}[]", question.trim_start_matches("42").split('[').next().unwrap()));
    assert_eq!(recv_within(&tells, LIMIT), Ok(()));
    client.say("41");
    assert_eq!(recv_within(&tells, LIMIT), Err(ErrorKind::Disconnected));
}

/// They hold the socket, which counts as a client as long as it is there.
#[test]
fn handlers_of_a_socket_that_nobody_has_subscribed_to_end_with_it() {
    let mut connections = None;
    let server = Server::builder()
        .max_connections(1)
        .bind_with("127.0.0.1:0", |server| connections = Some(server.connections()))
        .unwrap();
    let connections = connections.unwrap().unwrap();
    for _ in 0..3 {
        let mut client = joined(&url_of(&server));
        let socket = connections.recv_timeout(LIMIT).unwrap();
        let token = Arc::new(());
        let held = (socket.clone(), Arc::clone(&token));
        socket.on("x", move |_| _ = &held).unwrap();
        client.say("41");
        drop(client);
        eventually(LIMIT, "no session", || server.clients() == 0);
        drop(socket);
        eventually(LIMIT, "nobody holds it", || Arc::strong_count(&token) == 1);
    }
    let other = Via::WebSocket.connect(url_of(&server));
    assert!(other.is_connected());
}

#[test]
fn the_log_says_what_it_was_whose_end_panicked() {
    alone(|| {
        capture_log(log::LevelFilter::Error);
        let server = Server::builder().workers(1).bind("127.0.0.1:0").unwrap();
        refuse_with_bombs(&server);
        let mut client = RawClient::websocket(&url_of(&server));
        client.say("40");
        client.expect("44");
        for what in [
            "a listener",
            "a middleware",
            "a handler (disconnecting)",
            "a handler (disconnect)",
            "a value of `set_data`",
        ] {
            let said = format!("the end of {what} panicked; the server goes on");
            wait_for_line(what, |line| line.text.ends_with(&said));
        }
        let ours = |line: &&crate::support::logged::LogLine| line.text.contains("panicked");
        assert_eq!(lines().iter().filter(ours).count(), PLACES.len());
    });
}
