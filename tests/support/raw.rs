//! A peer that does, byte by byte, what a test tells it: for answers that no real server gives.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tungstenite::WebSocket;
use tungstenite::protocol::Role;

/// A listener on loopback that runs a closure for each connection, each in its own thread.
///
/// Dropping it closes all connections and waits for the closures; a panic in one of them fails the test.
pub(crate) struct RawPeer {
    address: SocketAddr,
    shared: Arc<Accepting>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Accepting {
    closing: AtomicBool,
    /// By number of the connection; emptied when its closure has returned, so that it closes then.
    streams: Mutex<Vec<Option<TcpStream>>>,
    handlers: Mutex<Vec<JoinHandle<()>>>,
}

/// One accepted connection.
pub(crate) struct RawConnection {
    /// How many connections came before this one.
    pub(crate) number: usize,
    reader: BufReader<TcpStream>,
}

/// A request as it came; only bodies with `Content-Length` are understood.
#[derive(Debug)]
pub(crate) struct RawRequest {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    /// Names in lower case, in their order.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl RawPeer {
    /// Listens on a free port. An I/O error that the closure returns just ends the connection.
    pub(crate) fn start<F>(handle: F) -> Self
    where
        F: Fn(RawConnection) -> io::Result<()> + Send + Sync + 'static,
    {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a loopback port");
        let address = listener.local_addr().expect("a bound address");
        let shared = Arc::new(Accepting::default());
        let acceptor = spawn("test-peer", {
            let shared = Arc::clone(&shared);
            move || shared.accept(&listener, &Arc::new(handle))
        });
        Self { address, shared, acceptor: Some(acceptor) }
    }

    /// A peer that upgrades every connection to WebSocket and runs the closure on that.
    pub(crate) fn websocket<F>(handle: F) -> Self
    where
        F: Fn(&mut WebSocket<TcpStream>, usize) -> tungstenite::Result<()> + Send + Sync + 'static,
    {
        Self::start(move |connection| {
            let number = connection.number;
            let mut socket = connection.accept_websocket()?;
            handle(&mut socket, number).map_err(io::Error::other)
        })
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many connections were accepted so far.
    pub(crate) fn accepted(&self) -> usize {
        lock(&self.shared.streams).len()
    }
}

impl Accepting {
    fn accept<F>(self: &Arc<Self>, listener: &TcpListener, handle: &Arc<F>)
    where
        F: Fn(RawConnection) -> io::Result<()> + Send + Sync + 'static,
    {
        for (number, stream) in listener.incoming().enumerate() {
            let Ok(stream) = stream else { return };
            if self.closing.load(Ordering::SeqCst) {
                return;
            }
            let Ok(copy) = stream.try_clone() else { return };
            lock(&self.streams).push(Some(copy));
            let handle = Arc::clone(handle);
            let end = End { shared: Arc::clone(self), number };
            let handler = spawn("test-peer-conn", move || {
                let _end = end;
                // The other side leaves when it likes: not a failure of the peer.
                let _ = handle(RawConnection { number, reader: BufReader::new(stream) });
            });
            lock(&self.handlers).push(handler);
        }
    }
}

/// Closes the peer's copy of a connection when its closure returns or panics.
struct End {
    shared: Arc<Accepting>,
    number: usize,
}

impl Drop for End {
    fn drop(&mut self) {
        if let Some(stream) = lock(&self.shared.streams).get_mut(self.number) {
            *stream = None;
        }
    }
}

impl Drop for RawPeer {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::SeqCst);
        // Wakes the acceptor.
        let _ = TcpStream::connect(self.address);
        let mut results: Vec<_> = self.acceptor.take().map(JoinHandle::join).into_iter().collect();
        for stream in lock(&self.shared.streams).iter().flatten() {
            let _ = stream.shutdown(Shutdown::Both);
        }
        let handlers: Vec<_> = lock(&self.shared.handlers).drain(..).collect();
        results.extend(handlers.into_iter().map(JoinHandle::join));
        let panic = results.into_iter().find_map(Result::err);
        if let (Some(panic), false) = (panic, thread::panicking()) {
            resume_unwind(panic);
        }
    }
}

impl RawConnection {
    /// Reads one request; an error of kind `UnexpectedEof` if the other side has closed.
    pub(crate) fn read_request(&mut self) -> io::Result<RawRequest> {
        let mut request = self.read_head()?;
        request.body.resize(request.length(), 0);
        self.reader.read_exact(&mut request.body)?;
        Ok(request)
    }

    /// Reads one request up to its body, which is then to be taken out of
    /// [`reader`](Self::reader).
    pub(crate) fn read_head(&mut self) -> io::Result<RawRequest> {
        let first = self.read_line()?;
        let mut words = first.split(' ').map(str::to_owned);
        let (method, target) = words.next().zip(words.next()).ok_or(io::ErrorKind::InvalidData)?;
        let mut headers = Vec::new();
        loop {
            let line = self.read_line()?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').ok_or(io::ErrorKind::InvalidData)?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let request = RawRequest { method, target, headers, body: Vec::new() };
        assert!(
            request.header("transfer-encoding").is_none(),
            "a body of unknown length: {request:?}"
        );
        Ok(request)
    }

    /// Where what the other side sends is read.
    pub(crate) fn reader(&mut self) -> &mut impl Read {
        &mut self.reader
    }

    fn read_line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.reader.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end_matches(['\r', '\n']).to_owned())
    }

    /// Writes a response with `Content-Length`, and with more header lines (`"A: b\r\n"`) if given.
    pub(crate) fn respond(&mut self, status: u16, headers: &str, body: &[u8]) -> io::Result<()> {
        let length = body.len();
        let head = format!("HTTP/1.1 {status} Test\r\nContent-Length: {length}\r\n{headers}\r\n");
        self.write(&[head.as_bytes(), body].concat())
    }

    /// Writes exactly these bytes.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream().write_all(bytes)
    }

    /// Writes the bytes one at a time with a pause after each.
    pub(crate) fn drip(&mut self, bytes: &[u8], pause: Duration) -> io::Result<()> {
        self.stream().set_nodelay(true)?;
        for byte in bytes {
            self.write(&[*byte])?;
            thread::sleep(pause);
        }
        Ok(())
    }

    /// Waits, reading and forgetting, until the other side closes or this peer is dropped.
    pub(crate) fn hold(mut self) -> io::Result<()> {
        io::copy(&mut self.reader, &mut io::sink()).map(drop)
    }

    /// Ends the connection by a reset instead of an orderly end.
    pub(crate) fn reset(self) -> io::Result<()> {
        // Connecting a TCP socket to no address resets it, whoever else holds a copy of it.
        rustix::net::connect_unspec(self.stream())?;
        Ok(())
    }

    /// Reads a request and accepts it as an upgrade to WebSocket.
    pub(crate) fn accept_websocket(mut self) -> io::Result<WebSocket<TcpStream>> {
        let request = self.read_request()?;
        self.upgrade(&request)
    }

    /// Accepts the upgrade request that [`read_request`](Self::read_request) returned.
    pub(crate) fn upgrade(self, request: &RawRequest) -> io::Result<WebSocket<TcpStream>> {
        let (stream, early) = self.upgrade_stream(request)?;
        Ok(WebSocket::from_partially_read(stream, early, Role::Server, None))
    }

    /// Accepts an upgrade request; gives the connection, and what has been read of it already.
    pub(crate) fn upgrade_stream(
        mut self,
        request: &RawRequest,
    ) -> io::Result<(TcpStream, Vec<u8>)> {
        let key = request.header("sec-websocket-key").ok_or(io::ErrorKind::InvalidData)?;
        let accept = tungstenite::handshake::derive_accept_key(key.as_bytes());
        let head = format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\r\n"
        );
        self.write(head.as_bytes())?;
        let early = self.reader.buffer().to_vec();
        Ok((self.reader.into_inner(), early))
    }

    /// The connection itself, for what no helper does.
    pub(crate) fn stream(&self) -> &TcpStream {
        self.reader.get_ref()
    }
}

impl RawRequest {
    /// The length of its body, in bytes.
    pub(crate) fn length(&self) -> usize {
        self.header("content-length").map_or(0, |text| text.parse().expect("a length"))
    }

    /// The value of a header; the name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The value of a parameter in the query.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        let (_, query) = self.target.split_once('?')?;
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find_map(|(key, value)| (key == name).then_some(value))
    }

    /// Whether the request asks for an upgrade to WebSocket.
    pub(crate) fn is_upgrade(&self) -> bool {
        self.header("upgrade").is_some()
    }
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    thread::Builder::new().name(name.into()).spawn(body).expect("a thread")
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
