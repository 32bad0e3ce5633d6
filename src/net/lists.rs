//! Headers whose value is a list.

use http::{HeaderMap, HeaderName};

/// Whether one of the members of a list is this token: a list may be spread over several headers, and
/// has any case (RFC 9110 §5.6.1).
pub(super) fn lists(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).iter();
    let mut members = values.flat_map(|value| value.as_bytes().split(|&byte| byte == b','));
    members.any(|member| member.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
}
