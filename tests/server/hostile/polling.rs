//! Requests of long-polling that come together, half, or more than handlers can take.

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crossbeam_channel::{Receiver, Sender, bounded};
use siot::server::Server;

use super::ground::{Ground, attack};
use super::raw_http::{frame, poll, post, text, upgrade};
use crate::support::{LIMIT, eventually, recv_within};

/// Gives a server a handler `hold` that stays until the sender is dropped; counts the events `count`.
fn stubborn(server: &Server) -> (Sender<()>, Receiver<()>, Arc<AtomicUsize>) {
    let (release, gate) = bounded::<()>(0);
    let (told, begun) = bounded(1000);
    let counted = Arc::<AtomicUsize>::default();
    server.on("hold", move |_, _| {
        let _ = told.send(());
        let _ = gate.recv();
    });
    let count = Arc::clone(&counted);
    server.on("count", move |_, _| {
        count.fetch_add(1, Ordering::SeqCst);
    });
    (release, begun, counted)
}

fn many(event: &str, count: usize) -> String {
    vec![format!(r#"42["{event}"]"#); count].join("\u{1e}")
}

#[test]
fn a_post_with_more_events_than_may_wait_is_answered_when_the_handlers_have_caught_up() {
    attack(|| {
        let ground = Ground::new(|builder| builder.receive_events(16));
        let (_, _, counted) = stubborn(&ground.server);
        let mut client = ground.connect();
        let sid = client.join();
        for round in 1..=20 {
            assert_eq!(client.say(post(&sid, &many("count", 500))).response().body, "ok");
            eventually(LIMIT, "all are handled", || counted.load(Ordering::SeqCst) == round * 500);
        }
    });
}

#[test]
fn a_post_whose_last_event_fills_what_may_wait_is_all_there_is() {
    attack(|| {
        let ground = Ground::new(|builder| builder.receive_events(4));
        let (release, begun, counted) = stubborn(&ground.server);
        let mut client = ground.connect();
        let sid = client.join();
        // One is with its handler, and four fill what may wait, the last of the body being the fourth.
        client.say(post(&sid, &format!("{}\u{1e}{}", r#"42["hold"]"#, many("count", 1))));
        recv_within(&begun, LIMIT);
        assert_eq!(client.response().body, "ok");
        client.say(post(&sid, &many("count", 3)));
        drop(release);
        assert_eq!(client.response().body, "ok");
        eventually(LIMIT, "all are handled", || counted.load(Ordering::SeqCst) == 4);
        assert_eq!(client.say(post(&sid, r#"42["count"]"#)).response().body, "ok");
    });
}

#[test]
fn while_a_post_waits_for_handlers_another_one_is_one_too_many() {
    attack(|| {
        let mut ground = Ground::new(|builder| builder.receive_events(4));
        let (release, begun, counted) = stubborn(&ground.server);
        let mut first = ground.connect();
        let sid = first.join();
        let body = format!("{}\u{1e}{}", r#"42["hold"]"#, many("count", 8));
        first.say(post(&sid, &body));
        recv_within(&begun, LIMIT);
        // It is read behind the other one.
        let mut second = ground.connect();
        eventually(LIMIT, "the second one is refused", || {
            second = ground.connect();
            second.say(post(&sid, &many("count", 8))).response().status == 400
        });
        drop(release);
        assert_eq!(first.response().body, "ok");
        assert!(counted.load(Ordering::SeqCst) <= 8, "of the first one alone");
        drop((first, second));
        ground.is_unharmed();
    });
}

#[test]
fn a_client_hears_by_each_request_that_is_under_way_what_it_has_done_wrong() {
    attack(|| {
        let mut ground = Ground::new(|builder| builder);
        let [mut polling, mut posting] = [ground.connect(), ground.connect()];
        let sid = polling.join();
        polling.say(poll(&sid));
        posting.say(post(&sid, "4511-[\"x\"]"));
        for client in [&mut posting, &mut polling] {
            let response = client.response();
            assert_eq!(response.status, 400, "{response:?}");
            let told = "more attachments than the limit of 10";
            assert!(response.body.contains(told), "{response:?}");
        }
        let late = polling.say(poll(&sid)).response();
        assert!(late.body.contains("Session ID unknown"), "{late:?}");
        drop((polling, posting));
        ground.is_unharmed();
    });
}

#[test]
fn a_client_that_ends_behind_its_get_is_gone() {
    attack(|| {
        let mut ground = Ground::new(|builder| builder);
        let sid = ground.connect().join();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let mut client = super::raw_http::RawHttp::connect(listener.local_addr().expect("it"));
        let (accepted, _) = listener.accept().expect("a connection");
        client.say(poll(&sid)).finish();
        // Request and end are both there before the server looks.
        let mut all = vec![0; poll(&sid).len()];
        eventually(LIMIT, "the request has come", || {
            accepted.peek(&mut all).expect("bytes") == all.len()
        });
        std::thread::sleep(std::time::Duration::from_millis(20));
        ground.server.serve(accepted).expect("a connection");
        assert!(client.rest().is_empty());
        drop((client, listener));
        ground.is_unharmed();
    });
}

#[test]
fn a_websocket_is_tested_though_it_came_while_handlers_were_behind() {
    attack(|| {
        let long = std::time::Duration::from_secs(60);
        let ground = Ground::new(|builder| builder.receive_events(4).upgrade_timeout(long));
        let (release, begun, _) = stubborn(&ground.server);
        let mut client = ground.connect();
        let sid = client.join();
        client.say(post(&sid, &format!("{}\u{1e}{}", r#"42["hold"]"#, many("count", 8))));
        recv_within(&begun, LIMIT);
        let mut candidate = ground.connect();
        let query = format!("EIO=4&transport=websocket&sid={sid}");
        assert_eq!(candidate.say(upgrade(&query)).response().status, 101);
        candidate.say(text("2probe"));
        // What the server has read by then, it has read before it is free.
        let mut other = ground.connect();
        other.join();
        drop(release);
        assert_eq!(client.response().body, "ok");
        assert_eq!(candidate.message(), "3probe");
    });
}

#[test]
fn a_client_that_never_acknowledges_fills_no_memory_while_its_handler_waits() {
    attack(|| {
        let mut ground = Ground::new(|builder| builder);
        ground.server.on("question", |socket, _| {
            let asked = socket.timeout(LIMIT * 2).emit_with_ack("ask", ()).expect("room");
            let _ = asked.wait::<()>();
        });
        let mut client = ground.connect();
        client.websocket();
        client.say(text("40"));
        client.message();
        client.say(text(r#"42["question"]"#));
        let _ = client.message();
        let flood = text(r#"42["x"]"#).repeat(4096);
        client.stream().set_write_timeout(Some(std::time::Duration::from_secs(1))).expect("it");
        // Until nothing more is read.
        while client.stream().write_all(&flood).is_ok() {}
        ground.stands();
        drop(client);
    });
}

#[test]
fn a_body_of_nothing_but_packets_takes_no_more_than_its_size_is_worth() {
    attack(|| {
        let mut ground = Ground::new(|builder| builder);
        for packet in ["", "4", "3", "6", r#"42["x"]"#, "2", "42", "b"] {
            let mut client = ground.connect();
            let sid = client.join();
            let body = vec![packet; 999_000 / (packet.len() + 1)].join("\u{1e}");
            let _ = client.say(post(&sid, &body)).try_response();
            ground.stands();
            let _ = ground.connect().say(post(&sid, "1")).try_response();
            drop(client);
            ground.is_unharmed();
        }
    });
}

#[test]
fn of_a_post_no_more_is_unpacked_than_may_wait_for_handlers() {
    attack(|| {
        let mut ground = Ground::new(|builder| builder);
        let (release, begun, counted) = stubborn(&ground.server);
        let mut clients: Vec<_> = (0..3).map(|_| ground.connect()).collect();
        let body = format!("{}\u{1e}{}", r#"42["hold"]"#, many("count", 75_000));
        for client in &mut clients {
            let sid = client.join();
            client.say(post(&sid, &body));
            recv_within(&begun, LIMIT);
        }
        // Behind them, so that they are read.
        ground.connect().open();
        ground.stands();
        drop(release);
        for client in &mut clients {
            assert_eq!(client.response().body, "ok");
        }
        eventually(LIMIT, "all are handled", || counted.load(Ordering::SeqCst) == 225_000);
    });
}

#[test]
fn two_gets_at_once_end_the_session() {
    attack(|| {
        let mut ground = Ground::new(|builder| builder);
        let mut client = ground.connect();
        let sid = client.join();
        client.say(poll(&sid));
        let mut other = ground.connect();
        eventually(LIMIT, "the other one is refused", || {
            other.say(poll(&sid)).response().status == 400
        });
        assert_eq!(client.response().body, "1");
        drop((client, other));
        ground.is_unharmed();
    });
}

#[test]
fn half_a_packet_is_forgotten_with_its_session() {
    attack(|| {
        let mut ground = Ground::new(|builder| builder);
        // More than the memory that there may be, if the sessions left what they have.
        let half = format!(
            r#"4510-["x",{}]"#,
            r#"{"_placeholder":true,"num":0},"#.repeat(9) + &"9".repeat(100_000)
        );
        let part = frame(0x82, &vec![7; 100_000]);
        for _ in 0..1000 {
            let mut client = ground.connect();
            client.websocket();
            client.say(text("40")).say(text(&half)).say(&part);
            client.message();
            client.reset();
        }
        // By polling, and of those that have joined nothing.
        for number in 0..500 {
            let mut client = ground.connect();
            let sid = if number % 2 == 0 { client.join() } else { client.open() };
            client.say(post(&sid, &format!("{half}\u{1e}b{}", "A".repeat(100_000)))).response();
            let _ = client.say(post(&sid, "1")).try_response();
        }
        ground.is_unharmed();
    });
}
