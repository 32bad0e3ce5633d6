//! The byte stream below both transports: non-blocking, over TCP or TLS, and cancellable.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use rustix::event::PollFlags;

use super::attempt::Attempt;
use super::nonblocking::{retry, write_all_that_fits};
use super::passed::Passed;
#[cfg(feature = "native-tls")]
use super::tls::native::NativeStream;
#[cfg(feature = "rustls")]
use super::tls::rustls::RustlsStream;
use crate::error::Result;

/// A connected stream. Reads and writes never block; [`Stream::wait`] does.
///
/// A write goes on until everything is taken or the socket is full, because tungstenite moves its
/// whole buffer after each partial write.
#[derive(Debug)]
pub(super) struct Stream {
    layer: Layer,
    attempt: Arc<Attempt>,
    emptied: bool,
    /// The bytes that were read and written, where they pass the socket as they are.
    plain: Passed,
    /// The bytes that the attempt was told of.
    told: Passed,
}

/// What lies between the caller's bytes and the socket.
#[derive(Debug)]
enum Layer {
    Plain(Arc<TcpStream>),
    #[cfg(feature = "rustls")]
    Rustls(Box<RustlsStream>),
    #[cfg(feature = "native-tls")]
    Native(Box<NativeStream>),
}

impl Stream {
    /// A stream without encryption, over a non-blocking socket.
    pub(super) fn plain(socket: TcpStream, attempt: &Arc<Attempt>) -> Self {
        Self::new(Layer::Plain(Arc::new(socket)), attempt)
    }

    /// An encrypted stream.
    #[cfg(feature = "rustls")]
    pub(super) fn rustls(stream: Box<RustlsStream>, attempt: &Arc<Attempt>) -> Self {
        Self::new(Layer::Rustls(stream), attempt)
    }

    /// An encrypted stream.
    #[cfg(feature = "native-tls")]
    pub(super) fn native(stream: NativeStream, attempt: &Arc<Attempt>) -> Self {
        Self::new(Layer::Native(Box::new(stream)), attempt)
    }

    fn new(layer: Layer, attempt: &Arc<Attempt>) -> Self {
        let (plain, told) = Default::default();
        Self { layer, attempt: Arc::clone(attempt), emptied: false, plain, told }
    }

    /// Whether it is encrypted.
    pub(super) fn is_secure(&self) -> bool {
        !matches!(self.layer, Layer::Plain(_))
    }

    /// Whose cancellation ends the waits.
    pub(super) fn attempt(&self) -> &Arc<Attempt> {
        &self.attempt
    }

    /// Blocks until a read or a write that would have blocked can go on, as is wanted; a
    /// cancellation, and the end of the stage's limit, is an error.
    pub(super) fn wait(&self, wanted: PollFlags) -> Result<()> {
        let mut flags = wanted;
        flags.set(PollFlags::OUT, wanted.contains(PollFlags::OUT) || self.wants_write());
        self.attempt.wait_for_io(self.as_fd(), flags)
    }

    /// Whether TLS holds bytes that the socket has not taken. The next read or flush sends them.
    pub(super) fn wants_write(&self) -> bool {
        match &self.layer {
            Layer::Plain(_) => false,
            #[cfg(feature = "rustls")]
            Layer::Rustls(stream) => stream.wants_write(),
            // The library keeps nothing: what did not fit is written again by its caller.
            #[cfg(feature = "native-tls")]
            Layer::Native(_) => false,
        }
    }

    /// How many bytes the socket has taken so far.
    pub(super) fn taken(&self) -> usize {
        self.passed().written
    }

    /// How many bytes the socket has given so far.
    pub(super) fn received(&self) -> usize {
        self.passed().read
    }

    fn passed(&self) -> Passed {
        match &self.layer {
            Layer::Plain(_) => self.plain,
            #[cfg(feature = "rustls")]
            Layer::Rustls(stream) => stream.passed(),
            #[cfg(feature = "native-tls")]
            Layer::Native(stream) => stream.passed(),
        }
    }

    /// Tells the attempt what has passed.
    fn tell_passed(&mut self) {
        let now = self.passed();
        let told = std::mem::replace(&mut self.told, now);
        let since = |now: usize, told| now.wrapping_sub(told);
        self.attempt.note_passed(since(now.read, told.read), since(now.written, told.written));
    }

    /// The socket itself, to wait for while somebody else has the stream.
    pub(super) fn socket(&self) -> &Arc<TcpStream> {
        match &self.layer {
            Layer::Plain(socket) => socket,
            #[cfg(feature = "rustls")]
            Layer::Rustls(stream) => stream.socket(),
            #[cfg(feature = "native-tls")]
            Layer::Native(stream) => stream.socket(),
        }
    }

    /// Whether the last read has taken all that had come: another one would most likely block, and
    /// poll(2) tells of what has come since.
    pub(super) fn is_emptied(&self) -> bool {
        self.emptied
    }

    /// Whether an end of this stream is known to be the peer's own. The platform's library does not
    /// tell the end of TLS from a connection that somebody on the way cut.
    #[cfg(feature = "polling")]
    pub(super) fn tells_truncation(&self) -> bool {
        match &self.layer {
            Layer::Plain(_) => true,
            #[cfg(feature = "rustls")]
            Layer::Rustls(_) => true,
            #[cfg(feature = "native-tls")]
            Layer::Native(_) => false,
        }
    }

    /// Says to the peer that nothing more will be written.
    pub(super) fn half_close(&mut self) {
        match &mut self.layer {
            Layer::Plain(socket) => {
                // It fails only if the connection is gone already.
                let _ = socket.shutdown(Shutdown::Write);
            }
            #[cfg(feature = "rustls")]
            Layer::Rustls(stream) => stream.half_close(),
            #[cfg(feature = "native-tls")]
            Layer::Native(stream) => stream.half_close(),
        }
    }

    /// An error when the cancellation is what made a call fail.
    pub(super) fn check_cancelled(&self) -> Result<()> {
        self.attempt.waker().check()
    }

    /// Ends a read or write that an endless supply of bytes would keep from ever blocking.
    fn check(&self) -> io::Result<()> {
        if self.attempt.waker().is_cancelled() {
            Err(io::Error::other("cancelled"))
        } else {
            Ok(())
        }
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket().as_fd()
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.emptied = false;
        self.check()?;
        let read = match &mut self.layer {
            Layer::Plain(socket) => retry(|| (&**socket).read(buffer))?,
            #[cfg(feature = "rustls")]
            Layer::Rustls(stream) => stream.read(buffer)?,
            #[cfg(feature = "native-tls")]
            Layer::Native(stream) => stream.read(buffer)?,
        };
        self.plain.read = self.plain.read.wrapping_add(read);
        self.tell_passed();
        let short = 0 < read && read < buffer.len();
        self.emptied = short
            && match &self.layer {
                Layer::Plain(_) => true,
                #[cfg(feature = "rustls")]
                Layer::Rustls(stream) => stream.is_socket_emptied(),
                // The platform's library gives one record at a time, and may hold others.
                #[cfg(feature = "native-tls")]
                Layer::Native(_) => false,
            };
        Ok(read)
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.check()?;
        let written = match &mut self.layer {
            Layer::Plain(socket) => write_all_that_fits(&mut &**socket, bytes)?,
            #[cfg(feature = "rustls")]
            Layer::Rustls(stream) => stream.write(bytes)?,
            #[cfg(feature = "native-tls")]
            Layer::Native(stream) => stream.write(bytes)?,
        };
        self.plain.written = self.plain.written.wrapping_add(written);
        self.tell_passed();
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = match &mut self.layer {
            Layer::Plain(socket) => (&**socket).flush(),
            #[cfg(feature = "rustls")]
            Layer::Rustls(stream) => stream.flush(),
            #[cfg(feature = "native-tls")]
            Layer::Native(stream) => stream.flush(),
        };
        self.tell_passed();
        result
    }
}
