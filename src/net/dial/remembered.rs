//! The addresses at which hosts were reached the last time, for when their names cannot be looked up.

use std::net::IpAddr;
use std::sync::Mutex;

use crate::sync::lock::lock;

/// How many hosts are known; the one that was noted longest ago gives way.
const MAX_HOSTS: usize = 16;

/// For each host the last address that worked.
#[derive(Debug, Default)]
pub(in crate::net) struct Remembered {
    addresses: Mutex<Vec<(String, IpAddr)>>,
}

impl Remembered {
    pub(super) fn of(&self, host: &str) -> Option<IpAddr> {
        let addresses = lock(&self.addresses);
        addresses.iter().find(|(known, _)| known == host).map(|(_, address)| *address)
    }

    pub(super) fn note(&self, host: &str, address: IpAddr) {
        if host.parse::<IpAddr>().is_ok() {
            return;
        }
        let mut addresses = lock(&self.addresses);
        addresses.retain(|(known, _)| known != host);
        if addresses.len() >= MAX_HOSTS {
            addresses.remove(0);
        }
        addresses.push((host.to_owned(), address));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_address_of_each_of_the_last_hosts_is_known() {
        let remembered = Remembered::default();
        let address = |number: u8| IpAddr::from([10, 0, 0, number]);
        remembered.note("first", address(1));
        for number in 0..100 {
            remembered.note(&format!("h{number}"), address(number));
            remembered.note("first", address(number));
        }
        assert_eq!(remembered.of("first"), Some(address(99)));
        assert_eq!((remembered.of("h99"), remembered.of("h1")), (Some(address(99)), None));
        remembered.note("10.0.0.1", address(2));
        assert_eq!(remembered.of("10.0.0.1"), None);
        assert_eq!(remembered.addresses.lock().unwrap().len(), MAX_HOSTS);
    }
}
