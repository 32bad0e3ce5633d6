//! The query of a URL.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};

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
