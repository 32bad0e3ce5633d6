//! The architecture within and between the rooms, which are the folders and files at the top of
//! `src/`: nothing goes in a circle.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::source::{
    File, Library, circles, command_sources, defined_types, implemented_types, named_paths, sources,
};

/// The room that a file is in.
fn room(file: &str) -> &str {
    let first = file.split('/').next().unwrap_or(file);
    first.strip_suffix(".rs").unwrap_or(first)
}

/// For each room, those that it needs.
fn rooms<'a>(needs: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> BTreeMap<&'a str, BTreeSet<&'a str>> {
    let mut all: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (file, needed) in needs {
        let own = room(file);
        let others = needed.iter().map(|other| room(other)).filter(|other| *other != own);
        all.entry(own).or_default().extend(others);
    }
    all
}

/// What goes in circles: for each member, which others of its circle it needs.
fn described(circles: &[Vec<String>], needs: &BTreeMap<&str, BTreeSet<&str>>) -> String {
    let mut lines = Vec::new();
    for circle in circles {
        lines.push(format!("\na circle of {}:", circle.len()));
        for member in circle {
            let is_in = |other: &&str| circle.iter().any(|name| name == other);
            let others: Vec<&str> = needs[&**member].iter().copied().filter(is_in).collect();
            lines.push(format!("  {member} needs {}", others.join(", ")));
        }
    }
    lines.join("\n")
}

#[test]
fn no_rooms_need_each_other_in_a_circle() {
    for files in [sources(), command_sources()] {
        let library = Library::new(files);
        let rooms = rooms(&library.needs());
        assert!(rooms.len() > 5, "only {rooms:?}");
        let found = circles(&rooms);
        assert!(found.is_empty(), "{}", described(&found, &rooms));
    }
}

#[test]
fn no_files_need_each_other_in_a_circle_unless_one_type_has_methods_in_each() {
    for (files, least) in [(sources(), 50), (command_sources(), 10)] {
        let library = Library::new(files);
        let needs = library.needs();
        assert!(needs.len() > least, "only {} files were read", needs.len());
        let found = library.loose_circles();
        assert!(found.is_empty(), "{}", described(&found, &needs));
    }
}

#[test]
fn no_type_is_defined_in_two_files() {
    // Of library and command together: who reads one has the other in mind.
    let library = Library::new(sources().into_iter().chain(command_sources()).collect());
    let found: Vec<String> = library
        .ambiguous_types()
        .iter()
        .map(|(name, files)| format!("{name}: {}", files.join(", ")))
        .collect();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

/// A library of files, each with its name and its text.
fn library(files: &[(&str, &str)]) -> Library {
    let file = |(name, text): &(&str, &str)| {
        let path = name.trim_end_matches(".rs").trim_end_matches("/mod");
        let module: Vec<String> = path.split('/').map(str::to_owned).collect();
        let module = if path == "lib" { Vec::new() } else { module };
        File { name: (*name).to_owned(), module, text: (*text).to_owned() }
    };
    Library::new(files.iter().map(file).collect())
}

/// The files that each file needs: `["a.rs b.rs", …]`.
fn needs(files: &[(&str, &str)]) -> Vec<String> {
    let library = library(files);
    let all = library.needs();
    all.iter()
        .flat_map(|(file, others)| others.iter().map(move |other| format!("{file} {other}")))
        .collect()
}

#[test]
fn an_import_leads_to_the_file_that_defines_what_it_names() {
    for (text, needed) in [
        ("use crate::b::B;", "b.rs"),
        ("use crate::{b::{B, self}};", "b.rs"),
        ("use super::b::B as C;", "b.rs"),
        ("fn f() -> crate::b::B { todo() }", "b.rs"),
        ("use crate::d;", "d/mod.rs"),
        ("use crate::d::D;", "d/mod.rs"),
        ("use crate::d::inner::E;", "d/inner.rs"),
        // Passed on, by another name too, by several modules, and by one that needs it itself.
        ("use crate::d::E;", "d/inner.rs"),
        ("use crate::d::Other;", "d/inner.rs"),
        ("use crate::E;", "d/inner.rs"),
        ("use crate::B;", "b.rs"),
        ("use crate::d::B;", "b.rs"),
        // Not simple.
        ("use crate::d::*;", "d/mod.rs"),
        ("use crate::d::Unheard;", "d/mod.rs"),
    ] {
        let found = needs(&[
            ("lib.rs", "mod a; mod b; mod d; pub use b::B; pub use crate::d::E;"),
            ("a.rs", text),
            ("b.rs", "pub(crate) struct B;"),
            (
                "d/mod.rs",
                "mod inner; pub(crate) use inner::{E, F as Other}; use crate::b::B; struct D;",
            ),
            ("d/inner.rs", "pub(crate) struct E; pub(crate) struct F;"),
        ]);
        let expected = format!("a.rs {needed}");
        assert!(found.contains(&expected), "{text}: {found:?}");
        assert_eq!(found.len(), 3, "{text}: {found:?}");
    }
}

#[test]
fn a_module_that_names_its_own_parts_needs_them() {
    let parts = [("d/one.rs", ""), ("d/two.rs", "use super::one::X;"), ("d/three.rs", "")];
    let body = "mod one; mod two; mod three; use two::Y; use self::three::Z;
                fn f() { one::g::<u8>() } use std::{one, two::x};";
    let found = needs(&[&[("d/mod.rs", body)][..], &parts].concat());
    let expected =
        ["d/mod.rs d/one.rs", "d/mod.rs d/three.rs", "d/mod.rs d/two.rs", "d/two.rs d/one.rs"];
    assert_eq!(found, expected);
}

#[test]
fn what_is_no_import_needs_nothing() {
    for text in [
        "mod d { use std::b; } // use crate::b;\nconst X: &str = \"crate::b\";",
        "#[cfg(test)] mod tests { use crate::b::B; }",
        "#[cfg(test)] use crate::b::B;",
        "pub(in crate::b) struct X; use std::b::B; use b::B; fn f() { x::b::g(); b.h() }",
        "mod inner { use super::*; use super::Own; }",
        "use crate::Unheard; macro_rules! m { () => { $crate::unheard() } }",
    ] {
        let found = needs(&[("lib.rs", "mod a; mod b;"), ("a.rs", text), ("b.rs", "struct B;")]);
        assert_eq!(found, [""; 0], "{text}");
    }
}

#[test]
fn a_name_that_is_passed_on_in_a_circle_is_given_up() {
    let found = needs(&[
        ("a.rs", "use crate::b::X;"),
        ("b.rs", "pub(crate) use crate::c::X;"),
        ("c.rs", "pub(crate) use crate::b::X;"),
    ]);
    assert_eq!(found, [""; 0]);
}

#[test]
fn circles_of_any_length_are_found() {
    let needs = |pairs: &[(&'static str, &[&'static str])]| -> BTreeMap<_, BTreeSet<_>> {
        pairs.iter().map(|(name, others)| (*name, others.iter().copied().collect())).collect()
    };
    let straight = needs(&[("a", &["b", "c"]), ("b", &["c"]), ("c", &["d"]), ("d", &[])]);
    assert_eq!(circles(&straight), [[""; 0]; 0]);
    let two =
        needs(&[("a", &["b"]), ("b", &["a", "c"]), ("c", &["d"]), ("d", &["e"]), ("e", &["c"])]);
    assert_eq!(circles(&two), [vec!["a", "b"], vec!["c", "d", "e"]]);
    let eight = needs(&[("a", &["b"]), ("b", &["a", "c"]), ("c", &["b"])]);
    assert_eq!(circles(&eight), [["a", "b", "c"]]);
}

#[test]
fn a_circle_of_rooms_is_found_and_one_within_a_room_is_none() {
    let circle = |files: &[(&str, &str)]| circles(&rooms(&library(files).needs()));
    let found = circle(&[
        ("a/one.rs", "use crate::b::B;"),
        ("a/two.rs", ""),
        ("b.rs", "use crate::c::deep::C;"),
        ("c/mod.rs", "mod deep;"),
        ("c/deep.rs", "use crate::a::two::A;"),
    ]);
    assert_eq!(found, [["a", "b", "c"]]);
    let found = circle(&[
        ("a/one.rs", "use crate::a::two::A;"),
        ("a/two.rs", "use super::one::B; use crate::b::C;"),
        ("b.rs", ""),
    ]);
    assert_eq!(found, [[""; 0]; 0]);
}

#[test]
fn a_circle_of_files_is_allowed_where_each_has_methods_of_one_type() {
    let held = "struct T; use crate::b::f; impl T { fn g() {} }";
    for (other, loose) in [
        ("use crate::a::T; impl T { fn h() {} }", false),
        ("use crate::a::T; impl<A: Fn() -> u8> Clone for T {}", false),
        ("use crate::a::T; impl<A> crate::a::T<A> where A: Copy { fn h() {} }", false),
        ("use crate::a::T; fn f(t: T) {}", true),
        ("use crate::a::T; fn f() -> impl Into<T> {}", true),
        ("use crate::a::T; impl From<T> for u8 {}", true),
        ("use crate::a::T; struct S; impl S {}", true),
        ("use crate::a::T; #[cfg(test)] impl T {}", true),
    ] {
        let library = library(&[("a.rs", held), ("b.rs", other), ("c.rs", "use crate::a::T;")]);
        let expected: &[[&str; 2]] = if loose { &[["a.rs", "b.rs"]] } else { &[] };
        assert_eq!(library.loose_circles(), expected, "{other}");
    }
}

#[test]
fn a_type_of_others_holds_no_circle_together() {
    let library = library(&[
        ("a.rs", "use crate::b::B; struct A; impl From<A> for String {}"),
        ("b.rs", "use crate::a::A; struct B; impl From<B> for String {}"),
    ]);
    assert_eq!(library.loose_circles(), [["a.rs", "b.rs"]]);
}

#[test]
fn methods_are_found_whatever_stands_before_their_type() {
    for (source, types) in [
        ("impl A {}", vec!["A"]),
        (
            "#[x(y)] impl<'a, T: B<C>> A<'a, T> where T: Copy {} unsafe impl Send for D {}",
            vec!["A", "D"],
        ),
        ("impl std::fmt::Debug for a::b::C<'_> { fn f() { struct X; impl X {} } }", vec!["C", "X"]),
        ("impl<F: Fn(u8) -> u8> T<F> for &mut A {} fn f(x: impl A) -> impl B {}", vec!["A"]),
        ("impl PartialEq<dyn X> for dyn A {} type I = Box<dyn Fn() -> u8>;", vec!["A"]),
    ] {
        assert_eq!(implemented_types(source), types, "{source}");
    }
}

#[test]
fn types_of_every_kind_are_found() {
    for (source, types) in [
        ("struct A; pub struct B(u8); pub(crate) enum C {} trait D { type X; fn f(); }", "A B C D"),
        ("pub(super) type E = u8; impl X for Y { type Z = u8; fn f() { type F = u8; } }", "E F"),
        ("#[derive(Debug)] struct G<T> { r#type: T } mod m { pub(in crate::x) struct H; }", "G H"),
        (
            "impl Iterator for I { type Item = u8; } fn f() { struct J; impl T for J { type K = u8; } }",
            "J",
        ),
        ("#[cfg(test)] struct L; #[cfg(test)] mod tests { struct M; } // struct N;", ""),
        (
            "const S: &str = \"struct O;\"; fn f(the_struct: u8) { x::<Q>(); } pub trait R: Sized {}",
            "R",
        ),
    ] {
        assert_eq!(defined_types(source).join(" "), types, "{source}");
    }
}

#[test]
fn a_type_that_is_defined_in_two_files_is_found() {
    let library = library(&[
        ("a.rs", "struct T; mod m { struct T; } struct U;"),
        ("b/mod.rs", "#[cfg(test)] struct U; type V = u8;"),
        ("b/c.rs", "pub trait T {} trait W { type V; }"),
    ]);
    let found = library.ambiguous_types();
    assert_eq!(found.into_iter().collect::<Vec<_>>(), [("T".to_owned(), vec!["a.rs", "b/c.rs"])]);
}

#[test]
fn a_path_is_known_by_the_name_that_it_gets() {
    let source = "mod x; use crate::a::{B, c::D as E, self}; pub(crate) use x::F; use super as up;
                  fn f() { crate::g::H }";
    let named = named_paths(source, &["m", "n"]);
    let shown: Vec<String> = named
        .iter()
        .map(|named| format!("{}={}", named.name.as_deref().unwrap_or("-"), named.path.join("::")))
        .collect();
    assert_eq!(shown, ["B=a::B", "E=a::c::D", "a=a", "F=m::n::x::F", "up=m", "-=g::H"]);
}
