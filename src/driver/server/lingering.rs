//! A connection with which we are done, while its client may still read.
//!
//! To close it while something unread lies in it would reset it, and take from the client what was written last.

use std::io::{ErrorKind, Read};
use std::time::Duration;

use super::wire::push;
use crate::net::server::stream::ServerStream;

/// How long the client has to read, and to close.
pub(super) const TIME: Duration = Duration::from_secs(5);

/// How often it is read from before others have their turn.
const READS: usize = 16;

/// How it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lingers {
    /// The system tells of more.
    Waits,
    /// There may be more, of which it does not.
    HasMore,
    Over,
}

/// What is left of a connection.
pub(super) struct Lingering {
    stream: ServerStream,
    rest: Vec<u8>,
    is_shut: bool,
}

impl Lingering {
    pub(super) fn new(stream: ServerStream, rest: Vec<u8>) -> Self {
        Self { stream, rest, is_shut: false }
    }

    /// Writes what is left, and drops what comes.
    pub(super) fn go_on(&mut self, buffer: &mut [u8]) -> Lingers {
        if !self.is_shut {
            match push(&mut self.stream, &self.rest) {
                Err(_) => return Lingers::Over,
                Ok(taken) if taken < self.rest.len() => drop(self.rest.drain(..taken)),
                // TLS has the rest, for which the socket has no room.
                Ok(_) if self.stream.wants_write() => self.rest = Vec::new(),
                Ok(_) => {
                    self.rest = Vec::new();
                    self.is_shut = true;
                    self.stream.half_close();
                }
            }
        }
        for _ in 0..READS {
            match self.stream.read(buffer) {
                Ok(0) => return Lingers::Over,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Lingers::Waits,
                Err(_) => return Lingers::Over,
            }
        }
        Lingers::HasMore
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::Shutdown;
    use std::os::unix::net::UnixStream;

    use super::*;

    /// A connection with so much left to be written, and its other end, which waits for nothing.
    fn left(rest: &[u8]) -> (Lingering, UnixStream) {
        let (own, peer) = UnixStream::pair().unwrap();
        own.set_nonblocking(true).unwrap();
        peer.set_nonblocking(true).unwrap();
        let stream = ServerStream::Unix(mio::net::UnixStream::from_std(own));
        (Lingering::new(stream, rest.to_vec()), peer)
    }

    #[test]
    fn all_that_is_left_is_written_before_the_end_is_said() {
        let rest: Vec<u8> = (0..=255).cycle().take(4 << 20).collect();
        let (mut lingering, mut peer) = left(&rest);
        let (mut buffer, mut got) = ([0; 1024], Vec::new());
        loop {
            assert_eq!(lingering.go_on(&mut buffer), Lingers::Waits);
            // The end is read as well, where it has been said.
            if peer.read_to_end(&mut got).is_ok() {
                break;
            }
        }
        assert!(got == rest, "{} bytes of {}", got.len(), rest.len());
        drop(peer);
        assert_eq!(lingering.go_on(&mut buffer), Lingers::Over);
    }

    #[test]
    fn what_comes_is_dropped_for_so_long_and_then_others_have_their_turn() {
        let (mut lingering, mut peer) = left(b"");
        let mut buffer = [0; 8];
        peer.write_all(&[b'x'; READS * 8]).unwrap();
        assert_eq!(lingering.go_on(&mut buffer), Lingers::HasMore);
        assert_eq!(lingering.go_on(&mut buffer), Lingers::Waits);
        peer.shutdown(Shutdown::Write).unwrap();
        assert_eq!(lingering.go_on(&mut buffer), Lingers::Over);
    }

    #[cfg(feature = "rustls")]
    #[test]
    fn what_tls_has_not_sent_is_sent_before_the_end_is_said() {
        let (mut stream, mut client) = ServerStream::encrypted();
        let mut written = 0;
        while !stream.wants_write() {
            written += push(&mut stream, &[b'x'; 1000]).unwrap();
        }
        let mut lingering = Lingering::new(stream, Vec::new());
        assert_eq!(lingering.go_on(&mut [0; 8]), Lingers::Waits);
        let reader = std::thread::spawn(move || {
            let mut got = Vec::new();
            client.read_to_end(&mut got).map(|_| got)
        });
        while lingering.go_on(&mut [0; 8]) != Lingers::Over {
            std::thread::yield_now();
        }
        let got = reader.join().unwrap().unwrap();
        assert_eq!(got.len(), written);
    }

    #[test]
    fn it_is_over_where_its_client_is_gone() {
        let (mut lingering, peer) = left(b"goodbye");
        drop(peer);
        assert_eq!(lingering.go_on(&mut [0; 8]), Lingers::Over);
        // It has gone without reading, and the system tells of that by an error.
        let (mut lingering, peer) = left(b"goodbye");
        assert_eq!(lingering.go_on(&mut [0; 8]), Lingers::Waits);
        drop(peer);
        assert_eq!(lingering.go_on(&mut [0; 8]), Lingers::Over);
    }
}
