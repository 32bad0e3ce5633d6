//! Which types are a list of arguments. Any other is one argument.
//!
//! Lists are tuples, `()` and [`ArgList`], also behind references. serde does not tell them from other
//! types: to it `[T; 2]` is the same as `(T, T)`, and a `null` of `serde_json` the same as `()`. Nor can a
//! trait of ours: for the users' types it would have to be implemented for all that are `Serialize`, and
//! tuples are too. So a type is asked for its name, in which the compiler writes a tuple as the language does.
//! What the values are plays no part.

use std::any::type_name;

use super::arg_list::ArgList;

/// Whether a type is a list of arguments.
pub(super) fn is_list<T: ?Sized>() -> bool {
    let name = referent(type_name::<T>());
    is_tuple(name) || are_of_one_generic(name, type_name::<ArgList>())
}

/// Whether the compiler writes the names of types in the way that [`is_list`] reads. It has ever since there are
/// names; but nobody has promised it.
pub(crate) fn can_be_told() -> bool {
    is_list::<()>() && is_list::<(u8,)>() && is_list::<&ArgList<u8>>() && !is_list::<[(u8,); 1]>()
}

/// What a name refers to, behind any number of references.
fn referent(mut name: &str) -> &str {
    while let Some(rest) = name.strip_prefix('&') {
        name = rest.strip_prefix("mut ").unwrap_or(rest);
    }
    name
}

/// Whether this is the name of a tuple or of `()`. Behind a reference, the language has parentheses around a
/// `dyn` of several traits too.
fn is_tuple(name: &str) -> bool {
    name.starts_with('(') && !name.starts_with("(dyn ")
}

/// Whether two names differ in their parameters at most. Most differ in their first letters already.
fn are_of_one_generic(one: &str, other: &str) -> bool {
    let [one, other] = [one, other].map(|name| name.bytes().take_while(|letter| *letter != b'<'));
    one.eq(other)
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::collections::BTreeMap;
    use std::fmt::Debug;
    use std::rc::Rc;

    use super::*;
    use crate::payload::{Binary, Value};

    struct Point<'a> {
        _name: &'a str,
    }

    type Reading<'a> = (&'a str, Point<'a>);

    #[test]
    fn tuples_and_argument_lists_are_lists() {
        assert!(is_list::<()>());
        assert!(is_list::<(u8,)>());
        assert!(is_list::<((),)>());
        assert!(is_list::<([u8; 2],)>());
        assert!(is_list::<(f64, f64)>());
        assert!(is_list::<Reading<'_>>());
        assert!(is_list::<(u8, u8, u8, u8, u8, u8, u8, u8, u8, u8, u8, u8, u8, u8, u8, u8)>());
        assert!(is_list::<(Box<dyn Debug>, u8)>());
        assert!(is_list::<(Box<dyn Debug + Send>, u8)>());
        assert!(is_list::<(fn(u8) -> (u8, u8),)>());
        assert!(is_list::<ArgList>());
        assert!(is_list::<ArgList<(u8, u8)>>());
        assert!(is_list::<ArgList<Point<'_>>>());
    }

    #[test]
    fn a_reference_is_what_it_refers_to() {
        assert!(is_list::<&()>());
        assert!(is_list::<&mut (u8, u8)>());
        assert!(is_list::<&&mut &(u8, u8)>());
        assert!(is_list::<&mut &ArgList<u8>>());
        assert!(!is_list::<&mut [(u8, u8); 2]>());
        assert!(!is_list::<&mut str>());
        assert!(!is_list::<&(dyn Debug + Send)>());
        assert!(!is_list::<&mut (dyn Debug + Send)>());
    }

    #[test]
    fn nothing_else_is_a_list() {
        assert!(!is_list::<[f64; 2]>());
        assert!(!is_list::<[(u8, u8); 0]>());
        assert!(!is_list::<[(u8, u8)]>());
        assert!(!is_list::<Vec<(u8, u8)>>());
        assert!(!is_list::<Option<(u8, u8)>>());
        assert!(!is_list::<Box<(u8, u8)>>());
        assert!(!is_list::<Rc<(u8, u8)>>());
        assert!(!is_list::<Cow<'_, (u8, u8)>>());
        assert!(!is_list::<Vec<ArgList>>());
        assert!(!is_list::<BTreeMap<(u8, u8), (u8,)>>());
        assert!(!is_list::<str>());
        assert!(!is_list::<f64>());
        assert!(!is_list::<Binary>());
        assert!(!is_list::<Value>());
        assert!(!is_list::<serde_json::Value>());
        assert!(!is_list::<Point<'_>>());
        assert!(!is_list::<dyn Debug>());
        assert!(!is_list::<dyn Debug + Send>());
        assert!(!is_list::<fn() -> ()>());
    }

    #[test]
    fn the_compiler_names_types_as_expected() {
        assert!(can_be_told());
        assert!(!is_tuple(referent("&(dyn a::Serialize + core::marker::Send)")));
    }
}
