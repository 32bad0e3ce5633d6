//! Loggers that panic, dawdle and hang, on each of our threads: each in a process of its own.

use std::time::{Duration, Instant};

use log::LevelFilter;
use serde_json::json;
use siot::{DisconnectReason, ManagerEvent};

use crate::support::hostile::HostileOptions;
use crate::support::logged::{
    LogLine, capture_log, end_mischief, lines, make_mischief, wait_for_line,
};
use crate::support::mischief::Mischief;
use crate::support::{CaseName, Client, LIMIT, Server, Via, alone};

/// Whether a line is ours, and said on the thread of this name.
fn said_on(thread: &'static str) -> impl Fn(&LogLine) -> bool + Send + 'static {
    move |line| line.thread == thread && line.target.starts_with("siot")
}

/// The life of a connection, with something for each thread to say.
#[track_caller]
fn live(server: &Server, via: Via) {
    let builder = via.builder(format!("{}/admin", server.url()));
    let client = Client::connect(builder.auth_with(|| Ok(json!({ "token": 1 }))));
    if via == Via::Upgrade {
        client.upgraded();
    }
    client.works();
    let (sender, called) = crossbeam_channel::unbounded();
    let socket = client.socket.clone();
    client
        .once("news", move |_| {
            // It writes by itself, and says so.
            socket.emit("note", ()).unwrap();
            sender.send(()).unwrap();
            Mischief::Panic.make("a callback");
        })
        .unwrap();
    client.emit("send-me", "news").unwrap();
    called.recv_timeout(LIMIT).unwrap();
    for _ in 0..3 {
        client.wait_for("a heartbeat", |event| matches!(event, ManagerEvent::Ping));
    }
    let limit = Duration::from_millis(50);
    let ack = client.timeout(limit).emit_with_ack("never-ack", ()).unwrap();
    assert!(ack.wait::<()>().unwrap_err().is_timeout());
    assert!(client.status.try_recv().is_none());
    client.manager().close_engine();
    client.disconnected();
    client.reconnected();
    client.works();
    let start = Instant::now();
    client.manager().close(LIMIT);
    assert!(start.elapsed() < LIMIT / 2);
}

/// A session whose heartbeats do not come, which the timer thread notices.
#[track_caller]
fn miss_heartbeats(via: Via) {
    let server = HostileOptions::v4().heartbeat(100, 500).start();
    let client = Client::start(via.builder(server.url()));
    for _ in 0..2 {
        client.reconnected();
        assert_eq!(client.disconnected().0, DisconnectReason::PingTimeout);
    }
}

#[test]
fn a_logger_that_panics_on_any_of_our_threads_harms_no_connection() {
    alone(|| {
        capture_log(LevelFilter::Trace);
        let server = Server::version(4, json!({ "pingInterval": 50, "pingTimeout": 2000 }));
        let bystander = Via::WebSocket.connect(server.url());
        for thread in ["siot-conn", "siot-post", "siot-call", "siot-auth", "siot-log"] {
            let _name = CaseName::new(thread);
            make_mischief(Mischief::Panic, said_on(thread));
            // With an upgrade the posting thread may have nothing to say: CONNECT goes out without it.
            for &via in Via::ALL {
                live(&server, via);
            }
            miss_heartbeats(Via::longest());
            assert!(end_mischief() > 0 || (thread == "siot-post" && Via::ALL.len() == 1));
            bystander.works();
        }
        assert!(bystander.status.try_recv().is_none());
        assert!(!lines().iter().any(|line| line.thread == "siot-timer"));
    });
}

#[test]
fn a_logger_that_panics_on_all_threads_at_once_harms_no_connection() {
    alone(|| {
        capture_log(LevelFilter::Trace);
        let server = Server::version(4, json!({ "pingInterval": 50, "pingTimeout": 2000 }));
        make_mischief(Mischief::Panic, |line| line.target.starts_with("siot"));
        for &via in Via::ALL {
            live(&server, via);
            miss_heartbeats(via);
        }
        assert!(end_mischief() > 30 * Via::ALL.len());
    });
}

#[test]
fn a_panic_inside_of_a_library_below_ends_the_session_and_says_so() {
    alone(|| {
        capture_log(LevelFilter::Trace);
        let server = Server::start(json!({}));
        let [client, other] = Via::WebSocket.connect_each(server.url());
        let news = client.subscribe("news");
        make_mischief(Mischief::Panic, |line| {
            line.thread == "siot-conn"
                && line.target.starts_with("tungstenite")
                && line.text.contains("Received message 42[\"news\"")
        });
        client.emit("send-me", "news").unwrap();
        let (reason, error) = client.disconnected();
        let error = error.unwrap_or_else(|| panic!("{reason} without a cause"));
        assert!(error.to_string().contains("panicked"), "{reason}: {error}");
        assert_eq!(end_mischief(), 1);
        client.reconnected();
        client.emit("send-me", "news").unwrap();
        news.recv_timeout(LIMIT).unwrap();
        other.works();
        assert!(other.status.try_recv().is_none());
    });
}

#[test]
fn a_logger_that_dawdles_over_what_the_timer_says_delays_no_deadline() {
    alone(|| {
        let pause = Duration::from_secs(4);
        capture_log(LevelFilter::Debug);
        make_mischief(Mischief::Sleep(pause), said_on("siot-log"));
        let server = Server::start(json!({}));
        let client = Via::WebSocket.connect(server.url());
        miss_heartbeats(Via::WebSocket);
        wait_for_line("something of the timer thread", said_on("siot-log"));
        for _ in 0..5 {
            let start = Instant::now();
            let limit = Duration::from_millis(20);
            let ack = client.timeout(limit).emit_with_ack("never-ack", ()).unwrap();
            assert!(ack.wait::<()>().unwrap_err().is_timeout());
            assert!(start.elapsed() < pause / 2, "{:?}", start.elapsed());
        }
        assert!(end_mischief() > 0);
    });
}

#[test]
fn closing_keeps_its_limit_where_the_logger_hangs() {
    alone(|| {
        let hang = Duration::from_secs(8);
        capture_log(LevelFilter::Trace);
        let server = Server::start(json!({}));
        for &via in Via::ALL {
            let _name = CaseName::new(via);
            let client = via.settle(server.url());
            let news = format!("news by {via:?}");
            let text = news.clone();
            let is_meant =
                move |line: &LogLine| line.text.contains("received") && line.text.contains(&text);
            make_mischief(Mischief::Sleep(hang), is_meant.clone());
            client.emit("send-me", &news).unwrap();
            assert_eq!(wait_for_line("the event", is_meant).thread, "siot-conn");
            let start = Instant::now();
            client.manager().close(Duration::from_millis(100));
            assert!(start.elapsed() < hang / 2, "{:?}", start.elapsed());
            end_mischief();
        }
    });
}
