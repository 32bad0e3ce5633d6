//! The whole library against the small server of the examples: no Node.js, and no network but
//! loopback, so that it also runs on emulated machines.

#[path = "../examples/peer/mod.rs"]
mod peer;
mod support;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use peer::{Options, Peer, PeerSocket, Refusal};
use serde_json::json;
use siot::{
    ArgList, Binary, Builder, Counters, DisconnectReason, EngineEvent, ErrorKind, PacketType,
    ParserKind, Revision, SocketOptions, Stage, Status, Value,
};
use support::{CaseName, Client, LIMIT, Via, eventually};

/// How a client comes to a peer.
#[derive(Clone, Copy, Debug)]
struct Visit {
    via: Via,
    /// The peer is an old server, which has to be found out.
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

fn start(options: Options, visit: Visit) -> Peer {
    let options = if visit.old { options.old() } else { options };
    #[cfg(feature = "rustls")]
    let options = if visit.tls {
        options.tls(peer::tls::server(false).expect("a certificate"))
    } else {
        options
    };
    options.start().expect("a peer")
}

/// A client's options; who goes to the same peer shares a connection.
fn builder(peer: &Peer, visit: Visit) -> Builder {
    let builder = visit.via.builder(peer.url()).force_new(false).auto_connect(false);
    #[cfg(feature = "rustls")]
    let builder = if visit.tls {
        builder.tls(siot::Tls::new().ca_pem(peer::tls::AUTHORITY).built_in_roots(false))
    } else {
        builder
    };
    builder
}

#[track_caller]
fn connect(peer: &Peer, visit: Visit) -> Client {
    let client = Client::connect(builder(peer, visit));
    let protocol = client.manager().engine().map(|engine| engine.protocol);
    assert_eq!(protocol, Some(if visit.old { 3 } else { 4 }));
    client
}

#[test]
fn events_and_acks_pass_in_both_directions() {
    for visit in visits() {
        let _name = CaseName::new(visit);
        let peer = start(Peer::options(), visit);
        let client = connect(&peer, visit);
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
        let peer = start(Peer::options(), visit);
        let client = connect(&peer, visit);
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
        let options = if visit.old { Peer::options() } else { Peer::options().max_payload(400) };
        let peer = start(options, visit);
        let client = connect(&peer, visit);
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
        let peer = start(Peer::options(), visit);
        // All that is sent in the meantime may have to wait on a slow machine.
        let limits = siot::Limits::new().send_events(100_000).receive_events(100_000);
        let manager = builder(&peer, visit).limits(limits).manager().unwrap();
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
        assert_eq!(manager.transport(), Some(siot::Transport::WebSocket));
        eventually(LIMIT, "the peer knows of the upgrade", || peer.any_on_websocket());
        for n in 0..sent {
            assert_eq!(echoes.recv_timeout(LIMIT).unwrap().args::<u32>().unwrap(), n, "{visit:?}");
        }
    }
}

#[test]
fn a_lost_connection_comes_back_and_what_waited_is_sent() {
    for visit in visits() {
        let _name = CaseName::new(visit);
        let peer = start(Peer::options(), visit);
        let client = connect(&peer, visit);
        let echoes = client.subscribe("echo");
        let first = client.id().unwrap();
        peer.stop();
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
        peer.resume().unwrap();
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
        let peer = start(Peer::options().on("silence", |_, _| Ok(())), visit);
        let client = connect(&peer, visit);
        let mut awaited = client.emit_with_ack("silence", ()).unwrap();
        // It is under way, since what came after it is answered.
        client.timeout(LIMIT).emit_with_ack("sum", ()).unwrap().wait::<i64>().unwrap();
        peer.drop_connections();
        let error = awaited.wait_timeout::<()>(LIMIT).unwrap_err();
        assert!(error.is_disconnected(), "{visit:?}: {error}");
    }
}

#[test]
fn namespaces_share_a_connection_and_nothing_else() {
    for visit in visits() {
        let _name = CaseName::new(visit);
        let peer = start(Peer::options(), visit);
        let manager = builder(&peer, visit).manager().unwrap();
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
        assert_eq!(peer.sessions(), 1, "{visit:?}");
        assert!(news.iter().all(|news| news.try_recv().is_none()), "{visit:?}");
        sockets[3].disconnect();
        let sum = sockets[4].timeout(LIMIT).emit_with_ack("sum", 7).unwrap();
        assert_eq!(sum.wait::<i64>().unwrap(), 7);
        peer.emit("/room-3", "news", "not for you").unwrap();
        peer.emit("/room-5", "news", "for you").unwrap();
        news[5].recv_timeout(LIMIT).unwrap();
        assert!(news[3].try_recv().is_none(), "{visit:?}");
    }
}

#[test]
fn a_refusal_gives_the_servers_message_and_data() {
    for visit in visits() {
        let _name = CaseName::new(visit);
        let options = Peer::options().admit(|namespace, _| match namespace {
            "/closed" => {
                let data = json!({ "retry": [1, 2] }).into();
                Err(Refusal { message: "not you".into(), data })
            }
            "/locked" => Err(Refusal { message: "locked".into(), data: Value::Null }),
            _ => Ok(()),
        });
        let peer = start(options, visit);
        let manager = builder(&peer, visit).manager().unwrap();
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
        let options = Peer::options().admit(move |namespace, auth| {
            if namespace == "/private" {
                // The test may have ended.
                let _ = sender.send((auth["token"].clone(), auth["more"].clone()));
            }
            Ok(())
        });
        let peer = start(options, visit);
        let asked = AtomicU32::new(0);
        let manager = builder(&peer, visit).manager().unwrap();
        let options = SocketOptions::new().auto_connect(false).auth_with(move || {
            let token = asked.fetch_add(1, Ordering::SeqCst).to_string();
            Ok(json!({ "token": token, "more": "é&=+% " }))
        });
        let client = Client::of(manager.socket_with("/private", options).unwrap());
        client.connect();
        for token in 0..3 {
            client.connected();
            let (seen, more) = seen.recv_timeout(LIMIT).unwrap();
            assert_eq!(seen.as_str(), Some(&*token.to_string()), "{visit:?}");
            assert_eq!(more.as_str(), Some("é&=+% "), "{visit:?}");
            peer.drop_connections();
            client.disconnected();
        }
    }
}

#[test]
fn an_old_server_has_the_credentials_of_the_root_in_the_url() {
    for visit in visits().filter(|visit| visit.old) {
        let _name = CaseName::new(visit);
        let options = Peer::options().admit(|_, query| match query["token"].as_str() {
            Some("1 2") => Ok(()),
            _ => Err(Refusal { message: "no token".into(), data: Value::Null }),
        });
        let peer = start(options, visit);
        let socket = builder(&peer, visit).query("token", "1 2").build().unwrap();
        socket.connect();
        socket.wait_connected(LIMIT).unwrap();
        let stranger = builder(&peer, visit).force_new(true).build().unwrap();
        stranger.connect();
        assert_eq!(stranger.wait_connected(LIMIT).unwrap_err().message(), "no token", "{visit:?}");
    }
}

#[test]
fn a_server_that_says_goodbye_is_left_alone() {
    for visit in visits() {
        let _name = CaseName::new(visit);
        let peer = start(Peer::options(), visit);
        let client = connect(&peer, visit);
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
        let peer = start(Peer::options().ping(Duration::from_millis(40), LIMIT), visit);
        let manager = builder(&peer, visit).manager().unwrap();
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
        assert_eq!(peer.sessions(), 1);
    }
}

#[test]
fn a_server_without_heartbeats_is_given_up() {
    for visit in visits() {
        let _name = CaseName::new(visit);
        let limit = Duration::from_millis(300);
        let peer = start(Peer::options().ping(limit, limit).no_pings(), visit);
        let client = connect(&peer, visit);
        assert_eq!(client.disconnected().0, DisconnectReason::PingTimeout, "{visit:?}");
    }
}

#[test]
fn closing_sends_what_waits_and_leaves_no_session() {
    for visit in visits() {
        let _name = CaseName::new(visit);
        let (sender, received) = crossbeam_channel::unbounded();
        let options = Peer::options().on("last", move |_: &PeerSocket, event| {
            // The test may have ended.
            let _ = sender.send(event.args::<ArgList>()?.0.len());
            Ok(())
        });
        let peer = start(options, visit);
        let client = connect(&peer, visit);
        client.emit("last", ("words", Binary::from([1, 2, 3]))).unwrap();
        client.manager().close(LIMIT);
        assert_eq!(received.recv_timeout(LIMIT), Ok(2), "{visit:?}");
        eventually(LIMIT, "the peer has no session left", || peer.sessions() == 0);
    }
}

#[test]
fn a_server_of_both_revisions_is_spoken_to_as_it_is_told() {
    for visit in visits().filter(|visit| !visit.old) {
        let _name = CaseName::new(visit);
        let peer = start(Peer::options(), visit);
        let manager = builder(&peer, visit).revision(Revision::V3).manager().unwrap();
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
        let peer = start(Peer::options().parser(parser), visit);
        let manager = builder(&peer, visit).parser(parser).manager().unwrap();
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
