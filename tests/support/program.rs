//! Programs that others wrote, as parts of a test: web servers, balancers, proxies, servers in Python.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;

use super::folder::Folder;
use super::wait::{LIMIT, eventually};

/// Runs a program ("$2"…) in the background, says its process id before the program says anything, and ends it by the signal
/// "$1" when standard input ends: so it cannot outlive the test.
const KEEPER: &str = r#"signal=$1; shift
    sh -c 'echo $$; exec "$@"' sh "$@" </dev/null & read _; kill "-$signal" $!; wait"#;

/// A program in a process of its own, which mostly listens on a port of loopback, and ends with this value.
pub(crate) struct Program {
    name: String,
    pid: u32,
    keeper: Child,
    /// What ends the program when it is closed: the input of the keeper.
    held: Option<ChildStdin>,
    /// Its own files, and what it says.
    folder: Folder,
}

impl Program {
    /// Starts a program, by its name or path, and waits until it listens on this port.
    /// `signal` ends it with all of its processes.
    #[track_caller]
    pub(crate) fn start(command: &[&str], signal: &str, folder: Folder, port: u16) -> Self {
        let is_listening = || TcpStream::connect(("127.0.0.1", port)).is_ok();
        Self::start_until(command, signal, folder, is_listening)
    }

    /// The same for one that is ready when this holds.
    #[track_caller]
    pub(crate) fn start_until(
        command: &[&str],
        signal: &str,
        folder: Folder,
        is_ready: impl FnMut() -> bool,
    ) -> Self {
        let name = command[0].to_owned();
        assert!(is_there(&name), "`{name}` is not installed: run `tests/install`");
        let log = || File::options().create(true).append(true).open(folder.path(LOG));
        let mut keeper = Command::new("sh")
            .args(["-c", KEEPER, "sh", signal])
            .args(command)
            .env("PATH", path())
            // A clock that is wrong is this process's own.
            .env_remove("LD_PRELOAD")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log().expect("a file for what it says"))
            .spawn()
            .expect("a shell");
        let held = keeper.stdin.take();
        let mut stdout = BufReader::new(keeper.stdout.take().expect("a piped stdout"));
        let mut first = String::new();
        stdout.read_line(&mut first).expect("a process id");
        let pid = first.trim().parse().expect("a process id");
        let mut into = log().expect("a file for what it says");
        thread::spawn(move || std::io::copy(&mut stdout, &mut into));
        let program = Self { name, pid, keeper, held, folder };
        eventually(LIMIT, "a program that listens", is_ready);
        program
    }

    /// Sends it a signal such as `HUP`.
    #[track_caller]
    pub(crate) fn signal(&self, name: &str) {
        // The shell's own `kill`: the program of that name is not installed everywhere.
        let command = format!("kill -{name} {}", self.pid);
        let status = Command::new("sh").args(["-c", &command]).status().expect("a shell");
        assert!(status.success(), "{command}");
    }

    /// The path of something in its folder.
    pub(crate) fn path(&self, name: impl AsRef<Path>) -> std::path::PathBuf {
        self.folder.path(name)
    }
}

/// Where a program's words are, in its folder.
pub(crate) const LOG: &str = "log";

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.held.take());
        let _ = self.keeper.wait();
        if thread::panicking() {
            let log = fs::read_to_string(self.folder.path(LOG)).unwrap_or_default();
            eprintln!("what {} said:\n{log}", self.name);
        }
    }
}

/// A port of loopback at which nobody listens, and that no other test gets: below those that the
/// system gives to whoever asks for port 0.
pub(crate) fn free_port() -> u16 {
    const FIRST: u32 = 20_000;
    const COUNT: u32 = 12_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    loop {
        // Other processes with tests begin elsewhere.
        let number = std::process::id() * 61 + u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = u16::try_from(FIRST + number % COUNT).expect("a port number");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Writes a file into a folder, and gives its path.
#[track_caller]
pub(crate) fn write(folder: &Folder, name: &str, text: &str) -> String {
    let path = folder.path(name);
    let mut file = File::create(&path).expect("a new file");
    file.write_all(text.as_bytes()).expect("a file that can be written");
    path.to_str().expect("a path in UTF-8").to_owned()
}

/// Also where administrators' programs are, which is not on everyone's path.
fn path() -> String {
    format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default())
}

fn is_there(program: &str) -> bool {
    path().split(':').any(|folder| Path::new(folder).join(program).exists())
}
