//! What the end of an open session tells, and a wait for one in vain.

#[cfg(feature = "polling")]
use std::error::Error as StdError;
use std::io;

#[cfg(feature = "polling")]
use siot::{Error, ErrorKind};
use siot::{ManagerEvent, Stage};

use super::{
    End, MS, Spoken, answering, assert_tells_of_loss, close, ends_of_websockets, io_cause, loss,
    opened, speaking, text,
};
#[cfg(feature = "polling")]
use super::{assert_tells, http};
use crate::support::greeting::Greeting;
use crate::support::hostile::HostileOptions;
#[cfg(feature = "polling")]
use crate::support::raw::RawPeer;
use crate::support::{CaseName, Client, Via};
#[cfg(feature = "polling")]
use crate::support::{LIMIT, Server};

#[test]
fn a_lost_websocket_is_no_failed_attempt() {
    let cases: [Spoken; 2] = [
        (close(1001, b"bye\n"), End::Hold, &[r"close code 1001: bye\n", "restarted"]),
        (text("1"), End::Hold, &["closed the session"]),
    ];
    for (bytes, end, parts) in cases.into_iter().chain(ends_of_websockets()) {
        let _name = CaseName::new((String::from_utf8_lossy(&bytes), end));
        let peer = speaking([opened(), bytes].concat(), end);
        let error = loss(Via::WebSocket.builder(peer.url()));
        assert_tells_of_loss(&error, parts);
        if matches!(end, End::Reset) {
            assert_eq!(io_cause(&error), Some(io::ErrorKind::ConnectionReset), "{error:#}");
        }
    }
}

#[test]
fn a_lost_session_is_no_failed_attempt_over_any_transport() {
    for &via in Via::ALL {
        let _name = CaseName::new(via);
        let server = HostileOptions::v4().start();
        let (client, session) = via.visit(&server, |builder| builder);
        session.hang_up();
        assert_tells_of_loss(&client.disconnected().1.unwrap(), &[]);
        // Another one, since the client comes back to the first.
        let server = HostileOptions::v4().start();
        let (client, session) = via.visit(&server, |builder| builder);
        session.send("1");
        assert_tells_of_loss(&client.disconnected().1.unwrap(), &["closed the session"]);
        for options in [HostileOptions::v4(), HostileOptions::v3()] {
            let server = options.heartbeat(1100, 1200).start();
            let (client, session) = via.visit(&server, |builder| builder);
            session.stop_reading();
            let error = client.disconnected().1.unwrap();
            assert!(error.is_timeout(), "{error:#}");
            assert_tells_of_loss(&error, &["ping", "1100 ms", "1200 ms", "what came last", "ago"]);
        }
    }
}

#[cfg(feature = "polling")]
#[test]
fn a_request_that_fails_in_an_open_session_is_no_failed_attempt() {
    for (status, body, part) in [
        ("400 Bad Request", r#"{"code":1,"message":"Session ID unknown"}"#, "Session ID unknown"),
        ("502 Bad Gateway", "<h1>nginx", "502"),
        ("200 OK", "?", "?"),
    ] {
        let peer = RawPeer::start(move |mut connection| {
            loop {
                let request = connection.read_request()?;
                let is_first = request.parameter("sid").is_none();
                let greeting = Greeting::new("s").text();
                let answer = match (&*request.method, is_first) {
                    ("GET", true) => http("200 OK", "", &greeting),
                    ("POST", _) => http("200 OK", "", "ok"),
                    _ => http(status, "", body),
                };
                connection.write(&answer)?;
            }
        });
        let _name = CaseName::new(status);
        let error = loss(Via::Polling.builder(peer.url()));
        assert!(!matches!(error.kind(), ErrorKind::Connect(_)), "{error:#}");
        assert_eq!(error.stage(), None, "{error:#}");
        assert!(error.to_string().contains(part), "{error:#}");
        assert!(!format!("{error:#}").contains("cannot connect"), "{error:#}");
        assert!(error.address().is_some() && error.elapsed().is_some(), "{error:#}");
    }
}

#[cfg(feature = "polling")]
#[test]
fn an_upgrade_that_fails_has_its_stage_and_is_no_failed_attempt() {
    let server = Server::start(serde_json::json!({}));
    server.command(serde_json::json!({ "cmd": "answer", "match": "upgrade", "status": 403 }));
    let client = Client::start(Via::Upgrade.builder(server.url()));
    let failed = client
        .wait_for("the failed upgrade", |event| matches!(event, ManagerEvent::UpgradeError(_)));
    let ManagerEvent::UpgradeError(error) = failed else { unreachable!() };
    assert_eq!(
        (error.kind(), error.stage()),
        (ErrorKind::Transport, Some(Stage::Http)),
        "{error:#}"
    );
    assert_tells(&error, &[]);
    client.wait_connected(LIMIT).unwrap();
}

/// A balancer sends the requests of one session to several servers.
#[cfg(feature = "polling")]
#[test]
fn sessions_that_die_before_the_join_are_the_cause_of_a_wait_in_vain() {
    let peer = RawPeer::start(|mut connection| {
        loop {
            let request = connection.read_request()?;
            if request.parameter("sid").is_none() {
                connection.write(&http("200 OK", "", &Greeting::new("s").text()))?;
            } else {
                let unknown = r#"{"code":1,"message":"Session ID unknown"}"#;
                connection.write(&http("400 Bad Request", "", unknown))?;
            }
        }
    });
    for &via in &[Via::Polling, Via::Upgrade] {
        let client = Client::start(via.builder(peer.url()));
        for _ in 0..2 {
            let (_, error) = client.disconnected();
            assert!(error.unwrap().message().contains("Session ID unknown"));
        }
        let error = client.wait_connected(10 * MS).unwrap_err();
        assert_eq!((error.kind(), error.is_timeout()), (ErrorKind::Timeout, true), "{error:#}");
        let cause = error.source().and_then(|cause| cause.downcast_ref::<Error>()).unwrap();
        assert_tells_of_loss(cause, &["Session ID unknown"]);
        for part in ["sessions were lost", "Session ID unknown", "with_credentials", "WebSocket"] {
            assert!(error.to_string().contains(part), "{part} in {error:#}");
        }
    }
    // Where nothing tries again, the loss is the cause too.
    let client = Client::start(Via::Polling.builder(peer.url()).reconnection(false));
    client.disconnected();
    let error = client.wait_connected(LIMIT).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Disconnected, "{error:#}");
    assert!(error.source().is_some() && error.hint().is_some(), "{error:#}");
}

#[test]
fn a_wait_that_is_too_short_tells_how_far_it_has_come() {
    let silent = answering(Vec::new(), End::Hold);
    for &via in Via::PLAIN {
        let client = Client::start(via.builder(silent.url()));
        client.wait_for("the stage", |event| matches!(event, ManagerEvent::Stage(Stage::Http)));
        let error = client.wait_connected(MS).unwrap_err();
        assert!(error.message().contains("stage HTTP"), "{error:#}");
        assert!(error.hint().is_some(), "{error:#}");
    }
    let quiet = speaking(text(&Greeting::new("s").text()), End::Hold);
    let client = Client::start(Via::WebSocket.builder(quiet.url()));
    client.wait_for("the session", |event| matches!(event, ManagerEvent::Open));
    let error = client.wait_connected(MS).unwrap_err();
    assert!(error.message().contains("CONNECT is not answered"), "{error:#}");
}
