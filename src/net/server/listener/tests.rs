use std::fs;
use std::io::{IoSlice, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, TcpStream};
use std::os::unix::net::{UnixListener as StdUnixListener, UnixStream};
use std::path::PathBuf;
use std::time::Duration;

use mio::{Events, Poll};

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
    let meaning = |errno: Errno| match not_accepted(errno.into()) {
        Accepted::Nothing => "nobody",
        Accepted::Exhausted(_) => "exhausted",
        Accepted::Lost(_) => "lost",
        Accepted::Stream(..) => "a connection",
    };
    for (errno, expected) in [
        (Errno::MFILE, "exhausted"),
        (Errno::NFILE, "exhausted"),
        (Errno::NOMEM, "exhausted"),
        (Errno::NOBUFS, "exhausted"),
        (Errno::CONNABORTED, "lost"),
        (Errno::PROTO, "lost"),
        (Errno::HOSTUNREACH, "lost"),
        (Errno::PERM, "lost"),
        (Errno::AGAIN, "nobody"),
    ] {
        assert_eq!(meaning(errno), expected, "{errno}");
    }
}

#[test]
fn why_a_server_cannot_listen_comes_with_a_hint_where_there_is_one() {
    let hint = |kind: io::ErrorKind| {
        let error = cannot_listen(&"gw.local:80", kind.into());
        assert!(error.message().contains("gw.local:80"), "{error}");
        error.hint().map(str::to_owned)
    };
    for (kind, part) in [
        (io::ErrorKind::AddrInUse, "listens there"),
        (io::ErrorKind::AddrNotAvailable, "no network"),
        (io::ErrorKind::PermissionDenied, "privilege"),
    ] {
        assert!(hint(kind).is_some_and(|hint| hint.contains(part)), "{kind}");
    }
    assert_eq!(hint(io::ErrorKind::OutOfMemory), None);
}

/// Whether the system tells of something within a moment.
fn is_told(poll: &mut Poll) -> bool {
    let mut events = Events::with_capacity(4);
    poll.poll(&mut events, Some(Duration::from_millis(20))).unwrap();
    !events.is_empty()
}

#[test]
fn the_system_tells_of_what_is_registered_as_long_as_it_is() {
    let place = Place::new("unix-registered");
    let tcp = ServerListener::bind(&[(Ipv4Addr::LOCALHOST, 0).into()]).unwrap().remove(0);
    let address = tcp.local_addr().unwrap();
    let unix = ServerListener::bind_unix(&place.path()).unwrap();
    for mut listener in [tcp, unix] {
        let is_tcp = listener.local_addr().is_some();
        let mut poll = Poll::new().unwrap();
        let wait = |poll: &mut Poll| {
            let mut events = Events::with_capacity(4);
            poll.poll(&mut events, Some(LIMIT)).unwrap();
            events.iter().map(|event| event.token().0).collect::<Vec<_>>()
        };
        let connect = || -> Box<dyn Write> {
            if is_tcp {
                Box::new(TcpStream::connect(address).unwrap())
            } else {
                Box::new(UnixStream::connect(place.path()).unwrap())
            }
        };
        poll.registry().register(&mut listener, Token(1), Interest::READABLE).unwrap();
        let mut client = connect();
        assert_eq!(wait(&mut poll), [1]);
        let (mut server, _) = accepted(&listener);
        poll.registry().reregister(&mut listener, Token(2), Interest::READABLE).unwrap();
        let _second = connect();
        assert_eq!(wait(&mut poll), [2]);
        poll.registry().deregister(&mut listener).unwrap();
        let _third = connect();
        assert!(!is_told(&mut poll));
        // Likewise the connection.
        poll.registry().register(&mut server, Token(3), Interest::READABLE).unwrap();
        client.write_all(b"a").unwrap();
        assert_eq!(wait(&mut poll), [3]);
        poll.registry().reregister(&mut server, Token(4), Interest::READABLE).unwrap();
        assert_eq!(wait(&mut poll), [4]);
        poll.registry().deregister(&mut server).unwrap();
        client.write_all(b"b").unwrap();
        assert!(!is_told(&mut poll));
    }
}
