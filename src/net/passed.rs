//! What has passed a socket.

/// How many bytes a socket has given and taken so far. It wraps around.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Passed {
    pub(super) read: usize,
    pub(super) written: usize,
}
