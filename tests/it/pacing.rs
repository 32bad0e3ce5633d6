//! A server that answers polls at once with nothing is not asked as fast as it answers.

use std::time::{Duration, Instant};

use crossbeam_channel::unbounded;
use siot::{Builder, Transport};

use crate::support::LIMIT;
use crate::support::raw::RawPeer;

const OPEN: &[u8] =
    br#"0{"sid":"s","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;

#[test]
fn polls_that_bring_nothing_are_followed_by_rests() {
    let (polled, polls) = unbounded();
    let peer = RawPeer::start(move |mut connection| {
        loop {
            let request = connection.read_request()?;
            let body: &[u8] = if request.target.contains("sid=") { b"6" } else { OPEN };
            if request.method == "GET" && body == b"6" {
                let _ = polled.send(Instant::now());
            }
            connection.respond(200, "", body)?;
        }
    });
    let builder = Builder::new(peer.url()).transports([Transport::Polling]);
    let manager = builder.manager().unwrap();
    // Where six answers in a row come at once, there are rests of 10, 20, 40, 80, 160, 320 and 640 ms behind the last of
    // them; on a busy machine some come late, and it begins anew.
    let start = Instant::now();
    let mut last = polls.recv_timeout(LIMIT).unwrap();
    loop {
        let next = polls.recv_timeout(LIMIT).unwrap();
        if next.duration_since(last) >= Duration::from_millis(640) {
            break;
        }
        assert!(start.elapsed() < LIMIT, "no rest");
        last = next;
    }
    manager.close(LIMIT);
}
