//! Real Socket.IO servers: `tests/servers/server.js`, whose header lists options, commands and events.

use std::fmt;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use crossbeam_channel::{Receiver, unbounded};
use serde_json::{Value, json};
use siot::ParserKind;

use super::wait::LIMIT;

/// Each parser, with its name for the server.
pub(crate) const PARSERS: &[(ParserKind, Option<&str>)] = &[
    (ParserKind::Json, None),
    (ParserKind::PlainJson, Some("json")),
    #[cfg(feature = "msgpack")]
    (ParserKind::MessagePack, Some("msgpack")),
];

/// Names the address of the launcher, where the tests are to have their servers started by it.
const LAUNCHER: &str = "SIOT_TEST_LAUNCHER";

/// A server in a process of its own, which is killed when this value is dropped.
pub(crate) struct Server {
    config: Value,
    port: u16,
    process: Mutex<Option<Process>>,
}

struct Process {
    pid: u32,
    holder: Holder,
    stdin: Box<dyn Write + Send>,
    lines: Receiver<String>,
}

/// What the life of a server depends on.
enum Holder {
    /// It is a child of this process.
    Child(Child),
    /// It is a child of `tests/servers/launcher.js`, at the other end of this connection.
    Launcher(TcpStream),
}

impl Server {
    /// Starts a server and waits until it listens. `json!({})` gives socket.io 4 with its defaults.
    #[track_caller]
    pub(crate) fn start(config: Value) -> Self {
        let mut config = config;
        let (process, port) = Process::spawn(&config);
        config["port"] = json!(port);
        Self { config, port, process: Mutex::new(Some(process)) }
    }

    /// A server of this major version of socket.io (4, 3, 2 or 1) with these options.
    #[track_caller]
    pub(crate) fn version(version: u32, options: Value) -> Self {
        Self::start(json!({ "version": version, "options": options }))
    }

    /// `http://127.0.0.1:PORT`, or `https:` if the server has TLS.
    pub(crate) fn url(&self) -> String {
        let scheme = if self.config["tls"].is_object() { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn pid(&self) -> u32 {
        self.running().as_ref().expect("a running server").pid
    }

    /// Performs a command such as `json!({"cmd": "sessions"})` and returns its result.
    #[track_caller]
    pub(crate) fn command(&self, command: Value) -> Value {
        let mut running = self.running();
        let process = running.as_mut().expect("a running server");
        let text = format!("{command}\n");
        process.stdin.write_all(text.as_bytes()).expect("the server reads commands");
        let line = process.line(&format!("the answer to {command}"));
        let mut answer: Value = serde_json::from_str(&line).expect("the server answers in JSON");
        assert!(answer.get("error").is_none(), "{command}: {}", answer["error"]);
        answer["ok"].take()
    }

    /// Performs a command that needs no arguments.
    #[track_caller]
    pub(crate) fn cmd(&self, name: &str) -> Value {
        self.command(json!({ "cmd": name }))
    }

    /// The entries of `log`, `requests` or `events`.
    #[track_caller]
    pub(crate) fn entries(&self, list: &str) -> Vec<Value> {
        match self.cmd(list)["entries"].take() {
            Value::Array(entries) => entries,
            other => panic!("{list} is {other}"),
        }
    }

    /// How many Engine.IO sessions the server holds.
    #[track_caller]
    pub(crate) fn sessions(&self) -> u64 {
        self.cmd("sessions")["engine"].as_u64().expect("a number of sessions")
    }

    /// Closes all connections in order, and ends the process.
    #[track_caller]
    pub(crate) fn stop(&self) {
        self.cmd("close");
        self.kill();
    }

    /// Ends the process by SIGKILL: the kernel closes its connections.
    pub(crate) fn kill(&self) {
        drop(self.running().take());
    }

    /// Starts the server anew on its port, after `stop` or `kill`, or after a kill of its own. Where that takes long, as on
    /// a busy machine, clients fail so often meanwhile that the statuses of before give way: have them heard by then.
    #[track_caller]
    pub(crate) fn restart(&self) {
        self.kill();
        let (process, port) = Process::spawn(&self.config);
        assert_eq!(port, self.port);
        *self.running() = Some(process);
    }

    /// Stops the process without closing anything: connections stay, and nobody answers.
    pub(crate) fn freeze(&self) {
        self.signal("STOP");
    }

    /// Lets a frozen process go on.
    pub(crate) fn thaw(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        // The shell's own `kill`: the program of that name is not installed everywhere.
        let command = format!("kill -{name} {}", self.pid());
        let status = Command::new("sh").args(["-c", &command]).status().expect("a shell");
        assert!(status.success(), "{command}");
    }

    fn running(&self) -> MutexGuard<'_, Option<Process>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server {}", self.config)
    }
}

impl Process {
    #[track_caller]
    fn spawn(config: &Value) -> (Self, u16) {
        assert!(
            servers().join("node_modules/socket.io/package.json").exists(),
            "the test servers are not installed: run `tests/install`"
        );
        // From here on the process is killed if anything fails.
        let mut process = match std::env::var(LAUNCHER) {
            Ok(address) => Self::launch(&address, config),
            Err(_) => Self::child(config),
        };
        let line = process.line("its port");
        let first: Value = serde_json::from_str(&line).expect("the server tells its port in JSON");
        let number =
            |name: &str| first[name].as_u64().and_then(|number| u32::try_from(number).ok());
        process.pid = number("pid").expect("a process id");
        let port = number("port").and_then(|port| u16::try_from(port).ok());
        (process, port.expect("a port number"))
    }

    /// Starts a server, which has not told its process id yet.
    #[track_caller]
    fn child(config: &Value) -> Self {
        let mut child = Command::new("node")
            .arg("--no-deprecation")
            .args([servers().join("server.js").as_os_str(), config.to_string().as_ref()])
            // A clock that is wrong is this process's own.
            .env_remove("LD_PRELOAD")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!(
                    "cannot start `node`: {error}. The integration tests need Node.js 18 or newer: \
                     run `tests/install`"
                )
            });
        let stdin = child.stdin.take().expect("a piped stdin");
        let stdout = child.stdout.take().expect("a piped stdout");
        Self::new(Holder::Child(child), stdin, stdout)
    }

    /// Lets the launcher start a server, which has not told its process id yet.
    #[track_caller]
    fn launch(address: &str, config: &Value) -> Self {
        let mut stream = TcpStream::connect(address).expect("the launcher of servers");
        stream.set_nodelay(true).expect("a TCP option");
        stream.write_all(format!("{config}\n").as_bytes()).expect("the launcher reads");
        let clone = || stream.try_clone().expect("another handle");
        let (stdin, stdout) = (clone(), clone());
        Self::new(Holder::Launcher(stream), stdin, stdout)
    }

    fn new(
        holder: Holder,
        stdin: impl Write + Send + 'static,
        stdout: impl Read + Send + 'static,
    ) -> Self {
        let (sender, lines) = unbounded();
        thread::Builder::new()
            .name("test-server".into())
            .spawn(move || {
                for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                    if sender.send(line).is_err() {
                        break;
                    }
                }
            })
            .expect("a thread to read the server's answers");
        Self { pid: 0, holder, stdin: Box::new(stdin), lines }
    }

    #[track_caller]
    fn line(&self, what: &str) -> String {
        match self.lines.recv_timeout(LIMIT) {
            Ok(line) => line,
            Err(error) => panic!("the test server did not say {what}: {error}; its stderr has why"),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        match &mut self.holder {
            // Fails only if the process has ended by itself.
            Holder::Child(child) => {
                let _ = child.kill();
                let _ = child.wait();
            }
            // The launcher kills it, and closes its side when it has ended.
            Holder::Launcher(stream) => {
                let _ = stream.shutdown(Shutdown::Write);
                while self.lines.recv_timeout(LIMIT).is_ok() {}
            }
        }
    }
}

fn servers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers")
}
