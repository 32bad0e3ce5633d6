//! Functions of users that panic and hang, and the ends of what they have captured.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, bounded, unbounded};
use serde_json::json;
use siot::{ErrorKind, Result, Socket, SocketOptions, Status};

use crate::support::mischief::{DropWatch, Mischief};
use crate::support::{Client, LIMIT, Via, over_each_transport, recv_within, shared};

over_each_transport!(
    destructors_that_panic_run_where_users_code_runs_and_harm_nothing,
    credentials_that_are_set_are_sent_though_a_function_hangs,
    a_function_that_is_set_is_asked_though_another_hangs,
    a_new_socket_asks_its_own_function_though_that_of_the_last_one_hangs,
    an_auth_function_that_panics_is_an_error_and_is_asked_again,
    an_auth_function_that_owns_its_socket_ends_with_the_connection,
    closing_keeps_its_limit_where_a_callback_hangs,
    closing_keeps_its_limit_where_an_auth_function_hangs,
);

/// Whether it was one of the threads that run users' code that dropped something.
#[track_caller]
fn by_users_threads(dropped: &Receiver<String>) {
    let by = recv_within(dropped, LIMIT);
    let own = thread::current().name().unwrap_or_default().to_owned();
    assert!(["siot-call", "siot-auth", &own].contains(&&*by), "dropped by {by}");
}

fn bomb() -> (DropWatch, Receiver<String>) {
    DropWatch::new(Some(Mischief::Panic))
}

/// Where a destructor panics in the user's own thread, the user has that panic.
fn in_users_thread<R>(act: impl FnOnce() -> R) -> Option<R> {
    catch_unwind(AssertUnwindSafe(act)).ok()
}

fn destructors_that_panic_run_where_users_code_runs_and_harm_nothing(via: Via) {
    let client = via.connect(shared().url());
    // What is called once ends with its call.
    let (watch, dropped) = bomb();
    client.once("news", move |_| drop(watch)).unwrap();
    let (watch, dropped_too) = bomb();
    client.once("news", move |_| _ = &watch).unwrap();
    client.emit("send-me", "news").unwrap();
    for dropped in [dropped, dropped_too] {
        assert_eq!(recv_within(&dropped, LIMIT), "siot-call");
    }
    // An answer, and the want of one.
    for (event, limit) in [("ack-none", LIMIT), ("never-ack", Duration::from_millis(20))] {
        let (watch, dropped) = bomb();
        let told = move |_: Result<_>| _ = &watch;
        client.timeout(limit).emit_with_callback(event, (), told).unwrap();
        assert_eq!(recv_within(&dropped, LIMIT), "siot-call");
    }
    // Those that are taken off.
    let (watch, dropped) = bomb();
    let id = client.on("news", move |_| _ = &watch).unwrap();
    in_users_thread(|| client.off(id));
    by_users_threads(&dropped);
    let (watch, dropped) = bomb();
    client.on("news", move |_| _ = &watch).unwrap();
    in_users_thread(|| client.off_event("news"));
    by_users_threads(&dropped);
    let (watch, dropped) = bomb();
    client.on_any(move |_| _ = &watch).unwrap();
    in_users_thread(|| client.off_any());
    by_users_threads(&dropped);
    let (watch, dropped) = bomb();
    let id = client.on_status(move |_| _ = &watch).unwrap();
    in_users_thread(|| client.off(id));
    by_users_threads(&dropped);
    let (watch, dropped) = bomb();
    let id = client.manager().on_event(move |_| _ = &watch).unwrap();
    in_users_thread(|| client.manager().off(id));
    by_users_threads(&dropped);
    client.works();
    // One that is taken off while it runs.
    let (watch, dropped) = bomb();
    let (sender, begun) = bounded(1);
    let (let_go, gate) = unbounded::<()>();
    let id = client
        .on("news", move |_| {
            let _ = &watch;
            sender.send(()).unwrap();
            let _ = gate.recv();
        })
        .unwrap();
    client.emit("send-me", "news").unwrap();
    recv_within(&begun, LIMIT);
    assert!(client.off(id));
    drop(let_go);
    assert_eq!(recv_within(&dropped, LIMIT), "siot-call");
    // Those that are left when the namespace, or the connection, is given up.
    let admin = client.manager().socket("/admin").unwrap();
    let (watch, of_namespace) = bomb();
    admin.on("news", move |_| _ = &watch).unwrap();
    admin.wait_connected(LIMIT).unwrap();
    in_users_thread(|| drop(admin));
    by_users_threads(&of_namespace);
    client.works();
    assert!(client.status.try_recv().is_none());
    let (watch, of_connection) = bomb();
    client.on("news", move |_| _ = &watch).unwrap();
    in_users_thread(|| client.manager().close(LIMIT));
    by_users_threads(&of_connection);
}

/// An auth function that hangs until the sender is dropped, as the first one of a socket.
fn hanging(via: Via) -> (Client, crossbeam_channel::Sender<()>) {
    let (let_go, gate) = unbounded::<()>();
    let (ask, asked) = unbounded();
    let url = format!("{}/token", shared().url());
    let builder = via.builder(url).auth_with(move || {
        ask.send(()).unwrap();
        let _ = gate.recv();
        Ok(json!({ "token": "old" }))
    });
    let client = Client::start(builder);
    recv_within(&asked, LIMIT);
    (client, let_go)
}

fn credentials_that_are_set_are_sent_though_a_function_hangs(via: Via) {
    let (client, let_go) = hanging(via);
    client.set_auth(json!({ "token": "123" })).unwrap();
    client.connected();
    // What comes late is for nobody.
    drop(let_go);
    client.works();
    assert!(client.status.try_recv().is_none());
}

fn a_function_that_is_set_is_asked_though_another_hangs(via: Via) {
    let (client, let_go) = hanging(via);
    client.set_auth_with(|| Ok(json!({ "token": "123" })));
    client.connected();
    drop(let_go);
    client.works();
    // It is asked again for the next session.
    client.manager().close_engine();
    client.disconnected();
    client.reconnected();
    client.works();
}

fn a_new_socket_asks_its_own_function_though_that_of_the_last_one_hangs(via: Via) {
    let (client, let_go) = hanging(via);
    let manager = client.manager().clone();
    drop(client);
    let options = SocketOptions::new().auth_with(|| Ok(json!({ "token": "123" })));
    let socket = manager.socket_with("/token", options).unwrap();
    socket.wait_connected(LIMIT).unwrap();
    drop(let_go);
    Client::of(socket).works();
}

fn an_auth_function_that_panics_is_an_error_and_is_asked_again(via: Via) {
    let calls = AtomicUsize::new(0);
    let url = format!("{}/token", shared().url());
    let builder = via.builder(url).auth_with(move || {
        if calls.fetch_add(1, Ordering::SeqCst) < 2 {
            Mischief::Panic.make("an auth function");
        }
        Ok(json!({ "token": "123" }))
    });
    let client = Client::start(builder);
    let mut errors = 0;
    loop {
        match client.next_status() {
            Status::ConnectError(error) => {
                assert_eq!(error.kind(), ErrorKind::Payload, "{error}");
                errors += 1;
            }
            // As in JavaScript, a session ends for it.
            Status::Disconnected { .. } => {}
            Status::Connected { .. } => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(errors, 2);
    client.works();
}

fn an_auth_function_that_owns_its_socket_ends_with_the_connection(via: Via) {
    let (watch, dropped) = bomb();
    let client = via.connect(shared().url());
    let own: Socket = client.socket.clone();
    client.set_auth_with(move || {
        let _ = (&own, &watch);
        Ok(json!({}))
    });
    client.disconnect();
    client.connect();
    client.wait_connected(LIMIT).unwrap();
    in_users_thread(|| client.manager().close(LIMIT));
    by_users_threads(&dropped);
}

/// What hangs would hang for ever; the rest is for a slow machine.
const AT_ONCE: Duration = Duration::from_secs(LIMIT.as_secs() / 2);

fn closing_keeps_its_limit_where_a_callback_hangs(via: Via) {
    let client = via.connect(shared().url());
    let (sender, begun) = bounded(1);
    let (let_go, gate) = unbounded::<()>();
    client
        .on("news", move |_| {
            sender.send(()).unwrap();
            let _ = gate.recv();
        })
        .unwrap();
    client.emit("send-me", "news").unwrap();
    recv_within(&begun, LIMIT);
    let start = Instant::now();
    client.manager().close(Duration::from_millis(200));
    assert!(start.elapsed() < AT_ONCE, "{:?}", start.elapsed());
    assert!(!client.socket.is_connected());
    drop(let_go);
}

fn closing_keeps_its_limit_where_an_auth_function_hangs(via: Via) {
    let (client, let_go) = hanging(via);
    let start = Instant::now();
    client.manager().close(Duration::from_millis(200));
    assert!(start.elapsed() < AT_ONCE, "{:?}", start.elapsed());
    drop(let_go);
}
