//! A deserializer around that of `serde_json`, which hands out attachments.
//!
//! It reads text rewritten by [`mark::mark`], so that attachments come as marked strings.

use bytes::Bytes;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, Expected, MapAccess, SeqAccess, Unexpected,
    VariantAccess, Visitor,
};
use std::fmt;

use super::mark::{self, Mark};
use super::shared::{self, SHARED};

/// Wraps a deserializer, an access or a seed of serde's, together with the attachments.
pub(super) struct Attached<'a, T> {
    inner: T,
    attachments: &'a [Bytes],
}

impl<'a, T> Attached<'a, T> {
    pub(super) fn new(inner: T, attachments: &'a [Bytes]) -> Self {
        Self { inner, attachments }
    }

    fn visit<V>(visitor: V, attachments: &'a [Bytes], handing: Handing) -> Visit<'a, V> {
        Visit { visitor, attachments, handing }
    }
}

/// Methods that go through, but for the visitor, which is wrapped.
macro_rules! wrap_visitor {
    ($($handing:ident: $($method:ident($($name:ident: $type:ty),*))*;)*) => {$($(
        fn $method<V: Visitor<'de>>(self, $($name: $type,)* visitor: V) -> Result<V::Value, Self::Error> {
            let visitor = Self::visit(visitor, self.attachments, Handing::$handing);
            self.inner.$method($($name,)* visitor)
        }
    )*)*};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Attached<'_, D> {
    type Error = D::Error;

    wrap_visitor! {
        Bytes: deserialize_any() deserialize_bytes();
        Vec: deserialize_byte_buf();
        Nothing: deserialize_char() deserialize_str() deserialize_string() deserialize_identifier();
        Bytes: deserialize_bool()
            deserialize_i8() deserialize_i16() deserialize_i32() deserialize_i64() deserialize_i128()
            deserialize_u8() deserialize_u16() deserialize_u32() deserialize_u64() deserialize_u128()
            deserialize_f32() deserialize_f64()
            deserialize_option() deserialize_unit() deserialize_unit_struct(name: &'static str)
            deserialize_seq() deserialize_tuple(len: usize)
            deserialize_tuple_struct(name: &'static str, len: usize)
            deserialize_map()
            deserialize_struct(name: &'static str, fields: &'static [&'static str])
            deserialize_enum(name: &'static str, variants: &'static [&'static str]);
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        match name {
            SHARED => {
                let visitor = Self::visit(visitor, self.attachments, Handing::Shared);
                self.inner.deserialize_any(visitor)
            }
            // It would show the marks in the rewritten text.
            "$serde_json::private::RawValue" => {
                Err(D::Error::custom("raw JSON cannot be taken from a message with attachments"))
            }
            _ => {
                let visitor = Self::visit(visitor, self.attachments, Handing::Bytes);
                self.inner.deserialize_newtype_struct(name, visitor)
            }
        }
    }

    /// Without a wrapper: `serde_json` skips a value without recursion.
    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_ignored_any(visitor)
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Attached<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        self.inner.deserialize(Attached::new(deserializer, self.attachments))
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Attached<'_, A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        self.inner.next_element_seed(Attached::new(seed, self.attachments))
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Attached<'_, A> {
    type Error = A::Error;

    /// Keys are never attachments, and never rewritten.
    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        self.inner.next_key_seed(seed)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.inner.next_value_seed(Attached::new(seed, self.attachments))
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, 'a, A: EnumAccess<'de>> EnumAccess<'de> for Attached<'a, A> {
    type Error = A::Error;
    type Variant = Attached<'a, A::Variant>;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Self::Variant), A::Error> {
        let (value, variant) = self.inner.variant_seed(Attached::new(seed, self.attachments))?;
        Ok((value, Attached::new(variant, self.attachments)))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Attached<'_, A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.inner.unit_variant()
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        self.inner.newtype_variant_seed(Attached::new(seed, self.attachments))
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, A::Error> {
        self.inner.tuple_variant(len, Self::visit(visitor, self.attachments, Handing::Bytes))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        self.inner.struct_variant(fields, Self::visit(visitor, self.attachments, Handing::Bytes))
    }
}

/// How the type asked for takes an attachment.
#[derive(Clone, Copy)]
enum Handing {
    /// As bytes to look at.
    Bytes,
    /// As bytes to keep.
    Vec,
    /// As shared memory.
    Shared,
    /// Not at all: it wants text, and would take bytes that happen to be UTF-8 for it.
    Nothing,
}

/// Wraps the caller's visitor: replaces marked strings, and wraps what has values inside.
struct Visit<'a, V> {
    visitor: V,
    attachments: &'a [Bytes],
    handing: Handing,
}

impl<'de, V: Visitor<'de>> Visit<'_, V> {
    fn attachment<E: Error>(self, number: usize) -> Result<V::Value, E> {
        let Some(bytes) = self.attachments.get(number) else {
            return Err(E::custom("a placeholder does not name an attachment"));
        };
        match self.handing {
            Handing::Bytes => self.visitor.visit_bytes(bytes),
            Handing::Vec => self.visitor.visit_byte_buf(bytes.to_vec()),
            Handing::Shared => shared::give(bytes, |bytes| self.visitor.visit_bytes(bytes)),
            Handing::Nothing => {
                Err(E::invalid_type(Unexpected::Bytes(bytes), &Expecting(&self.visitor)))
            }
        }
    }
}

/// What a visitor expects, for an error message.
struct Expecting<'a, V>(&'a V);

impl<'de, V: Visitor<'de>> Expected for Expecting<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }
}

/// Methods for strings, which may be marked.
macro_rules! visit_text {
    ($($method:ident($type:ty);)*) => {$(
        fn $method<E: Error>(self, value: $type) -> Result<V::Value, E> {
            match mark::read(value.as_ref()) {
                None => self.visitor.$method(value),
                Some(Mark::Text) => self.visitor.$method(value.get(1..).unwrap_or_default().into()),
                Some(Mark::Attachment(number)) => self.attachment(number),
            }
        }
    )*};
}

/// Methods for values that cannot hold an attachment.
macro_rules! visit_plain {
    ($($method:ident($($value:ident: $type:ty)?);)*) => {$(
        fn $method<E: Error>(self $(, $value: $type)?) -> Result<V::Value, E> {
            self.visitor.$method($($value)?)
        }
    )*};
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Visit<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(f)
    }

    visit_text! {
        visit_str(&str);
        visit_borrowed_str(&'de str);
        visit_string(String);
        visit_bytes(&[u8]);
        visit_borrowed_bytes(&'de [u8]);
        visit_byte_buf(Vec<u8>);
    }

    visit_plain! {
        visit_bool(value: bool);
        visit_i8(value: i8);
        visit_i16(value: i16);
        visit_i32(value: i32);
        visit_i64(value: i64);
        visit_i128(value: i128);
        visit_u8(value: u8);
        visit_u16(value: u16);
        visit_u32(value: u32);
        visit_u64(value: u64);
        visit_u128(value: u128);
        visit_f32(value: f32);
        visit_f64(value: f64);
        visit_char(value: char);
        visit_none();
        visit_unit();
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        self.visitor.visit_some(Attached::new(deserializer, self.attachments))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.visitor.visit_newtype_struct(Attached::new(inner, self.attachments))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_seq(Attached::new(seq, self.attachments))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_map(Attached::new(map, self.attachments))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_enum(Attached::new(data, self.attachments))
    }
}
