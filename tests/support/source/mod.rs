//! Rust source as far as the tests of the floors need it: which modules of its crate it names, which
//! types it defines, and which it has methods of.

mod files;
mod graph;
mod items;
mod paths;
mod tokens;

pub(crate) use files::{File, command_sources, sources};
pub(crate) use graph::{Library, circles};
pub(crate) use items::{defined_types, implemented_types, test_modules};
pub(crate) use paths::{NamedPath, crate_paths, named_paths};

/// The identifiers of a source text outside comments, strings and tests.
pub(crate) fn identifiers(source: &str) -> Vec<String> {
    let mut tokens = tokens::without_tests(&tokens::tokens(source));
    tokens.retain(|token| token.chars().all(tokens::is_word));
    tokens
}
