//! Programs that take what comes by threads of their own.

use std::sync::Arc;
use std::thread;

use crossbeam_channel::{Receiver, unbounded};
use siot::server::{Server, ServerBuilder, ServerSocket, SocketIncoming, SocketNews};
use siot::{Buffer, DisconnectReason, ErrorKind, Subscription, WhenFull};

use crate::raw_client::RawClient;
use crate::support::{Client, LIMIT, Via, alone, ask, eventually, recv_within, threads};

/// A server, to which a program subscribes before anybody can come.
fn serve<T>(
    options: impl FnOnce(ServerBuilder) -> ServerBuilder,
    subscribe: impl FnOnce(&Server) -> siot::Result<T>,
) -> (Server, String, T) {
    let mut subscribed = None;
    let server = options(Server::builder())
        .bind_with("127.0.0.1:0", |server| subscribed = Some(subscribe(server)))
        .unwrap();
    let url = format!("http://{}", server.local_addrs()[0]);
    (server, url, subscribed.unwrap().unwrap())
}

fn next(incoming: &Subscription<SocketIncoming>) -> SocketIncoming {
    incoming.recv_timeout(LIMIT).unwrap()
}

#[track_caller]
fn next_connected(incoming: &Subscription<SocketIncoming>) -> ServerSocket {
    match next(incoming) {
        SocketIncoming { socket, news: SocketNews::Connected, .. } => socket,
        other => panic!("nobody has connected, but {other:?}"),
    }
}

/// What the next item is, in a word and for events their first argument.
#[track_caller]
fn next_word(incoming: &Subscription<SocketIncoming>) -> String {
    word(&next(incoming))
}

fn word(incoming: &SocketIncoming) -> String {
    match &incoming.news {
        SocketNews::Connected => "connected".to_owned(),
        SocketNews::Event(event) => format!("{} {}", event.name(), event.arg::<u32>(0).unwrap()),
        SocketNews::Disconnected(reason) => reason.to_string(),
        other => panic!("{other:?}"),
    }
}

fn threads_of_the_server() -> Vec<String> {
    threads().into_iter().filter(|name| ["siot-serve", "siot-work"].contains(&&**name)).collect()
}

#[test]
fn a_program_takes_all_that_comes_by_its_own_thread_alone() {
    alone(|| {
        let (server, url, incoming) = serve(|builder| builder, |server| server.subscribe_all());
        server.on("x", |_, event| event.ack("a handler is called"));
        let client = Via::WebSocket.connect(&url);
        let socket = next_connected(&incoming);
        client.emit("x", 1).unwrap();
        let asked = client.emit_with_ack("x", 2).unwrap();
        assert_eq!(next_word(&incoming), "x 1");
        let SocketNews::Event(event) = next(&incoming).news else { panic!("no event") };
        event.ack("an answer").unwrap();
        assert_eq!(asked.wait::<String>().unwrap(), "an answer");
        client.disconnect();
        assert_eq!(next_word(&incoming), "client namespace disconnect");
        assert!(!socket.is_connected());
        assert_eq!(threads_of_the_server(), ["siot-serve"]);
    });
}

#[test]
fn all_namespaces_come_by_one_subscription_but_for_those_that_have_their_own() {
    let subscribe = |server: &Server| {
        let own = server.of("/own").subscribe_all()?;
        server.of_dynamic(|name| name == "/made");
        server.of("/other");
        Ok((server.subscribe_all_namespaces()?, own))
    };
    let (server, url, (incoming, own)) = serve(|builder| builder, subscribe);
    let client = Via::WebSocket.connect(&url);
    assert_eq!(next_connected(&incoming).namespace().name(), "/");
    let _members = ["/other", "/made"].map(|name| {
        let member = client.connect_in(name);
        assert_eq!(next_connected(&incoming).namespace().name(), name);
        member
    });
    let _own_member = client.connect_in("/own");
    assert_eq!(next_connected(&own).namespace().name(), "/own");
    let refused = [server.subscribe_all_namespaces(), server.of("/own").subscribe_all()];
    for refused in refused {
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidOption);
    }
    assert!(incoming.is_empty() && own.is_empty());
}

/// Of a flood as much waits as there may, and then one event of each client has its turn.
#[test]
fn a_client_that_floods_holds_up_nobody_else() {
    const FLOOD: u32 = 5000;
    let few = Buffer::new().events(16);
    let subscribe = |server: &Server| server.subscribe_all_with(few);
    let (server, url, incoming) = serve(|builder| builder.receive_events(16), subscribe);
    let mut flooding = RawClient::websocket(&url);
    flooding.say("40");
    let flooder = next_connected(&incoming);
    let flood = thread::spawn(move || {
        for number in 0..FLOOD {
            flooding.say(&format!(r#"42["flood",{number}]"#));
        }
        flooding
    });
    eventually(LIMIT, "a full subscription", || incoming.len() == 16);
    server.of("/other").on("echo", |_, event| event.ack(()));
    let client = Via::WebSocket.connect(&url);
    client.emit("x", 7).unwrap();
    // With the answer it is certain that the event before it was read.
    ask::<()>(&client.connect_in("/other"), "echo", ());
    let mut in_front = 0;
    loop {
        let item = next(&incoming);
        let word = word(&item);
        if word == "x 7" {
            break;
        }
        in_front += u32::from(word.starts_with("flood"));
    }
    assert!(in_front <= 16 + 2, "{in_front}");
    // All of it comes, in order, as it is taken.
    for number in in_front..FLOOD {
        assert_eq!(next_word(&incoming), format!("flood {number}"));
    }
    drop(flood.join().unwrap());
    assert!(next_word(&incoming).starts_with("transport"));
    assert!(!flooder.is_connected() && server.len() == 1);
}

#[test]
fn a_connection_waits_with_all_that_comes_until_it_is_taken() {
    let (_server, url, connections) = serve(|builder| builder, |server| server.connections());
    let mut client = RawClient::websocket(&url);
    client.say_all(&["40", r#"42["x",1]"#, r#"42["x",2]"#]);
    client.expect("40");
    let socket = connections.recv_timeout(LIMIT).unwrap();
    client.say(r#"42["x",3]"#);
    let incoming = socket.subscribe_all().unwrap();
    let again = socket.subscribe_all().unwrap_err();
    assert_eq!(again.kind(), ErrorKind::InvalidOption);
    for expected in ["x 1", "x 2", "x 3"] {
        assert_eq!(next_word(&incoming), expected);
    }
    client.say("41");
    assert_eq!(next_word(&incoming), "client namespace disconnect");
    assert_eq!(incoming.recv().unwrap_err().kind(), ErrorKind::Disconnected, "it ends");
    assert!(!connections.is_closed());
}

#[test]
fn a_thread_for_each_client_may_ask_its_own_client() {
    let (_server, url, connections) = serve(|builder| builder, |server| server.connections());
    thread::spawn(move || {
        for socket in connections {
            thread::spawn(move || {
                for incoming in socket.subscribe_all().unwrap() {
                    let SocketNews::Event(event) = incoming.news else { continue };
                    let answer = socket.timeout(LIMIT).emit_with_ack("ask", event.json()).unwrap();
                    event.ack(answer.wait::<String>().unwrap()).unwrap();
                }
            });
        }
    });
    let clients: Vec<_> = (0..5).map(|_| Client::connect(Via::WebSocket.builder(&url))).collect();
    for (number, client) in clients.iter().enumerate() {
        client.on("ask", |event| event.ack(event.arg::<String>(0).unwrap()).unwrap()).unwrap();
        assert_eq!(ask::<String>(client, "x", number), format!(r#"["x",{number}]"#));
    }
}

#[test]
fn subscriptions_end_with_the_server_behind_all_that_came() {
    let subscribe =
        |server: &Server| Ok((server.subscribe_all()?, server.of("/taken").connections()?));
    let (server, url, (incoming, connections)) = serve(|builder| builder, subscribe);
    let client = Via::WebSocket.connect(&url);
    let _taken = client.connect_in("/taken");
    let own = connections.recv_timeout(LIMIT).unwrap().subscribe_all().unwrap();
    client.emit("x", 1).unwrap();
    eventually(LIMIT, "an event", || incoming.len() == 2);
    let waits = thread::spawn(move || connections.recv().unwrap_err().kind());
    assert!(server.close(LIMIT));
    for expected in ["connected", "x 1", "server shutting down"] {
        assert_eq!(next_word(&incoming), expected);
    }
    assert_eq!(incoming.recv().unwrap_err().kind(), ErrorKind::Disconnected);
    assert_eq!(waits.join().unwrap(), ErrorKind::Disconnected);
    assert_eq!(next_word(&own), "server shutting down");
    assert_eq!(own.recv().unwrap_err().kind(), ErrorKind::Disconnected);
    let late = server.of("/late").subscribe_all().unwrap();
    assert_eq!(late.recv().unwrap_err().kind(), ErrorKind::Disconnected, "nobody comes any more");
}

#[test]
fn when_nobody_takes_any_more_handlers_are_called_again() {
    let subscribe =
        |server: &Server| Ok((server.subscribe_all()?, server.of("/taken").connections()?));
    let (server, url, (incoming, connections)) = serve(|builder| builder, subscribe);
    let (called, calls) = unbounded();
    for namespace in [server.of("/"), server.of("/taken")] {
        let called = called.clone();
        namespace.on("x", move |_, event| {
            let _ = called.send(event.arg::<u32>(0)?);
            event.ack(())
        });
    }
    let client = Via::WebSocket.connect(&url);
    let socket = next_connected(&incoming);
    let untaken = client.connect_in("/taken");
    let statuses = untaken.status();
    eventually(LIMIT, "a connection", || connections.len() == 1);
    drop(connections);
    eventually(LIMIT, "a disconnection", || !untaken.is_connected());
    drop(incoming);
    client.emit("x", 1).unwrap();
    drop(statuses);
    let other = Client::connect(Via::WebSocket.builder(&url).force_new(true));
    ask::<()>(&other, "x", 2);
    ask::<()>(&other.connect_in("/taken"), "x", 3);
    assert_eq!(calls.try_iter().collect::<Vec<_>>(), [2, 3]);
    client.disconnect();
    eventually(LIMIT, "the end", || !socket.is_connected() && server.len() == 1);
}

#[test]
fn a_policy_that_drops_drops_events_alone() {
    let newest = Buffer::new().events(2).when_full(WhenFull::DropOldest);
    let subscribe = |server: &Server| server.subscribe_all_with(newest);
    let (server, url, incoming) = serve(|builder| builder, subscribe);
    let mut client = RawClient::websocket(&url);
    client.say_all(&["40", r#"42["x",1]"#, r#"42["x",2]"#, r#"42["x",3]"#, "41"]);
    eventually(LIMIT, "the end", || incoming.lost() == 1 && incoming.len() == 4);
    for expected in ["connected", "x 2", "x 3", "client namespace disconnect"] {
        assert_eq!(next_word(&incoming), expected);
    }
    assert!(server.is_empty());
    let zero = server.of("/zero").subscribe_all_with(Buffer::new().events(0));
    assert_eq!(zero.unwrap_err().kind(), ErrorKind::InvalidOption);
}

/// What is taken from the channel makes room when it is dropped.
#[test]
fn a_channel_gets_all_within_its_bounds() {
    let few = Buffer::new().events(4);
    let subscribe = |server: &Server| server.subscribe_all_with(few);
    let (_server, url, incoming) = serve(|builder| builder.receive_events(4), subscribe);
    let receiver: &Receiver<SocketIncoming> = incoming.receiver();
    let mut client = RawClient::websocket(&url);
    client.say("40");
    assert_eq!(word(&recv_within(receiver, LIMIT)), "connected");
    let sender = thread::spawn(move || {
        (0..500).for_each(|number| client.say(&format!(r#"42["x",{number}]"#)));
        client
    });
    for number in 0..500 {
        assert!(receiver.len() <= 4);
        assert_eq!(word(&recv_within(receiver, LIMIT)), format!("x {number}"));
    }
    drop(sender.join().unwrap());
    let ended = recv_within(receiver, LIMIT);
    assert!(matches!(
        ended.news,
        SocketNews::Disconnected(
            DisconnectReason::TransportClose | DisconnectReason::TransportError
        )
    ));
}

/// Handlers that are not called may hold the socket, which holds them.
#[test]
fn what_is_attached_to_a_socket_ends_with_it_though_no_handler_is_called() {
    let (server, url, incoming) = serve(|builder| builder, |server| server.subscribe_all());
    let token = Arc::new(());
    let client = Via::WebSocket.connect(&url);
    let socket = next_connected(&incoming);
    let held = (socket.clone(), Arc::clone(&token));
    socket.on("x", move |_| drop(held.clone())).unwrap();
    socket.set_data(7_u8);
    client.disconnect();
    let ended = next(&incoming);
    eventually(LIMIT, "nobody holds it", || Arc::strong_count(&token) == 1);
    assert_eq!(ended.socket.data::<u8>().as_deref(), Some(&7), "its data stays");
    assert!(server.is_empty());
}

/// Who is gone counts as a client until the program has taken note of it.
#[test]
fn clients_that_come_and_go_while_nobody_takes_fill_no_memory() {
    let options = |builder: ServerBuilder| builder.max_connections(3);
    let (server, url, incoming) = serve(options, |server| server.subscribe_all());
    let come_and_go = || {
        let mut client = RawClient::websocket(&url);
        client.say_all(&["40", "41"]);
        client.expect("40");
        drop(client);
        eventually(LIMIT, "no session", || server.clients() == 0);
    };
    (0..3).for_each(|_| come_and_go());
    assert_eq!(incoming.len(), 6);
    let refused = Via::WebSocket.builder(&url).reconnection(false).build().unwrap();
    refused.connect();
    assert!(refused.wait_connected(LIMIT).is_err());
    drop([next(&incoming), next(&incoming)]);
    come_and_go();
}
