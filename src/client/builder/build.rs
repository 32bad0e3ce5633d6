//! From options to a socket and its connection; what cannot work is refused first.

use std::sync::Arc;

use super::Builder;
use crate::client::cache::shared_socket;
use crate::client::manager::Manager;
use crate::client::ownership::SharedConnection;
use crate::client::socket::Socket;
use crate::client::update::check_parameters;
use crate::driver::client::Driver;
use crate::error::{Error, ErrorKind, Result};
use crate::net::{Address, Net, NetOptions};
use crate::options::check::{Check, check_path, check_subprotocols, check_timestamp};
use crate::options::endpoint::Location;
use crate::payload::list;

impl Builder {
    /// Makes the socket, which connects in the background unless
    /// [`auto_connect`](Builder::auto_connect) is off.
    ///
    /// It may share the connection of an earlier socket of the same server and path, whose options
    /// then stay in force; see [`force_new`](Builder::force_new).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidUrl`], [`ErrorKind::InvalidOption`], [`ErrorKind::Payload`] for the auth
    /// value, [`ErrorKind::Unsupported`], and [`ErrorKind::Resource`] when the system refuses a
    /// thread or a descriptor.
    pub fn build(mut self) -> Result<Socket> {
        let location = self.check()?;
        let options = std::mem::take(&mut self.socket);
        self.socket.acks = options.acks;
        self.socket.reconnect_after = options.reconnect_after;
        let namespace = location.namespace.clone();
        if !self.share {
            return self.make(location)?.join(&namespace, options);
        }
        let key = format!("{}{}", location.endpoint, self.request_path());
        shared_socket(key, &namespace, options, || self.make(location))
    }

    /// Makes the connection alone, without joining a namespace; the one in the URL is ignored. It
    /// opens in the background unless [`auto_connect`](Builder::auto_connect) is off.
    ///
    /// # Errors
    ///
    /// As [`Builder::build`].
    pub fn manager(self) -> Result<Manager> {
        let location = self.check()?;
        let auto_connect = self.socket.auto_connect;
        let manager = self.make(location)?;
        if auto_connect {
            manager.open();
        }
        Ok(manager)
    }

    /// Refuses what cannot work, whether a new connection is made or not.
    fn check(&self) -> Result<Location> {
        if !list::can_be_told() {
            let context = "this compiler does not tell a list of arguments from one argument";
            return Err(Error::new(ErrorKind::Unsupported, context));
        }
        let location = Location::parse(&self.url)?;
        self.socket.check()?;
        self.manager_options().check()?;
        self.changes.check_requests(&self.cache_buster)?;
        check_parameters(&location.query, &self.cache_buster).map_err(|error| {
            Error::new(ErrorKind::InvalidUrl, error.message().to_owned())
                .with_hint("a URL leads to a namespace; the path of the requests is Builder::path")
        })?;
        check_path(&self.path)?;
        check_timestamp(&self.cache_buster.parameter, &Address::RESERVED)?;
        check_subprotocols(&self.net.subprotocols)?;
        self.net.tcp.check()?;
        self.net.proxy.check()?;
        self.net.timeouts.check()?;
        self.net.tls.check()?;
        Ok(location)
    }

    /// Makes the connection, with options that are checked.
    fn make(self, location: Location) -> Result<Manager> {
        let path = self.request_path();
        let options = self.manager_options();
        let of_url = location.query.into_iter();
        let query = of_url
            .filter(|(name, _)| !self.changes.query.iter().any(|(ours, _)| ours == name))
            .chain(self.changes.query.iter().cloned())
            .collect();
        let address = Address {
            endpoint: location.endpoint,
            path,
            query,
            headers: self.changes.headers,
            cache_buster: self.cache_buster,
            force_base64: options.force_base64,
        };
        let max_message = options.limits.max_message;
        let net = Net::new(NetOptions { max_message, ..self.net })?;
        let driver = Driver::new(options, net, address)?;
        let shared = SharedConnection::new(driver, self.socket.acks, self.socket.reconnect_after);
        Ok(Manager::of(Arc::new(shared)))
    }

    fn request_path(&self) -> String {
        let path = self.path.trim_matches('/');
        match (path.is_empty(), self.trailing_slash) {
            (true, _) => "/".into(),
            (false, true) => format!("/{path}/"),
            (false, false) => format!("/{path}"),
        }
    }
}
