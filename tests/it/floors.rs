//! The architecture: each module stands on a floor and imports only from its own or a lower one.

use std::collections::BTreeMap;

use crate::support::source::{File, crate_paths, identifiers, sources, test_modules};

/// The modules at the crate's root, by floor.
const FLOORS: [&[&str]; 9] = [
    &["calendar", "error"],
    &["options", "sync", "payload"],
    &["proto"],
    &["event"],
    &["core"],
    &["net"],
    &["driver"],
    &["client", "internal", "server"],
    &["outbox", "testing"],
];

/// Higher and lower, and yet strangers: only `driver` knows both.
const STRANGERS: [(&str, &str); 1] = [("net", "core")];

/// The names of the revisions of the protocols. Addresses have a `V4` too.
const REVISIONS: [&str; 5] = ["V3", "Revision::V4", "v4::V4", "V3_DIALECT", "V4_DIALECT"];

/// The files that may name them: where they are made, where one is chosen, and where the user says
/// it. Whatever else differs between them is a method of `Dialect`.
const NAME_REVISIONS: [&str; 7] = [
    "internal/mod.rs",
    "options/names.rs",
    "options/revision.rs",
    "proto/dialect/detector.rs",
    "proto/dialect/detector/first_body.rs",
    "proto/dialect/choice.rs",
    "proto/dialect/v3.rs",
];

/// The files that may name the number of a revision besides: the trait that has it, and who gives
/// it on, to servers and to users. It is not for deciding anything.
const NAME_NUMBERS: [&str; 5] = [
    "client/manager.rs",
    "driver/client/link.rs",
    "net/address.rs",
    "proto/dialect/mod.rs",
    "proto/dialect/v4.rs",
];

fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|modules| modules.contains(&module))
}

/// What is wrong with the imports of one file. `exports` tells where the names at the root come from.
fn violations(
    file: &str,
    source: &str,
    module: &[&str],
    exports: &BTreeMap<String, String>,
) -> Vec<String> {
    let own = module[0];
    let Some(own_floor) = floor(own) else {
        return vec![format!(
            "{file}: module `{own}` stands on no floor; give it one in this test"
        )];
    };
    let mut found = Vec::new();
    for path in crate_paths(source, module) {
        let named = path.join("::");
        let first = path.first().map_or("", String::as_str);
        let target = if floor(first).is_some() {
            Some(first)
        } else {
            exports.get(first).map(String::as_str)
        };
        match target.and_then(|target| Some((target, floor(target)?))) {
            None => found.push(format!("{file}: `crate::{named}` leads to no known module")),
            Some((target, floor)) if floor > own_floor => found.push(format!(
                "{file}: `{own}` (floor {own_floor}) imports `crate::{named}` from `{target}` (floor {floor})"
            )),
            Some((target, _)) if STRANGERS.contains(&(own, target)) => {
                found.push(format!("{file}: `{own}` must not know `{target}`: `crate::{named}`"));
            }
            Some(_) => {}
        }
    }
    found
}

/// The public names at the crate's root and the modules they come from, read from `lib.rs`.
fn exports(lib: &str) -> BTreeMap<String, String> {
    let mut exports = BTreeMap::new();
    // `pub use error::{A, B};` is the only form in use; in its place the root could be named.
    let rooted = lib.replace("pub use ", "pub use crate::");
    for path in crate_paths(&rooted, &[]) {
        if let [module, .., name] = path.as_slice() {
            exports.insert(name.clone(), module.clone());
        }
    }
    exports
}

/// The files of the library but for the root, which names everything.
fn library() -> Vec<File> {
    let mut files = sources();
    files.retain(|file| !file.module.is_empty());
    files
}

#[test]
fn imports_point_down() {
    let root = sources().into_iter().find(|file| file.module.is_empty()).unwrap();
    let exports = exports(&root.text);
    let library = library();
    assert!(library.len() > 5, "only {} files were read", library.len());
    let mut found = Vec::new();
    for File { name, module, text } in library {
        let module: Vec<&str> = module.iter().map(String::as_str).collect();
        found.extend(violations(&name, &text, &module, &exports));
    }
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

/// The revisions that a source text names.
fn revisions(source: &str) -> Vec<String> {
    let names = identifiers(source);
    let pairs = names.windows(2).map(|pair| pair.join("::"));
    let mut all: Vec<String> = pairs.chain(names.iter().cloned()).collect();
    all.retain(|name| REVISIONS.contains(&name.as_str()));
    all
}

#[test]
fn nothing_asks_which_revision_it_is() {
    let mut seen = 0;
    for File { name: file, text, .. } in library() {
        let found = revisions(&text);
        if NAME_REVISIONS.contains(&file.as_str()) {
            seen += usize::from(!found.is_empty());
        } else {
            assert!(found.is_empty(), "{file} names {found:?}: make it a method of `Dialect`");
        }
    }
    assert_eq!(seen, NAME_REVISIONS.len(), "a file is listed that names no revision");
}

#[test]
fn nothing_asks_for_the_number_of_a_revision() {
    let mut seen = 0;
    for File { name: file, text, .. } in library() {
        let found = identifiers(&text).iter().any(|name| name == "eio");
        if NAME_NUMBERS.contains(&file.as_str()) {
            seen += usize::from(found);
        } else if !NAME_REVISIONS.contains(&file.as_str()) {
            assert!(!found, "{file} asks for the number: make it a method of `Dialect`");
        }
    }
    assert_eq!(seen, NAME_NUMBERS.len(), "a file is listed that names no number");
}

#[test]
fn a_question_for_the_revision_is_found() {
    for source in [
        "fn f(r: Revision) { matches!(r, Revision::V3) }",
        "fn f(r: Revision) { matches!(r, Revision::V4) }",
        "use x::{V4_DIALECT as A};",
        "use super::v4::V4;",
    ] {
        assert_eq!(revisions(source).len(), 1, "{source}");
    }
    let innocent = "// V3\nconst X: &str = \"V4_DIALECT\"; use x::IpAddr::V4; #[cfg(test)] mod tests { use V3; }";
    assert_eq!(revisions(innocent), [""; 0]);
}

fn check(source: &str, module: &[&str]) -> Vec<String> {
    let exports = exports("mod x; pub use manager::{Manager, self}; pub use error::Result;");
    violations("x.rs", source, module, &exports)
}

#[test]
fn an_import_from_a_higher_floor_is_found() {
    for (source, module) in [
        ("use crate::net::dial;", ["core", "engine"]),
        ("use crate::{error::Error, driver::{self}};", ["net", "dial"]),
        ("use crate::{\n    error::Error,\n    core,\n};", ["proto", "text"]),
        ("fn f() { let x = crate::driver::run::<u8>(); }", ["core", "engine"]),
        ("use super::super::driver as d;", ["core", "engine"]),
        ("use super::super::{error, driver};", ["core", "engine"]),
        ("mod inner { use super::super::super::driver; }", ["core", "engine"]),
        ("use crate::Manager;", ["error", "kind"]),
        ("fn f() -> crate::Manager { g('\"', b'\\'', \"\\\"\") }", ["error", "kind"]),
        ("use crate::core::engine;", ["net", "dial"]),
        ("use crate as root;", ["net", "dial"]),
        ("use crate::*;", ["net", "dial"]),
        ("use crate::unheard_of::Thing;", ["net", "dial"]),
        ("#[cfg(test)] mod tests { use crate::core; } use crate::driver;", ["net", "dial"]),
        ("#[cfg(test)] use crate::core; use crate::driver;", ["net", "dial"]),
        ("fn f<'a>(x: &'a str) { crate::driver::g(x) }", ["net", "dial"]),
    ] {
        assert_eq!(check(source, &module).len(), 1, "{source}: {:?}", check(source, &module));
    }
    assert_eq!(check("", &["unheard_of"]).len(), 1);
}

#[test]
fn a_file_for_tests_only_is_known() {
    let source = "mod a; #[cfg(test)] mod b; #[cfg(test)] pub(crate) mod c; #[cfg(test)] use x::y;
                  #[cfg(all(test, feature = \"d\"))] mod d; #[cfg(test)] mod tests { fn f() {} }";
    assert_eq!(test_modules(source), ["b", "c", "d"]);
}

#[test]
fn an_import_from_below_is_fine() {
    for (source, module) in [
        ("use crate::error::{Error, Result};", ["core", "engine"]),
        ("use crate::{core::engine, net::{dial, tls::Tls}};", ["driver", "monitor"]),
        ("use super::timer::Timer; use super::{a, b};", ["core", "engine"]),
        ("mod inner { use super::*; use super::super::timer; }", ["core", "engine"]),
        ("// use crate::driver;\n/* crate::driver /* */ crate::driver */", ["core", "engine"]),
        (
            "const A: &str = \"crate::driver\"; const B: &str = r#\"\" crate::driver\"#;",
            ["core", "x"],
        ),
        ("const C: &[u8] = b\"crate::driver\";", ["core", "x"]),
        ("#[cfg(test)]\nmod tests { use crate::driver; fn f() { {} } }", ["core", "x"]),
        ("pub(crate) fn f() {} pub(in crate::driver) fn g() {}", ["core", "x"]),
        ("fn f() -> crate::Result<()> {}", ["core", "x"]),
    ] {
        assert_eq!(check(source, &module), [""; 0], "{source}");
    }
}
