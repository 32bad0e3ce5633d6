//! Host and port in URLs that the library has taken already.

/// The host without brackets, and the port.
pub(super) fn split(authority: &str, default: u16) -> Option<(String, u16)> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    let port = port.trim_start_matches(':');
    let port = if port.is_empty() { default } else { port.parse().ok()? };
    Some((host.to_owned(), port))
}

/// The host as it stands before a port.
pub(super) fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}
