//! The end of an example that goes on until somebody ends it.

use std::io::{self, Read};
use std::os::unix::net::UnixStream;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::low_level::pipe;

/// Waits for SIGTERM or SIGINT.
pub fn until_told() -> io::Result<()> {
    let (mut signals, caught) = UnixStream::pair()?;
    pipe::register(SIGTERM, caught.try_clone()?)?;
    pipe::register(SIGINT, caught)?;
    signals.read_exact(&mut [0])
}
