//! Whether this machine still has what a connection needs of it: the address on this side, and a way to
//! the other.

use std::net::SocketAddr;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with};
use socket2::SockRef;

/// Why a connection between these addresses carries nothing any more, in words; `None` where the system
/// knows of no reason. Nothing is sent.
pub(super) fn cut_off(
    local: SocketAddr,
    peer: SocketAddr,
    interface: Option<&str>,
) -> Option<String> {
    // A socket for datagrams: the system looks for its address and its way as for any other, and
    // connecting it is nothing but that.
    let family = if local.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, SocketType::DGRAM, SocketFlags::CLOEXEC, None).ok()?;
    if let Some(name) = interface {
        SockRef::from(&socket).bind_device(Some(name.as_bytes())).ok()?;
    }
    let mut any_port = local;
    any_port.set_port(0);
    match bind(&socket, &any_port) {
        Err(Errno::ADDRNOTAVAIL) => {
            return Some(format!("the local address {} is gone", local.ip()));
        }
        Err(_) => return None,
        Ok(()) => {}
    }
    match connect(&socket, &peer) {
        Err(Errno::NETUNREACH | Errno::HOSTUNREACH | Errno::NETDOWN) => {
            Some(format!("no way leads to {} any more", peer.ip()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_of_this_machine_is_there_and_another_one_is_not() {
        let peer = address("127.0.0.1:80");
        assert_eq!(cut_off(address("127.0.0.1:5000"), peer, None), None);
        assert_eq!(cut_off(address("127.0.0.9:5000"), peer, Some("lo")), None);
        let gone = cut_off(address("192.0.2.77:5000"), address("192.0.2.1:80"), None).unwrap();
        assert!(gone.contains("192.0.2.77"), "{gone}");
    }
}
