//! Callbacks: who is called, in which order, how often, and for what.

use crossbeam_channel::{Receiver, Sender, unbounded};
use siot::{ErrorKind, Event, Socket};

use crate::support::{Client, LIMIT, Via, over_each_transport, recv_within, shared};

over_each_transport!(
    catch_all_callbacks_come_first,
    a_callback_that_is_registered_twice_is_called_twice,
    once_is_once,
    a_callback_sees_no_event_that_came_before_it,
    removing_is_exact,
    listeners_are_counted,
    catch_all_callbacks_see_events_alone,
    outgoing_callbacks_see_what_is_handed_over_when_it_is,
    an_outgoing_event_tells_where_it_goes,
    an_event_named_error_is_an_event,
    a_number_is_its_digits,
);

/// Callbacks that tell their names, in one channel.
struct Calls {
    sender: Sender<(&'static str, Event)>,
    receiver: Receiver<(&'static str, Event)>,
}

impl Calls {
    fn new() -> Self {
        let (sender, receiver) = unbounded();
        Self { sender, receiver }
    }

    fn named(&self, name: &'static str) -> impl FnMut(Event) + Send + 'static {
        let sender = self.sender.clone();
        // The test may be over.
        move |event| drop(sender.send((name, event)))
    }

    /// Who was called until this one was.
    #[track_caller]
    fn until(&self, last: &str) -> Vec<&'static str> {
        let mut names = Vec::new();
        loop {
            let (name, _) = recv_within(&self.receiver, LIMIT);
            if name == last {
                return names;
            }
            names.push(name);
        }
    }
}

/// A connected client; the callback `end` is called by [`finish`].
fn start(via: Via) -> (Client, Calls) {
    let client = via.connect(shared().url());
    let calls = Calls::new();
    client.on("end", calls.named("end")).unwrap();
    (client, calls)
}

/// Who was called before the event `end` came.
#[track_caller]
fn finish(socket: &Socket, calls: &Calls) -> Vec<&'static str> {
    socket.emit("send-me", "end").unwrap();
    calls.until("end")
}

fn catch_all_callbacks_come_first(via: Via) {
    let client = via.connect(shared().url());
    let calls = Calls::new();
    client.on("news", calls.named("first")).unwrap();
    client.on_any(calls.named("any")).unwrap();
    client.on("news", calls.named("second")).unwrap();
    client.on_any(calls.named("another")).unwrap();
    client.prepend_any(calls.named("before all")).unwrap();
    client.on("news", calls.named("last")).unwrap();
    client.emit("send-me", "news").unwrap();
    assert_eq!(calls.until("last"), ["before all", "any", "another", "first", "second"]);
}

fn a_callback_that_is_registered_twice_is_called_twice(via: Via) {
    let (client, calls) = start(via);
    for _ in 0..2 {
        client.on("news", calls.named("news")).unwrap();
    }
    client.emit("send-me", "news").unwrap();
    assert_eq!(finish(&client, &calls), ["news", "news"]);
}

fn once_is_once(via: Via) {
    let (client, calls) = start(via);
    client.once("news", calls.named("once")).unwrap();
    client.on("news", calls.named("always")).unwrap();
    let removed = client.once("news", calls.named("removed")).unwrap();
    assert!(client.off(removed));
    for _ in 0..2 {
        client.emit("send-me", "news").unwrap();
    }
    assert_eq!(finish(&client, &calls), ["once", "always", "always"]);
    assert_eq!(client.listener_count("news"), 1);
}

fn a_callback_sees_no_event_that_came_before_it(via: Via) {
    let (client, calls) = start(via);
    let (socket, late) = (client.socket.clone(), calls.sender.clone());
    client
        .once("news", move |_| {
            let late = late.clone();
            socket.on("news", move |event| late.send(("late", event)).unwrap()).unwrap();
        })
        .unwrap();
    client.emit("send-me", "news").unwrap();
    assert!(finish(&client, &calls).is_empty());
    client.emit("send-me", "news").unwrap();
    assert_eq!(finish(&client, &calls), ["late"]);
}

fn removing_is_exact(via: Via) {
    let (client, calls) = start(via);
    let first = client.on("news", calls.named("first")).unwrap();
    client.on("news", calls.named("second")).unwrap();
    client.on_any(calls.named("any")).unwrap();
    client.on_any_outgoing(calls.named("outgoing")).unwrap();
    assert!(client.off(first) && !client.off(first));
    client.emit("send-me", "news").unwrap();
    let all = ["outgoing", "outgoing", "any", "second", "any"];
    let mut seen = finish(&client, &calls);
    // What is sent and what is received are on the way at the same time.
    seen.sort_unstable();
    assert_eq!(seen, ["any", "any", "outgoing", "outgoing", "second"], "{all:?}");
    assert_eq!((client.off_any(), client.off_any_outgoing()), (1, 1));
    assert_eq!((client.off_event("news"), client.off_event("news")), (1, 0));
    client.emit("send-me", "news").unwrap();
    assert!(finish(&client, &calls).is_empty());
    // All events, but not what wants them all.
    let subscription = client.subscribe("end");
    client.on_any(calls.named("any")).unwrap();
    assert_eq!(client.off_all(), 1);
    client.emit("send-me", "end").unwrap();
    assert_eq!(recv_within(&calls.receiver, LIMIT).0, "any");
    recv_within(subscription.receiver(), LIMIT);
    // A number means nothing to another socket.
    let other = via.connect(shared().url());
    let theirs = other.on("news", |_| ()).unwrap();
    assert!(!client.off(theirs));
}

fn listeners_are_counted(via: Via) {
    let client = via.connect(shared().url());
    assert_eq!((client.listener_count("a"), client.listener_count_any()), (0, 0));
    client.on("a", |_| ()).unwrap();
    client.once("a", |_| ()).unwrap();
    let subscription = client.subscribe("a");
    let any = client.subscribe_any();
    client.on_any_outgoing(|_| ()).unwrap();
    client.prepend_any_outgoing(|_| ()).unwrap();
    let counts = || {
        (
            client.listener_count("a"),
            client.listener_count_any(),
            client.listener_count_any_outgoing(),
        )
    };
    assert_eq!(counts(), (3, 1, 2));
    drop((subscription, any));
    assert_eq!(counts(), (2, 0, 2));
}

fn catch_all_callbacks_see_events_alone(via: Via) {
    let (client, calls) = start(via);
    client.on_any(calls.named("any")).unwrap();
    client.works();
    client.disconnect();
    client.disconnected();
    client.connect();
    client.connected();
    client.on_any(calls.named("last")).unwrap();
    client.emit("send-me", ("question", 1)).unwrap();
    let (name, event) = recv_within(&calls.receiver, LIMIT);
    assert_eq!((name, event.name()), ("any", "question"));
    // It may answer what is asked.
    client.emit("ask-me", "you there?").unwrap();
    let answered = client.subscribe("answered");
    let question = calls.receiver.iter().map(|(_, event)| event).find(Event::wants_ack).unwrap();
    question.ack("yes").unwrap();
    assert_eq!(recv_within(answered.receiver(), LIMIT).args::<String>().unwrap(), "yes");
}

fn outgoing_callbacks_see_what_is_handed_over_when_it_is(via: Via) {
    let client = Client::idle(via.builder(shared().url()));
    let calls = Calls::new();
    client.on_any_outgoing(calls.named("outgoing")).unwrap();
    client.prepend_any_outgoing(calls.named("before")).unwrap();
    client.emit("echo", ("waits", 1)).unwrap();
    client.volatile().emit("echo", "dropped").unwrap();
    assert!(calls.receiver.try_recv().is_err());
    client.connect();
    client.connected();
    let (name, event) = recv_within(&calls.receiver, LIMIT);
    assert_eq!((name, event.json()), ("before", r#"["echo","waits",1]"#));
    assert_eq!(event.args::<(String, u32)>().unwrap(), ("waits".into(), 1));
    assert!(!event.wants_ack());
    assert_eq!(calls.until("outgoing"), Vec::<&str>::new());
    // Not acknowledgements, nor joining and leaving.
    let answered = client.subscribe("answered");
    client.on("question", |event| event.ack(()).unwrap()).unwrap();
    client.emit("ask-me", ()).unwrap();
    recv_within(answered.receiver(), LIMIT);
    assert_eq!(calls.until("outgoing"), ["before"]);
    client.disconnect();
    client.connect();
    client.disconnected();
    client.connected();
    assert!(calls.receiver.try_recv().is_err());
}

fn an_outgoing_event_tells_where_it_goes(via: Via) {
    let (client, _) = start(via);
    let admin = client.manager().socket("/admin").unwrap();
    admin.connect();
    for socket in [&*client, &admin] {
        let outgoing = socket.subscribe_any_outgoing();
        socket.emit("echo", ("é", 1)).unwrap();
        let event = recv_within(outgoing.receiver(), LIMIT);
        assert_eq!((event.namespace(), event.name()), (socket.namespace(), "echo"));
        assert_eq!((event.json(), event.arg::<u32>(1).unwrap()), (r#"["echo","é",1]"#, 1));
    }
}

fn an_event_named_error_is_an_event(via: Via) {
    let (client, calls) = start(via);
    client.emit("send-me", ("error", 1)).unwrap();
    assert!(finish(&client, &calls).is_empty());
    let errors = client.subscribe("error");
    client.emit("send-me", ("error", 2)).unwrap();
    assert_eq!(recv_within(errors.receiver(), LIMIT).args::<u32>().unwrap(), 2);
}

fn a_number_is_its_digits(via: Via) {
    let client = via.connect(shared().url());
    let seven = client.subscribe("7");
    client.emit("send-me", (7, "as a number")).unwrap();
    client.emit("send-me", ("7", "as a text")).unwrap();
    for expected in ["as a number", "as a text"] {
        assert_eq!(recv_within(seven.receiver(), LIMIT).args::<String>().unwrap(), expected);
    }
}

#[test]
fn names_that_no_event_can_have_are_refused() {
    let client = Client::idle(Via::WebSocket.builder("http://localhost:1"));
    for name in ["connect", "connect_error", "disconnect", "disconnecting"] {
        let on = client.on(name, |_| ()).unwrap_err();
        let once = client.once(name, |_| ()).unwrap_err();
        assert_eq!([on.kind(), once.kind()], [ErrorKind::ReservedEvent; 2], "{name}");
    }
}
