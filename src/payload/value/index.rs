//! `value["key"]` and `value[0]`.

use std::ops::Index;

use super::Value;

/// What a [`Value`] can be indexed by: `&str`, `&String` and `usize`.
pub trait ValueIndex: sealed::SealedIndex {
    #[doc(hidden)]
    fn find(self, value: &Value) -> Option<&Value>;
}

mod sealed {
    /// Keeps the trait ours, so that it can change.
    pub trait SealedIndex {}

    impl SealedIndex for &str {}
    impl SealedIndex for &String {}
    impl SealedIndex for usize {}
}

impl ValueIndex for &str {
    fn find(self, value: &Value) -> Option<&Value> {
        value.as_object()?.get(self)
    }
}

impl ValueIndex for &String {
    fn find(self, value: &Value) -> Option<&Value> {
        value.get(self.as_str())
    }
}

impl ValueIndex for usize {
    fn find(self, value: &Value) -> Option<&Value> {
        value.as_array()?.get(self)
    }
}

/// Never panics: what is not there is [`Value::Null`].
impl<I: ValueIndex> Index<I> for Value {
    type Output = Value;

    fn index(&self, index: I) -> &Value {
        static NULL: Value = Value::Null;
        index.find(self).unwrap_or(&NULL)
    }
}
