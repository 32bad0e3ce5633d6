//! What stands before servers in real networks, and in real versions: web servers and balancers that hand requests on, and proxies.

mod haproxy;
mod nginx;
mod squid;

use std::time::{Duration, Instant};

use serde_json::json;
use siot::{Binary, Builder, DisconnectReason, Error, Status, Tls, Transport};

use crate::support::certs::CertAuthority;
use crate::support::program::free_port;
use crate::support::{Client, LIMIT, Server, Via, eventually, failure, recv_within};

/// For how long a front keeps a connection that nobody uses, where that is the point of a test.
const KEPT: Duration = Duration::from_millis(20);

/// Something that listens for plain connections and for encrypted ones.
struct Ports {
    plain: u16,
    tls: u16,
    authority: CertAuthority,
}

impl Ports {
    fn new() -> Self {
        Self { plain: free_port(), tls: free_port(), authority: CertAuthority::new() }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.plain)
    }

    /// Options for both ports.
    fn builders(&self, via: Via) -> [Builder; 2] {
        let tls = Tls::new().built_in_roots(false).ca_pem(self.authority.pem());
        let url = format!("https://127.0.0.1:{}", self.tls);
        [via.builder(self.url()), via.builder(url).tls(tls)]
    }

    /// The certificate of the encrypted port with its key, in one PEM.
    fn identity(&self) -> String {
        let identity = self.authority.issue("127.0.0.1");
        identity.cert + &identity.key
    }
}

/// Real servers, all of them alike.
fn servers<const N: usize>() -> [Server; N] {
    [(); N].map(|()| Server::start(json!({})))
}

/// A client that is connected and has come to its last transport.
#[track_caller]
fn settle(builder: Builder, via: Via) -> Client {
    let client = Client::connect(builder);
    if via == Via::Upgrade {
        client.upgraded();
    }
    client
}

/// A session in which much goes either way, and nothing is lost.
#[track_caller]
fn exercise(client: &Client, via: Via) {
    client.works();
    let large = vec![7_u8; 300_000];
    let back: (Binary, String) =
        client.ask("echo", (Binary::from(large.clone()), "ü".repeat(100_000)));
    assert_eq!((&back.0[..], back.1.len()), (&large[..], 200_000));
    let floods = client.subscribe("flood");
    client.emit("flood", (500, 1_000)).unwrap();
    for i in 0..500 {
        let (number, text): (u32, String) = recv_within(floods.receiver(), LIMIT).args().unwrap();
        assert_eq!((number, text.len()), (i, 1_000));
    }
    assert_eq!(client.ask::<String>("transport", ()), name(via.transport()));
    assert_undisturbed(client);
}

fn name(transport: Transport) -> &'static str {
    if transport == Transport::Polling { "polling" } else { "websocket" }
}

/// Nothing has happened to the connection meanwhile.
#[track_caller]
fn assert_undisturbed(client: &Client) {
    let statuses: Vec<Status> = client.status.receiver().try_iter().collect();
    assert!(statuses.is_empty(), "{statuses:?}");
}

/// Over both ports and each transport.
#[track_caller]
fn exercise_all(ports: &Ports) {
    for &via in Via::ALL {
        for builder in ports.builders(via) {
            exercise(&settle(builder, via), via);
        }
    }
}

/// With a server for each request in turn, sessions live only where a cookie leads back to theirs.
#[track_caller]
fn assert_sticky_by_cookie(ports: &Ports, servers: &[Server; 2]) {
    for via in [Via::Polling, Via::Upgrade] {
        let builders = [(); 2].into_iter().flat_map(|()| ports.builders(via));
        let clients: Vec<Client> =
            builders.map(|builder| settle(builder.with_credentials(true), via)).collect();
        for client in &clients {
            exercise(client, via);
        }
        assert!(servers.iter().all(|server| server.sessions() > 0), "one has all sessions");
        // Without it sessions die before the namespace is joined, again and again.
        let client = Client::start(via.builder(ports.url()));
        client.next_status();
        let error = client.wait_connected(Duration::from_millis(500)).unwrap_err();
        assert!(error.is_timeout(), "{error:?}");
        assert_tells(&error, &["400", "with_credentials"]);
        // Its attempts go on, and change whose turn it is.
        client.manager().close(LIMIT);
        assert_tells(&failure(via.builder(ports.url())), &["400"]);
    }
    // One request is all that a WebSocket takes.
    exercise(&Client::connect(Via::WebSocket.builder(ports.url())), Via::WebSocket);
}

/// Whether an error tells this, in its words or in its hint.
fn tells(error: &Error, part: &str) -> bool {
    format!("{error} {}", error.hint().unwrap_or_default()).contains(part)
}

#[track_caller]
fn assert_tells(error: &Error, parts: &[&str]) {
    for part in parts {
        assert!(tells(error, part), "no {part:?} in {error:?}");
    }
}

/// A server that goes is an error of the front's, which tells its status; and one that comes back is found.
#[track_caller]
fn assert_found_again(ports: &Ports, server: &Server, status: &str) {
    for &via in Via::ALL {
        let client = settle(via.builder(ports.url()), via);
        server.kill();
        client.disconnected();
        let start = Instant::now();
        loop {
            let error = client.connect_error();
            if tells(&error, status) {
                break;
            }
            // A front that is busy may yet ask by a connection that ends with the server.
            assert_tells(&error, &["502"]);
            assert!(start.elapsed() < LIMIT, "{error:?}");
        }
        server.restart();
        client.reconnected();
        client.works();
    }
}

/// A front that is less patient than the heartbeat ends the session again and again, and the error tells how.
#[track_caller]
fn assert_lost_again_and_again(ports: &Ports) {
    for &via in Via::ALL {
        let client = settle(via.builder(ports.url()), via);
        for _ in 0..2 {
            let (reason, error) = client.disconnected();
            let error = error.expect("an error that tells");
            if via == Via::Polling {
                assert_eq!(reason, DisconnectReason::TransportError, "{error:?}");
                assert_tells(&error, &["504"]);
            } else {
                assert_eq!(reason, DisconnectReason::TransportClose, "{error:?}");
                assert_tells(&error, &["proxy", "idle"]);
            }
            client.reconnected();
            if via == Via::Upgrade {
                client.upgraded();
            }
        }
    }
}

/// A connection of polling that the front has closed meanwhile is not the session's end.
#[track_caller]
fn assert_used_no_more(ports: &Ports) {
    for builder in ports.builders(Via::Polling) {
        let client = Client::connect(builder);
        let nothing = client.subscribe("nothing");
        for _ in 0..3 {
            client.works();
            // Ten times as long as a front keeps a connection that nobody uses in these tests.
            assert!(nothing.recv_timeout(10 * KEPT).is_err());
        }
        assert_undisturbed(&client);
    }
}
