//! Error messages of decoding: which argument, and what was expected of it.

use serde_json::Error as JsonError;

use crate::error::{Error, ErrorKind};

/// What is being decoded, for error messages. Arguments count from 0, as in `Event::arg`.
pub(super) enum Place {
    /// The list as a whole, into the named type.
    List(&'static str),
    /// An argument, into the named type.
    Argument(usize, &'static str),
    /// An argument that is not there.
    Missing(usize),
}

/// Says what could not be decoded.
pub(super) fn failure(place: &Place, source: JsonError) -> Error {
    let message = source.to_string();
    let is_too_deep = message.starts_with("recursion limit exceeded");
    let context = match *place {
        Place::Missing(0) => return Error::new(ErrorKind::Payload, "there is no argument"),
        Place::Missing(index) => {
            let context = format!("argument {index} is missing");
            return Error::new(ErrorKind::Payload, context);
        }
        Place::Argument(index, _) if is_too_deep => {
            format!("argument {index} is nested deeper than 127 levels")
        }
        Place::List(name) => format!("the arguments are not of type {name}"),
        Place::Argument(index, name) => format!("argument {index} is not of type {name}"),
    };
    let error = Error::new(ErrorKind::Payload, context);
    match without_mark(&message) {
        Some(message) => error
            .with_source(message)
            .with_hint("binary data decodes into siot::Binary and serde_bytes::ByteBuf"),
        None => error.with_source(source),
    }
}

/// Words a message of `serde_json` anew where it shows the string that marks an attachment.
fn without_mark(message: &str) -> Option<String> {
    let (before, rest) = message.split_once(r#"string "\0"#)?;
    let after = rest.trim_start_matches(|c: char| c.is_ascii_digit()).strip_prefix('"')?;
    Some(format!("{before}binary data{after}"))
}
