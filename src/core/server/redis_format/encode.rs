//! What is published.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use rmp::encode::{write_array_len, write_bool, write_map_len, write_str, write_uint};

use super::channels::NamespaceChannels;
use super::kinds;
use crate::core::server::cluster::{ClusterAnswer, ClusterMessage, RequestId, SocketDetails};
use crate::core::server::rooms::Selection;
use crate::payload::Payload;
use crate::proto::json::elements;
use crate::proto::parser::msgpack::write_value;
use crate::proto::parser::plain_json::with_buffers;

/// Something to be published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Publication {
    pub(crate) channel: String,
    pub(crate) bytes: Vec<u8>,
}

/// By whom, and where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClusterSpeaker<'a> {
    pub(crate) name: &'a str,
    pub(crate) namespace: &'a str,
    pub(crate) channels: &'a NamespaceChannels,
    /// Whether answers go to who has asked alone.
    pub(crate) answers_apart: bool,
}

/// Writes what a server says.
pub(crate) fn encode(speaker: ClusterSpeaker<'_>, message: &ClusterMessage) -> Publication {
    let ClusterSpeaker { name, channels, .. } = speaker;
    let request = |bytes: String| Publication {
        channel: channels.requests.clone(),
        bytes: bytes.into_bytes(),
    };
    let named = Json::new().text("uid", name);
    match message {
        ClusterMessage::Broadcast { payload, selection, volatile } => Publication {
            channel: channel_of(selection, channels),
            bytes: encode_broadcast(speaker, payload, selection, *volatile),
        },
        ClusterMessage::AskClients { request, payload, selection, limit } => Publication {
            channel: channels.requests.clone(),
            bytes: encode_question(speaker, request, payload, selection, *limit),
        },
        ClusterMessage::Join { selection, rooms } => {
            request(named.number("type", kinds::JOIN).opts(selection).names("rooms", rooms).end())
        }
        ClusterMessage::Leave { selection, rooms } => {
            request(named.number("type", kinds::LEAVE).opts(selection).names("rooms", rooms).end())
        }
        ClusterMessage::Disconnect { selection, close } => {
            let close = if *close { "true" } else { "false" };
            let json = named.number("type", kinds::DISCONNECT).opts(selection);
            request(json.raw("close", close).end())
        }
        ClusterMessage::FetchSockets { request: id, selection } => {
            let json = named.text("requestId", &id.0).number("type", kinds::FETCH);
            request(json.opts(selection).end())
        }
        ClusterMessage::FetchIds { request: id, selection } => {
            let json = named.text("requestId", &id.0).number("type", kinds::IDS);
            request(json.names("rooms", &selection.rooms).end())
        }
        ClusterMessage::FetchRooms { request: id } => {
            request(named.text("requestId", &id.0).number("type", kinds::ROOMS).end())
        }
        ClusterMessage::ServerEvent { request: id, payload } => {
            let json = match id {
                Some(id) => named.text("requestId", &id.0),
                None => named,
            };
            let data = with_buffers(&payload.json, &payload.attachments);
            request(json.number("type", kinds::SERVER_EVENT).raw("data", &data).end())
        }
        ClusterMessage::Answer { request, to, answer } => {
            let apart = to.as_deref().filter(|_| speaker.answers_apart);
            let channel = match apart {
                Some(name) => format!("{}{name}#", channels.responses),
                None => channels.responses.clone(),
            };
            Publication { channel, bytes: encode_answer(request, answer) }
        }
    }
}

fn encode_broadcast(
    ClusterSpeaker { name, namespace, .. }: ClusterSpeaker<'_>,
    payload: &Payload,
    selection: &Selection,
    volatile: bool,
) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(payload.size() + namespace.len() + 96);
    // Writing to memory cannot fail.
    let _ = write_array_len(&mut bytes, 3);
    let _ = write_str(&mut bytes, name);
    write_packet(namespace, payload, &mut bytes);
    write_selection(selection, &mut bytes);
    let _ = write_map_len(&mut bytes, u32::from(volatile));
    if volatile {
        let _ = write_str(&mut bytes, "volatile");
        let _ = write_bool(&mut bytes, true);
    }
    bytes
}

/// An event that each of those who get it is to acknowledge.
fn encode_question(
    ClusterSpeaker { name, namespace, .. }: ClusterSpeaker<'_>,
    request: &RequestId,
    payload: &Payload,
    selection: &Selection,
    limit: Duration,
) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(payload.size() + namespace.len() + 128);
    let _ = write_map_len(&mut bytes, 5);
    for (key, value) in [("uid", name), ("requestId", &*request.0)] {
        let _ = write_str(&mut bytes, key);
        let _ = write_str(&mut bytes, value);
    }
    let _ = write_str(&mut bytes, "type");
    let _ = write_uint(&mut bytes, kinds::ASK_CLIENTS);
    let _ = write_str(&mut bytes, "packet");
    write_packet(namespace, payload, &mut bytes);
    let _ = write_str(&mut bytes, "opts");
    write_selection(selection, &mut bytes);
    let _ = write_map_len(&mut bytes, 2);
    let _ = write_str(&mut bytes, "timeout");
    let millis = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
    let _ = write_uint(&mut bytes, millis);
    let _ = write_str(&mut bytes, "expectSingleResponse");
    let _ = write_bool(&mut bytes, false);
    bytes
}

fn encode_answer(request: &RequestId, answer: &ClusterAnswer) -> Vec<u8> {
    let id = |json: Json| json.text("requestId", &request.0);
    let json = match answer {
        ClusterAnswer::Clients(count) => {
            let json = id(Json::new().number("type", kinds::CLIENT_COUNT));
            json.number("clientCount", *count as u64)
        }
        ClusterAnswer::Acknowledgement(payload) => {
            let first = first(payload);
            let mut bytes = Vec::with_capacity(payload.size() + 64);
            let _ = write_map_len(&mut bytes, 2 + u32::from(first.is_some()));
            let _ = write_str(&mut bytes, "type");
            let _ = write_uint(&mut bytes, kinds::ACKNOWLEDGEMENT);
            let _ = write_str(&mut bytes, "requestId");
            let _ = write_str(&mut bytes, &request.0);
            if let Some(first) = first {
                let _ = write_str(&mut bytes, "packet");
                write_value(&first, &mut bytes);
            }
            return bytes;
        }
        ClusterAnswer::Sockets(sockets) => {
            let sockets: Vec<String> = sockets.iter().map(socket).collect();
            id(Json::new()).raw("sockets", &format!("[{}]", sockets.join(",")))
        }
        ClusterAnswer::Ids(ids) => id(Json::new()).names("sockets", ids),
        ClusterAnswer::Rooms(rooms) => id(Json::new()).names("rooms", rooms),
        ClusterAnswer::ServerEvent(payload) => {
            let json = id(Json::new().number("type", kinds::SERVER_EVENT));
            match first(payload) {
                Some(first) => json.raw("data", &with_buffers(&first.json, &first.attachments)),
                None => json,
            }
        }
    };
    json.end().into_bytes()
}

/// The first of a list.
fn first(list: &Payload) -> Option<Payload> {
    let json = (*elements(&list.json)?.first()?).to_owned();
    Some(Payload { json, attachments: list.attachments.clone() })
}

fn socket(details: &SocketDetails) -> String {
    let json = Json::new().text("id", &details.id).raw("handshake", &details.handshake);
    json.names("rooms", &details.rooms).raw("data", &details.data).end()
}

/// What is for one room goes by a channel of its own, which servers that have nobody there need not decode.
fn channel_of(selection: &Selection, channels: &NamespaceChannels) -> String {
    match &*selection.rooms {
        [room] => format!("{}{room}#", channels.broadcasts),
        _ => channels.broadcasts.clone(),
    }
}

fn write_packet(namespace: &str, payload: &Payload, out: &mut Vec<u8>) {
    let _ = write_map_len(out, 3);
    let _ = write_str(out, "type");
    let _ = write_uint(out, 2);
    let _ = write_str(out, "data");
    write_value(payload, out);
    let _ = write_str(out, "nsp");
    let _ = write_str(out, namespace);
}

/// All but the flags, which are to follow.
fn write_selection(selection: &Selection, out: &mut Vec<u8>) {
    let _ = write_map_len(out, 3);
    for (key, names) in [("rooms", &selection.rooms), ("except", &selection.except)] {
        let _ = write_str(out, key);
        let _ = write_array_len(out, u32::try_from(names.len()).unwrap_or(u32::MAX));
        for name in names {
            let _ = write_str(out, name);
        }
    }
    let _ = write_str(out, "flags");
}

/// An object that is being written.
struct Json(String);

impl Json {
    fn new() -> Self {
        Self("{".into())
    }

    fn raw(mut self, key: &str, json: &str) -> Self {
        let comma = if self.0.len() > 1 { "," } else { "" };
        // Writing to a text cannot fail.
        let _ = write!(self.0, "{comma}\"{key}\":{json}");
        self
    }

    fn text(self, key: &str, text: &str) -> Self {
        let json = serde_json::to_string(text).unwrap_or_default();
        self.raw(key, &json)
    }

    fn number(self, key: &str, number: u64) -> Self {
        self.raw(key, &number.to_string())
    }

    fn names(self, key: &str, names: &[Arc<str>]) -> Self {
        let names: Vec<&str> = names.iter().map(|name| &**name).collect();
        let json = serde_json::to_string(&names).unwrap_or_default();
        self.raw(key, &json)
    }

    fn opts(self, selection: &Selection) -> Self {
        let Selection { rooms, except } = selection;
        let opts = Self::new().names("rooms", rooms).names("except", except).end();
        self.raw("opts", &opts)
    }

    fn end(self) -> String {
        self.0 + "}"
    }
}
