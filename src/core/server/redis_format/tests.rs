//! What the reference writes, and what an enemy may.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;

use super::decode::HeardMessage;
use super::*;
use crate::core::server::cluster::{ClusterAnswer, ClusterMessage, RequestId, SocketDetails};
use crate::core::server::rooms::Selection;
use crate::error::ErrorKind;
use crate::payload::{Binary, Payload};

const MAX: usize = 1 << 20;

fn channels(namespace: &str) -> NamespaceChannels {
    NamespaceChannels::new("socket.io", namespace, "AAAAAA")
}

fn write(namespace: &str, message: &ClusterMessage) -> (String, Vec<u8>) {
    let channels = channels(namespace);
    let speaker =
        ClusterSpeaker { name: "AAAAAA", namespace, channels: &channels, answers_apart: false };
    let Publication { channel, bytes } = encode(speaker, message);
    (channel, bytes)
}

fn heard(kind: ChannelKind<'_>, namespace: &str, bytes: &[u8]) -> Option<HeardMessage> {
    decode(kind, namespace, &Bytes::copy_from_slice(bytes), MAX).unwrap()
}

fn message(kind: ChannelKind<'_>, bytes: &[u8]) -> ClusterMessage {
    heard(kind, "/", bytes).unwrap().message
}

fn selection(rooms: &[&str], except: &[&str]) -> Selection {
    let names = |names: &[&str]| names.iter().map(|name| Arc::from(*name)).collect();
    Selection { rooms: names(rooms), except: names(except) }
}

fn request(id: &str) -> RequestId {
    RequestId(id.into())
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

/// The bytes of `@socket.io/redis-adapter` 8.3.0, whose `uid` is `AAAAAA`.
fn golden() -> Vec<(&'static str, Vec<u8>, ClusterMessage)> {
    let event = |payload| ClusterMessage::Broadcast {
        payload,
        selection: Selection::default(),
        volatile: false,
    };
    let hi = Payload::event("hi", &1).unwrap();
    let data = serde_json::json!({ "a": 1.5 });
    let binary = Payload::event("b", &Binary::from(vec![1, 2, 3])).unwrap();
    let id = request("1EWMus");
    vec![
        (
            "socket.io#/#",
            unhex("93a641414141414183a47479706502a46461746192a2686901a36e7370a12f83a5726f6f6d7390a665786365707490a5666c61677380"),
            event(hi),
        ),
        (
            "socket.io#/#r1#",
            unhex("93a641414141414183a47479706502a46461746192a2686981a161cb3ff8000000000000a36e7370a12f83a5726f6f6d7391a27231a665786365707491a178a5666c61677381a8766f6c6174696c65c3"),
            ClusterMessage::Broadcast {
                payload: Payload::event("hi", &data).unwrap(),
                selection: selection(&["r1"], &["x"]),
                volatile: true,
            },
        ),
        (
            "socket.io#/#",
            unhex("93a641414141414183a47479706502a46461746192a162c403010203a36e7370a12f83a5726f6f6d7390a665786365707490a5666c61677380"),
            event(binary),
        ),
        (
            "socket.io-request#/#",
            unhex("85a3756964a6414141414141a9726571756573744964a64a6777754374a47479706507a67061636b657483a47479706502a46461746191a171a36e7370a12fa46f70747383a5726f6f6d7390a665786365707490a5666c61677382a774696d656f7574cd03e8b465787065637453696e676c65526573706f6e7365c2"),
            ClusterMessage::AskClients {
                request: request("JgwuCt"),
                payload: Payload::event("q", &()).unwrap(),
                selection: Selection::default(),
                limit: Duration::from_secs(1),
            },
        ),
        (
            "socket.io-request#/#",
            br#"{"uid":"AAAAAA","type":2,"opts":{"rooms":["r1"],"except":[]},"rooms":["r2"]}"#.to_vec(),
            ClusterMessage::Join { selection: selection(&["r1"], &[]), rooms: vec!["r2".into()] },
        ),
        (
            "socket.io-request#/#",
            br#"{"uid":"AAAAAA","type":3,"opts":{"rooms":["r1"],"except":[]},"rooms":["r2"]}"#.to_vec(),
            ClusterMessage::Leave { selection: selection(&["r1"], &[]), rooms: vec!["r2".into()] },
        ),
        (
            "socket.io-request#/#",
            br#"{"uid":"AAAAAA","type":4,"opts":{"rooms":["r1"],"except":[]},"close":true}"#.to_vec(),
            ClusterMessage::Disconnect { selection: selection(&["r1"], &[]), close: true },
        ),
        (
            "socket.io-request#/#",
            br#"{"uid":"AAAAAA","requestId":"1EWMus","type":5,"opts":{"rooms":["r1"],"except":[]}}"#.to_vec(),
            ClusterMessage::FetchSockets { request: id.clone(), selection: selection(&["r1"], &[]) },
        ),
        (
            "socket.io-request#/#",
            br#"{"uid":"AAAAAA","requestId":"1EWMus","type":1}"#.to_vec(),
            ClusterMessage::FetchRooms { request: id.clone() },
        ),
        (
            "socket.io-request#/#",
            br#"{"uid":"AAAAAA","requestId":"1EWMus","type":6,"data":["hello","w"]}"#.to_vec(),
            ClusterMessage::ServerEvent {
                request: Some(id.clone()),
                payload: Payload::event("hello", &"w").unwrap(),
            },
        ),
    ]
}

#[test]
fn what_is_written_is_what_the_reference_writes() {
    for (channel, bytes, message) in golden() {
        let (own_channel, own) = write("/", &message);
        assert_eq!((own_channel.as_str(), &own), (channel, &bytes), "{message:?}");
    }
}

#[test]
fn what_the_reference_writes_is_read() {
    for (channel, bytes, expected) in golden() {
        let channels = channels("/");
        let kind = channels.kind_of(channel).unwrap();
        let heard = heard(kind, "/", &bytes).unwrap();
        assert_eq!((heard.from.as_deref(), heard.message), (Some("AAAAAA"), expected));
    }
}

#[test]
fn the_broadcasts_of_a_server_itself_are_known_by_their_beginning() {
    for (channel, bytes, _) in golden() {
        assert_eq!(is_broadcast_of("AAAAAA", &bytes), channel.starts_with("socket.io#"));
        assert!(!is_broadcast_of("AAAAAB", &bytes) && !is_broadcast_of("AAAAA", &bytes));
    }
    assert!(!is_broadcast_of("", &[]) && !is_broadcast_of("a", &[0x93, 0xa1]));
    // A name for which a short text has no room is not known, least of all by the text of no letters.
    let (longest, too_long) = ("n".repeat(31), "n".repeat(32));
    assert!(is_broadcast_of(&longest, &[&[0x93, 0xbf], longest.as_bytes()].concat()));
    assert!(!is_broadcast_of(&too_long, &[&[0x93, 0xa0], too_long.as_bytes()].concat()));
}

#[test]
fn what_the_emitter_of_the_reference_writes_is_read() {
    let all = unhex(
        "93a7656d697474657283a47479706502a46461746192a2686901a36e7370a12f83a5726f6f6d7390a5666c61677380a665786365707490",
    );
    let heard_all = heard(ChannelKind::Broadcast(None), "/", &all).unwrap();
    let payload = Payload::event("hi", &1).unwrap();
    let selection = Selection::default();
    let message = ClusterMessage::Broadcast { payload, selection, volatile: false };
    assert_eq!((heard_all.from.as_deref(), heard_all.message), (Some("emitter"), message));
    let admin = unhex(
        "93a7656d697474657283a47479706502a46461746191a179a36e7370a62f61646d696e83a5726f6f6d7390a5666c61677380a665786365707490",
    );
    assert!(heard(ChannelKind::Broadcast(None), "/admin", &admin).is_some());
    assert_eq!(heard(ChannelKind::Broadcast(None), "/", &admin), None, "of another namespace");
    let join = br#"{"type":2,"opts":{"rooms":[],"except":[]},"rooms":["r"]}"#;
    assert_eq!(heard(ChannelKind::Request, "/", join).unwrap().from, None);
}

#[test]
fn answers_are_written_as_they_are_read() {
    let details = SocketDetails {
        id: "i\"d".into(),
        rooms: vec!["i\"d".into(), "é".into()],
        handshake: r#"{"secure":false}"#.into(),
        data: r#"{"a":[1]}"#.into(),
    };
    let list = |json: &str| Payload { json: json.into(), attachments: Vec::new() };
    let binary = Payload::args(&Binary::from(vec![7; 300])).unwrap();
    for (answer, expected) in [
        (ClusterAnswer::Clients(3), Some(r#"{"type":8,"requestId":"r","clientCount":3}"#)),
        (ClusterAnswer::Acknowledgement(list("[]")), None),
        (ClusterAnswer::Acknowledgement(list(r#"[{"a":"b"}]"#)), None),
        (ClusterAnswer::Acknowledgement(binary), None),
        (
            ClusterAnswer::Sockets(vec![details]),
            Some(
                r#"{"requestId":"r","sockets":[{"id":"i\"d","handshake":{"secure":false},"rooms":["i\"d","é"],"data":{"a":[1]}}]}"#,
            ),
        ),
        (ClusterAnswer::Sockets(vec![]), Some(r#"{"requestId":"r","sockets":[]}"#)),
        (ClusterAnswer::Ids(vec!["a".into()]), Some(r#"{"requestId":"r","sockets":["a"]}"#)),
        (ClusterAnswer::Rooms(vec!["a".into()]), Some(r#"{"requestId":"r","rooms":["a"]}"#)),
        (ClusterAnswer::ServerEvent(list("[]")), Some(r#"{"type":6,"requestId":"r"}"#)),
        (ClusterAnswer::ServerEvent(list("[7]")), Some(r#"{"type":6,"requestId":"r","data":7}"#)),
    ] {
        let sent =
            ClusterMessage::Answer { request: request("r"), to: None, answer: answer.clone() };
        let (channel, bytes) = write("/", &sent);
        assert_eq!(channel, "socket.io-response#/#");
        if let Some(expected) = expected {
            assert_eq!(String::from_utf8_lossy(&bytes), expected);
        }
        assert_eq!(message(ChannelKind::Response, &bytes), sent);
    }
}

#[test]
fn an_answer_may_go_to_who_has_asked_alone() {
    let channels = channels("/n");
    let speaker = ClusterSpeaker {
        name: "AAAAAA",
        namespace: "/n",
        channels: &channels,
        answers_apart: true,
    };
    let to = Some("BBBBBB".into());
    let answer = ClusterAnswer::Clients(0);
    let message = ClusterMessage::Answer { request: request("r"), to, answer };
    assert_eq!(encode(speaker, &message).channel, "socket.io-response#/n#BBBBBB#");
    assert_eq!(channels.kind_of("socket.io-response#/n#AAAAAA#"), Some(ChannelKind::Response));
    assert_eq!(channels.kind_of("socket.io-response#/n#BBBBBB#"), None);
}

#[test]
fn a_channel_is_of_one_namespace() {
    let channels = channels("/n");
    for (channel, kind) in [
        ("socket.io#/n#", Some(ChannelKind::Broadcast(None))),
        ("socket.io#/n#a#b#", Some(ChannelKind::Broadcast(Some("a#b")))),
        ("socket.io#/n#a", None),
        ("socket.io#/nn#", None),
        ("socket.io#/#", None),
        ("socket.io-request#/n#", Some(ChannelKind::Request)),
        ("socket.io-request#/n#x", None),
        ("socket.io-response#/n#", Some(ChannelKind::Response)),
        ("", None),
    ] {
        assert_eq!(channels.kind_of(channel), kind, "{channel}");
    }
    let hostile = NamespaceChannels::new("k", r"/[a]*?\", "n");
    assert_eq!(hostile.pattern(), r"k#/\[a\]\*\?\\#*");
}

#[test]
fn old_servers_are_understood() {
    let id = request("r");
    for (text, expected) in [
        (
            r#"{"requestId":"r","type":0,"rooms":["a",7]}"#,
            ClusterMessage::FetchIds { request: id, selection: selection(&["a", "7"], &[]) },
        ),
        (
            r#"{"requestId":"r","type":2,"sid":"s","room":"a"}"#,
            ClusterMessage::Join { selection: selection(&["s"], &[]), rooms: vec!["a".into()] },
        ),
        (
            r#"{"requestId":"r","type":4,"sid":"s","close":false}"#,
            ClusterMessage::Disconnect { selection: selection(&["s"], &[]), close: false },
        ),
    ] {
        assert_eq!(message(ChannelKind::Request, text.as_bytes()), expected);
    }
}

#[test]
fn what_is_malformed_is_an_error_or_of_no_concern() {
    let broadcast = ChannelKind::Broadcast(None);
    for (kind, bytes) in [
        (broadcast, &b""[..]),
        (broadcast, b"{}"),
        (broadcast, &unhex("90")),
        // Lengths that are not there.
        (broadcast, &unhex("ddffffffff")),
        (broadcast, &unhex("dfffffffff")),
        (broadcast, &unhex("c6ffffffff00")),
        // An object that would be taken for binary, as the event's only argument.
        (broadcast, &unhex("93a641414141414183a47479706502a46461746192a26869 82ac5f706c616365686f6c646572c3a36e756d00 a36e7370a12f83a5726f6f6d7390a665786365707490a5666c61677380".replace(' ', "").as_str())),
        (ChannelKind::Request, b"{"),
        (ChannelKind::Request, b"{}"),
        (ChannelKind::Request, b"{\"type\":2,\"rooms\":[\"a\"]}"),
        (ChannelKind::Request, b"{\"type\":4,\"close\":true}"),
        (ChannelKind::Request, b"{\"type\":2,\"opts\":{\"rooms\":{}},\"rooms\":[\"a\"]}"),
        (ChannelKind::Request, b"{\"type\":5,\"opts\":{}}"),
        (ChannelKind::Request, b"{\"type\":6,\"data\":[\"disconnect\"]}"),
        (ChannelKind::Request, b"{\"type\":6,\"data\":[{}]}"),
        (ChannelKind::Request, b"{\"type\":6,\"data\":[]}"),
        (ChannelKind::Request, b"{\"type\":-1}"),
        (ChannelKind::Response, b"{\"type\":8,\"requestId\":\"r\"}"),
        (ChannelKind::Response, b"{\"requestId\":\"r\",\"sockets\":[{}]}"),
        (ChannelKind::Response, b"{\"sockets\":[]}"),
    ] {
        let bytes = Bytes::copy_from_slice(bytes);
        let kind_of_error = decode(kind, "/", &bytes, MAX).unwrap_err().kind();
        assert!(matches!(kind_of_error, ErrorKind::Protocol), "{bytes:?}: {kind_of_error:?}");
    }
    for bytes in [&b"{\"type\":77}"[..], b"{\"type\":10,\"requestId\":\"r\"}"] {
        assert_eq!(heard(ChannelKind::Request, "/", bytes), None);
    }
    assert_eq!(heard(ChannelKind::Response, "/", b"{\"requestId\":\"r\"}"), None);
    let text = Bytes::from_static(b"{\"type\":1,\"requestId\":\"r\"}");
    assert!(decode(ChannelKind::Request, "/", &text, text.len()).unwrap().is_some());
    let error = decode(ChannelKind::Request, "/", &text, text.len() - 1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    let large = Bytes::from(vec![b'{'; 100]);
    let error = decode(ChannelKind::Request, "/", &large, 99).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
}

#[test]
fn clients_have_a_day_to_answer_at_most_and_45_seconds_where_nothing_is_said() {
    let limit = |flags: &str| {
        let packet = r#"{"type":2,"data":["q"],"nsp":"/"}"#;
        let text =
            format!(r#"{{"requestId":"r","type":7,"packet":{packet},"opts":{{"flags":{flags}}}}}"#);
        match message(ChannelKind::Request, text.as_bytes()) {
            ClusterMessage::AskClients { limit, .. } => limit.as_secs(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(limit("{}"), 45);
    assert_eq!(limit(r#"{"timeout":86399000}"#), 86_399);
    assert_eq!(limit(r#"{"timeout":18446744073709551615}"#), 86_400);
}

#[test]
fn depth_costs_no_stack() {
    let deep =
        format!("{{\"type\":6,\"data\":[\"e\",{}{}]}}", "[".repeat(200_000), "]".repeat(200_000));
    assert!(heard(ChannelKind::Request, "/", deep.as_bytes()).is_some());
    let mut bytes = vec![0x91; 200_000];
    bytes.push(0xc0);
    let bytes = Bytes::from(bytes);
    assert!(decode(ChannelKind::Broadcast(None), "/", &bytes, MAX).is_err());
}

proptest! {
    #[test]
    fn golden_bytes_with_some_that_are_wrong_do_no_harm(
        which in 0_usize..10,
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<proptest::sample::Index>(),
        is_cut in any::<bool>(),
    ) {
        let (_, mut bytes, _) = golden().swap_remove(which);
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if is_cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let bytes = Bytes::from(bytes);
        for kind in [ChannelKind::Broadcast(None), ChannelKind::Request, ChannelKind::Response] {
            if let Ok(Some(heard)) = decode(kind, "/", &bytes, MAX) {
                // What was taken can be told again, and is the same then.
                let (channel, again) = write("/", &heard.message);
                let kind = channels("/").kind_of(&channel).unwrap();
                let kind = if let ChannelKind::Broadcast(_) = kind { ChannelKind::Broadcast(None) } else { kind };
                let back = decode(kind, "/", &Bytes::from(again), MAX).unwrap().unwrap();
                prop_assert_eq!(back.message, heard.message);
            }
        }
    }

    #[test]
    fn any_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let bytes = Bytes::from(bytes);
        for kind in [ChannelKind::Broadcast(None), ChannelKind::Request, ChannelKind::Response] {
            let _ = decode(kind, "/", &bytes, MAX);
        }
    }
}
