//! What the driver has for a link.

use crate::options::Transport;

/// What the driver has for a link.
#[derive(Debug)]
pub(in crate::core) struct Threads {
    pub(in crate::core) transport: Transport,
    pub(in crate::core) upgrade: Option<String>,
    /// The number of the session it was dialled for.
    pub(in crate::core) session: usize,
    /// The thread that reads, of a WebSocket also the one that writes, has something to do.
    pub(in crate::core) reader_awake: bool,
    /// The thread that posts has something to do.
    pub(in crate::core) writer_awake: bool,
    pub(in crate::core) writing: bool,
    /// It lets events accumulate.
    pub(in crate::core) accumulating: bool,
    /// A ping of the WebSocket waits for its pong.
    pub(in crate::core) asked: bool,
    /// A request of the reader waits for its response.
    pub(in crate::core) polling: bool,
    /// The WebSocket is open, or the first response was there.
    pub(in crate::core) started: bool,
    pub(in crate::core) sent: Vec<String>,
}

impl Threads {
    pub(in crate::core) fn wake_writer(&mut self) {
        match self.transport {
            Transport::Polling => self.writer_awake = true,
            Transport::WebSocket => self.reader_awake = true,
        }
    }

    pub(in crate::core) fn sleep(&mut self) {
        match self.transport {
            Transport::Polling => self.writer_awake = false,
            Transport::WebSocket => self.reader_awake = false,
        }
    }
}
