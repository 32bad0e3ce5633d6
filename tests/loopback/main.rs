//! The whole library against a server of its own, of both revisions: no Node.js, and no network but loopback, so that it
//! also runs on emulated machines.

mod by_hand;
#[path = "../../examples/src/events.rs"]
#[allow(unreachable_pub, reason = "examples use it too")]
mod events;
mod faults;
#[path = "../support/mod.rs"]
mod support;
#[cfg(feature = "rustls")]
#[path = "../../examples/tls/mod.rs"]
#[allow(unreachable_pub, dead_code, reason = "examples use it too, and more of it")]
mod tls;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::json;
use siot::server::{Refusal, Server, ServerBuilder};
use siot::testing::TestServer;
use siot::{
    ArgList, Binary, Builder, Counters, DisconnectReason, EngineEvent, ErrorKind, PacketType,
    ParserKind, Revision, SocketOptions, Stage, Status, Transport, Value,
};
use support::{CaseName, Client, LIMIT, Via, eventually};

/// How a client comes to a server.
#[derive(Clone, Copy, Debug)]
struct Visit {
    via: Via,
    /// It is an old one, which has to be found out.
    old: bool,
    #[cfg_attr(
        not(feature = "rustls"),
        allow(dead_code, reason = "it needs rustls on both sides")
    )]
    tls: bool,
}

/// Every kind of visit: to both revisions over each transport, and over all of them with TLS.
fn visits() -> impl Iterator<Item = Visit> {
    let with_tls = cfg!(feature = "rustls").then_some((Via::longest(), true));
    let all = Via::ALL.iter().map(|&via| (via, false)).chain(with_tls);
    all.flat_map(|(via, tls)| [false, true].map(|old| Visit { via, old, tls }))
}

/// A server for this visit, with the events of `events.rs` and what `prepare` adds.
fn start_with(
    visit: Visit,
    builder: ServerBuilder,
    prepare: impl Fn(&Server) + Send + Sync + 'static,
) -> TestServer {
    #[cfg(feature = "rustls")]
    let builder = if visit.tls { builder.tls(tls::server()) } else { builder };
    let prepare = move |server: &Server| {
        // The first handlers that are added are those of the test.
        prepare(server);
        events::add_to(server);
    };
    let started = if visit.old {
        TestServer::start_old(builder, prepare)
    } else {
        TestServer::start(builder, prepare)
    };
    started.expect("a server")
}

fn start(visit: Visit) -> TestServer {
    start_with(visit, Server::builder(), |_| ())
}

/// A client's options; who goes to the same server shares a connection.
fn builder(server: &TestServer, visit: Visit) -> Builder {
    let builder = visit.via.builder(server.url()).force_new(false).auto_connect(false);
    #[cfg(feature = "rustls")]
    let builder = if visit.tls {
        builder.tls(siot::Tls::new().ca_pem(tls::AUTHORITY).built_in_roots(false))
    } else {
        builder
    };
    builder
}

#[track_caller]
fn connect(server: &TestServer, visit: Visit) -> Client {
    let client = Client::connect(builder(server, visit));
    let protocol = client.manager().engine().map(|engine| engine.protocol);
    assert_eq!(protocol, Some(if visit.old { 3 } else { 4 }));
    client
}

#[test]
fn events_and_acks_pass_in_both_directions() {
    for visit in visits() {
        let _name = CaseName::new(visit);
        let server = start(visit);
        let client = connect(&server, visit);
        let echoes = client.subscribe("echo");
        let answers = client.subscribe("answer");
        client
            .on("question", |event| {
                let question: String = event.args().unwrap();
                event.ack((question, "no")).unwrap();
            })
            .unwrap();
        client.emit("echo", ("a", 1, json!({ "b": [null, "\u{1e}\n"] }))).unwrap();
        client.emit("ask", "ready?").unwrap();
        let sum = client.timeout(LIMIT).emit_with_ack("sum", (1, -3)).unwrap();
        assert_eq!(sum.wait::<i64>().unwrap(), -2, "{visit:?}");
        let echo = echoes.recv_timeout(LIMIT).unwrap();
        assert_eq!(echo.json(), r#"["echo","a",1,{"b":[null,"\u001e\n"]}]"#, "{visit:?}");
        let answer = answers.recv_timeout(LIMIT).unwrap();
        assert_eq!(answer.args::<(String, String)>().unwrap(), ("ready?".into(), "no".into()));
    }
}

#[test]
fn binary_comes_back_as_it_was() {
    let large: Binary = (0_u32..300_000).map(|n| n.to_le_bytes()[n as usize % 3]).collect();
    for visit in visits() {
        let _name = CaseName::new(visit);
        let server = start(visit);
        let client = connect(&server, visit);
        let nested: Value =
            [("deep", Value::from(vec![large.clone(), Binary::default()]))].into_iter().collect();
        let ack = client.timeout(LIMIT).emit_with_ack("echo", (&nested, &large, "text")).unwrap();
        let (first, second, third): (Value, Binary, String) = ack.wait().unwrap();
        assert!(first == nested && second == large && third == "text", "{visit:?}");
    }
}

#[test]
fn many_events_stay_in_order_whatever_a_request_may_hold() {
    for visit in visits() {
        let _name = CaseName::new(visit);
        // Old servers do not say how much they take.
        let size = if visit.old { 1_000_000 } else { 400 };
        let server = start_with(visit, Server::builder().max_http_buffer_size(size), |_| ());
        let client = connect(&server, visit);
        let echoes = client.subscribe("echo");
        for n in 0..200 {
            client.emit("echo", (n, "some text to fill the requests")).unwrap();
        }
        for n in 0..200 {
            let echo = echoes.recv_timeout(LIMIT).unwrap();
            assert_eq!(echo.arg::<u32>(0).unwrap(), n, "{visit:?}");
        }
    }
}

#[test]
#[cfg(feature = "polling")]
fn a_session_moves_to_websocket_and_loses_nothing() {
    for visit in visits().filter(|visit| visit.via == Via::Upgrade) {
        let _name = CaseName::new(visit);
        let server = start(visit);
        // All that is sent in the meantime may have to wait on a slow machine.
        let limits = siot::Limits::new().send_events(100_000).receive_events(100_000);
        let manager = builder(&server, visit).limits(limits).manager().unwrap();
        let events = manager.events();
        let socket = manager.socket("/").unwrap();
        let echoes = socket.subscribe("echo");
        let mut sent = 0;
        let mut upgraded = false;
        while !upgraded {
            socket.emit("echo", sent).unwrap();
            sent += 1;
            upgraded =
                events.try_iter().any(|event| matches!(event, siot::ManagerEvent::Upgrade(_)));
            assert!(sent < 100_000, "no upgrade: {visit:?}");
            std::thread::sleep(Duration::from_micros(200));
        }
        assert_eq!(manager.transport(), Some(Transport::WebSocket));
        eventually(LIMIT, "the server knows of the upgrade", || {
            let sockets = server.server().all().sockets();
            sockets.iter().any(|socket| socket.transport() == Transport::WebSocket)
        });
        for n in 0..sent {
            assert_eq!(echoes.recv_timeout(LIMIT).unwrap().args::<u32>().unwrap(), n, "{visit:?}");
        }
    }
}

#[test]
fn a_lost_connection_comes_back_and_what_waited_is_sent() {
    for visit in visits() {
        let _name = CaseName::new(visit);
        let server = start(visit);
        let client = connect(&server, visit);
        let echoes = client.subscribe("echo");
        let first = client.id().unwrap();
        server.stop().unwrap();
        let reason = client.disconnected().0;
        assert!(
            matches!(reason, DisconnectReason::TransportClose | DisconnectReason::TransportError),
            "{visit:?}: {reason}"
        );
        match client.next_status() {
            Status::ConnectError(error) => {
                assert_eq!(error.kind(), ErrorKind::Connect(Stage::Tcp), "{error}");
            }
            other => panic!("{other:?}"),
        }
        assert!(!client.socket.is_connected());
        for n in 0..5 {
            client.emit("echo", n).unwrap();
            client.volatile().emit("echo", "lost").unwrap();
        }
        server.resume().unwrap();
        assert_ne!(first, client.admitted());
        for n in 0..5 {
            assert_eq!(echoes.recv_timeout(LIMIT).unwrap().args::<u32>().unwrap(), n, "{visit:?}");
        }
        let Counters { send_dropped, .. } = client.manager().counters();
        assert_eq!(send_dropped, 5, "{visit:?}");
    }
}

#[test]
fn an_awaited_acknowledgement_ends_with_the_connection() {
    for visit in visits() {
        let _name = CaseName::new(visit);
        let server = start_with(visit, Server::builder(), |server| {
            server.on("silence", |_, _| ());
        });
        let client = connect(&server, visit);
        let mut awaited = client.emit_with_ack("silence", ()).unwrap();
        // It is under way, since what came after it is answered.
        client.timeout(LIMIT).emit_with_ack("sum", ()).unwrap().wait::<i64>().unwrap();
        server.drop_connections().unwrap();
        let error = awaited.wait_timeout::<()>(LIMIT).unwrap_err();
        assert!(error.is_disconnected(), "{visit:?}: {error}");
    }
}

#[test]
fn namespaces_share_a_connection_and_nothing_else() {
    for visit in visits() {
        let _name = CaseName::new(visit);
        let server = start(visit);
        let manager = builder(&server, visit).manager().unwrap();
        let sockets: Vec<_> =
            (0..20).map(|n| manager.socket(&format!("/room-{n}")).unwrap()).collect();
        let news: Vec<_> = sockets.iter().map(|socket| socket.subscribe("news")).collect();
        for (n, socket) in sockets.iter().enumerate() {
            socket.wait_connected(LIMIT).unwrap();
            socket.emit("news", n).unwrap();
        }
        for (n, news) in news.iter().enumerate() {
            let event = news.recv_timeout(LIMIT).unwrap();
            assert_eq!(event.namespace(), format!("/room-{n}"));
            assert_eq!(event.args::<usize>().unwrap(), n);
        }
        assert_eq!(server.server().clients(), 1, "{visit:?}");
        assert!(news.iter().all(|news| news.try_recv().is_none()), "{visit:?}");
        sockets[3].disconnect();
        let sum = sockets[4].timeout(LIMIT).emit_with_ack("sum", 7).unwrap();
        assert_eq!(sum.wait::<i64>().unwrap(), 7);
        let _ = server.server().of("/room-3").emit("news", "not for you").unwrap();
        let _ = server.server().of("/room-5").emit("news", "for you").unwrap();
        news[5].recv_timeout(LIMIT).unwrap();
        assert!(news[3].try_recv().is_none(), "{visit:?}");
    }
}

#[test]
fn a_refusal_gives_the_servers_message_and_data() {
    for visit in visits() {
        let _name = CaseName::new(visit);
        let server = start_with(visit, Server::builder(), |server| {
            server
                .of("/closed")
                .authorize(|_| Err(Refusal::new("not you").data(&json!({ "retry": [1, 2] }))?));
            server.of("/locked").authorize(|_| Err(Refusal::new("locked")));
        });
        let manager = builder(&server, visit).manager().unwrap();
        let closed = manager.socket("/closed").unwrap();
        let error = closed.wait_connected(LIMIT).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{visit:?}");
        assert_eq!(error.data(), Some(r#"{"retry":[1,2]}"#));
        if !visit.old {
            // Old servers send one of the two.
            assert_eq!(error.message(), "not you");
        }
        assert!(!closed.is_active());
        let locked = manager.socket("/locked").unwrap();
        assert_eq!(locked.wait_connected(LIMIT).unwrap_err().message(), "locked", "{visit:?}");
        manager.socket("/open").unwrap().wait_connected(LIMIT).unwrap();
    }
}

#[test]
fn credentials_are_asked_for_at_each_connection() {
    for visit in visits() {
        let _name = CaseName::new(visit);
        let (sender, seen) = crossbeam_channel::unbounded();
        let server = start_with(visit, Server::builder(), move |server| {
            let sender = sender.clone();
            server.of("/private").authorize(move |socket| {
                // The test may have ended.
                let _ = sender.send(socket.handshake().auth::<serde_json::Value>()?);
                Ok(())
            });
        });
        let asked = AtomicU32::new(0);
        let manager = builder(&server, visit).manager().unwrap();
        let options = SocketOptions::new().auto_connect(false).auth_with(move || {
            let token = asked.fetch_add(1, Ordering::SeqCst).to_string();
            Ok(json!({ "token": token, "more": "é&=+% " }))
        });
        let client = Client::of(manager.socket_with("/private", options).unwrap());
        client.connect();
        for token in 0..3 {
            client.connected();
            let seen = seen.recv_timeout(LIMIT).unwrap();
            assert_eq!(seen, json!({ "token": token.to_string(), "more": "é&=+% " }), "{visit:?}");
            server.drop_connections().unwrap();
            client.disconnected();
        }
    }
}

#[test]
fn an_old_server_has_the_credentials_of_the_root_in_the_url() {
    for visit in visits().filter(|visit| visit.old) {
        let _name = CaseName::new(visit);
        let server = start_with(visit, Server::builder(), |server| {
            server.authorize(|socket| {
                let query = socket.handshake().query();
                if query.contains("token=1%202") { Ok(()) } else { Err("no token".into()) }
            });
        });
        let socket = builder(&server, visit).query("token", "1 2").build().unwrap();
        socket.connect();
        socket.wait_connected(LIMIT).unwrap();
        let stranger = builder(&server, visit).force_new(true).build().unwrap();
        stranger.connect();
        assert_eq!(stranger.wait_connected(LIMIT).unwrap_err().message(), "no token", "{visit:?}");
    }
}

#[test]
fn a_server_that_says_goodbye_is_left_alone() {
    for visit in visits() {
        let _name = CaseName::new(visit);
        let server = start(visit);
        let client = connect(&server, visit);
        client.emit("leave", ()).unwrap();
        assert_eq!(client.disconnected().0, DisconnectReason::IoServerDisconnect, "{visit:?}");
        assert!(!client.is_active());
        client.connect();
        client.connected();
    }
}

#[test]
fn heartbeats_keep_a_quiet_connection() {
    for visit in visits() {
        let _name = CaseName::new(visit);
        let server = {
            let brisk = Server::builder().ping_interval(Duration::from_millis(40));
            start_with(visit, brisk.ping_timeout(LIMIT), |_| ())
        };
        let manager = builder(&server, visit).manager().unwrap();
        let packets = manager.engine_events();
        let client = Client::of(manager.socket("/").unwrap());
        client.connected();
        // What comes of a heartbeat: it is the server's, or else the answer to the client's.
        let expected = if visit.old { PacketType::Pong } else { PacketType::Ping };
        let (mut beats, mut others) = (0, 0);
        while beats < 4 {
            match packets.recv_timeout(LIMIT).unwrap() {
                EngineEvent::Packet(packet) if packet.packet_type() == expected => beats += 1,
                _ => others += 1,
            }
            assert!(others < 100, "{beats} heartbeats: {visit:?}");
        }
        assert!(client.status.try_recv().is_none(), "{visit:?}");
        assert_eq!(server.server().clients(), 1);
    }
}

#[test]
fn a_server_without_heartbeats_is_given_up() {
    // All at once: each takes as long as a slow machine may need for the answer to a heartbeat.
    let left_alone = visits().map(|visit| {
        let _name = CaseName::new(visit);
        let brisk = Server::builder().ping_interval(Duration::from_millis(300));
        let server = start_with(visit, brisk.ping_timeout(Duration::from_secs(5)), |_| ());
        let client = connect(&server, visit);
        server.go_silent().unwrap();
        (visit, server, client)
    });
    for (visit, _server, client) in left_alone.collect::<Vec<_>>() {
        assert_eq!(client.disconnected().0, DisconnectReason::PingTimeout, "{visit:?}");
    }
}

#[test]
fn closing_sends_what_waits_and_leaves_no_session() {
    for visit in visits() {
        let _name = CaseName::new(visit);
        let (sender, received) = crossbeam_channel::unbounded();
        let server = start_with(visit, Server::builder(), move |server| {
            let sender = sender.clone();
            server.on("last", move |_, event| {
                // The test may have ended.
                let _ = sender.send(event.args::<ArgList>()?.0.len());
                Ok::<_, siot::Error>(())
            });
        });
        let client = connect(&server, visit);
        client.emit("last", ("words", Binary::from([1, 2, 3]))).unwrap();
        client.manager().close(LIMIT);
        assert_eq!(received.recv_timeout(LIMIT), Ok(2), "{visit:?}");
        eventually(LIMIT, "the server has no session left", || server.server().clients() == 0);
    }
}

#[test]
fn a_server_of_both_revisions_is_spoken_to_as_it_is_told() {
    for visit in visits().filter(|visit| !visit.old) {
        let _name = CaseName::new(visit);
        let server = start_with(visit, Server::builder().allow_eio3(true), |_| ());
        let manager = builder(&server, visit).revision(Revision::V3).manager().unwrap();
        let socket = manager.socket("/deep").unwrap();
        socket.connect();
        socket.wait_connected(LIMIT).unwrap();
        assert_eq!(manager.engine().map(|engine| engine.protocol), Some(3), "{visit:?}");
        let echo = ("€😀", Binary::from_static(&[0, 255]));
        let back: (String, Binary) =
            socket.timeout(LIMIT).emit_with_ack("echo", &echo).unwrap().wait().unwrap();
        assert_eq!((&*back.0, &back.1), (echo.0, &echo.1), "{visit:?}");
    }
}

#[test]
fn every_parser_carries_events_and_binary() {
    let parsers = [
        ParserKind::Json,
        ParserKind::PlainJson,
        #[cfg(feature = "msgpack")]
        ParserKind::MessagePack,
    ];
    let cases = parsers.into_iter().flat_map(|parser| visits().map(move |visit| (parser, visit)));
    for (parser, visit) in cases {
        let _name = CaseName::new((parser, visit));
        let server = start_with(visit, Server::builder().parser(parser), |_| ());
        let manager = builder(&server, visit).parser(parser).manager().unwrap();
        for namespace in ["/", "/deep"] {
            let socket = manager.socket(namespace).unwrap();
            socket.wait_connected(LIMIT).unwrap();
            let bytes: Binary = (0..=255).collect();
            let numbers = [0, 255, 256, -1, -128, 65_536, i64::MAX, i64::MIN];
            let echo = (bytes, numbers.to_vec(), "€😀".to_owned(), 1.5e300, None::<bool>);
            let ack = socket.timeout(LIMIT).emit_with_ack("echo", &echo).unwrap();
            let back: (Binary, Vec<i64>, String, f64, Option<bool>) = ack.wait().unwrap();
            assert!(back == echo, "{parser:?} {visit:?}: {back:?}");
        }
    }
}
