//! Handlers of one socket: how often they are called, by whom they are taken away, and what they miss.

use crossbeam_channel::{bounded, unbounded};
use siot::{Binary, ErrorKind};

use crate::host::Host;
use crate::raw_client::RawClient;
use crate::support::{Client, LIMIT, Via, ask, recv_within};

fn connect(host: &Host) -> (Client, siot::server::ServerSocket) {
    let client = Via::WebSocket.connect(&host.url);
    (client, host.connected())
}

#[test]
fn a_handler_for_one_event_is_called_once_and_for_one_that_is_let_through() {
    let host = Host::start(|builder| builder);
    let (client, socket) = connect(&host);
    let (called, calls) = unbounded();
    let by_on = called.clone();
    socket.once("x", move |event| _ = called.send(("once", event.arg::<u8>(0).unwrap()))).unwrap();
    socket.on("x", move |event| _ = by_on.send(("on", event.arg::<u8>(0).unwrap()))).unwrap();
    assert_eq!((socket.listener_count("x"), socket.listener_count("y")), (2, 0));
    socket.middleware(|event| match event.name() {
        "x" if event.arg::<u8>(0)? == 0 => Err("not yet".into()),
        _ => Ok(()),
    });
    for number in 0..3_u8 {
        client.emit("x", number).unwrap();
    }
    ask::<()>(&client, "echo", ());
    assert_eq!(calls.try_iter().collect::<Vec<_>>(), [("once", 1), ("on", 1), ("on", 2)]);
    assert_eq!(socket.listener_count("x"), 1);
}

#[test]
fn a_handler_that_is_removed_is_not_called() {
    let host = Host::start(|builder| builder);
    let (client, socket) = connect(&host);
    let (called, calls) = unbounded();
    let listener = |name| {
        let called = called.clone();
        move |_| _ = called.send(name)
    };
    let named = socket.on("x", listener("named")).unwrap();
    socket.on("x", listener("other")).unwrap();
    let any = socket.on_any(listener("any"));
    socket.prepend_any(listener("first"));
    let all = |calls: &crossbeam_channel::Receiver<&'static str>| {
        client.emit("x", ()).unwrap();
        ask::<()>(&client, "echo", ());
        calls.try_iter().collect::<Vec<_>>()
    };
    // The catch-alls see the question that ends the round too.
    assert_eq!(all(&calls), ["first", "any", "named", "other", "first", "any"]);
    assert!(socket.off(named) && socket.off(any) && !socket.off(named));
    assert_eq!(all(&calls), ["first", "other", "first"]);
    assert_eq!((socket.off_event("x"), socket.off_any(), socket.off_all()), (1, 1, 0));
    assert_eq!(all(&calls), [""; 0]);
}

#[test]
fn a_name_that_no_event_has_is_refused() {
    let host = Host::start(|builder| builder);
    let (_client, socket) = connect(&host);
    for name in ["disconnect", "connect", "connect_error"] {
        assert_eq!(socket.on(name, |_| ()).unwrap_err().kind(), ErrorKind::ReservedEvent);
        assert_eq!(socket.once(name, |_| ()).unwrap_err().kind(), ErrorKind::ReservedEvent);
        assert_eq!(socket.emit(name, ()).unwrap_err().kind(), ErrorKind::ReservedEvent);
    }
}

/// A handler of another event blocks, and with it the one that watches.
#[test]
fn who_watches_what_goes_out_misses_the_oldest_and_holds_up_nothing() {
    let host = Host::start(|builder| builder.receive_events(8));
    let (client, socket) = connect(&host);
    let (go_on, blocked) = bounded::<()>(0);
    let (begun, beginnings) = unbounded();
    socket
        .on("block", move |_| {
            let _ = begun.send(());
            let _ = blocked.recv();
        })
        .unwrap();
    let (seen, sights) = unbounded();
    let watcher = socket.on_any_outgoing(move |event| _ = seen.send(event.arg::<u8>(0).unwrap()));
    client.emit("block", ()).unwrap();
    recv_within(&beginnings, LIMIT);
    let news = client.subscribe("news");
    for number in 0..20_u8 {
        socket.emit("news", number).unwrap();
    }
    for number in 0..20_u8 {
        assert_eq!(recv_within(news.receiver(), LIMIT).arg::<u8>(0).unwrap(), number);
    }
    assert_eq!(socket.lost(watcher), Some(12));
    drop(go_on);
    let shown: Vec<_> = (0..8).map(|_| recv_within(&sights, LIMIT)).collect();
    assert_eq!(shown, (12..20).collect::<Vec<_>>());
}

#[test]
fn a_volatile_question_that_is_dropped_is_answered_by_an_error() {
    let host = Host::start(|builder| builder);
    let mut sleeper = RawClient::websocket(&host.url);
    sleeper.say("40");
    sleeper.expect("40");
    let socket = host.connected();
    let piece = Binary::from(vec![7; 100 * 1024]);
    while socket.emit("piece", &piece).is_ok() {}
    let asked = socket.volatile().emit_with_ack("ask", ()).unwrap();
    assert_eq!(asked.wait::<()>().unwrap_err().kind(), ErrorKind::Disconnected);
    assert!(socket.is_connected());
}

#[test]
fn a_callback_that_gets_no_answer_in_time_gets_an_error_and_the_next_one_too() {
    let host = Host::start(|builder| builder);
    let mut client = RawClient::websocket(&host.url);
    client.say("40");
    client.expect("40");
    let socket = host.connected();
    let (tell, told) = unbounded();
    let ask = |millis, name| {
        let tell = tell.clone();
        let answer = move |answer: siot::Result<_>| _ = tell.send((name, answer.map(drop)));
        let limit = std::time::Duration::from_millis(millis);
        socket.timeout(limit).emit_with_callback("ask", (), answer).unwrap();
    };
    ask(60_000, "answered");
    ask(50, "first");
    let (name, answer) = recv_within(&told, LIMIT);
    assert_eq!((name, answer.unwrap_err().kind()), ("first", ErrorKind::Timeout));
    ask(50, "second");
    let (name, answer) = recv_within(&told, LIMIT);
    assert_eq!((name, answer.unwrap_err().kind()), ("second", ErrorKind::Timeout));
    // Of answers that are late nobody hears.
    for number in [2, 1, 0] {
        client.say(&format!("43{number}[]"));
    }
    let (name, answer) = recv_within(&told, LIMIT);
    assert!(name == "answered" && answer.is_ok());
    assert!(told.is_empty() && socket.is_connected());
}
