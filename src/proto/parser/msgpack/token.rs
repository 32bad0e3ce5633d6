//! `MessagePack` as a stream of tokens.

use std::borrow::Cow;

use bytes::Bytes;
use rmp::Marker;

use super::errors::unexpected;
use crate::error::Result;

/// One value, or the head of one that holds others.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token<'a> {
    Nil,
    /// JavaScript's `undefined`.
    Undefined,
    Bool(bool),
    Unsigned(u64),
    /// A negative integer.
    Signed(i64),
    Float(f64),
    Str(Cow<'a, str>),
    Bin(Bytes),
    /// The milliseconds of a JavaScript `Date`.
    Date(i64),
    /// A type that nobody here knows.
    Other(i8, Bytes),
    Array(u32),
    Map(u32),
}

/// Reads tokens. A length is believed as far as there are bytes for it.
#[derive(Clone)]
pub(super) struct Tokens<'a> {
    bytes: &'a Bytes,
    at: usize,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(bytes: &'a Bytes) -> Self {
        Self { bytes, at: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.at >= self.bytes.len()
    }

    pub(super) fn next(&mut self) -> Result<Token<'a>> {
        let marker = Marker::from_u8(self.array::<1>()?[0]);
        Ok(match marker {
            Marker::Null => Token::Nil,
            Marker::True => Token::Bool(true),
            Marker::False => Token::Bool(false),
            Marker::FixPos(number) => Token::Unsigned(number.into()),
            Marker::U8 | Marker::U16 | Marker::U32 | Marker::U64 => {
                Token::Unsigned(self.unsigned(marker)?)
            }
            Marker::FixNeg(number) => signed(number.into()),
            Marker::I8 => signed(i8::from_be_bytes(self.array()?).into()),
            Marker::I16 => signed(i16::from_be_bytes(self.array()?).into()),
            Marker::I32 => signed(i32::from_be_bytes(self.array()?).into()),
            Marker::I64 => signed(i64::from_be_bytes(self.array()?)),
            Marker::F32 => Token::Float(f32::from_be_bytes(self.array()?).into()),
            Marker::F64 => Token::Float(f64::from_be_bytes(self.array()?)),
            Marker::FixStr(length) => self.text(length.into())?,
            Marker::Str8 | Marker::Str16 | Marker::Str32 => {
                let length = self.unsigned(marker)?;
                self.text(length)?
            }
            Marker::Bin8 | Marker::Bin16 | Marker::Bin32 => {
                let length = self.unsigned(marker)?;
                Token::Bin(self.share(length)?)
            }
            Marker::FixArray(length) => Token::Array(length.into()),
            Marker::FixMap(length) => Token::Map(length.into()),
            Marker::Array16 => Token::Array(u16::from_be_bytes(self.array()?).into()),
            Marker::Array32 => Token::Array(u32::from_be_bytes(self.array()?)),
            Marker::Map16 => Token::Map(u16::from_be_bytes(self.array()?).into()),
            Marker::Map32 => Token::Map(u32::from_be_bytes(self.array()?)),
            Marker::FixExt1 => self.fixed(1)?,
            Marker::FixExt2 => self.fixed(2)?,
            Marker::FixExt4 => self.fixed(4)?,
            Marker::FixExt8 => self.fixed(8)?,
            Marker::FixExt16 => self.fixed(16)?,
            Marker::Ext8 | Marker::Ext16 | Marker::Ext32 => {
                let length = self.unsigned(marker)?;
                self.extension(length)?
            }
            Marker::Reserved => return Err(self.fail("a byte without a meaning")),
        })
    }

    /// Passes over a value and all that is inside.
    pub(super) fn skip_value(&mut self) -> Result<()> {
        let mut left = 1_u64;
        while left > 0 {
            let inside = match self.next()? {
                Token::Array(length) => u64::from(length),
                Token::Map(length) => 2 * u64::from(length),
                _ => 0,
            };
            left = (left - 1).saturating_add(inside);
        }
        Ok(())
    }

    /// A number, or the length of what follows, in as many bytes as the marker says.
    fn unsigned(&mut self, marker: Marker) -> Result<u64> {
        Ok(match marker {
            Marker::U8 | Marker::Str8 | Marker::Bin8 | Marker::Ext8 => self.array::<1>()?[0].into(),
            Marker::U16 | Marker::Str16 | Marker::Bin16 | Marker::Ext16 => {
                u16::from_be_bytes(self.array()?).into()
            }
            Marker::U32 | Marker::Str32 | Marker::Bin32 | Marker::Ext32 => {
                u32::from_be_bytes(self.array()?).into()
            }
            _ => u64::from_be_bytes(self.array()?),
        })
    }

    /// What JavaScript writes with a fixed length: `undefined`, or a date.
    fn fixed(&mut self, length: u64) -> Result<Token<'a>> {
        let kind = i8::from_be_bytes(self.array()?);
        match (kind, length) {
            (0, 1) => {
                self.take(1)?;
                Ok(Token::Undefined)
            }
            (0, 8) => Ok(Token::Date(i64::from_be_bytes(self.array()?))),
            _ => Ok(Token::Other(kind, self.share(length)?)),
        }
    }

    /// What JavaScript writes with a length: an `ArrayBuffer`.
    fn extension(&mut self, length: u64) -> Result<Token<'a>> {
        let kind = i8::from_be_bytes(self.array()?);
        let bytes = self.share(length)?;
        Ok(if kind == 0 { Token::Bin(bytes) } else { Token::Other(kind, bytes) })
    }

    /// Bytes that are not UTF-8 become U+FFFD, as in JavaScript.
    fn text(&mut self, length: u64) -> Result<Token<'a>> {
        Ok(Token::Str(String::from_utf8_lossy(self.take(length)?)))
    }

    /// Bytes that share the memory of the message.
    fn share(&mut self, length: u64) -> Result<Bytes> {
        let bytes = self.take(length)?;
        Ok(self.bytes.slice_ref(bytes))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let bytes = self.take(N as u64)?;
        bytes.try_into().map_err(|_| self.fail("a message cut short"))
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8]> {
        let end = usize::try_from(length).ok().and_then(|length| self.at.checked_add(length));
        let taken = end.and_then(|end| self.bytes.get(self.at..end));
        let taken = taken.ok_or_else(|| self.fail("a message cut short"))?;
        self.at += taken.len();
        Ok(taken)
    }

    #[cold]
    fn fail(&self, wrong: &str) -> crate::error::Error {
        unexpected(wrong, self.bytes)
    }
}

fn signed(number: i64) -> Token<'static> {
    u64::try_from(number).map_or(Token::Signed(number), Token::Unsigned)
}
