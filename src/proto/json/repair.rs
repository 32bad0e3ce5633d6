//! Rewrites what JavaScript's JSON has and `serde_json` refuses.

use super::cursor::{low_surrogate, overflows, unicode_escape};

/// Rewrites a valid text so that `serde_json` takes it: half surrogate pairs become U+FFFD, numbers
/// beyond `f64` become `null`.
///
/// The result is never longer than the text.
pub(crate) fn repair(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(text.len());
    let mut copied = 0;
    let mut at = 0;
    let mut in_string = false;
    while let Some(&byte) = bytes.get(at) {
        let start = at;
        let (end, replacement) = match byte {
            b'\\' => escape(bytes, at),
            b'-' | b'0'..=b'9' if !in_string => number(text, at),
            _ => {
                in_string ^= byte == b'"';
                (at + 1, None)
            }
        };
        at = end;
        if let Some(replacement) = replacement {
            out.push_str(text.get(copied..start).unwrap_or_default());
            out.push_str(replacement);
            copied = end;
        }
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    out
}

/// The end of an escape or of a surrogate pair, and what it needs to be replaced by.
fn escape(bytes: &[u8], at: usize) -> (usize, Option<&'static str>) {
    match unicode_escape(bytes, at) {
        Some(0xD800..=0xDBFF) if low_surrogate(bytes, at + 6) => (at + 12, None),
        Some(0xD800..=0xDFFF) => (at + 6, Some("\u{FFFD}")),
        _ => (at + 2, None),
    }
}

/// The end of a number, and what it needs to be replaced by.
fn number(text: &str, at: usize) -> (usize, Option<&'static str>) {
    let rest = &text.as_bytes()[at..];
    let belongs = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
    let end = at + rest.iter().position(|byte| !belongs(byte)).unwrap_or(rest.len());
    let beyond = text.get(at..end).is_some_and(overflows);
    (end, beyond.then_some("null"))
}

#[cfg(test)]
mod tests {
    use super::super::scan;
    use super::*;

    #[test]
    fn half_surrogate_pairs_become_the_replacement_character() {
        for (text, repaired) in [
            (r#""\ud800""#, "\"\u{FFFD}\""),
            (r#""a\uDFFFb""#, "\"a\u{FFFD}b\""),
            (r#""\ud800\ud83d\ude00""#, "\"\u{FFFD}\\ud83d\\ude00\""),
            (r#""a\ud83d\ude00\ud800""#, "\"a\\ud83d\\ude00\u{FFFD}\""),
            (r#""\ud800\u0041""#, "\"\u{FFFD}\\u0041\""),
            (r#""\ud800\n""#, "\"\u{FFFD}\\n\""),
            (r#"{"\udc00":1}"#, "{\"\u{FFFD}\":1}"),
        ] {
            assert!(scan(text).unwrap().needs_repair, "{text}");
            assert_eq!(repair(text), repaired);
            assert!(serde_json::from_str::<serde_json::Value>(repaired).is_ok(), "{repaired}");
        }
    }

    #[test]
    fn numbers_beyond_f64_become_null() {
        for number in ["1e400", "-1E+309", "1e99999999999999999999", &"7".repeat(400)] {
            let text = format!(r#"[1,{{"a":{number}}},"1e400\"1e400" , {number} ]"#);
            assert!(scan(&text).unwrap().needs_repair, "{text}");
            assert_eq!(repair(&text), r#"[1,{"a":null},"1e400\"1e400" , null ]"#);
        }
    }

    #[test]
    fn what_serde_json_takes_stays_as_it_is() {
        for text in [
            r#"["\ud83d\ude00\\ud800",1e308,-0,1e-400,0e999]"#,
            "[1.7976931348623157e+308,123456789012345678901234567890]",
            r#" {"\\":"\\\"","€😀":"\u0000"} "#,
        ] {
            assert!(!scan(text).unwrap().needs_repair, "{text}");
            assert_eq!(repair(text), text);
        }
    }
}
