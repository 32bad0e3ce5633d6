//! Peers that are no server: whatever they say is an error, and never an endless loop.

use siot::{Revision, Status};
use tungstenite::Message;

use crate::support::greeting::Greeting;
use crate::support::raw::RawPeer;
use crate::support::{Client, LIMIT, Via};

#[cfg(feature = "polling")]
#[test]
fn what_is_no_server_is_an_error() {
    for answer in ["", "hello", "<html>", "0", "97:0{", "7:0{\"a\":1", "{\"sid\":1}", "\0\u{9}"] {
        let peer = RawPeer::start(move |mut connection| {
            connection.read_request()?;
            connection.respond(200, "Content-Type: text/plain\r\n", answer.as_bytes())
        });
        let client = Client::start(Via::Polling.builder(peer.url()).reconnection(false));
        let status = client.next_status();
        assert!(matches!(status, Status::ConnectError(_)), "{answer}: {status:?}");
    }
}

#[test]
fn what_is_no_server_is_an_error_over_websocket_too() {
    // It could be of a server of either revision.
    let open = Message::text(Greeting::new("s").without_max_payload().text());
    let binary = Message::binary(vec![4, 0, 255]);
    let greetings: Vec<Vec<Message>> = ["", "hello", "<html>", "0", "0{", "0[]", "40", "9"]
        .iter()
        .map(|text| vec![Message::text(*text)])
        .chain([vec![binary.clone()], vec![Message::text("97:0{}2:40")]])
        .chain(
            ["", "9", "\u{1e}", "4", "49", "40["]
                .map(|text| vec![open.clone(), Message::text(text)]),
        )
        .chain([vec![open.clone(), binary]])
        .collect();
    for greeting in greetings {
        let frames = greeting.clone();
        let peer = RawPeer::websocket(move |socket, _| {
            for frame in &frames {
                socket.send(frame.clone())?;
            }
            while socket.read().is_ok() {}
            Ok(())
        });
        for revision in [Revision::Auto, Revision::V3, Revision::V4] {
            let builder = Via::WebSocket.builder(peer.url()).revision(revision);
            let client = Client::start(builder.reconnection(false));
            let status = client.next_status();
            let is_error = matches!(status, Status::ConnectError(_) | Status::Disconnected { .. });
            assert!(is_error, "{revision:?} {greeting:?}: {status:?}");
            client.manager().close(LIMIT);
        }
    }
}

#[test]
fn a_peer_that_never_makes_up_its_mind_is_no_endless_loop() {
    let open = Greeting::new("s").without_max_payload().text();
    // It greets as an old server, and then answers as none.
    let peer = RawPeer::websocket(move |socket, _| {
        socket.send(Message::text(open.clone()))?;
        socket.send(Message::text("40{\"sid\":\"x\"}"))?;
        while socket.read().is_ok() {}
        Ok(())
    });
    let client = Client::start(Via::WebSocket.builder(peer.url()).reconnection(false));
    let status = client.next_status();
    assert!(matches!(status, Status::ConnectError(_) | Status::Disconnected { .. }), "{status:?}");
    assert!(peer.accepted() <= 3, "{} sessions", peer.accepted());
}
