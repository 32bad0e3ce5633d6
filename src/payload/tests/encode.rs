use std::collections::BTreeMap;

use serde::Serialize;
use serde_bytes::{ByteBuf, Bytes as SerdeBytes};
use serde_json::json;

use super::decode;
use crate::error::ErrorKind;
use crate::payload::{ArgList, Binary, Payload, Value};

/// What the arguments are as an event, and as an acknowledgement.
#[track_caller]
fn encodes<T: Serialize + ?Sized>(args: &T, event: &str, ack: &str) {
    assert_eq!(Payload::event("e", args).unwrap().json, event);
    assert_eq!(Payload::args(args).unwrap().json, ack);
}

#[derive(Serialize)]
struct Point {
    x: i32,
    y: Option<f32>,
}

#[derive(Serialize)]
struct Newtype<T>(T);

#[derive(Serialize)]
struct TupleStruct(u8, u8);

#[derive(Serialize)]
struct UnitStruct;

#[derive(Serialize)]
#[serde(transparent)]
struct Transparent<T>(T);

#[derive(Serialize)]
enum Choice {
    Unit,
    One(u8),
    Two(u8, u8),
    Named { a: u8 },
}

#[test]
fn a_tuple_is_the_argument_list() {
    encodes(&(1,), r#"["e",1]"#, "[1]");
    encodes(&("a", 2, (3, 4)), r#"["e","a",2,[3,4]]"#, r#"["a",2,[3,4]]"#);
    encodes(
        &(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11),
        r#"["e",0,1,2,3,4,5,6,7,8,9,10,11]"#,
        "[0,1,2,3,4,5,6,7,8,9,10,11]",
    );
    encodes(&([1, 2],), r#"["e",[1,2]]"#, "[[1,2]]");
    encodes(&(json!(null),), r#"["e",null]"#, "[null]");
    encodes(&&mut &(1, 2), r#"["e",1,2]"#, "[1,2]");
}

#[test]
fn unit_is_no_argument() {
    encodes(&(), r#"["e"]"#, "[]");
    encodes(&&(), r#"["e"]"#, "[]");
    encodes(&((),), r#"["e",null]"#, "[null]");
}

#[test]
fn an_arg_list_has_as_many_arguments_as_elements() {
    encodes(&ArgList::<Value>::default(), r#"["e"]"#, "[]");
    encodes(&ArgList(vec![1, 2, 3]), r#"["e",1,2,3]"#, "[1,2,3]");
    encodes(&&ArgList(vec![[1, 2]]), r#"["e",[1,2]]"#, "[[1,2]]");
    encodes(&ArgList(vec![json!(null)]), r#"["e",null]"#, "[null]");
    encodes(&(ArgList(vec![1, 2]), 3), r#"["e",[1,2],3]"#, "[[1,2],3]");
}

#[test]
fn anything_else_is_one_argument() {
    encodes("text", r#"["e","text"]"#, r#"["text"]"#);
    encodes(&'c', r#"["e","c"]"#, r#"["c"]"#);
    encodes(&true, r#"["e",true]"#, "[true]");
    encodes(&-5_i8, r#"["e",-5]"#, "[-5]");
    encodes(&u64::MAX, r#"["e",18446744073709551615]"#, "[18446744073709551615]");
    encodes(&i128::MIN, &format!("[\"e\",{}]", i128::MIN), &format!("[{}]", i128::MIN));
    encodes(&1.5, r#"["e",1.5]"#, "[1.5]");
    encodes(&f64::NAN, r#"["e",null]"#, "[null]");
    encodes(&Value::Null, r#"["e",null]"#, "[null]");
    encodes(&None::<u8>, r#"["e",null]"#, "[null]");
    encodes(&Some((1, 2)), r#"["e",[1,2]]"#, "[[1,2]]");
    encodes(&vec![1, 2], r#"["e",[1,2]]"#, "[[1,2]]");
    encodes(&[1, 2][..], r#"["e",[1,2]]"#, "[[1,2]]");
    encodes(&Vec::<u8>::new(), r#"["e",[]]"#, "[[]]");
    encodes(&BTreeMap::from([(1, "a")]), r#"["e",{"1":"a"}]"#, r#"[{"1":"a"}]"#);
    encodes(&Point { x: 1, y: None }, r#"["e",{"x":1,"y":null}]"#, r#"[{"x":1,"y":null}]"#);
    encodes(&UnitStruct, r#"["e",null]"#, "[null]");
    encodes(&Newtype((1, 2)), r#"["e",[1,2]]"#, "[[1,2]]");
    encodes(&TupleStruct(1, 2), r#"["e",[1,2]]"#, "[[1,2]]");
    encodes(&Choice::Unit, r#"["e","Unit"]"#, r#"["Unit"]"#);
    encodes(&Choice::One(1), r#"["e",{"One":1}]"#, r#"[{"One":1}]"#);
    encodes(&Choice::Two(1, 2), r#"["e",{"Two":[1,2]}]"#, r#"[{"Two":[1,2]}]"#);
    encodes(&Choice::Named { a: 1 }, r#"["e",{"Named":{"a":1}}]"#, r#"[{"Named":{"a":1}}]"#);
    encodes(&json!([{ "a": null }]), r#"["e",[{"a":null}]]"#, r#"[[{"a":null}]]"#);
    encodes(&format_args!("{}-{}", 1, 2), r#"["e","1-2"]"#, r#"["1-2"]"#);
    encodes(&std::net::Ipv4Addr::LOCALHOST, r#"["e","127.0.0.1"]"#, r#"["127.0.0.1"]"#);
}

#[test]
fn what_serde_takes_for_a_tuple_or_a_unit_is_one_argument() {
    encodes(&[1, 2], r#"["e",[1,2]]"#, "[[1,2]]");
    encodes(&[0_u8; 0], r#"["e",[]]"#, "[[]]");
    encodes(&[[1, 2], [3, 4]], r#"["e",[[1,2],[3,4]]]"#, "[[[1,2],[3,4]]]");
    encodes(&[(1, 2)], r#"["e",[[1,2]]]"#, "[[[1,2]]]");
    encodes(&&[1, 2], r#"["e",[1,2]]"#, "[[1,2]]");
    encodes(&json!(null), r#"["e",null]"#, "[null]");
    encodes(&[(), ()], r#"["e",[null,null]]"#, "[[null,null]]");
    encodes(&Transparent((1, 2)), r#"["e",[1,2]]"#, "[[1,2]]");
    encodes(&Transparent(()), r#"["e",null]"#, "[null]");
    encodes(&Box::new((1, 2)), r#"["e",[1,2]]"#, "[[1,2]]");
    encodes(&Untagged::Nothing, r#"["e",null]"#, "[null]");
}

#[derive(Serialize)]
#[serde(untagged)]
enum Untagged {
    Nothing,
}

#[test]
fn names_are_escaped() {
    let payload = Payload::event("a\"\\\n\0é", &1).unwrap();
    assert_eq!(payload.json, "[\"a\\\"\\\\\\n\\u0000é\",1]");
}

#[test]
fn binary_is_lifted_at_any_depth_and_numbered_in_order() {
    const FIRST: &str = r#"{"_placeholder":true,"num":0}"#;
    const SECOND: &str = r#"{"_placeholder":true,"num":1}"#;
    let binary = Binary::from([1, 2]);
    encodes(&binary, &format!(r#"["e",{FIRST}]"#), &format!("[{FIRST}]"));
    encodes(SerdeBytes::new(&[1]), &format!(r#"["e",{FIRST}]"#), &format!("[{FIRST}]"));
    let args = (vec![Some(&binary)], BTreeMap::from([("k", Newtype(ByteBuf::from([3])))]));
    encodes(
        &args,
        &format!(r#"["e",[{FIRST}],{{"k":{SECOND}}}]"#),
        &format!(r#"[[{FIRST}],{{"k":{SECOND}}}]"#),
    );
    let payload = Payload::args(&args).unwrap();
    assert_eq!(payload.attachments, [&[1, 2][..], &[3]]);
    assert_eq!(payload.size(), payload.json.len() + 3);
}

#[test]
fn binary_is_sent_without_a_copy() {
    let binary = Binary::from(vec![7; 1000]);
    let payload = Payload::args(&(1, Value::from(binary.clone()))).unwrap();
    assert_eq!(payload.attachments[0].as_ptr(), binary.as_ptr());
}

#[test]
fn the_key_of_placeholders_is_refused_only_beside_binary() {
    let binary = Binary::default();
    let own = json!({ "a": { "_placeholder": true } });
    encodes(&own, r#"["e",{"a":{"_placeholder":true}}]"#, r#"[{"a":{"_placeholder":true}}]"#);
    for error in [
        Payload::args(&(&own, &binary)).unwrap_err(),
        Payload::event("e", &(&binary, &own)).unwrap_err(),
        Payload::args(&(&binary, json!({ "b": 1, "_placeholder": true }))).unwrap_err(),
        // They would be taken for the binary value.
        Payload::args(&(&binary, json!({ "_placeholder": true, "num": 0 }))).unwrap_err(),
        Payload::args(&(json!({ "_placeholder": true, "num": 0 }), &binary)).unwrap_err(),
        Payload::args(&Hiding { mark: true, num: 0, data: &binary }).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Payload);
        assert!(error.to_string().contains("`_placeholder` is reserved"), "{error}");
    }
    let harmless = json!({
        "_placeholder\n": true, "\n_placeholder": true, "_placeholde": true, "a": "_placeholder",
        "": "_placeholder", "b": { "_placeholder": 1 },
    });
    assert!(Payload::args(&(&binary, harmless)).is_ok());
}

/// An object that has a binary value, and looks like the placeholder of it.
#[derive(Serialize)]
struct Hiding<'a> {
    #[serde(rename = "_placeholder")]
    mark: bool,
    num: u8,
    data: &'a Binary,
}

#[test]
fn the_key_of_placeholders_is_the_users_where_its_value_is_not_true() {
    let binary = Binary::from([7]);
    for value in [json!(false), json!(1), json!("true"), json!(null), json!([true]), json!({})] {
        let own = json!({ "_placeholder": value, "num": 9 });
        let Payload { json, attachments } = Payload::args(&(&own, &binary)).unwrap();
        let (back, same): (serde_json::Value, Binary) = decode(&json, &attachments).unwrap();
        assert_eq!((back, same), (own, binary.clone()));
    }
    let hiding = Hiding { mark: false, num: 9, data: &binary };
    let Payload { json, attachments } = Payload::args(&hiding).unwrap();
    assert_eq!(decode::<Value>(&json, &attachments).unwrap()["data"].as_binary(), Some(&binary));
}

#[test]
fn data_that_is_no_json_is_an_error_that_says_why() {
    let error = Payload::event("e", &BTreeMap::from([((1, 2), 3)])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Payload);
    assert_eq!(error.to_string(), "payload: the arguments cannot be encoded: key must be a string");
}

#[test]
fn auth_is_an_object_or_nothing() {
    assert_eq!(Payload::value(&Point { x: 1, y: None }).unwrap().json, r#"{"x":1,"y":null}"#);
    assert_eq!(
        Payload::value(&json!({ "_placeholder": 1 })).unwrap().json,
        r#"{"_placeholder":1}"#
    );
    assert_eq!(Payload::value(&()).unwrap(), Payload::default());
    assert_eq!(Payload::value(&None::<Point>).unwrap(), Payload::default());
    for error in [
        Payload::value("token").unwrap_err(),
        Payload::value(&vec![1]).unwrap_err(),
        Payload::value(&BTreeMap::from([((1, 2), 3)])).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Payload);
    }
}

#[test]
fn auth_cannot_carry_binary() {
    for error in [
        Payload::value(&Binary::default()).unwrap_err(),
        Payload::value(&BTreeMap::from([("a", Binary::from([1]))])).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Payload);
        assert_eq!(error.message(), "auth cannot carry binary data");
    }
}
