//! Binary data that travels as an attachment.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;

use bytes::Bytes;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};

use super::shared::{self, SHARED};

/// Binary data: travels as it is, as an attachment beside the JSON text.
///
/// It may stand anywhere in the arguments: alone, in a tuple, in a field of a struct. Clones share
/// the memory, and a received one shares that of the packet.
///
/// Where JSON is all there is, as with [`ParserKind::PlainJson`](crate::ParserKind::PlainJson), it
/// is read from what JavaScript has for it: an array of numbers, or `{"type":"Buffer","data":[255,216]}`.
///
/// A `Vec<u8>` or a `[u8; 4]` will not do: to serde they are sequences of numbers, and would be sent
/// as a JSON array like `[255,216,…]`. Types made for it, such as those of the `serde_bytes`
/// crate, work like `Binary`, but copy the data; and so does a `Binary` that serde buffers, as it does
/// for untagged and internally tagged enums and for flattened fields. In an untagged enum it
/// belongs before a `String`, which takes bytes that happen to be text.
///
/// ```
/// use siot::Binary;
///
/// let photo = Binary::from(vec![0xff, 0xd8, 0xff, 0xe0]);
/// assert_eq!(photo.len(), 4);
/// assert_eq!(photo, [0xff, 0xd8, 0xff, 0xe0]);
/// assert_eq!(format!("{photo:?}"), "Binary(4 bytes: ff d8 ff e0)");
/// let bytes: Vec<u8> = photo.into_vec();
/// # assert_eq!(bytes.len(), 4);
/// ```
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Binary(Bytes);

impl Binary {
    /// Binary data in the program itself, without a copy.
    pub const fn from_static(bytes: &'static [u8]) -> Self {
        Self(Bytes::from_static(bytes))
    }

    /// The data as a `Vec`; a copy only if the memory is shared.
    pub fn into_vec(self) -> Vec<u8> {
        self.0.into()
    }
}

impl Deref for Binary {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for Binary {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Borrow<[u8]> for Binary {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Binary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 8;
        write!(f, "Binary({} bytes", self.len())?;
        for (index, byte) in self.iter().take(SHOWN).enumerate() {
            write!(f, "{} {byte:02x}", if index == 0 { ":" } else { "" })?;
        }
        f.write_str(if self.len() > SHOWN { " …)" } else { ")" })
    }
}

impl From<Vec<u8>> for Binary {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

impl From<Box<[u8]>> for Binary {
    fn from(bytes: Box<[u8]>) -> Self {
        Self(bytes.into())
    }
}

/// Copies the data.
impl From<&[u8]> for Binary {
    fn from(bytes: &[u8]) -> Self {
        Self(Bytes::copy_from_slice(bytes))
    }
}

/// Copies the data.
impl<const N: usize> From<[u8; N]> for Binary {
    fn from(bytes: [u8; N]) -> Self {
        Self(Bytes::copy_from_slice(&bytes))
    }
}

/// Copies the data.
impl<const N: usize> From<&[u8; N]> for Binary {
    fn from(bytes: &[u8; N]) -> Self {
        Self(Bytes::copy_from_slice(bytes))
    }
}

impl From<Bytes> for Binary {
    fn from(bytes: Bytes) -> Self {
        Self(bytes)
    }
}

impl From<Binary> for Bytes {
    fn from(binary: Binary) -> Self {
        binary.0
    }
}

impl From<Binary> for Vec<u8> {
    fn from(binary: Binary) -> Self {
        binary.into_vec()
    }
}

impl FromIterator<u8> for Binary {
    fn from_iter<I: IntoIterator<Item = u8>>(bytes: I) -> Self {
        Self(bytes.into_iter().collect())
    }
}

impl PartialEq<[u8]> for Binary {
    fn eq(&self, other: &[u8]) -> bool {
        **self == *other
    }
}

impl PartialEq<&[u8]> for Binary {
    fn eq(&self, other: &&[u8]) -> bool {
        **self == **other
    }
}

impl<const N: usize> PartialEq<[u8; N]> for Binary {
    fn eq(&self, other: &[u8; N]) -> bool {
        **self == *other
    }
}

impl<const N: usize> PartialEq<&[u8; N]> for Binary {
    fn eq(&self, other: &&[u8; N]) -> bool {
        **self == **other
    }
}

impl PartialEq<Vec<u8>> for Binary {
    fn eq(&self, other: &Vec<u8>) -> bool {
        **self == **other
    }
}

impl Serialize for Binary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        shared::give(&self.0, |bytes| serializer.serialize_bytes(bytes))
    }
}

impl<'de> Deserialize<'de> for Binary {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(SHARED, BinaryVisitor)
    }
}

struct BinaryVisitor;

impl<'de> Visitor<'de> for BinaryVisitor {
    type Value = Binary;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("binary data")
    }

    /// The way of deserializers that do not know of shared memory. A text format is asked what it
    /// has, because `serde_json` would give the bytes of a string.
    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<Binary, D::Error> {
        if inner.is_human_readable() {
            inner.deserialize_any(self)
        } else {
            inner.deserialize_byte_buf(self)
        }
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Binary, E> {
        Ok(Binary(shared::take_or_copy(bytes)))
    }

    fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<Binary, E> {
        Ok(Binary::from(bytes))
    }

    /// What a `Binary` looks like in plain JSON.
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Binary, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = seq.next_element()? {
            bytes.push(byte);
        }
        Ok(Binary::from(bytes))
    }

    /// What Node.js makes of a `Buffer` in plain JSON: `{"type":"Buffer","data":[…]}`.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Binary, A::Error> {
        let (mut is_buffer, mut data) = (false, None);
        while let Some(key) = map.next_key::<String>()? {
            match &*key {
                "type" => is_buffer = map.next_value::<String>()? == "Buffer",
                "data" => data = Some(map.next_value::<Vec<u8>>()?),
                _ => return Err(A::Error::unknown_field(&key, &["type", "data"])),
            }
        }
        data.filter(|_| is_buffer)
            .map(Binary::from)
            .ok_or_else(|| A::Error::custom("an object that is no `Buffer` of Node.js"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_the_length_and_the_first_bytes() {
        assert_eq!(format!("{:?}", Binary::default()), "Binary(0 bytes)");
        assert_eq!(format!("{:?}", Binary::from([0, 255])), "Binary(2 bytes: 00 ff)");
        assert_eq!(
            format!("{:?}", Binary::from(vec![7; 100_000])),
            "Binary(100000 bytes: 07 07 07 07 07 07 07 07 …)"
        );
    }

    #[test]
    fn clones_share_memory_and_a_sole_owner_gets_it_back() {
        let binary = Binary::from(vec![1, 2, 3]);
        let at = binary.as_ptr();
        assert_eq!(binary.clone().as_ptr(), at);
        let bytes = binary.into_vec();
        assert_eq!(bytes.as_ptr(), at);
    }

    #[test]
    fn it_compares_with_plain_bytes() {
        let binary = Binary::from_static(&[1, 2]);
        assert_eq!(binary, [1, 2]);
        assert_eq!(binary, &[1, 2][..]);
        assert_eq!(binary, vec![1, 2]);
        assert_ne!(binary, [1, 3]);
    }

    #[test]
    fn in_plain_json_it_is_an_array_of_numbers_and_never_text() {
        let decode = |json| serde_json::from_str::<Binary>(json);
        assert_eq!(decode("[1,2,255]").unwrap(), [1, 2, 255]);
        assert_eq!(serde_json::to_string(&Binary::from([1, 255])).unwrap(), "[1,255]");
        assert!(decode(r#""ab""#).is_err());
        assert!(decode("[256]").is_err());
        assert!(decode("{}").is_err());
    }

    #[test]
    fn it_is_read_from_what_nodejs_makes_of_a_buffer() {
        let decode = |json| serde_json::from_str::<Binary>(json);
        assert_eq!(decode(r#"{"type":"Buffer","data":[1,2,255]}"#).unwrap(), [1, 2, 255]);
        assert_eq!(decode(r#"{"data":[],"type":"Buffer"}"#).unwrap(), []);
        for other in [
            r#"{"type":"Buffer"}"#,
            r#"{"data":[1]}"#,
            r#"{"type":"Blob","data":[1]}"#,
            r#"{"type":"Buffer","data":"AQ=="}"#,
            r#"{"type":"Buffer","data":[256]}"#,
            r#"{"type":"Buffer","data":[1],"more":0}"#,
            r#"{"0":1}"#,
        ] {
            assert!(decode(other).is_err(), "{other}");
        }
    }
}
