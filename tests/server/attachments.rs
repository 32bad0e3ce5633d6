//! How many attachments a packet may have.

use log::LevelFilter;
use siot::{Binary, ErrorKind, Limits};

use crate::host::Host;
use crate::support::logged::{capture_log, wait_for_line};
use crate::support::{Client, Via, alone, ask};

fn parts(count: usize) -> Vec<Binary> {
    vec![Binary::from([1]); count]
}

fn lavish(host: &Host) -> Client {
    lavish_by(Via::WebSocket, host)
}

fn lavish_by(via: Via, host: &Host) -> Client {
    let limits = Limits::new().max_attachments(100);
    Client::connect(via.builder(&host.url).limits(limits))
}

#[test]
fn as_many_attachments_pass_as_the_server_takes() {
    let host = Host::start(|builder| builder.max_attachments(20));
    let client = lavish(&host);
    let back: (Vec<Binary>,) = ask(&client, "echo", (parts(20),));
    assert_eq!(back.0.len(), 20);
}

#[test]
fn more_attachments_than_clients_take_are_refused_before_they_are_sent() {
    let host = Host::start(|builder| builder);
    let client = lavish(&host);
    let socket = host.connected();
    let refused = [
        socket.emit("x", (parts(11),)),
        socket.emit_with_ack("x", (parts(11),)).map(drop),
        host.server.emit("x", (parts(11),)).map(drop),
        host.server.all().emit_with_ack("x", (parts(11),)).map(drop),
    ];
    for refused in refused {
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::TooLarge);
    }
    socket.emit("x", (parts(10),)).unwrap();
    let back: (u8,) = ask(&client, "echo", 1);
    assert_eq!(back, (1,));
}

/// By long-polling its requests tell it, of which that for the next packets may come too late: see
/// `a_client_hears_by_each_request_that_is_under_way_what_it_has_done_wrong`.
#[test]
fn a_client_that_sends_more_attachments_than_it_may_is_told() {
    let host = Host::start(|builder| builder);
    for via in [Via::WebSocket, Via::Upgrade] {
        let client = lavish_by(via, &host);
        if via == Via::Upgrade {
            client.upgraded();
        }
        client.emit("x", (parts(11),)).unwrap();
        let (_, error) = client.disconnected();
        let told = format!("{:#}", error.expect("what the server said"));
        assert!(told.contains("more attachments than the limit of 10"), "{told}");
    }
}

#[test]
fn the_log_says_which_option_lets_more_attachments_in() {
    alone(|| {
        capture_log(LevelFilter::Debug);
        let host = Host::start(|builder| builder);
        let client = lavish(&host);
        client.emit("x", (parts(11),)).unwrap();
        client.disconnected();
        let line = wait_for_line("the end", |line| line.text.contains("a session ended"));
        assert!(line.text.contains("limit of 10"), "{}", line.text);
        assert!(line.text.contains("`max_attachments` raises it"), "{}", line.text);
    });
}
