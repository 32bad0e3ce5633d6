//! Starting threads.

use crate::error::{Error, ErrorKind, Result};

/// Starts a thread. That the system has none to give is an error like any other.
pub(super) fn spawn(
    name: &str,
    stack_size: usize,
    body: impl FnOnce() + Send + 'static,
) -> Result<()> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .stack_size(stack_size)
        .spawn(body)
        .map(drop)
        .map_err(|error| {
            Error::new(ErrorKind::Resource, format!("cannot start the thread {name}"))
                .with_source(error)
        })
}
