//! Errors of the program's own, from functions that siot calls.

use std::error::Error as StdError;

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
        Self::new(ErrorKind::Other, "the program says").with_source(error)
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

/// As [`Error::other`], so that `?` does in a function that siot calls.
impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self::other(error)
    }
}

/// As [`Error::other`], so that `?` does in a function that siot calls.
impl From<Box<dyn StdError + Send + Sync>> for Error {
    fn from(error: Box<dyn StdError + Send + Sync>) -> Self {
        Self::other(error)
    }
}
