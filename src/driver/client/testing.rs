//! What unit tests make a driver of.

use std::sync::Arc;

use super::Driver;
use crate::net::{Address, CacheBuster, Net, NetOptions, Site};
use crate::options::endpoint::Endpoint;
use crate::options::{Limits, ManagerOptions, Transport};

/// A connection by WebSocket to this port of the machine, which nobody has asked for yet.
pub(super) fn driver(port: u16, limits: Limits) -> Arc<Driver> {
    let options = ManagerOptions {
        transports: vec![Transport::WebSocket],
        limits,
        ..ManagerOptions::default()
    };
    let net = Net::new(NetOptions { max_message: 1 << 20, ..NetOptions::default() }).unwrap();
    let address = Address {
        server: Site {
            endpoint: Endpoint { secure: false, host: "127.0.0.1".into(), port },
            query: Vec::new(),
        },
        backups: Vec::new(),
        path: "/socket.io/".into(),
        query: Vec::new(),
        headers: Vec::new(),
        cache_buster: CacheBuster { parameter: "t".into(), requests: None },
        force_base64: false,
    };
    Driver::new(options, net, address, None).unwrap()
}
