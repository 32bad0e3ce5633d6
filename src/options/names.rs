//! The names that options with few values have in configurations, on command lines and in logs.

use super::limits::WhenFull;
use super::manager::Transport;
use super::parser::ParserKind;
use super::rejection::Rejection;
use super::revision::Revision;
use super::tls::{TlsBackend, TlsVersion};

/// Gives the values of a type their names: for `Display`, `FromStr`, and with the feature `serde`
/// `Deserialize`.
macro_rules! names {
    ($($type:ty, $what:literal: {
        $($value:ident = $name:literal $(or $other:literal)?),* $(,)?
    })*) => { $(
        /// Shows the name that `FromStr` reads.
        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }

        impl $type {
            /// Its name, in lists of the protocol too.
            pub(crate) fn name(self) -> &'static str {
                match self { $(Self::$value => $name),* }
            }
        }

        #[doc = concat!(
            "Reads ", $("`", $name, "` ", $("or `", $other, "` ",)?)* "(in this spelling).",
        )]
        impl std::str::FromStr for $type {
            type Err = crate::error::Error;

            fn from_str(name: &str) -> crate::error::Result<Self> {
                match name {
                    $($name $(| $other)? => Ok(Self::$value),)*
                    _ => Err(unknown($what, name, &[$($name),*])),
                }
            }
        }

        #[cfg(feature = "serde")]
        #[doc = concat!(
            "From a text: ", $("`", $name, "` ", $("or `", $other, "` ",)?)* "(in this spelling).",
        )]
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let name = String::deserialize(from)?;
                name.parse().map_err(|error: crate::error::Error| {
                    serde::de::Error::custom(error.message())
                })
            }
        }

        #[cfg(test)]
        impl $type {
            /// All of them.
            pub(crate) const ALL: &[Self] = &[$(Self::$value),*];
        }
    )* };
}

names! {
    Transport, "transport": { Polling = "polling", WebSocket = "websocket" }
    Revision, "revision of the protocol": { Auto = "auto", V3 = "v3", V4 = "v4" }
    ParserKind, "parser": { Json = "json", MessagePack = "msgpack", PlainJson = "plain-json" }
    WhenFull, "policy of a buffer": {
        Wait = "wait",
        DropNewest = "drop-newest",
        DropOldest = "drop-oldest",
    }
    Rejection, "rejection": {
        Refused = "refused",
        IoServerDisconnect = "io server disconnect" or "io-server-disconnect",
    }
    TlsVersion, "version of TLS": { Tls12 = "TLSv1.2", Tls13 = "TLSv1.3" }
    TlsBackend, "TLS backend": { Rustls = "rustls", Native = "native" }
}

#[cold]
fn unknown(what: &str, name: &str, known: &[&str]) -> crate::error::Error {
    let known = known.join(", ");
    let what = format!("{name:?} is no {what}: there are {known}");
    crate::error::Error::new(crate::error::ErrorKind::InvalidOption, what)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fmt::{Debug, Display};
    use std::str::FromStr;

    use super::*;
    use crate::error::{Error, ErrorKind};

    fn check<T: Display + Debug + PartialEq + FromStr<Err = Error>>(all: &[T]) {
        let names: BTreeSet<_> = all.iter().map(ToString::to_string).collect();
        assert_eq!(names.len(), all.len(), "{names:?}");
        for value in all {
            assert_eq!(value.to_string().parse::<T>().unwrap(), *value);
        }
        let error = "Nothing".parse::<T>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidOption);
        for name in ["\"Nothing\"", &*names.into_iter().collect::<Vec<_>>()[0]] {
            assert!(error.message().contains(name), "{error}");
        }
    }

    #[test]
    fn each_value_is_read_by_its_name_and_what_is_none_names_those_that_are() {
        check(Transport::ALL);
        check(Revision::ALL);
        check(ParserKind::ALL);
        check(WhenFull::ALL);
        check(Rejection::ALL);
        check(TlsVersion::ALL);
        check(TlsBackend::ALL);
        // As they stand in the protocol and in JavaScript.
        assert_eq!(Transport::WebSocket.to_string(), "websocket");
        // With dashes too, as the names of other options have them.
        for name in ["io server disconnect", "io-server-disconnect"] {
            let rejection: Rejection = name.parse().unwrap();
            assert_eq!(rejection.to_string(), "io server disconnect");
        }
    }
}
