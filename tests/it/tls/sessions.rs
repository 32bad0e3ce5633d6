//! What client and server agree on: versions, ciphers, and sessions to resume.

use std::time::Duration;

use serde_json::json;
use siot::TlsVersion;

use super::{WAYS, assert_refused, builder, connect, for_all, start, trusting};
use crate::support::certs::Authority;
use crate::support::{Client, LIMIT};

#[test]
fn a_server_whose_tls_is_too_old_is_refused() {
    let authority = Authority::new();
    let with_versions = |from: &str, to: &str| {
        let mut tls = authority.issue("127.0.0.1").server();
        (tls["minVersion"], tls["maxVersion"]) = (json!(from), json!(to));
        tls["ciphers"] = json!("ALL:@SECLEVEL=0");
        start(&tls)
    };
    let (older, old) = (with_versions("TLSv1", "TLSv1.1"), with_versions("TLSv1.2", "TLSv1.2"));
    for_all(trusting(&authority), |tls, way| {
        let context = format!("{tls:?} {way:?}");
        connect(&old, tls.clone(), way).unwrap();
        let newest = tls.clone().min_version(TlsVersion::Tls13);
        assert_refused(connect(&old, newest, way), "no TLS that is still safe", &context);
        let anyone = tls.clone().reject_unauthorized(false);
        for tls in [tls, anyone] {
            assert_refused(connect(&older, tls, way), "no TLS that is still safe", &context);
        }
    });
}

#[test]
fn only_the_given_ciphers_are_offered() {
    const ONE: &str = "ECDHE-ECDSA-AES256-GCM-SHA384";
    const OTHER: &str = "ECDHE-ECDSA-CHACHA20-POLY1305";
    let authority = Authority::new();
    let mut tls = authority.issue("127.0.0.1").server();
    (tls["ciphers"], tls["maxVersion"]) = (json!(ONE), json!("TLSv1.2"));
    let server = start(&tls);
    let rustls = trusting(&authority).remove(0);
    for way in WAYS {
        connect(&server, rustls.clone().ciphers([ONE]), *way).unwrap();
        let result = connect(&server, rustls.clone().ciphers([OTHER]), *way);
        assert_refused(result, "ended the TLS handshake", &format!("{way:?}"));
    }
}

#[test]
fn a_reconnection_resumes_the_session_of_tls() {
    let authority = Authority::new();
    let server = start(&authority.issue("127.0.0.1").server());
    // What the platform's library has no means for here.
    let rustls = trusting(&authority).remove(0);
    for way in [&WAYS[0], &WAYS[WAYS.len() / 2]] {
        server.cmd("reset");
        let client = Client::connect(
            builder(&server, rustls.clone(), *way)
                .reconnection(true)
                .reconnection_delay(Duration::from_millis(10)),
        );
        let first = &server.entries("requests")[0];
        assert_eq!(first["resumed"], false, "{way:?}");
        server.cmd("reset");
        client.cut_off(&server);
        client.reconnected();
        // That of long-polling's second connection may be used up: a ticket is good for one.
        let mut requests = server.entries("requests");
        requests.retain(|request| !request["url"].as_str().unwrap().contains("sid="));
        let resumed = requests.iter().any(|request| request["resumed"] == true);
        assert!(resumed, "{way:?}: {requests:?}");
        client.socket.manager().close(LIMIT);
    }
}
