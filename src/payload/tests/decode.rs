use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_bytes::ByteBuf;

use super::{decode, decode_error, decode_event};
use crate::payload::{ArgList, Args, Binary, Value};

const FIRST: &str = r#"{"_placeholder":true,"num":0}"#;
const SECOND: &str = r#"{"_placeholder":true,"num":1}"#;

fn attachments() -> [Bytes; 2] {
    [Bytes::from(vec![1, 2]), Bytes::from(b"text".to_vec())]
}

#[derive(Debug, Deserialize, PartialEq)]
struct Point {
    x: i32,
    #[serde(default)]
    y: i32,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Newtype<T>(T);

#[derive(Debug, Deserialize, PartialEq)]
struct TupleStruct(u8, u8);

#[derive(Debug, Deserialize, PartialEq)]
struct UnitStruct;

#[test]
fn one_argument_is_found_behind_whatever_stands_before_it() {
    for before in [
        "\"e\"",
        "\"\"",
        "\"a\\\"],b\"",
        "\"a\\\\\"",
        "\"é,\"",
        "12",
        "-1.5e3",
        "null",
        "[\"]\",[1]]",
        "{\"a\":[\"}\",2]}",
    ] {
        for json in
            [format!("[{before},{before},7,8]"), format!(" [ {before}\n,\t{before} , 7 ,8 ] ")]
        {
            let args = Args { json: &json, skip: 1, attachments: &[] };
            assert_eq!(args.get::<u8>(1).unwrap(), 7, "{json}");
            assert_eq!(args.get::<u8>(2).unwrap(), 8, "{json}");
            assert_eq!(args.get::<Option<u8>>(3).unwrap(), None, "{json}");
        }
    }
}

#[test]
fn a_tuple_takes_the_arguments_and_leaves_the_rest() {
    let json = r#" [ "e" , "a", 2.5 ,{"x":1},[ ] ] "#;
    assert_eq!(decode_event::<(String,)>(json, &[]).unwrap(), ("a".into(),));
    assert_eq!(
        decode_event::<(String, f64, Point)>(json, &[]).unwrap(),
        ("a".into(), 2.5, Point { x: 1, y: 0 })
    );
    assert_eq!(decode::<(String, String)>(json, &[]).unwrap(), ("e".into(), "a".into()));
    assert_eq!(decode_event::<([u8; 2], u8)>(r#"["e",[1,2],3]"#, &[]).unwrap(), ([1, 2], 3));
}

#[test]
fn unit_takes_anything() {
    for json in [r#"["e"]"#, r#"["e",1]"#, r#"["e",[[{"a":[]}]],2]"#] {
        decode_event::<()>(json, &[]).unwrap();
        decode_event::<IgnoredAny>(json, &[]).unwrap();
    }
}

#[test]
fn what_serde_takes_for_a_tuple_or_a_unit_takes_the_first_argument() {
    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(transparent)]
    struct Transparent<T>(T);

    for attachments in [&[][..], &attachments()] {
        fn first<T: serde::de::DeserializeOwned>(arg: &str, attachments: &[Bytes]) -> T {
            decode_event(&format!(r#"["e", {arg} , 5, 6]"#), attachments).unwrap()
        }
        assert_eq!(first::<[i64; 3]>("[1,-2,3]", attachments), [1, -2, 3]);
        assert_eq!(first::<[[u8; 1]; 2]>("[[1],[2]]", attachments), [[1], [2]]);
        assert_eq!(first::<[(u8, u8); 1]>("[[1,2]]", attachments), [(1, 2)]);
        assert_eq!(first::<[u8; 0]>("[]", attachments), [0; 0]);
        assert_eq!(first::<Box<(u8, u8)>>("[1,2]", attachments), Box::new((1, 2)));
        assert_eq!(first::<Transparent<(u8, u8)>>("[1,2]", attachments), Transparent((1, 2)));
        assert_eq!(first::<Transparent<()>>("null", attachments), Transparent(()));
        assert_eq!(first::<serde_json::Value>("null", attachments), serde_json::Value::Null);
        let error = decode_error::<[u8; 3]>(r#"["e",1,2,3]"#, attachments);
        assert!(error.starts_with("payload: argument 0 is not of type [u8; 3]"), "{error}");
        let error = decode_error::<[u8; 3]>(r#"["e"]"#, attachments);
        assert_eq!(error, "payload: there is no argument");
    }
}

#[test]
fn anything_else_takes_the_first_argument() {
    fn first<T: serde::de::DeserializeOwned>(arg: &str) -> T {
        decode_event(&format!(r#"["e", {arg} , "more"]"#), &[]).unwrap()
    }
    assert_eq!(first::<String>(r#""a\n""#), "a\n");
    assert_eq!(first::<char>(r#""c""#), 'c');
    assert!(first::<bool>("true"));
    assert_eq!(first::<i8>("-5"), -5);
    assert_eq!(first::<u128>(&u128::MAX.to_string()), u128::MAX);
    assert!((first::<f32>("1") - 1.0).abs() < f32::EPSILON);
    assert_eq!(first::<Option<u8>>("null"), None);
    assert_eq!(first::<Option<u8>>("7"), Some(7));
    assert_eq!(first::<Option<(u8, u8)>>("[1,2]"), Some((1, 2)));
    assert_eq!(first::<Vec<u8>>("[1,2]"), [1, 2]);
    assert_eq!(first::<HashMap<u8, u8>>(r#"{"1":2}"#), HashMap::from([(1, 2)]));
    assert_eq!(first::<Point>(r#"{"y":2,"x":1,"z":3}"#), Point { x: 1, y: 2 });
    assert_eq!(first::<Newtype<(u8, u8)>>("[1,2]"), Newtype((1, 2)));
    assert_eq!(first::<TupleStruct>("[1,2]"), TupleStruct(1, 2));
    assert_eq!(first::<UnitStruct>("null"), UnitStruct);
    assert_eq!(first::<Value>("[1]"), Value::from([1]));
    assert_eq!(first::<ByteBuf>("[1,2]"), [1, 2]);
    assert_eq!(first::<ByteBuf>(r#""ab""#), b"ab");
    assert_eq!(first::<Binary>("[1,2]"), [1, 2]);
}

#[test]
fn an_arg_list_takes_all_arguments() {
    assert_eq!(decode_event::<ArgList>(r#"["e"]"#, &[]).unwrap().0, []);
    assert_eq!(decode_event::<ArgList<u8>>(r#"["e",1,2,3]"#, &[]).unwrap().0, [1, 2, 3]);
    let args: ArgList =
        decode_event(&format!(r#"["e",{SECOND},[{FIRST}]]"#), &attachments()).unwrap();
    assert_eq!(args.0[0].as_binary().unwrap(), b"text");
    assert_eq!(args.0[1][0].as_binary().unwrap(), &[1, 2]);
}

#[test]
fn missing_arguments_are_none_or_an_error() {
    type Optional = (u8, Option<String>, Option<u8>);
    assert_eq!(decode_event::<Optional>(r#"["e",1]"#, &[]).unwrap(), (1, None, None));
    assert_eq!(decode_event::<Optional>(r#"["e",1,null,2]"#, &[]).unwrap(), (1, None, Some(2)));
    assert_eq!(decode_event::<Option<Value>>(r#"["e"]"#, &[]).unwrap(), None);
    assert_eq!(decode_event::<(Option<u8>,)>(r#"["e"]"#, &attachments()).unwrap(), (None,));
    assert_eq!(decode_error::<(u8, u8)>(r#"["e",1]"#, &[]), "payload: argument 1 is missing");
    assert_eq!(decode_error::<(u8, Value)>(r#"["e",1]"#, &[]), "payload: argument 1 is missing");
    assert_eq!(
        decode_error::<(u8, Binary)>(r#"["e",1]"#, &attachments()),
        "payload: argument 1 is missing"
    );
    assert_eq!(decode_error::<u8>(r#"["e" ]"#, &[]), "payload: there is no argument");
    assert_eq!(decode_error::<Vec<u8>>(r#"["e"]"#, &[]), "payload: there is no argument");
    assert_eq!(decode_error::<(u8,)>("[]", &[]), "payload: there is no argument");
}

#[test]
fn errors_name_the_argument_and_what_was_expected() {
    let error = decode_error::<(u8, u32)>(r#"["e",1,"x"]"#, &[]);
    assert!(
        error.starts_with(
            "payload: argument 1 is not of type u32: invalid type: string \"x\", expected u32"
        ),
        "{error}"
    );
    let error = decode_error::<u32>(r#"["e",-1]"#, &[]);
    assert!(
        error.starts_with("payload: argument 0 is not of type u32: invalid value: integer `-1`"),
        "{error}"
    );
    let error = Args { json: "[1,2,true]", skip: 1, attachments: &[] }.get::<u8>(1).unwrap_err();
    assert!(error.message() == "argument 1 is not of type u8", "{error}");
    assert!(
        std::error::Error::source(&error)
            .is_some_and(<dyn std::error::Error>::is::<serde_json::Error>)
    );
}

#[test]
fn single_arguments_and_their_number() {
    let args = Args { json: r#"[ "e" ,1, [2,3],{"x":4} ]"#, skip: 1, attachments: &[] };
    assert_eq!(args.len(), 3);
    assert_eq!(args.get::<u8>(0).unwrap(), 1);
    assert_eq!(args.get::<(u8, u8)>(1).unwrap(), (2, 3));
    assert_eq!(args.get::<Point>(2).unwrap(), Point { x: 4, y: 0 });
    assert_eq!(args.get::<Option<u8>>(3).unwrap(), None);
    assert_eq!(args.get::<u8>(3).unwrap_err().message(), "argument 3 is missing");
    assert_eq!(
        args.get::<u8>(usize::MAX - 1).unwrap_err().message(),
        format!("argument {} is missing", usize::MAX - 1)
    );
    let none = Args { json: "[ ]", skip: 0, attachments: &[] };
    assert_eq!(none.len(), 0);
    assert_eq!(none.get::<u8>(0).unwrap_err().message(), "there is no argument");
    let json = format!(r#"["e",null,{SECOND}]"#);
    let binary = Args { json: &json, skip: 1, attachments: &attachments() };
    assert_eq!(binary.get::<Binary>(1).unwrap(), b"text");
    assert_eq!(binary.len(), 2);
}

#[derive(Debug, Deserialize, PartialEq)]
struct Photo {
    name: String,
    thumbnail: Option<Binary>,
    data: ByteBuf,
    #[serde(flatten)]
    more: BTreeMap<String, Value>,
}

#[test]
fn bytes_at_any_depth_are_attachments() {
    let json = format!(
        r#"["e",{{"data":{SECOND},"extra":[{FIRST}],"name":"n","thumbnail":{FIRST}}},[[{SECOND}],null]]"#
    );
    let (photo, list): (Photo, Newtype<Vec<Option<Vec<ByteBuf>>>>) =
        decode_event(&json, &attachments()).unwrap();
    assert_eq!(photo.name, "n");
    assert_eq!(photo.thumbnail.unwrap(), [1, 2]);
    assert_eq!(photo.data, b"text");
    assert_eq!(photo.more["extra"][0].as_binary().unwrap(), &[1, 2]);
    assert_eq!(list, Newtype(vec![Some(vec![ByteBuf::from(*b"text")]), None]));
}

#[derive(Debug, Deserialize, PartialEq)]
enum External {
    Unit,
    New(Binary),
    Pair(u8, ByteBuf),
    Named { data: Binary },
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(tag = "type", content = "value")]
enum Adjacent {
    New(Binary),
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(tag = "type")]
enum Internal {
    Named { data: Binary, list: Vec<Value> },
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(untagged)]
enum Untagged {
    Number(u8),
    Data(Binary),
    Text(String),
    Map(BTreeMap<String, Untagged>),
}

#[test]
fn enums_of_every_representation_hold_binary() {
    let (a, b, c, d): (External, External, External, External) = decode(
        &format!(
            r#"["Unit",{{"New":{FIRST}}},{{"Pair":[1,{SECOND}]}},{{"Named":{{"data":{FIRST}}}}}]"#
        ),
        &attachments(),
    )
    .unwrap();
    assert_eq!((a, b), (External::Unit, External::New(Binary::from([1, 2]))));
    assert_eq!(c, External::Pair(1, ByteBuf::from(*b"text")));
    assert_eq!(d, External::Named { data: Binary::from([1, 2]) });
    let (adjacent, internal): (Adjacent, Internal) = decode(
        &format!(
            r#"[{{"value":{FIRST},"type":"New"}},{{"list":[{SECOND},1],"type":"Named","data":{FIRST}}}]"#
        ),
        &attachments(),
    )
    .unwrap();
    assert_eq!(adjacent, Adjacent::New(Binary::from([1, 2])));
    let list = vec![Value::from(Binary::from(b"text")), Value::from(1)];
    assert_eq!(internal, Internal::Named { data: Binary::from([1, 2]), list });
    let untagged: Vec<Untagged> =
        decode(&format!(r#"[[1,"\u00000",{{"num":1,"k":{SECOND}}}]]"#), &attachments()).unwrap();
    let map = [("num", Untagged::Number(1)), ("k", Untagged::Data(Binary::from(b"text")))];
    let map = map.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    assert_eq!(untagged, [Untagged::Number(1), Untagged::Text("\x000".into()), Untagged::Map(map)]);
}

/// One of each kind.
type All =
    (bool, i64, f64, String, (), HashMap<u8, Vec<u8>>, External, Newtype<TupleStruct>, Point, u128);

#[test]
fn everything_but_bytes_decodes_as_without_attachments() {
    let json = r#"[true,-1,1.5,"\u0000é",null,{"1":[2]},"Unit",[1,2],{"x":1},340282366920938463463374607431768211455]"#;
    assert_eq!(decode::<All>(json, &[]).unwrap(), decode::<All>(json, &attachments()).unwrap());
    assert_eq!(
        decode::<ArgList>(json, &[]).unwrap(),
        decode::<ArgList>(json, &attachments()).unwrap()
    );
    assert_eq!(decode::<(char,)>(r#"["c"]"#, &attachments()).unwrap(), ('c',));
    assert_eq!(decode::<ByteBuf>("[[1,2]]", &attachments()).unwrap(), [1, 2]);
    assert_eq!(decode::<ByteBuf>(r#"["\u0000\u0000"]"#, &attachments()).unwrap(), b"\0\0");
    for attachments in [&[][..], &attachments()] {
        assert!(decode::<Binary>(r#"["text"]"#, attachments).is_err());
    }
}

#[test]
fn binary_where_another_type_was_asked_for_is_an_error_that_says_so() {
    let json = format!(r#"["e",{SECOND}]"#);
    for error in [
        decode_error::<String>(&json, &attachments()),
        decode_error::<u32>(&json, &attachments()),
        decode_error::<Vec<u8>>(&json, &attachments()),
        decode_error::<Point>(&json, &attachments()),
        decode_error::<BTreeMap<String, Value>>(&json, &attachments()),
        decode_error::<External>(&json, &attachments()),
        decode_error::<()>(r#"["e",{"_placeholder":true}]"#, &attachments()),
    ] {
        let says_so = ["binary data", "byte array", "a placeholder"];
        assert!(says_so.iter().any(|words| error.contains(words)), "{error}");
        assert!(!error.contains('\0') && !error.contains("\\0"), "{error}");
    }
}

#[test]
fn binary_and_value_share_the_attachment() {
    let [data, _] = attachments();
    let json = format!(r#"["e",{FIRST},[{FIRST}],{FIRST}]"#);
    let (a, b, c): (Binary, Vec<Value>, Value) =
        decode_event(&json, std::slice::from_ref(&data)).unwrap();
    assert_eq!(a.as_ptr(), data.as_ptr());
    assert_eq!(b[0].as_binary().unwrap().as_ptr(), data.as_ptr());
    assert_eq!(c.as_binary().unwrap().as_ptr(), data.as_ptr());
}
