//! The examples as programs.

use std::process::Command;

#[path = "../../../tests/support/emulator.rs"]
mod emulator;

/// An example, where Cargo has put it: beside the folder of this test.
pub(crate) fn command(name: &str) -> Command {
    let this = std::env::current_exe().expect("a path");
    let program = this.ancestors().nth(2).expect("a folder above").join("examples").join(name);
    assert!(
        program.exists(),
        "no {}: is it in Cargo.toml? `cargo test --examples` builds it",
        program.display()
    );
    emulator::command(&program)
}
