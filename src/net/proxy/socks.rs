//! SOCKS version 5 (RFC 1928), with user name and password (RFC 1929).

use std::net::{Ipv4Addr, Ipv6Addr};

use super::channel::Channel;
use crate::error::{Error, Result, snippet};
use crate::options::endpoint::Endpoint;

const VERSION: u8 = 5;
const NO_AUTHENTICATION: u8 = 0;
const USER_PASSWORD: u8 = 2;
const USER_PASSWORD_VERSION: u8 = 1;
const CONNECT: u8 = 1;
const IPV4: u8 = 1;
const DOMAIN: u8 = 3;
const IPV6: u8 = 4;

/// Asks for a connection.
pub(super) fn connect(channel: &mut Channel<'_>, endpoint: &Endpoint) -> Result<()> {
    let offered: &[u8] = match channel.proxy.credentials {
        None => &[VERSION, 1, NO_AUTHENTICATION],
        Some(_) => &[VERSION, 2, NO_AUTHENTICATION, USER_PASSWORD],
    };
    channel.send(offered)?;
    let mut answer = [0; 2];
    channel.receive_exact(&mut answer)?;
    match answer {
        [VERSION, NO_AUTHENTICATION] => {}
        [VERSION, USER_PASSWORD] => authenticate(channel)?,
        [VERSION, _] => {
            let hint = if channel.proxy.credentials.is_some() {
                "it takes neither a user name and password nor nobody"
            } else {
                "the proxy wants a user name and a password: `Proxy::credentials`"
            };
            return Err(channel.error("wants authentication").with_hint(hint).fatal());
        }
        other => return Err(strange(channel, &other)),
    }
    channel.send(&request(channel, endpoint)?)?;
    read_reply(channel, endpoint)
}

fn authenticate(channel: &mut Channel<'_>) -> Result<()> {
    let Some((user, password)) = &channel.proxy.credentials else {
        return Err(channel.error("chose an authentication that was not offered"));
    };
    let mut message = vec![USER_PASSWORD_VERSION];
    for part in [user, password] {
        // That it fits was checked with the options.
        message.push(u8::try_from(part.len()).unwrap_or(u8::MAX));
        message.extend(part.bytes().take(usize::from(u8::MAX)));
    }
    channel.send(&message)?;
    let mut answer = [0; 2];
    channel.receive_exact(&mut answer)?;
    if answer[1] == 0 {
        return Ok(());
    }
    Err(channel
        .error("refused the user name and the password")
        .with_hint("are they right?")
        .fatal())
}

fn request(channel: &Channel<'_>, endpoint: &Endpoint) -> Result<Vec<u8>> {
    let mut message = vec![VERSION, CONNECT, 0];
    let host = endpoint.host_without_zone();
    if let Ok(address) = host.parse::<Ipv4Addr>() {
        message.push(IPV4);
        message.extend(address.octets());
    } else if let Ok(address) = host.parse::<Ipv6Addr>() {
        message.push(IPV6);
        message.extend(address.octets());
    } else {
        let length = u8::try_from(host.len())
            .map_err(|_| channel.error("takes no host name of more than 255 bytes"))?;
        message.extend([DOMAIN, length]);
        message.extend(host.bytes());
    }
    message.extend(endpoint.port.to_be_bytes());
    Ok(message)
}

/// Reads the reply to its last byte: behind it come the server's.
fn read_reply(channel: &mut Channel<'_>, endpoint: &Endpoint) -> Result<()> {
    let mut head = [0; 5];
    channel.receive_exact(&mut head)?;
    let [version, reply, _, kind, first] = head;
    if version != VERSION {
        return Err(strange(channel, &head));
    }
    if reply != 0 {
        let server = endpoint.authority();
        let words = words(reply);
        return Err(channel.error(&format!("has no way to {server}: {words} (code {reply})")));
    }
    let left = match kind {
        IPV4 => 4 - 1 + 2,
        IPV6 => 16 - 1 + 2,
        DOMAIN => usize::from(first) + 2,
        _ => return Err(strange(channel, &head)),
    };
    channel.receive_exact(&mut vec![0; left])
}

fn words(reply: u8) -> &'static str {
    match reply {
        1 => "general failure",
        2 => "its rules forbid the connection",
        3 => "network unreachable",
        4 => "host unreachable",
        5 => "connection refused",
        6 => "the time to live expired",
        7 => "it does not know the command",
        8 => "it does not know this kind of address",
        _ => "for a reason of its own",
    }
}

fn strange(channel: &Channel<'_>, bytes: &[u8]) -> Error {
    channel
        .error(&format!("does not answer in SOCKS5: {}", snippet(bytes)))
        .with_hint("is it a SOCKS5 proxy, and the port right?")
}
