//! What the tests of this floor share.

use std::net::TcpListener;

use super::request::Request;
use super::{Net, NetOptions};
use crate::endpoint::Endpoint;
use crate::options::Tls;

/// A network with a message limit of 1 MiB.
pub(super) fn net() -> Net {
    Net::new(NetOptions { tls: Tls::default(), max_message: 1 << 20, subprotocols: Vec::new() })
        .unwrap()
}

/// A request to a listener.
pub(super) fn request(listener: &TcpListener, path_and_query: &str) -> Request {
    let address = listener.local_addr().unwrap();
    Request {
        endpoint: Endpoint { secure: false, host: address.ip().to_string(), port: address.port() },
        path_and_query: path_and_query.to_owned(),
        headers: Vec::new(),
    }
}
