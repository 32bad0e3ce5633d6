//! What identifies a client: keys in all their forms, and that nobody hears of them.

use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use siot::{ErrorKind, Tls};

use super::{builder, connect, start, trusting};
use crate::support::certs::CertAuthority;
use crate::support::logged::{capture_log, logged};
use crate::support::{LIMIT, Via, alone};

/// Private keys in all their forms.
fn keys(passphrase: &str) -> Value {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servers/keys.js");
    let output = Command::new("node").args([script, passphrase]).output().expect("node");
    serde_json::from_slice(&output.stdout).expect("keys in JSON")
}

#[test]
fn private_keys_of_all_forms_are_taken() {
    let authority = CertAuthority::new();
    let server = start(&authority.issue("127.0.0.1").mutual(&authority.pem()));
    let keys = keys("open sesame");
    for kind in ["rsa", "ec"] {
        let text = |form: &str| keys[kind][form].as_str().unwrap().to_owned();
        let identity = authority.issue_for_key("device", &text("pkcs8"));
        for tls in trusting(&authority) {
            let cert = |key: &str| tls.clone().client_cert_pem(identity.cert.clone(), key);
            let der = |form: &str| {
                let der = STANDARD.decode(text(form)).unwrap();
                tls.clone().client_cert_pem(identity.cert.clone(), der)
            };
            let (pkcs8, own) = (cert(&text("pkcs8")), cert(&text("own")));
            for tls in [pkcs8, own, der("pkcs8Der"), der("ownDer")] {
                connect(&server, tls, Via::WebSocket).unwrap();
            }
            let encrypted = cert(&text("encrypted"));
            let error = |tls: Tls| builder(&server, tls, Via::WebSocket).build().unwrap_err();
            if cfg!(feature = "encrypted-keys") {
                let right = encrypted.clone().passphrase("open sesame");
                for &via in Via::ALL {
                    connect(&server, right.clone(), via).unwrap();
                }
                for tls in [encrypted.clone(), encrypted.passphrase("closed")] {
                    let error = error(tls);
                    assert_eq!(error.kind(), ErrorKind::InvalidOption, "{error}");
                    assert!(error.hint().unwrap().contains("passphrase"), "{error}");
                }
            } else {
                assert_eq!(error(encrypted).kind(), ErrorKind::Unsupported);
            }
            let old = error(cert(&text("oldEncryption")).passphrase("open sesame"));
            assert_eq!(old.kind(), ErrorKind::Unsupported, "{old}");
        }
    }
}

#[cfg(feature = "native-tls")]
#[test]
fn pkcs12_is_taken_with_its_passphrase() {
    use siot::TlsBackend;
    const PFX: &[u8] = include_bytes!("../../fixtures/client.p12");
    let authority = CertAuthority::new();
    let clients = include_str!("../../fixtures/client-ca.pem");
    let server = start(&authority.issue("127.0.0.1").mutual(clients));
    let tls = Tls::new().backend(TlsBackend::Native).ca_pem(authority.pem()).pfx(PFX);
    for &via in Via::ALL {
        connect(&server, tls.clone().passphrase("letmein"), via).unwrap();
    }
    let wrong = tls.clone().passphrase("let me in");
    let error = builder(&server, wrong, Via::WebSocket).build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidOption);
    assert!(error.hint().unwrap().contains("passphrase"), "{error}");
    let rustls = tls.passphrase("letmein").backend(TlsBackend::Rustls);
    let error = builder(&server, rustls, Via::WebSocket).build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(error.hint().unwrap().contains("openssl pkcs12"), "{error}");
}

#[test]
fn keys_and_passphrases_are_in_no_log_no_error_and_no_debug() {
    alone(|| {
        capture_log(log::LevelFilter::Debug);
        let authority = CertAuthority::new();
        let server = start(&authority.issue("127.0.0.1").mutual(&authority.pem()));
        let keys = keys("s3cr3t sesame");
        let text = |form: &str| keys["ec"][form].as_str().unwrap().to_owned();
        let identity = authority.issue_for_key("device", &text("pkcs8"));
        let mut said = Vec::new();
        for tls in trusting(&authority) {
            for (key, passphrase) in [
                (text("pkcs8"), "s3cr3t for nothing"),
                (text("encrypted"), "s3cr3t sesame"),
                (text("encrypted"), "s3cr3t but wrong"),
                (text("oldEncryption"), "s3cr3t sesame"),
                (text("pkcs8").replace("BEGIN", "BEGIM"), "s3cr3t sesame"),
            ] {
                let tls = tls.clone().passphrase(passphrase);
                let tls = tls.client_cert_pem(identity.cert.clone(), key);
                let builder = builder(&server, tls.clone(), Via::WebSocket);
                said.push(format!("{tls:?} {builder:?}"));
                match builder.build() {
                    Ok(socket) => {
                        socket.wait_connected(LIMIT).unwrap();
                        said.push(format!("{socket:?} {:?}", socket.manager()));
                    }
                    Err(error) => said.push(format!("{error} {error:?}")),
                }
            }
            said.push(format!("{:?}", tls.pfx(*b"s3cr3t bytes").passphrase("s3cr3t")));
        }
        assert!(logged().iter().any(|line| line.contains("siot")), "nothing was logged");
        said.extend(logged());
        let said = said.concat();
        let secrets = ["pkcs8", "encrypted", "oldEncryption"].map(text);
        let lines = secrets.iter().flat_map(|pem| pem.lines().filter(|line| line.len() > 30));
        for secret in lines.chain(["s3cr3t", "115, 51, 99, 114"]) {
            assert!(!said.contains(secret), "{secret} is in {said}");
        }
    });
}
