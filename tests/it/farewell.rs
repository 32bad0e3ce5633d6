//! The ends that a client tells the server of: what it has emitted before is handled, and the server's
//! reason is the one that it gives for the reference client.

use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use siot::{Buffer, Limits, Status, Update};

use crate::support::hostile::{HostileOptions, HostileServer, HostileSession};
use crate::support::{Client, LIMIT, Server, Via, eventually, over_each_transport, recv_within};

over_each_transport!(
    a_server_4_handles_all_before_the_end,
    a_server_3_handles_all_before_the_end,
    a_server_2_handles_all_before_the_end,
    a_server_4_is_told_the_reason,
    a_server_3_is_told_the_reason,
    a_server_2_is_told_the_reason,
    a_namespace_that_is_left_loses_nothing_and_others_go_on,
    a_namespace_can_be_left_and_joined_again_in_one_session,
    who_disconnects_gets_no_session_of_before_back,
);

const ROUNDS: usize = 3;

/// How long a client waits for a pong at most.
const CONFIRM_LIMIT: Duration = Duration::from_secs(5);

/// A way to end a connection.
#[derive(Clone, Copy, Debug)]
enum Farewell {
    Close,
    Disconnect,
    DropAll,
    CloseConnection,
    CloseEngine,
}

impl Farewell {
    const ALL: [Self; 5] =
        [Self::Close, Self::Disconnect, Self::DropAll, Self::CloseConnection, Self::CloseEngine];

    /// Says it. What it gives is kept until the server has heard of it.
    fn say(self, client: Client) -> Option<Client> {
        match self {
            Self::Close => assert!(client.manager().close(LIMIT).is_empty()),
            Self::Disconnect => client.disconnect(),
            Self::DropAll => return None,
            Self::CloseConnection => client.manager().disconnect(),
            Self::CloseEngine => {
                client.manager().update(Update::new().reconnection(false)).unwrap();
                client.manager().close_engine();
            }
        }
        Some(client)
    }

    /// The server's reason, which is the same for the reference client.
    fn reason(self) -> &'static str {
        match self {
            Self::Close | Self::Disconnect | Self::DropAll => "client namespace disconnect",
            Self::CloseConnection | Self::CloseEngine => "transport close",
        }
    }
}

/// Events are emitted, and the end follows at once. Gives the server's reason.
#[track_caller]
fn emit_and_leave(server: &Server, client: Client, events: usize, farewell: Farewell) -> String {
    server.cmd("reset");
    for n in 0..events {
        client.emit("tick", ("a", n)).unwrap();
    }
    let _kept = farewell.say(client);
    eventually(LIMIT, "the session's end", || server.sessions() == 0);
    let ticks = server.cmd("ticks");
    assert_eq!((&ticks["total"], &ticks["inOrder"]), (&json!(events), &json!(true)));
    let log = server.entries("log");
    let ends: Vec<&Json> = log.iter().filter(|entry| entry["what"] == "disconnect").collect();
    assert_eq!(ends.len(), 1, "{log:?}");
    ends[0]["reason"].as_str().unwrap().to_owned()
}

fn handles_all_before_the_end(server: &Server, via: Via) {
    for _ in 0..ROUNDS {
        for events in [1000, 20] {
            for farewell in Farewell::ALL {
                // By upgrade the end races with it.
                for start in [Via::connect, Via::settle] {
                    emit_and_leave(server, start(via, server.url()), events, farewell);
                }
            }
        }
    }
}

fn a_server_4_handles_all_before_the_end(via: Via) {
    handles_all_before_the_end(&Server::version(4, json!({})), via);
}

fn a_server_3_handles_all_before_the_end(via: Via) {
    handles_all_before_the_end(&Server::version(3, json!({})), via);
}

fn a_server_2_handles_all_before_the_end(via: Via) {
    handles_all_before_the_end(&Server::version(2, json!({})), via);
}

fn is_told_the_reason(server: &Server, via: Via) {
    for farewell in Farewell::ALL {
        for events in [0, 20] {
            let reason = emit_and_leave(server, via.settle(server.url()), events, farewell);
            assert_eq!(reason, farewell.reason(), "{farewell:?} after {events}");
        }
    }
}

fn a_server_4_is_told_the_reason(via: Via) {
    is_told_the_reason(&Server::version(4, json!({})), via);
}

fn a_server_3_is_told_the_reason(via: Via) {
    is_told_the_reason(&Server::version(3, json!({})), via);
}

fn a_server_2_is_told_the_reason(via: Via) {
    is_told_the_reason(&Server::version(2, json!({})), via);
}

fn a_namespace_that_is_left_loses_nothing_and_others_go_on(via: Via) {
    let server = Server::version(4, json!({}));
    let client = via.connect(server.url());
    for round in 0..ROUNDS {
        let other = client.connect_in("/orders");
        for n in 0..100 {
            other.emit("tick", (format!("orders {round}"), n)).unwrap();
        }
        other.disconnect();
        for n in 0..100 {
            client.emit("tick", ("root", 100 * round + n)).unwrap();
        }
    }
    let ticks: Json = client.ask("ticks", ());
    let total = ROUNDS * 200;
    assert_eq!((&ticks["total"], &ticks["inOrder"]), (&json!(total), &json!(true)));
}

fn a_namespace_can_be_left_and_joined_again_in_one_session(via: Via) {
    let server = Server::version(4, json!({}));
    let client = via.connect(server.url());
    let other = client.connect_in("/orders");
    for n in 0..20 {
        other.emit("tick", ("a", n)).unwrap();
        other.disconnect();
        other.connect();
        other.disconnected();
        other.connected();
    }
    other.works();
    assert_eq!(server.cmd("ticks")["total"], 20);
    assert!(client.status.try_recv().is_none(), "it was one session");
}

fn who_disconnects_gets_no_session_of_before_back(via: Via) {
    let server = Server::version(4, json!({"connectionStateRecovery": {}}));
    let client = Client::start(via.builder(server.url()).auth(json!({"user": "first"})));
    let mut ids = vec![client.connected()];
    let news = client.subscribe("news");
    for user in ["second", "third"] {
        // Without one there is nothing to recover from.
        server.command(json!({"cmd": "emit", "event": "news", "args": [user]}));
        recv_within(news.receiver(), LIMIT);
        client.disconnect();
        client.disconnected();
        eventually(LIMIT, "the session's end", || server.sessions() == 0);
        client.set_auth(json!({ "user": user })).unwrap();
        client.connect();
        match client.next_status() {
            Status::Connected { id, recovered, .. } => {
                assert!(!recovered && !ids.contains(&id), "{id} of {ids:?}");
                ids.push(id);
            }
            other => panic!("not connected: {other:?}"),
        }
        assert_eq!(client.ask::<Json>("handshake", ())["auth"]["user"], user);
    }
}

/// A server whose WebSockets answer no pings, and a client that has emitted something.
fn deaf() -> (HostileServer, HostileSession, Client) {
    let server = HostileOptions::v4().deaf().start();
    let (client, session) = Via::WebSocket.visit(&server, |builder| builder);
    assert_eq!(session.next(), "40");
    client.emit("a", ()).unwrap();
    assert_eq!(session.next(), "42[\"a\"]");
    (server, session, client)
}

#[test]
fn a_server_that_answers_no_pings_is_told_of_the_disconnect_at_the_limit() {
    let (_server, session, client) = deaf();
    let start = Instant::now();
    client.disconnect();
    assert_eq!(session.next(), "41");
    assert!(start.elapsed() >= CONFIRM_LIMIT, "{:?}", start.elapsed());
}

#[test]
fn a_close_keeps_its_limit_with_a_server_that_answers_no_pings() {
    let (_server, session, client) = deaf();
    let start = Instant::now();
    let back = client.manager().close(CONFIRM_LIMIT / 5);
    assert!(start.elapsed() < CONFIRM_LIMIT, "{:?}", start.elapsed());
    recv_within(session.goodbye(), LIMIT);
    assert!(back.len() == 1 && back[0].was_sent(), "{back:?}");
}

/// It reads, and never says so.
#[test]
fn a_server_that_answers_no_pings_stops_nobody() {
    const EVENTS: usize = 500;
    let server = HostileOptions::v4().deaf().start();
    let (client, session) = Via::WebSocket.visit(&server, |builder| {
        builder.limits(Limits::new().unconfirmed_bytes(4096).send_events(16))
    });
    assert_eq!(session.next(), "40");
    for n in 0..EVENTS {
        client.emit("a", n).unwrap();
        assert_eq!(session.next(), format!("42[\"a\",{n}]"));
    }
    let let_go = client.manager().counters().send_unconfirmed;
    let back = client.manager().close(CONFIRM_LIMIT / 20);
    assert!(let_go > EVENTS / 2 && !back.is_empty(), "{let_go}");
    assert_eq!(let_go + back.len(), EVENTS);
}

#[test]
fn a_server_that_answers_no_pings_holds_up_no_other_namespace_for_ever() {
    let (_server, session, client) = deaf();
    let other = client.connect_in("/other");
    assert_eq!(session.next(), "40/other,");
    client.disconnect();
    let mut ack = other.emit_with_ack("b", ()).unwrap();
    assert_eq!([session.next(), session.next()], ["41", "42/other,0[\"b\"]"]);
    session.send("43/other,0[]");
    ack.wait_timeout::<()>(LIMIT).unwrap();
}

/// While the answer is awaited, a consumer that takes nothing does not keep it from being read.
#[test]
fn a_consumer_that_is_behind_does_not_hold_up_a_disconnect() {
    let server = HostileOptions::v4().start();
    let (client, session) = Via::WebSocket.visit(&server, |builder| builder);
    let other = client.connect_in("/other");
    let _behind = other.buffer(Buffer::new().events(10)).unwrap().subscribe("flood");
    assert_eq!([session.next(), session.next()], ["40", "40/other,"]);
    client.emit("a", ()).unwrap();
    assert_eq!(session.next(), "42[\"a\"]");
    session.burst_in("/other", 100, 100);
    let start = Instant::now();
    client.disconnect();
    assert_eq!(session.next(), "41");
    assert!(start.elapsed() < CONFIRM_LIMIT, "{:?}", start.elapsed());
}
