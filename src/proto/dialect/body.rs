//! What both revisions need to read the body of a response.

use std::io::{self, BufRead};

use crate::error::{Error, ErrorKind};

/// The hint for what looks like no server of ours at all.
pub(super) const NO_SERVER: &str = "this is probably not a Socket.IO server: \
                                    the page of a captive portal or a proxy, or another path?";

/// The next byte of a body; `None` at its end.
pub(super) fn peek(body: &mut (impl BufRead + ?Sized)) -> io::Result<Option<u8>> {
    loop {
        match body.fill_buf() {
            Ok(buffer) => return Ok(buffer.first().copied()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The error that a body could not be read.
#[cold]
pub(super) fn broken_body(error: io::Error) -> Error {
    Error::new(ErrorKind::Transport, "cannot read the body of a response").with_source(error)
}
