//! How many packets go into one request of long-polling.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_channel::{bounded, unbounded};
use siot::{Binary, Builder, Transport};

use crate::support::LIMIT;
use crate::support::raw::RawPeer;

const OPEN: &[u8] =
    br#"0{"sid":"s","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;

/// Has 40 events and a photo waiting before the connection is there; gives how many packets came in each
/// request.
fn packets_of_each_post(options: impl FnOnce(Builder) -> Builder) -> Vec<usize> {
    let (posted, posts) = unbounded();
    let (ask, asked) = bounded(1);
    let answered = AtomicBool::new(false);
    let peer = RawPeer::start(move |mut connection| {
        loop {
            let request = connection.read_request()?;
            let body: &[u8] = match (&*request.method, request.target.contains("sid=")) {
                ("GET", false) => OPEN,
                // Nothing is said but the answer to CONNECT.
                ("GET", true) if answered.swap(true, Ordering::SeqCst) => {
                    return connection.read_request().map(drop);
                }
                ("GET", true) => {
                    asked.recv_timeout(LIMIT).map_err(io::Error::other)?;
                    br#"40{"sid":"x"}"#
                }
                _ => {
                    if request.body == b"40" {
                        ask.send(()).unwrap();
                    }
                    let _ = posted.send(request.body.split(|byte| *byte == 0x1e).count());
                    b"ok"
                }
            };
            connection.respond(200, "", body)?;
        }
    });
    let builder = Builder::new(peer.url()).transports([Transport::Polling]).auto_connect(false);
    let socket = options(builder).build().unwrap();
    for n in 0..39 {
        socket.emit("e", n).unwrap();
    }
    socket.emit("photo", Binary::from([1])).unwrap();
    socket.connect();
    let mut counts = Vec::new();
    while counts.iter().sum::<usize>() < 42 {
        counts.push(posts.recv_timeout(LIMIT).unwrap());
    }
    counts
}

#[test]
fn a_request_has_no_more_packets_than_a_python_server_takes() {
    // CONNECT goes out by itself; 40 texts and an attachment follow its answer.
    assert_eq!(packets_of_each_post(|builder| builder), [1, 16, 16, 9]);
}

#[test]
fn where_the_server_takes_more_they_may_be_more() {
    assert_eq!(packets_of_each_post(|builder| builder.max_packets_per_post(1000)), [1, 41]);
}

#[test]
fn what_waits_when_a_session_opens_goes_by_the_connection_that_it_was_opened_by() {
    let (posted, posts) = unbounded();
    let peer = RawPeer::start(move |mut connection| {
        let opening = connection.read_request()?;
        connection.respond(200, "", OPEN)?;
        let second = connection.read_request()?;
        let _ = posted.send((opening.method, second.method, second.body));
        connection.respond(200, "", b"ok")?;
        connection.read_request()?;
        connection.respond(200, "", br#"40{"sid":"x"}"#)?;
        connection.hold()
    });
    let builder = Builder::new(peer.url()).transports([Transport::Polling]);
    let socket = builder.build().unwrap();
    let (opening, second, body) = posts.recv_timeout(LIMIT).unwrap();
    assert_eq!((&*opening, &*second, &*body), ("GET", "POST", &b"40"[..]));
    socket.wait_connected(LIMIT).unwrap();
}
