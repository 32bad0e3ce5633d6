//! Connectors that connections have in common: the certificates in one take some ten kilobytes.

use std::sync::{Arc, Mutex, Weak};

use super::connector::TlsConnector;
use super::renewed::Stamp;
use crate::error::Result;
use crate::options::Tls;
use crate::sync::lock::lock;

/// Those that somebody has.
static SHARED: Mutex<Vec<SharedConnector>> = Mutex::new(Vec::new());

#[derive(Debug)]
struct SharedConnector {
    options: Tls,
    stamps: Vec<Option<Stamp>>,
    connector: Weak<TlsConnector>,
}

/// A connector of these options, and of files with these stamps: the one that another connection has, or a new one.
pub(super) fn connector(options: &Tls, stamps: &[Option<Stamp>]) -> Result<Arc<TlsConnector>> {
    if let Some(connector) = find(&lock(&SHARED), options, stamps) {
        return Ok(connector);
    }
    // Without the lock: to read a file may take its time.
    let made = Arc::new(TlsConnector::new(options)?);
    let mut shared = lock(&SHARED);
    shared.retain(|one| one.connector.strong_count() > 0);
    // Another may have made one meanwhile.
    let found = find(&shared, options, stamps);
    Ok(found.unwrap_or_else(|| {
        let connector = Arc::downgrade(&made);
        shared.push(SharedConnector {
            options: options.clone(),
            stamps: stamps.to_vec(),
            connector,
        });
        made
    }))
}

fn find(
    shared: &[SharedConnector],
    options: &Tls,
    stamps: &[Option<Stamp>],
) -> Option<Arc<TlsConnector>> {
    let mut fitting = shared.iter().filter(|one| one.stamps == stamps && one.options == *options);
    fitting.find_map(|one| one.connector.upgrade())
}

#[cfg(all(test, feature = "rustls"))]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::net::tls::renewed::stamp;

    /// Options that no other test has.
    fn options(name: &str) -> Tls {
        Tls::new().server_name(name)
    }

    #[test]
    fn equal_options_have_one_connector_for_as_long_as_anybody_has_it() {
        let one = connector(&options("one.shared.test"), &[]).unwrap();
        let same = connector(&options("one.shared.test"), &[]).unwrap();
        let other = connector(&options("other.shared.test"), &[]).unwrap();
        assert!(Arc::ptr_eq(&one, &same));
        assert!(!Arc::ptr_eq(&one, &other));
        let gone = Arc::downgrade(&one);
        drop((one, same));
        assert!(gone.upgrade().is_none(), "nobody has it");
        let is_kept = |name| lock(&SHARED).iter().any(|one| one.options == options(name));
        let _next = connector(&options("next.shared.test"), &[]).unwrap();
        assert_eq!([is_kept("one.shared.test"), is_kept("other.shared.test")], [false, true]);
    }

    #[test]
    fn a_file_that_has_changed_is_another_connector() {
        let stamps = ["/", "/proc"].map(|path| [stamp(Path::new(path))]);
        let [old, new, again] = [&stamps[0], &stamps[1], &stamps[0]]
            .map(|stamps| connector(&options("changed.shared.test"), stamps).unwrap());
        assert!(!Arc::ptr_eq(&old, &new));
        assert!(Arc::ptr_eq(&old, &again));
    }

    #[test]
    fn what_cannot_be_made_is_an_error_each_time() {
        let broken = options("broken.shared.test").ca_pem("no certificate");
        for _ in 0..2 {
            assert!(connector(&broken, &[]).is_err());
        }
    }
}
