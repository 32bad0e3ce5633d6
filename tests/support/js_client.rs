//! Real clients: `tests/servers/client.js`, whose header lists what they do and tell.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::Instant;

use serde_json::{Value, json};
use siot::Transport;

use super::via::Via;
use super::wait::LIMIT;

/// The major versions of socket.io-client that there are.
pub(crate) const VERSIONS: [u32; 4] = [4, 3, 2, 1];

/// A client in JavaScript. A connection of its own is closed when it is dropped.
pub(crate) struct JsClient {
    number: u64,
    version: u32,
    heard: Arc<Heard>,
    next_answer: AtomicU64,
    /// Whether its connection is its own.
    is_first: bool,
}

/// What a client has told, and nobody has asked for yet.
#[derive(Default)]
struct Heard {
    lines: Mutex<VecDeque<Value>>,
    came: Condvar,
}

/// The process in which all clients live. It ends with this one, by the end of its input.
struct Clients {
    input: Mutex<ChildStdin>,
    each: Mutex<HashMap<u64, Arc<Heard>>>,
    next: AtomicU64,
    _process: Child,
}

impl JsClient {
    /// A client that begins to connect to the namespace that the URL names.
    #[track_caller]
    pub(crate) fn start(version: u32, via: Via, url: &str, options: Value) -> Self {
        let names: Vec<_> = via.transports().iter().map(|&one| name(one)).collect();
        let mut options = options;
        options["transports"] = json!(names);
        let client = Self::new(version, true);
        client.command("connect", json!({ "version": version, "url": url, "options": options }));
        client
    }

    /// A client that is connected and has come to its last transport.
    #[track_caller]
    pub(crate) fn connect(version: u32, via: Via, url: &str) -> Self {
        let client = Self::start(version, via, url, json!({}));
        client.connected();
        if via == Via::Upgrade {
            client.take("upgrade");
        }
        client
    }

    /// A client of another namespace on the same connection, which begins to join it. Versions 1 and 2 know no
    /// credentials of namespaces.
    #[track_caller]
    pub(crate) fn join(&self, namespace: &str, auth: Value) -> Self {
        let client = Self::new(self.version, false);
        let of = self.number;
        client.command("join", json!({ "of": of, "namespace": namespace, "auth": auth }));
        client
    }

    fn new(version: u32, is_first: bool) -> Self {
        let clients = Clients::get();
        let number = clients.next.fetch_add(1, Ordering::Relaxed) + 1;
        let heard = Arc::<Heard>::default();
        lock(&clients.each).insert(number, Arc::clone(&heard));
        Self { number, version, heard, next_answer: AtomicU64::new(0), is_first }
    }

    /// Waits until it is connected; gives its id.
    #[track_caller]
    pub(crate) fn connected(&self) -> String {
        self.take("connect")["id"].as_str().expect("an id").to_owned()
    }

    /// Waits until it is disconnected; gives the reason.
    #[track_caller]
    pub(crate) fn disconnected(&self) -> String {
        self.take("disconnect")["reason"].as_str().expect("a reason").to_owned()
    }

    #[track_caller]
    pub(crate) fn emit(&self, event: &str, args: Value) {
        self.command("emit", json!({ "event": event, "args": args }));
    }

    /// Emits, and asks for an acknowledgement, which [`answer`](Self::answer) waits for.
    #[track_caller]
    pub(crate) fn begin_ask(&self, event: &str, args: Value) -> u64 {
        let number = self.next_answer.fetch_add(1, Ordering::Relaxed);
        self.command("ask", json!({ "event": event, "args": args, "number": number }));
        number
    }

    /// Waits for the acknowledgement of this number.
    #[track_caller]
    pub(crate) fn answer(&self, number: u64) -> Value {
        let mut told = self.take_where(&format!("answer {number}"), |line| {
            line["what"] == "answer" && line["number"] == number
        });
        told["args"].take()
    }

    /// Emits, and waits for the acknowledgement.
    #[track_caller]
    pub(crate) fn ask(&self, event: &str, args: Value) -> Value {
        self.answer(self.begin_ask(event, args))
    }

    /// Waits for the next event of this name; gives its arguments.
    #[track_caller]
    pub(crate) fn event(&self, name: &str) -> Value {
        let mut told = self.take_where(&format!("event {name:?}"), |line| {
            line["what"] == "event" && line["name"] == name
        });
        told["args"].take()
    }

    /// The names of the events that it has told and nobody has asked for.
    pub(crate) fn left_events(&self) -> Vec<String> {
        let lines = lock(&self.heard.lines);
        let names = lines.iter().filter_map(|line| line["name"].as_str());
        names.map(str::to_owned).collect()
    }

    pub(crate) fn disconnect(&self) {
        self.command("disconnect", json!({}));
    }

    pub(crate) fn connect_again(&self) {
        self.command("connect_again", json!({}));
    }

    /// Closes its connection.
    pub(crate) fn close(&self) {
        self.command("close", json!({}));
    }

    /// Waits for the next line of this kind.
    #[track_caller]
    pub(crate) fn take(&self, what: &str) -> Value {
        self.take_where(what, |line| line["what"] == what)
    }

    #[track_caller]
    fn take_where(&self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + LIMIT;
        let mut lines = lock(&self.heard.lines);
        loop {
            if let Some(at) = lines.iter().position(&is_it) {
                return lines.remove(at).expect("a line that was found");
            }
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{self:?}: no {what} within {LIMIT:?}, but {lines:?}");
            let waited = self.heard.came.wait_timeout(lines, left);
            lines = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    #[track_caller]
    fn command(&self, name: &str, mut fields: Value) {
        fields["client"] = json!(self.number);
        fields["cmd"] = json!(name);
        let line = format!("{fields}\n");
        lock(&Clients::get().input).write_all(line.as_bytes()).expect("the clients read commands");
    }
}

impl fmt::Debug for JsClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "client {} of version {}", self.number, self.version)
    }
}

impl Drop for JsClient {
    fn drop(&mut self) {
        if self.is_first {
            self.close();
        }
        lock(&Clients::get().each).remove(&self.number);
    }
}

impl Clients {
    fn get() -> &'static Self {
        static CLIENTS: OnceLock<Clients> = OnceLock::new();
        CLIENTS.get_or_init(Self::start)
    }

    fn start() -> Self {
        let servers = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers");
        assert!(
            servers.join("node_modules/socket.io-client-v1/package.json").exists(),
            "the test clients are not installed: run `tests/install`"
        );
        let child = Command::new("node")
            .arg("--no-deprecation")
            .arg(servers.join("client.js"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let mut child = child.unwrap_or_else(|error| {
            panic!("cannot start `node`: {error}. These tests need Node.js 18: run `tests/install`")
        });
        let input = child.stdin.take().expect("a piped stdin");
        let output = child.stdout.take().expect("a piped stdout");
        let reader = thread::Builder::new().name("test-clients".into());
        reader.spawn(move || Self::get().read(output)).expect("a thread to read what clients tell");
        let (input, each, next) = (Mutex::new(input), Mutex::default(), AtomicU64::new(0));
        Self { input, each, next, _process: child }
    }

    fn read(&self, output: ChildStdout) {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let line: Value = serde_json::from_str(&line).expect("the clients tell in JSON");
            let client = line["client"].as_u64().expect("the number of a client");
            match lock(&self.each).get(&client) {
                Some(heard) => {
                    lock(&heard.lines).push_back(line);
                    heard.came.notify_all();
                }
                None if client == 0 => eprintln!("the clients: {line}"),
                None => {}
            }
        }
    }
}

fn name(transport: Transport) -> &'static str {
    if transport == Transport::Polling { "polling" } else { "websocket" }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
