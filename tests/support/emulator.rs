//! Programs of the processor that the tests are for, which the kernel of this machine may not run by itself.

use std::path::Path;
use std::process::Command;

/// Names the command of the emulator, where one runs the tests.
const EMULATOR: &str = "SIOT_TEST_EMULATOR";

/// A command that starts a program for the processor of this one.
pub(crate) fn command(program: &Path) -> Command {
    let emulator = std::env::var(EMULATOR).unwrap_or_default();
    let mut words = emulator.split_whitespace();
    let Some(first) = words.next() else {
        return Command::new(program);
    };
    let mut command = Command::new(first);
    command.args(words).arg(program);
    command
}
