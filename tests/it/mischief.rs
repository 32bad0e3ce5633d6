//! Users' code that does harm: what it may cost, and whom.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use crossbeam_channel::unbounded;
use log::LevelFilter;
use serde_json::json;
use siot::{ManagerEvent, ParserKind, Revision};

use crate::support::logged::{capture_log, end_mischief, logged, make_mischief, wait_for_line};
use crate::support::mischief::{DropWatch, Mischief};
use crate::support::server::PARSERS;
use crate::support::{Client, LIMIT, Server, Via, alone, recv_within};

#[test]
fn each_packet_is_logged_by_the_thread_that_has_to_do_with_it() {
    alone(|| {
        capture_log(LevelFilter::Trace);
        let server = Server::start(json!({}));
        for &via in Via::ALL {
            let client = via.settle(server.url());
            let name = format!("{via:?}");
            let news = client.subscribe(&name);
            client.emit("send-me", (&name, "text")).unwrap();
            recv_within(news.receiver(), LIMIT);
            let received = format!(r#"2[\"{name}\",\"text\"]"#);
            let line = wait_for_line(&received, |line| line.text.contains(&received));
            assert_eq!(
                (line.target.split("::").next(), &*line.thread),
                (Some("siot"), "siot-conn")
            );
        }
    });
}

#[test]
fn a_logger_that_dawdles_over_one_connection_does_not_hold_up_another() {
    alone(|| {
        let pause = Duration::from_secs(3);
        capture_log(LevelFilter::Trace);
        make_mischief(Mischief::Sleep(pause), |line| {
            line.thread == "siot-conn" && line.text.contains("slow")
        });
        let server = Server::start(json!({}));
        let [slow, other] = Via::WebSocket.connect_each(server.url());
        let events = slow.subscribe("slow");
        for n in 0..2 {
            slow.emit("send-me", ("slow", n)).unwrap();
        }
        recv_within(events.receiver(), LIMIT);
        let start = Instant::now();
        other.works();
        assert!(start.elapsed() < pause, "{:?}", start.elapsed());
        assert_eq!(events.recv_timeout(LIMIT).unwrap().args::<u32>().unwrap(), 1);
        assert!(end_mischief() >= 2);
        slow.works();
    });
}

#[test]
fn a_logger_that_panics_where_a_program_emits_harms_no_other_connection() {
    alone(|| {
        capture_log(LevelFilter::Trace);
        let server = Server::start(json!({}));
        let [client, other] = Via::WebSocket.connect_each(server.url());
        client.works();
        let own = std::thread::current().name().unwrap_or_default().to_owned();
        make_mischief(Mischief::Panic, move |line| {
            line.thread == own && line.text.contains("note")
        });
        let emitted = catch_unwind(AssertUnwindSafe(|| client.emit("note", 1)));
        // Whichever thread wrote it, the logger was told; and where it panicked, that is its own affair.
        wait_for_line("the event", |line| line.text.contains("note"));
        end_mischief();
        emitted.unwrap().unwrap();
        client.works();
        other.works();
        Via::WebSocket.connect(server.url()).works();
    });
}

#[test]
fn what_a_callback_has_captured_is_dropped_when_it_is_taken_off() {
    let server = Server::start(json!({}));
    for &via in Via::ALL {
        let client = via.connect(server.url());
        let (watch, dropped) = DropWatch::new(None);
        let (sender, called) = unbounded();
        let listener = client
            .on("news", move |_| {
                let _ = &watch;
                sender.send(()).unwrap();
            })
            .unwrap();
        client.emit("send-me", "news").unwrap();
        recv_within(&called, LIMIT);
        assert!(dropped.is_empty());
        assert!(client.off(listener));
        recv_within(&dropped, LIMIT);
        client.works();
    }
}

#[test]
fn callbacks_that_panic_and_dawdle_disturb_no_heartbeat() {
    let server = Server::version(4, json!({ "pingInterval": 50, "pingTimeout": 2000 }));
    for &via in Via::ALL {
        let client = via.settle(server.url());
        let (sender, called) = unbounded();
        client
            .on("flood", move |event| {
                sender.send(event.args::<u32>().unwrap()).unwrap();
                // All of them together for longer than a heartbeat may be late.
                Mischief::Sleep(Duration::from_millis(250)).make("a callback");
                Mischief::Panic.make("a callback");
            })
            .unwrap();
        client.emit("flood", (10, 1)).unwrap();
        for n in 0..10 {
            assert_eq!(recv_within(&called, LIMIT), n);
        }
        for _ in 0..3 {
            client.wait_for("a heartbeat", |event| matches!(event, ManagerEvent::Ping));
        }
        assert!(client.status.try_recv().is_none());
        client.works();
    }
}

/// In every place that takes a secret, one that begins like this.
const SECRET: &str = "s3cr3t";

/// The log of sessions with whatever can be secret, with a server of this version and with one of the
/// parsers.
fn log_with_secrets(
    version: u32,
    revision: Revision,
    (parser, name): (ParserKind, Option<&str>),
) -> String {
    let cookie = format!("server={SECRET}-set; Path=/");
    let server =
        Server::start(json!({ "version": version, "parser": name, "setCookies": [cookie] }));
    for &via in Via::ALL {
        let builder = via
            .builder(format!("{}/admin", server.url()))
            .revision(revision)
            .parser(parser)
            .with_credentials(true)
            .query("token", format!("{SECRET} query"))
            .extra_header("Authorization", format!("Bearer {SECRET}-header"))
            .extra_header("Cookie", format!("sid={SECRET}-cookie"))
            .auth(json!({ "token": format!("{SECRET}-auth") }));
        let client = Client::connect(builder);
        if via == Via::Upgrade {
            client.upgraded();
        }
        client.connect_in("/orders");
        client.works();
        client.manager().close_engine();
        client.reconnected();
        client.works();
        client.manager().close(LIMIT);
    }
    logged().concat()
}

#[test]
fn no_secret_is_in_the_log_at_trace_with_the_newest_revision_and_json() {
    alone(|| {
        capture_log(LevelFilter::Trace);
        let log = log_with_secrets(4, Revision::V4, PARSERS[0]);
        let lines: Vec<_> = log.lines().filter(|line| line.contains(" siot::")).collect();
        assert!(lines.len() > 20, "{log}");
        let telling: Vec<_> = lines.iter().filter(|line| line.contains(SECRET)).collect();
        assert!(telling.is_empty(), "{telling:?}");
    });
}
