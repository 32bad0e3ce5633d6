//! What needs no connection: values, packets, and the state machines in virtual time.

use std::collections::VecDeque;
use std::hint::black_box;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use siot::internal::{Device, Frame, Header, Kind, Parser, Payload, dialect, event, parser};
use siot::{Binary, Builder, Event, ParserKind};

use crate::Workload;

/// What a device sends: some 200 bytes.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Reading {
    device: String,
    at: u64,
    temperature: f64,
    humidity: f64,
    labels: Vec<String>,
    note: Option<String>,
}

impl Reading {
    pub(crate) fn example() -> Self {
        Self {
            device: "greenhouse-7/north".into(),
            at: 1_764_000_123_456,
            temperature: 21.375,
            humidity: 0.625,
            labels: ["indoor", "calibrated", "battery"].map(Into::into).to_vec(),
            note: Some("the fan was on for most of the hour before this reading".into()),
        }
    }
}

/// How a packet of it looks.
pub(crate) const READING: &str = concat!(
    r#"2["reading",{"device":"greenhouse-7/north","at":1764000123456,"temperature":21.375,"humidity":0.625,"#,
    r#""labels":["indoor","calibrated","battery"],"note":"the fan was on for most of the hour before this reading"}]"#
);

fn new_parser() -> Box<dyn Parser> {
    parser(ParserKind::Json, dialect("4").expect("it is known"))
}

/// A value to the frames of its event.
fn encode_value(value: impl Serialize + 'static) -> Workload {
    let (parser, dialect) = (new_parser(), dialect("4").expect("it is known"));
    let mut packets = VecDeque::new();
    Box::new(move || {
        let payload = Payload::event("reading", black_box(&value)).expect("it can be written");
        let header = Header { kind: Kind::Event, namespace: "/", id: None };
        parser.encode(header, &payload, &mut packets);
        for packet in packets.drain(..) {
            black_box(dialect.encode_frame(packet, false));
        }
    })
}

pub(crate) fn encode() -> Workload {
    encode_value(Reading::example())
}

pub(crate) fn encode_binary() -> Workload {
    encode_value((1, Binary::from(vec![7; 1024])))
}

/// Frames to the event, whose arguments stay text.
fn read(parser: &mut dyn Parser, frames: &[Frame]) -> Event {
    let dialect = dialect("4").expect("it is known");
    let mut whole = None;
    for frame in frames {
        let packet = match dialect.decode_frame(black_box(frame.clone())).expect("a packet") {
            siot::internal::Packet::Text(text) => parser.decode_text(text),
            siot::internal::Packet::Binary(bytes) => parser.decode_binary(bytes),
            _ => Ok(None),
        };
        whole = packet.expect("what can be read");
    }
    event(whole.expect("an event"), None::<fn(Payload) -> siot::Result<()>>)
}

fn text(packet: &str) -> Frame {
    Frame::Text(format!("4{packet}").into())
}

pub(crate) fn decode() -> Workload {
    let (mut parser, frames) = (new_parser(), [text(READING)]);
    Box::new(move || drop(black_box(read(&mut *parser, &frames))))
}

pub(crate) fn decode_binary() -> Workload {
    let announced = r#"51-["photo",1,{"_placeholder":true,"num":0}]"#;
    let mut parser = new_parser();
    let frames = [text(announced), Frame::Binary(vec![7; 1024].into())];
    Box::new(move || {
        let photo: (u32, Binary) = read(&mut *parser, &frames).args().expect("a photo");
        black_box(photo);
    })
}

/// With the arguments.
pub(crate) fn decode_struct() -> Workload {
    let (mut parser, frames) = (new_parser(), [text(READING)]);
    Box::new(move || {
        let reading: Reading = read(&mut *parser, &frames).args().expect("a reading");
        black_box(reading);
    })
}

/// The loss of a connection, and the next one.
pub(crate) fn reconnect() -> Workload {
    let mut device = Device::new(&Builder::new("http://localhost"), 7);
    let mut now = Duration::from_secs(1);
    device.connect(now);
    device.accept(now);
    Box::new(move || {
        device.close(now);
        while !device.is_trying() {
            now = device.next_deadline().expect("the next attempt");
            device.expire(now);
        }
        device.accept(now);
    })
}
