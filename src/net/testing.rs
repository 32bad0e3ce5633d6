//! What the tests of this floor share: peers made by hand, and limits instead of sleeps.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::attempt::Attempt;
use super::request::Request;
use super::waker::Waker;
use super::{Net, NetOptions};
use crate::error::{Error, ErrorKind, Result};
use crate::options::Tls;
use crate::options::endpoint::Endpoint;

/// How long anything may take that should be quick, on a busy machine.
pub(super) const LIMIT: Duration = Duration::from_secs(60);

/// The limit on messages of [`net`].
pub(super) const MAX_MESSAGE: usize = 1 << 20;

/// How much may wait for a consumer.
const RECEIVE_BYTES: usize = 1 << 20;

/// A network without TLS options.
pub(super) fn net() -> Arc<Net> {
    net_with(Tls::default())
}

/// A network with TLS options.
pub(super) fn net_with(tls: Tls) -> Arc<Net> {
    let options = NetOptions {
        tls,
        max_message: MAX_MESSAGE,
        receive_bytes: RECEIVE_BYTES,
        ..NetOptions::default()
    };
    Arc::new(Net::new(options).unwrap())
}

/// An attempt that nobody has used yet.
pub(super) fn attempt() -> Arc<Attempt> {
    Arc::new(Attempt::new(Arc::new(Waker::new().unwrap()), None))
}

/// A request to a listener, with `secure` for TLS.
pub(super) fn request_to(listener: &TcpListener, secure: bool) -> Request {
    let address = listener.local_addr().unwrap();
    Request {
        endpoint: Endpoint { secure, host: address.ip().to_string(), port: address.port() },
        path_and_query: "/socket.io/?EIO=4".to_owned(),
        headers: Vec::new(),
    }
}

/// Runs a server, which has the listener to itself, in a thread; and a request to it.
pub(super) fn serve<T: Send + 'static>(
    server: impl FnOnce(TcpListener) -> T + Send + 'static,
) -> (Request, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let request = request_to(&listener, false);
    (request, thread::spawn(move || server(listener)))
}

/// Accepts a connection whose reads fail rather than block a test for ever.
pub(super) fn accept(listener: &TcpListener) -> TcpStream {
    let stream = listener.accept().unwrap().0;
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream
}

/// Reads an HTTP request up to the empty line behind its headers.
pub(super) fn read_head(stream: &mut impl Read) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

/// The value of a header, as the peer sent it.
pub(super) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (found, value) = line.split_once(": ")?;
        found.eq_ignore_ascii_case(name).then_some(value)
    })
}

/// Accepts a WebSocket by hand and returns the stream behind the handshake.
pub(super) fn accept_websocket(listener: &TcpListener) -> TcpStream {
    shake_hands_on(accept(listener))
}

/// The same on a stream that was accepted.
pub(super) fn shake_hands_on(mut stream: TcpStream) -> TcpStream {
    let head = read_head(&mut stream);
    let key = header(&head, "sec-websocket-key").unwrap();
    let accept = tungstenite::handshake::derive_accept_key(key.as_bytes());
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    stream.write_all(answer.as_bytes()).unwrap();
    stream
}

/// Runs something in a thread; what it returns comes through the channel.
pub(super) fn spawn<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> Receiver<T> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let _ = sender.send(run());
    });
    receiver
}

/// Runs something that blocks, cancels it once the peer says that it is there, and checks that
/// it then ends with nothing but that.
pub(super) fn cancel_ends<T: Send + 'static>(
    there: &Receiver<()>,
    run: impl FnOnce(&Arc<Attempt>) -> Result<T> + Send + 'static,
) -> Arc<Attempt> {
    let attempt = attempt();
    let of_thread = Arc::clone(&attempt);
    let ended = spawn(move || run(&of_thread).map(drop));
    there.recv_timeout(LIMIT).unwrap();
    attempt.waker().cancel();
    let error = ended.recv_timeout(LIMIT).expect("still blocked").unwrap_err();
    assert_cancelled(&error);
    attempt
}

pub(super) fn assert_cancelled(error: &Error) {
    assert_eq!((error.kind(), error.message()), (ErrorKind::Disconnected, "cancelled"), "{error}");
}

/// A server that waits for the first byte, says so, and is silent until the client goes.
pub(super) fn silent(there: Sender<()>) -> impl FnOnce(TcpListener) + Send + 'static {
    move |listener| {
        let mut stream = accept(&listener);
        stream.read_exact(&mut [0]).unwrap();
        there.send(()).unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    }
}

/// Waits until there is something to read, or with `write` room to write too.
#[cfg(feature = "server")]
pub(super) fn wait_for(socket: &impl std::os::fd::AsFd, write: bool) {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    let mut wanted = PollFlags::IN;
    wanted.set(PollFlags::OUT, write);
    let limit = Timespec::try_from(LIMIT).unwrap();
    let ready = poll(&mut [PollFd::new(socket, wanted)], Some(&limit)).unwrap();
    assert_eq!(ready, 1, "nothing came");
}
