//! Where a connection leads: the requests that its transports start with.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::endpoint::Endpoint;
use crate::net::Request;
use crate::options::Transport;

/// What `encodeURIComponent` leaves alone.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'!')
    .remove(b'~')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');

/// The server, the path, and what every request carries.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    pub(crate) endpoint: Endpoint,
    /// With a leading slash.
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: Vec<(String, String)>,
}

impl Address {
    /// The request that opens a transport, or that goes on with a session. The parameters of the
    /// protocol win over the user's of the same name.
    pub(super) fn request(&self, eio: &str, transport: Transport, sid: Option<&str>) -> Request {
        let mut own = vec![("EIO", eio.to_owned()), ("transport", transport.name().to_owned())];
        if let Some(sid) = sid {
            own.push(("sid", sid.to_owned()));
        }
        if transport == Transport::Polling {
            own.push(("t", cache_buster()));
        }
        let user = self
            .query
            .iter()
            .map(|(name, value)| (name.as_str(), value))
            .filter(|(name, _)| !["EIO", "transport", "sid", "t"].contains(name));
        let mut path_and_query = self.path.clone();
        let all = user.chain(own.iter().map(|(name, value)| (*name, value)));
        for (index, (name, value)) in all.enumerate() {
            path_and_query.push(if index == 0 { '?' } else { '&' });
            path_and_query.extend(utf8_percent_encode(name, QUERY));
            path_and_query.push('=');
            path_and_query.extend(utf8_percent_encode(value, QUERY));
        }
        Request { endpoint: self.endpoint.clone(), path_and_query, headers: self.headers.clone() }
    }
}

/// A value that no cache has seen.
fn cache_buster() -> String {
    std::iter::repeat_with(fastrand::alphanumeric).take(8).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(query: &[(&str, &str)]) -> Address {
        Address {
            endpoint: Endpoint { secure: false, host: "h".into(), port: 80 },
            path: "/socket.io/".into(),
            query: query.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
            headers: Vec::new(),
        }
    }

    #[test]
    fn the_query_is_percent_encoded() {
        let request = address(&[("a b", "&=\r\n€")]).request("4", Transport::WebSocket, None);
        assert_eq!(
            request.path_and_query,
            "/socket.io/?a%20b=%26%3D%0D%0A%E2%82%AC&EIO=4&transport=websocket"
        );
    }

    #[test]
    fn the_protocols_own_parameters_win() {
        let request =
            address(&[("EIO", "9"), ("sid", "x")]).request("4", Transport::WebSocket, Some("s#&"));
        assert_eq!(request.path_and_query, "/socket.io/?EIO=4&transport=websocket&sid=s%23%26");
    }

    #[test]
    fn polling_requests_differ_from_each_other() {
        let one = address(&[]).request("4", Transport::Polling, None);
        let other = address(&[]).request("4", Transport::Polling, None);
        assert_ne!(one.path_and_query, other.path_and_query);
    }
}
