//! Events that are sent again until the server acknowledges them, several at a time, each with a key.

use std::time::Duration;

use serde_json::{Value, json};
use siot::{Ack, Binary, Builder, ErrorKind};

use crate::support::hostile::{HostileOptions, HostileServer};
use crate::support::server::PARSERS;
use crate::support::{
    CaseName, Client, LIMIT, Server, Via, eventually, over_each_transport, shared_each,
};

over_each_transport!(
    each_reading_is_applied_once_and_in_order_whatever_the_server_does,
    several_are_under_way_at_a_time,
    an_event_that_costs_the_connection_is_given_up_and_costs_no_other_one,
    an_event_with_retries_that_costs_the_connection_is_given_up,
    an_event_that_is_too_large_for_a_server_that_does_not_say_so_is_given_up,
    the_key_is_the_last_argument,
    the_limit_of_an_emit_bounds_all_its_tries,
);

/// Emits readings of these numbers, some of which meet a fault of the server's.
fn emit_readings(client: &Client, numbers: std::ops::Range<usize>) -> Vec<Ack> {
    let emit = |n: usize| {
        let fault = match n % 50 {
            7 | 31 => Some("cut"),
            8 => Some("silence"),
            20 => Some("fail"),
            _ => None,
        };
        client.reliable(format!("reading {n}")).emit_with_ack("reading", (n, fault)).unwrap()
    };
    numbers.map(emit).collect()
}

fn applied(server: &Server) -> Vec<usize> {
    let readings = server.command(json!({ "cmd": "readings", "device": "d" }));
    serde_json::from_value(readings["applied"].clone()).unwrap()
}

fn each_reading_is_applied_once_and_in_order_whatever_the_server_does(via: Via) {
    for version in [4, 3, 2] {
        let server = Server::version(version, json!({}));
        let _name = CaseName::new(&server);
        let builder = via.builder(server.url()).query("device", "d");
        let client = Client::start(builder.ack_timeout(Duration::from_millis(250)));
        client.admitted();
        let mut acks = emit_readings(&client, 0..100);
        eventually(LIMIT, "the first ones", || applied(&server).len() >= 50);
        server.cmd("close");
        acks.extend(emit_readings(&client, 100..150));
        server.cmd("listen");
        eventually(LIMIT, "those of meanwhile", || applied(&server).len() >= 120);
        acks.extend(emit_readings(&client, 150..200));
        server.cmd("drop");
        for mut ack in acks {
            ack.wait_timeout::<()>(LIMIT).unwrap();
        }
        assert_eq!(applied(&server), (0..200).collect::<Vec<_>>());
        let readings = server.command(json!({ "cmd": "readings", "device": "d" }));
        assert!(readings["tries"].as_u64().unwrap() > 200, "no fault had a consequence");
    }
}

/// The number of the acknowledgement that an event asks for.
fn number_of(packet: &str) -> Option<&str> {
    Some(packet.strip_prefix("42")?.split_once('[')?.0)
}

fn several_are_under_way_at_a_time(via: Via) {
    for options in [HostileOptions::v4(), HostileOptions::v3()] {
        let _name = CaseName::new(&options);
        let server = options.start();
        let (client, session) = via.visit(&server, |builder| builder.reliable_window(3));
        let acks: Vec<_> = (0..5)
            .map(|n| client.reliable(n.to_string()).emit_with_ack("reading", n).unwrap())
            .collect();
        let next = || loop {
            let packet = session.next();
            if number_of(&packet).is_some() {
                return packet;
            }
        };
        for n in 0..3 {
            assert_eq!(next(), format!("42{n}[\"reading\",{n},\"{n}\"]"));
        }
        // The others wait until the first is acknowledged, whatever becomes of the second.
        session.send("431[]");
        session.send("430[]");
        for n in 3..5 {
            assert_eq!(next(), format!("42{n}[\"reading\",{n},\"{n}\"]"));
        }
        (2..5).for_each(|n| session.send(&format!("43{n}[]")));
        for mut ack in acks {
            ack.wait_timeout::<()>(LIMIT).unwrap();
        }
    }
}

/// A server that hangs up at each event with `deadly` in it, and acknowledges the others up to the one
/// with `last` in it; gives how often it hung up.
#[track_caller]
fn hang_up_at_the_deadly(server: &HostileServer) -> usize {
    for hang_ups in 0.. {
        let session = server.session();
        loop {
            let packet = session.next();
            let Some(number) = number_of(&packet) else { continue };
            if packet.contains("deadly") {
                session.hang_up();
                break;
            }
            session.send(&format!("43{number}[]"));
            if packet.contains("last") {
                return hang_ups;
            }
        }
    }
    unreachable!("it counts for ever")
}

/// Emits four events, the third of which the server does not bear, and looks what becomes of them.
fn give_up_the_deadly(via: Via, build: fn(Builder) -> Builder, is_reliable: bool) {
    for options in [HostileOptions::v4(), HostileOptions::v3()] {
        let _name = CaseName::new(&options);
        let server = options.start();
        let client = Client::start(build(via.builder(server.url()).interrupted_tries(3)));
        let acks = ["first", "second", "deadly", "last"].map(|name| {
            let socket = &client.socket;
            if is_reliable {
                socket.reliable(name).emit_with_ack(name, ()).unwrap()
            } else {
                socket.emit_with_ack(name, ()).unwrap()
            }
        });
        // Those before it may be charged once each, where their acknowledgement was lost with it.
        let hang_ups = hang_up_at_the_deadly(&server);
        assert!((3..=5).contains(&hang_ups), "{hang_ups}");
        let kinds = acks.map(|mut ack| ack.wait_timeout::<()>(LIMIT).map_err(|error| error.kind()));
        assert_eq!(kinds, [Ok(()), Ok(()), Err(ErrorKind::Undeliverable), Ok(())]);
        assert_eq!(client.manager().counters().send_dropped, 1);
    }
}

fn an_event_that_costs_the_connection_is_given_up_and_costs_no_other_one(via: Via) {
    give_up_the_deadly(via, |builder| builder, true);
}

fn an_event_with_retries_that_costs_the_connection_is_given_up(via: Via) {
    give_up_the_deadly(via, |builder| builder.retries(1).ack_timeout(LIMIT), false);
}

fn an_event_that_is_too_large_for_a_server_that_does_not_say_so_is_given_up(via: Via) {
    for version in [3, 2] {
        let server = Server::version(version, json!({ "maxHttpBufferSize": 10_000 }));
        let _name = CaseName::new(&server);
        let builder = via.builder(server.url()).retries(2).interrupted_tries(3).ack_timeout(LIMIT);
        let client = Client::start(builder);
        client.admitted();
        let text = "x".repeat(20_000);
        let plain = client.emit_with_ack("echo", &text).unwrap();
        let reliable = client.reliable("a").emit_with_ack("echo", &text).unwrap();
        let mut next = client.reliable("b").emit_with_ack("echo", 3).unwrap();
        assert_eq!(next.wait_timeout::<u32>(LIMIT).unwrap(), 3);
        for mut large in [plain, reliable] {
            let error = large.wait_timeout::<()>(LIMIT).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Undeliverable, "{error}");
        }
        let opened = server.entries("log").iter().filter(|entry| entry["what"] == "open").count();
        assert_eq!(opened, 7);
    }
}

fn the_key_is_the_last_argument(via: Via) {
    let key = "a \"key\" with {\"_placeholder\":true,\"num\":0} and ü";
    for (parser, name) in PARSERS {
        let server = Server::start(json!({ "parser": name }));
        let _name = CaseName::new(parser);
        let client = Client::connect(via.builder(server.url()).parser(*parser));
        let reliable = client.reliable(key);
        let mut ack = reliable.emit_with_ack("echo", ()).unwrap();
        assert_eq!(ack.wait_timeout::<(String,)>(LIMIT).unwrap(), (key.to_owned(),));
        let args = (1, Binary::from(vec![1, 2]), json!({ "a": null }));
        let mut ack = reliable.emit_with_ack("echo", &args).unwrap();
        let echo: (u32, Binary, Value, String) = ack.wait_timeout(LIMIT).unwrap();
        assert_eq!(echo, (args.0, args.1, args.2, key.to_owned()));
    }
}

fn the_limit_of_an_emit_bounds_all_its_tries(via: Via) {
    for version in [4, 2] {
        let server = Server::version(version, json!({}));
        let builder = via.builder(server.url()).ack_timeout(Duration::from_millis(500));
        let client = Client::start(builder);
        client.admitted();
        let never = client.reliable("a").timeout(Duration::from_secs(4));
        let mut never = never.emit_with_ack("never-ack", ()).unwrap();
        let mut next = client.reliable("b").emit_with_ack("echo", 3).unwrap();
        assert!(never.wait_timeout::<()>(LIMIT).unwrap_err().is_timeout());
        assert_eq!(next.wait_timeout::<u32>(LIMIT).unwrap(), 3);
        let tries = server.entries("events").iter().filter(|e| e["name"] == "never-ack").count();
        assert!(tries >= 2, "{tries}");
    }
}

#[test]
fn what_is_volatile_cannot_be_reliable() {
    let client = Client::idle(Via::WebSocket.builder(shared_each()[0].url()));
    for emitter in [client.volatile().reliable("a"), client.reliable("a").volatile()] {
        let refused = emitter.emit("tick", (0, 0)).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidOption);
        let refused = emitter.emit_with_ack("tick", (0, 0)).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidOption);
    }
}

#[test]
fn a_window_and_a_number_of_tries_that_cannot_be_are_refused() {
    let builder = || Builder::new("http://127.0.0.1:9");
    for builder in [
        builder().reliable_window(0),
        builder().reliable_window(1025),
        builder().interrupted_tries(0),
    ] {
        assert_eq!(builder.build().unwrap_err().kind(), ErrorKind::InvalidOption);
    }
}
