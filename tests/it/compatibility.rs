//! What COMPATIBILITY.md and DELIVERY.md say of tests.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The functions in the Rust files below a folder.
fn functions(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() && !path.ends_with("node_modules") {
            functions(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = fs::read_to_string(&path).expect("a source");
            let names = source.lines().filter_map(|line| line.trim_start().strip_prefix("fn "));
            found.extend(names.filter_map(|line| Some(line.split_once('(')?.0.to_owned())));
        }
    }
}

/// The names of all functions, and a page.
fn known_and(page: &str) -> (BTreeSet<String>, String) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join(page)).expect("the page");
    let mut known = BTreeSet::new();
    functions(&root.join("tests"), &mut known);
    functions(&root.join("src"), &mut known);
    (known, page)
}

/// In `DELIVERY.md`, whatever reads like a test and no word of the interface is one.
#[test]
fn the_tests_that_show_what_is_promised_exist() {
    let (known, page) = known_and("DELIVERY.md");
    let words = page.split('`').skip(1).step_by(2);
    let named: Vec<_> = words.filter(|word| word.matches('_').count() > 2).collect();
    assert!(named.len() > 20, "{named:?}");
    for name in named {
        let is_option = name.contains("::");
        assert!(is_option || known.contains(name), "there is no test `{name}`");
    }
}

#[test]
fn the_tests_that_show_compatibility_exist() {
    let (known, page) = known_and("COMPATIBILITY.md");
    let mut named = 0;
    for line in page.lines().filter(|line| line.starts_with("| ")) {
        let tests =
            line.strip_suffix('|').unwrap_or(line).rsplit_once('|').map_or("", |(_, tests)| tests);
        for name in tests.split('`').skip(1).step_by(2) {
            // A folder is named where it is all of it.
            if !name.contains('/') {
                assert!(known.contains(name), "there is no test `{name}`");
                named += 1;
            }
        }
    }
    assert!(named > 100, "{named} tests are named");
}
