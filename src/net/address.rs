//! Where a connection leads: the requests that its transports start with.

use super::request::Request;
use crate::options::Transport;
use crate::options::endpoint::Endpoint;
use crate::proto::query::push_parameter;

/// The server, the path, and what every request carries, some of which may be secret.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) server: Site,
    /// Further servers of the same service.
    pub(crate) backups: Vec<Site>,
    /// With a leading slash.
    pub(crate) path: String,
    /// What the query has besides that of the URL, whose parameters of the same names give way.
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: Vec<ExtraHeader>,
    pub(crate) cache_buster: CacheBuster,
    /// Binary travels as base64, in both directions.
    pub(crate) force_base64: bool,
}

/// One server, as a URL says it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Site {
    pub(crate) endpoint: Endpoint,
    /// What the URL has as its query.
    pub(crate) query: Vec<(String, String)>,
}

/// A header of the user's, whose value may be a secret.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ExtraHeader {
    pub(crate) name: String,
    pub(crate) value: String,
    /// On this transport only.
    pub(crate) only: Option<Transport>,
}

/// A parameter of the query whose value differs each time, so that no cache on the way answers
/// instead of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CacheBuster {
    /// Its name.
    pub(crate) parameter: String,
    /// Whether requests carry it; where nothing is said, those of long-polling do.
    pub(crate) requests: Option<bool>,
}

impl Address {
    /// The names of the parameters that the protocol sets.
    pub(crate) const RESERVED: [&str; 3] = ["EIO", "transport", "sid"];

    /// The same at another one of the servers; 0 is the first, and so is what is not there.
    pub(crate) fn at(&self, place: usize) -> Self {
        let backup = place.checked_sub(1).and_then(|place| self.backups.get(place));
        Self { server: backup.unwrap_or(&self.server).clone(), backups: Vec::new(), ..self.clone() }
    }

    /// The request that opens a transport, or that goes on with a session.
    pub(crate) fn request(&self, eio: &str, transport: Transport, sid: Option<&str>) -> Request {
        let is_ours = |name: &str| self.query.iter().any(|(ours, _)| ours == name);
        let of_url = self.server.query.iter().filter(|(name, _)| !is_ours(name));
        let mut parameters: Vec<(&str, &str)> = of_url
            .chain(&self.query)
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .filter(|(name, _)| !Self::RESERVED.contains(name))
            .collect();
        parameters.extend([("EIO", eio), ("transport", transport.name())]);
        parameters.extend(sid.map(|sid| ("sid", sid)));
        let stamp = fresh_value();
        if self.cache_buster.requests.unwrap_or(transport == Transport::Polling) {
            parameters.push((&self.cache_buster.parameter, &stamp));
        }
        // By polling current servers write nothing but text, and servers 1.x spoil what is not ASCII
        // when they are asked to.
        if self.force_base64 && transport == Transport::WebSocket {
            parameters.push(("b64", "1"));
        }
        Request {
            endpoint: self.server.endpoint.clone(),
            path_and_query: self.with_query(&parameters),
            headers: self.headers_of(transport),
        }
    }

    fn with_query(&self, parameters: &[(&str, &str)]) -> String {
        let mut text = self.path.clone();
        for (index, (name, value)) in parameters.iter().enumerate() {
            push_parameter(&mut text, index == 0, name, value);
        }
        text
    }

    fn headers_of(&self, transport: Transport) -> Vec<(String, String)> {
        self.headers
            .iter()
            .filter(|header| header.only.is_none_or(|only| only == transport))
            .map(|header| (header.name.clone(), header.value.clone()))
            .collect()
    }
}

/// A value that no request had before.
fn fresh_value() -> String {
    std::iter::repeat_with(fastrand::alphanumeric).take(8).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(query: &[(&str, &str)]) -> Vec<(String, String)> {
        query.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
    }

    fn place(host: &str, query: &[(&str, &str)]) -> Site {
        let endpoint = Endpoint { secure: false, host: host.into(), port: 80 };
        Site { endpoint, query: pairs(query) }
    }

    fn address(query: &[(&str, &str)]) -> Address {
        Address {
            server: place("h", &[]),
            backups: Vec::new(),
            path: "/socket.io/".into(),
            query: pairs(query),
            headers: Vec::new(),
            cache_buster: CacheBuster { parameter: "t".into(), requests: None },
            force_base64: false,
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
    fn each_server_has_the_query_of_its_url_and_all_have_the_options() {
        let mut address = address(&[("both", "option"), ("of", "option")]);
        address.server.query = pairs(&[("token", "one"), ("both", "url")]);
        address.backups = vec![place("b", &[("token", "other")])];
        let request = |place| address.at(place).request("4", Transport::WebSocket, None);
        let of_options = "both=option&of=option&EIO=4&transport=websocket";
        assert_eq!(request(0).path_and_query, format!("/socket.io/?token=one&{of_options}"));
        assert_eq!(request(1).path_and_query, format!("/socket.io/?token=other&{of_options}"));
        assert_eq!((&*request(1).endpoint.host, &*request(2).endpoint.host), ("b", "h"));
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

    #[test]
    fn the_cache_buster_can_be_switched_off_and_renamed() {
        let mut address = address(&[]);
        address.cache_buster.requests = Some(false);
        let request = address.request("4", Transport::Polling, None);
        assert_eq!(request.path_and_query, "/socket.io/?EIO=4&transport=polling");
        address.cache_buster = CacheBuster { parameter: "ts".into(), requests: Some(true) };
        let request = address.request("4", Transport::WebSocket, None);
        assert!(request.path_and_query.contains("&ts="), "{}", request.path_and_query);
    }

    #[test]
    fn base64_is_asked_for_by_websocket_alone() {
        let mut address = address(&[]);
        address.force_base64 = true;
        let query = |transport| address.request("4", transport, None).path_and_query;
        assert!(query(Transport::WebSocket).ends_with("&b64=1"));
        assert!(!query(Transport::Polling).contains("b64"));
    }

    #[test]
    fn a_header_can_be_for_one_transport() {
        let mut address = address(&[]);
        address.headers.push(ExtraHeader {
            name: "x".into(),
            value: "y".into(),
            only: Some(Transport::Polling),
        });
        assert_eq!(address.request("4", Transport::Polling, None).headers.len(), 1);
        assert_eq!(address.request("4", Transport::WebSocket, None).headers.len(), 0);
    }
}
