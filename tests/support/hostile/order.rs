//! What a session is told to do, and how packets are wrapped for the way to the client.

use std::io::{self, BufWriter, Write};

use crossbeam_channel::Sender;

/// Something to do.
pub(super) enum Order {
    /// Packets of Engine.IO, each of the same length in bytes, made of their numbers.
    Packets { count: usize, length: usize, make: Box<dyn Fn(usize) -> String + Send> },
    /// Bytes below WebSocket.
    Frames(Vec<u8>),
    /// As many bytes of a longer message.
    Stall(usize),
    /// The end of the connection.
    HangUp,
    /// A word to who waits for it.
    Tell(Sender<()>),
}

/// Events `flood(n, text)` that are packets of so many bytes.
#[track_caller]
pub(super) fn flood(namespace: &str, count: usize, bytes: usize) -> Order {
    let namespace = if namespace == "/" { String::new() } else { format!("{namespace},") };
    let head = move |n: usize| format!("42{namespace}[\"flood\",{n},\"");
    let least = head(count).len() + 2;
    assert!(bytes >= least, "events that are told apart have {least} bytes or more");
    let make = move |n: usize| {
        let mut packet = head(n);
        packet.extend(std::iter::repeat_n('x', bytes - packet.len() - 2));
        packet.push_str("\"]");
        packet
    };
    Order::Packets { count, length: bytes, make: Box::new(make) }
}

/// How packets are told apart in the body of a response.
#[derive(Clone, Copy)]
pub(super) enum Framing {
    /// Engine.IO 4: by a character between them.
    Separators,
    /// Engine.IO 3: by the length before each, in characters. Here all of them are ASCII.
    Lengths,
}

impl Framing {
    /// The length of a body.
    pub(super) fn body_length(self, count: usize, length: usize) -> usize {
        match self {
            Self::Separators => count * length + count.saturating_sub(1),
            Self::Lengths => count * (length.to_string().len() + 1 + length),
        }
    }

    /// Writes the packet with this number in the body.
    pub(super) fn write(self, to: &mut impl Write, n: usize, packet: &str) -> io::Result<()> {
        match self {
            Self::Separators if n == 0 => write!(to, "{packet}"),
            Self::Separators => write!(to, "\x1e{packet}"),
            Self::Lengths => write!(to, "{}:{packet}", packet.len()),
        }
    }

    /// Writes the first half of a packet of twice as many bytes.
    pub(super) fn write_half(self, to: &mut impl Write, bytes: usize) -> io::Result<()> {
        if let Self::Lengths = self {
            write!(to, "{}:", 2 * bytes)?;
        }
        to.write_all(&vec![b'4'; bytes])
    }

    /// The packets of a body that a client has posted, each with its length in bytes.
    pub(super) fn read(self, body: &[u8]) -> Vec<(String, usize)> {
        match self {
            Self::Separators => body.split(|&byte| byte == 0x1e).map(text_or_base64).collect(),
            Self::Lengths if body.first().is_some_and(|&byte| byte < 2) => binary_packets(body),
            Self::Lengths => counted_packets(&String::from_utf8_lossy(body)),
        }
    }
}

/// A packet of a body of Engine.IO 4, where binary is `b` and base64.
fn text_or_base64(packet: &[u8]) -> (String, usize) {
    match packet.strip_prefix(b"b") {
        Some(base64) => {
            let padding = base64.iter().rev().take_while(|&&byte| byte == b'=').count();
            described(base64.len() / 4 * 3 - padding)
        }
        None => (String::from_utf8_lossy(packet).into_owned(), packet.len()),
    }
}

/// The packets of a body of Engine.IO 3 that is text: each has its length in characters before it.
fn counted_packets(mut body: &str) -> Vec<(String, usize)> {
    let mut packets = Vec::new();
    while let Some((length, rest)) = body.split_once(':') {
        let length: usize = length.parse().expect("a length");
        let mut units = 0;
        let end = rest.char_indices().find(|(_, char)| {
            let is_end = units == length;
            units += char.len_utf16();
            is_end
        });
        let (packet, rest) = rest.split_at(end.map_or(rest.len(), |(at, _)| at));
        packets.push((packet.to_owned(), packet.len()));
        body = rest;
    }
    packets
}

/// The packets of a body of Engine.IO 3 that is binary: a byte that tells text from binary, the digits
/// of the length, and a byte 255 are before each.
fn binary_packets(mut body: &[u8]) -> Vec<(String, usize)> {
    let mut packets = Vec::new();
    while let [kind, rest @ ..] = body {
        let digits = rest.iter().take_while(|&&byte| byte != 255).count();
        let length = rest[..digits].iter().fold(0, |sum, &digit| sum * 10 + usize::from(digit));
        let (packet, rest) = rest[digits + 1..].split_at(length);
        packets.push(match kind {
            0 => (String::from_utf8_lossy(packet).into_owned(), packet.len()),
            // The type is a byte of its own.
            _ => described(packet.len().saturating_sub(1)),
        });
        body = rest;
    }
    packets
}

/// How a test is told of bytes.
pub(super) fn described(bytes: usize) -> (String, usize) {
    (format!("<{bytes} bytes>"), bytes)
}

/// Collects small writes, so that the socket gets as much at once as it takes.
pub(super) fn in_large_pieces<W: Write>(stream: W) -> BufWriter<W> {
    BufWriter::with_capacity(64 * 1024, stream)
}
