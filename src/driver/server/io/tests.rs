//! How many connections there may be, and for how long.

use super::*;
use crate::driver::server::door::Door;
use crate::driver::server::http_connection::IDLE_TIME;
use crate::driver::server::hub_options::HubOptions;
use crate::driver::server::testing::{TestClient, door, options, server, server_with};

const PAST: Timestamp = Timestamp(Duration::ZERO);

const ASKS: &[u8] = b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: h\r\n\r\n";

fn connect(io: &mut Io, last: u8) -> TestClient {
    TestClient::connect(io, Some(SocketAddr::from(([10, 0, 0, last], 5000))))
}

/// The connection that speaks HTTP of this client, if it is there.
fn connection<'a>(io: &'a mut Io, client: &TestClient) -> Option<&'a mut HttpConnection<Peer>> {
    match io.slots.get_mut(&client.token) {
        Some(Slot::Http(connection)) => Some(connection),
        _ => None,
    }
}

#[test]
fn as_many_connections_are_taken_as_there_may_be_and_not_one_more() {
    let mut io = server(HubOptions { max_connections: 3, ..options() });
    let clients: Vec<_> = (0..4).map(|_| TestClient::connect(&mut io, None)).collect();
    let are_there = clients.iter().map(|client| connection(&mut io, client).is_some());
    assert_eq!(are_there.collect::<Vec<_>>(), [true, true, true, false]);
    io.lose(clients[1].token);
    let next = TestClient::connect(&mut io, None);
    assert!(connection(&mut io, &next).is_some(), "one has gone");
    let last = TestClient::connect(&mut io, None);
    assert!(connection(&mut io, &last).is_none());
}

#[test]
fn as_many_connections_of_an_address_are_taken_as_there_may_be_and_not_one_more() {
    let mut io = server(HubOptions { max_connections_per_address: 2, ..options() });
    let from = [1, 1, 2, 1, 2, 2];
    let clients: Vec<_> = from.iter().map(|last| connect(&mut io, *last)).collect();
    let are_there = clients.iter().map(|client| connection(&mut io, client).is_some());
    assert_eq!(are_there.collect::<Vec<_>>(), [true, true, true, false, true, false]);
    io.lose(clients[0].token);
    let next = connect(&mut io, 1);
    assert!(connection(&mut io, &next).is_some(), "one has gone");
    let last = connect(&mut io, 1);
    assert!(connection(&mut io, &last).is_none());
    for client in clients.iter().chain([&next]) {
        io.lose(client.token);
    }
    assert!(io.by_address.is_empty() && io.connections == 0);
}

#[test]
fn a_connection_that_asks_nothing_ends_when_its_time_is_up() {
    let mut io = server(options());
    let client = TestClient::connect(&mut io, None);
    io.look_after_connection(client.token);
    let left = connection(&mut io, &client).unwrap().deadline.unwrap().since(now());
    assert!(left > REQUEST_TIME / 2 && left <= REQUEST_TIME, "{left:?}: it was moved meanwhile");
    connection(&mut io, &client).unwrap().deadline = Some(PAST);
    io.look_after_connection(client.token);
    assert!(connection(&mut io, &client).is_none());
}

#[test]
fn a_connection_does_not_end_while_the_program_is_asked() {
    let allow_request = Some(Arc::new(|_: &_| true) as Arc<_>);
    let mut io = server_with(options(), Door { allow_request, ..door() }, None);
    let mut client = TestClient::connect(&mut io, None);
    client.say(&mut io, ASKS);
    connection(&mut io, &client).unwrap().deadline = Some(PAST);
    io.look_after_connection(client.token);
    let left = connection(&mut io, &client).unwrap().deadline.unwrap().since(now());
    assert!(left > IDLE_TIME / 2 && left <= IDLE_TIME, "{left:?}");
}

#[test]
fn a_connection_ends_when_its_answer_is_not_read() {
    let mut io = server(options());
    let mut client = TestClient::connect(&mut io, None);
    let unread = connection(&mut io, &client).unwrap();
    let large = crate::net::server::response::HttpResponse::new(http::StatusCode::OK)
        .with_plain_body(vec![b'x'; 8 << 20].into());
    let framing = Framing { head_only: false, keep_alive: true, is_http_1_1: true, coding: None };
    unread.respond(&large, framing).unwrap();
    assert!(unread.is_writing());
    // What the system has taken counts.
    unread.deadline = Some(PAST);
    io.look_after_connection(client.token);
    assert!(connection(&mut io, &client).is_some());
    connection(&mut io, &client).unwrap().deadline = Some(PAST);
    io.look_after_connection(client.token);
    assert!(connection(&mut io, &client).is_none());
    assert!(client.heard().len() < 8 << 20);
}

/// Has the server do what is due for a client, once there is something.
fn look_after_client(io: &mut Io) {
    loop {
        if let Some((at, due)) = io.hub.timers.take(now()) {
            let is_for_client = matches!(due, Due::Peer(_));
            io.look_after(at, due);
            if is_for_client {
                return;
            }
        }
        std::thread::yield_now();
    }
}

#[test]
fn a_client_that_joins_nothing_is_closed_in_time_and_not_before() {
    let (soon, late) = (Duration::from_millis(1), Duration::from_secs(3600));
    for (connect_timeout, ping_interval, is_open) in [(soon, late, false), (late, soon, true)] {
        let mut options = HubOptions { connect_timeout, ..options() };
        Arc::get_mut(&mut options.session).unwrap().ping_interval = ping_interval;
        let mut io = server(options);
        let (_client, peer) = TestClient::websocket(&mut io);
        look_after_client(&mut io);
        assert_eq!(peer.lock().session.is_open(), is_open, "{connect_timeout:?}");
    }
}
