//! A Redis at a port, one of several that know each other.

use std::process::Command;

use crate::support::folder::Folder;
use crate::support::program::{Program, free_port};

/// It may be killed, and started again.
pub(crate) struct RedisProcess {
    pub(crate) port: u16,
    /// What it keeps.
    pub(crate) folder: Folder,
    program: Option<Program>,
}

impl RedisProcess {
    /// One that does not yet run.
    pub(crate) fn idle() -> Self {
        Self { port: free_port(), folder: Folder::new(), program: None }
    }

    /// Starts one with these options besides.
    #[track_caller]
    pub(crate) fn start(options: &[&str]) -> Self {
        let mut redis = Self::idle();
        let port = redis.port.to_string();
        let common = ["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
        redis.run(&[&common, options].concat());
        redis
    }

    /// Runs it with these arguments.
    #[track_caller]
    pub(crate) fn run(&mut self, arguments: &[&str]) {
        let folder = self.folder.path(".");
        let folder = folder.to_str().expect("a path in UTF-8");
        let command = [&["redis-server"], arguments, &["--dir", folder]].concat();
        self.program = Some(Program::start(&command, "KILL", Folder::new(), self.port));
    }

    /// Ends it by SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.program = None;
    }

    /// Sends it a signal such as `STOP`.
    #[track_caller]
    pub(crate) fn signal(&self, name: &str) {
        self.program.as_ref().expect("a Redis that runs").signal(name);
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// What it answers.
    #[track_caller]
    pub(crate) fn say(&self, command: &[&str]) -> String {
        let output =
            Command::new("redis-cli").args(["-p", &self.port.to_string()]).args(command).output();
        let output = output.expect("`redis-cli`: run `tests/install`");
        String::from_utf8(output.stdout).expect("a text")
    }
}
