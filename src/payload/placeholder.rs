//! What stands in a JSON text for an attachment.
//!
//! It is recognised as the reference client does: an object stands for an attachment exactly when
//! its member `_placeholder` is `true`, whatever else it has, and wherever its members stand. What
//! is inside such an object is not looked at. Any other object is ordinary data.

use std::io::{self, Write};
use std::ops::Range;

/// What a placeholder of ours begins with: its number and a brace follow.
const START: &str = r#"{"_placeholder":true,"num":"#;

/// An object that stands for an attachment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Placeholder {
    /// Where it stands in the text, from brace to brace.
    pub(crate) range: Range<usize>,
    /// The number of the attachment.
    pub(crate) number: usize,
}

/// Writes the placeholder of an attachment.
pub(crate) fn write(out: &mut (impl Write + ?Sized), number: usize) -> io::Result<()> {
    write!(out, "{START}{number}}}")
}

/// The placeholders in a valid JSON text, in their order. `None`: one of them does not name one of
/// the attachments.
///
/// It works in one pass, without recursion.
pub(crate) fn find(json: &str, attachments: usize) -> Option<Vec<Placeholder>> {
    Walk::new(json)
        .run()
        .into_iter()
        .map(|Found { range, number }| {
            let number = number.filter(|number| *number < attachments)?;
            Some(Placeholder { range, number })
        })
        .collect()
}

/// Whether the placeholders in a valid JSON text are those that [`write`] wrote for `attachments`
/// attachments, one after the other. Otherwise there is an object among the data that would be
/// taken for one.
pub(crate) fn all_are_written(json: &str, attachments: usize) -> bool {
    let mut expected = Vec::new();
    let mut count = 0;
    for found in Walk::new(json).run() {
        expected.clear();
        // Writing to memory cannot fail.
        let _ = write(&mut expected, count);
        if json.as_bytes().get(found.range) != Some(expected.as_slice()) {
            return false;
        }
        count += 1;
    }
    count == attachments
}

/// An object whose `_placeholder` is `true`.
struct Found {
    range: Range<usize>,
    /// What its `num` says, if that can be the number of anything.
    number: Option<usize>,
}

/// An object that is not closed yet.
struct OpenObject {
    start: usize,
    is_placeholder: bool,
    number: Option<usize>,
}

/// The way through a text, from brace to brace and string to string.
struct Walk<'a> {
    json: &'a str,
    open: Vec<OpenObject>,
    found: Vec<Found>,
}

impl<'a> Walk<'a> {
    fn new(json: &'a str) -> Self {
        Self { json, open: Vec::new(), found: Vec::new() }
    }

    fn run(mut self) -> Vec<Found> {
        let mut at = 0;
        while let Some(byte) = self.json.as_bytes().get(at) {
            match byte {
                b'{' => {
                    self.open.push(OpenObject { start: at, is_placeholder: false, number: None });
                }
                b'}' => self.close(at + 1),
                b'"' => {
                    at = self.string(at);
                    continue;
                }
                _ => {}
            }
            at += 1;
        }
        self.found
    }

    /// Closes the innermost object, which ends at `end`.
    fn close(&mut self, end: usize) {
        let Some(object) = self.open.pop().filter(|object| object.is_placeholder) else { return };
        while self.found.last().is_some_and(|inner| inner.range.start > object.start) {
            self.found.pop();
        }
        self.found.push(Found { range: object.start..end, number: object.number });
    }

    /// Passes over a string. A key is one that a colon follows; of equal keys the last one counts.
    fn string(&mut self, start: usize) -> usize {
        let bytes = self.json.as_bytes();
        let end = string_end(bytes, start);
        let colon = skip_space(bytes, end);
        if bytes.get(colon) != Some(&b':') {
            return end;
        }
        let value = skip_space(bytes, colon + 1);
        let (Some(key), Some(rest)) = (self.json.get(start..end), self.json.get(value..)) else {
            return end;
        };
        if let Some(object) = self.open.last_mut() {
            if is_key(key, "_placeholder") {
                object.is_placeholder = rest.starts_with("true");
            } else if is_key(key, "num") {
                object.number = index(rest);
            }
        }
        value
    }
}

/// Whether a key, given with its quotes, is this one. It may be written with escapes.
fn is_key(quoted: &str, name: &str) -> bool {
    let plain = quoted.get(1..quoted.len().saturating_sub(1));
    plain == Some(name)
        || quoted.contains('\\')
            && serde_json::from_str(quoted).is_ok_and(|key: String| key == name)
}

/// The number at the start of a text as an index. To JavaScript `1`, `1.0` and `1e0` are the same.
fn index(text: &str) -> Option<usize> {
    let belongs = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
    let length = text.bytes().take_while(belongs).count();
    let number = text.get(..length)?;
    if number.bytes().all(|byte| byte.is_ascii_digit()) {
        return number.parse().ok();
    }
    let number: f64 = number.parse().ok()?;
    let is_index = number >= 0.0 && number.fract() == 0.0;
    if is_index { format!("{:.0}", number.abs()).parse().ok() } else { None }
}

/// The offset behind the string that begins at `start`.
pub(super) fn string_end(bytes: &[u8], start: usize) -> usize {
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

/// The offset of the next byte that is no white space.
pub(super) fn skip_space(bytes: &[u8], start: usize) -> usize {
    let rest = bytes.get(start..).unwrap_or_default();
    start + rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The texts and numbers of the placeholders; `None` if one is illegal.
    fn list(json: &str, attachments: usize) -> Option<Vec<(&str, usize)>> {
        let found = find(json, attachments)?;
        Some(found.into_iter().map(|found| (&json[found.range], found.number)).collect())
    }

    fn is_legal(json: &str, attachments: usize) -> bool {
        find(json, attachments).is_some()
    }

    #[test]
    fn a_placeholder_needs_the_number_of_an_attachment() {
        for (text, numbers) in [
            (r#"[{"_placeholder":true,"num":0}]"#, &[0][..]),
            (
                r#"["a",{"_placeholder":true,"num":1},{"b":[{"num":1,"_placeholder":true}]}]"#,
                &[1, 1],
            ),
            (r#"[{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]"#, &[1, 0]),
            (r#"[ { "_placeholder" : true , "num" : 0 , "more" : { } } ]"#, &[0]),
            (r#"{"_placeholder":true,"num":0}"#, &[0]),
            (r#"[{"num":[],"_placeholder":true,"more":[{}],"num":1}]"#, &[1]),
        ] {
            let found = list(text, 2).expect(text);
            assert_eq!(found.iter().map(|(_, number)| *number).collect::<Vec<_>>(), numbers);
            assert!(found.iter().all(|(text, _)| text.starts_with('{') && text.ends_with('}')));
        }
        for num in
            ["2", "-1", "0.5", "-0.1", "1e1", "1e400", "18446744073709551616", "\"0\"", "null"]
        {
            let text = format!(r#"["x",{{"_placeholder":true,"num":{num}}},1]"#);
            assert!(!is_legal(&text, 2), "{text}");
        }
        for text in [
            r#"[{"_placeholder":true}]"#,
            r#"[{"_placeholder":true,"num":[0]}]"#,
            r#"[{"_placeholder":true,"num":{"num":0}}]"#,
            r#"[{"_placeholder":true,"Num":0}]"#,
            r#"[[[{"a":{"_placeholder":true,"num":7}}]]]"#,
            r#"[{"_placeholder":true,"a":{"num":0}}]"#,
            r#"[{"num":1,"_placeholder":true,"num":true}]"#,
        ] {
            assert!(!is_legal(text, 2), "{text}");
        }
    }

    #[test]
    fn a_number_is_what_javascript_takes_for_it() {
        for (num, number) in
            [("1", 1), ("0.0", 0), ("-0", 0), ("1.0", 1), ("1e0", 1), ("10E-1", 1), ("1e-400", 0)]
        {
            let text = format!(r#"[{{"_placeholder":true,"num":{num}}}]"#);
            assert_eq!(list(&text, 2).expect(&text)[0].1, number, "{text}");
        }
    }

    #[test]
    fn an_object_that_is_no_placeholder_is_data() {
        for text in [
            "[]",
            "1",
            r#"[{"_placeholder":false}]"#,
            r#"[{"_placeholder":"true"}]"#,
            r#"[{"_placeholder":1,"num":9}]"#,
            r#"[{"_placeholder":[true]}]"#,
            r#"[{"_placeholder":{"a":true}}]"#,
            r#"["_placeholder",true,"num"]"#,
            r#"[{"a":"_placeholder","num":true}]"#,
            r#"[{"num":-1}]"#,
            r#"["{\"_placeholder\":true,\"num\":9}"]"#,
            r#"[{"_placeholders":true,"placeholder":true,"_placeholder\n":true}]"#,
        ] {
            assert_eq!(list(text, 0), Some(vec![]), "{text}");
        }
    }

    #[test]
    fn what_is_inside_a_placeholder_is_not_looked_at() {
        for text in [
            r#"{"_placeholder":true,"num":0,"x":{"_placeholder":true,"num":9}}"#,
            r#"{"x":[{"_placeholder":true},{"_placeholder":true,"num":9}],"num":0,"_placeholder":true}"#,
            r#"{"x":{"y":{"_placeholder":true,"num":9}},"_placeholder":true,"num":0}"#,
            r#"{"_placeholder":{"_placeholder":true,"num":9},"_placeholder":true,"num":0}"#,
        ] {
            assert_eq!(list(text, 1), Some(vec![(text, 0)]));
        }
        // The outer object is no placeholder, since its `_placeholder` is an object.
        let inner = r#"{"_placeholder":true,"num":0}"#;
        let text = format!(r#"[{{"_placeholder":{inner},"num":9}}]"#);
        assert_eq!(list(&text, 1), Some(vec![(inner, 0)]));
    }

    #[test]
    fn the_last_of_equal_keys_counts() {
        let is_legal = |text| is_legal(text, 1);
        assert!(is_legal(r#"[{"_placeholder":true,"_placeholder":false}]"#));
        assert!(!is_legal(r#"[{"_placeholder":false,"_placeholder":true}]"#));
        assert!(is_legal(r#"[{"_placeholder":true,"num":-1,"num":0}]"#));
        assert!(!is_legal(r#"[{"_placeholder":true,"num":0,"num":-1}]"#));
    }

    #[test]
    fn keys_may_be_written_with_escapes() {
        assert!(!is_legal(r#"[{"\u005fplaceholder":true}]"#, 1));
        assert!(is_legal(r#"[{"\u005fplaceholder":true,"n\u0075m":0}]"#, 1));
        assert!(is_legal(r#"[{"\ud800_placeholder":true}]"#, 1));
    }

    #[test]
    fn depth_costs_no_stack() {
        let deep = "[".repeat(1_000_000) + &"]".repeat(1_000_000);
        assert!(is_legal(&deep, 1));
        let deep = "{\"\":".repeat(200_000) + "0" + &"}".repeat(200_000);
        assert!(is_legal(&deep, 1));
    }

    #[test]
    fn only_what_was_written_in_this_order_is_all_written() {
        let (first, second) =
            (r#"{"_placeholder":true,"num":0}"#, r#"{"_placeholder":true,"num":1}"#);
        let written = |json: &str| all_are_written(json, 2);
        assert!(written(&format!(r#"["a",{first},{{"b":[{second}],"_placeholder":false}}]"#)));
        for json in [
            format!("[{first}]"),
            format!("[{first},{second},{second}]"),
            format!("[{second},{first}]"),
            format!(r#"[{first},{{"num":1,"_placeholder":true}}]"#),
            format!(r#"[{first},{second},{{"_placeholder":true}}]"#),
            format!(r#"[{first},{{"_placeholder":true,"num":1,"x":{second}}}]"#),
            format!(r#"[{first},{{"_placeholder":true,"num":1 }}]"#),
        ] {
            assert!(!written(&json), "{json}");
        }
    }

    proptest! {
        #[test]
        fn any_text_comes_to_an_end(json in r#"([{}\[\]",:\\ 1]|"_placeholder":true|"num":[01]|é){0,30}"#) {
            for Placeholder { range, number } in find(&json, 1).unwrap_or_default() {
                let is_object = json[range].starts_with('{');
                prop_assert!(is_object && number == 0);
            }
            all_are_written(&json, 1);
        }
    }
}
