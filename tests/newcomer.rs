//! What somebody does in the first hour: pastes the README's first program into a new project, and tries what a
//! device meets.

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use crossbeam_channel::{Receiver, Sender, unbounded};
use serde_json::{Value, json};

use support::network::{Network, V4, isolated};
use support::{LIMIT, Server, recv_within};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A name for the server, and the only machine that there is.
const NAME: &str = "server.test";
const ADDRESS: &str = V4[0];

#[test]
fn the_first_program_of_the_readme_is_fit_for_a_device() {
    isolated(|network| {
        let program = first_program();
        let server = Server::start(json!({ "host": ADDRESS }));
        let device = Device::start(&program, &orders(&server));
        starts_without_a_network(&device, network);
        goes_on_after_what_it_cannot_read(&device, &server);
        ends_in_good_order(device, "TERM", &server);
        let device = Device::start(&program, &orders(&server));
        device.says("connected");
        ends_in_good_order(device, "INT", &server);
        tells_what_is_not_delivered(&program, &server);
        says_in_a_sentence_what_is_wrong(&program);
    });
}

fn starts_without_a_network(device: &Device, network: &Network) {
    // No name is known yet.
    device.says("not connected: cannot connect, DNS");
    network.dns.set(NAME, &[ADDRESS]);
    device.says("connected");
}

fn goes_on_after_what_it_cannot_read(device: &Device, server: &Server) {
    send_order(server, &json!(["seven", 7]));
    device.says("cannot take [\"order\",\"seven\",7]: ");
    send_order(server, &json!([7, { "item": "apples", "pieces": 3 }]));
    device.says("order 7: 3 of apples");
}

fn ends_in_good_order(device: Device, signal: &str, server: &Server) {
    let said = device.end(signal);
    assert!(!said.iter().any(|line| line.starts_with("not delivered")), "{said:?}");
    assert_eq!(the_only(&server.entries("events"), "name", "hello")["args"], json!(["device", 7]));
    let log = server.entries("log");
    assert_eq!(the_only(&log, "what", "disconnect")["reason"], "client namespace disconnect");
    server.cmd("reset");
}

fn tells_what_is_not_delivered(program: &Path, server: &Server) {
    server.stop();
    let device = Device::start(program, &orders(server));
    device.says("not connected: cannot connect, TCP");
    assert_eq!(device.end("TERM").last().unwrap(), "not delivered: [\"hello\",\"device\",7]");
}

/// What `main` returns is for people to read.
fn says_in_a_sentence_what_is_wrong(program: &Path) {
    let output = Command::new(program).arg("http://a b").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.starts_with("Error: invalid URL: "), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(!said.contains('{'), "{said}");
}

fn orders(server: &Server) -> String {
    format!("http://{NAME}:{}/orders", server.port())
}

#[track_caller]
fn send_order(server: &Server, args: &Value) {
    server.command(json!({ "cmd": "emit", "nsp": "/orders", "event": "order", "args": args }));
}

/// The only entry of which this is true.
#[track_caller]
fn the_only<'a>(entries: &'a [Value], key: &str, value: &str) -> &'a Value {
    let mut found = entries.iter().filter(|entry| entry[key] == value);
    match (found.next(), found.next()) {
        (Some(entry), None) => entry,
        _ => panic!("not one {value} in {entries:?}"),
    }
}

/// The README's program in a new project, made by the commands that the README gives.
#[track_caller]
fn first_program() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("newcomer");
    let project = folder.join("device");
    fs::create_dir_all(project.join("src")).unwrap();
    // Where the README has the source.
    let _ = symlink(ROOT, folder.join("siot"));
    // A workspace of its own, for this folder lies in another one's.
    let manifest = "[package]\nname = \"device\"\nedition = \"2024\"\n\n[workspace]\n";
    fs::write(project.join("Cargo.toml"), manifest).unwrap();
    // The versions that are there already: no network is needed.
    fs::copy(Path::new(ROOT).join("Cargo.lock"), project.join("Cargo.lock")).unwrap();

    let readme = fs::read_to_string(Path::new(ROOT).join("README.md")).unwrap();
    fs::write(project.join("src/main.rs"), block(&readme, "rust,no_run")).unwrap();
    let commands = format!("set -e\n{}cargo build", block(&readme, "sh"));
    let output = Command::new("sh")
        .args(["-c", &commands])
        .current_dir(&project)
        .env("CARGO_NET_OFFLINE", "true")
        .env("CARGO_TARGET_DIR", folder.join("target"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !said.contains("warning"), "{said}");
    folder.join("target/debug/device")
}

/// The first piece of code of this kind.
#[track_caller]
fn block<'a>(text: &'a str, kind: &str) -> &'a str {
    let (_, rest) = text.split_once(&format!("```{kind}\n")).expect("a piece of code");
    rest.split_once("```").expect("its end").0
}

/// The program while it runs.
struct Device {
    child: Child,
    lines: Receiver<String>,
}

impl Device {
    fn start(program: &Path, url: &str) -> Self {
        let mut child = Command::new(program)
            .arg(url)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = unbounded();
        forward(child.stdout.take().unwrap(), sender.clone());
        forward(child.stderr.take().unwrap(), sender);
        Self { child, lines }
    }

    /// Waits for a line that begins like this.
    #[track_caller]
    fn says(&self, beginning: &str) {
        while !recv_within(&self.lines, LIMIT).starts_with(beginning) {}
    }

    /// Sends it a signal, and gives what it still says until it has ended, as a success.
    #[track_caller]
    fn end(mut self, signal: &str) -> Vec<String> {
        let command = format!("kill -{signal} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &command]).status().unwrap().success());
        let said = self.lines.iter().collect();
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}: {said:?}");
        said
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn forward(from: impl Read + Send + 'static, to: Sender<String>) {
    thread::spawn(move || {
        let lines = BufReader::new(from).lines().map_while(Result::ok);
        lines.for_each(|line| drop(to.send(line)));
    });
}
