//! What listens to the events of one socket: once, to what goes out, and as a middleware; and answers by callback.

use crossbeam_channel::unbounded;
use serde_json::{Value, json};
use siot::server::SocketNews;

use crate::host::Host;
use crate::support::{JsClient, LIMIT, Via, recv_within};

for_each_client!(
    a_middleware_holds_events_up_and_refuses_some,
    what_goes_out_is_shown_in_order,
    a_callback_gets_the_answer_in_its_turn,
    a_program_serves_by_its_own_thread,
);

fn a_middleware_holds_events_up_and_refuses_some(version: u32, via: Via) {
    let host = Host::start(|builder| builder);
    let (seen, sights) = unbounded();
    let by_any = seen.clone();
    host.server.on_any(move |_, event| _ = by_any.send(format!("any {}", event.name())));
    host.server.on_connection(move |socket| {
        let seen = seen.clone();
        socket.middleware(move |event| {
            let _ = seen.send(format!("middleware {}", event.json()));
            match event.arg::<Option<String>>(0)?.as_deref() {
                Some("secret") => Ok(()),
                _ => Err("not authorized".into()),
            }
        });
    });
    let client = JsClient::connect(version, via, &host.url);
    client.emit("echo", json!(["guess"]));
    if version < 3 {
        assert_eq!(client.take("refused")["message"], json!("not authorized"));
    }
    assert_eq!(client.ask("echo", json!(["secret"])), json!(["secret"]));
    let lines: Vec<_> = (0..4).map(|_| recv_within(&sights, LIMIT)).collect();
    let expected = [
        "any echo",
        r#"middleware ["echo","guess"]"#,
        "any echo",
        r#"middleware ["echo","secret"]"#,
    ];
    assert_eq!(lines, expected);
}

fn what_goes_out_is_shown_in_order(version: u32, via: Via) {
    let host = Host::start(|builder| builder);
    let client = JsClient::connect(version, via, &host.url);
    let socket = host.connected();
    socket.emit("event", "unseen").unwrap();
    let (seen, sights) = unbounded();
    let watcher = socket.on_any_outgoing(move |event| _ = seen.send(event.json().to_owned()));
    assert_eq!(socket.listener_count_any_outgoing(), 1);
    socket.emit("event", 1).unwrap();
    host.server.emit("event", 2).unwrap();
    socket.broadcast().emit("event", "for others").unwrap();
    let answer = socket.timeout(LIMIT).emit_with_ack("ask", 3).unwrap();
    let lines: Vec<_> = (0..3).map(|_| recv_within(&sights, LIMIT)).collect();
    assert_eq!(lines, [r#"["event",1]"#, r#"["event",2]"#, r#"["ask",3]"#]);
    assert_eq!(answer.wait::<u8>().unwrap(), 3, "and all of it arrives");
    assert_eq!((socket.lost(watcher), socket.off(watcher)), (Some(0), true));
    assert_eq!((socket.lost(watcher), socket.off(watcher)), (None, false));
    for event in [json!(["unseen"]), json!([1]), json!([2])] {
        assert_eq!(client.event("event"), event);
    }
}

fn a_callback_gets_the_answer_in_its_turn(version: u32, via: Via) {
    let host = Host::start(|builder| builder);
    let client = JsClient::connect(version, via, &host.url);
    let socket = host.connected();
    let (told, answers) = unbounded();
    let tell = |what: &'static str| {
        let told = told.clone();
        move |answer: siot::Result<siot::AckReply>| {
            let answer = answer.map(|reply| reply.args::<Value>().unwrap());
            let _ = told.send((what, answer.map_err(|error| error.kind())));
        }
    };
    socket.emit_with_callback("ask", "why?", tell("asked")).unwrap();
    assert_eq!(recv_within(&answers, LIMIT), ("asked", Ok(json!("why?"))));
    socket.emit_with_callback("mute", (), tell("unanswered")).unwrap();
    client.close();
    host.disconnected(&socket);
    let lost = ("unanswered", Err(siot::ErrorKind::Disconnected));
    assert_eq!(recv_within(&answers, LIMIT), lost, "it comes behind the end");
    assert!(socket.emit_with_callback("late", (), tell("late")).is_err());
    assert!(answers.try_recv().is_err());
}

fn a_program_serves_by_its_own_thread(version: u32, via: Via) {
    let host = Host::start(|builder| builder);
    let incoming = host.server.subscribe_all().unwrap();
    let client = JsClient::connect(version, via, &host.url);
    let next = || incoming.recv_timeout(LIMIT).unwrap();
    let connected = next();
    assert!(matches!(connected.news, SocketNews::Connected));
    let asked = client.begin_ask("echo", json!(["a", 1]));
    let SocketNews::Event(event) = next().news else { panic!("no event") };
    event.ack(event.args::<siot::ArgList>().unwrap()).unwrap();
    assert_eq!(client.answer(asked), json!(["a", 1]));
    client.close();
    let ended = next();
    assert!(matches!(ended.news, SocketNews::Disconnected(_)));
    assert_eq!(ended.socket.id(), connected.socket.id());
}
