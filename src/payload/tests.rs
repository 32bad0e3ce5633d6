//! Tests of encoding and decoding through their interface.

mod decode;
mod encode;
mod hostile;
mod round_trip;
mod values;

use bytes::Bytes;
use serde::de::DeserializeOwned;

use super::{Args, Payload};
use crate::error::{ErrorKind, Result};

/// Decodes the arguments of an acknowledgement.
fn decode<T: DeserializeOwned>(json: &str, attachments: &[Bytes]) -> Result<T> {
    Args { json, skip: 0, attachments }.decode()
}

/// Decodes the arguments of an event.
fn decode_event<T: DeserializeOwned>(json: &str, attachments: &[Bytes]) -> Result<T> {
    Args { json, skip: 1, attachments }.decode()
}

/// The error of decoding an event, after a look at its kind.
#[track_caller]
fn decode_error<T: DeserializeOwned>(json: &str, attachments: &[Bytes]) -> String {
    let error = decode_event::<T>(json, attachments).err().expect(json);
    assert_eq!(error.kind(), ErrorKind::Payload);
    format!("{error:#}")
}

/// What is sent is received as it was, as an event and as an acknowledgement.
#[track_caller]
fn comes_back<T>(value: &T)
where
    T: serde::Serialize + DeserializeOwned + PartialEq + std::fmt::Debug,
{
    let Payload { json, attachments } = Payload::event("e", value).unwrap();
    assert_eq!(&decode_event::<T>(&json, &attachments).unwrap(), value, "{json}");
    let Payload { json, attachments } = Payload::args(value).unwrap();
    assert_eq!(&decode::<T>(&json, &attachments).unwrap(), value, "{json}");
}
