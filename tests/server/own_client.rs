//! siot's own client, in both revisions and with each parser.

use std::time::Duration;

use serde_json::json;
use siot::server::Refusal;
use siot::{ArgList, Binary, DisconnectReason, Revision, Transport, Value};

use crate::host::Host;
use crate::support::server::PARSERS;
use crate::support::{CaseName, Client, LIMIT, Via, ask, over_each_transport, recv_within};

over_each_transport!(
    events_and_answers_pass_both_ways,
    several_namespaces_share_a_session,
    a_refusal_has_message_and_data,
    each_side_ends_with_its_reason,
    a_closed_server_is_left,
);

const REVISIONS: [Revision; 2] = [Revision::V4, Revision::V3];

#[track_caller]
fn connect(host: &Host, via: Via, revision: Revision) -> Client {
    let client = Client::connect(via.builder(&host.url).revision(revision).force_new(false));
    if via == Via::Upgrade {
        client.upgraded();
    }
    let engine = client.manager().engine().expect("a session");
    assert_eq!(engine.protocol == 3, revision == Revision::V3);
    assert_eq!(engine.transport == Transport::Polling, via == Via::Polling);
    client
}

fn events_and_answers_pass_both_ways(via: Via) {
    for (revision, (parser, _)) in
        REVISIONS.iter().flat_map(|one| PARSERS.iter().map(move |two| (*one, *two)))
    {
        let _name = CaseName::new((revision, parser));
        // All that comes back may have to wait for a client that is slow.
        let host = Host::start(|builder| builder.parser(parser).send_bytes(8 * 1024 * 1024));
        let builder = via.builder(&host.url).revision(revision).parser(parser);
        let client = Client::connect(builder);
        client.on("ask", |event| event.ack(event.args::<ArgList>().unwrap()).unwrap()).unwrap();
        let [events, conclusions] = ["event", "conclusion"].map(|name| client.subscribe(name));
        let bytes: Binary = (0..=255).cycle().take(100_000).collect();
        // Plain JSON has no place for binary.
        let last = if parser == siot::ParserKind::PlainJson {
            Value::from("none")
        } else {
            Value::from(bytes)
        };
        let args = ArgList(vec![Value::from("é\u{1e}\n😀"), Value::from(1.5), last]);
        assert_eq!(ask::<ArgList>(&client, "echo", &args), args);
        for _ in 0..20 {
            client.emit("back", &args).unwrap();
        }
        client.emit("question", &args).unwrap();
        for _ in 0..20 {
            let event = recv_within(events.receiver(), LIMIT);
            assert_eq!(event.args::<ArgList>().unwrap(), args);
        }
        let conclusion = recv_within(conclusions.receiver(), LIMIT);
        assert_eq!(conclusion.args::<ArgList>().unwrap(), args);
    }
}

fn several_namespaces_share_a_session(via: Via) {
    for revision in REVISIONS {
        let _name = CaseName::new(revision);
        let host = Host::start(|builder| builder);
        host.of("/other");
        let client = connect(&host, via, revision);
        let root = host.connected();
        let other = client.connect_in("/other");
        let socket = host.connected();
        assert_eq!(other.id().as_deref(), Some(socket.id()));
        assert_eq!((root.handshake().url(), host.server.clients()), (socket.handshake().url(), 1));
        assert_eq!(ask::<(u8,)>(&other, "echo", 1), (1,));
        other.disconnect();
        assert_eq!(host.disconnected(&socket), DisconnectReason::ClientNamespaceDisconnect);
        assert_eq!(ask::<(u8,)>(&client, "echo", 2), (2,));
    }
}

fn a_refusal_has_message_and_data(via: Via) {
    for revision in REVISIONS {
        let _name = CaseName::new(revision);
        let host = Host::start(|builder| builder);
        host.of("/closed")
            .authorize(|_| Err(Refusal::new("not authorized").data(&json!({ "retry": 60 }))?));
        let client = connect(&host, via, revision);
        let error = client.start_in("/closed").refused();
        assert_eq!(error.data(), Some(r#"{"retry":60}"#));
        if revision == Revision::V4 {
            assert_eq!(error.message(), "not authorized");
        }
        assert_eq!(client.start_in("/nowhere").refused().message(), "Invalid namespace");
        assert_eq!(ask::<(u8,)>(&client, "echo", 1), (1,));
    }
}

fn each_side_ends_with_its_reason(via: Via) {
    for revision in REVISIONS {
        let _name = CaseName::new(revision);
        let host = Host::start(|builder| builder);
        let client = connect(&host, via, revision);
        let socket = host.connected();
        client.disconnect();
        assert_eq!(host.disconnected(&socket), DisconnectReason::ClientNamespaceDisconnect);

        let client = connect(&host, via, revision);
        let socket = host.connected();
        client.manager().disconnect();
        let reason = host.disconnected(&socket);
        let orderly =
            [DisconnectReason::ClientNamespaceDisconnect, DisconnectReason::TransportClose];
        assert!(orderly.contains(&reason), "{reason}");

        let client = connect(&host, via, revision);
        let socket = host.connected();
        socket.disconnect_client();
        assert_eq!(client.disconnected().0, DisconnectReason::IoServerDisconnect);
        assert_eq!(host.disconnected(&socket), DisconnectReason::ServerNamespaceDisconnect);
    }
}

fn a_closed_server_is_left(via: Via) {
    for revision in REVISIONS {
        let _name = CaseName::new(revision);
        let host = Host::start(|builder| builder);
        let client = connect(&host, via, revision);
        let events = client.subscribe("event");
        let socket = host.connected();
        socket.emit("event", "the last").unwrap();
        assert!(host.server.close(LIMIT), "the client has all");
        assert_eq!(recv_within(events.receiver(), LIMIT).arg::<String>(0).unwrap(), "the last");
        assert_eq!(client.disconnected().0, DisconnectReason::TransportClose);
        assert_eq!(host.disconnected(&socket), DisconnectReason::ServerShuttingDown);
        assert!(host.server.close(Duration::ZERO), "again");
    }
}

/// The one that a device shows, beside one that shows none.
#[cfg(feature = "rustls")]
#[test]
fn the_certificate_of_a_client_is_told_to_the_program() {
    use siot::{ServerTls, Tls};

    let authority = crate::support::certs::CertAuthority::new();
    let [own, device] = ["127.0.0.1", "device"].map(|name| authority.issue(name));
    let tls =
        ServerTls::pem(own.cert, own.key).client_ca_pem(authority.pem()).client_cert_optional(true);
    let host = Host::start(|builder| builder.tls(tls));
    let url = host.url.replace("http:", "https:");
    let none = Tls::new().ca_pem(authority.pem());
    let shown = none.clone().client_cert_pem(device.cert, device.key);
    for (via, tls, expected) in [
        (Via::WebSocket, none.clone(), vec![]),
        (Via::WebSocket, shown.clone(), vec![device.cert_der.clone()]),
        (Via::Polling, shown, vec![device.cert_der]),
    ] {
        let client = Client::connect(via.builder(&url).tls(tls));
        let socket = host.connected();
        let handshake = socket.handshake();
        assert!(handshake.is_secure());
        assert_eq!(handshake.client_certificates(), expected);
        drop(client);
        host.disconnected(&socket);
    }
}
