//! What client and server agree on: versions, ciphers, and sessions to resume.

use std::time::Duration;

use serde_json::json;
use siot::TlsVersion;

use super::{assert_refused, builder, connect, for_all, start, trusting};
use crate::support::certs::CertAuthority;
use crate::support::{Client, LIMIT, Via};

#[test]
fn a_server_whose_tls_is_too_old_is_refused() {
    let authority = CertAuthority::new();
    let with_versions = |from: &str, to: &str| {
        let mut tls = authority.issue("127.0.0.1").server();
        (tls["minVersion"], tls["maxVersion"]) = (json!(from), json!(to));
        tls["ciphers"] = json!("ALL:@SECLEVEL=0");
        start(&tls)
    };
    let (older, old) = (with_versions("TLSv1", "TLSv1.1"), with_versions("TLSv1.2", "TLSv1.2"));
    for_all(trusting(&authority), |tls, via| {
        let context = format!("{tls:?} {via:?}");
        connect(&old, tls.clone(), via).unwrap();
        let newest = tls.clone().min_version(TlsVersion::Tls13);
        assert_refused(connect(&old, newest, via), "no TLS that is still safe", &context);
        let anyone = tls.clone().reject_unauthorized(false);
        for tls in [tls, anyone] {
            assert_refused(connect(&older, tls, via), "no TLS that is still safe", &context);
        }
    });
}

#[test]
fn only_the_given_ciphers_are_offered() {
    const ONE: &str = "ECDHE-ECDSA-AES256-GCM-SHA384";
    const OTHER: &str = "ECDHE-ECDSA-CHACHA20-POLY1305";
    let authority = CertAuthority::new();
    let mut tls = authority.issue("127.0.0.1").server();
    (tls["ciphers"], tls["maxVersion"]) = (json!(ONE), json!("TLSv1.2"));
    let server = start(&tls);
    let rustls = trusting(&authority).remove(0);
    for &via in Via::ALL {
        connect(&server, rustls.clone().ciphers([ONE]), via).unwrap();
        let result = connect(&server, rustls.clone().ciphers([OTHER]), via);
        assert_refused(result, "ended the TLS handshake", &format!("{via:?}"));
    }
}

#[test]
fn a_reconnection_resumes_the_session_of_tls() {
    let authority = CertAuthority::new();
    let server = start(&authority.issue("127.0.0.1").server());
    // What the platform's library has no means for here.
    let rustls = trusting(&authority).remove(0);
    for &via in Via::PLAIN {
        server.cmd("reset");
        let client = Client::connect(
            builder(&server, rustls.clone(), via)
                .reconnection(true)
                .reconnection_delay(Duration::from_millis(10)),
        );
        let first = &server.entries("requests")[0];
        assert_eq!(first["resumed"], false, "{via:?}");
        server.cmd("reset");
        client.cut_off(&server);
        client.reconnected();
        // That of long-polling's second connection may be used up: a ticket is good for one.
        let mut requests = server.entries("requests");
        requests.retain(|request| !request["url"].as_str().unwrap().contains("sid="));
        let resumed = requests.iter().any(|request| request["resumed"] == true);
        assert!(resumed, "{via:?}: {requests:?}");
        client.socket.manager().close(LIMIT);
    }
}
