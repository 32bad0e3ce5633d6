//! A name server that answers as it is told, right or wrong.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// What is said about the addresses of a name.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// Those that are of the family asked for.
    Addresses(Vec<IpAddr>),
    /// An error, by its number: [`SERVER_FAILURE`] and the like.
    Error(u8),
    /// Nothing.
    Silence,
    /// Bytes that mean nothing.
    Garbage,
    /// That the answer is too long for a datagram; by TCP there is nobody to ask.
    Truncated,
}

pub(crate) const SERVER_FAILURE: u8 = 2;
pub(crate) const NO_SUCH_NAME: u8 = 3;
pub(crate) const REFUSED: u8 = 5;

/// The number of the record for addresses of IPv4, and of IPv6.
const A: u16 = 1;
const AAAA: u16 = 28;

const HEADER: usize = 12;

/// A name server on this machine's port 53, which is free in a network namespace only.
pub(crate) struct Dns {
    zone: Arc<Mutex<Zone>>,
}

#[derive(Default)]
struct Zone {
    /// The replies for IPv4 and for IPv6.
    replies: HashMap<String, [Reply; 2]>,
    /// How often each name was asked for.
    asked: HashMap<String, usize>,
}

impl Dns {
    /// Starts it; it does not know any name, and ends with the process.
    #[track_caller]
    pub(crate) fn start() -> Self {
        let zone = Arc::default();
        let server = Self { zone };
        let socket = UdpSocket::bind(SocketAddr::new(server.ip(), 53)).expect("port 53");
        let zone = Arc::clone(&server.zone);
        let serve = move || {
            let mut buffer = [0; 512];
            while let Ok((length, peer)) = socket.recv_from(&mut buffer) {
                if let Some(answer) = lock(&zone).answer(&buffer[..length]) {
                    let _ = socket.send_to(&answer, peer);
                }
            }
        };
        thread::Builder::new().name("test-dns".into()).spawn(serve).expect("a thread");
        server
    }

    #[allow(clippy::unused_self, reason = "there could be several")]
    pub(crate) fn ip(&self) -> IpAddr {
        Ipv4Addr::LOCALHOST.into()
    }

    /// What is said about a name from now on.
    pub(crate) fn reply(&self, name: &str, reply: Reply) {
        self.replies(name, [reply.clone(), reply]);
    }

    /// What is said to those who ask for addresses of IPv4, and to those who ask for IPv6.
    pub(crate) fn replies(&self, name: &str, replies: [Reply; 2]) {
        lock(&self.zone).replies.insert(name.to_owned(), replies);
    }

    /// A name has these addresses from now on.
    #[track_caller]
    pub(crate) fn set(&self, name: &str, addresses: &[&str]) {
        let addresses = addresses.iter().map(|address| address.parse().expect("an address"));
        self.reply(name, Reply::Addresses(addresses.collect()));
    }

    /// How often a name was asked for, over both families.
    pub(crate) fn asked(&self, name: &str) -> usize {
        lock(&self.zone).asked.get(name).copied().unwrap_or_default()
    }
}

impl Zone {
    /// The answer to a question, if there is to be one.
    fn answer(&mut self, question: &[u8]) -> Option<Vec<u8>> {
        let (name, kind, end) = read_question(question)?;
        let reply = match self.replies.get(&name) {
            None => Reply::Error(NO_SUCH_NAME),
            Some(replies) if kind == A => replies[0].clone(),
            Some(replies) if kind == AAAA => replies[1].clone(),
            Some(_) => Reply::Addresses(Vec::new()),
        };
        *self.asked.entry(name).or_default() += 1;
        let (flags, addresses) = match reply {
            Reply::Silence => return None,
            Reply::Garbage => return Some([&question[..2], &[0xa5; 40]].concat()),
            Reply::Truncated => (0x8380, Vec::new()),
            Reply::Error(code) => (0x8180 | u16::from(code), Vec::new()),
            Reply::Addresses(addresses) => (0x8180, addresses),
        };
        let wanted = |address: &IpAddr| kind == if address.is_ipv4() { A } else { AAAA };
        let records: Vec<_> = addresses.into_iter().filter(wanted).collect();
        let count = u16::try_from(records.len()).expect("a few addresses");
        let mut answer = question[..2].to_vec();
        for number in [flags, 1, count, 0, 0] {
            answer.extend(number.to_be_bytes());
        }
        answer.extend(&question[HEADER..end]);
        for address in records {
            let bytes = match address {
                IpAddr::V4(address) => address.octets().to_vec(),
                IpAddr::V6(address) => address.octets().to_vec(),
            };
            // The name of the question; the class IN; no seconds to live.
            answer.extend([0xc0, 0x0c]);
            answer.extend(kind.to_be_bytes());
            answer.extend([0, 1, 0, 0, 0, 0, 0, u8::try_from(bytes.len()).expect("at most 16")]);
            answer.extend(bytes);
        }
        Some(answer)
    }
}

/// The name and the kind of record of a question, and where it ends.
fn read_question(bytes: &[u8]) -> Option<(String, u16, usize)> {
    let mut labels = Vec::new();
    let mut at = HEADER;
    loop {
        let length = usize::from(*bytes.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        let label = bytes.get(at..at + length)?;
        labels.push(String::from_utf8_lossy(label).to_lowercase());
        at += length;
    }
    let kind = u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]);
    Some((labels.join("."), kind, at + 4)).filter(|_| at + 4 <= bytes.len())
}

fn lock(zone: &Mutex<Zone>) -> MutexGuard<'_, Zone> {
    zone.lock().unwrap_or_else(PoisonError::into_inner)
}
