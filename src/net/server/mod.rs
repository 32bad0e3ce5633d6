//! Bytes for the server's role: requests, responses, WebSocket frames, and the sockets that they come by.

pub(crate) mod accept;
pub(crate) mod body;
pub(crate) mod frames;
pub(crate) mod listener;
pub(crate) mod query;
mod refusal;
pub(crate) mod request;
pub(crate) mod response;
pub(crate) mod stream;

pub(crate) use self::refusal::HttpRefusal;
