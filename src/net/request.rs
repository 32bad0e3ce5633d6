//! A request: what both transports need to know of it.

use std::fmt;

use percent_encoding::percent_decode_str;

use crate::options::endpoint::Endpoint;

/// The shortest value that is worth hiding; shorter ones would hide half of every text.
const MIN_SECRET: usize = 4;

/// One HTTP request, or the one that opens a WebSocket.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Request {
    /// The server.
    pub(crate) endpoint: Endpoint,
    /// The path and the query, already percent-encoded.
    pub(crate) path_and_query: String,
    /// Headers in addition to those of the transport, in their order.
    pub(crate) headers: Vec<(String, String)>,
}

/// Values of a request that may be secrets.
#[derive(Clone, Default)]
pub(super) struct Secrets(Vec<String>);

impl Request {
    /// The path, without the query.
    pub(super) fn path(&self) -> &str {
        self.path_and_query.split('?').next().unwrap_or_default()
    }

    /// Whether it begins a session, rather than being part of one.
    pub(super) fn begins_session(&self) -> bool {
        let query = self.path_and_query.split_once('?').map_or("", |(_, query)| query);
        !query.split('&').any(|pair| pair.starts_with("sid="))
    }

    /// The same request for another place: the query stays.
    pub(super) fn at(&self, endpoint: &Endpoint, path: &str) -> Self {
        let query = &self.path_and_query[self.path().len()..];
        Self {
            endpoint: endpoint.clone(),
            path_and_query: format!("{path}{query}"),
            headers: self.headers.clone(),
        }
    }

    /// The values in its query and its headers: servers like to repeat in an error what they were
    /// asked.
    pub(super) fn secrets(&self) -> Secrets {
        let query = self.path_and_query.split_once('?').map_or("", |(_, query)| query);
        let mut values = Vec::new();
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            if !matches!(name, "EIO" | "transport") {
                values.push(value.to_owned());
                values.push(percent_decode_str(value).decode_utf8_lossy().into_owned());
            }
        }
        for (_, value) in &self.headers {
            // All of it; behind a word such as `Bearer`; and each cookie.
            values.push(value.clone());
            values.extend(value.split_once(' ').map(|(_, rest)| rest.to_owned()));
            let pairs = value.split(';').filter_map(|pair| pair.split_once('='));
            values.extend(pairs.map(|(_, value)| value.trim().to_owned()));
        }
        let mut secrets: Vec<String> = Vec::new();
        for value in values {
            if value.len() >= MIN_SECRET && !secrets.contains(&value) {
                // A secret may be a part of another one: the longest come first.
                let place = secrets.partition_point(|other| other.len() >= value.len());
                secrets.insert(place, value);
            }
        }
        Secrets(secrets)
    }
}

impl Secrets {
    /// The text of a peer without them.
    pub(super) fn hide(&self, bytes: &[u8]) -> String {
        let text = String::from_utf8_lossy(bytes).into_owned();
        self.0.iter().fold(text, |text, secret| text.replace(secret, "***"))
    }
}

/// Without query and values of headers, which may be secrets.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Request")
            .field("endpoint", &self.endpoint)
            .field("path", &self.path())
            .field("headers", &names)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_server_repeats_is_hidden_and_so_it_is_in_debug() {
        let headers = [("Authorization", "Bearer tok-1"), ("Cookie", "a=cook-2; b=x"), ("A", "b")];
        let request = Request {
            endpoint: Endpoint { secure: false, host: "h".to_owned(), port: 1 },
            path_and_query: "/socket.io/?EIO=4&transport=polling&token=que%2Fry&x=1".to_owned(),
            headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
        };
        let hidden = request.secrets().hide(b"GET ?token=que%2Fry&x=1 que/ry tok-1 cook-2 polling");
        assert_eq!(hidden, "GET ?token=***&x=1 *** *** *** polling");
        let debug = format!("{request:?}");
        assert!(
            !["que%2Fry", "tok-1", "cook-2"].iter().any(|part| debug.contains(part)),
            "{debug}"
        );
    }
}
