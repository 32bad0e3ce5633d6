//! Links that die without a word.

use std::time::{Duration, Instant};

use serde_json::json;
use siot::{DisconnectReason, Transport};

use super::{MS, NAME, TRANSPORTS, builder, serve};
use crate::support::network::{V4, isolated};
use crate::support::{Client, LIMIT, Server};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_dead_link_is_noticed_by_the_heartbeat_and_left() {
    isolated(|network| {
        let server = Server::start(json!({
            "host": V4[0],
            "options": { "pingInterval": 300, "pingTimeout": 2000 },
        }));
        network.dns.set(NAME, &[V4[0]]);
        for &transport in TRANSPORTS {
            network.heal();
            let client = Client::connect(builder(&server, transport).connect_timeout(2000 * MS));
            network.black_hole(V4[0]);
            let start = Instant::now();
            let (reason, error) = client.disconnected();
            assert_eq!(reason, DisconnectReason::PingTimeout, "{error:?}");
            assert!(start.elapsed() < LIMIT / 2, "{:?}", start.elapsed());
            // While it lasts attempts fail, with the address; then all is well again.
            let error = client.connect_error();
            assert!(error.is_timeout() && error.message().contains(V4[0]), "{error}");
            network.heal();
            client.reconnected();
            client.socket.manager().close(LIMIT);
        }
    });
}

#[test]
fn unconfirmed_data_ends_a_connection_before_a_slow_heartbeat_does() {
    isolated(|network| {
        let server = serve(V4[0]);
        network.dns.set(NAME, &[V4[0]]);
        let builder = builder(&server, Transport::WebSocket).tcp_user_timeout(SECOND);
        let client = Client::connect(builder.connect_timeout(2000 * MS));
        network.black_hole(V4[0]);
        client.socket.emit("echo", "is anybody there?").unwrap();
        let (reason, error) = client.disconnected();
        assert_eq!(reason, DisconnectReason::TransportClose, "{error:?}");
        let error = error.unwrap().to_string();
        assert!(error.contains("timed out"), "{error}");
        network.heal();
        client.reconnected();
    });
}

#[test]
fn a_close_through_a_black_hole_keeps_its_limit_and_hands_back() {
    const EVENTS: usize = 1000;
    isolated(|network| {
        let server = serve(V4[0]);
        network.dns.set(NAME, &[V4[0]]);
        for frozen in [false, true] {
            network.heal();
            let client = Client::connect(builder(&server, Transport::WebSocket));
            if frozen {
                server.freeze();
            }
            network.black_hole(V4[0]);
            for n in 0..EVENTS {
                client.socket.emit("tick", (0, n)).unwrap();
            }
            let (start, limit) = (Instant::now(), 2000 * MS);
            let back = client.socket.manager().close(limit);
            assert!(start.elapsed() < limit * 2, "{:?}", start.elapsed());
            assert_eq!(back.len(), EVENTS);
        }
        server.thaw();
    });
}
