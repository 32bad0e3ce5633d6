//! The command `siot`, as a person uses it: its own program, against real servers and peers that do harm.

mod bench;
mod doctor;
mod emit;
mod help;
mod listen;
mod options;
#[path = "../support/mod.rs"]
mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;

use crossbeam_channel::{Receiver, unbounded};

use crate::support::emulator;
use crate::support::wait::{LIMIT, recv_within};

/// What the command has said when it had ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// The command on its way. It is killed when this value is dropped.
pub(crate) struct Running {
    child: Child,
    pub(crate) stdin: Option<ChildStdin>,
    pub(crate) out: Receiver<String>,
    pub(crate) err: Receiver<String>,
}

/// The command, with an environment that says nothing to it.
pub(crate) fn siot(args: &[&str]) -> Command {
    let mut command = emulator::command(Path::new(env!("CARGO_BIN_EXE_siot")));
    command.args(args);
    for variable in
        ["SIOT_AUTH", "SIOT_PASSPHRASE", "NO_COLOR", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"]
    {
        command.env_remove(variable).env_remove(variable.to_lowercase());
    }
    command
}

/// Runs it to its end.
#[track_caller]
pub(crate) fn run(args: &[&str]) -> Said {
    start(siot(args)).end()
}

/// Runs it to its end with this on standard input.
#[track_caller]
pub(crate) fn fed(args: &[&str], input: &str) -> Said {
    let mut running = start(siot(args));
    let mut stdin = running.stdin.take().expect("a piped stdin");
    stdin.write_all(input.as_bytes()).expect("it reads");
    drop(stdin);
    running.end()
}

/// Starts it.
#[track_caller]
pub(crate) fn start(mut command: Command) -> Running {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let out = lines(child.stdout.take().expect("a piped stdout"));
    let err = lines(child.stderr.take().expect("a piped stderr"));
    Running { stdin: child.stdin.take(), child, out, err }
}

fn lines(source: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = unbounded();
    thread::spawn(move || {
        for line in BufReader::new(source).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

impl Running {
    /// Waits until it has connected, which `listen` says.
    #[track_caller]
    pub(crate) fn connected(&self) {
        let said = recv_within(&self.err, LIMIT);
        assert!(said.starts_with("siot: connected to "), "{said}");
    }

    /// The next line of its standard output.
    #[track_caller]
    pub(crate) fn line(&self) -> String {
        recv_within(&self.out, LIMIT)
    }

    /// Sends it a signal such as `TERM`.
    #[track_caller]
    pub(crate) fn signal(&self, name: &str) {
        // The shell's own `kill`: the program of that name is not installed everywhere.
        let command = format!("kill -{name} {}", self.child.id());
        let status = Command::new("sh").args(["-c", &command]).status().expect("a shell");
        assert!(status.success(), "{command}");
    }

    /// Waits until it ends, and gives what it has said since.
    #[track_caller]
    pub(crate) fn end(mut self) -> Said {
        drop(self.stdin.take());
        let rest = |lines: &Receiver<String>| {
            let mut text = String::new();
            loop {
                match lines.recv_timeout(LIMIT) {
                    Ok(line) => text += &(line + "\n"),
                    Err(error) if error.is_disconnected() => return text,
                    Err(_) => panic!("it does not end; so far it has said:\n{text}"),
                }
            }
        };
        let (out, err) = (rest(&self.out), rest(&self.err));
        let status = self.child.wait().expect("an end");
        Said { code: status.code().unwrap_or(-1), out, err }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Fails only if it has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Said {
    /// Checks the code it ended with; gives what it printed.
    #[track_caller]
    pub(crate) fn ended_with(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        self
    }
}
