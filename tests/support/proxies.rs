//! An HTTP and a SOCKS5 proxy: `tests/servers/proxies.js`, whose header says what they do.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread;

use crossbeam_channel::{Receiver, unbounded};
use serde_json::Value;
use siot::Proxy;

use super::wait::{LIMIT, recv_within};

/// An HTTP and a SOCKS5 proxy in a process of their own.
pub(crate) struct Proxies {
    child: Child,
    pub(crate) http: u16,
    pub(crate) socks5: u16,
    /// The connections that were made for clients.
    pub(crate) tunnels: Receiver<Value>,
}

impl Proxies {
    pub(crate) fn start(config: &Value) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servers/proxies.js");
        let mut child = Command::new("node")
            .args([script, &config.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node");
        let stdout = child.stdout.take().expect("a piped stdout");
        let (sender, tunnels) = unbounded();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(serde_json::from_str(&line).expect("JSON")).is_err() {
                    break;
                }
            }
        });
        let ports: Value = recv_within(&tunnels, LIMIT);
        let port = |name: &str| u16::try_from(ports[name].as_u64().unwrap()).unwrap();
        Self { child, http: port("http"), socks5: port("socks5"), tunnels }
    }

    /// One of each kind.
    pub(crate) fn both(&self) -> [(&'static str, Proxy); 2] {
        [
            ("http", Proxy::http("127.0.0.1", self.http)),
            ("socks5", Proxy::socks5("127.0.0.1", self.socks5)),
        ]
    }
}

impl Drop for Proxies {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
