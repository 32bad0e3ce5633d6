//! An argument list whose length is known only at run time.

use serde::de::{Deserialize, Deserializer};
use serde::ser::{Serialize, Serializer};

use super::value::Value;

/// An argument list whose length is known only at run time.
///
/// # What is a list of arguments?
///
/// An event and an acknowledgement have a list of arguments. Tuples, `()` and `ArgList`s are such lists, by
/// themselves or behind references. A value of any other type is *one* argument, whatever it is and
/// however serde sees it: an array and a `Vec` are one JSON array, and `None` or `json!(null)` is one `null`.
/// So it is wherever arguments are sent ([`Socket::emit`](crate::Socket::emit) and its relatives,
/// [`Event::ack`](crate::Event::ack)) and wherever they are decoded ([`Event::args`](crate::Event::args),
/// [`Ack::wait`](crate::Ack::wait), [`AckReply::args`](crate::AckReply::args)):
///
/// | Rust                                      | is sent as       | takes                                |
/// |-------------------------------------------|------------------|--------------------------------------|
/// | `()`                                      | no argument      | nothing                              |
/// | `(1,)`                                    | `1`              | the first argument                   |
/// | `(1, "a")`                                | `1, "a"`         | the first two; more are ignored      |
/// | `ArgList(vec![1, 2])`                     | `1, 2`           | all arguments                        |
/// | `1`, `"a"`, a struct, a [`Binary`](crate::Binary) | as one argument | the first; more are ignored |
/// | `[1, 2]`, `vec![1, 2]`, `Box::new((1, 2))` | `[1, 2]`        | the first, which has to be an array  |
/// | `None::<u8>`, `json!(null)`               | `null`           | the first, which may be `null`       |
///
/// Where an argument is missing, an `Option` is `None`, and other types are an error.
///
/// # Example
///
/// ```
/// use siot::{ArgList, Binary, Value};
///
/// // Like ("photo.jpg", 3, Binary::from(…)), but made at run time.
/// let mut args = ArgList::default();
/// args.0.push(Value::from("photo.jpg"));
/// args.0.push(Value::from(3));
/// args.0.push(Value::from(Binary::from([0xff, 0xd8])));
/// assert_eq!(args.0.len(), 3);
///
/// // Arguments of one type.
/// let readings: ArgList<f64> = [21.5, 21.7].into_iter().collect();
/// assert_eq!(readings.0, [21.5, 21.7]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ArgList<T = Value>(
    /// The arguments.
    pub Vec<T>,
);

impl<T> Default for ArgList<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> From<Vec<T>> for ArgList<T> {
    fn from(args: Vec<T>) -> Self {
        Self(args)
    }
}

impl<T> FromIterator<T> for ArgList<T> {
    fn from_iter<I: IntoIterator<Item = T>>(args: I) -> Self {
        Self(args.into_iter().collect())
    }
}

impl<T> IntoIterator for ArgList<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<T: Serialize> Serialize for ArgList<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for ArgList<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::deserialize(deserializer).map(Self)
    }
}
