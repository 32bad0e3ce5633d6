//! What options come to: a server that listens.

use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use super::builder::ServerBuilder;
use super::cluster::Adapter;
use super::handles::Server;
use crate::core::server::recovery::RecoveryLimits;
use crate::core::server::session::SessionOptions;
use crate::driver::server::client_files::ClientFiles;
use crate::driver::server::door::Door;
use crate::driver::server::hub_options::{HubOptions, RecoveryOptions};
use crate::driver::server::inbox::InboxBounds;
use crate::driver::server::parts::Hub;
use crate::driver::server::pool::PoolSize;
use crate::error::{Error, ErrorKind, Result};
use crate::net::server::cookie::set_cookie;
use crate::net::server::cors::CorsPolicy;
#[cfg(feature = "rustls")]
use crate::net::server::listener::ServerEncryption;
use crate::net::server::listener::ServerListener;
use crate::net::server::origin::KnownHosts;
use crate::options::Transport;

impl ServerBuilder {
    /// Starts a server that listens at these addresses, and at those that were named before. With port 0 the system
    /// chooses one, which [`Server::local_addrs`] tells.
    ///
    /// It serves at once: a client that comes in before a handler is added is not told of by it. Where that
    /// matters, as with clients that come back after a restart, [`bind_with`](Self::bind_with) adds the handlers first.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidOption`] for an option out of its range; [`ErrorKind::Resource`] when an address cannot be
    /// listened at, or the system has no thread or descriptor left.
    pub fn bind(self, addresses: impl ToSocketAddrs) -> Result<Server> {
        self.bind_with(addresses, |_| ())
    }

    /// The same, but that it serves only when `prepare`, which adds the handlers, has returned. Clients who come in
    /// before wait in the system's queue.
    ///
    /// # Errors
    ///
    /// As [`bind`](Self::bind).
    pub fn bind_with(
        self,
        addresses: impl ToSocketAddrs,
        prepare: impl FnOnce(&Server),
    ) -> Result<Server> {
        let addresses = addresses.to_socket_addrs().map_err(|error| {
            Error::new(ErrorKind::InvalidOption, "no addresses to listen at").with_source(error)
        })?;
        self.check()?;
        let listeners = self.listeners_at(&addresses.collect::<Vec<_>>())?;
        let addresses = listeners.iter().filter_map(ServerListener::local_addr).collect();
        let door = self.door()?;
        let adapter = self.adapter.clone();
        let hub = Hub::start(self.options(), door, adapter.as_ref().map(Adapter::starter))?;
        let server = Server::new(Arc::clone(&hub), addresses);
        prepare(&server);
        hub.listen(listeners);
        Ok(server)
    }

    fn listeners_at(&self, addresses: &[SocketAddr]) -> Result<Vec<ServerListener>> {
        let mut listeners = ServerListener::bind(addresses)?;
        for listener in &self.listeners {
            listeners.push(ServerListener::given(clone_of(listener)?)?);
        }
        for path in &self.unix_sockets {
            listeners.push(ServerListener::bind_unix(path)?);
        }
        #[cfg(feature = "rustls")]
        if let Some(tls) = &self.tls {
            let encryption = ServerEncryption::new(tls.clone())?;
            let encrypted = listeners.into_iter().map(|listener| listener.with_tls(&encryption));
            return Ok(encrypted.collect());
        }
        Ok(listeners)
    }

    fn door(&self) -> Result<Door> {
        if let Some(cookie) = &self.cookie {
            set_cookie(cookie, "sid")?;
        }
        Ok(Door {
            cors: CorsPolicy::new(&self.cors)?,
            hosts: KnownHosts::new(self.hosts.clone()),
            cookie: self.cookie.clone(),
            allow_request: self.allow_request.clone(),
            generate_id: self.generate_id.clone(),
            client_files: self
                .client_files
                .as_deref()
                .map(|folder| Arc::new(ClientFiles::new(folder))),
            fallback: self.fallback.clone(),
        })
    }

    fn options(self) -> HubOptions {
        let polling = self.transports.contains(&Transport::Polling);
        let websocket = self.transports.contains(&Transport::WebSocket);
        HubOptions {
            session: Arc::new(SessionOptions {
                ping_interval: self.ping_interval,
                ping_timeout: self.ping_timeout,
                upgrade_timeout: self.upgrade_timeout,
                max_payload: self.max_http_buffer_size,
                announce_max_payload: self.only_dialect.is_none(),
                allow_upgrades: self.allow_upgrades && polling && websocket,
                send_bytes: self.send_bytes,
                send_packets: self.send_packets,
            }),
            path: self.path.into(),
            parser: self.parser,
            max_attachments: self.max_attachments,
            polling,
            websocket,
            allow_eio3: self.allow_eio3,
            only_dialect: self.only_dialect,
            allow_jsonp: self.allow_jsonp,
            #[cfg(feature = "http-compression")]
            http_compression: self.http_compression,
            #[cfg(not(feature = "http-compression"))]
            http_compression: None,
            connect_timeout: self.connect_timeout,
            max_namespaces: self.max_namespaces,
            max_connections: self.max_connections,
            max_connections_per_address: self.max_connections_per_address,
            inbox: InboxBounds { events: self.receive_events, bytes: self.receive_bytes },
            receive_reserve: 4 * self.max_http_buffer_size,
            acks: 65_536,
            ack_timeout: self.ack_timeout,
            stall_timeout: self.stall_timeout,
            cluster_timeout: self.cluster_timeout,
            pool: PoolSize {
                workers: self.workers,
                most: self.max_workers.max(self.workers),
                stack_size: self.stack_size,
            },
            recovery: self.recovery.map(|recovery| RecoveryOptions {
                limits: RecoveryLimits {
                    max_disconnection: recovery.max_disconnection_duration,
                    unnoticed: self.ping_interval + self.ping_timeout,
                    bytes: recovery.max_bytes,
                    sockets: recovery.max_sockets,
                },
                skip_middlewares: recovery.skip_middlewares,
            }),
            cut_slow_clients: self.cut_slow_clients,
        }
    }

    /// Refuses what cannot work.
    fn check(&self) -> Result<()> {
        let day = Duration::from_secs(24 * 3600);
        let times = [
            ("ping_interval", self.ping_interval),
            ("ping_timeout", self.ping_timeout),
            ("upgrade_timeout", self.upgrade_timeout),
            ("connect_timeout", self.connect_timeout),
            ("stall_timeout", self.stall_timeout),
            ("cluster_timeout", self.cluster_timeout),
        ];
        for (name, time) in times {
            if time < Duration::from_millis(1) || time > day {
                return Err(out_of_range(name, "from a millisecond to a day"));
            }
        }
        let counts = [
            ("max_http_buffer_size", self.max_http_buffer_size),
            ("send_bytes", self.send_bytes),
            ("send_packets", self.send_packets),
            ("receive_events", self.receive_events),
            ("receive_bytes", self.receive_bytes),
            ("max_connections", self.max_connections),
            ("max_connections_per_address", self.max_connections_per_address),
            ("max_namespaces", self.max_namespaces),
            ("workers", self.workers),
        ];
        for (name, count) in counts {
            if count == 0 {
                return Err(out_of_range(name, "at least 1"));
            }
        }
        if self.recovery.is_some_and(|recovery| recovery.max_disconnection_duration > day) {
            return Err(out_of_range("max_disconnection_duration", "at most a day"));
        }
        if self.transports.is_empty() {
            return Err(out_of_range("transports", "at least one"));
        }
        if self.stack_size < 256 * 1024 {
            return Err(out_of_range("stack_size", "at least 256 KiB"));
        }
        Ok(())
    }
}

pub(super) fn clone_of(listener: &TcpListener) -> Result<TcpListener> {
    listener.try_clone().map_err(|error| {
        Error::new(ErrorKind::Resource, "no descriptor for a listener").with_source(error)
    })
}

fn out_of_range(name: &str, range: &str) -> Error {
    Error::new(ErrorKind::InvalidOption, format!("`{name}` has to be {range}"))
}
