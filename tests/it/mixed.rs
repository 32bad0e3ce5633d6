//! Events and statuses in one subscription, and handles that keep nothing alive.

use siot::{Buffer, Incoming, Socket, Status, Subscription, WhenFull};

use crate::support::hostile::HostileOptions;
use crate::support::{Client, LIMIT, Via, eventually, over_each_transport, recv_within, shared};

over_each_transport!(
    events_and_statuses_come_in_the_order_in_which_they_happened,
    events_that_fill_a_subscription_to_everything_cost_it_no_status,
    a_subscription_to_everything_holds_up_the_server_and_loses_nothing,
    a_callback_for_statuses_begins_with_how_the_socket_stands,
);

/// What came, in words.
fn described(incoming: &Incoming) -> String {
    match incoming {
        Incoming::Event(event) => event.json().to_owned(),
        Incoming::Status(Status::Connected { .. }) => "connected".to_owned(),
        Incoming::Status(Status::Disconnected { .. }) => "disconnected".to_owned(),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn next(all: &Subscription<Incoming>) -> String {
    described(&all.recv_timeout(LIMIT).unwrap())
}

fn events_and_statuses_come_in_the_order_in_which_they_happened(via: Via) {
    let client = Client::idle(via.builder(shared().url()));
    let all = client.subscribe_all();
    let in_channel = client.subscribe_all();
    in_channel.receiver();
    for _ in 0..3 {
        client.connect();
        client.connected();
        for n in 0..40 {
            client.emit("send-me", ("tick", n)).unwrap();
        }
        client.works();
        client.disconnect();
        client.disconnected();
    }
    let mut session: Vec<_> = (0..40).map(|n| format!(r#"["tick",{n}]"#)).collect();
    session.insert(0, "connected".to_owned());
    session.push("disconnected".to_owned());
    let expected = [(); 3].map(|()| session.clone()).concat();
    for subscription in [&all, &in_channel] {
        let taken: Vec<_> = (0..expected.len()).map(|_| next(subscription)).collect();
        assert_eq!(taken, expected);
        assert_eq!((subscription.try_recv().is_none(), subscription.lost()), (true, 0));
    }
    // It begins with how the socket stands.
    client.connect();
    client.connected();
    assert_eq!(next(&client.subscribe_all()), "connected");
    assert_eq!(client.listener_count_any(), 2);
}

fn events_that_fill_a_subscription_to_everything_cost_it_no_status(via: Via) {
    let server = HostileOptions::v4().start();
    let (client, session) = via.visit(&server, |builder| builder);
    for policy in [WhenFull::DropOldest, WhenFull::DropNewest] {
        let few = Buffer::new().events(3).when_full(policy);
        let all = client.buffer(few).unwrap().subscribe_all();
        let end = client.subscribe("end");
        session.burst(100, 20);
        session.send(r#"42["end"]"#);
        end.recv_timeout(LIMIT).unwrap();
        let waiting: Vec<_> = all.try_iter().map(|incoming| described(&incoming)).collect();
        assert_eq!((waiting.len(), &*waiting[0]), (4, "connected"), "{waiting:?}");
        assert_eq!(waiting[3] == r#"["end"]"#, policy == WhenFull::DropOldest, "{waiting:?}");
        assert_eq!(all.lost(), 98);
    }
    assert_eq!(client.manager().counters().receive_dropped, 2 * 98);
}

fn a_subscription_to_everything_holds_up_the_server_and_loses_nothing(via: Via) {
    let client = via.connect(shared().url());
    let few = Buffer::new().events(10);
    let all = client.buffer(few).unwrap().subscribe_all();
    assert_eq!(next(&all), "connected");
    client.emit("flood", (2000, 100)).unwrap();
    for n in 0..2000_usize {
        let Incoming::Event(event) = all.recv_timeout(LIMIT).unwrap() else { panic!("a status") };
        assert_eq!((event.name(), event.arg::<usize>(0).unwrap()), ("flood", n));
    }
    assert_eq!(all.lost(), 0);
}

fn a_callback_for_statuses_begins_with_how_the_socket_stands(via: Via) {
    let client = via.connect(shared().url());
    let (sender, seen) = crossbeam_channel::unbounded();
    client.on_status(move |status| sender.send(status).unwrap()).unwrap();
    let first = recv_within(&seen, LIMIT);
    let Status::Connected { id, .. } = first else { panic!("{first:?}") };
    assert_eq!(Some(id), client.id());
    client.disconnect();
    let second = recv_within(&seen, LIMIT);
    assert!(matches!(second, Status::Disconnected { .. }), "{second:?}");
}

#[test]
fn a_weak_handle_keeps_nothing_alive() {
    let socket: Socket = Via::WebSocket.builder(shared().url()).build().unwrap();
    let (weak, manager) = (socket.downgrade(), socket.manager().downgrade());
    // A callback that needs its own socket.
    let (own, (sender, sums)) = (weak.clone(), crossbeam_channel::unbounded());
    socket
        .on("question", move |_| {
            let socket = own.upgrade().expect("a socket that is called has handles");
            sender.send(socket.emit_with_ack("sum", (20, 22)).unwrap().wait::<u32>()).unwrap();
        })
        .unwrap();
    socket.emit("send-me", "question").unwrap();
    assert_eq!(recv_within(&sums, LIMIT).unwrap(), 42);
    assert!(weak.upgrade().is_some_and(|same| same.id() == socket.id()));
    // A subscription is a handle too.
    let subscription = socket.subscribe("news");
    drop(socket);
    assert!(weak.upgrade().is_some() && manager.upgrade().is_some());
    drop(subscription);
    // The callback may still be at its end.
    eventually(LIMIT, "the end of both", || {
        weak.upgrade().is_none() && manager.upgrade().is_none()
    });
}
