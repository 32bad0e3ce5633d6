//! The cookies of a manager: for each host a jar of its own.

use std::sync::{Arc, Mutex};

use super::cookies::Jar;
use crate::options::endpoint::Endpoint;
use crate::sync::lock::lock;

/// How many hosts are known; the one that was asked for longest ago gives way.
const MAX_HOSTS: usize = 16;

/// Jars by host, the one that was asked for last at the end.
#[derive(Debug, Default)]
pub(super) struct Jars {
    jars: Mutex<Vec<(String, Arc<Jar>)>>,
}

impl Jars {
    /// The jar of a host, whatever the port: so cookies are (RFC 6265, section 8.5).
    pub(super) fn of(&self, endpoint: &Endpoint) -> Arc<Jar> {
        let mut jars = lock(&self.jars);
        let known = jars.iter().position(|(host, _)| *host == endpoint.host);
        let (host, jar) = known.map_or_else(
            || (endpoint.host.clone(), Arc::new(Jar::default())),
            |known| jars.remove(known),
        );
        if jars.len() >= MAX_HOSTS {
            jars.remove(0);
        }
        jars.push((host, Arc::clone(&jar)));
        jar
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(host: &str, port: u16) -> Endpoint {
        Endpoint { secure: port == 443, host: host.to_owned(), port }
    }

    #[test]
    fn each_host_has_a_jar_of_its_own() {
        let jars = Jars::default();
        let jar = jars.of(&endpoint("a.example", 80));
        assert!(Arc::ptr_eq(&jar, &jars.of(&endpoint("a.example", 443))));
        assert!(!Arc::ptr_eq(&jar, &jars.of(&endpoint("b.example", 80))));
        assert!(!Arc::ptr_eq(&jar, &jars.of(&endpoint("a.a.example", 80))));
        assert!(Arc::ptr_eq(&jar, &jars.of(&endpoint("a.example", 80))));
    }

    #[test]
    fn hosts_are_bounded_and_those_in_use_stay() {
        let jars = Jars::default();
        let kept = jars.of(&endpoint("kept", 80));
        let left = jars.of(&endpoint("left", 80));
        for number in 0..100 {
            jars.of(&endpoint(&format!("h{number}"), 80));
            assert!(Arc::ptr_eq(&kept, &jars.of(&endpoint("kept", 80))));
        }
        assert!(!Arc::ptr_eq(&left, &jars.of(&endpoint("left", 80))));
        assert_eq!(jars.jars.lock().unwrap().len(), MAX_HOSTS);
    }
}
