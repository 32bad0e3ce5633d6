//! Hearing of changes of the network from the kernel (netlink(7), rtnetlink(7)).

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, recv, socket_with};

use super::waker::{Waker, poll_within};
use crate::error::{Error, ErrorKind, Result};

/// Links (`RTMGRP_LINK`), and addresses and routes of both versions (`RTMGRP_IPV4_IFADDR` and so on).
const GROUPS: u32 = 0x1 | 0x10 | 0x40 | 0x100 | 0x400;

const NEW_LINK: u16 = 16;
const DEL_LINK: u16 = 17;
const NEW_ADDRESS: u16 = 20;
const DEL_ADDRESS: u16 = 21;
const NEW_ROUTE: u16 = 24;
const DEL_ROUTE: u16 = 25;

/// `IFF_RUNNING`: the link can carry something.
const RUNNING: u32 = 0x40;

/// `IFA_F_TENTATIVE`: whether somebody else has the address is still being found out.
const TENTATIVE: u8 = 0x40;

/// `IFA_ADDRESS`.
const ADDRESS: u16 = 1;

/// Changes come in swarms: one is over when nothing has come for so long, or has lasted so long.
const QUIET: Duration = Duration::from_millis(200);
const SWARM: Duration = Duration::from_secs(1);

/// How many links and addresses are known. What is not known is new.
const MAX_KNOWN: usize = 256;

/// What a change means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum NetworkChange {
    /// Something is gone.
    Worse,
    /// Something is there that was not: an address, a link, a default route.
    Better,
}

/// A subscription to the kernel's news.
#[derive(Debug)]
pub(crate) struct NetworkNews {
    socket: OwnedFd,
    known: Inventory,
}

/// What was there when it was heard of the last time.
#[derive(Debug, Default)]
struct Inventory {
    /// The numbers of links that can carry something.
    running: Vec<u32>,
    /// Addresses, with the number of the link.
    addresses: Vec<(u32, Vec<u8>)>,
}

impl NetworkNews {
    pub(crate) fn new() -> Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        // The protocol 0 is that of routes.
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None);
        let bound = socket.and_then(|socket| {
            bind(&socket, &SocketAddrNetlink::new(0, GROUPS))?;
            Ok(socket)
        });
        let socket = bound.map_err(|error| {
            Error::new(ErrorKind::Resource, "cannot hear of changes of the network (netlink)")
                .with_source(io::Error::from(error))
        })?;
        Ok(Self { socket, known: Inventory::default() })
    }

    /// Blocks until the network has changed, and the changes are over for a moment. A cancellation is an
    /// error.
    pub(crate) fn next(&mut self, waker: &Waker) -> Result<NetworkChange> {
        let mut change = None;
        let mut over = None;
        loop {
            if let Some(found) = self.read()? {
                change = change.max(Some(found));
            }
            let now = Instant::now();
            let limit = change.map(|_| {
                let over: &mut Instant = over.get_or_insert(now + SWARM);
                over.saturating_duration_since(now).min(QUIET)
            });
            let is_quiet =
                limit.is_some_and(|limit| limit.is_zero()) || !self.wait(waker, limit)?;
            if let Some(change) = change.filter(|_| is_quiet) {
                return Ok(change);
            }
        }
    }

    /// Blocks until there is something to read; `false`: not within the limit.
    fn wait(&self, waker: &Waker, limit: Option<Duration>) -> Result<bool> {
        let mut fds =
            [waker.polled(), PollFd::from_borrowed_fd(self.socket.as_fd(), PollFlags::IN)];
        poll_within(&mut fds, limit)?;
        waker.check()?;
        Ok(!fds[1].revents().is_empty())
    }

    /// Reads what there is; what it means.
    fn read(&mut self) -> Result<Option<NetworkChange>> {
        let mut change = None;
        let mut buffer = vec![0; 32 * 1024];
        loop {
            match recv(&self.socket, &mut buffer[..], RecvFlags::DONTWAIT) {
                Ok((length, _)) => {
                    change = change.max(self.known.take_in(&buffer[..length]));
                }
                Err(Errno::AGAIN) => return Ok(change),
                Err(Errno::INTR) => {}
                // Some of it is lost: anything may have happened.
                Err(Errno::NOBUFS) => {
                    self.known = Inventory::default();
                    change = Some(NetworkChange::Better);
                }
                Err(error) => {
                    return Err(Error::new(ErrorKind::Resource, "netlink failed")
                        .with_source(io::Error::from(error)));
                }
            }
        }
    }
}

impl Inventory {
    /// What all messages of a datagram mean.
    fn take_in(&mut self, mut datagram: &[u8]) -> Option<NetworkChange> {
        let mut change = None;
        // A header has length, type, flags, a number and the sender.
        while let (Some(length), Some(kind)) = (u32_at(datagram, 0), u16_at(datagram, 4)) {
            let length = length as usize;
            let Some(body) = datagram.get(16..length) else { break };
            change = change.max(self.take_in_one(kind, body));
            datagram = datagram.get(length.next_multiple_of(4)..).unwrap_or_default();
        }
        change
    }

    fn take_in_one(&mut self, kind: u16, body: &[u8]) -> Option<NetworkChange> {
        let link = u32_at(body, 4)?;
        match kind {
            NEW_LINK => {
                let is_running = u32_at(body, 8)? & RUNNING != 0;
                let was_running = self.running.contains(&link);
                self.running.retain(|known| *known != link);
                if is_running {
                    keep(&mut self.running, link);
                }
                match (was_running, is_running) {
                    (false, true) => Some(NetworkChange::Better),
                    (true, false) => Some(NetworkChange::Worse),
                    // A wireless link tells of each scan, for example.
                    _ => None,
                }
            }
            DEL_LINK => {
                self.running.retain(|known| *known != link);
                Some(NetworkChange::Worse)
            }
            NEW_ADDRESS if body.get(2)? & TENTATIVE != 0 => None,
            NEW_ADDRESS => {
                let address = (link, address(body)?);
                // Each advertisement of a router tells of it again.
                let is_new = !self.addresses.contains(&address);
                if is_new {
                    keep(&mut self.addresses, address);
                }
                is_new.then_some(NetworkChange::Better)
            }
            DEL_ADDRESS => {
                let address = (link, address(body)?);
                self.addresses.retain(|known| *known != address);
                Some(NetworkChange::Worse)
            }
            // Of a route it is the length of its prefix that stands there. Others come and go by
            // the thousand, where a machine is a router.
            NEW_ROUTE => (*body.get(1)? == 0).then_some(NetworkChange::Better),
            DEL_ROUTE => Some(NetworkChange::Worse),
            _ => None,
        }
    }
}

fn keep<T>(known: &mut Vec<T>, one: T) {
    if known.len() >= MAX_KNOWN {
        known.remove(0);
    }
    known.push(one);
}

/// The address that a message is about, in the attributes behind its head of 8 bytes.
fn address(body: &[u8]) -> Option<Vec<u8>> {
    let mut rest = body.get(8..)?;
    loop {
        let (length, kind) = (usize::from(u16_at(rest, 0)?), u16_at(rest, 2)?);
        let value = rest.get(4..length)?;
        if kind == ADDRESS {
            return Some(value.to_vec());
        }
        rest = rest.get(length.next_multiple_of(4)..)?;
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message as the kernel writes it.
    fn message(kind: u16, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(16 + body.len()).unwrap();
        let mut message = [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), &[0; 10], body].concat();
        message.resize(message.len().next_multiple_of(4), 0);
        message
    }

    fn link(kind: u16, index: u32, flags: u32) -> Vec<u8> {
        let body = [&[0; 4][..], &index.to_ne_bytes(), &flags.to_ne_bytes(), &[0; 4]].concat();
        message(kind, &body)
    }

    fn on_link(kind: u16, index: u32, flags: u8, address: &[u8]) -> Vec<u8> {
        let attribute = |kind: u16, value: &[u8]| {
            let length = u16::try_from(4 + value.len()).unwrap();
            let mut all = [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), value].concat();
            all.resize(all.len().next_multiple_of(4), 0);
            all
        };
        let head = [&[2, 24, flags, 0][..], &index.to_ne_bytes()].concat();
        // One before it, of an odd length.
        message(kind, &[head, attribute(3, b"eth0\0"), attribute(ADDRESS, address)].concat())
    }

    fn route(kind: u16, prefix: u8) -> Vec<u8> {
        message(kind, &[2, prefix, 0, 0, 254, 3, 0, 1, 0, 0, 0, 0])
    }

    #[test]
    fn what_is_new_is_better_and_what_is_known_is_nothing() {
        let (better, worse) = (Some(NetworkChange::Better), Some(NetworkChange::Worse));
        let mut known = Inventory::default();
        for (number, (datagram, meaning)) in [
            (link(NEW_LINK, 3, RUNNING | 1), better),
            // A scan, a change of the name.
            (link(NEW_LINK, 3, RUNNING | 1), None),
            (link(NEW_LINK, 3, 1), worse),
            (link(NEW_LINK, 3, 1), None),
            (link(NEW_LINK, 3, RUNNING | 1), better),
            (link(DEL_LINK, 3, 0), worse),
            (link(NEW_LINK, 3, RUNNING | 1), better),
            (on_link(NEW_ADDRESS, 3, TENTATIVE, &[1; 16]), None),
            (on_link(NEW_ADDRESS, 3, 0, &[1; 16]), better),
            (on_link(NEW_ADDRESS, 3, 0, &[1; 16]), None),
            (on_link(NEW_ADDRESS, 4, 0, &[1; 16]), better),
            (on_link(NEW_ADDRESS, 3, 0, &[10, 0, 0, 1]), better),
            (on_link(DEL_ADDRESS, 3, 0, &[1; 16]), worse),
            (on_link(NEW_ADDRESS, 3, 0, &[1; 16]), better),
            (route(NEW_ROUTE, 0), better),
            (route(NEW_ROUTE, 24), None),
            (route(DEL_ROUTE, 24), worse),
            (message(99, &[0; 40]), None),
            ([route(DEL_ROUTE, 0), route(NEW_ROUTE, 0)].concat(), better),
            ([route(NEW_ROUTE, 0), route(DEL_ROUTE, 0)].concat(), better),
        ]
        .into_iter()
        .enumerate()
        {
            assert_eq!(known.take_in(&datagram), meaning, "{number}");
        }
    }

    #[test]
    fn what_is_cut_off_or_makes_no_sense_does_no_harm() {
        let all =
            [link(NEW_LINK, 3, 1), on_link(NEW_ADDRESS, 3, 0, &[1; 16]), route(24, 0)].concat();
        for end in 0..all.len() {
            Inventory::default().take_in(&all[..end]);
        }
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..100_000 {
            let mut bytes = all.clone();
            for _ in 0..random.usize(1..8) {
                let at = random.usize(..bytes.len());
                bytes[at] = random.u8(..);
            }
            Inventory::default().take_in(&bytes);
        }
        let mut known = Inventory::default();
        for index in 0..10_000 {
            known.take_in(&link(NEW_LINK, index, RUNNING));
            known.take_in(&on_link(NEW_ADDRESS, index, 0, &[1; 4]));
        }
        assert_eq!((known.running.len(), known.addresses.len()), (MAX_KNOWN, MAX_KNOWN));
    }

    #[test]
    fn a_cancellation_ends_the_wait() {
        let mut news = NetworkNews::new().unwrap();
        let waker = Waker::new().unwrap();
        waker.cancel();
        // Nobody changes this network now, or else the second time.
        let ended = (0..10).any(|_| news.next(&waker).is_err());
        assert!(ended);
    }
}
