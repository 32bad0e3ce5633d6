//! From options to a socket and its connection; what cannot work is refused first.

use super::Builder;
use crate::client::cache::shared_socket;
use crate::client::manager::Manager;
use crate::client::recipe::Recipe;
use crate::client::socket::Socket;
use crate::client::update::{check_no_namespace, check_url_query, site};
use crate::error::{Error, ErrorKind, Result};
use crate::net::{Address, NetOptions};
use crate::options::check::{Check, check_path, check_subprotocols, check_timestamp};
use crate::options::endpoint::Location;
use crate::payload::list;

impl Builder {
    /// Makes the socket, which connects in the background unless
    /// [`auto_connect`](Builder::auto_connect) is off.
    ///
    /// It may share the connection of an earlier socket, if all options that concern the connection
    /// are the same; see [`force_new`](Builder::force_new).
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
        let share = self.share;
        let recipe = self.recipe(location);
        if share {
            return shared_socket(recipe, &namespace, options);
        }
        recipe.make()?.join(&namespace, options)
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
        let manager = self.recipe(location).make()?;
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
        check_url_query(&location.query, &self.cache_buster)?;
        for backup in self.backups() {
            let backup = backup?;
            check_url_query(&backup.query, &self.cache_buster)?;
            if backup.namespace != location.namespace {
                check_no_namespace(&backup)?;
            }
        }
        check_path(&self.path)?;
        check_timestamp(&self.cache_buster.parameter, &Address::RESERVED)?;
        check_subprotocols(&self.net.subprotocols)?;
        self.net.tcp.check()?;
        self.net.proxy.check()?;
        self.net.timeouts.check()?;
        self.net.tls.check()?;
        Ok(location)
    }

    /// What the connection is to be made of, with options that are checked.
    fn recipe(self, location: Location) -> Recipe {
        let path = self.request_path();
        let options = self.manager_options();
        let address = Address {
            backups: self.backups().filter_map(Result::ok).map(site).collect(),
            server: site(location),
            path,
            query: self.changes.query,
            headers: self.changes.headers,
            cache_buster: self.cache_buster,
            force_base64: options.force_base64,
        };
        let net = NetOptions {
            max_message: options.limits.max_message,
            receive_bytes: options.limits.receive_bytes,
            ..self.net
        };
        Recipe {
            address,
            options,
            net,
            before_attempt: self.before_attempt,
            acks: self.socket.acks,
            reconnect_after: self.socket.reconnect_after,
        }
    }

    fn backups(&self) -> impl Iterator<Item = Result<Location>> {
        self.backups.iter().map(|url| Location::parse(url))
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
