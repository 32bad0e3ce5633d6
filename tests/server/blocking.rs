//! Handlers that block: on their own clients, on others, for longer than heartbeats may take.

use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Sender, bounded, unbounded};
use siot::server::{Server, ServerSocket};
use siot::{Ack, ArgList, DisconnectReason, ErrorKind};

use crate::host::Host;
use crate::raw_client::RawClient;
use crate::support::{
    CaseName, Client, LIMIT, Via, alone, ask, eventually, over_each_transport, recv_within, threads,
};

#[track_caller]
fn connect(host: &Host) -> Client {
    let client = Via::WebSocket.connect(&host.url);
    client.on("ask", |event| event.ack(event.args::<ArgList>().unwrap()).unwrap()).unwrap();
    client
}

#[test]
fn one_thread_is_enough_to_wait_for_the_own_client() {
    for most in [2, 64] {
        let host = Host::start(|builder| builder.workers(1).max_workers(most));
        let client = connect(&host);
        let conclusions = client.subscribe("conclusion");
        for number in 0..100 {
            client.emit("question", number).unwrap();
        }
        for number in 0..100 {
            let conclusion = recv_within(conclusions.receiver(), LIMIT);
            assert_eq!(conclusion.arg::<u32>(0).unwrap(), number);
        }
    }
}

#[test]
fn a_wait_that_nothing_could_end_is_refused() {
    let host = Host::start(|builder| builder.workers(1).max_workers(1));
    let (failed, failures) = unbounded();
    host.server.on("risk", move |socket, _| {
        let asked = socket.emit_with_ack("unheard", ()).unwrap();
        let _ = failed.send(asked.wait::<ArgList>().map_err(|error| error.kind()));
    });
    let client = connect(&host);
    client.emit("risk", ()).unwrap();
    assert_eq!(recv_within(&failures, LIMIT), Err(ErrorKind::Resource));
    assert_eq!(ask::<(u8,)>(&client, "echo", 1), (1,), "the thread serves on");
}

/// Each handler waits for another client, which answers when another handler has helped it.
#[test]
fn handlers_wait_for_clients_who_need_handlers() {
    const PAIRS: usize = 8;
    let host = Host::start(|builder| builder.workers(2).max_workers(2 * PAIRS + 2));
    host.of("/help");
    host.server.on("relay", |socket, event| {
        let partner: String = event.arg(0)?;
        let sockets = socket.namespace().to(&partner).sockets();
        let answer: (String,) =
            sockets[0].timeout(LIMIT).emit_with_ack("favour", "please")?.wait()?;
        event.ack(answer)
    });
    let clients: Vec<_> = (0..2 * PAIRS)
        .map(|_| {
            let client = Client::connect(Via::WebSocket.builder(&host.url).force_new(true));
            let helper = client.connect_in("/help").socket.clone();
            client
                .on("favour", move |event| {
                    let text: String = event.arg(0).unwrap();
                    let answer = move |answer: siot::Result<siot::AckReply>| {
                        let answer: (String,) = answer.unwrap().args().unwrap();
                        event.ack(answer).unwrap();
                    };
                    helper.timeout(LIMIT).emit_with_callback("echo", text, answer).unwrap();
                })
                .unwrap();
            client
        })
        .collect();
    let ids: Vec<_> = clients.iter().map(|client| client.id().unwrap()).collect();
    let answers: Vec<_> = (0..2 * PAIRS)
        .map(|n| {
            let emitter = clients[n].timeout(LIMIT);
            emitter.emit_with_ack("relay", &ids[n ^ 1]).unwrap()
        })
        .collect();
    for answer in answers {
        assert_eq!(answer.wait::<(String,)>().unwrap().0, "please");
    }
}

/// Where each kind of handler ends something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Connection,
    Event,
    Disconnecting,
    Disconnect,
}

const PLACES: [Place; 4] =
    [Place::Connection, Place::Event, Place::Disconnecting, Place::Disconnect];

/// Has this done by a handler at that place.
fn place(server: &Server, place: Place, act: impl Fn(&ServerSocket) + Send + Sync + 'static) {
    match place {
        Place::Connection => server.on_connection(move |socket| act(socket)),
        Place::Event => server.on("act", move |socket, _| act(socket)),
        Place::Disconnecting => server.on_disconnecting(move |socket, _| act(socket)),
        Place::Disconnect => server.on_disconnect(move |socket, _| act(socket)),
    };
}

#[test]
fn any_handler_may_end_a_socket_a_client_or_the_server() {
    for at in PLACES {
        for what in ["socket", "client", "server"] {
            let _name = CaseName::new((at, what));
            let host = Host::start(|builder| builder.workers(1));
            // A handler that held the server would keep it from ending with its last handle.
            let server = Arc::new(Mutex::new(Some(host.server.clone())));
            let (done, dones) = bounded(1);
            place(&host.server, at, move |socket| {
                match what {
                    "socket" => socket.disconnect(),
                    "client" => socket.disconnect_client(),
                    _ => {
                        let server = server.lock().unwrap().take();
                        assert!(server.expect("once").close(LIMIT));
                    }
                }
                let _ = done.try_send(());
            });
            let mut client = RawClient::websocket(&host.url);
            client.say("40");
            client.expect("40");
            if at == Place::Event {
                client.say(r#"42["act"]"#);
            } else if at != Place::Connection {
                client.say("41");
            }
            recv_within(&dones, LIMIT);
            let socket = host.connected();
            host.disconnected(&socket);
            assert!(!socket.is_connected());
            if what != "socket" {
                client.ends();
            }
        }
    }
}

fn on_purpose(socket: &ServerSocket) {
    panic!("on purpose: a handler of {socket:?} panics");
}

#[test]
fn a_panic_ends_nothing_but_its_handler() {
    for at in PLACES {
        let _name = CaseName::new(at);
        let host = Host::start(|builder| builder.workers(1));
        place(&host.server, at, |socket| {
            if socket.handshake().query().contains("panics=1") {
                on_purpose(socket);
            }
        });
        let url = format!("{}/?panics=1", host.url);
        let mut client = RawClient::websocket(&url);
        client.say("40");
        client.expect("40");
        client.say(r#"42["act"]"#);
        client.say(r#"420["echo",1]"#);
        client.expect("430[1]");
        client.say("41");
        let socket = host.connected();
        assert_eq!(host.disconnected(&socket), DisconnectReason::ClientNamespaceDisconnect);
        assert!(host.server.is_empty());
        drop(client);
        eventually(LIMIT, "no session", || host.server.clients() == 0);
        let other = connect(&host);
        assert_eq!(ask::<(u8,)>(&other, "echo", 2), (2,));
    }
}

#[test]
fn a_panic_of_the_function_that_lets_in_refuses() {
    let host = Host::start(|builder| builder.workers(1));
    host.of("/strict").authorize(|_| panic!("on purpose: a function of the program panics"));
    host.server.of_dynamic(|name| panic!("on purpose: {name}"));
    let client = Client::connect(Via::WebSocket.builder(&host.url).force_new(false));
    for name in ["/strict", "/unknown"] {
        assert_eq!(client.start_in(name).refused().message(), "Internal error");
    }
    assert_eq!(ask::<(u8,)>(&client, "echo", 1), (1,));
}

/// What a program has attached to a socket goes with it, whatever panicked.
#[test]
fn nothing_is_left_of_a_socket_whose_handlers_panicked() {
    let server = Server::builder().bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", server.local_addrs()[0]);
    let (dropped, drops) = unbounded();
    server.on_connection(move |socket| {
        let (watch, by) = crate::support::mischief::DropWatch::new(None);
        socket.set_data(watch);
        let own = socket.clone();
        socket.on("own", move |_| on_purpose(&own)).unwrap();
        let _ = dropped.send(by);
        on_purpose(socket);
    });
    server.on_disconnecting(|socket, _| on_purpose(socket));
    server.on_disconnect(|socket, _| on_purpose(socket));
    for _ in 0..20 {
        let mut client = RawClient::websocket(&url);
        client.say("40");
        client.expect("40");
        client.say(r#"42["own"]"#);
        drop(client);
    }
    for _ in 0..20 {
        let by = recv_within(&drops, LIMIT);
        recv_within(&by, LIMIT);
    }
    assert!(server.is_empty());
}

/// Has a handler of this client block the thread that has read for it, until the sender is dropped.
fn block_the_server(host: &Host, client: &Client) -> (Sender<()>, Ack) {
    let (go_on, stuck) = bounded::<()>(0);
    let (told, tells) = unbounded();
    host.server.on("block", move |_, event| {
        let is_server = thread::current().name() == Some("siot-serve");
        told.send(is_server).unwrap();
        if is_server {
            let _ = stuck.recv();
        }
        event.ack(())
    });
    // Handlers that are quick run there, unless some were slow a moment ago.
    loop {
        let asked = client.timeout(LIMIT).emit_with_ack("block", ()).unwrap();
        if recv_within(&tells, LIMIT) {
            return (go_on, asked);
        }
        asked.wait::<()>().unwrap();
        thread::sleep(Duration::from_millis(25));
    }
}

#[test]
fn a_handler_that_blocks_the_thread_that_serves_holds_up_nobody_else() {
    let host = Host::start(|builder| builder.ping_interval(Duration::from_millis(50)));
    let client = connect(&host);
    let other = connect(&host);
    let (go_on, blocked) = block_the_server(&host, &client);
    for number in 0..1000 {
        assert_eq!(ask::<(u32,)>(&other, "echo", number), (number,));
    }
    drop(go_on);
    blocked.wait::<()>().unwrap();
    assert_eq!(ask::<(u8,)>(&client, "echo", 2), (2,));
    assert!(client.status.try_recv().is_none() && other.status.try_recv().is_none());
}

#[test]
fn a_server_ends_though_a_handler_blocks_the_thread_that_served() {
    alone(|| {
        let host = Host::start(|builder| builder);
        let client = connect(&host);
        let (go_on, _) = block_the_server(&host, &client);
        let address = host.server.local_addrs()[0];
        assert!(host.server.close(LIMIT), "all clients are told");
        // The handler still blocks: it is another thread that has ended what there was to serve.
        eventually(LIMIT, "nobody listens", || TcpStream::connect(address).is_err());
        drop((go_on, client, host));
        let ours = || threads().into_iter().filter(|name| name.starts_with("siot-")).count();
        eventually(LIMIT, "no thread is left", || ours() == 0);
    });
}

/// The thread that has an eye on the one that serves ends when that one has run no handler for a while.
#[test]
fn a_server_without_work_has_one_thread() {
    alone(|| {
        let host = Host::start(|builder| builder);
        let mut client = RawClient::websocket(&host.url);
        client.say("40");
        client.expect("40");
        let serving = || threads().iter().filter(|name| *name == "siot-serve").count();
        while serving() < 2 {
            client.say(r#"420["echo",1]"#);
            client.expect("430[1]");
        }
        eventually(LIMIT, "it has ended", || serving() == 1);
        client.say(r#"421["echo",2]"#);
        client.expect("431[2]");
    });
}

over_each_transport!(a_handler_may_take_longer_than_a_heartbeat);

fn a_handler_may_take_longer_than_a_heartbeat(via: Via) {
    let host = Host::start(|builder| {
        builder.ping_interval(Duration::from_millis(100)).ping_timeout(Duration::from_secs(5))
    });
    host.of("/other");
    host.server.on("slow", |_, event| {
        // Time has to pass: more than a client may be silent.
        thread::sleep(Duration::from_millis(5500));
        event.ack("done")
    });
    let client = via.connect(&host.url);
    let other = client.connect_in("/other");
    let slow = client.timeout(LIMIT).emit_with_ack("slow", ()).unwrap();
    assert_eq!(ask::<(u8,)>(&other, "echo", 1), (1,), "meanwhile");
    assert_eq!(slow.wait::<String>().unwrap(), "done");
    assert_eq!(ask::<(u8,)>(&client, "echo", 2), (2,));
    assert!(client.status.try_recv().is_none(), "nothing has ended");
}

#[test]
fn events_right_behind_connect_wait_for_the_handler_of_connections() {
    let host = Host::start(|builder| builder);
    let (seen, sights) = unbounded();
    let called = seen.clone();
    host.server.on_connection(move |socket| {
        let answer: String =
            socket.timeout(LIMIT).emit_with_ack("who", ()).unwrap().wait().unwrap();
        let _ = called.send(format!("connection of {answer}"));
        let own = called.clone();
        socket
            .on("early", move |event| {
                let _ = own.send(format!("own {}", event.arg::<u32>(0).unwrap()));
            })
            .unwrap();
    });
    host.server.on("early", move |_, event| {
        let _ = seen.send(format!("early {}", event.arg::<u32>(0).unwrap()));
    });
    let mut client = RawClient::websocket(&host.url);
    client.say_all(&["40", r#"42["early",1]"#, r#"42["early",2]"#]);
    client.expect("40");
    let question = client.expect("42");
    let number = question.trim_start_matches("42").split('[').next().unwrap().to_owned();
    client.say(&format!(r#"43{number}["me"]"#));
    let lines: Vec<_> = (0..5).map(|_| recv_within(&sights, LIMIT)).collect();
    assert_eq!(lines, ["connection of me", "early 1", "own 1", "early 2", "own 2"]);
}

/// While a handler does nothing for too long, with more in front of it than may wait.
#[test]
fn a_client_is_held_up_for_no_longer_than_its_handlers_may_do_nothing() {
    let limit = Duration::from_millis(200);
    let host = Host::start(|builder| builder.receive_events(4).stall_timeout(limit));
    let (go_on, stuck) = bounded::<()>(0);
    host.server.on("stuck", move |_, _| _ = stuck.recv());
    let mut client = RawClient::websocket(&host.url);
    client.say("40");
    client.expect("40");
    let socket = host.connected();
    // So long as no more waits than may, nobody is held up.
    client.say_all(&[r#"42["stuck"]"#, r#"42["x"]"#]);
    let other = connect(&host);
    let other_socket = host.connected();
    thread::sleep(2 * limit);
    assert!(socket.is_connected());
    client.say_all(&[r#"42["x"]"#; 6]);
    client.ends();
    assert!(!socket.is_connected());
    assert_eq!(ask::<u8>(&other, "echo", 7), 7, "it harms no other");
    drop(go_on);
    assert_eq!(host.disconnected(&socket), DisconnectReason::ForcedServerClose);
    drop(other);
    host.disconnected(&other_socket);
}

/// Slow handlers keep all threads busy: those who come meanwhile are let in, or refused, all the same.
#[test]
fn who_comes_in_is_decided_though_all_threads_are_busy() {
    let host = Host::start(|builder| builder.workers(2).allow_request(|_| true));
    host.server.authorize(|_| Ok(()));
    host.of("/closed").authorize(|_| Err("not today".into()));
    let (go_on, stuck) = bounded::<()>(0);
    let (begun, begins) = unbounded();
    host.server.on("stuck", move |_, _| {
        let _ = begun.send(());
        let _ = stuck.recv();
    });
    let busy = [(); 2].map(|()| {
        let mut client = RawClient::websocket(&host.url);
        client.say("40");
        client.expect("40{");
        client.say(r#"42["stuck"]"#);
        recv_within(&begins, LIMIT);
        client
    });
    for _ in 0..3 {
        let mut late = RawClient::websocket(&host.url);
        late.say("40");
        late.expect("40{");
        late.say("40/closed,");
        late.expect(r#"44/closed,{"message":"not today""#);
    }
    drop((busy, go_on));
}

/// It gives up, or takes longer than a client may that has joined nothing.
#[test]
fn a_client_that_has_gone_while_it_was_decided_about_was_never_there() {
    for gives_up in [true, false] {
        let limit = Duration::from_millis(if gives_up { 45_000 } else { 200 });
        let host = Host::start(|builder| builder.connect_timeout(limit));
        let (let_in, decision) = bounded::<()>(0);
        let (asked, questions) = unbounded();
        host.of("/slow").authorize(move |socket| {
            let (watch, by) = crate::support::mischief::DropWatch::new(None);
            socket.set_data(watch);
            let _ = asked.send(by);
            let _ = decision.recv();
            Ok(())
        });
        let mut client = RawClient::websocket(&host.url);
        client.say("40/slow,");
        let dropped = recv_within(&questions, LIMIT);
        if gives_up {
            drop(client);
        } else {
            let said = client.ends();
            assert!(!said.iter().any(|text| text.starts_with("40")), "{said:?}");
        }
        eventually(LIMIT, "no session", || host.server.clients() == 0);
        drop(let_in);
        // What was taken for it is given back.
        recv_within(&dropped, LIMIT);
        assert!(host.of("/slow").is_empty());
        let mut other = RawClient::websocket(&host.url);
        other.say("40");
        other.expect("40{");
        assert_eq!(host.connected().namespace().name(), "/", "no other handler was called");
    }
}

#[test]
fn a_function_that_decides_may_end_the_server() {
    for at in ["a request", "a namespace", "a join", "a page"] {
        let _name = CaseName::new(at);
        let own = Arc::<Mutex<Option<Server>>>::default();
        let (done, dones) = bounded(1);
        let place = Arc::clone(&own);
        let end = Arc::new(move || {
            // Once: the others find nothing.
            let server = place.lock().unwrap().take();
            if let Some(server) = server {
                let _ = done.send(server.close(LIMIT));
            }
        });
        let (of_request, of_page) = (Arc::clone(&end), Arc::clone(&end));
        let host = Host::start(|builder| {
            let builder = builder.allow_request(move |_| {
                if at == "a request" {
                    of_request();
                }
                true
            });
            builder.fallback(move |_| {
                of_page();
                siot::server::HttpReply::new(204)
            })
        });
        let (of_join, of_namespace) = (Arc::clone(&end), end);
        host.of("/join").authorize(move |_| {
            of_join();
            Ok(())
        });
        host.server.of_dynamic(move |_| {
            of_namespace();
            true
        });
        *own.lock().unwrap() = Some(host.server.clone());
        let stream = std::net::TcpStream::connect(host.server.local_addrs()[0]).unwrap();
        let request = match at {
            "a page" => "GET /page HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
            _ => crate::sessions::websocket_head(""),
        };
        std::io::Write::write_all(&mut &stream, request.as_bytes()).unwrap();
        let joins = match at {
            "a namespace" => "40/made,",
            _ => "40/join,",
        };
        std::io::Write::write_all(&mut &stream, &crate::raw_client::text_frame(joins)).unwrap();
        assert!(recv_within(&dones, LIMIT), "the client has what is left for it");
        eventually(LIMIT, "no session", || host.server.clients() == 0);
    }
}

/// A handler of the end says so to the rooms that the socket was in.
#[test]
fn what_is_emitted_to_a_room_at_the_end_reaches_the_others_alone() {
    let host = Host::start(|builder| builder);
    let (seen, sights) = unbounded();
    let tell = move |socket: &ServerSocket, event: &'static str| {
        let rooms = socket.rooms();
        for room in rooms.iter().filter(|room| ***room == *"a") {
            let report = socket.namespace().to(room).emit(event, socket.id()).unwrap();
            let own = socket.emit(event, ()).unwrap_err().kind();
            let _ = seen.send((event, report.queued, own));
        }
    };
    let tell_later = tell.clone();
    host.server.on_disconnecting(move |socket, _| tell(socket, "leaving"));
    host.server.on_disconnect(move |socket, _| tell_later(socket, "left"));
    let mut clients = [(); 2].map(|()| {
        let mut client = RawClient::websocket(&host.url);
        client.say("40");
        client.expect("40{");
        client.say(r#"421["join","a"]"#);
        client.expect("431[]");
        client
    });
    let [leaver, other] = &mut clients;
    // It stays connected.
    leaver.say("41");
    for event in ["leaving", "left"] {
        assert_eq!(recv_within(&sights, LIMIT), (event, 1, ErrorKind::Disconnected));
        other.expect(&format!(r#"42["{event}","#));
    }
    leaver.say("40");
    leaver.expect("40{");
}

/// The answer lies behind events that nobody reads until it has come.
#[test]
fn an_answer_is_found_behind_more_events_than_may_wait() {
    let host = Host::start(|builder| builder.receive_events(4).workers(1));
    for is_before in [true, false] {
        let mut client = RawClient::websocket(&host.url);
        client.say("40");
        client.expect("40{");
        let flood = [r#"42["x"]"#; 50];
        client.say(r#"42["question","why?"]"#);
        if is_before {
            client.say_all(&flood);
        }
        let asked = client.expect("42");
        let number = asked.trim_start_matches("42").split('[').next().unwrap();
        if !is_before {
            client.say_all(&flood);
        }
        client.say(&format!(r#"43{number}["so"]"#));
        client.expect(r#"42["conclusion","so"]"#);
    }
}

#[test]
fn an_acknowledgement_may_be_given_by_any_thread_after_the_handler() {
    let host = Host::start(|builder| builder.workers(1));
    let (kept, events) = unbounded();
    host.server.on("later", move |_, event| _ = kept.send(event));
    let mut client = RawClient::websocket(&host.url);
    client.say("40");
    client.expect("40{");
    client.say_all(&[r#"420["later"]"#, r#"421["echo","meanwhile"]"#]);
    client.expect(r#"431["meanwhile"]"#);
    let event: siot::Event = recv_within(&events, LIMIT);
    thread::spawn(move || event.ack("at last").unwrap()).join().unwrap();
    client.expect(r#"430["at last"]"#);
}

/// What fills the inbox stands in front of the answer that its handler waits for.
#[test]
fn the_answer_that_a_handler_waits_for_is_read_behind_more_events_than_may_wait() {
    let host = Host::start(|builder| builder.receive_events(2));
    let mut client = RawClient::websocket(&host.url);
    client.say("40");
    client.expect("40");
    let socket = host.connected();
    client.say(r#"42["question",1]"#);
    client.expect("420[\"ask\",1]");
    client.say_all(&[r#"42["back",2]"#; 8]);
    client.say("430[3]");
    client.expect(r#"42["conclusion",3]"#);
    for _ in 0..8 {
        client.expect(r#"42["event",2]"#);
    }
    assert!(socket.is_connected());
}

/// Until half of what may wait is handled takes longer than they may do nothing.
#[test]
fn a_client_whose_handlers_do_something_is_not_given_up() {
    let limit = Duration::from_secs(1);
    let host = Host::start(|builder| builder.receive_events(20).stall_timeout(limit));
    host.server.on("slow", move |_, event| {
        thread::sleep(limit / 7);
        event.ack(())
    });
    let mut client = RawClient::websocket(&host.url);
    client.say("40");
    client.expect("40");
    let socket = host.connected();
    client.say_all(&[r#"421["slow"]"#; 25]);
    for _ in 0..25 {
        client.expect("431[]");
    }
    assert!(socket.is_connected());
}
