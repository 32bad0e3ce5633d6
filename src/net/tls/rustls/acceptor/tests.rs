use std::net::{Ipv4Addr, TcpListener, TcpStream as StdStream};
use std::path::PathBuf;
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};

use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use super::*;
use crate::net::server::stream::ServerStream;
use crate::net::testing::{LIMIT, wait_for};
use crate::net::tls::tests::x509::{CertAuthority, Identity};

pub(in crate::net) type ClientStream = StreamOwned<ClientConnection, StdStream>;

const HOST: &str = "gw.local";

fn server_tls(identity: &Identity) -> ServerTls {
    ServerTls::pem(identity.cert.clone(), identity.key.clone())
}

/// What a client does with the acceptor, and what becomes of it at the server: the first bytes that come, or
/// the error.
struct Meeting<T> {
    client: T,
    first: io::Result<Vec<u8>>,
    server: ServerStream,
}

fn meet<T: Send + 'static>(
    acceptor: &TlsAcceptor,
    client: impl FnOnce(StdStream) -> T + Send + 'static,
) -> Meeting<T> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let client: JoinHandle<T> = thread::spawn(move || {
        let stream = StdStream::connect(address).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        client(stream)
    });
    let socket = listener.accept().unwrap().0;
    let mut server = server_stream(acceptor, socket);
    let mut bytes = [0; 1024];
    let first = loop {
        match server.read(&mut bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                wait_for(&server, server.wants_write());
            }
            Ok(read) => break Ok(bytes[..read].to_vec()),
            Err(error) => break Err(error),
        }
    };
    // What the client waits for, if it does.
    if first.is_ok() {
        let pieces = [IoSlice::new(b"an"), IoSlice::new(b"swer")];
        let _ = server.write_vectored(&pieces);
    }
    server.half_close();
    Meeting { client: client.join().unwrap(), first, server }
}

/// A connection, and its client, which blocks and has said hello.
pub(in crate::net) fn connected() -> (ServerStream, ClientStream) {
    let (server, word, client) = greeted(|stream| stream);
    word.send(()).unwrap();
    (server, client.join().unwrap())
}

/// The connection as the driver has it.
fn server_stream(acceptor: &TlsAcceptor, socket: StdStream) -> ServerStream {
    socket.set_nonblocking(true).unwrap();
    let stream = acceptor.accept(TcpStream::from_std(socket)).unwrap();
    let stream = ServerStream::Tls(Box::new(stream));
    assert!(stream.is_secure());
    stream
}

fn client_config(trusted: &CertAuthority, own: Option<&Identity>) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.der().into()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let Some(own) = own else { return builder.with_no_client_auth() };
    let chain = vec![CertificateDer::from(own.cert_der.clone())];
    builder
        .with_client_auth_cert(chain, PrivateKeyDer::try_from(own.key_der.clone()).unwrap())
        .unwrap()
}

fn client(config: ClientConfig, socket: StdStream) -> ClientStream {
    let name = ServerName::try_from(HOST).unwrap();
    StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), socket)
}

/// What a client has seen of a server.
struct Greeting {
    answer: Vec<u8>,
    /// The certificate of the server.
    cert: Vec<u8>,
    /// The protocol that was agreed on, if any was.
    protocol: Vec<u8>,
}

/// Says hello.
fn hello(config: ClientConfig) -> impl FnOnce(StdStream) -> io::Result<Greeting> {
    move |socket| {
        let mut stream = client(config, socket);
        stream.write_all(b"hello")?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let cert = stream.conn.peer_certificates().unwrap()[0].to_vec();
        let protocol = stream.conn.alpn_protocol().unwrap_or_default().to_vec();
        Ok(Greeting { answer, cert, protocol })
    }
}

fn failure<T>(meeting: &Meeting<T>) -> String {
    let error = meeting.first.as_ref().unwrap_err();
    match ServerStream::tls_failure(error) {
        Some(failure) => {
            assert_eq!(failure.kind(), ErrorKind::Transport);
            failure.message().to_owned()
        }
        None => format!("{:?}", error.kind()),
    }
}

#[test]
fn a_client_is_served_in_http_1_1_whether_it_asks_for_that_or_not() {
    let authority = CertAuthority::new();
    let acceptor = TlsAcceptor::new(server_tls(&authority.issue(HOST))).unwrap();
    for (offered, agreed) in [
        (&[][..], &b""[..]),
        (&["http/1.1"], HTTP.as_bytes()),
        (&["h2", "http/1.1"], HTTP.as_bytes()),
    ] {
        let mut config = client_config(&authority, None);
        config.alpn_protocols = offered.iter().map(|name| name.as_bytes().to_vec()).collect();
        let meeting = meet(&acceptor, hello(config));
        let Greeting { answer, protocol, .. } = meeting.client.unwrap();
        assert_eq!((&*answer, &*protocol), (&b"answer"[..], agreed), "{offered:?}");
        assert_eq!(meeting.first.unwrap(), b"hello");
        assert!(meeting.server.client_chain().is_empty());
    }
    let mut config = client_config(&authority, None);
    config.alpn_protocols = vec![b"h2".to_vec()];
    let meeting = meet(&acceptor, hello(config));
    assert!(meeting.client.is_err());
    assert_eq!(failure(&meeting), "the client speaks no HTTP/1.1");
}

#[test]
fn a_client_shows_the_certificate_that_is_asked_for() {
    const EXPIRED: &str = "the client's certificate has expired";
    const STRANGER: &str = "the client's certificate is of an authority that is not trusted";
    const NONE: &str = "the client has no certificate";
    let (authority, other) = (CertAuthority::new(), CertAuthority::new());
    let own = server_tls(&authority.issue(HOST));
    let required = own.clone().client_ca_pem(authority.pem());
    let optional = required.clone().client_cert_optional(true);
    let device = authority.issue("device-7");
    let expired = authority.valid("device-7", 2001, 2002);
    let stranger = other.issue("device-7");
    for (options, shown, refused) in [
        (&own, Some(&device), None),
        (&required, Some(&device), None),
        (&optional, Some(&device), None),
        (&required, None, Some(NONE)),
        (&optional, None, None),
        (&required, Some(&expired), Some(EXPIRED)),
        (&optional, Some(&expired), Some(EXPIRED)),
        (&required, Some(&stranger), Some(STRANGER)),
        (&optional, Some(&stranger), Some(STRANGER)),
    ] {
        let acceptor = TlsAcceptor::new(options.clone()).unwrap();
        let meeting = meet(&acceptor, hello(client_config(&authority, shown)));
        if let Some(refused) = refused {
            assert_eq!(failure(&meeting), refused);
            assert!(meeting.client.is_err());
            continue;
        }
        assert_eq!(meeting.client.as_ref().unwrap().answer, b"answer");
        let is_asked = options != &own;
        let chain = shown.filter(|_| is_asked).map(|shown| shown.cert_der.clone());
        let expected: Vec<Bytes> = chain.into_iter().map(Bytes::from).collect();
        assert_eq!(meeting.server.client_chain(), expected);
    }
}

/// A connection whose client has said hello, and then waits for the word to go on with this.
fn greeted<T: Send + 'static>(
    then: impl FnOnce(ClientStream) -> T + Send + 'static,
) -> (ServerStream, Sender<()>, JoinHandle<T>) {
    let authority = CertAuthority::new();
    let acceptor = TlsAcceptor::new(server_tls(&authority.issue(HOST))).unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let (word, goes_on) = channel();
    let config = client_config(&authority, None);
    let client = thread::spawn(move || {
        let socket = StdStream::connect(address).unwrap();
        socket.set_read_timeout(Some(LIMIT)).unwrap();
        let mut stream = client(config, socket);
        stream.write_all(b"hello").unwrap();
        goes_on.recv().unwrap();
        then(stream)
    });
    let mut server = server_stream(&acceptor, listener.accept().unwrap().0);
    let mut bytes = [0; 5];
    while let Err(error) = server.read(&mut bytes) {
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        wait_for(&server, server.wants_write());
    }
    assert_eq!(&bytes, b"hello");
    (server, word, client)
}

#[test]
fn a_read_that_gives_little_need_not_have_emptied_the_socket() {
    let (mut server, word, client) = greeted(|mut stream| {
        stream.write_all(b"little").unwrap();
        stream.write_all(&vec![7; 100_000]).unwrap();
        stream
    });
    word.send(()).unwrap();
    // More of it waits than is taken from a socket at once.
    let _stream = client.join().unwrap();
    let mut bytes = [0; 1024];
    assert_eq!(server.read(&mut bytes).unwrap(), b"little".len());
    assert!(!server.is_emptied_by_short_read());
    let mut rest = 0;
    while rest < 100_000 {
        match server.read(&mut bytes) {
            Ok(read) => rest += read,
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                wait_for(&server, false);
            }
        }
    }
}

#[test]
fn what_tls_holds_for_a_socket_that_is_full_goes_out_by_a_flush() {
    let (mut server, word, client) = greeted(|mut stream| {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        bytes.len()
    });
    let mut taken = 0;
    let error = loop {
        match server.write(&vec![7; 50_000]) {
            Ok(more) => taken += more,
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    assert!(server.wants_write());
    word.send(()).unwrap();
    while let Err(error) = server.flush() {
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        wait_for(&server, true);
    }
    assert!(!server.wants_write());
    server.half_close();
    assert_eq!(client.join().unwrap(), taken);
}

#[test]
fn a_client_that_does_not_trust_the_server_is_told_apart() {
    let (authority, other) = (CertAuthority::new(), CertAuthority::new());
    let acceptor = TlsAcceptor::new(server_tls(&authority.issue(HOST))).unwrap();
    let meeting = meet(&acceptor, hello(client_config(&other, None)));
    assert_eq!(failure(&meeting), "the client does not trust the server's certificate");
}

#[test]
fn what_is_no_tls_is_told_apart() {
    let authority = CertAuthority::new();
    let acceptor = TlsAcceptor::new(server_tls(&authority.issue(HOST))).unwrap();
    for (bytes, what) in [
        (&b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..], "the client does not speak TLS"),
        (b"\x16\x03\x01\x00\x00", "the client does not speak TLS"),
        (b"", "UnexpectedEof"),
        (b"\x16\x03\x01\x01\x00\x01\x00", "UnexpectedEof"),
    ] {
        let meeting = meet(&acceptor, move |mut socket: StdStream| {
            socket.write_all(bytes).unwrap();
            socket.shutdown(Shutdown::Write).unwrap();
            let _ = socket.read_to_end(&mut Vec::new());
        });
        assert_eq!(failure(&meeting), what, "{bytes:?}");
    }
}

/// The first flight of a client.
fn client_hello(authority: &CertAuthority) -> Vec<u8> {
    let name = ServerName::try_from(HOST).unwrap();
    let config = Arc::new(client_config(authority, None));
    let mut connection = ClientConnection::new(config, name).unwrap();
    let mut bytes = Vec::new();
    connection.write_tls(&mut bytes).unwrap();
    bytes
}

/// CVE-2024-32650.
#[test]
fn a_client_that_says_goodbye_in_the_handshake_ends_it() {
    let authority = CertAuthority::new();
    let acceptor = TlsAcceptor::new(server_tls(&authority.issue(HOST))).unwrap();
    let mut bytes = client_hello(&authority);
    // An alert of the level warning: close_notify.
    bytes.extend(b"\x15\x03\x03\x00\x02\x01\x00");
    let meeting = meet(&acceptor, move |mut socket: StdStream| {
        socket.write_all(&bytes).unwrap();
        let _ = socket.read_to_end(&mut Vec::new());
    });
    assert!(meeting.first.is_err() || meeting.first.is_ok_and(|bytes| bytes.is_empty()));
}

/// CVE-2024-11738.
#[test]
fn a_hello_in_records_of_one_byte_is_no_panic() {
    let authority = CertAuthority::new();
    let acceptor = TlsAcceptor::new(server_tls(&authority.issue(HOST))).unwrap();
    let hello = client_hello(&authority);
    let records: Vec<u8> = hello[5..].iter().flat_map(|byte| [0x16, 3, 1, 0, 1, *byte]).collect();
    let meeting = meet(&acceptor, move |mut socket: StdStream| {
        socket.write_all(&records).unwrap();
        // The answer is that of a handshake.
        let mut first = [0];
        let came = socket.read(&mut first);
        socket.shutdown(Shutdown::Both).unwrap();
        came.map(|_| first[0])
    });
    assert!(meeting.first.is_err());
    assert_eq!(meeting.client.unwrap(), 0x16);
}

/// Two files that can be replaced.
struct Files(PathBuf);

impl Files {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("siot-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn put(&self, name: &str, text: &str) -> PathBuf {
        let (path, new) = (self.0.join(name), self.0.join("new"));
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, &path).unwrap();
        path
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

#[test]
fn certificates_are_replaced_between_connections_once_they_fit_together() {
    let authority = CertAuthority::new();
    let (old, new) = (authority.issue(HOST), authority.issue(HOST));
    let files = Files::new("acceptor");
    let tls = ServerTls::files(files.put("cert", &old.cert), files.put("key", &old.key));
    let acceptor = TlsAcceptor::new(tls).unwrap();
    let shown = || meet(&acceptor, hello(client_config(&authority, None))).client.unwrap().cert;
    assert_eq!(shown(), old.cert_der);
    // Without its key, it is of no use.
    files.put("cert", &new.cert);
    assert_eq!(shown(), old.cert_der);
    files.put("key", &new.key);
    assert_eq!(shown(), new.cert_der);
    files.put("key", "no key");
    std::fs::remove_file(files.0.join("cert")).unwrap();
    assert_eq!(shown(), new.cert_der);
}

#[test]
fn what_cannot_be_used_is_an_error_before_anybody_comes() {
    let authority = CertAuthority::new();
    let (one, other) = (authority.issue(HOST), authority.issue(HOST));
    for (options, part) in [
        (ServerTls::files("/nowhere/cert.pem", "/nowhere/key.pem"), "/nowhere/cert.pem"),
        (ServerTls::pem(one.cert.clone(), other.key.clone()), "do not fit together"),
        (ServerTls::pem(one.cert.clone(), "no key"), "the given key"),
        (ServerTls::pem("-----BEGIN ", one.key.clone()), "the given certificate"),
        (server_tls(&one).client_ca_file("/nowhere/ca.pem"), "/nowhere/ca.pem"),
        (server_tls(&one).client_ca_pem("none"), "the given CA"),
    ] {
        let error = TlsAcceptor::new(options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidOption, "{error}");
        assert!(error.message().contains(part), "{error}");
    }
}

#[test]
fn an_older_version_than_the_lowest_is_refused() {
    let authority = CertAuthority::new();
    let tls = server_tls(&authority.issue(HOST)).min_version(TlsVersion::Tls13);
    let acceptor = TlsAcceptor::new(tls).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().into()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS12])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let meeting = meet(&acceptor, hello(config));
    assert_eq!(failure(&meeting), "the client offers no TLS that is still safe");
}
