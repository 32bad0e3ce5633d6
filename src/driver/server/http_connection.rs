//! One connection of a client that speaks HTTP.

use std::io::{self, ErrorKind, Read};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::pace::Pace;
use super::wire::push;
use crate::core::time::Timestamp;
use crate::driver::clock::now;
use crate::net::server::HttpRefusal;
use crate::net::server::body::BodyReader;
use crate::net::server::request::{HeadLimits, HeadScan, RequestHead};
use crate::net::server::response::{CONTINUE, Framing, HttpResponse};
use crate::net::server::stream::ServerStream;
use http::HeaderMap;

/// How long the head of a request may take from its first byte to its last; and for how long nothing may come of a body,
/// or go of a response.
pub(super) const REQUEST_TIME: Duration = Duration::from_secs(20);

/// How long a connection may stay without a request.
pub(super) const IDLE_TIME: Duration = Duration::from_secs(30);

/// How often a part of a body is read before others have their turn.
const READS: usize = 16;

/// How much is read ahead of the request that is being answered, in bytes.
const READ_AHEAD: usize = 64 * 1024;

/// A connection. `P` is the client whose request is under way.
pub(super) struct HttpConnection<P> {
    pub(super) stream: ServerStream,
    pub(super) address: Option<SocketAddr>,
    /// What was read and is not understood yet.
    unread: Vec<u8>,
    scan: HeadScan,
    pub(super) stage: RequestStage<P>,
    /// What the system has not taken of the response.
    output: Vec<u8>,
    /// The connection ends behind what is being written.
    is_last: bool,
    /// The end of the connection may lie behind what there is to read: the system has told of it, and does not again.
    pub(super) may_have_ended: bool,
    /// How the body of the request comes, or the response goes.
    pub(super) pace: Pace,
    /// All that has come is read. The system tells of more.
    is_emptied: bool,
    /// When it is given up, as it was set the last time. It is looked at when the timer says so.
    pub(super) deadline: Option<Timestamp>,
}

/// What is under way.
pub(super) enum RequestStage<P> {
    /// The next request is awaited.
    Idle,
    /// The program is asked about a request.
    Asked(Box<RequestHead>, Box<[u8]>),
    /// The body of a POST is being read.
    Posting { request: Answering<P>, reader: BodyReader },
    /// The body of a request that the program answers is being read.
    ReadsBody(Box<RequestHead>, BodyReader),
    /// The handlers have to catch up before the rest of a POST is taken, or the next.
    PostWaits(Answering<P>, PostBody),
    /// The answer to a GET is being written.
    PollAnswers(Arc<P>),
}

/// The body of a POST, of whose packets some are taken.
#[derive(Default)]
pub(super) struct PostBody {
    pub(super) bytes: Vec<u8>,
    /// How long the part is of which they are.
    pub(super) taken: usize,
}

/// What is needed to answer a request.
pub(super) struct Answering<P> {
    pub(super) peer: Arc<P>,
    pub(super) framing: Framing,
    pub(super) headers: HeaderMap,
    pub(super) content: PostContent,
}

/// What the body of a POST is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PostContent {
    Text,
    Binary,
    /// A form that a script has filled in.
    Form,
}

/// What has come.
pub(super) enum Came {
    /// Not enough.
    Nothing,
    /// Not enough yet, but there is more to be read.
    More,
    Request(Box<RequestHead>, Box<[u8]>),
    /// The body of the POST that is being read.
    Body(Vec<u8>),
    /// What cannot be understood; it is to be answered.
    Refused(HttpRefusal),
    /// The end of the connection.
    End(Option<io::Error>),
}

impl<P> HttpConnection<P> {
    pub(super) fn new(stream: ServerStream, address: Option<SocketAddr>) -> Self {
        Self {
            stream,
            address,
            unread: Vec::new(),
            scan: HeadScan::default(),
            stage: RequestStage::Idle,
            output: Vec::new(),
            is_last: false,
            may_have_ended: true,
            pace: Pace::new(now()),
            is_emptied: false,
            deadline: None,
        }
    }

    /// Whether the next request is awaited, or one is being read.
    pub(super) fn is_reading(&self) -> bool {
        matches!(
            self.stage,
            RequestStage::Idle | RequestStage::Posting { .. } | RequestStage::ReadsBody(..)
        )
    }

    /// Its time is up: whether it has more, since a body comes, or a response goes, fast enough.
    pub(super) fn has_more_time(&mut self, now: Timestamp) -> bool {
        let is_idle = matches!(self.stage, RequestStage::Idle) && !self.is_writing();
        !is_idle && self.pace.goes_on(now)
    }

    /// Whether a response is left to be written.
    pub(super) fn is_writing(&self) -> bool {
        !self.output.is_empty()
    }

    /// Reads on, up to the next thing that has come.
    pub(super) fn read(&mut self, buffer: &mut [u8], limits: &HeadLimits) -> Came {
        for _ in 0..READS {
            match self.understand(limits) {
                Came::Nothing => {}
                came => return came,
            }
            if self.is_emptied {
                return Came::Nothing;
            }
            if self.unread.len() >= READ_AHEAD {
                // Nobody sends so much before an answer but to fill our memory.
                return Came::End(None);
            }
            match self.stream.read(buffer) {
                Ok(0) => return Came::End(None),
                Ok(count) => {
                    self.pace.note(count);
                    self.unread.extend_from_slice(&buffer[..count]);
                    self.is_emptied = count < buffer.len()
                        && !self.may_have_ended
                        && self.stream.is_emptied_by_short_read();
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.may_have_ended = false;
                    return Came::Nothing;
                }
                Err(error) => return Came::End(Some(error)),
            }
        }
        Came::More
    }

    /// There may be something to read.
    pub(super) fn note_more(&mut self) {
        self.is_emptied = false;
    }

    /// The system tells that the client writes no more, or that the connection failed.
    pub(super) fn note_end(&mut self) {
        self.may_have_ended = true;
        self.note_more();
    }

    /// Reads what comes before it is due, of which the end is looked for; `false`: it has come, or too much has.
    pub(super) fn read_ahead(&mut self, buffer: &mut [u8]) -> bool {
        while self.unread.len() < READ_AHEAD {
            match self.stream.read(buffer) {
                Ok(0) => return false,
                Ok(count) => self.unread.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.may_have_ended = false;
                    return true;
                }
                Err(_) => return false,
            }
        }
        false
    }

    /// Whether something was read that is not understood yet.
    pub(super) fn has_unread(&self) -> bool {
        !self.unread.is_empty()
    }

    /// Looks for what is awaited in what was read.
    fn understand(&mut self, limits: &HeadLimits) -> Came {
        if self.is_writing() || self.is_last {
            return Came::Nothing;
        }
        match &mut self.stage {
            RequestStage::Idle => match self.scan.read_head(&self.unread, limits) {
                Ok(None) => Came::Nothing,
                Ok(Some((head, length))) => {
                    let rest = self.unread.split_off(length);
                    let text = std::mem::replace(&mut self.unread, rest);
                    Came::Request(Box::new(head), text.into())
                }
                Err(refusal) => Came::Refused(refusal),
            },
            RequestStage::Posting { reader, .. } | RequestStage::ReadsBody(_, reader) => {
                let mut bytes = self.unread.as_slice();
                let body = reader.take_in(&mut bytes);
                let left = bytes.len();
                self.unread.drain(..self.unread.len() - left);
                match body {
                    Ok(None) => Came::Nothing,
                    Ok(Some(body)) => Came::Body(body),
                    Err(refusal) => Came::Refused(refusal),
                }
            }
            RequestStage::Asked(..)
            | RequestStage::PostWaits(..)
            | RequestStage::PollAnswers(_) => Came::Nothing,
        }
    }

    /// Writes a response, as far as the system takes it.
    pub(super) fn respond(&mut self, response: &HttpResponse, framing: Framing) -> io::Result<()> {
        response.write(framing, &mut self.output);
        self.is_last |= !framing.keep_alive;
        self.write_on()
    }

    /// Tells a client to send the body that it has announced.
    pub(super) fn invite(&mut self) -> io::Result<()> {
        self.output.extend_from_slice(CONTINUE);
        self.write_on()
    }

    /// Writes what is left of a response.
    pub(super) fn write_on(&mut self) -> io::Result<()> {
        let taken = push(&mut self.stream, &self.output)?;
        self.pace.note(taken);
        if taken == self.output.len() {
            self.output = Vec::new();
        } else {
            self.output.drain(..taken);
        }
        Ok(())
    }

    /// All is written, and nothing else is to come.
    pub(super) fn is_done(&self) -> bool {
        self.is_last && !self.is_writing()
    }

    /// The connection, with what was read of what comes behind HTTP.
    pub(super) fn into_parts(self) -> (ServerStream, Vec<u8>) {
        (self.stream, self.unread)
    }
}

#[cfg(test)]
mod tests;
