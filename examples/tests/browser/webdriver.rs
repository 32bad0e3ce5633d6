//! A browser without a window, driven by `WebDriver`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

/// How long what the browser is asked for may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// Runs chromedriver at a port that it chooses, and ends it, with the Chromium that it has started, when standard input
/// ends: so neither outlives the test. `setsid` makes them a group of processes of their own.
const KEEPER: &str = "setsid chromedriver --port=0 </dev/null & read _; kill -- -$!; wait $!";

/// Chromium with one page. It ends when this is dropped.
pub(crate) struct Browser {
    port: u16,
    session: String,
    keeper: Child,
    /// What ends it when it is closed.
    held: Option<ChildStdin>,
    /// What it writes.
    folder: PathBuf,
}

impl Browser {
    pub(crate) fn start() -> Self {
        let name = format!("siot-browser-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        let mut keeper = Command::new("sh")
            .args(["-c", KEEPER])
            .env("TMPDIR", &folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell");
        let held = keeper.stdin.take();
        let mut lines = BufReader::new(keeper.stdout.take().expect("a piped stdout")).lines();
        let port = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| line.strip_suffix('.')?.rsplit_once("on port ")?.1.parse().ok())
            .expect("chromedriver (is it installed? run `tests/install`)");
        thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        let mut browser = Self { port, session: String::new(), keeper, held, folder };
        let options = json!({
            "binary": "/usr/bin/chromium",
            // Root has no sandbox, and a container little shared memory.
            "args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
        });
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": options,
            "timeouts": { "script": LIMIT.as_millis(), "pageLoad": LIMIT.as_millis() },
        } } });
        let opened = browser.ask("POST", "/session", &wanted);
        opened["sessionId"].as_str().expect("a session").clone_into(&mut browser.session);
        browser
    }

    /// Opens a page, and waits until it is loaded.
    pub(crate) fn open(&self, url: &str) {
        self.command("url", &json!({ "url": url }));
    }

    /// Clicks where a person would who sees the element.
    pub(crate) fn click(&self, selector: &str) {
        let found = self.command("element", &json!({ "using": "css selector", "value": selector }));
        let id = found.as_object().and_then(|found| found.values().next()?.as_str());
        self.command(&format!("element/{}/click", id.expect("an element")), &json!({}));
    }

    /// Waits until an expression in JavaScript is true.
    pub(crate) fn wait_until(&self, condition: &str) {
        let script = format!(
            "const done = arguments[0];
             const look = () => ({condition}) ? done(true) : setTimeout(look, 20);
             look();"
        );
        self.command("execute/async", &json!({ "script": script, "args": [] }));
    }

    fn command(&self, what: &str, body: &Value) -> Value {
        self.ask("POST", &format!("/session/{}/{what}", self.session), body)
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = body.to_string();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let stream = TcpStream::connect(("127.0.0.1", self.port)).expect("chromedriver");
        stream.set_read_timeout(Some(2 * LIMIT)).expect("a TCP option");
        (&stream).write_all(request.as_bytes()).expect("chromedriver reads");
        let mut stream = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(stream.read_line(&mut head).expect("an answer"), 0, "{head}");
        }
        // Not until the end: Chromium may have the descriptor too.
        let lower = head.to_ascii_lowercase();
        let length = lower.split_once("content-length:").expect("a length").1;
        let length = length.lines().next().expect("a line").trim().parse().expect("a number");
        let mut body = vec![0; length];
        stream.read_exact(&mut body).expect("a whole answer");
        let body = String::from_utf8_lossy(&body);
        assert!(head.starts_with("HTTP/1.1 200"), "{method} {path}: {body}");
        serde_json::from_str::<Value>(&body).expect("an answer in JSON")["value"].take()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        drop(self.held.take());
        let _ = self.keeper.wait();
        // Chromium may still write, and then some of it stays.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
