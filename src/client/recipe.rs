//! What a connection is made of.

use std::sync::Arc;

use crate::client::manager::Manager;
use crate::client::ownership::SharedConnection;
use crate::client::socket_options::AckOptions;
use crate::driver::client::{Driver, PrepareFunction};
use crate::error::Result;
use crate::net::{Address, Net, NetOptions};
use crate::options::{ManagerOptions, Rejections};

/// All options that concern a connection, checked.
pub(super) struct Recipe {
    pub(super) address: Address,
    pub(super) options: ManagerOptions,
    pub(super) net: NetOptions,
    /// How events of its sockets are acknowledged that have no options of their own. It is those
    /// sockets' business, and so not compared.
    pub(super) acks: AckOptions,
    /// After which rejections they come back; likewise.
    pub(super) reconnect_after: Rejections,
    pub(super) before_attempt: Option<PrepareFunction>,
}

impl Recipe {
    /// Makes the connection.
    pub(super) fn make(self) -> Result<Manager> {
        let net = Net::new(self.net)?;
        let driver = Driver::new(self.options, net, self.address, self.before_attempt)?;
        let shared = SharedConnection::new(driver, self.acks, self.reconnect_after);
        Ok(Manager::of(Arc::new(shared)))
    }

    /// Whether a connection is as this makes one. What was changed since it was made counts.
    pub(super) fn has_made(&self, connection: &Driver) -> bool {
        // Functions cannot be compared.
        self.before_attempt.is_none()
            && connection.is_made_of(&self.options, &self.net, &self.address)
    }
}
