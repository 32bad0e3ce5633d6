//! What the tests of the parsers need.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::json;

use crate::payload::Payload;

pub(super) fn payload(json: &str, attachments: &[&'static [u8]]) -> Payload {
    let attachments = attachments.iter().map(|bytes| Bytes::from_static(bytes)).collect();
    Payload { json: json.to_owned(), attachments }
}

/// Any JSON of a depth that `serde_json` reads.
pub(super) fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(|value| json!(value)),
        any::<i64>().prop_map(|value| json!(value)),
        any::<u64>().prop_map(|value| json!(value)),
        any::<f64>().prop_map(|value| json!(value)),
        any::<String>().prop_map(|value| json!(value)),
    ];
    leaf.prop_recursive(6, 60, 20, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..20).prop_map(|list| json!(list)),
            proptest::collection::hash_map(any::<String>(), inner, 0..20)
                .prop_map(|map| json!(map)),
        ]
    })
}
