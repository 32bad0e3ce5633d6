use std::collections::{BTreeMap, HashMap};

use proptest::collection::{btree_map, vec};
use proptest::num::f64;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::{comes_back, decode, decode_event};
use crate::payload::{ArgList, Binary, Payload, Value};

/// Text that has what the encoding treats apart: U+0000, escapes, the names in a placeholder.
fn text() -> impl Strategy<Value = String> {
    let special = prop_oneof![
        Just("_placeholder"),
        Just("num"),
        Just("\0"),
        Just("\x000"),
        Just("\0\0"),
        Just("{\"\\"),
    ];
    prop_oneof![any::<String>(), special.prop_map(str::to_owned)]
}

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (f64::NORMAL | f64::SUBNORMAL | f64::ZERO).prop_map(Value::from),
        text().prop_map(Value::from),
        vec(any::<u8>(), 0..40).prop_map(|bytes| Value::from(Binary::from(bytes))),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(6, 60, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            btree_map(text(), inner, 0..6).prop_map(|mut members| {
                // That is refused beside binary.
                if members.get("_placeholder") == Some(&Value::Bool(true)) {
                    members.remove("_placeholder");
                }
                Value::Object(members)
            }),
        ]
    })
}

/// The members of each object the other way round, as a server in another language may write them.
fn reversed(value: &Value, num: &mut usize) -> String {
    match value {
        Value::Array(elements) => {
            let elements: Vec<_> = elements.iter().map(|element| reversed(element, num)).collect();
            format!("[ {} ]", elements.join(" , "))
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members
                .iter()
                .map(|(key, value)| {
                    format!("{} : {}", Value::from(key.as_str()), reversed(value, num))
                })
                .collect();
            members.reverse();
            format!("{{ {} }}", members.join(" , "))
        }
        Value::Binary(_) => {
            *num += 1;
            format!("{{ \"num\" : {} , \"_placeholder\" : true }}", *num - 1)
        }
        other => other.to_string(),
    }
}

proptest! {
    #[test]
    fn any_value_comes_back(value in value()) {
        comes_back(&value);
    }

    #[test]
    fn any_argument_list_comes_back(name in any::<String>(), args in vec(value(), 0..5)) {
        let args = ArgList(args);
        let payload = Payload::event(&name, &args).unwrap();
        let (event, rest): (String, Vec<serde_json::Value>) = {
            let mut all: Vec<serde_json::Value> = serde_json::from_str(&payload.json).unwrap();
            let rest = all.split_off(1);
            (serde_json::from_value(all.remove(0)).unwrap(), rest)
        };
        prop_assert_eq!((event, rest.len()), (name, args.0.len()));
        comes_back(&args);
    }

    #[test]
    fn the_order_of_members_and_whitespace_do_not_matter(value in value()) {
        let json = format!(" [ {} ] ", reversed(&value, &mut 0));
        let attachments = Payload::args(&(&value,)).unwrap().attachments;
        let decoded: Value = super::decode(&json, &attachments).unwrap();
        prop_assert_eq!(decoded, value);
    }

    #[test]
    fn arbitrary_text_does_not_panic(json in "[\\[\\]{}:,\"\\\\0-9a-z_ é]{0,60}", skip in 0..3_usize) {
        let attachments = [bytes::Bytes::new()];
        for attachments in [&[][..], &attachments] {
            let args = crate::payload::Args { json: &json, skip, attachments };
            let _ = (args.len(), args.decode::<(Value, Binary)>(), args.get::<Value>(1));
        }
    }
}

#[test]
fn every_byte_comes_back_in_several_attachments() {
    let all: Binary = (0..=255).collect();
    comes_back(&(
        all.clone(),
        Binary::default(),
        vec![Value::from(all), Value::from(Binary::default())],
    ));
}

#[test]
fn tuples_of_every_length_come_back() {
    comes_back(&());
    comes_back(&(1,));
    comes_back(&(1, 2));
    comes_back(&(1, 2, 3));
    comes_back(&(1, 2, 3, 4));
    comes_back(&(1, 2, 3, 4, 5));
    comes_back(&(1, 2, 3, 4, 5, 6));
    comes_back(&(1, 2, 3, 4, 5, 6, 7));
    comes_back(&(1, 2, 3, 4, 5, 6, 7, 8));
    comes_back(&(1, 2, 3, 4, 5, 6, 7, 8, 9));
    comes_back(&(1, 2, 3, 4, 5, 6, 7, 8, 9, 10));
    comes_back(&(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11));
    comes_back(&(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, Binary::from([12])));
}

#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Unit;

#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Id(u64);

#[derive(Debug, Deserialize, PartialEq, Serialize)]
#[serde(untagged)]
enum Reading {
    Number(f64),
    Raw(ByteBuf),
    Nested { readings: Vec<Reading> },
}

#[derive(Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
enum Shape {
    Empty,
    Image { num: u8, data: Binary },
}

#[derive(Debug, Deserialize, PartialEq, Serialize)]
enum Command {
    Stop,
    Move(i32, i32),
    Load(Binary),
    Set { key: String, value: Value },
}

#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Common {
    raw: ByteBuf,
    at: Option<Id>,
}

#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Report {
    id: Id,
    unit: Unit,
    nothing: (),
    pair: (i8, Option<Binary>),
    by_number: HashMap<u16, Binary>,
    by_flag: BTreeMap<i64, ByteBuf>,
    readings: Vec<Reading>,
    shapes: Vec<Shape>,
    commands: Vec<Command>,
    #[serde(flatten)]
    common: Common,
    #[serde(flatten)]
    more: BTreeMap<String, Value>,
}

fn report() -> Report {
    let data = |byte| Binary::from([byte, 0]);
    Report {
        id: Id(u64::MAX),
        unit: Unit,
        nothing: (),
        pair: (-1, Some(data(1))),
        by_number: HashMap::from([(7, data(2)), (8, Binary::default())]),
        by_flag: BTreeMap::from([(-5, ByteBuf::from([5]))]),
        readings: vec![
            Reading::Number(1.5),
            Reading::Raw(ByteBuf::from([3])),
            Reading::Nested { readings: vec![Reading::Raw(ByteBuf::new())] },
        ],
        shapes: vec![Shape::Empty, Shape::Image { num: 0, data: data(4) }],
        commands: vec![
            Command::Stop,
            Command::Move(1, -1),
            Command::Load(data(5)),
            Command::Set { key: "\0".into(), value: Value::from([data(6)]) },
        ],
        common: Common { raw: ByteBuf::from([9]), at: None },
        more: BTreeMap::from([("num".into(), Value::from(1)), ("x".into(), data(7).into())]),
    }
}

#[test]
fn a_struct_with_everything_comes_back_as_one_argument_and_in_a_list() {
    comes_back(&report());
    comes_back(&(1, report(), Some(report())));
    comes_back(&Some(report()));
    comes_back(&Id(1));
    comes_back(&Command::Stop);
    comes_back(&Command::Move(1, 2));
    comes_back(&Command::Load(Binary::from([1])));
    comes_back(&[1.5, 2.5, 3.5]);
    comes_back(&[Binary::from([1]), Binary::default()]);
    comes_back(&[[(1, 2)], [(3, 4)]]);
    comes_back(&[0_u8; 0]);
    comes_back(&serde_json::Value::Null);
    comes_back(&None::<[u8; 2]>);
    comes_back(&());
    comes_back(&ByteBuf::from([1, 2]));
}

#[test]
fn numbers_keep_their_type_in_a_value() {
    let json = r#"["e",18446744073709551615,-9223372036854775808,1.5,1e3]"#;
    let args: ArgList = decode_event(json, &[]).unwrap();
    assert_eq!(args.0[0].as_u64(), Some(u64::MAX));
    assert_eq!(args.0[1].as_i64(), Some(i64::MIN));
    assert_eq!(args.0[2].as_f64(), Some(1.5));
    assert_eq!(args.0[2].as_i64(), None);
    assert_eq!(args.0[3].as_f64(), Some(1000.0));
}

#[test]
fn a_number_is_read_as_the_one_that_was_written() {
    for number in [0.912_749_822_221_734_1, 1e59, 5e-324, 1.797_693_134_862_315_7e308_f64] {
        let read: f64 = decode(&format!("[{number:?}]"), &[]).unwrap();
        assert_eq!(read.to_bits(), number.to_bits(), "{number:?}");
    }
}
