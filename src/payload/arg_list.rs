//! An argument list whose length is known only at run time.

use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeTuple, Serializer};
use std::fmt;
use std::marker::PhantomData;

use super::value::Value;

/// An argument list whose length is known only at run time.
///
/// A `Vec` is *one* argument: a JSON array. An `ArgList` is as many arguments as it has elements,
/// like a tuple; and where it is decoded, it takes all the arguments that were sent.
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
        let mut list = serializer.serialize_tuple(self.0.len())?;
        for arg in &self.0 {
            list.serialize_element(arg)?;
        }
        list.end()
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for ArgList<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for ListVisitor<T> {
            type Value = ArgList<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an argument list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<ArgList<T>, A::Error> {
                let mut args = Vec::new();
                while let Some(arg) = seq.next_element()? {
                    args.push(arg);
                }
                Ok(ArgList(args))
            }
        }

        // The length is how many there must be, at least.
        deserializer.deserialize_tuple(0, ListVisitor(PhantomData))
    }
}
