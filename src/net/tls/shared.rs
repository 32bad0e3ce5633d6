//! Connectors that connections have in common: the certificates in one take some ten kilobytes.

use std::sync::{Arc, Mutex, Weak};

use super::connector::TlsConnector;
use super::renewed::Stamp;
use crate::error::Result;
use crate::options::Tls;
use crate::sync::lock::lock;

/// Those that somebody has. The keys in one end with the last who does.
static SHARED: Mutex<Vec<Weak<TlsConnector>>> = Mutex::new(Vec::new());

/// A connector of these options, and of files with these stamps: the one that another connection has, or a new one.
pub(super) fn connector(options: &Tls, stamps: &[Option<Stamp>]) -> Result<Arc<TlsConnector>> {
    if let Some(connector) = find(&lock(&SHARED), options, stamps) {
        return Ok(connector);
    }
    // Without the lock: to read a file may take its time.
    let made = Arc::new(TlsConnector::new(options, stamps)?);
    let mut shared = lock(&SHARED);
    shared.retain(|one| one.strong_count() > 0);
    // Another may have made one meanwhile.
    let found = find(&shared, options, stamps);
    Ok(found.unwrap_or_else(|| {
        shared.push(Arc::downgrade(&made));
        made
    }))
}

fn find(
    shared: &[Weak<TlsConnector>],
    options: &Tls,
    stamps: &[Option<Stamp>],
) -> Option<Arc<TlsConnector>> {
    let mut all = shared.iter().filter_map(Weak::upgrade);
    all.find(|connector| connector.is_made_of(options, stamps))
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
        let [gone, kept] = [&one, &other].map(Arc::downgrade);
        drop((one, same));
        assert!(gone.upgrade().is_none(), "nobody has it");
        let _next = connector(&options("next.shared.test"), &[]).unwrap();
        let is_listed = |connector| lock(&SHARED).iter().any(|one| one.ptr_eq(connector));
        assert_eq!([&gone, &kept].map(is_listed), [false, true]);
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
