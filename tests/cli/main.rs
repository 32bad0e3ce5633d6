//! The command `siot`, as a person uses it: its own program, against real servers and peers that do harm.
#![allow(clippy::needless_pass_by_value, reason = "`json!` makes values to be given away")]

mod bench;
mod doctor;
mod emit;
mod help;
mod listen;
mod options;
mod serve;
#[path = "../support/mod.rs"]
mod support;
mod terminal;

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};
use tungstenite::Message;

use crate::support::process;
use crate::support::raw::RawPeer;
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
    let mut command = process::siot();
    command.args(args);
    for variable in
        ["SIOT_AUTH", "SIOT_PASSPHRASE", "NO_COLOR", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"]
    {
        command.env_remove(variable).env_remove(variable.to_lowercase());
    }
    command
}

/// A server that lets a client in and reads nothing from it then.
pub(crate) struct DeafServer {
    /// Its end comes before that of the peer, which waits for its connections.
    _open: Sender<()>,
    peer: RawPeer,
}

impl DeafServer {
    pub(crate) fn start() -> Self {
        let (open, wait) = bounded::<()>(0);
        let peer = RawPeer::websocket(move |socket, _| {
            let open = r#"0{"sid":"s","upgrades":[],"pingInterval":25000,"pingTimeout":20000}"#;
            socket.send(Message::text(open))?;
            socket.read()?;
            socket.send(Message::text(r#"40{"sid":"x"}"#))?;
            // It fails when the server ends.
            let _ = wait.recv();
            Ok(())
        });
        Self { _open: open, peer }
    }

    pub(crate) fn url(&self) -> String {
        self.peer.url()
    }

    /// What a client has to know of it.
    pub(crate) const OPTIONS: [&str; 4] = ["--transports", "websocket", "--revision", "4"];
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
                // Much may be done in silence.
                match lines.recv_timeout(3 * LIMIT) {
                    Ok(line) => text += &(line + "\n"),
                    Err(RecvTimeoutError::Disconnected) => return text,
                    Err(RecvTimeoutError::Timeout) => {
                        panic!("it does not end; so far it has said:\n{text}")
                    }
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
