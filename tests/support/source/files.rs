//! The files of the library.

use std::fs;
use std::path::{Path, PathBuf};

use super::test_modules;

/// One file of a library.
pub(crate) struct File {
    /// Its name below the folder of sources.
    pub(crate) name: String,
    /// The path of its module; empty for the root.
    pub(crate) module: Vec<String>,
    pub(crate) text: String,
}

/// The files of this library without those for tests, in the order of their names.
pub(crate) fn sources() -> Vec<File> {
    let mut files = files_of("src");
    files.retain(|file| !file.name.starts_with("bin/"));
    files
}

/// The same of the command.
pub(crate) fn command_sources() -> Vec<File> {
    files_of("src/bin/siot")
}

fn files_of(folder: &str) -> Vec<File> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut paths = Vec::new();
    collect(&folder, &mut paths);
    paths.sort();
    let mut files: Vec<File> = paths
        .iter()
        .map(|path| {
            let name = path.strip_prefix(&folder).expect("a path below").display().to_string();
            let text = fs::read_to_string(path).expect("a source file");
            File { module: module(&name), name, text }
        })
        .collect();
    let for_tests: Vec<Vec<String>> = files
        .iter()
        .flat_map(|file| {
            let names = test_modules(&file.text).into_iter();
            names.map(|name| [file.module.as_slice(), &[name]].concat())
        })
        .collect();
    files.retain(|file| !for_tests.iter().any(|test| file.module.starts_with(test)));
    files
}

/// Every Rust file below the folder.
fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).expect("a folder of sources");
    for path in entries.map(|entry| entry.expect("an entry").path()) {
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The path of the module in a file: `["net", "dial"]` for `net/dial.rs` and for `net/dial/mod.rs`.
fn module(name: &str) -> Vec<String> {
    let path = name.trim_end_matches(".rs");
    if path == "lib" || path == "main" {
        return Vec::new();
    }
    path.trim_end_matches("/mod").split('/').map(str::to_owned).collect()
}
