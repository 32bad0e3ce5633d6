//! Where Redis is.

use std::fmt;
use std::time::Duration;

use redis::{Client, Connection};

use super::dialling::{CONNECT, dial, first_of, nowhere, open};
#[cfg(feature = "rustls")]
use super::dialling::{is_encrypted, trust, unreadable};
use super::other_nodes::OtherNodes;
use super::sentinels::Sentinels;
use crate::error::Result;

/// Makes connections to Redis, wherever it is just then.
#[derive(Clone)]
pub(crate) struct RedisDialler(Result<RedisPlace>);

/// Where it is.
#[derive(Clone)]
enum RedisPlace {
    One(Client),
    /// At any of these nodes of a Redis Cluster.
    Cluster(Vec<Client>),
    Sentinels(Sentinels),
}

impl RedisDialler {
    /// To the Redis that this URL names. That it names none is told later.
    pub(crate) fn one(url: &str) -> Self {
        Self(open(url).map(RedisPlace::One))
    }

    /// To any node of a Redis Cluster.
    pub(crate) fn cluster<'a>(urls: impl IntoIterator<Item = &'a str>) -> Self {
        Self(open_all(urls).map(RedisPlace::Cluster))
    }

    /// To the one that sentinels know by the name that is the host of this URL.
    pub(crate) fn sentinels<'a>(master: &str, urls: impl IntoIterator<Item = &'a str>) -> Self {
        let sentinels = open(master).and_then(|master| Sentinels::new(master, open_all(urls)?));
        Self(sentinels.map(RedisPlace::Sentinels))
    }

    /// Whether it leads anywhere.
    pub(crate) fn check(&self) -> Result<()> {
        self.0.as_ref().map(drop).map_err(Clone::clone)
    }

    /// Trusts these authorities, in PEM, and no others.
    #[cfg(feature = "rustls")]
    pub(crate) fn trusting(self, pem: &[u8]) -> Self {
        use rustls_pki_types::CertificateDer;
        use rustls_pki_types::pem::PemObject;

        // Without one, nothing would be trusted, and nobody told why.
        if !CertificateDer::pem_slice_iter(pem).any(|one| one.is_ok()) {
            return Self(self.0.and(Err(unreadable(&"there is none"))));
        }
        Self(self.0.and_then(|mut place| {
            let clients: Vec<&mut Client> = match &mut place {
                RedisPlace::One(client) => vec![client],
                RedisPlace::Cluster(nodes) => nodes.iter_mut().collect(),
                RedisPlace::Sentinels(sentinels) => sentinels.clients().collect(),
            };
            let mut encrypted: Vec<_> =
                clients.into_iter().filter(|one| is_encrypted(one)).collect();
            if encrypted.is_empty() {
                return Err(unreadable(&"they are for `rediss:`"));
            }
            encrypted.iter_mut().try_for_each(|client| trust(client, pem))?;
            Ok(place)
        }))
    }

    /// Makes a connection, on which no answer may take longer than this.
    pub(super) fn dial(&self, answer: Duration) -> Result<Connection> {
        match self.0.as_ref().map_err(Clone::clone)? {
            RedisPlace::One(client) => dial(client, CONNECT, answer),
            RedisPlace::Cluster(nodes) => first_of(nodes, |node| dial(node, CONNECT, answer)),
            RedisPlace::Sentinels(sentinels) => sentinels.dial(answer),
        }
    }

    /// Who knows the subscribers of the other nodes, if there are some.
    pub(super) fn other_nodes(&self) -> Option<OtherNodes> {
        match &self.0 {
            Ok(RedisPlace::Cluster(nodes)) => nodes.first().cloned().map(OtherNodes::new),
            _ => None,
        }
    }
}

fn open_all<'a>(urls: impl IntoIterator<Item = &'a str>) -> Result<Vec<Client>> {
    let all = urls.into_iter().map(open).collect::<Result<Vec<_>>>()?;
    if all.is_empty() { Err(nowhere("there is none")) } else { Ok(all) }
}

impl fmt::Debug for RedisDialler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisDialler").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn what_is_wrong_with_a_url_is_told_without_it() {
        for url in ["redis://:secret@host:nonsense/", "http://u:secret@host/", "secret", ""] {
            let error = RedisDialler::one(url).check().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidUrl);
            assert!(!format!("{error:?} {error:#}").contains("secret"), "{error:?}");
        }
        assert!(RedisDialler::one("redis://127.0.0.1:1/").check().is_ok());
        assert!(!format!("{:?}", RedisDialler::one("redis://:secret@h/")).contains("secret"));
    }

    #[test]
    fn a_place_with_no_address_is_none() {
        for dialler in [
            RedisDialler::cluster([]),
            RedisDialler::cluster(["redis://a/", "nonsense"]),
            RedisDialler::sentinels("redis://main/", []),
            RedisDialler::sentinels("redis+unix:///path", ["redis://a/"]),
            RedisDialler::sentinels("nonsense", ["redis://a/"]),
        ] {
            assert_eq!(dialler.check().unwrap_err().kind(), ErrorKind::InvalidUrl);
        }
        assert!(RedisDialler::cluster(["redis://a/", "redis://b:7000/"]).check().is_ok());
        assert!(RedisDialler::sentinels("redis://:p@My_Main/2", ["redis://a/"]).check().is_ok());
    }
}
