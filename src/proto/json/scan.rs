//! The scan itself: the grammar of arrays and objects around the tokens.

use std::ops::Range;

use super::cursor::Cursor;
use super::nesting::Nesting;
use super::outline::{JsonType, Outline, SyntaxError};

/// Checks that the whole of `text` is one JSON value, and describes it.
pub(crate) fn scan(text: &str) -> Result<Outline, SyntaxError> {
    let mut scan = Scan {
        cursor: Cursor::new(text),
        nesting: Nesting::default(),
        first_at: 0,
        first: None,
        len: 0,
    };
    let json_type = scan.json_type()?;
    while scan.value()? == Next::Value {}
    if scan.cursor.skip_space().is_some() {
        return Err(scan.cursor.error());
    }
    Ok(Outline {
        json_type,
        first: scan.first,
        len: scan.len,
        depth: scan.nesting.deepest(),
        needs_repair: scan.cursor.needs_repair,
    })
}

/// What the grammar wants next.
#[derive(PartialEq, Eq)]
enum Next {
    /// Another value, which begins at the cursor.
    Value,
    /// Nothing but white space.
    End,
}

struct Scan<'a> {
    cursor: Cursor<'a>,
    nesting: Nesting,
    // Where the first element of a top-level array begins.
    first_at: usize,
    first: Option<Range<usize>>,
    len: usize,
}

impl Scan<'_> {
    /// Tells the type of the text by its first byte.
    fn json_type(&mut self) -> Result<JsonType, SyntaxError> {
        Ok(match self.cursor.skip_space() {
            Some(b'[') => JsonType::Array,
            Some(b'{') => JsonType::Object,
            Some(b'"') => JsonType::String,
            Some(b'-' | b'0'..=b'9') => JsonType::Number,
            Some(b't' | b'f') => JsonType::Bool,
            Some(b'n') => JsonType::Null,
            _ => return Err(self.cursor.error()),
        })
    }

    /// Passes over a value, or into an array or object that is not empty.
    #[inline]
    fn value(&mut self) -> Result<Next, SyntaxError> {
        match self.cursor.peek() {
            Some(b'"') => self.cursor.string()?,
            Some(b'-' | b'0'..=b'9') => self.cursor.number()?,
            Some(b'{') => {
                if self.open(true, b'}') {
                    return self.key();
                }
            }
            Some(b'[') => {
                if self.open(false, b']') {
                    return Ok(Next::Value);
                }
            }
            Some(b't') => self.cursor.literal("true")?,
            Some(b'f') => self.cursor.literal("false")?,
            Some(b'n') => self.cursor.literal("null")?,
            _ => return Err(self.cursor.error()),
        }
        self.behind_value()
    }

    /// Opens an array or object; false where it is empty, and passed over.
    #[inline]
    fn open(&mut self, object: bool, end: u8) -> bool {
        self.nesting.push(object);
        self.cursor.at += 1;
        let next = self.cursor.skip_space();
        if next == Some(end) {
            self.cursor.at += 1;
            self.nesting.pop();
            return false;
        }
        if self.nesting.depth() == 1 {
            self.first_at = self.cursor.at;
        }
        true
    }

    /// Passes over a key with its colon.
    #[inline]
    fn key(&mut self) -> Result<Next, SyntaxError> {
        if self.cursor.peek() != Some(b'"') {
            return Err(self.cursor.error());
        }
        self.cursor.string()?;
        if self.cursor.skip_space() != Some(b':') {
            return Err(self.cursor.error());
        }
        self.cursor.at += 1;
        self.cursor.skip_space();
        Ok(Next::Value)
    }

    /// Passes over what follows a value: ends of arrays and objects, then a comma, if any.
    #[inline]
    fn behind_value(&mut self) -> Result<Next, SyntaxError> {
        while self.nesting.depth() > 0 {
            let object = self.nesting.in_object();
            if self.nesting.depth() == 1 && !object {
                self.count();
            }
            match self.cursor.skip_space() {
                Some(b',') => {
                    self.cursor.at += 1;
                    self.cursor.skip_space();
                    return if object { self.key() } else { Ok(Next::Value) };
                }
                Some(b'}') if object => {}
                Some(b']') if !object => {}
                _ => return Err(self.cursor.error()),
            }
            self.cursor.at += 1;
            self.nesting.pop();
        }
        Ok(Next::End)
    }

    /// Counts an element of the top-level array, which ends here.
    #[inline]
    fn count(&mut self) {
        if self.len == 0 {
            self.first = Some(self.first_at..self.cursor.at);
        }
        self.len += 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::repair;
    use super::*;

    #[test]
    fn valid_texts_are_described() {
        let outline = |json_type, first, len, depth| Outline {
            json_type,
            first,
            len,
            depth,
            needs_repair: false,
        };
        for (text, expected) in [
            ("null", outline(JsonType::Null, None, 0, 0)),
            ("true", outline(JsonType::Bool, None, 0, 0)),
            ("false", outline(JsonType::Bool, None, 0, 0)),
            ("\"\"", outline(JsonType::String, None, 0, 0)),
            ("\"1234567890\u{7f}€😀\"", outline(JsonType::String, None, 0, 0)),
            ("-0.5e-7", outline(JsonType::Number, None, 0, 0)),
            ("[]", outline(JsonType::Array, None, 0, 1)),
            ("{}", outline(JsonType::Object, None, 0, 1)),
            (r#"{"a":[1,2],"b":{}}"#, outline(JsonType::Object, None, 0, 2)),
            ("[\"a\"]", outline(JsonType::Array, Some(1..4), 1, 1)),
            (" [ \"a\" , 1 ] \r\n\t", outline(JsonType::Array, Some(3..6), 2, 1)),
            ("[[[1,2]],{},[]]", outline(JsonType::Array, Some(1..8), 3, 3)),
            (r#"[{"a":[]},1]"#, outline(JsonType::Array, Some(1..9), 2, 3)),
        ] {
            assert_eq!(scan(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn the_grammar_is_that_of_json_parse() {
        for (text, at) in [
            ("", 0),
            (" ", 1),
            ("[", 1),
            ("]", 0),
            ("[1,]", 3),
            ("[,1]", 1),
            ("[1 2]", 3),
            ("[1}", 2),
            ("{\"a\":1]", 6),
            ("{\"a\":1,}", 7),
            ("{\"a\"}", 4),
            ("{\"a\":}", 5),
            ("{a:1}", 1),
            ("{1:1}", 1),
            ("1 1", 2),
            ("01", 1),
            ("-", 1),
            ("-a", 1),
            ("+1", 0),
            (".5", 0),
            ("1.", 2),
            ("1.e5", 2),
            ("1e", 2),
            ("1e+", 3),
            ("0x1", 1),
            ("NaN", 0),
            ("nul", 3),
            ("nulL", 3),
            ("truE", 3),
            ("'a'", 0),
            ("\"a", 2),
            ("\"12345678901234567", 18),
            ("\"a\nb\"", 2),
            ("\"abcdefgh\0\"", 9),
            ("\"\u{1f}\"", 1),
            ("\"\\x\"", 2),
            ("\"\\", 2),
            ("\"\\u12\"", 5),
            ("\"\\u12g4\"", 5),
            ("\u{feff}1", 0),
            ("\u{a0}1", 0),
            ("\u{b}1", 0),
            ("1/**/", 1),
        ] {
            assert_eq!(scan(text), Err(SyntaxError { at }), "{text:?}");
        }
    }

    #[test]
    fn depth_costs_no_stack() {
        let open = "[".repeat(1_000_000);
        let small = std::thread::Builder::new().stack_size(64 * 1024);
        let results = small.spawn(move || {
            let closed = format!("{open}{}", "]".repeat(1_000_000));
            (scan(&open), scan(&closed))
        });
        let (unclosed, closed) = results.unwrap().join().unwrap();
        assert_eq!(unclosed, Err(SyntaxError { at: 1_000_000 }));
        assert_eq!(closed.unwrap().depth, 1_000_000);
    }

    /// Texts of tokens, most of which are valid now and then.
    fn nearly_json() -> impl Strategy<Value = String> {
        let token = prop_oneof![
            4 => "[\\[\\]{},:]",
            1 => "[ \t\n\r]",
            2 => r#""(\\u[dD][89cdefCF]0[01]|\\[nu"\\]|[a-z]|€|😀|\n){0,3}""#,
            1 => "-?[01]?[0-9](\\.[0-9]{0,2})?([eE][+-]?[0-9]{0,4})?",
            1 => prop_oneof![Just("true"), Just("false"), Just("null"), Just("\"")].prop_map(String::from),
        ];
        proptest::collection::vec(token, 0..12).prop_map(|tokens| tokens.concat())
    }

    /// Valid texts, with one character less or not.
    fn once_json() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("null".to_owned()),
            any::<bool>().prop_map(|value| value.to_string()),
            "(-?(0|[1-9][0-9]{0,30}))(\\.[0-9]{1,3})?([eE][+-]?[0-9]{1,4})?",
            any::<String>().prop_map(|value| serde_json::Value::from(value).to_string()),
        ];
        let tree = leaf.prop_recursive(5, 40, 6, |inner| {
            let member =
                ("[a-z]{0,9}", inner.clone()).prop_map(|(key, v)| format!("\"{key}\" :{v}"));
            prop_oneof![
                proptest::collection::vec(inner, 0..6).prop_map(|v| format!("[ {}]", v.join(","))),
                proptest::collection::vec(member, 0..6)
                    .prop_map(|v| format!("{{{} }}", v.join(", "))),
            ]
        });
        (tree, any::<prop::sample::Index>(), any::<bool>()).prop_map(|(mut text, place, cut)| {
            let place = place.index(text.len());
            if cut && text.is_char_boundary(place) {
                text.remove(place);
            }
            text
        })
    }

    proptest! {
        #[test]
        fn it_agrees_with_serde_json(text in prop_oneof![nearly_json(), once_json()]) {
            let theirs = serde_json::from_str::<serde_json::Value>(&text);
            match scan(&text) {
                Ok(outline) if outline.needs_repair => {
                    prop_assert!(theirs.is_err());
                    let repaired = repair(&text);
                    prop_assert!(repaired.len() <= text.len());
                    prop_assert!(serde_json::from_str::<serde_json::Value>(&repaired).is_ok());
                    let again = scan(&repaired).unwrap();
                    prop_assert_eq!((again.needs_repair, again.len), (false, outline.len));
                }
                Ok(outline) => {
                    prop_assert_eq!(repair(&text), &*text);
                    let theirs = theirs.unwrap();
                    if let Some(array) = theirs.as_array() {
                        prop_assert_eq!(outline.len, array.len());
                        let first = outline.first.map(|range| serde_json::from_str(&text[range]).unwrap());
                        prop_assert_eq!(first.as_ref(), array.first());
                    }
                }
                Err(error) => {
                    prop_assert!(theirs.is_err(), "{} at {}", text, error.at);
                    prop_assert!(error.at <= text.len());
                }
            }
        }

        #[test]
        fn it_takes_any_text(text in any::<String>()) {
            let valid = serde_json::from_str::<serde_json::Value>(&text).is_ok();
            prop_assert_eq!(scan(&text).is_ok_and(|outline| !outline.needs_repair), valid);
            repair(&text);
        }
    }
}
