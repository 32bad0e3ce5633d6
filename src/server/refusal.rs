//! Why a client may not join.

use serde::Serialize;

use crate::error::{Error, ErrorKind, Result};

/// Why a client may not join a namespace: it gets this as its `connect_error`.
///
/// ```
/// # fn main() -> siot::Result<()> {
/// use siot::server::Refusal;
///
/// let plain = Refusal::new("not authorized");
/// let with_data = Refusal::new("not authorized").data(&("retry", 60))?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "give it back from the function that was asked"]
pub struct Refusal(Error);

impl Refusal {
    /// A refusal with this message, which the client sees as `err.message`.
    pub fn new(message: impl Into<String>) -> Self {
        Self(Error::new(ErrorKind::Refused, message.into()))
    }

    /// The same with what the client sees as `err.data`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Payload`] when it cannot be written as JSON.
    pub fn data(self, data: &impl Serialize) -> Result<Self> {
        let json = serde_json::to_string(data).map_err(|error| {
            Error::new(ErrorKind::Payload, "the data of a refusal is no JSON").with_source(error)
        })?;
        Ok(Self(self.0.with_data(json)))
    }

    pub(super) fn into_error(self) -> Error {
        self.0
    }
}

impl From<&str> for Refusal {
    fn from(message: &str) -> Self {
        Self::new(message)
    }
}

impl From<String> for Refusal {
    fn from(message: String) -> Self {
        Self::new(message)
    }
}

/// A failure of the function that was asked: the client hears its message.
impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::new(error.message().to_owned())
    }
}
