//! Rewrites received JSON so that each placeholder is a single token.
//!
//! A placeholder is an object, whose members may come in any order (not every server is
//! written in JavaScript). Whoever reads a stream of tokens would have to hold an object back
//! until it is known not to be one. So each becomes a string first: U+0000 and the attachment's
//! number. A string of the peer's that begins with U+0000 gets another one in front.

use super::placeholder::{self, Placeholder, skip_space, string_end};
use crate::error::{Error, ErrorKind, Result};

/// U+0000 can stand in JSON in this spelling only.
const NUL: &str = r"\u0000";

/// The start of a string that begins with it.
const QUOTED_NUL: &str = r#""\u0000"#;

/// What a string that begins with U+0000 stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// The attachment with this number.
    Attachment(usize),
    /// The string behind its first byte.
    Text,
}

/// Reads a decoded string. `None`: it stands for itself.
pub(super) fn read(text: &[u8]) -> Option<Mark> {
    let (0, rest) = text.split_first()? else { return None };
    if rest.first() == Some(&0) {
        return Some(Mark::Text);
    }
    let number = std::str::from_utf8(rest).ok()?.parse().ok()?;
    Some(Mark::Attachment(number))
}

/// Rewrites a valid JSON text. A placeholder that does not name one of the attachments is an error.
pub(super) fn mark(json: &str, attachments: usize) -> Result<String> {
    let placeholders = placeholder::find(json, attachments).ok_or_else(|| {
        let context = "a placeholder does not name one of the packet's attachments";
        Error::new(ErrorKind::Payload, context)
    })?;
    let mut out = String::with_capacity(json.len());
    let mut copied = 0;
    for Placeholder { range, number } in placeholders {
        push_text(json.get(copied..range.start).unwrap_or_default(), &mut out);
        out.push('"');
        out.push_str(NUL);
        out.push_str(&number.to_string());
        out.push('"');
        copied = range.end;
    }
    push_text(json.get(copied..).unwrap_or_default(), &mut out);
    Ok(out)
}

/// Copies JSON, with one more U+0000 before each string that begins with one. Keys stay as they are.
fn push_text(mut json: &str, out: &mut String) {
    while let Some(quote) = json.find(QUOTED_NUL) {
        let (before, rest) = json.split_at(quote + 1);
        out.push_str(before);
        if is_quote(before) && !is_key(json, quote) {
            out.push_str(NUL);
        }
        json = rest;
    }
    out.push_str(json);
}

/// Whether the quote at the end of a text is none that belongs to a string.
fn is_quote(text: &str) -> bool {
    let escapes = text.bytes().rev().skip(1).take_while(|byte| *byte == b'\\').count();
    escapes % 2 == 0
}

/// Whether the string that begins at `start` is a key.
fn is_key(json: &str, start: usize) -> bool {
    let bytes = json.as_bytes();
    bytes.get(skip_space(bytes, string_end(bytes, start))) == Some(&b':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn marked(json: &str, expected: &str) {
        assert_eq!(mark(json, 3).as_deref().ok(), Some(expected), "{json}");
    }

    #[test]
    fn a_placeholder_becomes_a_string_wherever_it_stands() {
        marked(r#"[{"_placeholder":true,"num":0}]"#, r#"["\u00000"]"#);
        marked(
            r#"["a",{"b":{"_placeholder":true,"num":2},"c":1}]"#,
            r#"["a",{"b":"\u00002","c":1}]"#,
        );
        marked(
            r#"[[{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]]"#,
            r#"[["\u00000","\u00000"]]"#,
        );
    }

    #[test]
    fn order_whitespace_escapes_and_more_members_make_no_difference() {
        marked(r#"[{"num":1,"_placeholder":true}]"#, r#"["\u00001"]"#);
        marked("[ { \"num\" :\n1 , \"_placeholder\"\t: true } ]", r#"[ "\u00001" ]"#);
        marked(r#"[{"\u005fplaceholder":true,"n\u0075m":1}]"#, r#"["\u00001"]"#);
        marked(r#"[{"_placeholder":true,"num":1e0,"x":[]}]"#, r#"["\u00001"]"#);
        marked(r#"[{"num":1,"x":[{"y":"\u0000"}],"_placeholder":true}]"#, r#"["\u00001"]"#);
        marked(r#"[{"_placeholder":true,"x":"\u0000{","num":1}, 5]"#, r#"["\u00001", 5]"#);
        marked(r#"[{"num":0,"_placeholder":false,"_placeholder":true,"num":2}]"#, r#"["\u00002"]"#);
    }

    #[test]
    fn other_objects_stay_as_they_are() {
        for json in [
            r#"[{"_placeholder":false,"num":0}]"#,
            r#"[{"_placeholder":"true","num":0}]"#,
            r#"[{"num":{"num":[]}},{},"_placeholder",true]"#,
            r#"["{\"_placeholder\":true,\"num\":0}", "\\"]"#,
            r#"[{"_placeholders":true,"num":9},"x\u0000"]"#,
        ] {
            marked(json, json);
        }
    }

    #[test]
    fn a_malformed_placeholder_is_an_error() {
        for json in [
            r#"[{"_placeholder":true}]"#,
            r#"[{"_placeholder":true,"num":3}]"#,
            r#"[{"_placeholder":true,"num":-1}]"#,
            r#"[{"_placeholder":true,"num":0.5}]"#,
            r#"[{"_placeholder":true,"num":1e1}]"#,
            r#"[{"_placeholder":true,"num":"1"}]"#,
            r#"[{"_placeholder":true,"num":18446744073709551616}]"#,
            r#"[{"_placeholder":true,"num":{}}]"#,
        ] {
            let error = mark(json, 3).expect_err(json);
            assert_eq!(error.kind(), ErrorKind::Payload);
        }
    }

    #[test]
    fn strings_that_look_like_a_mark_are_told_apart() {
        marked(
            r#"["\u00000",{"\u0000":"\u0000"}]"#,
            r#"["\u0000\u00000",{"\u0000":"\u0000\u0000"}]"#,
        );
        // A quote within a string begins none.
        marked(
            r#"["\"\u0000","\\","\u0000","\\\"\u0000"]"#,
            r#"["\"\u0000","\\","\u0000\u0000","\\\"\u0000"]"#,
        );
        marked(r#"["\u0000\"\u0000\u0000"]"#, r#"["\u0000\u0000\"\u0000\u0000"]"#);
        marked("[{\"\\u0000\" \t:\n\"\\u0000\"}]", "[{\"\\u0000\" \t:\n\"\\u0000\\u0000\"}]");
        assert_eq!(read(b"\x000"), Some(Mark::Attachment(0)));
        assert_eq!(read(b"\0\x000"), Some(Mark::Text));
        assert_eq!(read(b"\0\0"), Some(Mark::Text));
        assert_eq!(read(b"0"), None);
        assert_eq!(read(b""), None);
    }

    #[test]
    fn a_text_cut_anywhere_does_not_panic() {
        let json = r#"["é\"\u0000",{"num":1,"_placeholder":true},"\u0000é"]"#;
        for end in (0..json.len()).filter(|end| json.is_char_boundary(*end)) {
            let _ = mark(&json[..end], 3);
        }
    }
}
