//! What a program makes of arguments: any type of any data, and data that goes there and back.
#![no_main]

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use serde::Deserialize;
use serde::de::IgnoredAny;
use siot::internal::{Header, Kind, Packet, Payload, ack_reply, dialect, event, parser};
use siot::{ArgList, Binary, Event, ParserKind, Value};

#[derive(Debug, Deserialize)]
#[allow(dead_code, reason = "read, and no more")]
enum Shape {
    Unit,
    One(Binary),
    Pair(f64, Option<char>),
    Named { id: u64, rest: Value },
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
#[allow(dead_code, reason = "read, and no more")]
enum Either {
    Number(i64),
    Photo { photo: Binary },
    Other(Value),
}

fn decode_as_all(event: &Event) {
    for index in 0..event.len().min(4) {
        let _ = event.arg::<Value>(index);
        let _ = event.arg::<Binary>(index);
        let _ = event.arg::<serde_json::Value>(index);
        let _ = event.arg::<Shape>(index);
        let _ = event.arg::<Either>(index);
        let _ = event.arg::<HashMap<String, Vec<Option<i8>>>>(index);
        let _ = event.arg::<(u16, String, Binary)>(index);
        let _ = event.arg::<IgnoredAny>(index);
    }
    let _ = event.args::<(String, Option<Binary>)>();
    let _ = event.args::<Vec<Shape>>();
    let _ = event.args::<()>();
}

fuzz_target!(|data: &[u8]| {
    // The attachments are what comes behind zeros, which are not in JSON.
    let mut parts = data.split(|byte| *byte == 0);
    let Some(Ok(json)) = parts.next().map(std::str::from_utf8) else { return };
    let attachments: Vec<Bytes> = parts.map(Bytes::copy_from_slice).collect();
    let dialect = dialect("4").expect("it is known");
    let mut parser = parser(ParserKind::Json, dialect);
    let mut read = if attachments.is_empty() {
        parser.decode_text(format!("20[\"e\",{json}]").as_str().into())
    } else {
        parser.decode_text(format!("5{}-0[\"e\",{json}]", attachments.len()).as_str().into())
    };
    for bytes in attachments {
        let Ok(None) = read else { return };
        read = parser.decode_binary(bytes);
    }
    let Ok(Some(packet)) = read else { return };
    let (send, answers) = std::sync::mpsc::channel::<Payload>();
    let event = event(
        packet,
        Some(move |payload| {
            let _ = send.send(payload);
            Ok(())
        }),
    );
    decode_as_all(&event);

    let Ok(ArgList(values)) = event.args::<ArgList<Value>>() else { return };
    event.ack(ArgList(values.clone())).expect("values can be written");
    let payload = answers.try_recv().expect("an answer");
    let mut queue = VecDeque::new();
    let header = Header { kind: Kind::Ack, namespace: "/", id: Some(0) };
    parser.encode(header, &payload, &mut queue);
    let mut answer = None;
    for message in queue {
        let read = match message {
            Packet::Text(text) => parser.decode_text(text),
            Packet::Binary(bytes) => parser.decode_binary(bytes),
            other => unreachable!("no parser makes {other:?}"),
        };
        answer = read.expect("what was written");
    }
    let answer = ack_reply(answer.expect("a whole packet"));
    assert_eq!(answer.args::<ArgList<Value>>().expect("what was written").0, values);
});
