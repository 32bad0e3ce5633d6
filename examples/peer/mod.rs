//! A small Socket.IO server on loopback, so that examples and tests need no other one.
//!
//! It is built from siot's own codecs, serves one thread per connection, and is good for nothing
//! but trying out: it has no bounds, and looks for something to send every few milliseconds.
#![allow(dead_code, unreachable_pub, reason = "the tests that include it use a part of it")]

mod http;
mod session;
mod socket;
#[cfg(feature = "rustls")]
pub mod tls;
mod websocket;

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;
use siot::internal::Payload;
use siot::{Event, ParserKind, Transport, Value};

use session::Session;
pub use socket::PeerSocket;

/// How often the peer looks whether there is something to do.
const TICK: Duration = Duration::from_millis(5);

/// What a connection runs over.
trait Stream: Read + Write + Send {}

impl<T: Read + Write + Send> Stream for T {}

type Handler = Arc<dyn Fn(&PeerSocket, Event) -> siot::Result<()> + Send + Sync>;
type Admission = dyn Fn(&str, &Value) -> Result<(), Refusal> + Send + Sync;

/// Why a client may not join a namespace.
pub struct Refusal {
    /// The message of the error.
    pub message: String,
    /// What goes with it.
    pub data: Value,
}

/// How a peer behaves.
pub struct Options {
    transports: Vec<Transport>,
    ping_interval: Duration,
    ping_timeout: Duration,
    pings: bool,
    max_payload: usize,
    old: bool,
    parser: ParserKind,
    admit: Box<Admission>,
    handlers: HashMap<String, Handler>,
    #[cfg(feature = "rustls")]
    tls: Option<Arc<rustls::ServerConfig>>,
}

/// A running server. It stops when it is dropped.
pub struct Peer {
    shared: Arc<Shared>,
    address: SocketAddr,
}

/// What the threads of a peer share.
struct Shared {
    options: Options,
    sessions: Mutex<HashMap<String, Arc<Session>>>,
    run: Mutex<Arc<Run>>,
}

/// The time between a start and a stop.
#[derive(Default)]
struct Run {
    stopped: AtomicBool,
    connections: Mutex<Vec<TcpStream>>,
}

impl Options {
    /// How long between two heartbeats, and how long one may be late.
    pub fn ping(mut self, interval: Duration, timeout: Duration) -> Self {
        (self.ping_interval, self.ping_timeout) = (interval, timeout);
        self
    }

    /// Promises heartbeats, and sends none.
    pub fn no_pings(mut self) -> Self {
        self.pings = false;
        self
    }

    /// What clients may use. An upgrade is offered if both are there.
    pub fn transports(mut self, transports: &[Transport]) -> Self {
        self.transports = transports.to_vec();
        self
    }

    /// The largest message and the largest body of a request, in bytes.
    pub fn max_payload(mut self, bytes: usize) -> Self {
        self.max_payload = bytes;
        self
    }

    /// Speaks Engine.IO 3 whatever it is asked for, as servers 1.x and 2.x do. Without this it speaks
    /// what it is asked for, as servers 4.x do with `allowEIO3`.
    pub fn old(mut self) -> Self {
        self.old = true;
        self
    }

    /// How packets are written.
    pub fn parser(mut self, parser: ParserKind) -> Self {
        self.parser = parser;
        self
    }

    /// Decides who may join a namespace, by its name and by what the client sends along.
    pub fn admit(
        mut self,
        admit: impl Fn(&str, &Value) -> Result<(), Refusal> + Send + Sync + 'static,
    ) -> Self {
        self.admit = Box::new(admit);
        self
    }

    /// Calls a function for each event of this name. An error of it ends the session.
    pub fn on(
        mut self,
        event: &str,
        handler: impl Fn(&PeerSocket, Event) -> siot::Result<()> + Send + Sync + 'static,
    ) -> Self {
        self.handlers.insert(event.to_owned(), Arc::new(handler));
        self
    }

    /// Speaks TLS.
    #[cfg(feature = "rustls")]
    pub fn tls(mut self, config: rustls::ServerConfig) -> Self {
        self.tls = Some(Arc::new(config));
        self
    }

    /// Listens on a free port of loopback.
    pub fn start(self) -> io::Result<Peer> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let shared =
            Arc::new(Shared { options: self, sessions: Mutex::default(), run: Mutex::default() });
        shared.serve(listener)?;
        Ok(Peer { shared, address })
    }
}

impl Peer {
    /// A server with the usual options, and with the events that are listed in `socket.rs`.
    pub fn start() -> io::Result<Self> {
        Self::options().start()
    }

    /// Options to change before the start.
    pub fn options() -> Options {
        let options = Options {
            transports: vec![Transport::Polling, Transport::WebSocket],
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            pings: true,
            max_payload: 1_000_000,
            old: false,
            parser: ParserKind::Json,
            admit: Box::new(|_, _| Ok(())),
            handlers: HashMap::new(),
            #[cfg(feature = "rustls")]
            tls: None,
        };
        socket::with_events(options)
    }

    /// The URL of the server.
    pub fn url(&self) -> String {
        #[cfg(feature = "rustls")]
        if self.shared.options.tls.is_some() {
            return format!("https://{}", self.address);
        }
        format!("http://{}", self.address)
    }

    /// Emits an event to everyone in a namespace.
    pub fn emit<T: Serialize>(&self, namespace: &str, event: &str, args: T) -> siot::Result<()> {
        self.shared.broadcast(namespace, &Payload::event(event, &args)?);
        Ok(())
    }

    /// How many sessions there are.
    pub fn sessions(&self) -> usize {
        lock(&self.shared.sessions).len()
    }

    /// Whether a session is on WebSocket.
    pub fn any_on_websocket(&self) -> bool {
        lock(&self.shared.sessions).values().any(|session| session.is_on_websocket())
    }

    /// Cuts all connections and forgets all sessions, but goes on listening.
    pub fn drop_connections(&self) {
        lock(&self.shared.run).cut();
        for (_, session) in lock(&self.shared.sessions).drain() {
            session.close();
        }
    }

    /// Cuts all connections, and refuses new ones until [`Peer::resume`].
    pub fn stop(&self) {
        let run = Arc::clone(&lock(&self.shared.run));
        run.stopped.store(true, Ordering::SeqCst);
        // The listener is closed by its thread, which waits for a connection. While it is open,
        // the port cannot be used again.
        while TcpStream::connect_timeout(&self.address, Duration::from_secs(1)).is_ok() {
            thread::sleep(TICK);
        }
        self.drop_connections();
    }

    /// Listens again, on the same port.
    pub fn resume(&self) -> io::Result<()> {
        let start = Instant::now();
        loop {
            match TcpListener::bind(self.address) {
                Ok(listener) => return self.shared.serve(listener),
                Err(error) if start.elapsed() > Duration::from_secs(5) => return Err(error),
                Err(_) => thread::sleep(TICK),
            }
        }
    }

    /// Stops, and listens again after a while.
    pub fn restart(&self, pause: Duration) -> io::Result<()> {
        self.stop();
        thread::sleep(pause);
        self.resume()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    /// Starts the threads of a run.
    fn serve(self: &Arc<Self>, listener: TcpListener) -> io::Result<()> {
        let run = Arc::new(Run::default());
        *lock(&self.run) = Arc::clone(&run);
        let (shared, of_ticker) = (Arc::clone(self), Arc::clone(&run));
        thread::Builder::new().name("peer-timer".into()).spawn(move || {
            while !of_ticker.stopped.load(Ordering::SeqCst) {
                thread::sleep(TICK);
                lock(&shared.sessions).retain(|_, session| session.tick(&shared.options));
            }
        })?;
        let shared = Arc::clone(self);
        thread::Builder::new().name("peer-accept".into()).spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if run.stopped.load(Ordering::SeqCst) || shared.accept(stream, &run).is_err() {
                    break;
                }
            }
        })?;
        Ok(())
    }

    fn accept(self: &Arc<Self>, stream: TcpStream, run: &Run) -> io::Result<()> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TICK))?;
        stream.set_write_timeout(Some(Duration::from_secs(10)))?;
        let mut connections = lock(&run.connections);
        connections.retain(|connection| connection.peer_addr().is_ok());
        connections.push(stream.try_clone()?);
        drop(connections);
        let shared = Arc::clone(self);
        thread::Builder::new().name("peer-conn".into()).spawn(move || {
            // Whatever ends a connection, the client sees its end.
            let _ = shared.serve_one(&stream);
            let _ = stream.shutdown(Shutdown::Both);
        })?;
        Ok(())
    }

    fn serve_one(self: &Arc<Self>, stream: &TcpStream) -> io::Result<()> {
        #[cfg(feature = "rustls")]
        if let Some(config) = &self.options.tls {
            let connection =
                rustls::ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
            return http::serve(self, rustls::StreamOwned::new(connection, stream));
        }
        http::serve(self, stream)
    }

    /// Sends an event to all who have joined a namespace.
    fn broadcast(&self, namespace: &str, payload: &Payload) {
        for session in lock(&self.sessions).values() {
            session.send_event(namespace, payload, None);
        }
    }
}

impl Run {
    fn cut(&self) {
        for connection in lock(&self.connections).drain(..) {
            // It may have ended already.
            let _ = connection.shutdown(Shutdown::Both);
        }
    }
}

/// A lock; a thread that panicked while it held it has failed its own test already.
fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
