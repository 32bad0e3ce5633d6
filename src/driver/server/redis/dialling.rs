//! Connections to Redis.

use std::fmt;
use std::time::Duration;

use redis::{Client, Connection, RedisError};

use crate::error::{Error, ErrorKind, Result};

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(5);

/// Between two attempts: at first, and at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

/// Makes connections to one Redis.
#[derive(Clone)]
pub(crate) struct RedisDialler(std::result::Result<Client, Error>);

impl RedisDialler {
    /// To the Redis that this URL names. That it names none is told later.
    pub(crate) fn new(url: &str) -> Self {
        // What is wrong with a URL is told without it: it may hold a password.
        Self(Client::open(url).map_err(|error| {
            let what =
                format!("no URL of a Redis: {}", error.detail().unwrap_or("it cannot be read"));
            Error::new(ErrorKind::InvalidUrl, what)
        }))
    }

    /// Whether it names one.
    pub(crate) fn check(&self) -> Result<()> {
        self.0.as_ref().map(drop).map_err(Clone::clone)
    }

    /// Trusts these authorities, in PEM, and no others.
    #[cfg(feature = "rustls")]
    pub(crate) fn trusting(self, pem: &[u8]) -> Self {
        use rustls_pki_types::CertificateDer;
        use rustls_pki_types::pem::PemObject;

        let unreadable = |why: &dyn fmt::Display| {
            Error::new(ErrorKind::InvalidOption, format!("certificates that cannot be read: {why}"))
        };
        // Without one, nothing would be trusted, and nobody told why.
        if !CertificateDer::pem_slice_iter(pem).any(|one| one.is_ok()) {
            return Self(self.0.and(Err(unreadable(&"there is none"))));
        }
        let certificates = redis::TlsCertificates { client_tls: None, root_cert: Some(pem.into()) };
        Self(self.0.and_then(|client| {
            let info = client.get_connection_info().clone();
            Client::build_with_tls(info, certificates).map_err(|error| unreadable(&error))
        }))
    }

    /// Makes a connection, on which no answer may take longer than this.
    pub(super) fn dial(&self, answer: Duration) -> Result<Connection> {
        let client = self.0.as_ref().map_err(Clone::clone)?;
        #[cfg(feature = "rustls")]
        choose_provider(client);
        let dialled = client.get_connection_with_timeout(CONNECT).and_then(|connection| {
            connection.set_read_timeout(Some(answer))?;
            connection.set_write_timeout(Some(CONNECT))?;
            Ok(connection)
        });
        dialled.map_err(|error| failed("cannot connect to Redis", &error))
    }
}

impl fmt::Debug for RedisDialler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisDialler").finish_non_exhaustive()
    }
}

/// The crate `redis` takes the default of the process, and panics where that cannot be told from the features of all
/// crates. The program's own choice stands.
#[cfg(feature = "rustls")]
fn choose_provider(client: &Client) {
    let address = client.get_connection_info().addr();
    if matches!(address, redis::ConnectionAddr::TcpTls { .. }) {
        // It fails where there is one.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}

/// What failed, and why.
pub(super) fn failed(what: &str, error: &RedisError) -> Error {
    Error::new(ErrorKind::Transport, format!("{what}: {error}"))
}

/// The pauses between attempts: each is longer than the one before.
pub(super) struct Pauses(Duration);

impl Pauses {
    pub(super) fn new() -> Self {
        Self(PAUSES.0)
    }

    /// The next one. Not all servers come back at the same moment.
    pub(super) fn next(&mut self) -> Duration {
        let pause = self.0.mul_f64(0.5 + fastrand::f64() / 2.0);
        self.0 = (2 * self.0).min(PAUSES.1);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_url_is_told_without_it() {
        for url in ["redis://:secret@host:nonsense/", "http://u:secret@host/", "secret", ""] {
            let error = RedisDialler::new(url).check().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidUrl);
            assert!(!format!("{error:?} {error:#}").contains("secret"), "{error:?}");
        }
        assert!(RedisDialler::new("redis://127.0.0.1:1/").check().is_ok());
        assert!(!format!("{:?}", RedisDialler::new("redis://:secret@h/")).contains("secret"));
    }

    #[test]
    fn pauses_grow_up_to_a_bound() {
        let mut pauses = Pauses::new();
        let all: Vec<_> = (0..20).map(|_| pauses.next()).collect();
        assert!(all[0] <= PAUSES.0 && all[0] >= PAUSES.0 / 2, "{all:?}");
        assert!(all[19] >= PAUSES.1 / 2 && all.iter().all(|pause| *pause <= PAUSES.1), "{all:?}");
    }
}
