//! What values, binary data and lists are made of, and what becomes of them.

use std::borrow::{Borrow, Cow};
use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use serde::de::IntoDeserializer;
use serde::de::value::{Error as PlainError, MapDeserializer};
use serde::{Deserialize, Deserializer};
use serde_json::{Number, json};

use super::{decode, decode_error};
use crate::payload::{ArgList, Binary, Payload, Value};

fn object(members: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    Value::Object(members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

#[test]
fn a_value_is_made_of_what_programs_have() {
    let one = || Value::Number(1.into());
    for (made, value) in [
        (Value::from(()), Value::Null),
        (Value::from(true), Value::Bool(true)),
        (Value::from(0.5_f32), Value::Number(Number::from_f64(0.5).unwrap())),
        (Value::from(Number::from(1)), one()),
        (Value::from(Cow::Borrowed("a")), Value::String("a".into())),
        (Value::from(None::<u8>), Value::Null),
        (Value::from(Some(1)), one()),
        (Value::from(vec![1]), Value::Array(vec![one()])),
        (Value::from(BTreeMap::from([("k".to_owned(), 1)])), object([("k", one())])),
        (Value::from(HashMap::from([("k".to_owned(), 1)])), object([("k", one())])),
        ([("k", 1)].into_iter().collect(), object([("k", one())])),
        (
            Value::from(json!([null, true, 1, "a", {"k": 1}])),
            Value::Array(vec![
                Value::Null,
                Value::Bool(true),
                one(),
                Value::String("a".into()),
                object([("k", one())]),
            ]),
        ),
    ] {
        assert_eq!(made, value);
    }
}

#[test]
fn a_value_gives_what_it_is_and_nothing_else() {
    let list = Value::from(json!([null, false, "a", {"k": 1}]));
    assert!(list[0].is_null() && !list[1].is_null());
    assert_eq!((list[1].as_bool(), list[2].as_bool()), (Some(false), None));
    assert_eq!((list[2].as_str(), list[1].as_str()), (Some("a"), None));
    assert_eq!(list[3].get(&"k".to_owned()), Some(&Value::from(1)));
    assert_eq!((list.get(4), list[3].get(0), list.get("k")), (None, None, None));
}

#[test]
fn a_value_is_shown_as_json_with_binary_data_described() {
    let value = object([("b", Value::from(Binary::from([1, 2]))), ("n", Value::from(1))]);
    assert_eq!(value.to_string(), r#"{"b":"<2 bytes>","n":1}"#);
}

/// What a deserializer that is none of `serde_json`'s gives.
fn plainly<'de>(deserializer: impl Deserializer<'de, Error = PlainError>) -> Value {
    Value::deserialize(deserializer).unwrap()
}

#[test]
fn a_value_comes_from_other_formats_too() {
    assert_eq!(decode::<Value>("[null]", &[]).unwrap(), Value::Null);
    assert_eq!(plainly(().into_deserializer()), Value::Null);
    assert_eq!(plainly(Maybe(None)), Value::Null);
    assert_eq!(plainly(Maybe(Some(7))), Value::from(7));
}

/// An option, as formats have it that know of options.
struct Maybe(Option<u8>);

impl<'de> Deserializer<'de> for Maybe {
    type Error = PlainError;

    fn deserialize_any<V: serde::de::Visitor<'de>>(self, to: V) -> Result<V::Value, PlainError> {
        match self.0 {
            Some(number) => to.visit_some(number.into_deserializer()),
            None => to.visit_none(),
        }
    }

    fn deserialize_newtype_struct<V: serde::de::Visitor<'de>>(
        self,
        _: &'static str,
        to: V,
    ) -> Result<V::Value, PlainError> {
        self.deserialize_any(to)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit
        unit_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

#[test]
fn a_number_with_all_its_digits_is_a_number_and_what_resembles_it_an_object() {
    let number = "$serde_json::private::Number";
    let members = |members: &[(&'static str, &'static str)]| {
        plainly(MapDeserializer::new(members.iter().copied()))
    };
    assert_eq!(members(&[(number, "7")]), Value::from(7));
    for others in [&[("k", "7")][..], &[(number, "7"), ("k", "7")], &[(number, "x")]] {
        assert!(members(others).as_object().is_some(), "{others:?}");
    }
}

#[test]
#[allow(clippy::op_ref, reason = "each way of comparing is one of its own")]
fn binary_data_is_made_of_bytes_and_compared_with_them() {
    let bytes = [1_u8, 2, 3];
    for binary in [
        Binary::from(bytes.to_vec().into_boxed_slice()),
        Binary::from(&bytes[..]),
        bytes.into_iter().collect(),
        const { Binary::from_static(&[1, 2, 3]) },
    ] {
        assert!(binary == bytes[..] && binary == &bytes[..] && binary == &bytes);
        assert!(binary == bytes && binary == bytes.to_vec());
        assert!(binary != [1][..] && binary != &[1][..] && binary != &[1]);
        assert!(binary != [1] && binary != vec![1]);
        assert_eq!(
            (AsRef::<[u8]>::as_ref(&binary), Borrow::<[u8]>::borrow(&binary)),
            (&bytes[..], &bytes[..])
        );
        assert_eq!(Bytes::from(binary.clone()), bytes[..]);
        assert_eq!(Vec::from(binary), bytes);
    }
}

#[test]
fn a_list_is_made_of_arguments_and_gives_them_back() {
    assert_eq!(ArgList::from(vec![1, 2]).0, [1, 2]);
    let list: ArgList<u8> = [1, 2].into_iter().collect();
    assert_eq!(list.into_iter().collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn a_text_is_appended_behind_the_arguments() {
    let mut payload = Payload::event("e", &1).unwrap();
    payload.append("a\"b").unwrap();
    assert_eq!(payload.json, r#"["e",1,"a\"b"]"#);
    assert_eq!(payload.size(), payload.json.len());
}

/// Asks its deserializer for raw JSON, as `RawValue` does.
#[derive(Debug)]
struct Raw;

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Raw;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("raw JSON")
            }
            fn visit_newtype_struct<D: Deserializer<'de>>(self, _: D) -> Result<Raw, D::Error> {
                Ok(Raw)
            }
        }
        assert!(deserializer.is_human_readable());
        deserializer.deserialize_newtype_struct("$serde_json::private::RawValue", Visitor)
    }
}

#[test]
fn raw_json_beside_attachments_is_refused() {
    let json = r#"["e",{"_placeholder":true,"num":0}]"#;
    let error = decode_error::<Raw>(json, &[Bytes::from_static(&[1])]);
    assert!(error.contains("raw JSON cannot be taken"), "{error}");
}

#[test]
fn what_is_nested_too_deeply_is_named_as_that() {
    let deep = format!("[\"e\",{}{}]", "[".repeat(200), "]".repeat(200));
    assert!(decode_error::<Value>(&deep, &[]).contains("argument 0 is nested deeper than 127"));
    assert!(!decode_error::<u8>(r#"["e","a"]"#, &[]).contains("nested"));
    assert!(decode_error::<ArgList>(&deep, &[]).contains("argument 0 is nested deeper than 127"));
    assert!(!decode_error::<ArgList<u8>>(r#"["e",{}]"#, &[]).contains("nested"));
}
