//! Servers in Python: `tests/servers/python/server.py`, whose header lists options and events.

use serde_json::{Value, json};

use super::folder::Folder;
use super::program::{Program, free_port};

/// Which server of python-socketio runs, in which web server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    /// The major version of python-socketio, 5 or 4.
    pub(crate) version: u32,
    /// `uvicorn` or `werkzeug`.
    pub(crate) within: &'static str,
}

/// A server of python-socketio in a process of its own, which ends with this value.
pub(crate) struct PythonServer {
    port: u16,
    _program: Program,
}

impl PythonServer {
    /// Starts a server with these options of `socketio.Server`, and waits until it listens.
    #[track_caller]
    pub(crate) fn start(kind: Kind, options: Value) -> Self {
        Self::start_at(free_port(), kind, options)
    }

    /// The same at this port.
    #[track_caller]
    pub(crate) fn start_at(port: u16, kind: Kind, options: Value) -> Self {
        let config = json!({ "port": port, "server": kind.within, "options": options });
        let servers = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servers/python");
        let python = format!("{servers}/venv-{}/bin/python", kind.version);
        let command = [&python, &format!("{servers}/server.py"), &config.to_string()];
        let program = Program::start(&command.map(String::as_str), "KILL", Folder::new(), port);
        Self { port, _program: program }
    }

    /// `http://127.0.0.1:PORT`.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}
