//! Limits: what happens when something is too much.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use siot::{Binary, ErrorKind, Limits, WhenFull};

use crate::support::hostile::{HostileOptions, HostileServer, HostileSession};
use crate::support::{Client, LIMIT, Server, Via, over_each_transport, recv_within, shared};

over_each_transport!(
    a_full_send_buffer_refuses_while_offline,
    a_full_send_buffer_counts_bytes_too,
    drop_oldest_makes_room_while_offline,
    one_event_of_any_size_fits_into_an_empty_buffer,
    a_full_send_buffer_blocks_while_connected,
    a_blocked_emit_ends_with_the_connection,
    a_time_limit_bounds_the_wait_for_room,
    without_time_to_wait_there_is_no_room_or_the_event_is_taken,
    the_wait_for_room_counts_against_the_time_limit,
    drop_newest_refuses_while_connected,
    too_many_attachments_are_refused_before_sending,
    a_message_beyond_the_servers_limit_is_refused_before_sending,
    a_message_at_the_servers_limit_passes,
    forced_base64_counts_as_it_is_sent,
    a_received_message_beyond_the_limit_is_a_clear_error,
    too_many_awaited_answers_are_refused,
    unusable_limits_are_refused,
);

fn offline(via: Via, limits: Limits) -> Client {
    Client::idle(via.builder(shared().url()).limits(limits))
}

/// What an answer-less event in the buffer becomes: which of the numbers arrive.
#[track_caller]
fn arrive(client: &Client) -> Vec<u32> {
    let echoes = client.subscribe("echo");
    client.connect();
    client.reconnected();
    assert_eq!(client.ask_when_there_is_room(), 3);
    echoes.try_iter().map(|event| event.args().unwrap()).collect()
}

fn a_full_send_buffer_refuses_while_offline(via: Via) {
    for policy in [WhenFull::Wait, WhenFull::DropNewest] {
        let client = offline(via, Limits::new().send_events(3).when_send_full(policy));
        for n in 0..3 {
            client.emit("echo", n).unwrap();
        }
        let error = client.emit("echo", 3).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BufferFull);
        let error = client.emit_with_ack("sum", (1, 2)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BufferFull);
        assert_eq!(arrive(&client), [0, 1, 2]);
    }
}

fn a_full_send_buffer_counts_bytes_too(via: Via) {
    let client = offline(via, Limits::new().send_bytes(1000));
    client.emit("echo", Binary::from([0; 900])).unwrap();
    let error = client.emit("echo", "x".repeat(100)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BufferFull);
    client.emit("echo", 5).unwrap();
}

fn drop_oldest_makes_room_while_offline(via: Via) {
    let limits = Limits::new().send_events(3).when_send_full(WhenFull::DropOldest);
    let client = offline(via, limits);
    let mut ack = client.emit_with_ack("sum", (1, 2)).unwrap();
    for n in 0..5 {
        client.emit("echo", n).unwrap();
    }
    assert_eq!(ack.wait_timeout::<u32>(LIMIT).unwrap_err().kind(), ErrorKind::BufferFull);
    assert_eq!(arrive(&client), [2, 3, 4]);
    assert_eq!(client.manager().counters().send_dropped, 3);
}

fn one_event_of_any_size_fits_into_an_empty_buffer(via: Via) {
    let client = offline(via, Limits::new().send_bytes(10));
    let mut ack = client.emit_with_ack("echo", "x".repeat(5000)).unwrap();
    client.connect();
    assert_eq!(ack.wait_timeout::<String>(LIMIT).unwrap().len(), 5000);
}

fn a_full_send_buffer_blocks_while_connected(via: Via) {
    let server = Server::start(json!({}));
    let limits = Limits::new().send_events(8).send_bytes(100_000);
    let client = Client::connect(via.builder(server.url()).limits(limits));
    if via == Via::Upgrade {
        client.upgraded();
    }
    server.freeze();
    let socket = client.socket.clone();
    let (sender, emitted) = crossbeam_channel::unbounded();
    let emitting = thread::spawn(move || {
        let text = "x".repeat(50_000);
        for n in 0..400 {
            socket.emit("tick", ("a", n, &text)).unwrap();
            sender.send(n).unwrap();
        }
    });
    // The kernel and the buffer take some; then nothing moves.
    while emitted.recv_timeout(Duration::from_millis(300)).is_ok() {}
    assert!(!emitting.is_finished(), "nothing held it up");
    server.thaw();
    emitting.join().unwrap();
    let ticks: Json = client.ask("ticks", ());
    assert_eq!((&ticks["total"], &ticks["inOrder"]), (&json!(400), &json!(true)));
}

fn a_blocked_emit_ends_with_the_connection(via: Via) {
    let server = Server::start(json!({}));
    let limits = Limits::new().send_events(8).send_bytes(100_000);
    let client = Client::connect(via.builder(server.url()).limits(limits));
    server.freeze();
    let socket = client.socket.clone();
    let (sender, emitted) = crossbeam_channel::unbounded();
    let emitting = thread::spawn(move || {
        let text = "x".repeat(50_000);
        loop {
            match socket.emit("echo", &text) {
                Ok(()) => sender.send(()).unwrap(),
                Err(error) => return error,
            }
        }
    });
    while emitted.recv_timeout(Duration::from_millis(300)).is_ok() {}
    let start = Instant::now();
    server.kill();
    client.disconnected();
    let error = emitting.join().unwrap();
    assert_eq!(error.kind(), ErrorKind::BufferFull, "{error}");
    assert!(start.elapsed() < LIMIT / 2);
}

/// A client whose send buffer is full, because the server takes nothing; and the session.
#[track_caller]
fn congested(server: &HostileServer, via: Via) -> (Client, HostileSession) {
    let limits = Limits::new().send_events(8).send_bytes(100_000);
    let (client, session) = via.visit(server, |builder| builder.limits(limits));
    session.stop_reading();
    let (text, moment) = ("x".repeat(50_000), Duration::from_secs(1));
    while client.timeout(moment).emit("tick", &text).is_ok() {}
    (client, session)
}

fn a_time_limit_bounds_the_wait_for_room(via: Via) {
    let server = HostileOptions::v4().start();
    let (client, session) = congested(&server, via);
    let limit = Duration::from_millis(200);
    let emitter = client.timeout(limit);
    let text = "x".repeat(50_000);
    let start = Instant::now();
    for error in [
        emitter.emit("lost", &text).unwrap_err(),
        emitter.emit_with_ack("lost", &text).unwrap_err(),
        emitter.emit_with_callback("lost", &text, |_| panic!("it was not sent")).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        assert!(error.message().contains("was not sent"), "{error}");
    }
    assert!(start.elapsed() >= 3 * limit, "{:?}", start.elapsed());
    assert!(client.status.try_recv().is_none());
    session.read_on();
    client.emit("last", ()).unwrap();
    loop {
        let packet = session.next();
        assert!(!packet.contains("lost"), "it was sent");
        if packet.contains("last") {
            break;
        }
    }
}

fn without_time_to_wait_there_is_no_room_or_the_event_is_taken(via: Via) {
    let server = HostileOptions::v4().start();
    let (client, session) = congested(&server, via);
    let emitter = client.timeout(Duration::ZERO);
    let text = "x".repeat(50_000);
    for error in [
        emitter.emit("lost", &text).unwrap_err(),
        emitter.emit_with_ack("lost", &text).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::BufferFull, "{error}");
        assert!(error.message().ends_with("no room in the send buffer: the event was not sent"));
    }
    drop(session);
    // Without a connection it waits for one.
    let offline = offline(via, Limits::new());
    offline.timeout(Duration::ZERO).emit("echo", 7).unwrap();
    assert_eq!(arrive(&offline), [7]);
}

fn the_wait_for_room_counts_against_the_time_limit(via: Via) {
    let server = HostileOptions::v4().start();
    let (client, session) = congested(&server, via);
    let limit = Duration::from_secs(6);
    let reading_on = thread::spawn(move || {
        thread::sleep(limit / 2);
        session.read_on();
    });
    let start = Instant::now();
    let ack = client.timeout(limit).emit_with_ack("question", "x".repeat(50_000)).unwrap();
    let waited = start.elapsed();
    assert!(waited >= limit / 4, "there was room");
    // Nobody answers.
    assert_eq!(ack.wait::<()>().unwrap_err().kind(), ErrorKind::Timeout);
    let total = start.elapsed();
    assert!(total >= limit && total < limit + waited / 2, "{waited:?} of {total:?}");
    reading_on.join().unwrap();
}

fn drop_newest_refuses_while_connected(via: Via) {
    let server = Server::start(json!({}));
    let limits = Limits::new().send_events(4).when_send_full(WhenFull::DropNewest);
    let client = Client::connect(via.builder(server.url()).limits(limits));
    server.freeze();
    let text = "x".repeat(100_000);
    let refused = (0..2000).find_map(|_| client.emit("echo", &text).err());
    assert_eq!(refused.expect("a full buffer").kind(), ErrorKind::BufferFull);
    server.thaw();
    assert_eq!(client.ask_when_there_is_room(), 3);
}

fn too_many_attachments_are_refused_before_sending(via: Via) {
    let client = via.connect(shared().url());
    let parts = |count: usize| vec![Binary::from([1]); count];
    let error = client.emit("echo", parts(11)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(error.to_string().contains("11"), "{error}");
    assert_eq!(client.ask::<Vec<Binary>>("echo", (parts(10),)), parts(10));
    // The same for an answer.
    let questions = client.subscribe("question");
    let answers = client.subscribe("answered");
    client.emit("ask-me", ()).unwrap();
    let question = recv_within(questions.receiver(), LIMIT);
    assert_eq!(question.ack(parts(11)).unwrap_err().kind(), ErrorKind::TooLarge);
    question.ack(parts(2)).unwrap();
    assert_eq!(recv_within(answers.receiver(), LIMIT).args::<Vec<Binary>>().unwrap(), parts(2));
    assert!(client.status.try_recv().is_none());
}

fn a_message_beyond_the_servers_limit_is_refused_before_sending(via: Via) {
    let server = Server::version(4, json!({"maxHttpBufferSize": 1000}));
    let client = via.settle(server.url());
    for error in [
        client.emit("echo", "x".repeat(1000)).unwrap_err(),
        client.emit("echo", Binary::from([0; 1001])).unwrap_err(),
        client.emit_with_ack("echo", "x".repeat(1000)).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        assert!(error.to_string().contains("maxHttpBufferSize"), "{error}");
    }
    let questions = client.subscribe("question");
    client.emit("ask-me", ()).unwrap();
    let error = recv_within(questions.receiver(), LIMIT).ack("x".repeat(1000)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    client.works();
    assert!(client.status.try_recv().is_none());
}

fn forced_base64_counts_as_it_is_sent(via: Via) {
    let server = Server::version(4, json!({"maxHttpBufferSize": 1000}));
    let client = Client::connect(via.builder(server.url()).force_base64(true));
    if via == Via::Upgrade {
        client.upgraded();
    }
    // 996 bytes of base64 behind a mark; and 1000.
    let most = Binary::from([0x1e; 747]);
    assert_eq!(client.ask::<Binary>("echo", &most), most);
    let error = client.emit("echo", Binary::from([0x1e; 748])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    client.works();
    assert!(client.status.try_recv().is_none());
}

fn a_message_at_the_servers_limit_passes(via: Via) {
    let server = Server::version(4, json!({"maxHttpBufferSize": 1000}));
    let client = via.connect(server.url());
    // Everything that the client does not refuse the server takes; by any number of requests.
    let mut taken = 0;
    for length in 900..1001 {
        if let Ok(mut ack) = client.emit_with_ack("echo", "x".repeat(length)) {
            assert_eq!(ack.wait_timeout::<String>(LIMIT).unwrap().len(), length);
            taken += 1;
        }
    }
    assert!(taken > 50, "{taken}");
    let bytes = Binary::from([0x1e; 700]);
    let acks: Vec<_> =
        (0..20).map(|_| client.emit_with_ack("echo", (&bytes, &bytes)).unwrap()).collect();
    for mut ack in acks {
        assert_eq!(ack.wait_timeout::<Binary>(LIMIT).unwrap(), bytes);
    }
    assert!(client.status.try_recv().is_none());
}

fn a_received_message_beyond_the_limit_is_a_clear_error(via: Via) {
    let limits = Limits::new().max_message(2000);
    let client = Client::connect(via.builder(shared().url()).limits(limits));
    if via == Via::Upgrade {
        client.upgraded();
    }
    client.emit("flood", (1, 1500)).unwrap();
    client.works();
    for (event, size) in [("flood", 5000), ("bflood", 5000)] {
        client.emit(event, (1, size)).unwrap();
        let (reason, error) = client.disconnected();
        let error = error.unwrap();
        assert_eq!(reason.as_str(), "transport error", "{error}");
        assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
        assert!(error.to_string().contains("2000"), "it names the limit: {error}");
        client.reconnected();
        if via == Via::Upgrade {
            client.upgraded();
        }
        client.works();
    }
}

fn too_many_awaited_answers_are_refused(via: Via) {
    let limits = Limits::new().acks(3);
    let client = Client::connect(via.builder(shared().url()).limits(limits));
    let emitter = client.timeout(Duration::from_millis(100));
    let acks: Vec<_> = (0..3).map(|_| emitter.emit_with_ack("never-ack", ()).unwrap()).collect();
    let error = client.emit_with_ack("sum", (1, 2)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BufferFull);
    for ack in acks {
        assert!(ack.wait::<()>().unwrap_err().is_timeout());
    }
    client.works();
}

fn unusable_limits_are_refused(via: Via) {
    for limits in [
        Limits::new().max_message(0),
        Limits::new().send_events(0),
        Limits::new().receive_events(0),
        Limits::new().send_bytes(0),
        Limits::new().receive_bytes(0),
    ] {
        let error = via.builder(shared().url()).limits(limits).build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidOption);
    }
}

impl Client {
    /// The sum of 1 and 2, as soon as the buffer takes the question.
    fn ask_when_there_is_room(&self) -> u32 {
        let start = Instant::now();
        loop {
            match self.emit_with_ack("sum", (1, 2)) {
                Ok(mut ack) => return ack.wait_timeout(LIMIT).unwrap(),
                Err(error) => assert!(start.elapsed() < LIMIT, "{error}"),
            }
            thread::yield_now();
        }
    }
}
