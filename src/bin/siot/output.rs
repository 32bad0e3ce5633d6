//! Standard output, which has data and nothing else.

use std::io::{self, ErrorKind, Write};

use crate::exit::{EarlyEnd, Outcome};

/// Writes a line, at once and whole. `false`: whoever read it has gone, as `head` does.
pub(crate) fn line(text: &str) -> Outcome<bool> {
    let mut line = Vec::with_capacity(text.len() + 1);
    line.extend_from_slice(text.as_bytes());
    line.push(b'\n');
    bytes(&line)
}

/// Writes these bytes. `false`: whoever read it has gone.
pub(crate) fn bytes(bytes: &[u8]) -> Outcome<bool> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(EarlyEnd::local("standard output", error)),
    }
}
