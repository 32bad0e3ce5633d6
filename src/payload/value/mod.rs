//! A value of any type: JSON, or binary data.

mod convert;
mod index;
mod serde;

use std::collections::BTreeMap;
use std::fmt;

use ::serde::Serialize;
use serde_json::Number;

pub use index::ValueIndex;

use super::binary::Binary;

/// A value whose type is known only at run time: any JSON, or binary data at any depth.
///
/// ```
/// use siot::{Binary, Value};
///
/// let value: Value = [
///     ("name", Value::from("front door")),
///     ("sizes", Value::from(vec![640, 480])),
///     ("photo", Value::from(Binary::from([0xff, 0xd8]))),
/// ]
/// .into_iter()
/// .collect();
///
/// assert_eq!(value["name"].as_str(), Some("front door"));
/// assert_eq!(value["sizes"][1].as_u64(), Some(480));
/// assert_eq!(value["photo"].as_binary().map(|photo| photo.len()), Some(2));
/// assert!(value["no"]["such"]["key"].is_null());
/// assert_eq!(
///     value.to_string(),
///     r#"{"name":"front door","photo":"<2 bytes>","sizes":[640,480]}"#
/// );
///
/// let same = Value::from(serde_json::json!({ "sizes": [640, 480] }));
/// assert_eq!(same["sizes"], value["sizes"]);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// `null`.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// Text.
    String(String),
    /// An array.
    Array(Vec<Value>),
    /// An object. Where a peer repeats a key, the last value counts.
    Object(BTreeMap<String, Value>),
    /// An attachment.
    Binary(Binary),
}

impl Value {
    /// Whether this is `null`.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The boolean, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(value) = self { Some(*value) } else { None }
    }

    /// The number, if it is an integer in range.
    pub fn as_i64(&self) -> Option<i64> {
        if let Self::Number(number) = self { number.as_i64() } else { None }
    }

    /// The number, if it is an integer in range.
    pub fn as_u64(&self) -> Option<u64> {
        if let Self::Number(number) = self { number.as_u64() } else { None }
    }

    /// The number, if it is one; integers beyond 2^53 are rounded.
    pub fn as_f64(&self) -> Option<f64> {
        if let Self::Number(number) = self { number.as_f64() } else { None }
    }

    /// The text, if it is text.
    pub fn as_str(&self) -> Option<&str> {
        if let Self::String(text) = self { Some(text) } else { None }
    }

    /// The elements, if it is an array.
    pub fn as_array(&self) -> Option<&[Value]> {
        if let Self::Array(elements) = self { Some(elements) } else { None }
    }

    /// The members, if it is an object.
    pub fn as_object(&self) -> Option<&BTreeMap<String, Value>> {
        if let Self::Object(members) = self { Some(members) } else { None }
    }

    /// The binary data, if it is an attachment.
    pub fn as_binary(&self) -> Option<&Binary> {
        if let Self::Binary(binary) = self { Some(binary) } else { None }
    }

    /// The member of an object with this key (`&str`), or the element of an array at this position
    /// (`usize`); `None` where there is none.
    ///
    /// With brackets, as in `value["key"][0]`, a missing one is [`Value::Null`].
    pub fn get(&self, index: impl ValueIndex) -> Option<&Value> {
        index.find(self)
    }
}

/// JSON, with a string such as `"<3 bytes>"` in the place of binary data.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Vec::new();
        let mut json = serde_json::Serializer::with_formatter(&mut text, Described);
        self.serialize(&mut json).map_err(|_| fmt::Error)?;
        f.write_str(&String::from_utf8_lossy(&text))
    }
}

/// Writes the length of binary data in its place.
struct Described;

impl serde_json::ser::Formatter for Described {
    fn write_byte_array<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
        value: &[u8],
    ) -> std::io::Result<()> {
        write!(writer, "\"<{} bytes>\"", value.len())
    }
}
