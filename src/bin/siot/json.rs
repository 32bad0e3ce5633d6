//! Values as the command writes and reads them: JSON on one line, with binary in base64.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::IgnoredAny;
use siot::{Binary, Value};

/// The only member of an object that stands for binary.
const BASE64: &str = "$base64";

/// Reads JSON, in which `{"$base64":"…"}` is binary, at any depth.
pub(crate) fn parse(text: &str) -> Result<Value, String> {
    let value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    with_binary(value)
}

/// A value with binary where that was written in base64.
pub(crate) fn with_binary(value: Value) -> Result<Value, String> {
    Ok(match value {
        Value::Array(elements) => {
            Value::Array(elements.into_iter().map(with_binary).collect::<Result<_, _>>()?)
        }
        Value::Object(members) => match (members.len(), members.get(BASE64)) {
            (1, Some(text)) => Value::Binary(decoded(text)?),
            _ => Value::Object(
                members
                    .into_iter()
                    .map(|(key, value)| Ok((key, with_binary(value)?)))
                    .collect::<Result<_, String>>()?,
            ),
        },
        other => other,
    })
}

fn decoded(text: &Value) -> Result<Binary, String> {
    let bytes = text.as_str().and_then(|text| STANDARD.decode(text).ok());
    bytes.map(Binary::from).ok_or_else(|| format!("{BASE64} is no text in base64"))
}

/// A value without binary: `stand_in` gives what is written in its place.
pub(crate) fn without_binary<E>(
    value: Value,
    stand_in: &mut impl FnMut(&Binary) -> Result<Value, E>,
) -> Result<Value, E> {
    Ok(match value {
        Value::Binary(binary) => stand_in(&binary)?,
        Value::Array(elements) => Value::Array(
            elements
                .into_iter()
                .map(|value| without_binary(value, stand_in))
                .collect::<Result<_, _>>()?,
        ),
        Value::Object(members) => Value::Object(
            members
                .into_iter()
                .map(|(key, value)| Ok((key, without_binary(value, stand_in)?)))
                .collect::<Result<_, E>>()?,
        ),
        other => other,
    })
}

/// Binary as it is read by [`parse`].
pub(crate) fn base64(binary: &Binary) -> Value {
    Value::Object(BTreeMap::from([(BASE64.to_owned(), Value::from(STANDARD.encode(binary)))]))
}

/// The elements of an array as they were written, each on one line and fit for a terminal; `None`
/// for what is no array in JSON. Unlike a decoded value they keep the order of members and all digits.
pub(crate) fn elements(array: &str) -> Option<Vec<String>> {
    serde_json::from_str::<Vec<IgnoredAny>>(array).ok()?;
    let mut elements = Vec::new();
    let mut element = String::new();
    let (mut depth, mut in_text, mut escaped) = (0_u32, false, false);
    for char in array.chars() {
        if in_text {
            push_printable(&mut element, char);
            (in_text, escaped) = (char != '"' || escaped, char == '\\' && !escaped);
            continue;
        }
        match char {
            ' ' | '\t' | '\r' | '\n' => continue,
            '[' | '{' => depth += 1,
            ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        match (depth, char) {
            (1, '[') if elements.is_empty() && element.is_empty() => {}
            (1, ',') => elements.push(std::mem::take(&mut element)),
            (0, _) => {}
            _ => {
                in_text = char == '"';
                element.push(char);
            }
        }
    }
    if !element.is_empty() {
        elements.push(element);
    }
    Some(elements)
}

/// JSON with all that could harm a terminal or a line written as escapes.
pub(crate) fn printable(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    json.chars().for_each(|char| push_printable(&mut text, char));
    text
}

/// Appends what stands in a text of JSON. What a terminal obeys to, what ends a line, and what turns
/// the direction of writing becomes an escape; all of that is within the first 65,536 characters.
fn push_printable(text: &mut String, char: char) {
    use std::fmt::Write;

    let turns =
        matches!(char, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if char.is_control() || turns || matches!(char, '\u{2028}' | '\u{2029}') {
        // Writing to a `String` does not fail.
        let _ = write!(text, "\\u{:04x}", u32::from(char));
    } else {
        text.push(char);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_as_they_were_written_on_one_line() {
        let array = "[ \"a b\", {\"z\": 1,\n\"a\": [2, 3]} ,[],1.50,\"\\\\\", \"\\\"],\" ]";
        let expected = [r#""a b""#, r#"{"z":1,"a":[2,3]}"#, "[]", "1.50", r#""\\""#, r#""\"],""#];
        assert_eq!(elements(array).unwrap(), expected);
        assert_eq!(elements("[]").unwrap(), [""; 0]);
        assert_eq!(elements("[[1],[2]]").unwrap(), ["[1]", "[2]"]);
        assert_eq!(elements("[[[]]]").unwrap(), ["[[]]"]);
        for wrong in ["", "1", "[1", "[\"\n\"]", "[nul]", "{}"] {
            assert_eq!(elements(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn nothing_reaches_a_terminal_that_it_obeys_to() {
        let array = "[\"\u{7f}\u{9b}2J\u{202e}\u{2028}\u{e4}\"]";
        let expected = [r#""\u007f\u009b2J\u202e\u2028ä""#];
        assert_eq!(elements(array).unwrap(), expected);
    }

    #[test]
    fn binary_goes_there_and_back_at_any_depth() {
        let value = parse(r#"[1,{"a":{"$base64":"/9g="},"b":{"$base64":"","c":1}}]"#).unwrap();
        assert_eq!(value[1]["a"].as_binary().map(|bytes| bytes.to_vec()), Some(vec![0xff, 0xd8]));
        assert!(value[1]["b"].as_object().is_some());
        let back = without_binary(value, &mut |binary| Ok::<_, ()>(base64(binary))).unwrap();
        assert_eq!(back.to_string(), r#"[1,{"a":{"$base64":"/9g="},"b":{"$base64":"","c":1}}]"#);
        assert!(parse(r#"{"$base64":"?"}"#).is_err());
        assert!(parse(r#"{"$base64":1}"#).is_err());
    }
}
