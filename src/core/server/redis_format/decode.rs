//! What comes.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::channels::ChannelKind;
use super::kinds;
use crate::core::server::cluster::{ClusterAnswer, ClusterMessage, RequestId, SocketDetails};
use crate::core::server::rooms::Selection;
use crate::error::{Error, ErrorKind, Result, snippet};
use crate::payload::{Payload, placeholder};
use crate::proto::json::{elements, members, scan, unquoted};
use crate::proto::parser::msgpack::read_value;
use crate::proto::socket_packet::RESERVED_EVENTS;

/// How long clients may take to answer where the server that asks says nothing of it, and at most.
const LIMITS: (Duration, Duration) = (Duration::from_secs(45), Duration::from_secs(24 * 3600));

/// What has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HeardMessage {
    /// The name of the server, if it has one.
    pub(crate) from: Option<Arc<str>>,
    pub(crate) message: ClusterMessage,
}

/// Reads what has come by a channel of a namespace, of at most so many bytes. `None`: it is of no concern here, or
/// of a kind that nobody knows yet.
pub(crate) fn decode(
    kind: ChannelKind<'_>,
    namespace: &str,
    bytes: &Bytes,
    max_bytes: usize,
) -> Result<Option<HeardMessage>> {
    if bytes.len() > max_bytes {
        let what = format!("{} bytes, of at most {max_bytes}", bytes.len());
        return Err(Error::new(ErrorKind::TooLarge, what));
    }
    let payload = read(bytes, max_bytes)?;
    let text = Text { json: &payload.json, attachments: &payload.attachments };
    let decoded = match kind {
        ChannelKind::Broadcast(_) => broadcast(namespace, text),
        ChannelKind::Request => request(namespace, text),
        ChannelKind::Response => response(text),
    };
    match decoded {
        Ok(decoded) => Ok(decoded),
        Err(Malformed(what)) => {
            let what = format!("{what}: \"{}\"", snippet(bytes));
            Err(Error::new(ErrorKind::Protocol, what))
        }
    }
}

/// Whether a broadcast is one of the server's of this name, which need not be read.
pub(crate) fn is_broadcast_of(name: &str, bytes: &[u8]) -> bool {
    // An array of three, and a short text.
    let Some((&[0x93, marker], rest)) = bytes.split_first_chunk() else { return false };
    name.len() < 32 && usize::from(marker) == 0xa0 | name.len() && rest.starts_with(name.as_bytes())
}

/// Any message as JSON with attachments.
fn read(bytes: &Bytes, max_bytes: usize) -> Result<Payload> {
    if bytes.first() != Some(&b'{') {
        return read_value(bytes, max_bytes);
    }
    let fail =
        |wrong: &str| Error::new(ErrorKind::Protocol, format!("{wrong}: \"{}\"", snippet(bytes)));
    let text = std::str::from_utf8(bytes).map_err(|error| fail("no text").with_source(error))?;
    scan(text).map_err(|_| fail("no JSON"))?;
    Ok(Payload { json: text.to_owned(), attachments: Vec::new() })
}

/// What is wrong.
struct Malformed(&'static str);

type Read<T> = std::result::Result<T, Malformed>;

/// A value, with what its placeholders stand for.
#[derive(Clone, Copy)]
struct Text<'a> {
    json: &'a str,
    attachments: &'a [Bytes],
}

/// The members of an object that mean something.
#[derive(Default)]
struct Members<'a> {
    uid: Option<&'a str>,
    request_id: Option<&'a str>,
    kind: Option<&'a str>,
    packet: Option<&'a str>,
    nsp: Option<&'a str>,
    data: Option<&'a str>,
    opts: Option<&'a str>,
    rooms: Option<&'a str>,
    except: Option<&'a str>,
    flags: Option<&'a str>,
    volatile: Option<&'a str>,
    timeout: Option<&'a str>,
    close: Option<&'a str>,
    sid: Option<&'a str>,
    room: Option<&'a str>,
    sockets: Option<&'a str>,
    client_count: Option<&'a str>,
    id: Option<&'a str>,
    handshake: Option<&'a str>,
}

impl<'a> Members<'a> {
    fn of(json: &'a str) -> Read<Self> {
        let mut all = Self::default();
        if !json.trim_start().starts_with('{') {
            return Err(Malformed("no object"));
        }
        let visited = members(json, |key, value| {
            let place = match &*unquoted(key).unwrap_or_default() {
                "uid" => &mut all.uid,
                "requestId" => &mut all.request_id,
                "type" => &mut all.kind,
                "packet" => &mut all.packet,
                "nsp" => &mut all.nsp,
                "data" => &mut all.data,
                "opts" => &mut all.opts,
                "rooms" => &mut all.rooms,
                "except" => &mut all.except,
                "flags" => &mut all.flags,
                "volatile" => &mut all.volatile,
                "timeout" => &mut all.timeout,
                "close" => &mut all.close,
                "sid" => &mut all.sid,
                "room" => &mut all.room,
                "sockets" => &mut all.sockets,
                "clientCount" => &mut all.client_count,
                "id" => &mut all.id,
                "handshake" => &mut all.handshake,
                _ => return,
            };
            *place = Some(value).filter(|value| *value != "null");
        });
        visited.map_err(|_| Malformed("no object"))?;
        Ok(all)
    }

    fn from(&self) -> Read<Option<Arc<str>>> {
        self.uid.map(|uid| Ok(text(uid)?.into())).transpose()
    }

    fn request(&self) -> Read<RequestId> {
        Ok(RequestId(text(self.request_id.ok_or(Malformed("no request"))?)?.into()))
    }

    fn selection(&self) -> Read<Selection> {
        let of = |list: Option<&str>| list.map_or(Ok(Vec::new()), names);
        Ok(Selection { rooms: of(self.rooms)?, except: of(self.except)? })
    }
}

/// An array of the name of the server, the packet and the options.
fn broadcast(namespace: &str, whole: Text<'_>) -> Read<Option<HeardMessage>> {
    let parts = elements(whole.json).ok_or(Malformed("no array"))?;
    let [uid, packet, opts, ..] = parts[..] else { return Err(Malformed("too short an array")) };
    let Some(payload) = event(namespace, Text { json: packet, ..whole })? else { return Ok(None) };
    let opts = Members::of(opts)?;
    let flags = opts.flags.map_or_else(|| Ok(Members::default()), Members::of)?;
    let selection = opts.selection()?;
    let volatile = flags.volatile == Some("true");
    let message = ClusterMessage::Broadcast { payload, selection, volatile };
    Ok(Some(HeardMessage { from: Some(text(uid)?.into()), message }))
}

/// The event of a packet; `None`: it is of another namespace.
fn event(namespace: &str, packet: Text<'_>) -> Read<Option<Payload>> {
    let Members { nsp, data, .. } = Members::of(packet.json)?;
    if nsp.map_or(Ok("/".into()), text)? != namespace {
        return Ok(None);
    }
    let json = data.ok_or(Malformed("a packet without data"))?;
    arguments(Text { json, ..packet }).map(Some)
}

/// The name and the arguments of an event.
fn arguments(list: Text<'_>) -> Read<Payload> {
    let parts = elements(list.json).ok_or(Malformed("an event that is no array"))?;
    let name = text(parts.first().ok_or(Malformed("an event without a name"))?)?;
    if RESERVED_EVENTS.contains(&&*name) {
        return Err(Malformed("an event of a reserved name"));
    }
    Ok(value(list))
}

/// A part of what has come. Only one of them has attachments: else their numbers do not fit, and it has none.
fn value(part: Text<'_>) -> Payload {
    let are_all = placeholder::all_are_written(part.json, part.attachments.len());
    let attachments = if are_all { part.attachments.to_vec() } else { Vec::new() };
    Payload { json: part.json.to_owned(), attachments }
}

fn request(namespace: &str, whole: Text<'_>) -> Read<Option<HeardMessage>> {
    let all = Members::of(whole.json)?;
    let opts = all.opts.map(Members::of).transpose()?;
    // In the form of old servers it is one socket, by its id, and one room.
    let selection = match (&opts, all.sid) {
        (Some(opts), _) => opts.selection()?,
        (None, Some(sid)) => Selection { rooms: vec![text(sid)?.into()], except: Vec::new() },
        (None, None) => Selection::default(),
    };
    let is_selected = opts.is_some() || all.sid.is_some();
    let rooms = match (all.rooms, all.room) {
        (Some(rooms), _) => names(rooms)?,
        (None, Some(room)) => vec![name(room)?],
        (None, None) => Vec::new(),
    };
    let message = match number(all.kind.ok_or(Malformed("no type"))?)? {
        // Without a selection it would be for all: nobody means that by leaving it out.
        kinds::JOIN | kinds::LEAVE | kinds::DISCONNECT if !is_selected => {
            return Err(Malformed("a request for nobody"));
        }
        kinds::IDS => {
            let selection = Selection { rooms, except: Vec::new() };
            ClusterMessage::FetchIds { request: all.request()?, selection }
        }
        kinds::ROOMS => ClusterMessage::FetchRooms { request: all.request()? },
        kinds::JOIN => ClusterMessage::Join { selection, rooms },
        kinds::LEAVE => ClusterMessage::Leave { selection, rooms },
        kinds::DISCONNECT => {
            ClusterMessage::Disconnect { selection, close: all.close == Some("true") }
        }
        kinds::FETCH => ClusterMessage::FetchSockets { request: all.request()?, selection },
        kinds::SERVER_EVENT => {
            let json = all.data.ok_or(Malformed("an event without data"))?;
            let request = all.request_id.map(|_| all.request()).transpose()?;
            ClusterMessage::ServerEvent { request, payload: arguments(Text { json, ..whole })? }
        }
        kinds::ASK_CLIENTS => {
            let json = all.packet.ok_or(Malformed("a broadcast without a packet"))?;
            let Some(payload) = event(namespace, Text { json, ..whole })? else { return Ok(None) };
            let flags = opts.and_then(|opts| opts.flags);
            let flags = flags.map_or_else(|| Ok(Members::default()), Members::of)?;
            let limit = flags.timeout.map(number).transpose()?.map(Duration::from_millis);
            let limit = limit.map_or(LIMITS.0, |limit| limit.min(LIMITS.1));
            ClusterMessage::AskClients { request: all.request()?, payload, selection, limit }
        }
        _ => return Ok(None),
    };
    Ok(Some(HeardMessage { from: all.from()?, message }))
}

fn response(whole: Text<'_>) -> Read<Option<HeardMessage>> {
    let all = Members::of(whole.json)?;
    let list = |json: Option<&str>| {
        json.map_or_else(Vec::new, |json| {
            let attachments = whole.attachments;
            vec![value(Text { json, attachments })]
        })
    };
    let answer = match (all.kind.map(number).transpose()?, all.sockets, all.rooms) {
        (Some(kinds::CLIENT_COUNT), ..) => {
            let count = number(all.client_count.ok_or(Malformed("no count"))?)?;
            ClusterAnswer::Clients(usize::try_from(count).unwrap_or(usize::MAX))
        }
        (Some(kinds::ACKNOWLEDGEMENT), ..) => {
            ClusterAnswer::Acknowledgement(as_list(list(all.packet)))
        }
        (Some(kinds::SERVER_EVENT), ..) => ClusterAnswer::ServerEvent(as_list(list(all.data))),
        (_, Some(sockets), _) => sockets_of(sockets)?,
        (_, _, Some(rooms)) => ClusterAnswer::Rooms(names(rooms)?),
        _ => return Ok(None),
    };
    let message = ClusterMessage::Answer { request: all.request()?, to: None, answer };
    Ok(Some(HeardMessage { from: None, message }))
}

/// A list of the one value that there is, or of none.
fn as_list(mut values: Vec<Payload>) -> Payload {
    match values.pop() {
        Some(Payload { json, attachments }) => Payload { json: format!("[{json}]"), attachments },
        None => Payload { json: "[]".into(), attachments: Vec::new() },
    }
}

/// Sockets, or the ids of some.
fn sockets_of(json: &str) -> Read<ClusterAnswer> {
    let all = elements(json).ok_or(Malformed("sockets that are no array"))?;
    if all.first().is_some_and(|first| first.starts_with('"')) {
        return names(json).map(ClusterAnswer::Ids);
    }
    let socket = |json: &&str| {
        let all = Members::of(json)?;
        let id = text(all.id.ok_or(Malformed("a socket without an id"))?)?;
        let rooms = all.rooms.map_or(Ok(Vec::new()), names)?;
        let object = |json: Option<&str>| json.unwrap_or("{}").into();
        let (handshake, data) = (object(all.handshake), object(all.data));
        Ok(SocketDetails { id: id.into(), rooms, handshake, data })
    };
    all.iter().map(socket).collect::<Read<_>>().map(ClusterAnswer::Sockets)
}

fn text(json: &str) -> Read<std::borrow::Cow<'_, str>> {
    unquoted(json).ok_or(Malformed("no text"))
}

fn number(json: &str) -> Read<u64> {
    json.parse().map_err(|_| Malformed("no number"))
}

/// The name of a room, which servers in JavaScript may have a number for.
fn name(json: &str) -> Read<Arc<str>> {
    match json.as_bytes().first() {
        Some(b'"') => Ok(text(json)?.into()),
        Some(b'-' | b'0'..=b'9') => Ok(json.into()),
        _ => Err(Malformed("no name of a room")),
    }
}

fn names(json: &str) -> Read<Vec<Arc<str>>> {
    let all = elements(json).ok_or(Malformed("names that are no array"))?;
    all.into_iter().map(name).collect()
}
