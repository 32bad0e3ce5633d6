//! What cannot work is refused when the options are used.

use super::Builder;
use crate::error::{Error, ErrorKind, Result};
use crate::net::{Address, CacheBuster, ExtraHeader, check_header};
use crate::options::endpoint::Location;

impl Builder {
    /// Refuses what cannot work, whether a new connection is made or not.
    pub(super) fn check(&self) -> Result<Location> {
        let location = Location::parse(&self.url)?;
        self.socket.check()?;
        self.options.check()?;
        check_query(&self.query, &self.cache_buster)?;
        check_query(&location.query, &self.cache_buster).map_err(|error| {
            Error::new(ErrorKind::InvalidUrl, error.message().to_owned())
                .with_hint("a URL leads to a namespace; the path of the requests is Builder::path")
        })?;
        check_headers(&self.headers)?;
        check_subprotocols(&self.net.subprotocols)?;
        let bad = |c: char| !c.is_ascii_graphic() || "?#\"<>\\^`{|}".contains(c);
        if self.path.contains(bad) {
            return Err(invalid(format!("{:?} is no path", self.path)));
        }
        if reserved(&self.cache_buster.parameter) || self.cache_buster.parameter.is_empty() {
            let name = &self.cache_buster.parameter;
            return Err(invalid(format!("the timestamp cannot have the name {name:?}")));
        }
        Ok(location)
    }
}

fn invalid(what: String) -> Error {
    Error::new(ErrorKind::InvalidOption, what)
}

/// Whether a parameter of the query belongs to the protocol.
fn reserved(name: &str) -> bool {
    Address::RESERVED.contains(&name)
}

/// Refuses the parameters that the protocol or we ourselves set.
pub(crate) fn check_query(query: &[(String, String)], cache_buster: &CacheBuster) -> Result<()> {
    let stamped = cache_buster.requests != Some(false);
    for (name, _) in query {
        if reserved(name) {
            return Err(invalid(format!("the query parameter {name:?} belongs to the protocol")));
        }
        if stamped && *name == cache_buster.parameter {
            return Err(invalid(format!("the query parameter {name:?} is the timestamp's"))
                .with_hint("see timestamp_param and timestamp_requests"));
        }
    }
    Ok(())
}

/// Refuses headers that would break a request.
pub(crate) fn check_headers(headers: &[ExtraHeader]) -> Result<()> {
    headers.iter().try_for_each(|header| check_header(&header.name, &header.value))
}

fn check_subprotocols(names: &[String]) -> Result<()> {
    // What may stand in the list is what may be the name of a header.
    let bad = |name: &&String| http::HeaderName::from_bytes(name.as_bytes()).is_err();
    match names.iter().find(bad) {
        None => Ok(()),
        Some(name) => Err(invalid(format!("{name:?} is no name of a subprotocol"))),
    }
}
