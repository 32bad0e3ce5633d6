//! Finding records in a damaged file, whatever became of its structure.
//!
//! In the file format of `SQLite`, a row of a table lies in a page as a *cell*: the length of the
//! row and its number, each as a varint, then the row. A row too long for the page goes on in a
//! chain of others. A row begins with the types of its columns. Since each record has a checksum,
//! it is enough to look at each place where one could begin.

use std::collections::{BTreeMap, HashMap};

use super::sealed::{Sealed, given};
use super::shares::PAGE_SIZE;
use super::store::OutboxRecord;

/// The most of a row that lies in its own page, and the least where it goes on elsewhere.
const MOST_LOCAL: usize = PAGE_SIZE - 35;
const LEAST_LOCAL: usize = (PAGE_SIZE - 12) * 32 / 255 - 23;
/// The header of the journal, and of each page in it.
const JOURNAL_HEADER: usize = 32;
const FRAME_HEADER: usize = 24;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Carved {
    /// The name of the store; `None` where there is no record.
    pub(super) name: Option<i64>,
    /// In their order.
    pub(super) records: Vec<OutboxRecord>,
}

/// Finds the records in what is left of a file and its journal. Among them may be some that were
/// removed.
pub(super) fn carve(file: &[u8], journal: &[u8]) -> Carved {
    let in_file: Vec<&[u8]> = file.chunks(PAGE_SIZE).collect();
    let frames = journal.get(JOURNAL_HEADER..).unwrap_or_default();
    let frames: Vec<(usize, &[u8])> =
        frames.chunks(FRAME_HEADER + PAGE_SIZE).filter_map(frame).collect();
    let numbered = in_file.iter().enumerate().map(|(index, page)| (index + 1, *page));
    let old: HashMap<usize, &[u8]> = numbered.collect();
    let mut new = old.clone();
    new.extend(frames.iter().copied());
    let mut stores: HashMap<i64, BTreeMap<i64, Vec<u8>>> = HashMap::new();
    for page in in_file.into_iter().chain(frames.into_iter().map(|(_, page)| page)) {
        for place in 0..page.len() {
            let found = [&new, &old].into_iter().find_map(|pages| cell(&page[place..], pages));
            if let Some(Sealed { number, store, body, .. }) = found {
                stores.entry(store).or_default().insert(number, body.into_owned());
            }
        }
    }
    let Some((name, bodies)) = stores.into_iter().max_by_key(|(_, bodies)| bodies.len()) else {
        return Carved::default();
    };
    let record = |(number, body)| OutboxRecord { number: given(number), body };
    Carved { name: Some(name), records: bodies.into_iter().map(record).collect() }
}

/// A page in the journal, with its number in the file.
fn frame(frame: &[u8]) -> Option<(usize, &[u8])> {
    let number = u32::from_be_bytes(frame.get(..4)?.try_into().ok()?);
    Some((usize::try_from(number).ok()?, frame.get(FRAME_HEADER..)?))
}

/// The record in the cell that begins here, if one does.
fn cell(bytes: &[u8], pages: &HashMap<usize, &[u8]>) -> Option<Sealed<'static>> {
    let mut rest = bytes;
    let length = usize::try_from(varint(&mut rest)?).ok()?;
    let number = varint(&mut rest)?;
    // Quickly past the places where none begins: the header of the row, and the number, which is
    // not in the row itself.
    if number < 1 || !matches!(rest.get(..2)?, [5..=13, 0]) {
        return None;
    }
    let row = row(length, rest, pages)?;
    let (store, sum, body) = columns(&row)?;
    let sealed = Sealed { number, store, sum, body: body.to_vec().into() };
    sealed.is_intact().then_some(sealed)
}

/// A row of this length, of which the first part is here.
fn row(length: usize, here: &[u8], pages: &HashMap<usize, &[u8]>) -> Option<Vec<u8>> {
    if length <= MOST_LOCAL {
        return here.get(..length).map(<[u8]>::to_vec);
    }
    // A length that is no length must not make work: more than there is cannot be had.
    if length > pages.len().checked_mul(PAGE_SIZE)? {
        return None;
    }
    let wanted = LEAST_LOCAL + (length - LEAST_LOCAL) % (PAGE_SIZE - 4);
    let local = if wanted <= MOST_LOCAL { wanted } else { LEAST_LOCAL };
    let mut row = here.get(..local)?.to_vec();
    let mut next = here.get(local..)?;
    while row.len() < length {
        let number = u32::from_be_bytes(next.get(..4)?.try_into().ok()?);
        next = pages.get(&usize::try_from(number).ok()?)?;
        let part = (length - row.len()).min(PAGE_SIZE - 4);
        row.extend_from_slice(next.get(4..4 + part)?);
    }
    Some(row)
}

/// The columns of a row behind the number: the store's name, the checksum, the body.
fn columns(row: &[u8]) -> Option<(i64, i64, &[u8])> {
    let mut types = row;
    let header = usize::try_from(varint(&mut types)?).ok()?;
    let _number = varint(&mut types)?;
    let store_type = varint(&mut types)?;
    let sum_type = varint(&mut types)?;
    let body_type = varint(&mut types)?;
    let mut values = row.get(header..)?;
    let store = integer(store_type, &mut values)?;
    let sum = integer(sum_type, &mut values)?;
    let length = usize::try_from(body_type.checked_sub(12)?).ok()?;
    (length % 2 == 0 && length / 2 == values.len()).then_some((store, sum, values))
}

/// An integer of this type.
fn integer(of_type: i64, values: &mut &[u8]) -> Option<i64> {
    let size = match of_type {
        size @ 0..=4 => usize::try_from(size).ok()?,
        5 => 6,
        6 => 8,
        8 => return Some(0),
        9 => return Some(1),
        _ => return None,
    };
    let (bytes, rest) = values.split_at_checked(size)?;
    *values = rest;
    let (first, others) = bytes.split_first()?;
    let first = i64::from(i8::from_ne_bytes([*first]));
    Some(others.iter().fold(first, |value, byte| value << 8 | i64::from(*byte)))
}

/// A number in one to nine bytes: seven bits of each, the highest first, as long as its eighth is
/// set; all of the ninth.
fn varint(rest: &mut &[u8]) -> Option<i64> {
    let mut value: u64 = 0;
    for index in 0..9 {
        let (byte, behind) = rest.split_first()?;
        *rest = behind;
        if index == 8 {
            value = value << 8 | u64::from(*byte);
        } else {
            value = value << 7 | u64::from(byte & 0x7f);
            if byte & 0x80 == 0 {
                break;
            }
        }
    }
    Some(i64::from_ne_bytes(value.to_ne_bytes()))
}
