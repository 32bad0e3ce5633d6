//! This process as the kernel sees it, and tests that want a process for themselves.

use std::any::type_name;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use super::emulator;

const ALONE: &str = "SIOT_TEST_ALONE";

/// The names of all threads of this process, sorted. The kernel cuts names to 15 bytes.
pub(crate) fn threads() -> Vec<String> {
    let tasks = fs::read_dir("/proc/self/task").expect("procfs");
    let mut names: Vec<String> = tasks
        // A thread may end between the listing and the reading.
        .filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok())
        .map(|name| name.trim_end().to_owned())
        .collect();
    names.sort();
    names
}

/// The processor time that siot's threads have taken so far, of those that live.
pub(crate) fn cpu_time_of_ours() -> Duration {
    let tasks = fs::read_dir("/proc/self/task").expect("procfs");
    let of_each = tasks.filter_map(|task| {
        let task = task.ok()?.path();
        let name = fs::read_to_string(task.join("comm")).ok()?;
        let stat = fs::read_to_string(task.join("stat")).ok()?;
        // Behind the name, which may have spaces in it.
        let (_, columns) = stat.rsplit_once(')')?;
        let ticks = |index| columns.split_whitespace().nth(index)?.parse::<u64>().ok();
        name.starts_with("siot-").then_some(ticks(11)? + ticks(12)?)
    });
    // Linux counts a hundred a second.
    Duration::from_millis(of_each.sum::<u64>() * 10)
}

/// How often the threads of this name have waited so far, of those that live.
pub(crate) fn switches_of(thread: &str) -> u64 {
    let tasks = fs::read_dir("/proc/self/task").expect("procfs");
    let of_each = tasks.filter_map(|task| {
        let task = task.ok()?.path();
        let name = fs::read_to_string(task.join("comm")).ok()?;
        let status = fs::read_to_string(task.join("status")).ok()?;
        let line = status.lines().find(|line| line.starts_with("voluntary_ctxt_switches"))?;
        let count = line.split_whitespace().nth(1)?.parse::<u64>().ok()?;
        (name.trim_end() == thread).then_some(count)
    });
    of_each.sum()
}

/// How many file descriptors this process has open.
pub(crate) fn fds() -> usize {
    // One of the entries is the descriptor that lists them.
    fs::read_dir("/proc/self/fd").expect("procfs").count() - 1
}

/// A command that starts this program anew.
pub(crate) fn this_program() -> Command {
    emulator::command(&std::env::current_exe().expect("own executable"))
}

/// Runs the calling test's closure in a process of its own: for what is counted by process
/// (threads, descriptors, memory), since other tests run at the same time in this one.
///
/// Call it as the whole body of a test: `fn claim() { alone(|| { … }); }`.
#[track_caller]
pub(crate) fn alone<F: FnOnce()>(body: F) {
    if again::<F>(|program| emulator::command(&program)) {
        body();
    }
}

/// Whether this is the process for the test that `F`, a closure in it, names. If not, runs the test
/// in one, which `start` makes of the path of this program; and fails with it.
#[track_caller]
pub(crate) fn again<F>(start: impl FnOnce(PathBuf) -> Command) -> bool {
    // The type of a closure names the function it stands in: crate::module::test::{{closure}}.
    let path = type_name::<F>().trim_end_matches("::{{closure}}");
    let (_, test) = path.split_once("::").expect("a closure in a function");
    if std::env::var(ALONE).as_deref() == Ok(test) {
        return true;
    }
    let mut command = start(std::env::current_exe().expect("own executable"));
    let output = command
        .args([test, "--exact", "--nocapture", "--include-ignored"])
        .env(ALONE, test)
        .output()
        .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
    let printed = String::from_utf8_lossy(&output.stdout);
    let ran = printed.contains("1 passed");
    assert!(
        output.status.success() && ran,
        "{test}, alone in its process:\n{printed}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    false
}

/// The command `siot`.
#[cfg(feature = "cli")]
pub(crate) fn siot() -> Command {
    emulator::command(std::path::Path::new(env!("CARGO_BIN_EXE_siot")))
}
