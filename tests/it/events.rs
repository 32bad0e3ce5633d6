//! Events: arguments of every kind, out and in.

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use siot::{ArgList, Binary, ErrorKind, Event, Value};

use crate::support::{LIMIT, Via, over_each_transport, recv_within, shared};

over_each_transport!(
    argument_lists_keep_their_form,
    strings_that_look_like_numbers_stay_strings,
    an_object_is_no_placeholder_unless_it_says_true,
    unicode_comes_back_unchanged,
    numbers_come_back_unchanged,
    echo_returns_binary_at_any_depth,
    every_byte_value_survives,
    empty_attachments_keep_their_place,
    ten_attachments_are_taken,
    a_value_of_any_shape_holds_binary,
    event_names_are_data,
    reserved_names_are_refused,
    a_wrong_type_is_an_error_of_the_decoding_alone,
    unpaired_surrogates_are_replaced,
    a_number_beyond_range_is_null,
    duplicate_keys_are_no_disaster,
    deep_nesting_is_received,
    deep_nesting_is_sent,
    a_message_of_half_a_mebibyte_passes,
    events_before_the_first_subscription_are_not_kept,
    the_first_events_of_a_namespace_are_not_missed,
);

/// Sends arguments as an event and gives the event that the server makes of them.
#[track_caller]
fn echo(via: Via, args: impl Serialize) -> Event {
    let client = via.connect(shared().url());
    let echoes = client.subscribe("echo");
    client.emit("echo", args).unwrap();
    recv_within(echoes.receiver(), LIMIT)
}

/// Has the server send this Socket.IO packet as it is.
#[track_caller]
fn received(via: Via, packet: &str) -> Event {
    let client = via.connect(shared().url());
    let any = client.subscribe_any();
    client.emit("raw", packet).unwrap();
    let event = recv_within(any.receiver(), LIMIT);
    // Whatever it was, the connection is none the worse for it.
    client.works();
    event
}

fn argument_lists_keep_their_form(via: Via) {
    assert_eq!(echo(via, ()).json(), r#"["echo"]"#);
    assert_eq!(echo(via, 7).json(), r#"["echo",7]"#);
    assert_eq!(echo(via, (7,)).json(), r#"["echo",7]"#);
    assert_eq!(echo(via, (1, "two", 3.5, None::<u8>)).json(), r#"["echo",1,"two",3.5,null]"#);
    assert_eq!(echo(via, vec![1, 2]).json(), r#"["echo",[1,2]]"#);
    assert_eq!(echo(via, ((1, 2),)).json(), r#"["echo",[1,2]]"#);
    assert_eq!(echo(via, [1, 2]).json(), r#"["echo",[1,2]]"#);
    assert_eq!(echo(via, [0; 0]).json(), r#"["echo",[]]"#);
    let lent = &(1, [2]);
    assert_eq!(echo(via, lent).json(), r#"["echo",1,[2]]"#);
    assert_eq!(echo(via, json!(null)).json(), r#"["echo",null]"#);
    assert_eq!(echo(via, ArgList(vec![1, 2])).json(), r#"["echo",1,2]"#);
    assert_eq!(echo(via, json!({"a": [true]})).json(), r#"["echo",{"a":[true]}]"#);
    let all: ArgList<Json> = echo(via, (1, "two")).args().unwrap();
    assert_eq!(all.0, [json!(1), json!("two")]);
    assert_eq!(
        echo(via, [1.5, 2.5]).args::<[f64; 2]>().unwrap().map(f64::to_bits),
        [1.5, 2.5].map(f64::to_bits)
    );
    assert_eq!(echo(via, (1, 2)).args::<(u8, u8)>().unwrap(), (1, 2));
    assert_eq!(echo(via, json!(null)).args::<Json>().unwrap(), Json::Null);
    assert!(echo(via, (1, 2)).args::<[u8; 2]>().is_err(), "two arguments are no array");
}

fn an_object_is_no_placeholder_unless_it_says_true(via: Via) {
    let binary = Binary::from([1, 2]);
    for mark in [json!(false), json!(null), json!(1), json!("true"), json!({})] {
        let own = json!({"_placeholder": mark, "num": 0});
        let (back, same): (Json, Binary) = echo(via, (&own, &binary)).args().unwrap();
        assert_eq!((back, &same), (own, &binary));
    }
    let client = via.connect(shared().url());
    let error = client.emit("echo", (json!({"_placeholder": true}), &binary)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Payload);
    client.works();
}

fn strings_that_look_like_numbers_stay_strings(via: Via) {
    let args = ("123", "null", "[1]", "\"", "1e9", "", "42[\"x\"]", "0");
    let event = echo(via, args);
    let all: (String, String, String, String, String, String, String, String) =
        event.args().unwrap();
    assert_eq!(all.0, "123");
    assert_eq!(event.json(), r#"["echo","123","null","[1]","\"","1e9","","42[\"x\"]","0"]"#);
    assert!(event.arg::<u32>(0).is_err(), "a string is no number");
}

fn unicode_comes_back_unchanged(via: Via) {
    let text = "aä€😀\u{0}\u{1e}\u{1f}\u{7f}\u{2028}\u{feff}\u{fffd}\u{10ffff}\r\n\"\\ e\u{301}";
    let back: (String, String) = echo(via, (text, text.repeat(500))).args().unwrap();
    assert_eq!(back, (text.into(), text.repeat(500)));
}

fn numbers_come_back_unchanged(via: Via) {
    let safe = (1_i64 << 53) - 1;
    let floats = [f64::MIN_POSITIVE, 1.5e300, -0.1];
    let back: (i64, i64, f64, f64, f64) =
        echo(via, (safe, -safe, floats[0], floats[1], floats[2])).args().unwrap();
    assert_eq!((back.0, back.1), (safe, -safe));
    assert_eq!([back.2, back.3, back.4].map(f64::to_bits), floats.map(f64::to_bits));
    // As JSON.stringify has it.
    let (nan, infinite): (Option<f64>, Option<f64>) =
        echo(via, (f64::NAN, f64::INFINITY)).args().unwrap();
    assert_eq!((nan, infinite), (None, None));
}

/// A program's own type with binary in several places.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Reading {
    name: String,
    image: Binary,
    parts: Vec<Part>,
    #[serde(with = "serde_bytes")]
    raw: Vec<u8>,
    nothing: Option<Binary>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
enum Part {
    Text(String),
    Bytes { data: Binary, size: usize },
}

fn reading() -> Reading {
    Reading {
        name: "front \u{1e} door".into(),
        image: Binary::from(vec![0xff; 3000]),
        parts: vec![
            Part::Bytes { data: Binary::from([1, 2, 3]), size: 3 },
            Part::Text("between".into()),
            Part::Bytes { data: Binary::default(), size: 0 },
        ],
        raw: vec![4, 5],
        nothing: None,
    }
}

fn echo_returns_binary_at_any_depth(via: Via) {
    let deep = json!({"placeholder": {"num": 0}});
    let event = echo(via, (1, reading(), &deep, Binary::from([9])));
    let back: (u32, Reading, Json, Binary) = event.args().unwrap();
    assert_eq!(back, (1, reading(), deep, Binary::from([9])));
}

fn every_byte_value_survives(via: Via) {
    let all: Vec<u8> = (0..=255).cycle().take(256 * 40).collect();
    let one_each = Binary::from([0x1e]);
    let (a, b, c): (Binary, Binary, Binary) =
        echo(via, (Binary::from(all.as_slice()), &one_each, Binary::from(b"b4\""))).args().unwrap();
    assert_eq!((&a[..], &b[..], &c[..]), (&all[..], &[0x1e][..], &b"b4\""[..]));
}

fn empty_attachments_keep_their_place(via: Via) {
    let args = (Binary::default(), "x", Binary::from([1]), Binary::default());
    let back: (Binary, String, Binary, Binary) = echo(via, &args).args().unwrap();
    assert_eq!(back, (args.0, "x".into(), args.2, args.3));
}

fn ten_attachments_are_taken(via: Via) {
    let parts: Vec<Binary> = (0..10).map(|n| Binary::from(vec![n; usize::from(n)])).collect();
    assert_eq!(echo(via, &parts).args::<Vec<Binary>>().unwrap(), parts);
}

fn a_value_of_any_shape_holds_binary(via: Via) {
    let mut list = ArgList::default();
    list.0.push(Value::from("text"));
    list.0.push([Value::from(Binary::from([1, 2])), Value::Null].into_iter().collect());
    list.0.push([("deep", Value::from(Binary::from([3])))].into_iter().collect());
    let back: ArgList = echo(via, &list).args().unwrap();
    assert_eq!(back, list);
    let bytes: Binary = echo(via, (Binary::from([3]),)).args().unwrap();
    assert_eq!(bytes, [3]);
}

fn event_names_are_data(via: Via) {
    let client = via.connect(shared().url());
    let long = "n".repeat(5000);
    let names =
        ["", "7", "say \"hi\"", "a,b", "/x,", "\u{1e}", "ö\r\n\u{0}", "__proto__", "5-", &long];
    for name in names {
        let events = client.subscribe(name);
        client.emit("send-me", (name, 1)).unwrap();
        let event = recv_within(events.receiver(), LIMIT);
        assert_eq!((event.name(), event.args::<u32>().unwrap()), (name, 1));
    }
    // A number can be a name for JavaScript.
    let any = client.subscribe_any();
    client.emit("send-me", (12, 1)).unwrap();
    assert_eq!(recv_within(any.receiver(), LIMIT).name(), "12");
}

fn reserved_names_are_refused(via: Via) {
    let client = via.connect(shared().url());
    for name in ["connect", "connect_error", "disconnect", "disconnecting"] {
        assert_eq!(client.emit(name, 1).unwrap_err().kind(), ErrorKind::ReservedEvent, "{name}");
    }
    client.works();
}

fn a_wrong_type_is_an_error_of_the_decoding_alone(via: Via) {
    let event = echo(via, ("text", 5));
    assert_eq!(event.args::<(u32, u32)>().unwrap_err().kind(), ErrorKind::Payload);
    assert_eq!(event.arg::<Binary>(0).unwrap_err().kind(), ErrorKind::Payload);
    assert_eq!(event.args::<(String, u8, u8)>().unwrap_err().kind(), ErrorKind::Payload);
    assert_eq!(event.args::<(String, i8, Option<u8>)>().unwrap(), ("text".into(), 5, None));
    assert_eq!((event.len(), event.arg::<u64>(1).unwrap()), (2, 5));
    assert_eq!(event.ack(()).unwrap_err().kind(), ErrorKind::InvalidOption);
}

fn unpaired_surrogates_are_replaced(via: Via) {
    let event = received(via, r#"2["e","a\ud800b","\udc00","\ud83d\ude00",{"\udfff":1}]"#);
    let (a, b, pair, object): (String, String, String, Json) = event.args().unwrap();
    assert_eq!((a.as_str(), b.as_str(), pair.as_str()), ("a\u{fffd}b", "\u{fffd}", "😀"));
    assert_eq!(object, json!({"\u{fffd}": 1}));
}

fn a_number_beyond_range_is_null(via: Via) {
    let event = received(via, r#"2["e",1e400,-1e400,123456789012345678901234567890]"#);
    let (a, b, long): (Option<f64>, Option<f64>, f64) = event.args().unwrap();
    assert_eq!((a, b), (None, None));
    assert_eq!(long.to_bits(), 1.234_567_890_123_456_8e29_f64.to_bits());
}

fn duplicate_keys_are_no_disaster(via: Via) {
    let event = received(via, r#"2["e",{"a":1,"a":2}]"#);
    assert_eq!(event.args::<Json>().unwrap(), json!({"a": 2}));
}

fn nested(depth: usize) -> String {
    "[".repeat(depth) + &"]".repeat(depth)
}

fn deep_nesting_is_received(via: Via) {
    let shallow = received(via, &format!(r#"2["e",{}]"#, nested(100)));
    assert!(shallow.args::<Json>().is_ok());
    for depth in [200, 100_000] {
        let event = received(via, &format!(r#"2["e",{},"after"]"#, nested(depth)));
        assert_eq!(event.args::<Value>().unwrap_err().kind(), ErrorKind::Payload);
        assert_eq!(event.arg::<String>(1).unwrap(), "after");
        assert!(event.json().len() > 2 * depth);
    }
}

/// A list in a list, so many deep.
struct Nested(usize);

impl Serialize for Nested {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeSeq;
        let mut list = serializer.serialize_seq(Some(1))?;
        if self.0 > 1 {
            list.serialize_element(&Self(self.0 - 1))?;
        }
        list.end()
    }
}

fn deep_nesting_is_sent(via: Via) {
    let event = echo(via, (Nested(200), "after"));
    assert_eq!(event.json(), format!(r#"["echo",{},"after"]"#, nested(200)));
}

fn a_message_of_half_a_mebibyte_passes(via: Via) {
    let text = "ü".repeat(256 * 1024);
    assert_eq!(echo(via, &text).args::<String>().unwrap(), text);
    let bytes = Binary::from(vec![0x1e; 512 * 1024]);
    assert_eq!(echo(via, &bytes).args::<Binary>().unwrap(), bytes);
}

fn events_before_the_first_subscription_are_not_kept(via: Via) {
    let client = via.connect(shared().url());
    let first = client.subscribe("first");
    client.emit("send-me", ("second", 1)).unwrap();
    client.emit("send-me", ("first", 1)).unwrap();
    recv_within(first.receiver(), LIMIT);
    let second = client.subscribe("second");
    client.works();
    assert!(second.try_recv().is_none());
}

fn the_first_events_of_a_namespace_are_not_missed(via: Via) {
    let socket =
        via.builder(format!("{}/greeting", shared().url())).auto_connect(false).build().unwrap();
    let welcome = socket.subscribe("welcome");
    socket.connect();
    let next = || recv_within(welcome.receiver(), LIMIT);
    assert_eq!(next().args::<(u32, String)>().unwrap(), (1, "text".into()));
    assert_eq!(next().args::<(u32, Binary)>().unwrap(), (2, Binary::from([0xca, 0xfe])));
    let (three, nested): (u32, Value) = next().args().unwrap();
    assert_eq!((three, &nested["nested"]["bytes"]), (3, &Value::from(Binary::from(b"abc"))));
}
