//! The one error type: what kind of failure, at which stage, in whose words, and from what cause.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// The result of every fallible call in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, with its context and cause.
///
/// Cheap to clone: one failed attempt is reported to every socket that waits for it.
///
/// ```
/// let error = siot::io("not a url").unwrap_err();
/// assert_eq!(error.kind(), siot::ErrorKind::InvalidUrl);
/// ```
#[derive(Clone)]
pub struct Error(Arc<Failure>);

/// What an error tells.
#[derive(Clone)]
struct Failure {
    kind: ErrorKind,
    context: Cow<'static, str>,
    hint: Option<Cow<'static, str>>,
    data: Option<Box<str>>,
    timed_out: bool,
    source: Option<Arc<dyn StdError + Send + Sync>>,
    address: Option<SocketAddr>,
    elapsed: Option<Duration>,
    retry_after: Option<Duration>,
    retry_in: Option<Duration>,
    fatal: bool,
}

/// The families of errors, by whose fault they are and at which stage they appear.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The caller gave a URL that cannot be used.
    InvalidUrl,
    /// The caller gave an option a value outside its range, or options that exclude each other.
    InvalidOption,
    /// The caller used an event name that the protocol reserves for itself.
    ReservedEvent,
    /// The caller's data cannot be encoded, or received data is not of the type asked for.
    Payload,
    /// The packet is larger than the peer or the configured [`Limits`](crate::Limits) allow.
    TooLarge,
    /// A bounded buffer is full: an event to send found no room, or what is awaited lies behind
    /// events that a consumer does not take.
    BufferFull,
    /// The event was taken back before it was sent: by
    /// [`Socket::take_waiting`](crate::Socket::take_waiting), or by a newer one with the same key
    /// ([`Emitter::coalesce`](crate::Emitter::coalesce)).
    Withdrawn,
    /// This build or this TLS backend cannot do what was asked for.
    Unsupported,
    /// A deadline passed.
    Timeout,
    /// The connection was lost, or closed, before the operation was finished.
    Disconnected,
    /// The connection ended again and again while this event was on its way: it may be what the
    /// server cannot bear, or takes for too large. It was sent several times, and may have arrived.
    Undeliverable,
    /// An attempt to connect failed, at the given stage.
    Connect(Stage),
    /// The server refused the namespace; [`Error::data`] has what it sent along.
    Refused,
    /// The peer broke the Engine.IO or Socket.IO protocol.
    Protocol,
    /// An established transport failed.
    Transport,
    /// The operating system refused a resource: a thread, a descriptor.
    Resource,
    /// The store of an outbox cannot be written or read: the disk is full, the file system is
    /// read-only, the file is in use. The source of the error says which.
    Storage,
    /// What the store of an outbox has written is not what it reads.
    Damaged,
}

/// The steps of an attempt to connect, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Stage {
    /// Looking up the host name.
    Dns,
    /// Opening the TCP connection.
    Tcp,
    /// Asking a proxy for the way.
    Proxy,
    /// The TLS handshake.
    Tls,
    /// The HTTP request or the WebSocket handshake.
    Http,
    /// The Engine.IO handshake.
    Engine,
    /// Joining the Socket.IO namespace.
    Namespace,
}

/// How far an attempt to connect has come.
#[derive(Clone, Debug)]
pub(crate) struct Reached {
    pub(crate) stage: Stage,
    /// The address that is connected.
    pub(crate) address: Option<SocketAddr>,
    /// The addresses that are not, and what is known of each, in words.
    pub(crate) tried: String,
}

impl From<Stage> for Reached {
    fn from(stage: Stage) -> Self {
        Self { stage, address: None, tried: String::new() }
    }
}

impl Reached {
    /// The error of an attempt whose time was up here; `what` says which limit it had.
    pub(crate) fn too_late(&self, what: &str) -> Error {
        let colon = if self.tried.is_empty() { "" } else { ": " };
        let what = format!("{what}{colon}{}", self.tried);
        let error = Error::new(ErrorKind::Connect(self.stage), what).timed_out();
        let hint = match self.stage {
            Stage::Dns => "is there a network, and does its name server answer?",
            Stage::Tcp => "is the address right, or does a firewall swallow what is sent there?",
            Stage::Tls | Stage::Http => {
                "the server takes connections and does not answer: is it overloaded, or no web \
                 server?"
            }
            Stage::Proxy | Stage::Engine | Stage::Namespace => return error,
        };
        error.with_hint(hint)
    }
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, context: impl Into<Cow<'static, str>>) -> Self {
        Self(Arc::new(Failure {
            kind,
            context: context.into(),
            hint: None,
            data: None,
            timed_out: false,
            source: None,
            address: None,
            elapsed: None,
            retry_after: None,
            retry_in: None,
            fatal: false,
        }))
    }

    pub(crate) fn with_source(self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.change(|failure| failure.source = Some(source.into().into()))
    }

    pub(crate) fn with_hint(self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.change(|failure| failure.hint = Some(hint.into()))
    }

    pub(crate) fn with_data(self, data: impl Into<Box<str>>) -> Self {
        self.change(|failure| failure.data = Some(data.into()))
    }

    /// The same failure, as one of an attempt to connect.
    #[cfg(feature = "polling")]
    pub(crate) fn with_kind(self, kind: ErrorKind) -> Self {
        self.change(|failure| failure.kind = kind)
    }

    /// Notes that a deadline ended it, where the kind says something else.
    pub(crate) fn timed_out(self) -> Self {
        self.change(|failure| failure.timed_out = true)
    }

    /// Which address was tried, and how long the attempt took.
    pub(crate) fn with_attempt(self, address: Option<SocketAddr>, elapsed: Duration) -> Self {
        self.change(|failure| {
            failure.address = address;
            failure.elapsed = Some(elapsed);
        })
    }

    pub(crate) fn with_retry_after(self, delay: Duration) -> Self {
        self.change(|failure| failure.retry_after = Some(delay))
    }

    /// When the next attempt follows by itself.
    pub(crate) fn with_retry_in(self, delay: Option<Duration>) -> Self {
        self.change(|failure| failure.retry_in = delay)
    }

    /// The same attempt will fail in the same way.
    pub(crate) fn fatal(self) -> Self {
        self.change(|failure| failure.fatal = true)
    }

    /// Changes a value that was just made and so has no other owner; a shared one stays as it is.
    fn change(mut self, change: impl FnOnce(&mut Failure)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    /// The family of this error.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The stage at which an attempt to connect failed.
    ///
    /// A deadline that passed in an attempt has the stage that it cut short.
    pub fn stage(&self) -> Option<Stage> {
        match self.0.kind {
            ErrorKind::Connect(stage) => Some(stage),
            ErrorKind::Refused => Some(Stage::Namespace),
            _ => None,
        }
    }

    /// One sentence of what happened, without kind, hint and cause.
    ///
    /// For a refused namespace it is the server's message, as it came but for its length: what is
    /// beyond 512 bytes is left out. Where the error is displayed, control characters in it are
    /// shown as escapes.
    pub fn message(&self) -> &str {
        &self.0.context
    }

    /// What to try, where that can be known.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// The JSON that the server sent with a refusal (`err.data` of its middleware), unless it is
    /// longer than 16 KiB.
    pub fn data(&self) -> Option<&str> {
        self.0.data.as_deref()
    }

    /// The address that answered, or failed to, in a failed attempt to connect. Where several were
    /// tried in vain, [`message`](Error::message) names them all.
    pub fn address(&self) -> Option<SocketAddr> {
        self.0.address
    }

    /// How long a failed attempt to connect took.
    pub fn elapsed(&self) -> Option<Duration> {
        self.0.elapsed
    }

    /// How long the server asks to be left alone (`Retry-After`). Reconnection honours up to five
    /// minutes of it.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// How long after this failure the next attempt follows by itself; `None` when none does, until
    /// somebody calls [`Socket::connect`](crate::Socket::connect).
    ///
    /// It is known for errors that [`Status`](crate::Status)es and
    /// [`ManagerEvent`](crate::ManagerEvent)s have, and counted from when they are told. See
    /// [`Status::retry_in`](crate::Status::retry_in).
    pub fn retry_in(&self) -> Option<Duration> {
        self.0.retry_in
    }

    /// Whether trying again is likely to fail in the same way until somebody changes something:
    /// an option, the credentials, a certificate.
    ///
    /// Reconnection goes on all the same, because that somebody may be at the server, but at
    /// [`reconnection_delay_max`](crate::Builder::reconnection_delay_max).
    pub fn is_fatal(&self) -> bool {
        use ErrorKind as K;
        self.0.fatal
            || matches!(
                self.0.kind,
                K::InvalidUrl | K::InvalidOption | K::ReservedEvent | K::Payload | K::Unsupported
            )
    }

    /// Whether a deadline passed: that of the operation, or that of an attempt to connect.
    pub fn is_timeout(&self) -> bool {
        self.0.timed_out || self.0.kind == ErrorKind::Timeout
    }

    /// Whether the connection was lost or closed before the operation was finished.
    pub fn is_disconnected(&self) -> bool {
        self.0.kind == ErrorKind::Disconnected
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.kind {
            // The words of the server, who must not be able to forge a line of a log.
            ErrorKind::Refused => write!(f, "{}: {}", self.0.kind, Escaped(&self.0.context))?,
            kind => write!(f, "{kind}: {}", self.0.context)?,
        }
        if let Some(source) = &self.0.source {
            write!(f, ": {source}")?;
        }
        if let Some(hint) = &self.0.hint {
            write!(f, " ({hint})")?;
        }
        match (&self.0.address, self.0.elapsed) {
            (Some(address), Some(elapsed)) => {
                write!(f, " [{address}, after {} ms]", millis(elapsed))
            }
            (None, Some(elapsed)) => write!(f, " [after {} ms]", millis(elapsed)),
            _ => Ok(()),
        }
    }
}

/// What `as_millis` gives, in a type that is printed anyhow: the other one has code of its own.
fn millis(time: Duration) -> u64 {
    time.as_millis().try_into().unwrap_or(u64::MAX)
}

/// Text of a peer, in which what cannot be printed is shown as escapes.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|char| match char {
            '"' | '\'' | '\\' => fmt::Write::write_char(f, char),
            _ => write!(f, "{}", char.escape_debug()),
        })
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("context", &self.0.context)
            .field("hint", &self.0.hint)
            .field("data", &self.0.data)
            .field("source", &self.0.source)
            .finish_non_exhaustive()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InvalidUrl => "invalid URL",
            Self::InvalidOption => "invalid option",
            Self::ReservedEvent => "reserved event name",
            Self::Payload => "payload",
            Self::TooLarge => "too large",
            Self::BufferFull => "buffer full",
            Self::Withdrawn => "withdrawn",
            Self::Unsupported => "not supported",
            Self::Timeout => "timeout",
            Self::Disconnected => "disconnected",
            Self::Undeliverable => "undeliverable",
            Self::Connect(stage) => return write!(f, "cannot connect, {stage}"),
            Self::Refused => "refused by the server",
            Self::Protocol => "protocol error",
            Self::Transport => "transport error",
            Self::Resource => "system resource",
            Self::Storage => "storage",
            Self::Damaged => "damaged",
        })
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dns => "DNS",
            Self::Tcp => "TCP",
            Self::Proxy => "proxy",
            Self::Tls => "TLS",
            Self::Http => "HTTP",
            Self::Engine => "Engine.IO",
            Self::Namespace => "namespace",
        })
    }
}

/// The start of what a peer sent, fit for an error message: escaped, and at most 60 bytes of it.
pub(crate) fn snippet(bytes: &[u8]) -> String {
    const LIMIT: usize = 60;
    let shown = &bytes[..bytes.len().min(LIMIT)];
    let mut text: String =
        String::from_utf8_lossy(shown).chars().flat_map(char::escape_debug).collect();
    if bytes.len() > LIMIT {
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_word_wide() {
        assert_eq!(size_of::<Error>(), size_of::<usize>());
    }

    #[test]
    fn display_gives_kind_context_cause_and_hint() {
        let error = Error::new(ErrorKind::Connect(Stage::Tcp), "10.0.0.1:80")
            .with_source("connection refused")
            .with_hint("is the server running?");
        assert_eq!(
            error.to_string(),
            "cannot connect, TCP: 10.0.0.1:80: connection refused (is the server running?)"
        );
        assert_eq!(error.stage(), Some(Stage::Tcp));
    }

    #[test]
    fn what_a_server_says_is_displayed_in_one_line_and_given_raw() {
        let said = "no\nERROR root: all is lost \u{1b}[2J\u{2028}\u{202e}\0 \"it's\" C:\\ ä€";
        let error = Error::new(ErrorKind::Refused, said);
        assert_eq!(error.message(), said);
        assert_eq!(
            error.to_string(),
            "refused by the server: no\\nERROR root: all is lost \\u{1b}[2J\\u{2028}\\u{202e}\\0 \
             \"it's\" C:\\ ä€"
        );
    }

    #[test]
    fn a_shared_error_takes_more_context() {
        let shared = Error::new(ErrorKind::Connect(Stage::Tls), "late").with_source("a cause");
        let address = SocketAddr::from(([10, 0, 0, 1], 80));
        let error = shared.clone().timed_out();
        let error = error.with_attempt(Some(address), Duration::from_millis(7));
        assert_eq!(
            error.to_string(),
            "cannot connect, TLS: late: a cause [10.0.0.1:80, after 7 ms]"
        );
        assert_eq!((error.stage(), error.is_timeout()), (Some(Stage::Tls), true));
        assert_eq!(shared.to_string(), "cannot connect, TLS: late: a cause");
        assert!(!shared.is_timeout());
    }

    #[test]
    fn an_attempt_that_takes_too_long_tells_what_it_has_come_to() {
        let mut reached = Reached::from(Stage::Tcp);
        reached.tried = "10.0.0.1:80: no answer".to_owned();
        let error = reached.too_late("not done within 1s");
        assert_eq!((error.stage(), error.is_timeout()), (Some(Stage::Tcp), true));
        assert_eq!(error.message(), "not done within 1s: 10.0.0.1:80: no answer");
        assert!(error.hint().is_some_and(|hint| hint.contains("firewall")), "{error}");
    }

    #[test]
    fn a_mistake_of_the_caller_is_fatal_and_a_lost_connection_is_not() {
        assert!(Error::new(ErrorKind::InvalidOption, "x").is_fatal());
        let lost = Error::new(ErrorKind::Connect(Stage::Http), "x");
        assert!(!lost.is_fatal() && lost.fatal().is_fatal());
    }

    #[test]
    fn a_snippet_is_escaped_and_short() {
        assert_eq!(snippet(b"a\r\n\0"), "a\\r\\n\\0");
        assert!(snippet(&[b'x'; 1000]).len() < 70);
    }
}
