//! Connections to Redis.

#[cfg(feature = "rustls")]
use std::fmt;
use std::time::Duration;

use redis::{Client, Connection, ConnectionAddr, RedisError};

use crate::error::{Error, ErrorKind, Result};

/// How long a connection may take to be made.
pub(super) const CONNECT: Duration = Duration::from_secs(5);

/// Between two attempts: at first, and at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

/// What is wrong with a URL is told without it: it may hold a password.
pub(super) fn open(url: &str) -> Result<Client> {
    Client::open(url).map_err(|error| nowhere(error.detail().unwrap_or("it cannot be read")))
}

pub(super) fn nowhere(why: &str) -> Error {
    Error::new(ErrorKind::InvalidUrl, format!("no URL of a Redis: {why}"))
}

#[cfg(feature = "rustls")]
pub(super) fn unreadable(why: &dyn fmt::Display) -> Error {
    Error::new(ErrorKind::InvalidOption, format!("certificates that cannot be read: {why}"))
}

#[cfg(feature = "rustls")]
pub(super) fn is_encrypted(client: &Client) -> bool {
    matches!(client.get_connection_info().addr(), ConnectionAddr::TcpTls { .. })
}

#[cfg(feature = "rustls")]
pub(super) fn trust(client: &mut Client, pem: &[u8]) -> Result<()> {
    let certificates = redis::TlsCertificates { client_tls: None, root_cert: Some(pem.into()) };
    let info = client.get_connection_info().clone();
    *client = Client::build_with_tls(info, certificates).map_err(|error| unreadable(&error))?;
    Ok(())
}

/// What one of them gives; tried in turn from anywhere among them, so that not all servers are at the same one.
pub(super) fn first_of<T>(
    clients: &[Client],
    mut attempt: impl FnMut(&Client) -> Result<T>,
) -> Result<T> {
    let (last, first) = clients.split_at(fastrand::usize(..clients.len().max(1)));
    let mut failed = nowhere("there is none");
    for client in first.iter().chain(last) {
        match attempt(client) {
            Ok(made) => return Ok(made),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

/// Makes a connection within a limit, on which no answer may take longer than the other one.
pub(super) fn dial(client: &Client, connect: Duration, answer: Duration) -> Result<Connection> {
    #[cfg(feature = "rustls")]
    choose_provider(client);
    let dialled = client.get_connection_with_timeout(connect).and_then(|connection| {
        connection.set_read_timeout(Some(answer))?;
        connection.set_write_timeout(Some(connect))?;
        Ok(connection)
    });
    dialled.map_err(|error| failed("cannot connect to Redis", &error))
}

/// One that differs by its address alone.
pub(super) fn moved(client: &Client, host: &str, port: u16) -> Result<Client> {
    let info = client.get_connection_info().clone();
    let host = host.to_owned();
    let address = match info.addr() {
        ConnectionAddr::TcpTls { insecure, tls_params, .. } => ConnectionAddr::TcpTls {
            host,
            port,
            insecure: *insecure,
            tls_params: tls_params.clone(),
        },
        _ => ConnectionAddr::Tcp(host, port),
    };
    Client::open(info.set_addr(address)).map_err(|_| nowhere("an address that cannot be used"))
}

/// The crate `redis` takes the default of the process, and panics where that cannot be told from the features of all
/// crates. The program's own choice stands.
#[cfg(feature = "rustls")]
fn choose_provider(client: &Client) {
    if is_encrypted(client) {
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
    fn pauses_grow_up_to_a_bound() {
        let mut pauses = Pauses::new();
        let all: Vec<_> = (0..20).map(|_| pauses.next()).collect();
        assert!(all[0] <= PAUSES.0 && all[0] >= PAUSES.0 / 2, "{all:?}");
        assert!(all[19] >= PAUSES.1 / 2 && all.iter().all(|pause| *pause <= PAUSES.1), "{all:?}");
    }
}
