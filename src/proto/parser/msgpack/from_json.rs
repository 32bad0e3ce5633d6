//! JSON with attachments to `MessagePack`.

use bytes::Bytes;
use rmp::encode::{
    write_array_len, write_bin, write_bool, write_f64, write_map_len, write_nil, write_sint,
    write_str, write_uint,
};

use crate::payload::placeholder;

/// Writes a JSON text of our own as `MessagePack`, with the attachments in the place of their
/// placeholders.
///
/// In both formats the first byte of a value tells its type. In `MessagePack` the number of elements
/// stands before an array or a map, so that they are counted first.
pub(super) fn write_json(json: &str, attachments: &[Bytes], out: &mut Vec<u8>) {
    let mut placeholders = match attachments {
        [] => Vec::new(),
        _ => placeholder::find(json, attachments.len()).unwrap_or_default(),
    }
    .into_iter()
    .peekable();
    let mut counts = counts(json.as_bytes()).into_iter();
    let mut at = 0;
    while let Some(rest) = json.get(at..).filter(|rest| !rest.is_empty()) {
        // Writing to memory cannot fail.
        at += match rest.as_bytes()[0] {
            b'"' => {
                let length = string_length(rest.as_bytes());
                write_string(&rest[..length], out);
                length
            }
            b'{' => {
                let members = counts.next().unwrap_or_default();
                if let Some(found) = placeholders.next_if(|found| found.range.start == at) {
                    let bytes = attachments.get(found.number).map_or(&[][..], |bytes| bytes);
                    let _ = write_bin(out, bytes);
                    found.range.len()
                } else {
                    let _ = write_map_len(out, members);
                    1
                }
            }
            b'[' => {
                let _ = write_array_len(out, counts.next().unwrap_or_default());
                1
            }
            b'n' => {
                let _ = write_nil(out);
                "null".len()
            }
            b't' => {
                let _ = write_bool(out, true);
                "true".len()
            }
            b'f' => {
                let _ = write_bool(out, false);
                "false".len()
            }
            b'-' | b'0'..=b'9' => {
                let end = rest.bytes().position(|byte| !is_of_number(byte));
                let length = end.unwrap_or(rest.len());
                write_number(&rest[..length], out);
                length
            }
            // White space, a comma or a colon, or the end of an array or an object: `MessagePack` has none.
            _ => 1,
        };
    }
}

/// The number of elements of each array and object, in the order in which they open.
fn counts(json: &[u8]) -> Vec<u32> {
    let mut counts: Vec<u32> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    let mut at = 0;
    while let Some(&byte) = json.get(at) {
        let top = open.last().and_then(|index| counts.get_mut(*index));
        match (byte, top) {
            (b':' | b' ' | b'\n' | b'\r' | b'\t', _) => {}
            (b']' | b'}', _) => {
                open.pop();
            }
            (b',', Some(count)) => *count = count.saturating_add(1),
            // The first element. Each of the others follows a comma.
            (_, Some(count)) if *count == 0 => *count = 1,
            _ => {}
        }
        match byte {
            b'[' | b'{' => {
                open.push(counts.len());
                counts.push(0);
                at += 1;
            }
            b'"' => at += string_length(&json[at..]),
            _ => at += 1,
        }
    }
    counts
}

/// The length of the string at the start, with its quotes.
fn string_length(json: &[u8]) -> usize {
    let mut at = 1;
    loop {
        match json.get(at) {
            Some(b'"') => return at + 1,
            Some(b'\\') => at += 2,
            Some(_) => at += 1,
            None => return json.len(),
        }
    }
}

fn write_string(quoted: &str, out: &mut Vec<u8>) {
    let plain = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
    let _ = if plain.contains('\\') {
        let text: String = serde_json::from_str(quoted).unwrap_or_default();
        write_str(out, &text)
    } else {
        write_str(out, plain)
    };
}

fn is_of_number(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')
}

fn write_number(text: &str, out: &mut Vec<u8>) {
    if let Ok(number) = text.parse::<u64>() {
        let _ = write_uint(out, number);
    } else if let Ok(number) = text.parse::<i64>() {
        let _ = write_sint(out, number);
    } else {
        let _ = write_f64(out, text.parse().unwrap_or_default());
    }
}
