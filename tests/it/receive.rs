//! Receiving: subscriptions, callbacks, statuses, and consumers that stay away.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{bounded, select, unbounded};
use serde_json::json;
use siot::{Limits, ManagerEvent, Status, WhenFull};

use crate::support::{
    Client, LIMIT, Server, Via, eventually, over_each_transport, recv_within, shared,
};

over_each_transport!(
    a_subscription_is_iterated_to_the_end,
    recv_timeout_and_try_recv_do_not_wait_longer,
    subscriptions_work_in_select,
    dropping_a_subscription_unsubscribes,
    a_subscription_keeps_the_connection,
    callbacks_emit_and_wait_for_answers,
    a_callback_disconnects_and_connects,
    a_callback_drops_the_last_handle,
    a_panic_in_a_callback_harms_nothing,
    a_callback_may_subscribe_and_listen,
    the_status_channel_tells_of_all_changes,
    heartbeats_go_on_beside_a_slow_consumer,
    reading_stops_at_the_budget_and_resumes_without_loss,
    a_slow_callback_pushes_back_without_loss,
    drop_newest_keeps_the_first_and_counts,
    drop_oldest_keeps_the_last_and_counts,
    events_nobody_listens_to_fill_no_buffer,
);

fn a_subscription_is_iterated_to_the_end(via: Via) {
    let client = via.connect(shared().url());
    let flood = client.subscribe("flood");
    let by_reference = client.subscribe("flood");
    client.emit("flood", (10, 1)).unwrap();
    let mut numbers = Vec::new();
    for event in &by_reference {
        numbers.push(event.args::<u32>().unwrap());
        if numbers.len() == 10 {
            break;
        }
    }
    assert!(numbers.iter().copied().eq(0..10));
    // By value it ends with the connection, after what was received before.
    let manager = client.manager().clone();
    let reader = thread::spawn(move || {
        flood.into_iter().map(|event| event.args::<u32>().unwrap()).collect::<Vec<_>>()
    });
    manager.close(LIMIT);
    assert_eq!(reader.join().unwrap(), numbers);
}

fn recv_timeout_and_try_recv_do_not_wait_longer(via: Via) {
    let client = via.connect(shared().url());
    let news = client.subscribe("news");
    assert!(news.try_recv().is_none());
    let error = news.recv_timeout(Duration::from_millis(20)).unwrap_err();
    assert!(error.is_timeout(), "{error}");
    client.emit("send-me", ("news", 1)).unwrap();
    client.emit("send-me", ("news", 2)).unwrap();
    assert_eq!(news.recv().unwrap().args::<u32>().unwrap(), 1);
    client.works();
    assert_eq!(news.try_recv().unwrap().args::<u32>().unwrap(), 2);
    assert_eq!(news.try_iter().count(), 0);
}

fn subscriptions_work_in_select(via: Via) {
    let client = via.connect(shared().url());
    let (a, b) = (client.subscribe("a"), client.subscribe("b"));
    let (stop, stopped) = bounded(1);
    let (mut from_a, mut from_b) = (0, 0);
    for n in 0..20 {
        client.emit("send-me", (if n % 2 == 0 { "a" } else { "b" }, n)).unwrap();
    }
    loop {
        select! {
            recv(a.receiver()) -> event => from_a += event.unwrap().args::<u32>().unwrap(),
            recv(b.receiver()) -> event => from_b += event.unwrap().args::<u32>().unwrap(),
            recv(stopped) -> _ => break,
            default(LIMIT) => panic!("nothing came"),
        }
        if from_a + from_b == 190 {
            stop.send(()).unwrap();
        }
    }
    assert_eq!((from_a, from_b), (90, 100));
}

fn dropping_a_subscription_unsubscribes(via: Via) {
    // One place in the buffer: an event that still had an addressee would fill it.
    let limits = Limits::new().receive_events(1).when_receive_full(WhenFull::DropNewest);
    let client = Client::connect(via.builder(shared().url()).limits(limits));
    let (first, kept) = (client.subscribe("news"), client.subscribe("other"));
    drop(first);
    for _ in 0..10 {
        client.emit("send-me", ("news", 1)).unwrap();
    }
    client.emit("send-me", ("other", 1)).unwrap();
    recv_within(kept.receiver(), LIMIT);
    assert_eq!(client.manager().counters().receive_dropped, 0);
    // What waits in a dropped one gives its place back.
    let second = client.subscribe("news");
    client.emit("send-me", ("news", 1)).unwrap();
    client.works();
    drop(second);
    client.emit("send-me", ("other", 2)).unwrap();
    assert_eq!(recv_within(kept.receiver(), LIMIT).args::<u32>().unwrap(), 2);
}

fn a_subscription_keeps_the_connection(via: Via) {
    let server = Server::start(json!({}));
    let Client { socket, status, .. } = via.connect(server.url());
    let flood = socket.subscribe("flood");
    socket.emit("flood", (3, 1)).unwrap();
    drop((socket, status));
    for n in 0..3 {
        assert_eq!(flood.recv_timeout(LIMIT).unwrap().args::<u32>().unwrap(), n);
    }
    drop(flood);
    eventually(LIMIT, "the session's end", || server.sessions() == 0);
}

fn callbacks_emit_and_wait_for_answers(via: Via) {
    let client = via.connect(shared().url());
    let socket = client.socket.clone();
    let (sender, sums) = unbounded();
    client
        .on("flood", move |event| {
            let n: u32 = event.args().unwrap();
            let mut ack = socket.emit_with_ack("sum", (n, 1)).unwrap();
            sender.send(ack.wait_timeout::<u32>(LIMIT)).unwrap();
        })
        .unwrap();
    client.emit("flood", (20, 1)).unwrap();
    for n in 0..20 {
        assert_eq!(recv_within(&sums, LIMIT).unwrap(), n + 1);
    }
    client.manager().close(LIMIT);
}

fn a_callback_disconnects_and_connects(via: Via) {
    let client = via.connect(shared().url());
    let socket = client.socket.clone();
    client
        .on("now", move |_| {
            socket.disconnect();
            socket.connect();
            socket.wait_connected(LIMIT).unwrap();
        })
        .unwrap();
    for _ in 0..3 {
        client.emit("send-me", "now").unwrap();
        client.disconnected();
        client.connected();
        client.works();
    }
    client.manager().close(LIMIT);
}

fn a_callback_drops_the_last_handle(via: Via) {
    let server = Server::start(json!({}));
    let Client { socket, status, .. } = via.connect(server.url());
    let (give, taken) = bounded::<(siot::Socket, siot::Subscription<Status>)>(1);
    let (sender, done) = bounded(1);
    socket
        .on("now", move |_| {
            drop(taken.recv_timeout(LIMIT).unwrap());
            sender.send(()).unwrap();
        })
        .unwrap();
    socket.emit("send-me", "now").unwrap();
    give.send((socket, status)).unwrap();
    recv_within(&done, LIMIT);
    eventually(LIMIT, "the session's end", || server.sessions() == 0);
}

fn a_panic_in_a_callback_harms_nothing(via: Via) {
    let client = via.connect(shared().url());
    let (sender, seen) = unbounded();
    client
        .on("flood", move |event| {
            let n: u32 = event.args().unwrap();
            sender.send(n).unwrap();
            assert!(n % 2 == 1, "on purpose: a panic in a callback");
        })
        .unwrap();
    client.emit("flood", (6, 1)).unwrap();
    for n in 0..6 {
        assert_eq!(recv_within(&seen, LIMIT), n);
    }
    client.works();
    assert!(client.status.try_recv().is_none());
}

fn a_callback_may_subscribe_and_listen(via: Via) {
    let client = via.connect(shared().url());
    let (sender, seen) = unbounded();
    let socket = client.socket.clone();
    client
        .on("first", move |_| {
            let sender = sender.clone();
            socket
                .on("second", move |event| sender.send(event.name().to_owned()).unwrap())
                .unwrap();
            drop(socket.subscribe("third"));
            socket.emit("send-me", "second").unwrap();
        })
        .unwrap();
    client.emit("send-me", "first").unwrap();
    assert_eq!(recv_within(&seen, LIMIT), "second");
    client.manager().close(LIMIT);
}

fn the_status_channel_tells_of_all_changes(via: Via) {
    let server = Server::start(json!({}));
    let client = via.connect(server.url());
    let late = client.socket.status();
    server.stop();
    let mut seen = Vec::new();
    let mut errors = 0;
    while errors < 3 {
        match recv_within(late.receiver(), LIMIT) {
            Status::Connected { .. } => seen.push("connected"),
            Status::Disconnected { .. } => seen.push("disconnected"),
            Status::ConnectError(_) => errors += 1,
            other => panic!("{other:?}"),
        }
    }
    server.restart();
    while seen.len() < 3 {
        match recv_within(late.receiver(), LIMIT) {
            Status::Connected { .. } => seen.push("connected"),
            Status::Disconnected { .. } => seen.push("disconnected"),
            _ => {}
        }
    }
    assert_eq!(seen, ["connected", "disconnected", "connected"]);
    client.manager().close(LIMIT);
    assert!(late.into_iter().any(|status| matches!(status, Status::Disconnected { .. })));
}

fn heartbeats_go_on_beside_a_slow_consumer(via: Via) {
    let server = Server::version(4, json!({"pingInterval": 50, "pingTimeout": 3000}));
    let client = via.settle(server.url());
    let flood = client.subscribe("flood");
    client.emit("flood", (500, 100)).unwrap();
    // The consumer stays away for longer than the heartbeat would allow.
    for _ in 0..65 {
        client.wait_for("a heartbeat", |event| matches!(event, ManagerEvent::Ping));
    }
    assert!(client.status.try_recv().is_none());
    for n in 0..500 {
        assert_eq!(flood.recv_timeout(LIMIT).unwrap().args::<u32>().unwrap(), n);
    }
}

fn reading_stops_at_the_budget_and_resumes_without_loss(via: Via) {
    let server = Server::start(json!({}));
    let limits = Limits::new().receive_events(64);
    let client = Client::connect(via.builder(server.url()).limits(limits));
    if via == Via::Upgrade {
        // Until then reading goes on.
        client.upgraded();
    }
    let (flood, end) = (client.subscribe("flood"), client.subscribe("flood-end"));
    // More than the kernel's buffers hold, so that the server sees it too.
    let count = 20_000;
    client.emit("flood", (count, 1000)).unwrap();
    eventually(LIMIT, "a full buffer", || flood.len() == 64);
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(flood.len(), 64, "nothing is read past a full buffer while nobody waits");
    // What is awaited comes all the same.
    client.works();
    for n in 0..count {
        assert_eq!(flood.recv_timeout(LIMIT).unwrap().args::<u32>().unwrap(), n);
    }
    assert_eq!(end.recv_timeout(LIMIT).unwrap().args::<u32>().unwrap(), count);
    client.works();
    assert_eq!(client.manager().counters().receive_dropped, 0);
}

fn a_slow_callback_pushes_back_without_loss(via: Via) {
    let server = Server::start(json!({}));
    let limits = Limits::new().receive_events(16);
    let client = Client::connect(via.builder(server.url()).limits(limits));
    let next = AtomicUsize::new(0);
    let (sender, done) = bounded(1);
    client
        .on("flood", move |event| {
            let n: usize = event.args().unwrap();
            assert_eq!(n, next.fetch_add(1, Ordering::SeqCst));
            if n == 299 {
                sender.send(()).unwrap();
            }
            // Slow on purpose.
            thread::sleep(Duration::from_millis(1));
        })
        .unwrap();
    client.emit("flood", (300, 10)).unwrap();
    recv_within(&done, LIMIT);
    client.works();
}

fn drop_newest_keeps_the_first_and_counts(via: Via) {
    let limits = Limits::new().receive_events(10).when_receive_full(WhenFull::DropNewest);
    let client = Client::connect(via.builder(shared().url()).limits(limits));
    let flood = client.subscribe("flood");
    client.emit("flood", (100, 1)).unwrap();
    client.works();
    let kept: Vec<u32> = flood.try_iter().map(|event| event.args().unwrap()).collect();
    assert!(kept.iter().copied().eq(0..10), "{kept:?}");
    assert_eq!(client.manager().counters().receive_dropped, 90);
}

fn drop_oldest_keeps_the_last_and_counts(via: Via) {
    let limits = Limits::new().receive_events(10).when_receive_full(WhenFull::DropOldest);
    let client = Client::connect(via.builder(shared().url()).limits(limits));
    let flood = client.subscribe("flood");
    client.emit("flood", (100, 1)).unwrap();
    client.works();
    let kept: Vec<u32> = flood.try_iter().map(|event| event.args().unwrap()).collect();
    assert!(kept.iter().copied().eq(90..100), "{kept:?}");
    assert_eq!(client.manager().counters().receive_dropped, 90);
}

fn events_nobody_listens_to_fill_no_buffer(via: Via) {
    let limits = Limits::new().receive_events(5);
    let client = Client::connect(via.builder(shared().url()).limits(limits));
    client.emit("flood", (500, 1)).unwrap();
    client.works();
    let (sender, seen) = unbounded();
    client.on("flood", move |event| sender.send(event.args::<u32>().unwrap()).unwrap()).unwrap();
    client.emit("flood", (10, 1)).unwrap();
    for n in 0..10 {
        assert_eq!(recv_within(&seen, LIMIT), n);
    }
}
