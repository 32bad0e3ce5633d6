//! What is spoken over TLS.

/// How ALPN (RFC 7301) names it: servers that prefer HTTP/2 have to know.
pub(super) const HTTP: &str = "http/1.1";
