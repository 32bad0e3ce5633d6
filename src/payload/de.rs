//! Decoding: finds the arguments, and leaves the rest to `serde_json`.

use std::any::type_name;

use bytes::Bytes;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error as _, IgnoredAny, SeqAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use serde_json::Error as JsonError;
use std::fmt;

use super::Args;
use super::attached::Attached;
use super::list::is_list;
use super::mark::mark;
use super::place::{Place, failure};
use crate::error::Result;

impl Args<'_> {
    /// Decodes into a list of arguments (see [`list`](super::list)), or into one. More arguments than
    /// asked for are ignored.
    ///
    /// Missing arguments decode into `Option`s, as `None`, and are an error for other types.
    pub(crate) fn decode<T: DeserializeOwned>(&self) -> Result<T> {
        if is_list::<T>() { list(self) } else { argument(self, 0) }
    }

    /// Decodes one argument.
    pub(crate) fn get<T: DeserializeOwned>(&self, index: usize) -> Result<T> {
        argument(self, index)
    }

    /// How many arguments there are.
    pub(crate) fn len(&self) -> usize {
        count(self.json).saturating_sub(self.skip)
    }
}

/// Decodes the argument list.
fn list<T: DeserializeOwned>(args: &Args<'_>) -> Result<T> {
    let marked = marked(args)?;
    let mut place = Place::List(type_name::<T>());
    T::deserialize(ListDeserializer {
        json: marked.as_deref().unwrap_or(args.json),
        skip: args.skip,
        attachments: args.attachments,
        place: &mut place,
    })
    .map_err(|source| failure(&place, source))
}

/// Decodes one argument.
fn argument<T: DeserializeOwned>(args: &Args<'_>, index: usize) -> Result<T> {
    let marked = marked(args)?;
    let json = marked.as_deref().unwrap_or(args.json);
    let Some(text) = element(json, args.skip.saturating_add(index)) else {
        return T::deserialize(Missing).map_err(|source| failure(&Place::Missing(index), source));
    };
    let mut json = serde_json::Deserializer::from_str(text);
    if args.attachments.is_empty() {
        T::deserialize(&mut json)
    } else {
        T::deserialize(Attached::new(&mut json, args.attachments))
    }
    .map_err(|source| failure(&Place::Argument(index, type_name::<T>()), source))
}

/// The number of elements of a valid JSON array.
fn count(json: &str) -> usize {
    struct Count;

    impl<'de> Visitor<'de> for Count {
        type Value = usize;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an array")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<usize, A::Error> {
            let mut count = 0;
            while seq.next_element::<IgnoredAny>()?.is_some() {
                count += 1;
            }
            Ok(count)
        }
    }

    serde_json::Deserializer::from_str(json).deserialize_seq(Count).unwrap_or(0)
}

/// The JSON with marks for the attachments; `None` where there are no attachments.
fn marked(args: &Args<'_>) -> Result<Option<String>> {
    if args.attachments.is_empty() {
        return Ok(None);
    }
    mark(args.json, args.attachments.len()).map(Some)
}

/// A valid JSON array from its element `index` on; `None` where there is no such element.
fn element(json: &str, index: usize) -> Option<&str> {
    let mut rest = json.trim_ascii_start().strip_prefix('[')?.trim_ascii_start();
    for _ in 0..index {
        rest = behind_value(rest)?.trim_ascii_start().strip_prefix(',')?.trim_ascii_start();
    }
    (!rest.starts_with(']')).then_some(rest)
}

/// What stands behind the value that a text begins with; `None` where it begins with none.
fn behind_value(json: &str) -> Option<&str> {
    // Mostly it is the name of an event.
    if let Some(string) = json.strip_prefix('"') {
        let end = string.bytes().position(|byte| matches!(byte, b'"' | b'\\'))?;
        if let Some(rest) = string.get(end..)?.strip_prefix('"') {
            return Some(rest);
        }
    }
    let mut values = serde_json::Deserializer::from_str(json).into_iter::<IgnoredAny>();
    values.next()?.ok()?;
    json.get(values.byte_offset()..)
}

/// The deserializer for a list of arguments.
struct ListDeserializer<'de, 'a> {
    json: &'de str,
    skip: usize,
    attachments: &'a [Bytes],
    place: &'a mut Place,
}

impl<'de> Deserializer<'de> for ListDeserializer<'de, '_> {
    type Error = JsonError;

    /// For tuples.
    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, JsonError> {
        let list = List { visitor, skip: self.skip, len, place: self.place };
        let mut json = serde_json::Deserializer::from_str(self.json);
        if self.attachments.is_empty() {
            json.deserialize_seq(list)
        } else {
            Attached::new(&mut json, self.attachments).deserialize_seq(list)
        }
    }

    /// For `ArgList`, which any number of arguments will do.
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsonError> {
        self.deserialize_tuple(0, visitor)
    }

    /// For `()`.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsonError> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct tuple_struct map struct enum identifier ignored_any
    }
}

/// Reads the whole array, and shows the caller's visitor only the arguments.
struct List<'a, V> {
    visitor: V,
    skip: usize,
    len: usize,
    place: &'a mut Place,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for List<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(f)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<V::Value, A::Error> {
        for _ in 0..self.skip {
            seq.next_element::<IgnoredAny>()?;
        }
        let args = ArgAccess { seq: &mut seq, index: 0, len: self.len, place: &mut *self.place };
        let value = self.visitor.visit_seq(args)?;
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(value)
    }
}

/// The arguments, and `Missing` for each that is asked for beyond them.
struct ArgAccess<'a, A> {
    seq: &'a mut A,
    index: usize,
    len: usize,
    place: &'a mut Place,
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for ArgAccess<'_, A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        let index = self.index;
        self.index += 1;
        *self.place = Place::Argument(index, type_name::<S::Value>());
        let mut seed = Some(seed);
        if let Some(value) = self.seq.next_element_seed(Lent(&mut seed))? {
            return Ok(Some(value));
        }
        let Some(seed) = seed.filter(|_| index < self.len) else { return Ok(None) };
        *self.place = Place::Missing(index);
        seed.deserialize(Missing).map(Some).map_err(A::Error::custom)
    }
}

/// A seed that stays with its owner where it is not used.
struct Lent<'a, S>(&'a mut Option<S>);

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Lent<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        match self.0.take() {
            Some(seed) => seed.deserialize(deserializer),
            None => Err(D::Error::custom("an argument was asked for twice")),
        }
    }
}

/// The deserializer for an argument that was not sent.
struct Missing;

impl<'de> Deserializer<'de> for Missing {
    type Error = JsonError;

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, JsonError> {
        Err(JsonError::custom("missing argument"))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsonError> {
        visitor.visit_none()
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsonError> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier
    }
}
