//! Clients that do not read, and handlers that do not keep up.

use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{bounded, unbounded};
use siot::server::ServerBuilder;
use siot::{Binary, DisconnectReason};

use crate::host::Host;
use crate::raw_client::{RawClient, text_frame};
use crate::soak;
use crate::support::{LIMIT, Via, alone, ask, eventually, recv_within};

const KIB: usize = 1024;

fn memory() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("procfs");
    let line = status.lines().find(|line| line.starts_with("VmRSS")).expect("a size");
    let kib: usize = line.split_whitespace().nth(1).expect("a number").parse().expect("a number");
    kib * KIB
}

/// Broadcasts so much that nobody who does not read could get it, while another client reads all of it in time.
fn broadcast_beside_a_sleeper(cut: bool) {
    const PIECE: usize = 32 * KIB;
    const PIECES: u32 = 4000;
    let least = Duration::from_secs(soak::size(0, 60));
    // It is not for its silence that the sleeper goes.
    let host = Host::start(|builder| builder.cut_slow_clients(cut).ping_timeout(3 * LIMIT));
    let mut sleeper = RawClient::websocket(&host.url);
    sleeper.say("40");
    sleeper.expect("40");
    let sleeping = host.connected();
    let client = Via::WebSocket.connect(&host.url);
    host.connected();
    let pieces = client.subscribe("piece");
    let bytes = Binary::from(vec![7; PIECE]);
    let before = memory();
    let mut highest = before;
    let (mut behind, mut queued, mut pieces_sent) = (0, 0, 0);
    let begin = Instant::now();
    while pieces_sent < PIECES || begin.elapsed() < least {
        let number = pieces_sent;
        pieces_sent += 1;
        let report = host.server.emit("piece", (number, &bytes)).unwrap();
        behind += report.behind.len();
        queued += report.queued;
        assert!(report.behind.iter().all(|id| **id == *sleeping.id()), "{report:?}");
        // At the pace of the one who reads.
        let piece = recv_within(pieces.receiver(), LIMIT);
        assert_eq!(piece.arg::<u32>(0).unwrap(), number);
        if number % 100 == 0 {
            highest = highest.max(memory());
        }
    }
    let more = highest - before.min(highest);
    assert!(more < 16 * KIB * KIB, "{more} bytes more than before");
    if cut {
        assert_eq!(behind, 1, "it is cut");
        assert_eq!(host.disconnected(&sleeping), DisconnectReason::TransportError);
        assert_eq!(host.server.len(), 1);
    } else {
        assert!(sleeping.is_connected(), "it may yet read");
        assert_eq!(behind + queued, 2 * pieces_sent as usize);
        assert!(behind > pieces_sent as usize / 2, "{behind}");
    }
    assert_eq!(ask::<(u8,)>(&client, "echo", 1), (1,));
}

#[test]
fn a_client_that_does_not_read_a_broadcast_is_cut() {
    alone(|| broadcast_beside_a_sleeper(true));
}

#[test]
fn a_client_that_does_not_read_is_passed_by() {
    alone(|| broadcast_beside_a_sleeper(false));
}

#[test]
fn an_event_for_a_client_that_does_not_read_fails() {
    let host = Host::start(|builder| builder);
    let mut sleeper = RawClient::websocket(&host.url);
    sleeper.say("40");
    sleeper.expect("40");
    let socket = host.connected();
    let bytes = Binary::from(vec![7; 100 * KIB]);
    // More than the system and the bound take together.
    let error = (0..1000).find_map(|_| socket.emit("piece", &bytes).err()).expect("an error");
    assert_eq!(error.kind(), siot::ErrorKind::BufferFull);
    assert!(socket.is_connected());
    assert!(socket.volatile().emit("piece", &bytes).is_ok(), "dropped");
    drop(sleeper);
    assert_eq!(host.disconnected(&socket), DisconnectReason::TransportError);
}

#[test]
fn what_is_volatile_and_for_many_passes_by_who_does_not_read_and_is_counted() {
    let host = Host::start(|builder| builder);
    let mut sleeper = RawClient::websocket(&host.url);
    sleeper.say("40");
    sleeper.expect("40");
    let socket = host.connected();
    let bytes = Binary::from(vec![7; 100 * KIB]);
    while socket.emit("piece", &bytes).is_ok() {}
    let mut readers = [(); 2].map(|()| RawClient::websocket(&host.url));
    for reader in &mut readers {
        reader.say("40");
        reader.expect("40");
    }
    let report = host.server.all().volatile().emit("piece", ()).unwrap();
    assert_eq!((report.queued, report.dropped, report.behind.len()), (2, 1, 0));
    let report = host.server.to(socket.id()).volatile().emit("piece", ()).unwrap();
    assert_eq!((report.queued, report.dropped), (0, 1));
    for reader in &mut readers {
        reader.expect(r#"42["piece"]"#);
    }
}

#[test]
fn a_client_that_reads_nothing_is_given_up() {
    // Its buffers are full before it is given up, on a slow machine too.
    let brisk = Duration::from_secs(2);
    let host = Host::start(|builder| builder.ping_interval(brisk).ping_timeout(brisk));
    let mut sleeper = RawClient::websocket(&host.url);
    sleeper.say("40");
    sleeper.expect("40");
    let socket = host.connected();
    let bytes = Binary::from(vec![7; 100 * KIB]);
    while socket.emit("piece", &bytes).is_ok() {}
    assert_eq!(host.disconnected(&socket), DisconnectReason::TransportError);
    eventually(LIMIT, "no session", || host.server.clients() == 0);
}

fn brisk(builder: ServerBuilder) -> ServerBuilder {
    builder.ping_interval(Duration::from_millis(200)).ping_timeout(Duration::from_secs(2))
}

/// A client that sends as fast as it can, to a handler that does not begin: nothing is read any more, heartbeats
/// go on, and all comes in its order.
#[test]
fn a_fast_sender_is_slowed() {
    alone(|| {
        const EVENTS: usize = 4000;
        let host = Host::start(|builder| brisk(builder).receive_events(100));
        let (open, gate) = bounded::<()>(0);
        let (seen, sights) = unbounded();
        host.server.on("load", move |_, event| {
            let (number, _): (usize, String) = event.args().unwrap();
            if number == 0 {
                let _ = gate.recv();
            }
            let _ = seen.send(number);
        });
        let mut client = RawClient::websocket(&host.url);
        client.say("40");
        client.expect("40");
        let socket = host.connected();
        let before = memory();
        let filling = "x".repeat(8 * KIB);
        let mut stream = client.stream().try_clone().unwrap();
        let sender = thread::spawn(move || {
            for number in 0..EVENTS {
                let text = format!(r#"42["load",{number},"{filling}"]"#);
                stream.write_all(&text_frame(&text)).unwrap();
            }
        });
        // 2.2 s of silence would end it.
        for _ in 0..15 {
            client.expect_heartbeat();
        }
        assert!(!sender.is_finished(), "the sender is slowed");
        assert!(sights.is_empty());
        let more = memory().saturating_sub(before);
        assert!(more < 8 * KIB * KIB, "{more} bytes more than before");
        drop(open);
        for number in 0..EVENTS {
            assert_eq!(recv_within(&sights, LIMIT), number);
        }
        sender.join().unwrap();
        client.say(r#"421["echo",1]"#);
        client.expect("431[1]");
        assert!(socket.is_connected());
    });
}
