//! An event as the bytes of a record, and back.
//!
//! A byte for the form, the number of attachments, their lengths, the attachments, and the JSON
//! text. Numbers are of 32 bits, the lowest byte first.

use bytes::Bytes;

use crate::error::{Error, ErrorKind, Result};
use crate::payload::Payload;

/// The form of the records that are written.
const FORM: u8 = 1;

/// The bytes of a record. The error is that of a size that has no number.
pub(super) fn to_record(payload: &Payload) -> Result<Vec<u8>> {
    let number = |size: usize| {
        u32::try_from(size).map_err(|_| Error::new(ErrorKind::TooLarge, "an event of over 4 GiB"))
    };
    let count = payload.attachments.len();
    let mut record = Vec::with_capacity(payload.size() + 4 * count + 5);
    record.push(FORM);
    record.extend(number(count)?.to_le_bytes());
    for attachment in &payload.attachments {
        record.extend(number(attachment.len())?.to_le_bytes());
    }
    for attachment in &payload.attachments {
        record.extend_from_slice(attachment);
    }
    record.extend_from_slice(payload.json.as_bytes());
    Ok(record)
}

/// The event of a record; `None` where it is none of ours.
pub(super) fn from_record(record: Vec<u8>) -> Option<Payload> {
    let mut rest = Bytes::from(record);
    if rest.is_empty() || rest.split_to(1)[0] != FORM {
        return None;
    }
    let count = take_number(&mut rest)?;
    // Not allocated in advance: a number may be wrong.
    let mut lengths = Vec::new();
    for _ in 0..count {
        lengths.push(take_number(&mut rest)?);
    }
    let mut attachments = Vec::new();
    for length in lengths {
        if rest.len() < length {
            return None;
        }
        attachments.push(rest.split_to(length));
    }
    let json = String::from_utf8(rest.to_vec()).ok()?;
    Some(Payload { json, attachments })
}

fn take_number(rest: &mut Bytes) -> Option<usize> {
    if rest.len() < 4 {
        return None;
    }
    let bytes = rest.split_to(4);
    let number = u32::from_le_bytes(bytes[..].try_into().ok()?);
    usize::try_from(number).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_comes_back_as_it_was() {
        for attachments in [vec![], vec![""], vec!["ab", "", "c"]] {
            let attachments =
                attachments.into_iter().map(|it| Bytes::from(it.to_owned())).collect();
            let payload = Payload { json: "[\"ä\",1]".to_owned(), attachments };
            assert_eq!(from_record(to_record(&payload).unwrap()), Some(payload));
        }
    }

    #[test]
    fn what_is_no_record_of_ours_is_none() {
        let payload =
            Payload { json: String::new(), attachments: vec![Bytes::from_static(b"abc")] };
        let record = to_record(&payload).unwrap();
        for length in 0..record.len() {
            assert_eq!(from_record(record[..length].to_vec()), None, "{length} bytes");
        }
        for wrong in [vec![2, 0, 0, 0, 0], vec![1, 255, 255, 255, 255], vec![1, 0, 0, 0, 0, 0xff]] {
            assert_eq!(from_record(wrong.clone()), None, "{wrong:?}");
        }
    }
}
