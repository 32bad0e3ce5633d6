//! The one error type: what kind of failure, at which stage, in whose words, and from what cause.

pub(crate) mod flight_record;
mod kind;
mod own;
pub(crate) mod reached;

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use self::flight_record::FlightRecord;
pub use self::kind::{ErrorKind, Stage};

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
    /// Where it ended an attempt, and the kind does not say so.
    stage: Option<Stage>,
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
    refuses_revision: bool,
    record: Option<FlightRecord>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, context: impl Into<Cow<'static, str>>) -> Self {
        Self(Arc::new(Failure {
            kind,
            stage: None,
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
            refuses_revision: false,
            record: None,
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

    /// The same failure, with another text.
    pub(crate) fn with_context(self, context: impl Into<Cow<'static, str>>) -> Self {
        self.change(|failure| failure.context = context.into())
    }

    /// Adds what to try, where nothing is known yet.
    pub(crate) fn or_hint(self, hint: impl Into<Cow<'static, str>>) -> Self {
        if self.0.hint.is_some() { self } else { self.with_hint(hint) }
    }

    /// The same failure, which has ended an attempt to connect at this stage, unless it tells another.
    pub(crate) fn of_attempt(self, stage: Stage) -> Self {
        match self.0.kind {
            ErrorKind::Transport | ErrorKind::Disconnected => {
                self.change(|failure| failure.kind = ErrorKind::Connect(stage))
            }
            _ if self.stage().is_some() => self,
            _ => self.change(|failure| failure.stage = Some(stage)),
        }
    }

    /// The same failure, which has ended an open session: by long-polling, that too takes new
    /// connections.
    pub(crate) fn of_session(self) -> Self {
        let ErrorKind::Connect(stage) = self.0.kind else {
            return if self.0.stage.is_some() {
                self.change(|failure| failure.stage = None)
            } else {
                self
            };
        };
        self.change(|failure| {
            failure.kind = ErrorKind::Transport;
            failure.elapsed = None;
            if stage < Stage::Http {
                let what = std::mem::take(&mut failure.context);
                failure.context = format!("no connection for a request, {stage}: {what}").into();
            }
        })
    }

    /// The same failure, which has ended the move of an open session to a second transport.
    pub(crate) fn of_upgrade(self) -> Self {
        let ErrorKind::Connect(stage) = self.0.kind else { return self };
        self.change(|failure| {
            let timed_out = failure.timed_out;
            failure.kind = if timed_out { ErrorKind::Timeout } else { ErrorKind::Transport };
            failure.stage = Some(stage);
        })
    }

    /// Notes that a deadline ended it, where the kind says something else.
    pub(crate) fn timed_out(self) -> Self {
        self.change(|failure| failure.timed_out = true)
    }

    /// Which address was tried, and how long the attempt took, or the session lasted, unless that is
    /// known.
    pub(crate) fn or_attempt(self, address: Option<SocketAddr>, elapsed: Duration) -> Self {
        if self.0.elapsed.is_some() { self } else { self.with_attempt(address, elapsed) }
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

    /// The server says that it does not speak the revision it was asked in.
    pub(crate) fn refusing_revision(self) -> Self {
        self.change(|failure| failure.refuses_revision = true)
    }

    pub(crate) fn refuses_revision(&self) -> bool {
        self.0.refuses_revision
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

    /// The stage at which an attempt to connect failed, whatever the kind, or an attempt to move an
    /// open session to another transport.
    ///
    /// A deadline that passed in an attempt has the stage that it cut short. What ends an open session
    /// has none.
    pub fn stage(&self) -> Option<Stage> {
        match self.0.kind {
            ErrorKind::Connect(stage) => Some(stage),
            ErrorKind::Refused => Some(Stage::Namespace),
            _ => self.0.stage,
        }
    }

    /// One sentence of what happened, without kind, hint and cause.
    ///
    /// For a refused namespace it is the server's message, as it came but for its length: what is
    /// beyond 64 KiB is left out, or beyond 512 bytes where a namespace stays joined. Where the error is
    /// displayed, what is beyond 512 bytes is left out too, and control characters are shown as escapes.
    pub fn message(&self) -> &str {
        &self.0.context
    }

    /// Kind and message, in which a peer's words are on one line.
    pub(crate) fn words(&self) -> String {
        format!("{}: {}", self.0.kind, Escaped(&self.0.context))
    }

    /// What to try, where that can be known.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// The JSON that the server sent with a refusal (`err.data` of its middleware), unless it is
    /// longer than 64 KiB.
    pub fn data(&self) -> Option<&str> {
        self.0.data.as_deref()
    }

    /// The address that answered, or failed to, in a failed attempt to connect, or that the session
    /// led to which was lost. Where several were tried in vain, [`message`](Error::message) names them all.
    pub fn address(&self) -> Option<SocketAddr> {
        self.0.address
    }

    /// How long a failed attempt to connect took, or how long the session had lasted that was lost.
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

/// What happened, and what to try: kind, message, hint, address and time. The cause is
/// [`source`](StdError::source)'s to tell; with `{:#}` the causes are displayed too, as in
/// `no such file: permission denied`.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.kind {
            // The words of the server, who must not be able to forge a line of a log.
            ErrorKind::Refused => {
                write!(f, "{}: {}", self.0.kind, PeerWords(&self.0.context))?;
            }
            // It is the cause that says something.
            ErrorKind::Other => f.write_str(&self.0.context)?,
            kind => write!(f, "{kind}: {}", self.0.context)?,
        }
        if f.alternate() {
            self.write_causes(f)?;
        }
        if let Some(hint) = &self.0.hint {
            write!(f, " ({hint})")?;
        }
        match (&self.0.address, self.0.elapsed) {
            (Some(address), Some(elapsed)) => {
                write!(f, " [{address}, after {}]", Rounded(elapsed))
            }
            (None, Some(elapsed)) => write!(f, " [after {}]", Rounded(elapsed)),
            _ => Ok(()),
        }
    }
}

impl Error {
    /// The causes, but for one whose words the message has already.
    fn write_causes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.source.as_deref() {
            None => Ok(()),
            Some(source) => match source.downcast_ref::<Self>() {
                Some(cause) if self.0.context.contains(&cause.words()) => cause.write_causes(f),
                // It quotes what the peer has sent, however long that is.
                None if self.0.kind == ErrorKind::Payload => {
                    write!(f, ": {}", PeerWords(&source.to_string()))
                }
                _ => write!(f, ": {source:#}"),
            },
        }
    }
}

/// A time, as exact as somebody wants to read it: `"30 ms"`, `"45 s"`.
pub(crate) struct Rounded(pub(crate) Duration);

impl fmt::Display for Rounded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What `as_millis` gives, in a type that is printed anyhow: the other one has code of its own.
        let millis = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        let is_whole = millis > 0 && millis % 1000 == 0;
        if millis < 10_000 && !is_whole {
            write!(f, "{millis} ms")
        } else {
            write!(f, "{} s", millis / 1000)
        }
    }
}

/// How much of what a peer says is displayed, in bytes.
const MOST_SHOWN: usize = 512;

/// The start of a text: as many whole characters as fit into so many bytes.
pub(crate) fn start_of(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or_default()]
}

/// The start of a peer's text, as [`Escaped`] shows it.
pub(crate) struct PeerWords<'a>(pub(crate) &'a str);

impl fmt::Display for PeerWords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start = start_of(self.0, MOST_SHOWN);
        write!(f, "{}", Escaped(start))?;
        if start.len() < self.0.len() { f.write_str("…") } else { Ok(()) }
    }
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

/// For people, since this is what a `main` that fails and an `unwrap` print: the same as `{:#}`. With
/// `{:#?}` it is each field.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !f.alternate() {
            return write!(f, "{self:#}");
        }
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
mod tests;
