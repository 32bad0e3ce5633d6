//! Requests of a client that polls.

use super::*;
use crate::driver::server::hub_options::HubOptions;
use crate::driver::server::inbox::InboxBounds;
use crate::driver::server::io::Io;
use crate::driver::server::testing::{TestClient, options, server};
use crate::proto::packet::Packet;

/// A client that polls with this query, and where its further requests go.
fn opened(io: &mut Io, query: &str) -> (TestClient, String) {
    let mut client = TestClient::connect(io, None);
    client.say(io, format!("GET /socket.io/?{query} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes());
    let opened = client.heard();
    let sid = opened.split("\"sid\\\":\\\"").nth(1).or_else(|| opened.split("\"sid\":\"").nth(1));
    let sid = sid.unwrap().split(['"', '\\']).next().unwrap();
    (client, format!("/socket.io/?{query}&sid={sid}"))
}

fn post(client: &mut TestClient, io: &mut Io, target: &str, body: &str) {
    let length = body.len();
    let request = format!(
        "POST {target} HTTP/1.1\r\nHost: h\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    client.say(io, request.as_bytes());
}

fn poll(client: &mut TestClient, io: &mut Io, target: &str) -> String {
    client.say(io, format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes());
    client.heard()
}

fn peer(io: &Io) -> std::sync::Arc<Peer> {
    io.hub.peers().pop().unwrap()
}

const EIO4: &str = "EIO=4&transport=polling";

#[test]
fn a_post_without_a_packet_is_refused_and_ends_the_session() {
    let mut io = server(options());
    let (mut client, target) = opened(&mut io, EIO4);
    post(&mut client, &mut io, &target, "");
    assert!(client.heard().starts_with("HTTP/1.1 400"));
    assert_eq!(io.hub.count_peers(), 0);
}

#[test]
fn a_post_whose_last_packet_was_one_too_many_is_taken_when_the_handlers_have_caught_up() {
    let inbox = InboxBounds { events: 3, bytes: 10_000 };
    let mut io = server(HubOptions { inbox, ..options() });
    let (mut client, target) = opened(&mut io, EIO4);
    post(&mut client, &mut io, &target, "40");
    assert!(client.heard().ends_with("ok"));
    let peer = peer(&io);
    post(&mut client, &mut io, &target, "42[\"a\"]\u{1e}42[\"b\"]");
    assert_eq!(client.heard(), "", "it waits");
    let socket = std::sync::Arc::clone(&peer.lock().sockets[0]);
    while socket.inbox.load().0 > 0 {
        let batch = socket.inbox.take_batch(inbox);
        socket.inbox.handled(&batch, inbox);
    }
    io.go_on(&peer);
    assert!(client.heard().ends_with("ok"));
    post(&mut client, &mut io, &target, "42[\"c\"]");
    assert!(client.heard().ends_with("ok"), "the session goes on");
}

#[test]
fn an_answer_that_breaks_is_given_to_the_next_get() {
    let mut io = server(options());
    let (client, target) = opened(&mut io, EIO4);
    let peer = peer(&io);
    let large = "x".repeat(8 << 20);
    peer.send(&[Packet::Text((&*large).into())]).unwrap();
    let mut lost = TestClient::connect(&mut io, None);
    lost.say(&mut io, format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes());
    drop(std::mem::replace(&mut lost.stream, std::os::unix::net::UnixStream::pair().unwrap().0));
    lost.is_served(&mut io);
    let mut next = client;
    next.say(&mut io, format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes());
    let mut heard = String::new();
    while !heard.ends_with("xxx") || heard.len() < 8 << 20 {
        let more = next.heard();
        assert!(!more.is_empty(), "{} bytes", heard.len());
        heard.push_str(&more);
        next.is_served(&mut io);
    }
    assert!(heard.starts_with("HTTP/1.1 200"));
}

#[test]
fn a_client_that_takes_no_binary_gets_base64() {
    for (query, expected) in [
        ("EIO=3&transport=polling&b64=1", "b4AQID"),
        ("EIO=3&transport=polling&j=0", "b4AQID"),
        ("EIO=3&transport=polling", "\u{1}"),
    ] {
        let mut io = server(options());
        let (mut client, target) = opened(&mut io, query);
        poll(&mut client, &mut io, &target);
        peer(&io).send(&[Packet::Binary(vec![1, 2, 3].into())]).unwrap();
        let got = poll(&mut client, &mut io, &target);
        assert!(got.contains(expected), "{query}: {got:?}");
    }
}
