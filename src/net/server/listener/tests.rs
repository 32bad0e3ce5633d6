use std::fs;
use std::io::{IoSlice, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, TcpStream};
use std::os::unix::net::{UnixListener as StdUnixListener, UnixStream};
use std::path::PathBuf;

use super::*;
use crate::net::testing::{LIMIT, wait_for};

/// A folder that vanishes with the test.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("siot-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn path(&self) -> PathBuf {
        self.0.join("socket")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

/// The connection that waits.
fn accepted(listener: &ServerListener) -> (ServerStream, Option<SocketAddr>) {
    match listener.accept() {
        Accepted::Stream(stream, peer) => (stream, peer),
        other => panic!("{other:?}"),
    }
}

/// Sends a word there and back.
fn greet(mut client: impl Read + Write, mut server: ServerStream) {
    client.write_all(b"hello").unwrap();
    wait_for(&server, false);
    let mut word = [0; 8];
    assert_eq!(server.read(&mut word).unwrap(), 5);
    let nothing = server.read(&mut word).unwrap_err();
    assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
    let pieces = [IoSlice::new(b"w"), IoSlice::new(b"orld")];
    assert_eq!(server.write_vectored(&pieces).unwrap(), 5);
    server.half_close();
    let mut text = String::new();
    client.read_to_string(&mut text).unwrap();
    assert_eq!(text, "world");
}

#[test]
fn several_addresses_with_port_0_get_the_same() {
    let addresses = [(Ipv4Addr::LOCALHOST, 0).into(), (Ipv6Addr::LOCALHOST, 0).into()];
    let listeners = ServerListener::bind(&addresses).unwrap();
    let bound: Vec<SocketAddr> =
        listeners.iter().map(|listener| listener.local_addr().unwrap()).collect();
    assert_ne!(bound[0].port(), 0);
    assert_eq!(bound[0].port(), bound[1].port());
    for (listener, address) in listeners.iter().zip(bound) {
        assert!(matches!(listener.accept(), Accepted::Nothing));
        let client = TcpStream::connect(address).unwrap();
        client.set_read_timeout(Some(LIMIT)).unwrap();
        let (server, peer) = accepted(listener);
        assert_eq!(peer, Some(client.local_addr().unwrap()));
        assert!(!server.is_secure() && !server.wants_write());
        greet(client, server);
    }
}

#[test]
fn the_address_of_all_means_the_older_ones_too_unless_they_are_named() {
    let any_v6 = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0));
    let alone = ServerListener::bind(&[any_v6]).unwrap();
    let port = alone[0].local_addr().unwrap().port();
    let _client = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    accepted(&alone[0]);
    let both = [any_v6, (Ipv4Addr::UNSPECIFIED, 0).into()];
    let both = ServerListener::bind(&both).unwrap();
    let port = both[0].local_addr().unwrap().port();
    let _client = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    assert!(matches!(both[0].accept(), Accepted::Nothing));
    accepted(&both[1]);
}

#[test]
fn an_address_that_is_taken_is_an_error_that_says_so() {
    let one = ServerListener::bind(&[(Ipv4Addr::LOCALHOST, 0).into()]).unwrap();
    let address = one[0].local_addr().unwrap();
    let error = ServerListener::bind(&[address]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Resource);
    assert!(error.message().contains(&address.to_string()), "{error}");
    assert!(error.hint().unwrap().contains("listens there"), "{error}");
}

#[test]
fn a_socket_that_is_given_is_used() {
    let given = StdTcpListener::bind("127.0.0.1:0").unwrap();
    let address = given.local_addr().unwrap();
    let listener = ServerListener::given(given).unwrap();
    assert!(matches!(listener.accept(), Accepted::Nothing));
    let client = TcpStream::connect(address).unwrap();
    greet(client, accepted(&listener).0);
}

#[test]
fn a_unix_socket_serves_and_is_removed_in_the_end() {
    let place = Place::new("unix");
    let listener = ServerListener::bind_unix(&place.path()).unwrap();
    assert_eq!(listener.local_addr(), None);
    let client = UnixStream::connect(place.path()).unwrap();
    let (server, peer) = accepted(&listener);
    assert_eq!(peer, None);
    greet(client, server);
    drop(listener);
    assert!(!place.path().exists());
}

#[test]
fn a_socket_that_was_left_behind_is_replaced_and_nothing_else_is() {
    let place = Place::new("unix-stale");
    // Its file stays.
    drop(StdUnixListener::bind(place.path()).unwrap());
    assert!(place.path().exists());
    let listener = ServerListener::bind_unix(&place.path()).unwrap();
    let error = ServerListener::bind_unix(&place.path()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Resource);
    // The one that lives still does, and has had a visitor who looked whether it does.
    let (mut visitor, _) = accepted(&listener);
    assert_eq!(visitor.read(&mut [0]).unwrap(), 0);
    let client = UnixStream::connect(place.path()).unwrap();
    greet(client, accepted(&listener).0);
    // Another one has come in its place.
    fs::remove_file(place.path()).unwrap();
    let other = StdUnixListener::bind(place.path()).unwrap();
    drop(listener);
    assert!(place.path().exists());
    drop(other);
    fs::remove_file(place.path()).unwrap();
    // What is no socket.
    fs::write(place.path(), "data").unwrap();
    ServerListener::bind_unix(&place.path()).unwrap_err();
    assert_eq!(fs::read(place.path()).unwrap(), b"data");
}

#[test]
fn the_lack_of_descriptors_is_told_from_the_loss_of_a_connection() {
    for (errno, lacks) in [
        (Errno::MFILE, true),
        (Errno::NFILE, true),
        (Errno::NOMEM, true),
        (Errno::NOBUFS, true),
        (Errno::CONNABORTED, false),
        (Errno::PROTO, false),
        (Errno::HOSTUNREACH, false),
        (Errno::PERM, false),
    ] {
        assert_eq!(is_exhaustion(&errno.into()), lacks, "{errno}");
    }
}
