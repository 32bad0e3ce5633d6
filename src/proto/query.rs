//! The query of a URL.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};
#[cfg(feature = "server")]
use serde_json::{Map, Value};

/// What `encodeURIComponent` leaves alone.
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'!')
    .remove(b'~')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');

/// Appends a parameter to a query, which is begun if it is the first.
pub(crate) fn push_parameter(url: &mut String, is_first: bool, name: &str, value: &str) {
    url.push(if is_first { '?' } else { '&' });
    url.extend(component(name));
    url.push('=');
    url.extend(component(value));
}

/// A text as `encodeURIComponent` writes it.
pub(crate) fn component(text: &str) -> PercentEncode<'_> {
    utf8_percent_encode(text, COMPONENT)
}

/// The parameters of a query, as browsers read them: nothing in it is a fault.
#[cfg(feature = "server")]
pub(crate) fn parameters(query: &str) -> impl Iterator<Item = (String, String)> + '_ {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(name), decoded(value))
    })
}

#[cfg(feature = "server")]
fn decoded(text: &str) -> String {
    let spaced = text.replace('+', " ");
    percent_encoding::percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}

/// A query as a JSON object of strings; of those whose name stands several times, an array.
#[cfg(feature = "server")]
pub(crate) fn query_to_json(query: &str) -> String {
    let mut object = Map::new();
    for (name, value) in parameters(query) {
        match object.get_mut(&name) {
            Some(Value::Array(values)) => values.push(value.into()),
            Some(first) => *first = Value::Array(vec![first.take(), value.into()]),
            None => drop(object.insert(name, value.into())),
        }
    }
    Value::Object(object).to_string()
}

#[cfg(all(test, feature = "server"))]
mod tests {
    use super::*;

    #[test]
    fn a_query_becomes_an_object() {
        for (query, json) in [
            ("", "{}"),
            ("&&", "{}"),
            ("token=a+%C3%A9%22&b", r#"{"b":"","token":"a é\""}"#),
            ("a=1&a=2&b=x&a=", r#"{"a":["1","2",""],"b":"x"}"#),
            ("%zz=%ff", "{\"%zz\":\"\u{fffd}\"}"),
        ] {
            assert_eq!(query_to_json(query), json, "{query}");
        }
    }
}
