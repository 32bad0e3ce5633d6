//! Errors of the program's own, from functions that siot calls.

use std::error::Error as StdError;
use std::io;

use super::{Error, ErrorKind, Stage};

impl Error {
    /// An error of the program's own, for a function that siot calls and that has to give an error of
    /// this type ([`Builder::auth_with`](crate::Builder::auth_with)). Its
    /// [`source`](std::error::Error::source) is what is given here.
    ///
    /// ```
    /// use std::error::Error as _;
    ///
    /// let error = siot::Error::other("no token".parse::<u32>().unwrap_err());
    /// assert!(error.source().unwrap().is::<std::num::ParseIntError>());
    /// ```
    pub fn other(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(ErrorKind::Other, "an error of the program's own").with_source(error)
    }

    /// The same failure as one of an attempt, at this stage, if it is one of the program's own: of the
    /// function that was asked.
    pub(crate) fn of_function(self, stage: Stage, option: &str) -> Self {
        if self.kind() != ErrorKind::Other {
            return self;
        }
        let what = format!("the function of {option} failed");
        self.change(|failure| {
            failure.kind = ErrorKind::Connect(stage);
            failure.context = what.into();
        })
    }
}

/// As [`Error::other`], so that `?` does in a function that siot calls. An error of siot's that became an
/// [`io::Error`] before is itself again.
impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        error.downcast().unwrap_or_else(Self::other)
    }
}

/// So that `?` does in a function that gives an [`io::Error`], whose inner error is the one of siot's.
///
/// Its kind is [`TimedOut`](io::ErrorKind::TimedOut) for a deadline that passed; else that of the
/// [`io::Error`] among the causes, if there is one; else the one that says nearly the same as
/// [`Error::kind`].
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        Self::new(io_kind(&error), error)
    }
}

fn io_kind(error: &Error) -> io::ErrorKind {
    use ErrorKind as K;
    use io::ErrorKind as I;

    if error.is_timeout() {
        return I::TimedOut;
    }
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    let mut of_system = causes.filter_map(|cause| cause.downcast_ref::<io::Error>());
    if let Some(cause) = of_system.find(|cause| cause.kind() != I::Other) {
        return cause.kind();
    }
    match error.kind() {
        K::InvalidUrl | K::InvalidOption | K::ReservedEvent | K::TooLarge => I::InvalidInput,
        K::Payload | K::Protocol | K::Damaged => I::InvalidData,
        K::Unsupported => I::Unsupported,
        K::Timeout => I::TimedOut,
        K::Disconnected => I::NotConnected,
        K::Transport => I::ConnectionAborted,
        K::Refused => I::PermissionDenied,
        K::BufferFull
        | K::Withdrawn
        | K::Other
        | K::Undeliverable
        | K::Connect(_)
        | K::Resource
        | K::Storage => I::Other,
    }
}

/// As [`Error::other`], so that `?` does in a function that siot calls.
impl From<Box<dyn StdError + Send + Sync>> for Error {
    fn from(error: Box<dyn StdError + Send + Sync>) -> Self {
        Self::other(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_that_becomes_one_of_the_system_keeps_its_kind_and_is_itself_again() {
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        let of = |kind| Error::new(kind, "x");
        for (error, expected) in [
            (of(ErrorKind::Connect(Stage::Tcp)).with_source(refused), "ConnectionRefused"),
            (of(ErrorKind::Connect(Stage::Tls)).timed_out(), "TimedOut"),
            (of(ErrorKind::Timeout).with_source(of(ErrorKind::Refused)), "TimedOut"),
            (of(ErrorKind::Disconnected), "NotConnected"),
            (of(ErrorKind::Refused), "PermissionDenied"),
            (of(ErrorKind::Payload), "InvalidData"),
            (of(ErrorKind::BufferFull), "Other"),
            (Error::other("own"), "Other"),
        ] {
            let told = error.to_string();
            let of_system = io::Error::from(error);
            assert_eq!(format!("{:?}", of_system.kind()), expected, "{told}");
            assert_eq!(of_system.to_string(), told);
            assert_eq!(Error::from(of_system).to_string(), told);
        }
        // One that is not of siot's is one of the program's own.
        let own = Error::from(io::Error::from(io::ErrorKind::NotFound));
        assert_eq!(own.kind(), ErrorKind::Other);
    }
}
