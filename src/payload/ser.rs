//! Encoding: decides what is an argument list, and leaves the rest to `serde_json`.

use bytes::Bytes;
use serde::Serialize;
use serde::ser::{Error as _, Serializer};
use serde_json::Error as JsonError;

use super::lift::Lift;
use super::{Payload, placeholder};
use crate::error::{Error, ErrorKind, Result};

/// Typical messages fit; longer ones cost a reallocation or two.
const CAPACITY: usize = 128;

impl Payload {
    /// Encodes `["name", arguments…]`: a tuple is the argument list, `()` is none, anything else
    /// is one argument.
    ///
    /// To serde an array of fixed size (`[T; N]`) is a tuple too, so it is an argument list; a
    /// slice, a `Vec` and a tuple struct are one argument. `None` and `Value::Null` are the argument `null`, but
    /// `serde_json::Value::Null` cannot be told from `()`.
    pub fn event<T: Serialize + ?Sized>(name: &str, args: &T) -> Result<Self> {
        list(Some(name), args)
    }

    /// Encodes `[arguments…]`, by the same rule.
    pub fn args<T: Serialize + ?Sized>(args: &T) -> Result<Self> {
        list(None, args)
    }

    /// Encodes one value without attachments (for CONNECT); binary in it is an error.
    ///
    /// `()` and `None` become an empty text: nothing to send along. Anything else but an object
    /// is an error, because servers drop a connection that sends it.
    pub fn value<T: Serialize + ?Sized>(value: &T) -> Result<Self> {
        object(value)
    }
}

/// Encodes `[arguments…]`, with the name of an event in front.
fn list<T: Serialize + ?Sized>(name: Option<&str>, args: &T) -> Result<Payload> {
    let mut text = Vec::with_capacity(CAPACITY);
    let mut attachments = Vec::new();
    write_list(&mut text, &mut attachments, name, args)
        .and_then(|()| finish(text, attachments))
        .map_err(|source| failure("the arguments cannot be encoded", source))
}

/// Encodes an object that cannot have attachments.
fn object<T: Serialize + ?Sized>(value: &T) -> Result<Payload> {
    let mut text = Vec::with_capacity(CAPACITY);
    let mut attachments = Vec::new();
    let mut json = serde_json::Serializer::with_formatter(&mut text, Lift(&mut attachments));
    value
        .serialize(&mut json)
        .map_err(|source| failure("the auth value cannot be encoded", source))?;
    if !attachments.is_empty() {
        return Err(Error::new(ErrorKind::Payload, "auth cannot carry binary data")
            .with_hint("encode it as text, for instance in base64"));
    }
    match text.first() {
        Some(b'n') => Ok(Payload::default()),
        Some(b'{') => finish(text, attachments)
            .map_err(|source| failure("the auth value cannot be encoded", source)),
        _ => Err(Error::new(ErrorKind::Payload, "auth must be an object, so a struct or a map")),
    }
}

fn failure(context: &'static str, source: JsonError) -> Error {
    Error::new(ErrorKind::Payload, context).with_source(source)
}

fn finish(text: Vec<u8>, attachments: Vec<Bytes>) -> Result<Payload, JsonError> {
    let json = String::from_utf8(text).map_err(JsonError::custom)?;
    if !attachments.is_empty() && !placeholder::all_are_written(&json, attachments.len()) {
        return Err(JsonError::custom(
            "the key `_placeholder` is reserved in messages that carry binary data: it cannot be `true`",
        ));
    }
    Ok(Payload { json, attachments })
}

/// What the caller's type turned out to be.
#[derive(Clone, Copy)]
enum ArgsForm {
    /// One argument.
    One,
    /// The argument list.
    List,
    /// No argument.
    Nothing,
}

/// Writes the list. What stands before the arguments depends on their form, which is known only
/// once the first byte is due: see [`ArgsSerializer`]. The brackets that `serde_json` writes
/// around a tuple serve as those of the whole list.
fn write_list<T: Serialize + ?Sized>(
    text: &mut Vec<u8>,
    attachments: &mut Vec<Bytes>,
    name: Option<&str>,
    args: &T,
) -> Result<(), JsonError> {
    let mut lead = b'[';
    if let Some(name) = name {
        text.push(lead);
        serde_json::to_writer(&mut *text, name)?;
        lead = b',';
    }
    let start = text.len();
    let mut form = ArgsForm::One;
    args.serialize(ArgsSerializer {
        text: &mut *text,
        attachments,
        json: &mut None,
        lead,
        form: &mut form,
    })?;
    let is_empty = match form {
        ArgsForm::One => false,
        ArgsForm::List => text.len() == start + "[]".len(),
        ArgsForm::Nothing => true,
    };
    if is_empty {
        text.truncate(start);
        text.extend_from_slice(if name.is_some() { b"]" } else { b"[]" });
    } else if let ArgsForm::One = form {
        text.push(b']');
    } else if let Some(bracket) = text.get_mut(start) {
        *bracket = lead;
    }
    Ok(())
}

type JsonSerializer<'t> = serde_json::Serializer<&'t mut Vec<u8>, Lift<'t>>;
type Compound<'a, 't> = serde_json::ser::Compound<'a, &'t mut Vec<u8>, Lift<'t>>;

/// The serializer for the outermost value. It notes the form, writes what must stand before the
/// value, and then makes way for that of `serde_json`.
struct ArgsSerializer<'a, 't> {
    text: &'t mut Vec<u8>,
    attachments: &'t mut Vec<Bytes>,
    /// Room for the serializer, so that it outlives this one.
    json: &'a mut Option<JsonSerializer<'t>>,
    /// The byte that stands before the first argument.
    lead: u8,
    form: &'a mut ArgsForm,
}

impl<'a, 't> ArgsSerializer<'a, 't> {
    fn one(self) -> &'a mut JsonSerializer<'t> {
        self.text.push(self.lead);
        self.json.insert(JsonSerializer::with_formatter(self.text, Lift(self.attachments)))
    }
}

/// Methods for types that are one argument.
macro_rules! one_argument {
    ($($method:ident($($name:ident: $type:ty),*) -> $ok:ty;)*) => {$(
        fn $method(self, $($name: $type),*) -> Result<$ok, JsonError> {
            self.one().$method($($name),*)
        }
    )*};
}

impl<'a, 't> Serializer for ArgsSerializer<'a, 't> {
    type Ok = ();
    type Error = JsonError;
    type SerializeSeq = Compound<'a, 't>;
    type SerializeTuple = Compound<'a, 't>;
    type SerializeTupleStruct = Compound<'a, 't>;
    type SerializeTupleVariant = Compound<'a, 't>;
    type SerializeMap = Compound<'a, 't>;
    type SerializeStruct = Compound<'a, 't>;
    type SerializeStructVariant = Compound<'a, 't>;

    fn serialize_unit(self) -> Result<(), JsonError> {
        *self.form = ArgsForm::Nothing;
        Ok(())
    }

    fn serialize_tuple(self, len: usize) -> Result<Compound<'a, 't>, JsonError> {
        *self.form = ArgsForm::List;
        self.json
            .insert(JsonSerializer::with_formatter(self.text, Lift(self.attachments)))
            .serialize_tuple(len)
    }

    one_argument! {
        serialize_bool(value: bool) -> ();
        serialize_i8(value: i8) -> ();
        serialize_i16(value: i16) -> ();
        serialize_i32(value: i32) -> ();
        serialize_i64(value: i64) -> ();
        serialize_i128(value: i128) -> ();
        serialize_u8(value: u8) -> ();
        serialize_u16(value: u16) -> ();
        serialize_u32(value: u32) -> ();
        serialize_u64(value: u64) -> ();
        serialize_u128(value: u128) -> ();
        serialize_f32(value: f32) -> ();
        serialize_f64(value: f64) -> ();
        serialize_char(value: char) -> ();
        serialize_str(value: &str) -> ();
        serialize_bytes(value: &[u8]) -> ();
        serialize_none() -> ();
        serialize_unit_struct(name: &'static str) -> ();
        serialize_unit_variant(name: &'static str, index: u32, variant: &'static str) -> ();
        serialize_seq(len: Option<usize>) -> Compound<'a, 't>;
        serialize_tuple_struct(name: &'static str, len: usize) -> Compound<'a, 't>;
        serialize_tuple_variant(
            name: &'static str, index: u32, variant: &'static str, len: usize
        ) -> Compound<'a, 't>;
        serialize_map(len: Option<usize>) -> Compound<'a, 't>;
        serialize_struct(name: &'static str, len: usize) -> Compound<'a, 't>;
        serialize_struct_variant(
            name: &'static str, index: u32, variant: &'static str, len: usize
        ) -> Compound<'a, 't>;
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), JsonError> {
        self.one().serialize_some(value)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<(), JsonError> {
        self.one().serialize_newtype_struct(name, value)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), JsonError> {
        self.one().serialize_newtype_variant(name, index, variant, value)
    }

    fn collect_str<T: std::fmt::Display + ?Sized>(self, value: &T) -> Result<(), JsonError> {
        self.one().collect_str(value)
    }
}
