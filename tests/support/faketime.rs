//! Processes whose clock is wrong, by libfaketime.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use super::process::again;

/// Names the file that the clock follows, in the processes that have one.
const CLOCK: &str = "FAKETIME_TIMESTAMP_FILE";

/// The wall clock of this process, for the test to set. What counts the time that passes is right.
pub(crate) struct WallClock(PathBuf);

/// Runs the calling test's closure in a process of its own, whose clock starts with this time.
///
/// Call it as the whole body of a test: `fn claim() { at("1970-01-01 00:00:10", |clock| { … }); }`.
#[track_caller]
pub(crate) fn at<F: FnOnce(&WallClock)>(time: &str, body: F) {
    let mut temporary = None;
    let start = |program: PathBuf| {
        let name =
            format!("siot-clock-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let clock = WallClock(std::env::temp_dir().join(name));
        clock.set(time);
        let mut command = Command::new(program);
        command.envs(clock.environment());
        temporary = Some(Temporary(clock.0));
        command
    };
    if again::<F>(start) {
        body(&WallClock(std::env::var_os(CLOCK).expect("the clock's file").into()));
    }
}

/// Tells the files of tests apart that run at the same time.
static NEXT: AtomicU32 = AtomicU32::new(0);

/// A file that is gone at the end of its test, however that ends.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // It fails only where nothing was written.
        let _ = std::fs::remove_file(&self.0);
    }
}

impl WallClock {
    /// Sets it; it runs on from there.
    #[track_caller]
    pub(crate) fn set(&self, time: &str) {
        // Replaced at once: a clock that is half written is another time.
        let new = self.0.with_extension("new");
        std::fs::write(&new, format!("@{time}\n")).expect("a file in the temporary folder");
        std::fs::rename(&new, &self.0).expect("a file in the temporary folder");
    }

    fn environment(&self) -> [(&'static str, OsString); 5] {
        [
            ("LD_PRELOAD", library().into()),
            (CLOCK, self.0.clone().into()),
            ("FAKETIME_NO_CACHE", "1".into()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
            ("TZ", "UTC".into()),
        ]
    }
}

/// Where the distribution keeps the library, by its kind of processor.
#[track_caller]
fn library() -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let mut files =
        folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1")).collect::<Vec<_>>();
    files.push("/usr/lib/faketime/libfaketimeMT.so.1".into());
    files.retain(|file| Path::exists(file));
    files.pop().expect("libfaketime is not installed; apt install faketime")
}
