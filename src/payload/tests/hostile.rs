use bytes::Bytes;
use serde::de::IgnoredAny;
use serde_bytes::ByteBuf;

use super::{decode, decode_error, decode_event};
use crate::payload::{ArgList, Args, Binary, Value};

/// `["e","a",[[[…]]]]`, with the given number of inner brackets.
fn nested(depth: usize) -> String {
    format!(r#"["e","a",{}{}]"#, "[".repeat(depth), "]".repeat(depth))
}

fn one() -> [Bytes; 1] {
    [Bytes::from(vec![1])]
}

#[test]
fn a_bad_placeholder_is_an_error_for_every_type() {
    for num in ["1", "-1", "0.5", "\"0\"", "null", "18446744073709551616", "[0]"] {
        let json = format!(r#"["e",{{"_placeholder":true,"num":{num}}}]"#);
        decode_error::<Binary>(&json, &one());
        decode_error::<Value>(&json, &one());
        decode_error::<ByteBuf>(&json, &one());
        decode_error::<(Option<Value>,)>(&json, &one());
    }
}

#[test]
fn a_placeholder_without_attachments_is_plain_data() {
    let json = r#"["e",{"_placeholder":true,"num":0}]"#;
    let value: Value = decode_event(json, &[]).unwrap();
    assert_eq!(value["num"].as_u64(), Some(0));
    decode_error::<Binary>(json, &[]);
}

#[test]
fn many_references_to_one_attachment_share_it() {
    let data = Bytes::from(vec![7; 100_000]);
    let places = vec![r#"{"_placeholder":true,"num":0}"#; 20_000].join(",");
    let json = format!(r#"["e",[{places}]]"#);
    let attachments = [data.clone()];
    let binary: Vec<Binary> = decode_event(&json, &attachments).unwrap();
    assert_eq!(binary.len(), 20_000);
    assert!(binary.iter().all(|binary| binary.as_ptr() == data.as_ptr()));
    let value: Value = decode_event(&json, &attachments).unwrap();
    let elements = value.as_array().unwrap();
    assert!(elements.iter().all(|value| value.as_binary().unwrap().as_ptr() == data.as_ptr()));
}

#[test]
fn too_deep_nesting_is_an_error_that_says_so() {
    for attachments in [&[][..], &one()] {
        decode_event::<(String, Value)>(&nested(126), attachments).unwrap();
        for depth in [127, 200, 100_000] {
            let error = decode_error::<(String, Value)>(&nested(depth), attachments);
            assert!(
                error.starts_with("payload: argument 1 is nested deeper than 127 levels"),
                "{error}"
            );
            decode_error::<ArgList>(&nested(depth), attachments);
        }
        let args = Args { json: &nested(100_000), skip: 1, attachments };
        let error = args.get::<Value>(1).unwrap_err();
        assert_eq!(error.message(), "argument 1 is nested deeper than 127 levels");
    }
}

#[test]
fn deep_arguments_can_be_skipped() {
    let json = nested(100_000);
    for attachments in [&[][..], &one()] {
        let args = Args { json: &json, skip: 1, attachments };
        assert_eq!(args.len(), 2);
        assert_eq!(args.get::<String>(0).unwrap(), "a");
        assert_eq!(args.get::<Option<u8>>(2).unwrap(), None);
        args.get::<IgnoredAny>(1).unwrap();
        assert_eq!(args.decode::<(String,)>().unwrap().0, "a");
        assert_eq!(args.decode::<(String, IgnoredAny)>().unwrap().0, "a");
        assert_eq!(args.decode::<String>().unwrap(), "a");
        args.decode::<()>().unwrap();
    }
}

/// The stack on which depth is refused, and on which the deepest value is decoded, printed, cloned,
/// compared and dropped. On x86-64 it takes about 60 KiB without attachments and 85 KiB with them;
/// builds without optimisation take about 350 KiB.
#[test]
fn a_small_stack_suffices() {
    let stack = if cfg!(debug_assertions) { 768 } else { 128 } * 1024;
    let run = || {
        for attachments in [&[][..], &one()] {
            let value: Value =
                decode::<(Value, Value, Value)>(&nested(126), attachments).unwrap().2;
            assert_eq!(value.clone(), value);
            assert_eq!(value.to_string().len(), 252);
            drop(value);
            decode_error::<(String, Value)>(&nested(100_000), attachments);
            decode_event::<(String, IgnoredAny)>(&nested(100_000), attachments).unwrap();
        }
    };
    std::thread::Builder::new().stack_size(stack).spawn(run).unwrap().join().unwrap();
}

#[test]
fn text_that_is_no_array_gives_errors_and_no_panic() {
    for json in ["", " ", "{", "[", "[1", "[1,", "null", "\"", "[\"\\", "{\"a\":1}", "[é"] {
        for attachments in [&[][..], &one()] {
            let args = Args { json, skip: 1, attachments };
            let _ = args.len();
            assert!(args.decode::<(u8, u8)>().is_err());
            assert!(args.decode::<u8>().is_err());
            assert!(args.get::<u8>(0).is_err());
            let _ = args.decode::<ArgList>();
        }
    }
}
