//! Rewrites received JSON so that each placeholder is a single token.
//!
//! A placeholder is an object, whose members may come in any order (not every server is
//! written in JavaScript). Whoever reads a stream of tokens would have to hold an object back
//! until it is known not to be one. So each becomes a string first: U+0000 and the attachment's
//! number. A string of the peer's that begins with U+0000 gets another one in front.

use std::ops::Range;

use crate::error::{Error, ErrorKind, Result};

/// U+0000 can stand in JSON in this spelling only.
const NUL: &str = r"\u0000";

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

/// Rewrites a valid JSON text, in one pass and without recursion.
///
/// A placeholder is a flat object that has `"_placeholder":true`. That its number is missing, or
/// not below `attachments`, is an error.
pub(super) fn mark(json: &str, attachments: usize) -> Result<String> {
    let mut marker = Marker {
        json,
        attachments,
        out: String::with_capacity(json.len()),
        copied: 0,
        object: None,
    };
    let mut at = 0;
    while let Some(byte) = json.as_bytes().get(at) {
        at = match byte {
            b'{' => marker.open(at, true)?,
            b'[' => marker.open(at, false)?,
            b'}' => marker.close(at)?,
            b'"' => marker.string(at)?,
            _ => at + 1,
        };
    }
    marker.copy_until(json.len());
    Ok(marker.out)
}

/// The innermost open object, as long as nothing is nested in it.
struct Object {
    start: usize,
    /// What `out` and `copied` were at `start`.
    out: usize,
    copied: usize,
    is_placeholder: bool,
    num: Option<Range<usize>>,
}

struct Marker<'a> {
    json: &'a str,
    attachments: usize,
    out: String,
    /// How much of `json` is in `out`.
    copied: usize,
    object: Option<Object>,
}

impl Marker<'_> {
    fn copy_until(&mut self, end: usize) {
        self.out.push_str(self.json.get(self.copied..end).unwrap_or_default());
        self.copied = end;
    }

    fn open(&mut self, at: usize, is_object: bool) -> Result<usize> {
        if self.object.as_ref().is_some_and(|object| object.is_placeholder) {
            return Err(malformed());
        }
        self.object = is_object.then_some(Object {
            start: at,
            out: self.out.len(),
            copied: self.copied,
            is_placeholder: false,
            num: None,
        });
        Ok(at + 1)
    }

    fn close(&mut self, at: usize) -> Result<usize> {
        if let Some(object) = self.object.take().filter(|object| object.is_placeholder) {
            let number = object
                .num
                .and_then(|range| self.json.get(range)?.parse::<usize>().ok())
                .filter(|number| *number < self.attachments)
                .ok_or_else(malformed)?;
            self.out.truncate(object.out);
            self.copied = object.copied;
            self.copy_until(object.start);
            self.out.push('"');
            self.out.push_str(NUL);
            self.out.push_str(&number.to_string());
            self.out.push('"');
            self.copied = at + 1;
        }
        Ok(at + 1)
    }

    /// A key or a value. Returns where to go on.
    fn string(&mut self, start: usize) -> Result<usize> {
        let bytes = self.json.as_bytes();
        let end = string_end(bytes, start);
        let next = skip_whitespace(bytes, end);
        if bytes.get(next) == Some(&b':') {
            let value = skip_whitespace(bytes, next + 1);
            self.member(start..end, value)?;
            return Ok(value);
        }
        if self.json.get(start + 1..end).is_some_and(|text| text.starts_with(NUL)) {
            self.copy_until(start + 1);
            self.out.push_str(NUL);
        }
        Ok(end)
    }

    /// Notes the members that make a placeholder; of equal keys the last one counts.
    fn member(&mut self, key: Range<usize>, value: usize) -> Result<()> {
        let key = self.json.get(key).unwrap_or_default();
        let is = |name: &str| {
            key.get(1..key.len() - 1) == Some(name)
                || key.contains('\\')
                    && serde_json::from_str(key).is_ok_and(|key: String| key == name)
        };
        let rest = self.json.get(value..).unwrap_or_default();
        if is("_placeholder") {
            let is_placeholder = rest.starts_with("true");
            match &mut self.object {
                Some(object) => object.is_placeholder = is_placeholder,
                None if is_placeholder => return Err(malformed()),
                None => {}
            }
        } else if let Some(object) = self.object.as_mut().filter(|_| is("num")) {
            let len = rest.bytes().take_while(u8::is_ascii_digit).count();
            let is_integer = !rest.get(len..).is_some_and(|rest| rest.starts_with(['.', 'e', 'E']));
            object.num = is_integer.then_some(value..value + len);
        }
        Ok(())
    }
}

fn malformed() -> Error {
    Error::new(ErrorKind::Payload, "a placeholder does not name one of the packet's attachments")
}

/// The offset behind the string that begins at `start`.
fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn skip_whitespace(bytes: &[u8], start: usize) -> usize {
    let rest = bytes.get(start..).unwrap_or_default();
    start + rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count()
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
            r#"[{"_placeholder":true,"num":1e0}]"#,
            r#"[{"_placeholder":true,"num":"1"}]"#,
            r#"[{"_placeholder":true,"num":18446744073709551616}]"#,
            r#"[{"_placeholder":true,"num":{}}]"#,
            r#"[{"_placeholder":true,"num":1,"x":[]}]"#,
            r#"[{"num":1,"x":[],"_placeholder":true}]"#,
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
