//! The placeholders of attachments in the data of a packet.

use super::cursor::Cursor;
use super::outline::SyntaxError;

/// Whether each `{"_placeholder":true,"num":n}` in a valid `text` has an integer `n` below
/// `attachments`.
///
/// An object whose `_placeholder` is anything but `true` is ordinary data. Of two members with
/// the same key the last one counts, as in JavaScript.
pub(crate) fn placeholders_are_valid(text: &str, attachments: usize) -> bool {
    let walk = Walk { cursor: Cursor::new(text), open: Vec::new(), attachments };
    walk.run().unwrap_or(false)
}

/// An array or object that is not closed yet.
#[derive(Clone, Copy, Default)]
struct Level {
    // The key of the value that comes next; `Other` in an array.
    key: Key,
    // Whether `_placeholder` is `true`.
    is_placeholder: bool,
    // Whether `num` is the number of an attachment.
    has_number: bool,
}

/// The keys that matter.
#[derive(Clone, Copy, Default)]
enum Key {
    Placeholder,
    Num,
    #[default]
    Other,
}

struct Walk<'a> {
    cursor: Cursor<'a>,
    open: Vec<Level>,
    attachments: usize,
}

impl Walk<'_> {
    fn run(mut self) -> Result<bool, SyntaxError> {
        while let Some(byte) = self.cursor.skip_space() {
            match byte {
                b'{' | b'[' => {
                    self.member(false, false);
                    self.open.push(Level::default());
                    self.cursor.at += 1;
                }
                b'}' | b']' => {
                    let level = self.open.pop().unwrap_or_default();
                    if level.is_placeholder && !level.has_number {
                        return Ok(false);
                    }
                    self.cursor.at += 1;
                }
                b'"' => self.string()?,
                b't' => self.literal("true", true)?,
                b'f' => self.literal("false", false)?,
                b'n' => self.literal("null", false)?,
                b'-' | b'0'..=b'9' => self.number()?,
                // A separator.
                _ => self.cursor.at += 1,
            }
        }
        Ok(true)
    }

    /// Passes over a string: a key when a colon follows.
    fn string(&mut self) -> Result<(), SyntaxError> {
        let start = self.cursor.at;
        self.cursor.string()?;
        let string = self.cursor.since(start);
        if self.cursor.skip_space() != Some(b':') {
            self.member(false, false);
        } else if let Some(level) = self.open.last_mut() {
            level.key = key(string);
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), SyntaxError> {
        let start = self.cursor.at;
        self.cursor.number()?;
        let number = self.cursor.since(start).parse::<usize>();
        self.member(false, number.is_ok_and(|number| number < self.attachments));
        Ok(())
    }

    fn literal(&mut self, word: &str, is_true: bool) -> Result<(), SyntaxError> {
        self.cursor.literal(word)?;
        self.member(is_true, false);
        Ok(())
    }

    /// Notes a value of the innermost object.
    fn member(&mut self, is_true: bool, is_number: bool) {
        if let Some(level) = self.open.last_mut() {
            match level.key {
                Key::Placeholder => level.is_placeholder = is_true,
                Key::Num => level.has_number = is_number,
                Key::Other => {}
            }
        }
    }
}

/// What a key is, given with its quotes; it may be written with escapes.
fn key(string: &str) -> Key {
    match string {
        "\"_placeholder\"" => Key::Placeholder,
        "\"num\"" => Key::Num,
        _ if string.contains('\\') => match serde_json::from_str::<String>(string).as_deref() {
            Ok("_placeholder") => Key::Placeholder,
            Ok("num") => Key::Num,
            _ => Key::Other,
        },
        _ => Key::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_placeholder_needs_the_number_of_an_attachment() {
        let good = [
            r#"[{"_placeholder":true,"num":0}]"#,
            r#"["a",{"_placeholder":true,"num":1},{"b":[{"num":1,"_placeholder":true}]}]"#,
            r#"[{"_placeholder":true,"num":1},{"_placeholder":true,"num":1}]"#,
            r#"[ { "_placeholder" : true , "num" : 0 , "more" : { } } ]"#,
            r#"{"_placeholder":true,"num":0}"#,
        ];
        for text in good {
            assert!(placeholders_are_valid(text, 2), "{text}");
        }
        for num in ["2", "-1", "-0", "0.5", "0.0", "1e0", "18446744073709551616", "\"0\"", "null"] {
            let text = format!(r#"["x",{{"_placeholder":true,"num":{num}}},1]"#);
            assert!(!placeholders_are_valid(&text, 2), "{text}");
        }
        for text in [
            r#"[{"_placeholder":true}]"#,
            r#"[{"_placeholder":true,"num":[0]}]"#,
            r#"[{"_placeholder":true,"num":{"num":0}}]"#,
            r#"[{"_placeholder":true,"Num":0}]"#,
            r#"[[[{"a":{"_placeholder":true,"num":7}}]]]"#,
            r#"[{"_placeholder":true,"a":{"num":0}}]"#,
        ] {
            assert!(!placeholders_are_valid(text, 2), "{text}");
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
        ] {
            assert!(placeholders_are_valid(text, 0), "{text}");
        }
    }

    #[test]
    fn the_last_of_equal_keys_counts() {
        let valid = |text| placeholders_are_valid(text, 1);
        assert!(valid(r#"[{"_placeholder":true,"_placeholder":false}]"#));
        assert!(!valid(r#"[{"_placeholder":false,"_placeholder":true}]"#));
        assert!(valid(r#"[{"_placeholder":true,"num":-1,"num":0}]"#));
        assert!(!valid(r#"[{"_placeholder":true,"num":0,"num":-1}]"#));
    }

    #[test]
    fn keys_may_be_written_with_escapes() {
        assert!(!placeholders_are_valid(r#"[{"\u005fplaceholder":true}]"#, 1));
        assert!(placeholders_are_valid(r#"[{"\u005fplaceholder":true,"n\u0075m":0}]"#, 1));
        assert!(placeholders_are_valid(r#"[{"\ud800_placeholder":true}]"#, 1));
    }

    #[test]
    fn depth_costs_no_stack() {
        let deep = "[".repeat(1_000_000) + &"]".repeat(1_000_000);
        assert!(placeholders_are_valid(&deep, 1));
    }
}
