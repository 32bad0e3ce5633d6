//! Both libraries against a server by rustls, with certificates made on the spot.

mod options;
pub(super) mod x509;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread::JoinHandle;

use ::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use ::rustls::server::WebPkiClientVerifier;
use ::rustls::{HandshakeKind, RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use bytes::Bytes;

use crate::error::{ErrorKind, Result, Stage};
#[cfg(feature = "polling")]
use crate::net::Http;
use crate::net::testing::{
    LIMIT, accept, assert_cancelled, attempt, cancel_ends, net_with, request_to, silent, spawn,
};
use crate::net::websocket::Received;
use crate::net::{Net, NetOptions, Request, Waker, WebSocket};
use crate::options::{Tls, TlsBackend};
use crate::proto::dialect::Frame;

use x509::{CertAuthority, Identity, for_host};

type TlsStream = StreamOwned<ServerConnection, std::net::TcpStream>;

impl CertAuthority {
    /// Options that trust this authority only, one for each library that is built in.
    fn trusted(&self) -> Vec<Tls> {
        backends().into_iter().map(|tls| tls.built_in_roots(false).ca_pem(self.pem())).collect()
    }
}

impl Identity {
    fn chain(&self) -> Vec<CertificateDer<'static>> {
        vec![self.cert_der.clone().into()]
    }

    fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::try_from(self.key_der.clone()).unwrap()
    }
}

fn backends() -> Vec<Tls> {
    let mut all = vec![Tls::new().backend(TlsBackend::Rustls)];
    if cfg!(feature = "native-tls") {
        all.push(Tls::new().backend(TlsBackend::Native));
    }
    all
}

fn config(identity: &Identity, clients: Option<&CertAuthority>) -> Arc<ServerConfig> {
    let provider = Arc::new(::rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(authority.der().into()).unwrap();
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.unwrap())
        }
    };
    Arc::new(builder.with_single_cert(identity.chain(), identity.private_key()).unwrap())
}

/// A TLS server in a thread, and a request to it.
fn serve<T: Send + 'static>(
    config: Arc<ServerConfig>,
    server: impl FnOnce(&TcpListener, &dyn Fn() -> TlsStream) -> T + Send + 'static,
) -> (Request, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let request = request_to(&listener, true);
    let thread = std::thread::spawn(move || {
        let accept = || {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            StreamOwned::new(connection, accept(&listener))
        };
        server(&listener, &accept)
    });
    (request, thread)
}

/// A server that echoes over one WebSocket and returns how the handshake went.
fn echo(accept: &dyn Fn() -> TlsStream) -> Option<HandshakeKind> {
    let mut websocket = tungstenite::accept(accept()).ok()?;
    while let Ok(message) = websocket.read() {
        let _ = websocket.send(message);
    }
    websocket.get_ref().conn.handshake_kind()
}

/// Sends a message and waits for it to come back.
fn round_trip(mut websocket: WebSocket, waker: &Waker, bytes: Vec<u8>) {
    let sent = Frame::Binary(Bytes::from(bytes));
    websocket.write(sent.clone()).unwrap();
    loop {
        websocket.flush().unwrap();
        match websocket.read().unwrap() {
            Received::Nothing => {
                websocket.interest(true, true).wait(waker, None).unwrap();
            }
            received => {
                assert!(received == Received::Frame(sent));
                break;
            }
        }
    }
    websocket.close();
}

/// What a client with `tls` makes of a server with this certificate.
fn outcome(tls: Tls, identity: &Identity) -> Result<()> {
    let (request, server) = serve(config(identity, None), |_, accept| echo(accept));
    let attempt = attempt();
    let result = net_with(tls)
        .websocket(&request, &attempt)
        .map(|socket| round_trip(socket, attempt.waker(), vec![1]));
    server.join().unwrap();
    result
}

#[test]
fn messages_of_any_size_go_there_and_back() {
    let authority = CertAuthority::new();
    let identity = authority.issue("127.0.0.1");
    for tls in authority.trusted() {
        for size in [0, 1, 16_384, 1 << 20] {
            let (request, server) = serve(config(&identity, None), |_, accept| echo(accept));
            let attempt = attempt();
            let websocket = net_with(tls.clone()).websocket(&request, &attempt).unwrap();
            assert_eq!(attempt.so_far().stage, Stage::Engine);
            let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(size).collect();
            let done = spawn(move || round_trip(websocket, attempt.waker(), bytes));
            done.recv_timeout(LIMIT).unwrap();
            server.join().unwrap();
        }
    }
}

#[test]
fn a_certificate_that_is_not_right_is_refused_with_the_reason() {
    let authority = CertAuthority::new();
    for (leaf, reason) in [
        (for_host("127.0.0.1").valid(2019, 2020), "has expired"),
        (for_host("127.0.0.1").valid(2100, 2101), "is not valid yet"),
        (for_host("other.example"), "is for another host"),
        (for_host("127.0.0.1").for_clients_only(), "is not made for servers"),
    ] {
        let identity = authority.certify(&leaf);
        for tls in authority.trusted() {
            let error = outcome(tls.clone(), &identity).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Connect(Stage::Tls), "{tls:?}: {error}");
            assert!(error.message().contains(reason), "{tls:?}: {error}");
            assert!(error.message().contains("`127.0.0.1`"), "{tls:?}: {error}");
            assert!(error.hint().is_some());
            outcome(tls.reject_unauthorized(false), &identity).unwrap();
        }
    }
}

#[test]
fn an_authority_that_is_not_given_is_not_trusted() {
    let (known, unknown) = (CertAuthority::new(), CertAuthority::new());
    let identity = unknown.issue("127.0.0.1");
    let defaults = backends().into_iter();
    for tls in known.trusted().into_iter().chain(defaults) {
        let error = outcome(tls.clone(), &identity).unwrap_err();
        assert!(error.message().contains("not trusted"), "{tls:?}: {error}");
        outcome(tls.ca_der(unknown.der()), &identity).unwrap();
    }
}

#[test]
fn a_self_signed_certificate_is_refused_until_it_is_given() {
    let identity = for_host("127.0.0.1").self_signed();
    for tls in backends() {
        let error = outcome(tls.clone(), &identity).unwrap_err();
        assert!(error.message().contains("not trusted"), "{tls:?}: {error}");
        outcome(tls.ca_pem(identity.cert.clone()), &identity).unwrap();
    }
}

#[test]
fn another_name_can_be_expected() {
    let authority = CertAuthority::new();
    let identity = authority.issue("device.example");
    for tls in authority.trusted() {
        outcome(tls.clone().server_name("device.example"), &identity).unwrap();
        outcome(tls.server_name("other.example"), &identity).unwrap_err();
    }
}

#[test]
fn certificates_come_from_files_too() {
    let authority = CertAuthority::new();
    let identity = authority.issue("127.0.0.1");
    let directory = std::env::temp_dir().join(format!("siot-tls-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    for (name, bytes) in [("ca.pem", authority.pem().into_bytes()), ("ca.der", authority.der())] {
        let path = directory.join(name);
        std::fs::write(&path, bytes).unwrap();
        for tls in backends() {
            outcome(tls.built_in_roots(false).ca_file(&path), &identity).unwrap();
        }
    }
    std::fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn a_client_shows_its_certificate_to_a_server_that_asks() {
    let authority = CertAuthority::new();
    let identity = authority.issue("127.0.0.1");
    let client = authority.issue("device");
    for tls in authority.trusted() {
        let with = tls.clone().client_cert_pem(client.cert.clone(), client.key.clone());
        for (tls, right) in [(with, true), (tls, false)] {
            let config = config(&identity, Some(&authority));
            let (request, server) = serve(config, |_, accept| echo(accept));
            let attempt = attempt();
            match net_with(tls).websocket(&request, &attempt) {
                Ok(websocket) => {
                    assert!(right);
                    round_trip(websocket, attempt.waker(), vec![1]);
                }
                Err(error) => {
                    assert!(!right, "{error}");
                    assert_eq!(error.kind(), ErrorKind::Connect(Stage::Tls), "{error}");
                    assert!(error.message().contains("asks for a client certificate"), "{error}");
                }
            }
            server.join().unwrap();
        }
    }
}

#[test]
fn what_cannot_be_used_is_an_error_before_connecting() {
    let authority = CertAuthority::new();
    let (one, other) = (authority.issue("a"), authority.issue("b"));
    let encrypted =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAA==\n-----END ENCRYPTED PRIVATE KEY-----";
    for tls in backends() {
        for (tls, part) in [
            (tls.clone().ca_file("/nowhere/ca.pem"), "/nowhere/ca.pem"),
            (tls.clone().ca_pem("no certificate"), "no certificate in PEM"),
            (tls.clone().ca_der(*b"no certificate"), "cannot be used"),
            (tls.clone().client_cert_files("/nowhere/a", "/nowhere/b"), "/nowhere/a"),
            (tls.clone().client_cert_pem(one.cert.clone(), "no key"), "key"),
            (tls.clone().client_cert_pem(one.cert.clone(), encrypted), "encrypted"),
            (tls.clone().client_cert_pem(one.cert.clone(), other.key.clone()), "not fit together"),
        ] {
            let options = NetOptions { tls, ..NetOptions::default() };
            let error = Net::new(options.clone()).unwrap_err();
            let readable = part != "encrypted" || cfg!(feature = "encrypted-keys");
            let kind = if readable { ErrorKind::InvalidOption } else { ErrorKind::Unsupported };
            assert_eq!(error.kind(), kind, "{options:?}: {error}");
            assert!(error.to_string().contains(part), "{options:?}: {error}");
        }
    }
}

#[cfg(not(feature = "native-tls"))]
#[test]
fn a_library_that_is_not_built_in_is_named() {
    let tls = Tls::new().backend(TlsBackend::Native);
    let options = NetOptions { tls, ..NetOptions::default() };
    let error = Net::new(options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.hint().unwrap().contains("`native-tls`"), "{error}");
}

#[test]
fn a_server_without_tls_is_told_apart() {
    for tls in backends() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let request = request_to(&listener, true);
        let server = std::thread::spawn(move || {
            let mut stream = accept(&listener);
            let _ = stream.read(&mut [0; 1000]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
            let _ = stream.read_to_end(&mut Vec::new());
        });
        let error = net_with(tls).websocket(&request, &attempt()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect(Stage::Tls));
        assert!(error.message().contains("does not answer in TLS"), "{error}");
        server.join().unwrap();
    }
}

#[test]
fn a_cancellation_ends_the_handshake() {
    for tls in backends() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let request = request_to(&listener, true);
        let (there, reached) = channel();
        let server = std::thread::spawn(move || silent(there)(listener));
        let attempt =
            cancel_ends(&reached, move |attempt| net_with(tls).websocket(&request, attempt));
        assert_eq!(attempt.so_far().stage, Stage::Tls);
        server.join().unwrap();
    }
}

#[test]
fn a_server_that_hangs_up_in_the_handshake_is_a_tls_error() {
    for tls in backends() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let request = request_to(&listener, true);
        let server = std::thread::spawn(move || {
            let mut stream = accept(&listener);
            stream.read_exact(&mut [0]).unwrap();
        });
        let error = net_with(tls).websocket(&request, &attempt()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect(Stage::Tls), "{error}");
        server.join().unwrap();
    }
}

#[test]
fn a_cancellation_ends_a_wait_for_an_encrypted_peer() {
    let authority = CertAuthority::new();
    let identity = authority.issue("127.0.0.1");
    for tls in authority.trusted() {
        let (request, server) = serve(config(&identity, None), |_, accept| echo(accept));
        let attempt = attempt();
        let mut websocket = net_with(tls).websocket(&request, &attempt).unwrap();
        assert_eq!(websocket.read().unwrap(), Received::Nothing);
        let waiter = Arc::clone(&attempt);
        let ended = spawn(move || websocket.interest(true, true).wait(waiter.waker(), None));
        attempt.waker().cancel();
        assert_cancelled(&ended.recv_timeout(LIMIT).unwrap().unwrap_err());
        server.join().unwrap();
    }
}

#[test]
fn rustls_resumes_the_sessions_of_a_network() {
    let authority = CertAuthority::new();
    let identity = authority.issue("127.0.0.1");
    let (request, server) =
        serve(config(&identity, None), |_, accept| [echo(accept), echo(accept)]);
    let net = net_with(Tls::new().ca_pem(authority.pem()));
    for _ in 0..2 {
        let attempt = attempt();
        let websocket = net.websocket(&request, &attempt).unwrap();
        round_trip(websocket, attempt.waker(), vec![1]);
    }
    let full_then_resumed = [Some(HandshakeKind::Full), Some(HandshakeKind::Resumed)];
    assert_eq!(server.join().unwrap(), full_then_resumed);
}

#[test]
fn an_end_without_the_end_of_tls_is_a_close_of_a_websocket() {
    let authority = CertAuthority::new();
    let identity = authority.issue("127.0.0.1");
    for tls in authority.trusted() {
        let (request, server) = serve(config(&identity, None), |_, accept| {
            let websocket = tungstenite::accept(accept()).unwrap();
            websocket.get_ref().sock.shutdown(Shutdown::Write).unwrap();
            websocket
        });
        let attempt = attempt();
        let mut websocket = net_with(tls).websocket(&request, &attempt).unwrap();
        loop {
            match websocket.read().unwrap() {
                Received::Nothing => {
                    websocket.interest(true, true).wait(attempt.waker(), None).unwrap();
                }
                Received::Closed(_) => break,
                other => panic!("{other:?} from nowhere"),
            }
        }
        server.join().unwrap();
    }
}

#[cfg(feature = "polling")]
#[test]
fn an_end_without_the_end_of_tls_is_never_the_end_of_a_body() {
    let authority = CertAuthority::new();
    let identity = authority.issue("127.0.0.1");
    for tls in authority.trusted() {
        for clean in [true, false] {
            let (request, server) = serve(config(&identity, None), move |_, accept| {
                let mut stream = accept();
                crate::net::testing::read_head(&mut stream);
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n4half").unwrap();
                if clean {
                    stream.conn.send_close_notify();
                }
                stream.flush().unwrap();
                stream.sock.shutdown(Shutdown::Write).unwrap();
                stream
            });
            let mut response = Http::new(&net_with(tls.clone()), &attempt()).get(&request).unwrap();
            let result = response.body.read_to_end(&mut Vec::new());
            // The platform's library cannot tell, and so no such body is trusted.
            let trusted = clean && tls.backend == Some(TlsBackend::Rustls);
            assert_eq!(result.is_ok(), trusted, "{tls:?}: {result:?}");
            server.join().unwrap();
        }
    }
}

#[cfg(feature = "polling")]
#[test]
fn encrypted_requests_share_a_connection() {
    let authority = CertAuthority::new();
    let identity = authority.issue("127.0.0.1");
    for tls in authority.trusted() {
        let (request, server) = serve(config(&identity, None), |_, accept| {
            let mut stream = accept();
            for _ in 0..3 {
                crate::net::testing::read_head(&mut stream);
                let mut body = [0; 2];
                stream.read_exact(&mut body).unwrap();
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").unwrap();
            }
        });
        let http = Http::new(&net_with(tls), &attempt());
        for _ in 0..3 {
            let bytes = Bytes::from_static(b"4x");
            http.post(&request, crate::proto::dialect::Body { binary: false, bytes }).unwrap();
        }
        server.join().unwrap();
    }
}
