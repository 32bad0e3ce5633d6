//! The tree of dependencies: no async runtime, and no second HTTP stack, in any feature. (`mio`, by which the server waits, is none: it
//! wraps what the system has.)

use std::fs;
use std::path::Path;

use crate::support::source::{File, command_sources, sources};

/// Crates that must not come in, by name.
const BANNED: [&str; 12] = [
    "tokio",
    "futures",
    "smol",
    "async-std",
    "async-io",
    "embassy-executor",
    "glommio",
    "hyper",
    "reqwest",
    "isahc",
    "curl",
    "pollster",
];

/// And by the beginning of their names.
const BANNED_FAMILIES: [&str; 4] = ["tokio-", "futures-", "async-", "hyper-"];

/// The names of all packages in a lock file: of every feature, platform and kind of dependency.
fn packages(lock: &str) -> Vec<&str> {
    lock.lines().filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"')).collect()
}

fn banned(lock: &str) -> Vec<&str> {
    let mut names = packages(lock);
    names.retain(|name| {
        BANNED.contains(name) || BANNED_FAMILIES.iter().any(|family| name.starts_with(family))
    });
    names
}

#[test]
fn no_async_runtime_is_in_the_tree() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock");
    let lock = fs::read_to_string(file).expect("Cargo.lock is kept in the repository");
    let names = packages(&lock);
    assert!(names.contains(&"siot") && names.contains(&"tungstenite"), "not our lock: {names:?}");
    assert_eq!(banned(&lock), [""; 0]);
}

#[test]
fn an_async_runtime_would_be_found() {
    let lock = "[[package]]\nname = \"tokio\"\nversion = \"1.0.0\"\n\n[[package]]\nname = \"siot\"\n\
                dependencies = [\n \"tokio\",\n]\n\n[[package]]\nname = \"futures-core\"\n";
    assert_eq!(banned(lock), ["tokio", "futures-core"]);
}

#[test]
fn what_only_the_command_needs_is_in_no_file_of_the_library() {
    const OF_THE_COMMAND: [&str; 5] =
        ["clap", "clap_complete", "clap_mangen", "signal_hook", "x509_cert"];
    let uses = |files: &[File]| -> Vec<String> {
        let is_used = |text: &str, name: &str| text.contains(&format!("{name}::"));
        let of = |file: &File| {
            let used = OF_THE_COMMAND.iter().filter(|name| is_used(&file.text, name));
            used.map(|name| format!("{} {name}", file.name)).collect::<Vec<_>>()
        };
        files.iter().flat_map(of).collect()
    };
    assert_eq!(uses(&sources()), [""; 0]);
    assert!(uses(&command_sources()).len() >= OF_THE_COMMAND.len());
}
