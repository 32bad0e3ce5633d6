//! Clients that mean no good, byte by byte, and a server that has to stand them while it serves another one.

mod door;
mod floods;
mod ground;
mod halves;
mod packets;
mod polling;
mod raw_http;
mod requests;
mod websocket;
