//! The members of an object.

use std::borrow::Cow;

use super::cursor::Cursor;
use super::outline::SyntaxError;

/// Calls `visit` with each member of the object that `text` is, valid JSON: with the key, in its
/// quotes and as it is written, and with the text of the value.
pub(crate) fn members<'a>(
    text: &'a str,
    mut visit: impl FnMut(&'a str, &'a str),
) -> Result<(), SyntaxError> {
    let mut cursor = Cursor::new(text);
    while let Some(byte) = cursor.skip_space() {
        if byte != b'"' {
            // A brace or a comma.
            cursor.at += 1;
            continue;
        }
        let key = since(&mut cursor, Cursor::string)?;
        cursor.skip_space();
        // The colon.
        cursor.at += 1;
        cursor.skip_space();
        visit(key, since(&mut cursor, pass_value)?);
    }
    Ok(())
}

/// The text of the member of this name, the last one where there are several. `None`: `text`, valid
/// JSON, has none, or is no object.
pub(crate) fn member<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut found = None;
    if text.trim_start().starts_with('{') {
        let visit = |key, value| found = if is_named(key, name) { Some(value) } else { found };
        members(text, visit).ok()?;
    }
    found
}

/// The texts of the elements of the array that `text` is, valid JSON. `None`: it is no array.
#[cfg(any(feature = "redis", test))]
pub(crate) fn elements(text: &str) -> Option<Vec<&str>> {
    let mut cursor = Cursor::new(text);
    if cursor.skip_space() != Some(b'[') {
        return None;
    }
    cursor.at += 1;
    let mut elements = Vec::new();
    loop {
        match cursor.skip_space() {
            Some(b']') | None => return Some(elements),
            Some(b',') => cursor.at += 1,
            Some(_) => elements.push(since(&mut cursor, pass_value).ok()?),
        }
    }
}

/// Whether a key, in its quotes and as it is written, is this name.
fn is_named(key: &str, name: &str) -> bool {
    let is_plain = key.len() == name.len() + 2 && key.get(1..=name.len()) == Some(name);
    is_plain || (key.contains('\\') && unquoted(key).is_some_and(|key| key == name))
}

/// A string without its quotes and escapes, where `json`, one valid value, is one. `None`: it is none, or has
/// half of a surrogate pair.
pub(crate) fn unquoted(json: &str) -> Option<Cow<'_, str>> {
    let inside = json.strip_prefix('"')?.strip_suffix('"')?;
    if inside.contains(['\\', '"']) {
        return serde_json::from_str(json).ok().map(Cow::Owned);
    }
    Some(Cow::Borrowed(inside))
}

/// The text that `pass` passes over.
fn since<'a>(
    cursor: &mut Cursor<'a>,
    pass: impl FnOnce(&mut Cursor<'a>) -> Result<(), SyntaxError>,
) -> Result<&'a str, SyntaxError> {
    let start = cursor.at;
    pass(cursor)?;
    Ok(cursor.since(start))
}

/// Passes over a value and all that is inside.
fn pass_value(cursor: &mut Cursor<'_>) -> Result<(), SyntaxError> {
    let mut depth = 0_usize;
    loop {
        match cursor.skip_space() {
            Some(b'"') => cursor.string()?,
            Some(b'-' | b'0'..=b'9') => cursor.number()?,
            Some(b't') => cursor.literal("true")?,
            Some(b'f') => cursor.literal("false")?,
            Some(b'n') => cursor.literal("null")?,
            Some(byte) => {
                match byte {
                    b'[' | b'{' => depth += 1,
                    b']' | b'}' => depth = depth.saturating_sub(1),
                    _ => {}
                }
                cursor.at += 1;
            }
            None => return Err(cursor.error()),
        }
        if depth == 0 {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::proto::json::scan;

    fn list(text: &str) -> Vec<(&str, &str)> {
        let mut list = Vec::new();
        members(text, |key, value| list.push((key, value))).unwrap();
        list
    }

    #[test]
    fn a_string_without_escapes_is_not_copied() {
        for (json, text, is_copied) in [
            (r#""""#, "", false),
            (r#""a b ä""#, "a b ä", false),
            (r#""a\u00e4\"\n""#, "aä\"\n", true),
        ] {
            let unquoted = unquoted(json).unwrap();
            assert_eq!((&*unquoted, matches!(unquoted, Cow::Owned(_))), (text, is_copied));
        }
        for json in ["7", "null", "\"", r#""\ud800""#, r#""a"b""#, r#"["a"]"#] {
            assert_eq!(unquoted(json), None, "{json}");
        }
    }

    #[test]
    fn members_come_as_they_are_written() {
        assert_eq!(list("{}"), []);
        assert_eq!(list(" { } "), []);
        assert_eq!(
            list(
                " {\"a\" : [ {\"b\":\"]}\"} , [] ] ,\"\\u0061\":-1.5e3,\"\":null,\"a\":\"\\\"\",\"t\":true , \"f\":false\n}"
            ),
            [
                ("\"a\"", "[ {\"b\":\"]}\"} , [] ]"),
                ("\"\\u0061\"", "-1.5e3"),
                ("\"\"", "null"),
                ("\"a\"", "\"\\\"\""),
                ("\"t\"", "true"),
                ("\"f\"", "false"),
            ]
        );
    }

    #[test]
    fn a_member_is_found_however_its_key_is_written() {
        let text = r#" {"b":{"a":1},"a":2,"\u0061" : [3] }"#;
        assert_eq!(member(text, "a"), Some("[3]"));
        assert_eq!(member(text, "b"), Some(r#"{"a":1}"#));
        for text in ["{}", "", "[\"a\",1]", "\"a\"", "null", r#"{"aa":1,"":2,"A":3}"#] {
            assert_eq!(member(text, "a"), None, "{text}");
        }
    }

    #[test]
    fn elements_come_as_they_are_written() {
        assert_eq!(elements(" [ ] "), Some(vec![]));
        let text = r#"[1, "],[" ,{"a":[2,3]},[[],[4]],null,true]"#;
        let expected = ["1", r#""],[""#, r#"{"a":[2,3]}"#, "[[],[4]]", "null", "true"];
        assert_eq!(elements(text), Some(expected.to_vec()));
        for text in ["{}", "7", "null", "\"[]\"", ""] {
            assert_eq!(elements(text), None, "{text}");
        }
    }

    #[test]
    fn depth_costs_no_stack() {
        let deep = "[".repeat(1_000_000) + &"]".repeat(1_000_000);
        assert_eq!(list(&format!("{{\"a\":{deep}}}")), [("\"a\"", &*deep)]);
    }

    proptest! {
        #[test]
        fn any_valid_object_is_its_members(text in r#"\{("[ab]":[\[\]{}":,1a ]{0,6},?){0,4}\}"#) {
            if scan(&text).is_ok() {
                let mut back = Vec::new();
                for (key, value) in list(&text) {
                    prop_assert!(scan(value).is_ok(), "{value}");
                    back.push(format!("{key}:{value}"));
                }
                let whole: serde_json::Value = serde_json::from_str(&text).unwrap();
                let again: serde_json::Value =
                    serde_json::from_str(&format!("{{{}}}", back.join(","))).unwrap();
                prop_assert_eq!(whole, again);
            }
        }

        #[test]
        fn any_text_comes_to_an_end(text in r#"[{}\[\]",:\\a1n ]{0,30}"#) {
            let _ = members(&text, |_, _| {});
        }
    }
}
