//! A look at the server by a connection of our own: addresses, certificates, and its clock.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::bounded;
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};

use super::authority;
use super::certificates::ChainKeeper;
use super::date;
use super::report::{Finding, Rating, Report};
use super::tunnel::HttpProxy;
use crate::args::connection::ConnectionArgs;
use crate::exit::Outcome;

/// The most that is read of an answer, in bytes.
const MOST_HEAD: usize = 16 * 1024;
/// How long this look may take: it is worth less than the sessions.
const LIMIT: Duration = Duration::from_secs(5);
/// Certificates and tokens are judged by the clock: what differs by less harms nobody.
const SKEW: Duration = Duration::from_secs(30);

/// Where a URL leads.
struct Target {
    secure: bool,
    /// Without brackets.
    host: String,
    port: u16,
}

/// Reports what the server's host shows of itself; `untrusted` where the sessions did not get through TLS, so that
/// nothing of it is known to be true.
pub(super) fn examine(
    connection: &ConnectionArgs,
    uses_proxy: bool,
    untrusted: bool,
    report: &mut Report,
) -> Outcome<()> {
    let proxy = connection.proxy.as_deref().and_then(HttpProxy::of);
    if connection.is_bound() || (uses_proxy && proxy.is_none()) {
        let why = "not looked at with --interface or --local-address, nor through a proxy unless it is \
                   one of HTTP that --proxy names";
        return report.add(Finding::skipped("host", why));
    }
    let Some(target) = Target::of(&connection.url) else {
        return report.add(Finding::skipped("host", "no host in the URL"));
    };
    match dial(&target, proxy.as_ref().filter(|_| uses_proxy), connection.connect_timeout, report)?
    {
        Ok(stream) => {
            report.trust(!(untrusted && target.secure));
            let looked = look(connection, &target, stream, report);
            report.trust(true);
            looked
        }
        Err(error) => report.add(Finding::skipped("host", error.to_string())),
    }
}

/// A connection to the server, or by way of the proxy.
fn dial(
    target: &Target,
    proxy: Option<&HttpProxy>,
    limit: Duration,
    report: &mut Report,
) -> Outcome<io::Result<Timed>> {
    let limit = limit.min(LIMIT);
    let deadline = Instant::now() + limit;
    let (host, port) = proxy.map_or((&target.host, target.port), |proxy| (&proxy.host, proxy.port));
    let addresses = match resolve(host, port, limit) {
        Ok(addresses) => addresses,
        Err(error) => return Ok(Err(error)),
    };
    let shown: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
    let of = if proxy.is_some() { " (of the proxy)" } else { "" };
    report.add(Finding::ok("addresses", shown.join(", ") + of))?;
    let Some(stream) = connect(&addresses, deadline) else {
        return Ok(Err(io::Error::other("none of the addresses takes a connection")));
    };
    let mut stream = Timed { stream, deadline };
    let tunnel = proxy.map_or(Ok(()), |proxy| proxy.ask(&mut stream, &target.host, target.port));
    Ok(tunnel.map(|()| stream))
}

/// Looks at what the server says at first.
fn look(
    connection: &ConnectionArgs,
    target: &Target,
    stream: Timed,
    report: &mut Report,
) -> Outcome<()> {
    if !target.secure {
        return clock(head(stream, &target.host, &connection.path), report);
    }
    let name = connection.server_name.as_deref().unwrap_or(&target.host);
    let recorder = ChainKeeper::new();
    match encrypted(stream, name, &recorder) {
        Err(error) => report.add(Finding::skipped("certificates", error.to_string())),
        Ok(mut stream) => {
            // The request completes the handshake; a server that wants a certificate of ours refuses us
            // behind that.
            let answer = head(&mut stream, &target.host, &connection.path);
            if let (Some(version), Some(suite)) =
                (stream.conn.protocol_version(), stream.conn.negotiated_cipher_suite())
            {
                report.add(Finding::ok("TLS", format!("{version:?}, {:?}", suite.suite())))?;
            }
            for finding in recorder.findings(SystemTime::now()) {
                report.add(finding)?;
            }
            clock(answer, report)
        }
    }
}

impl Target {
    /// Of a URL that the library takes.
    fn of(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let secure = matches!(&*scheme.to_ascii_lowercase(), "https" | "wss");
        let authority = rest.split(['/', '?', '#']).next()?;
        let (host, port) = authority::split(authority, if secure { 443 } else { 80 })?;
        Some(Self { secure, host: host.replace("%25", "%"), port })
    }
}

/// Looks the name up, on a thread, since the system's own limit may be long.
fn resolve(host: &str, port: u16, limit: Duration) -> io::Result<Vec<SocketAddr>> {
    let (sender, found) = bounded(1);
    let host = host.to_owned();
    thread::Builder::new().name("dns".into()).spawn(move || {
        let addresses = (host.as_str(), port).to_socket_addrs().map(Iterator::collect);
        // Nobody may wait any more.
        let _ = sender.send(addresses);
    })?;
    found.recv_timeout(limit).unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

fn connect(addresses: &[SocketAddr], deadline: Instant) -> Option<TcpStream> {
    let mut left = addresses.len();
    addresses.iter().find_map(|address| {
        // Each has its share of the time.
        let time = deadline.saturating_duration_since(Instant::now());
        let share = time / u32::try_from(left).unwrap_or(u32::MAX).max(1);
        left -= 1;
        TcpStream::connect_timeout(address, share.max(Duration::from_millis(1))).ok()
    })
}

fn encrypted(
    stream: Timed,
    name: &str,
    recorder: &Arc<ChainKeeper>,
) -> Result<StreamOwned<ClientConnection, Timed>, Box<dyn std::error::Error>> {
    // The zone of a link-local address means something on this machine only.
    let name = name.split('%').next().unwrap_or(name);
    let name = ServerName::try_from(name.to_owned())?;
    let session = ClientConnection::new(Arc::new(recorder.config()?), name)?;
    Ok(StreamOwned::new(session, stream))
}

/// What a server has answered: the lines of the head, and how long that took.
struct AnswerHead {
    lines: Vec<String>,
    took: Duration,
}

/// Asks for a transport that there is not, which opens no session, and reads the head of the answer. Other paths than
/// this some servers leave without an answer.
fn head(mut stream: impl Read + Write, host: &str, path: &str) -> io::Result<AnswerHead> {
    let path = path.trim_matches('/');
    let host = authority::bracketed(host);
    let start = Instant::now();
    let request = format!(
        "GET /{path}/?EIO=4&transport=none HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    stream.flush()?;
    let (mut head, mut part) = (Vec::new(), [0; 1024]);
    while head.len() < MOST_HEAD && !head.windows(4).any(|four| four == b"\r\n\r\n") {
        match stream.read(&mut part)? {
            0 => break,
            count => head.extend_from_slice(&part[..count]),
        }
    }
    let text = String::from_utf8_lossy(&head);
    let lines = text.split("\r\n").map(str::to_owned).collect();
    Ok(AnswerHead { lines, took: start.elapsed() })
}

/// Compares the server's clock with this machine's.
fn clock(answer: io::Result<AnswerHead>, report: &mut Report) -> Outcome<()> {
    let head = match answer {
        Ok(head) => head,
        Err(error) => return report.add(Finding::skipped("HTTP", error.to_string())),
    };
    // The status says nothing: that it refuses what was asked for is right.
    let program = header(&head, "server").unwrap_or_default();
    report.add(Finding::ok("HTTP", program).took(head.took))?;
    let Some(date) = header(&head, "date").and_then(date::parse) else {
        return report.add(Finding::skipped("clock", "the server tells no time"));
    };
    let now = SystemTime::now();
    let (skew, direction) = match date.duration_since(now) {
        Ok(ahead) => (ahead, "behind"),
        Err(behind) => (behind.duration(), "ahead of"),
    };
    // The date is in whole seconds.
    if skew < SKEW + head.took {
        return report.add(Finding::ok("clock", "as the server's"));
    }
    let detail = format!("this machine's is {} s {direction} the server's", skew.as_secs());
    report.add(
        Finding::new(Rating::Warning, "clock", detail)
            .hint("set the clock: certificates and tokens are judged by it"),
    )
}

fn header<'a>(head: &'a AnswerHead, name: &str) -> Option<&'a str> {
    let pairs = head.lines.iter().filter_map(|line| line.split_once(':'));
    pairs.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
}

/// A stream whose reads and writes end at a deadline.
struct Timed {
    stream: TcpStream,
    deadline: Instant,
}

impl Timed {
    fn left(&self) -> io::Result<Option<Duration>> {
        match self.deadline.saturating_duration_since(Instant::now()) {
            Duration::ZERO => Err(io::ErrorKind::TimedOut.into()),
            left => Ok(Some(left)),
        }
    }
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(self.left()?)?;
        self.stream.read(buffer).map_err(|error| match error.kind() {
            // What the system says of a limit that has passed.
            io::ErrorKind::WouldBlock => {
                io::Error::new(io::ErrorKind::TimedOut, "no answer in time")
            }
            _ => error,
        })
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(self.left()?)?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_leads_to_a_host_and_a_port() {
        for (url, expected) in [
            ("http://h", (false, "h", 80)),
            ("wss://h/x?y#z", (true, "h", 443)),
            ("HTTPS://h:8443", (true, "h", 8443)),
            ("ws://[::1]:3000/x", (false, "::1", 3000)),
            ("ws://[fe80::1%25eth0]", (false, "fe80::1%eth0", 80)),
        ] {
            let target = Target::of(url).unwrap();
            assert_eq!((target.secure, &*target.host, target.port), expected, "{url}");
        }
    }

    #[test]
    fn a_head_that_never_ends_is_not_read_to_its_end() {
        struct Endless;
        impl Read for Endless {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                buffer.fill(b'x');
                Ok(buffer.len())
            }
        }
        impl Write for Endless {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        assert!(head(Endless, "h", "/").unwrap().lines[0].len() <= MOST_HEAD + 1024);
    }
}
