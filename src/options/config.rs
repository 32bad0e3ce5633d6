//! Options from a configuration (feature `serde`): each key of a table is the name of a method.

use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::de::{Deserialize, Deserializer, Error as _, SeqAccess, Visitor};

use super::limits::{Limits, WhenFull};
use super::proxy::Proxy;
use super::timeouts::Timeouts;
use super::tls::{Tls, TlsBackend, TlsVersion};

/// Reads a type from a table whose keys are the names of its methods. Each key has the type that its
/// value is read as, and what is done with that. At the end `finish` of the same file may say what is
/// missing.
macro_rules! table {
    (
        $(#[$doc:meta])*
        $type:ident from $start:expr, $what:literal {
            $($key:ident: $value:ty => $set:expr,)*
        }
    ) => {
        $(#[$doc])*
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                struct TableReader;

                impl<'de> serde::de::Visitor<'de> for TableReader {
                    type Value = $type;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str($what)
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(
                        self,
                        mut map: A,
                    ) -> Result<$type, A::Error> {
                        let mut seen: Vec<String> = Vec::new();
                        let mut options: $type = $start;
                        while let Some(key) = map.next_key::<String>()? {
                            if seen.contains(&key) {
                                let what = format!("{key} is there twice");
                                return Err(serde::de::Error::custom(what));
                            }
                            options = match &*key {
                                $(stringify!($key) => {
                                    let value: $value =
                                        map.next_value().map_err(|error| of_key(&key, &error))?;
                                    let set: fn($type, $value) -> $type = $set;
                                    set(options, value)
                                })*
                                _ => {
                                    return Err(serde::de::Error::unknown_field(
                                        &key,
                                        &[$(stringify!($key)),*],
                                    ));
                                }
                            };
                            seen.push(key);
                        }
                        finish(options, &seen)
                    }
                }

                from.deserialize_struct($what, &[$(stringify!($key)),*], TableReader)
            }
        }
    };
}

pub(crate) use table;

/// The same error, which names the key.
pub(crate) fn of_key<E: serde::de::Error>(key: &str, error: &E) -> E {
    E::custom(format!("{key}: {error}"))
}

/// These tables need nothing.
#[allow(clippy::unnecessary_wraps)]
fn finish<T, E>(options: T, _: &[String]) -> Result<T, E> {
    Ok(options)
}

/// A time: a number of seconds, or a text with units, `"500ms"`, `"5s"`, `"2m"`, `"1h"`, `"1d"`, or several of
/// them from the greatest on, `"1m30s"`.
pub(crate) struct Time(pub(crate) Duration);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match Maybe::deserialize(from)? {
            Maybe(Some(time)) => Ok(time),
            Maybe(None) => Err(D::Error::custom("a time is needed here")),
        }
    }
}

/// Something, or none: `"none"`, or `null` where the format has it.
pub(crate) struct Maybe<T>(pub(crate) Option<T>);

/// What is read from a number or a text.
pub(crate) trait Scalar: Sized {
    const EXPECTED: &'static str;

    fn from_text(text: &str) -> Option<Self>;

    fn from_number(number: f64) -> Option<Self>;
}

impl<'de, T: Scalar> Deserialize<'de> for Maybe<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct MaybeReader<T>(std::marker::PhantomData<T>);

        impl<T: Scalar> MaybeReader<T> {
            fn read<E: serde::de::Error>(found: Option<T>, text: &str) -> Result<Maybe<T>, E> {
                let read = found.map(|value| Maybe(Some(value)));
                read.ok_or_else(|| E::custom(format!("{text} is not {}", T::EXPECTED)))
            }
        }

        impl<'de, T: Scalar> Visitor<'de> for MaybeReader<T> {
            type Value = Maybe<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(T::EXPECTED)
            }

            fn visit_unit<E: serde::de::Error>(self) -> Result<Maybe<T>, E> {
                Ok(Maybe(None))
            }

            fn visit_none<E: serde::de::Error>(self) -> Result<Maybe<T>, E> {
                Ok(Maybe(None))
            }

            fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Maybe<T>, D::Error> {
                from.deserialize_any(self)
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Maybe<T>, E> {
                if text == "none" {
                    return Ok(Maybe(None));
                }
                Self::read(T::from_text(text), &format!("{text:?}"))
            }

            fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Maybe<T>, E> {
                let exact =
                    i32::try_from(number).ok().and_then(|small| T::from_number(small.into()));
                Self::read(exact, &number.to_string())
            }

            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Maybe<T>, E> {
                let exact =
                    u32::try_from(number).ok().and_then(|small| T::from_number(small.into()));
                Self::read(exact, &number.to_string())
            }

            fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Maybe<T>, E> {
                Self::read(T::from_number(number), &number.to_string())
            }
        }

        from.deserialize_any(MaybeReader(std::marker::PhantomData))
    }
}

impl Scalar for Time {
    const EXPECTED: &'static str = "a time: seconds as a number, or a text such as \"500ms\", \
                                    \"5s\", \"2m\", \"1h\", \"1d\", \"1m30s\"";

    fn from_text(text: &str) -> Option<Self> {
        if let Ok(seconds) = text.parse() {
            return Self::from_number(seconds);
        }
        let (mut rest, mut total, mut last_unit) = (text, Duration::ZERO, f64::INFINITY);
        while last_unit.is_infinite() || !rest.is_empty() {
            let (number, behind) = rest.split_at(rest.find(|c: char| c.is_ascii_alphabetic())?);
            let end = behind.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(behind.len());
            let (name, behind) = behind.split_at(end);
            let unit = seconds_of(name).filter(|unit| *unit < last_unit)?;
            total = total.checked_add(Self::from_number(number.parse::<f64>().ok()? * unit)?.0)?;
            (rest, last_unit) = (behind, unit);
        }
        Some(Self(total))
    }

    fn from_number(seconds: f64) -> Option<Self> {
        Duration::try_from_secs_f64(seconds).ok().map(Self)
    }
}

/// How many seconds a unit of time has.
fn seconds_of(unit: &str) -> Option<f64> {
    match unit {
        "ms" => Some(0.001),
        "s" => Some(1.0),
        "m" => Some(60.0),
        "h" => Some(3600.0),
        "d" => Some(86_400.0),
        _ => None,
    }
}

/// A whole number.
pub(crate) struct WholeNumber(pub(crate) u32);

impl Scalar for WholeNumber {
    const EXPECTED: &'static str = "a whole number";

    fn from_text(_: &str) -> Option<Self> {
        None
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    fn from_number(number: f64) -> Option<Self> {
        let is_whole = number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&number);
        is_whole.then_some(Self(number as u32))
    }
}

/// An IP address.
pub(crate) struct Ip(pub(crate) IpAddr);

impl Scalar for Ip {
    const EXPECTED: &'static str = "an IP address";

    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok().map(Self)
    }

    fn from_number(_: f64) -> Option<Self> {
        None
    }
}

/// The value of a [`Maybe`] time.
pub(crate) fn time(maybe: Maybe<Time>) -> Option<Duration> {
    maybe.0.map(|time| time.0)
}

/// One text, or several.
pub(crate) struct Texts(pub(crate) Vec<String>);

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct TextsReader;

        impl<'de> Visitor<'de> for TextsReader {
            type Value = Texts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list of texts")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Texts, E> {
                Ok(Texts(vec![text.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Texts, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = seq.next_element()? {
                    texts.push(text);
                }
                Ok(Texts(texts))
            }
        }

        from.deserialize_any(TextsReader)
    }
}

/// A text that may be a secret: an error does not show what stands there instead.
pub(crate) struct PrivateText(pub(crate) String);

impl<'de> Deserialize<'de> for PrivateText {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(Self).map_err(|_| D::Error::custom("expected a text"))
    }
}

/// From a URL, as [`Proxy::parse`] reads it.
impl<'de> Deserialize<'de> for Proxy {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        // The message does not show the password: neither does the error of parsing.
        Self::parse(&String::deserialize(from)?).map_err(|error| D::Error::custom(error.message()))
    }
}

table! {
    /// From a table whose keys are the names of the methods. Sizes are numbers of bytes.
    Limits from Limits::new(), "limits" {
        max_message: usize => Limits::max_message,
        max_attachments: usize => Limits::max_attachments,
        send_events: usize => Limits::send_events,
        send_bytes: usize => Limits::send_bytes,
        when_send_full: WhenFull => Limits::when_send_full,
        unconfirmed_bytes: usize => Limits::unconfirmed_bytes,
        receive_events: usize => Limits::receive_events,
        receive_bytes: usize => Limits::receive_bytes,
        receive_total: usize => Limits::receive_total,
        receive_reserve: usize => Limits::receive_reserve,
        when_receive_full: WhenFull => Limits::when_receive_full,
        acks: usize => Limits::acks,
        stack_size: usize => Limits::stack_size,
    }
}

table! {
    /// From a table whose keys are the names of the methods, and the values times as
    /// [`Builder`](crate::Builder) reads them.
    Timeouts from Timeouts::new(), "timeouts" {
        dns: Maybe<Time> => |timeouts, limit| timeouts.dns(time(limit)),
        tcp: Maybe<Time> => |timeouts, limit| timeouts.tcp(time(limit)),
        proxy: Maybe<Time> => |timeouts, limit| timeouts.proxy(time(limit)),
        tls: Maybe<Time> => |timeouts, limit| timeouts.tls(time(limit)),
        http: Maybe<Time> => |timeouts, limit| timeouts.http(time(limit)),
    }
}

table! {
    /// From a table whose keys are the names of the methods: `ca_file` and `ca_pem` are a text or a list
    /// of texts, `client_cert_files` and `client_cert_pem` lists of two (the chain, and the key), and
    /// `clock_floor` is a number of seconds since 1970. What is bytes (`ca_der`, `pfx`) comes from files alone.
    Tls from Tls::new(), "tls" {
        ca_file: Texts => |tls, files| files.0.into_iter().fold(tls, Tls::ca_file),
        ca_pem: Texts => |tls, texts| texts.0.into_iter().fold(tls, Tls::ca_pem),
        built_in_roots: bool => Tls::built_in_roots,
        system_roots: bool => Tls::system_roots,
        client_cert_files: (String, String) => |tls, (chain, key)| tls.client_cert_files(chain, key),
        client_cert_pem: (PrivateText, PrivateText) => |tls, (chain, key)| tls.client_cert_pem(chain.0, key.0),
        pfx_file: String => |tls, file| tls.pfx_file(file),
        passphrase: PrivateText => |tls, word| tls.passphrase(word.0),
        reject_unauthorized: bool => Tls::reject_unauthorized,
        server_name: String => |tls, name| tls.server_name(name),
        min_version: TlsVersion => Tls::min_version,
        ciphers: Vec<String> => |tls, names| tls.ciphers(names),
        clock_floor: u64 => |tls, seconds| tls.clock_floor(since_1970(seconds)),
        backend: TlsBackend => Tls::backend,
    }
}

/// The time so many seconds after the beginning of 1970, or that where it is beyond all time.
fn since_1970(seconds: u64) -> SystemTime {
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).unwrap_or(UNIX_EPOCH)
}
