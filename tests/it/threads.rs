//! Threads: how many, of which names, how quiet, and that none stays.

use std::fs;
use std::time::Duration;

use serde_json::json;
use siot::ManagerEvent;

use crate::support::process::switches_of;
use crate::support::{Client, LIMIT, Server, Via, alone, eventually, fds, recv_within, threads};

/// The names of siot's threads, sorted.
fn ours() -> Vec<String> {
    let mut names = threads();
    names.retain(|name| name.starts_with("siot-"));
    names
}

#[track_caller]
fn eventually_ours(expected: &[&str]) {
    let start = std::time::Instant::now();
    while ours() != expected {
        assert!(start.elapsed() < LIMIT, "{:?}, not {expected:?}", ours());
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// One connection from its beginning to its end, with the threads that it has when it is settled.
#[track_caller]
fn threads_of(via: Via, settled: &[&str]) {
    let server = Server::start(json!({}));
    let (threads_before, fds_before) = (threads(), fds());
    let client = Client::idle(via.builder(server.url()));
    // Nothing else before it connects.
    eventually_ours(&["siot-timer"]);
    client.connect();
    client.connected();
    if via == Via::Upgrade {
        client.upgraded();
    }
    client.works();
    eventually_ours(settled);
    // A second namespace costs nothing, callbacks cost one thread, however many there are.
    let admin = client.manager().socket("/admin").unwrap();
    admin.wait_connected(LIMIT).unwrap();
    let (sender, seen) = crossbeam_channel::unbounded();
    for name in ["a", "b"] {
        let sender = sender.clone();
        client.on(name, move |event| sender.send(event.name().to_owned()).unwrap()).unwrap();
        client.emit("send-me", name).unwrap();
        assert_eq!(recv_within(&seen, LIMIT), name);
    }
    let mut with_callbacks: Vec<_> = settled.iter().copied().chain(["siot-call"]).collect();
    with_callbacks.sort_unstable();
    eventually_ours(&with_callbacks);
    // A second connection shares the timer thread alone.
    let second = via.settle(server.url());
    second.works();
    let timers = || ours().iter().filter(|name| *name == "siot-timer").count();
    assert_eq!(timers(), 1);
    drop(second);
    eventually_ours(&with_callbacks);
    // Disconnected, there is nothing to wait for.
    client.disconnect();
    admin.disconnect();
    eventually_ours(&["siot-call", "siot-timer"]);
    drop((client, admin));
    eventually(LIMIT, "no thread more than before", || threads() == threads_before);
    eventually(LIMIT, "no descriptor more than before", || fds() <= fds_before);
}

#[test]
fn a_websocket_has_one_thread() {
    alone(|| threads_of(Via::WebSocket, &["siot-conn", "siot-timer"]));
}

#[cfg(feature = "polling")]
#[test]
fn polling_has_two_threads() {
    alone(|| threads_of(Via::Polling, &["siot-conn", "siot-post", "siot-timer"]));
}

#[cfg(feature = "polling")]
#[test]
fn after_the_upgrade_there_is_one_thread() {
    alone(|| threads_of(Via::Upgrade, &["siot-conn", "siot-timer"]));
}

#[test]
fn on_an_idle_link_heartbeats_do_not_wake_the_timer_thread() {
    alone(|| {
        // A limit of 2.6 s, which each of them moves.
        let server = Server::start(json!({"options": {"pingInterval": 1100, "pingTimeout": 1500}}));
        let _client = Via::WebSocket.settle(server.url());
        let mut before = switches_of("siot-timer");
        // What began with the connection has passed then.
        eventually(LIMIT, "eight seconds of rest", || {
            std::thread::sleep(Duration::from_secs(8));
            let now = switches_of("siot-timer");
            std::mem::replace(&mut before, now) == now
        });
    });
}

#[track_caller]
fn close_waits_for_threads(via: Via) {
    let server = Server::start(json!({}));
    let client = via.settle(server.url());
    client.on("a", |_| ()).unwrap();
    client.works();
    client.manager().close(LIMIT);
    // What close does not wait for is on its way out, or ends with the last handle.
    eventually(LIMIT, "the transport's threads", || {
        !ours().iter().any(|name| name == "siot-conn" || name == "siot-post")
    });
    assert!(client.emit("late", 1).is_err() || !client.socket.is_connected());
    drop(client);
    eventually_ours(&[]);
}

#[test]
fn close_ends_the_threads_by_websocket() {
    alone(|| close_waits_for_threads(Via::WebSocket));
}

#[cfg(feature = "polling")]
#[test]
fn close_ends_the_threads_by_polling() {
    alone(|| close_waits_for_threads(Via::Polling));
}

#[test]
fn dropping_the_last_handle_ends_everything_in_any_state() {
    alone(|| {
        // A session that was opened for one who is gone by then ends with its heartbeat.
        let server = Server::version(4, json!({"pingInterval": 3000, "pingTimeout": 5000}));
        let (threads_before, fds_before) = (threads(), fds());
        for via in Via::ALL {
            // Never connected, connecting, connected, without a server, at a silent server.
            drop(Client::idle(via.builder(server.url())));
            drop(Client::start(via.builder(server.url())));
            drop(via.connect(server.url()));
            let nobody = Client::start(via.builder("http://127.0.0.1:1"));
            nobody.connect_error();
            drop(nobody);
            server.command(json!({"cmd": "answer", "hang": true}));
            let silent = Client::start(via.builder(server.url()));
            eventually(LIMIT, "the request", || server.cmd("requests")["entries"] != json!([]));
            drop(silent);
            server.cmd("unanswer");
            server.cmd("reset");
            eventually_ours(&[]);
        }
        eventually(LIMIT, "no thread more than before", || threads() == threads_before);
        eventually(LIMIT, "no descriptor more than before", || fds() <= fds_before);
        eventually(LIMIT, "no session on the server", || server.sessions() == 0);
    });
}

#[test]
fn an_auth_function_that_hangs_has_one_thread_and_answers_the_latest_attempt() {
    alone(|| {
        let server = Server::start(json!({}));
        let (release, gate) = crossbeam_channel::bounded::<()>(0);
        let (asking, asked) = crossbeam_channel::unbounded();
        let builder = Via::WebSocket.builder(server.url()).auth_with(move || {
            asking.send(()).unwrap();
            let _ = gate.recv();
            Ok(json!({}))
        });
        let client = Client::start(builder);
        let is_open = |event: &ManagerEvent| matches!(event, ManagerEvent::Open);
        client.wait_for("the first session", is_open);
        recv_within(&asked, LIMIT);
        for _ in 0..5 {
            server.cmd("drop");
            client.wait_for("the next session", is_open);
        }
        assert_eq!(ours().iter().filter(|name| *name == "siot-auth").count(), 1);
        assert!(asked.try_recv().is_err(), "it was called beside itself");
        drop(release);
        client.wait_connected(LIMIT).unwrap();
        eventually_ours(&["siot-conn", "siot-timer"]);
    });
}

/// How often siot's threads have gone to sleep so far.
fn sleeps() -> u64 {
    let tasks = fs::read_dir("/proc/self/task").expect("procfs");
    tasks
        .filter_map(|task| {
            let task = task.ok()?.path();
            let name = fs::read_to_string(task.join("comm")).ok()?;
            let status = fs::read_to_string(task.join("status")).ok()?;
            let line =
                status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
            name.starts_with("siot-").then(|| line.trim().parse::<u64>().expect("a number"))
        })
        .sum()
}

#[track_caller]
fn quiet_between_heartbeats(via: Via) {
    let server = Server::version(4, json!({"pingInterval": 4000, "pingTimeout": 20_000}));
    let client = via.settle(server.url());
    client.works();
    let is_ping = |event: &ManagerEvent| matches!(event, ManagerEvent::Ping);
    client.wait_for("a heartbeat", is_ping);
    // The answer to the heartbeat, and what else is going on, ends long before the next one.
    std::thread::sleep(Duration::from_secs(1));
    let before = sleeps();
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(sleeps(), before, "a thread woke up for nothing");
    client.wait_for("the next heartbeat", is_ping);
    eventually(LIMIT, "threads that wake for a heartbeat", || sleeps() > before);
}

#[test]
fn an_idle_websocket_sleeps_between_heartbeats() {
    alone(|| quiet_between_heartbeats(Via::WebSocket));
}

#[cfg(feature = "polling")]
#[test]
fn idle_polling_sleeps_between_heartbeats() {
    alone(|| quiet_between_heartbeats(Via::Polling));
}

#[cfg(feature = "polling")]
#[test]
fn an_upgraded_session_sleeps_between_heartbeats() {
    alone(|| quiet_between_heartbeats(Via::Upgrade));
}

#[track_caller]
fn quiet_while_others_write(via: Via) {
    let server = Server::start(json!({}));
    let client = via.settle(server.url());
    client.works();
    // What was asked of the server is answered, and nothing else is due for 25 s.
    std::thread::sleep(Duration::from_millis(500));
    let before = sleeps();
    for number in 0..50 {
        client.emit("note", number).unwrap();
        // Events that are farther apart than what is worth gathering.
        std::thread::sleep(Duration::from_millis(1));
    }
    let woken = sleeps() - before;
    assert!(woken < 10, "50 events have woken a thread {woken} times");
    client.works();
}

#[test]
fn an_emit_on_a_quiet_websocket_wakes_no_thread() {
    alone(|| quiet_while_others_write(Via::WebSocket));
}

#[cfg(feature = "polling")]
#[test]
fn an_emit_on_a_quiet_upgraded_session_wakes_no_thread() {
    alone(|| quiet_while_others_write(Via::Upgrade));
}

#[test]
fn a_disconnected_socket_sleeps() {
    alone(|| {
        let server = Server::start(json!({}));
        let client = Via::WebSocket.connect(server.url());
        client.disconnect();
        eventually_ours(&["siot-timer"]);
        // A deadline that is no longer needed may still wake the timer, once.
        std::thread::sleep(Duration::from_millis(500));
        let before = sleeps();
        std::thread::sleep(Duration::from_millis(500));
        assert_eq!(sleeps(), before);
    });
}
