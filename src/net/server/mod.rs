//! Bytes for the server's role: requests, responses, WebSocket frames, and the sockets that they come by.
//!
//! Nothing here blocks or waits, and nothing knows of sessions. What peers send is limited where it is
//! read: a [`HttpRefusal`] and a [`FrameFault`](frames::FrameFault) tell how to answer, and that the
//! connection ends then.

pub(crate) mod accept;
pub(crate) mod body;
pub(crate) mod compression;
pub(crate) mod cookie;
pub(crate) mod cors;
pub(crate) mod frames;
#[cfg(fuzzing)]
pub(crate) mod fuzz;
mod growth;
pub(crate) mod jsonp;
pub(crate) mod listener;
pub(crate) mod origin;
pub(crate) mod query;
mod refusal;
pub(crate) mod request;
pub(crate) mod response;
pub(crate) mod stream;
mod unix_path;

pub(crate) use self::refusal::HttpRefusal;
