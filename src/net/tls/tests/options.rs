//! Options beyond trust: files that change, versions, and a clock that is wrong.

use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

use super::*;
use crate::net::attempt::{Attempt, News};
#[cfg(feature = "polling")]
use crate::net::testing::read_head;
use crate::options::TlsVersion;

/// A folder that is removed again.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("siot-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// Writes a file the way it is replaced in practice: by another one, at once.
    fn put(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let (new, path) = (self.0.join("new"), self.0.join(name));
        std::fs::write(&new, bytes).unwrap();
        std::fs::rename(&new, &path).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// One attempt of a network at a server with this certificate, and the warnings on the way.
fn connect(net: &Net, config: Arc<ServerConfig>) -> (Result<()>, Vec<String>) {
    let (request, server) = serve(config, |_, accept| echo(accept));
    let (sender, warnings) = channel();
    let sender = std::sync::Mutex::new(sender);
    let observer = Box::new(move |news| {
        if let News::Warning(error) = news {
            sender.lock().unwrap().send(error.to_string()).unwrap();
        }
    });
    let waker = Arc::new(Waker::new().unwrap());
    let attempt = Arc::new(Attempt::new(waker, Some(observer)));
    let websocket = net.websocket(&request, &attempt);
    let result = websocket.map(|websocket| round_trip(websocket, attempt.waker(), vec![1]));
    server.join().unwrap();
    (result, warnings.try_iter().collect())
}

#[test]
fn authorities_can_be_replaced_between_attempts() {
    let (old, new) = (CertAuthority::new(), CertAuthority::new());
    let (of_old, of_new) = (old.issue("127.0.0.1"), new.issue("127.0.0.1"));
    for (index, tls) in backends().into_iter().enumerate() {
        let folder = Folder::new(&format!("ca-{index}"));
        let path = folder.put("ca.pem", old.pem());
        let net = net_with(tls.built_in_roots(false).ca_file(&path));
        connect(&net, config(&of_old, None)).0.unwrap();
        connect(&net, config(&of_new, None)).0.unwrap_err();
        folder.put("ca.pem", new.pem());
        connect(&net, config(&of_new, None)).0.unwrap();
        connect(&net, config(&of_old, None)).0.unwrap_err();
    }
}

#[test]
fn a_client_certificate_can_be_replaced_between_attempts() {
    let (old, new) = (CertAuthority::new(), CertAuthority::new());
    let server = old.issue("127.0.0.1");
    let [first, second] = [&old, &new].map(|authority| authority.issue("device"));
    for (index, tls) in old.trusted().into_iter().enumerate() {
        let folder = Folder::new(&format!("client-{index}"));
        let (cert, key) =
            (folder.put("cert.pem", &first.cert), folder.put("key.pem", first.key.clone()));
        let net = net_with(tls.client_cert_files(&cert, &key));
        connect(&net, config(&server, Some(&old))).0.unwrap();
        folder.put("cert.pem", &second.cert);
        folder.put("key.pem", second.key.clone());
        connect(&net, config(&server, Some(&new))).0.unwrap();
    }
}

#[test]
fn new_certificates_that_cannot_be_used_leave_the_old_ones_and_warn_once() {
    let authority = CertAuthority::new();
    let identity = authority.issue("127.0.0.1");
    for (index, tls) in backends().into_iter().enumerate() {
        let folder = Folder::new(&format!("broken-{index}"));
        let path = folder.put("ca.pem", authority.pem());
        let net = net_with(tls.built_in_roots(false).ca_file(&path));
        assert_eq!(connect(&net, config(&identity, None)).1, [""; 0]);
        folder.put("ca.pem", "half a file");
        for expected in [1, 0] {
            let (result, warnings) = connect(&net, config(&identity, None));
            result.unwrap();
            assert_eq!(warnings.len(), expected, "{warnings:?}");
            assert!(warnings.iter().all(|warning| warning.contains("ca.pem")), "{warnings:?}");
        }
        std::fs::remove_file(&path).unwrap();
        let (result, warnings) = connect(&net, config(&identity, None));
        result.unwrap();
        assert!(warnings[0].contains("cannot read"), "{warnings:?}");
    }
}

#[test]
fn unchanged_files_leave_the_sessions_to_resume() {
    let authority = CertAuthority::new();
    let identity = authority.issue("127.0.0.1");
    let folder = Folder::new("resume");
    let path = folder.put("ca.pem", authority.pem());
    let (request, server) =
        serve(config(&identity, None), |_, accept| [(); 3].map(|()| echo(accept)));
    let net = net_with(Tls::new().ca_file(&path));
    for again in [false, false, true] {
        if again {
            folder.put("ca.pem", authority.pem());
        }
        let attempt = attempt();
        round_trip(net.websocket(&request, &attempt).unwrap(), attempt.waker(), vec![1]);
    }
    let [full, resumed] = [HandshakeKind::Full, HandshakeKind::Resumed].map(Some);
    assert_eq!(server.join().unwrap(), [full, resumed, full]);
}

#[test]
fn an_older_version_than_the_lowest_is_refused() {
    let authority = CertAuthority::new();
    let identity = authority.issue("127.0.0.1");
    let provider = Arc::new(::rustls::crypto::ring::default_provider());
    let old = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&::rustls::version::TLS12])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(identity.chain(), identity.private_key())
        .unwrap();
    let old = Arc::new(old);
    for tls in authority.trusted() {
        let only_new = net_with(tls.clone().min_version(TlsVersion::Tls13));
        connect(&only_new, config(&identity, None)).0.unwrap();
        let error = connect(&only_new, Arc::clone(&old)).0.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect(Stage::Tls), "{error}");
        connect(&net_with(tls), Arc::clone(&old)).0.unwrap();
    }
}

/// The end of 2049: later than any clock that runs this test.
const FLOOR: Duration = Duration::from_secs(80 * 365 * 24 * 60 * 60);

#[test]
fn with_a_wrong_clock_certificates_are_verified_as_of_the_floor_or_later() {
    let authority = CertAuthority::new();
    let net = |tls: Tls| net_with(tls.clock_floor(UNIX_EPOCH + FLOOR));
    let trusting = || Tls::new().built_in_roots(false).ca_pem(authority.pem());
    let valid = |from, to| authority.valid("127.0.0.1", from, to);
    for (identity, reason) in [
        (valid(2000, 2060), None),
        (valid(2055, 2060), None),
        (valid(2000, 2045), Some("has expired")),
        (authority.issue("other.example"), Some("is for another host")),
        (CertAuthority::new().issue("127.0.0.1"), Some("not trusted")),
    ] {
        let (result, warnings) = connect(&net(trusting()), config(&identity, None));
        assert!(warnings[0].contains("before the floor"), "{warnings:?}");
        match (result, reason) {
            (Ok(()), None) => {}
            (Err(error), Some(reason)) => assert!(error.message().contains(reason), "{error}"),
            (result, reason) => panic!("{result:?}, not {reason:?}"),
        }
    }
    // What was seen once counts from then on.
    let net = net(trusting());
    connect(&net, config(&valid(2055, 2070), None)).0.unwrap();
    let error = connect(&net, config(&valid(2000, 2052), None)).0.unwrap_err();
    assert!(error.message().contains("has expired"), "{error}");
}

#[test]
fn with_a_right_clock_the_floor_changes_nothing() {
    let authority = CertAuthority::new();
    let good = authority.issue("127.0.0.1");
    let future = authority.valid("127.0.0.1", 2100, 2101);
    let tls = Tls::new().ca_pem(authority.pem());
    let net = net_with(tls.clock_floor(UNIX_EPOCH + Duration::from_secs(1)));
    let (result, warnings) = connect(&net, config(&good, None));
    result.unwrap();
    assert_eq!(warnings, [""; 0]);
    let error = connect(&net, config(&future, None)).0.unwrap_err();
    assert!(error.message().contains("not valid yet"), "{error}");
}

#[test]
fn what_a_library_cannot_do_is_told_before_connecting() {
    let mut cases = vec![(Tls::new().backend(TlsBackend::Rustls).pfx(*b"x"), "pfx")];
    if cfg!(feature = "native-tls") {
        let native = || Tls::new().backend(TlsBackend::Native);
        cases.push((native().ciphers(["TLS_AES_128_GCM_SHA256"]), "ciphers"));
        cases.push((native().clock_floor(UNIX_EPOCH), "clock_floor"));
    }
    let old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: x\n\nAA==\n\
               -----END RSA PRIVATE KEY-----\n";
    let authority = CertAuthority::new();
    cases.push((Tls::new().client_cert_pem(authority.pem(), old), "old encryption"));
    for (tls, part) in cases {
        let error = Net::new(NetOptions { tls, ..NetOptions::default() }).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        assert!(error.message().contains(part) && error.hint().is_some(), "{error}");
    }
}

/// A server that has this list of protocols, and needs one of them.
fn speaking(protocols: &[&str], identity: &Identity) -> Arc<ServerConfig> {
    let mut config = Arc::unwrap_or_clone(config(identity, None));
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    Arc::new(config)
}

#[test]
fn http_1_1_is_asked_for_by_name() {
    let authority = CertAuthority::new();
    let identity = authority.issue("127.0.0.1");
    for tls in authority.trusted() {
        let (request, server) = serve(speaking(&["h2", "http/1.1"], &identity), |_, accept| {
            let websocket = tungstenite::accept(accept()).unwrap();
            websocket.get_ref().conn.alpn_protocol().map(<[u8]>::to_vec)
        });
        net_with(tls.clone()).websocket(&request, &attempt()).unwrap();
        assert_eq!(server.join().unwrap().as_deref(), Some(&b"http/1.1"[..]), "{tls:?}");
        let (request, server) =
            serve(speaking(&["h2"], &identity), |_, accept| tungstenite::accept(accept()).is_err());
        let error = net_with(tls).websocket(&request, &attempt()).unwrap_err();
        assert!(error.message().contains("HTTP/1.1") && error.hint().is_some(), "{error}");
        assert!(server.join().unwrap());
    }
}

/// A server in the clear that sends everybody to an encrypted one, which has one WebSocket or answers one
/// GET; gives the requests that came there, with their headers.
#[cfg(feature = "polling")]
#[test]
fn a_handshake_is_followed_to_tls_on_the_same_host() {
    let authority = CertAuthority::new();
    let identity = authority.issue("127.0.0.1");
    for tls in authority.trusted() {
        let (secure, server) = serve(config(&identity, None), |_, accept| {
            let mut first = accept();
            let head = read_head(&mut first);
            first.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n0{}").unwrap();
            first.flush().unwrap();
            tungstenite::accept(accept()).unwrap();
            head
        });
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut request = request_to(&listener, false);
        request.headers.push(("X-Api-Key".to_owned(), "1".to_owned()));
        let to = format!("https://127.0.0.1:{}/socket.io/", secure.endpoint.port);
        let plain = std::thread::spawn(move || {
            for _ in 0..2 {
                let mut stream = crate::net::testing::accept(&listener);
                read_head(&mut stream);
                let answer =
                    format!("HTTP/1.1 301 Moved\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n");
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        let net = net_with(tls);
        Http::new(&net, &attempt()).get(&request).unwrap();
        net.websocket(&request, &attempt()).unwrap();
        assert!(server.join().unwrap().to_lowercase().contains("x-api-key: 1"));
        plain.join().unwrap();
    }
}
