//! What every read and write of a non-blocking socket needs.

use std::io::{self, Write};

/// Writes until all is taken or the socket is full; an error only if nothing was taken.
pub(super) fn write_all_that_fits(to: &mut impl Write, bytes: &[u8]) -> io::Result<usize> {
    let mut taken = 0;
    while taken < bytes.len() {
        match retry(|| to.write(&bytes[taken..])) {
            // tungstenite asserts that a write without an error takes something.
            Ok(0) if taken == 0 => return Err(io::ErrorKind::WriteZero.into()),
            Ok(0) => break,
            Ok(more) => taken += more,
            Err(error) if taken == 0 => return Err(error),
            Err(_) => break,
        }
    }
    Ok(taken)
}

/// Repeats what a signal handler interrupted.
pub(super) fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Whether the only hindrance is that the call would block.
#[cfg(any(feature = "rustls", feature = "native-tls"))]
pub(super) fn would_block<T>(result: &io::Result<T>) -> bool {
    matches!(result, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}
