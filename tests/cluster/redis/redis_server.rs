//! A Redis of a test's own.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use siot::server::RedisAddress;

use crate::support::LIMIT;
#[cfg(feature = "rustls")]
use crate::support::certs::CertAuthority;
use crate::support::folder::Folder;
use crate::support::program::Program;
#[cfg(feature = "rustls")]
use crate::support::program::{free_port, write};

/// What a cluster is by.
pub(crate) trait RedisSource {
    /// Where it is, for servers of ours.
    fn address(&self) -> RedisAddress;

    /// The same for `tests/servers/cluster_member.js`.
    fn for_node(&self) -> Value;
}

/// A Redis at a Unix socket, in a process of its own, which may be killed and started again.
pub(crate) struct RedisServer {
    folder: Folder,
    password: Option<&'static str>,
    /// The port for TLS, and by what it is trusted.
    #[cfg(feature = "rustls")]
    tls: Option<(u16, CertAuthority)>,
    program: Option<Program>,
}

impl RedisSource for RedisServer {
    fn address(&self) -> RedisAddress {
        self.url().into()
    }

    fn for_node(&self) -> Value {
        json!({ "path": self.path() })
    }
}

impl RedisServer {
    /// One that does not yet run.
    pub(crate) fn idle() -> Self {
        Self {
            folder: Folder::new(),
            password: None,
            #[cfg(feature = "rustls")]
            tls: None,
            program: None,
        }
    }

    /// One that runs.
    #[track_caller]
    pub(crate) fn start() -> Self {
        let mut redis = Self::idle();
        redis.run();
        redis
    }

    /// One that wants a password.
    #[track_caller]
    pub(crate) fn with_password(password: &'static str) -> Self {
        let mut redis = Self { password: Some(password), ..Self::idle() };
        redis.run();
        redis
    }

    /// One that runs, with TLS at a port besides.
    #[cfg(feature = "rustls")]
    #[track_caller]
    pub(crate) fn with_tls() -> Self {
        let mut redis = Self { tls: Some((free_port(), CertAuthority::new())), ..Self::idle() };
        redis.run();
        redis
    }

    /// Its URL with TLS, and the PEM of its authority.
    #[cfg(feature = "rustls")]
    #[track_caller]
    pub(crate) fn tls(&self) -> (String, String) {
        let (port, authority) = self.tls.as_ref().expect("TLS");
        (format!("rediss://127.0.0.1:{port}/"), authority.pem())
    }

    /// What it is told about TLS.
    #[cfg(feature = "rustls")]
    fn tls_options(&self) -> Vec<String> {
        let Some((port, authority)) = &self.tls else { return Vec::new() };
        let identity = authority.issue("127.0.0.1");
        let write = |name: &str, text: &str| write(&self.folder, name, text);
        let files = [write("cert", &identity.cert), write("key", &identity.key)];
        let [cert, key] = files;
        let options = ["--tls-port", &port.to_string(), "--tls-cert-file", &cert];
        let more =
            ["--tls-key-file", &key, "--tls-ca-cert-file", &cert, "--tls-auth-clients", "no"];
        options.iter().chain(&more).map(ToString::to_string).collect()
    }

    #[cfg(not(feature = "rustls"))]
    #[allow(clippy::unused_self, reason = "with TLS it is of use")]
    fn tls_options(&self) -> Vec<String> {
        Vec::new()
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path("redis")
    }

    pub(crate) fn url(&self) -> String {
        let path = self.path();
        let path = path.to_str().expect("a path in UTF-8");
        match self.password {
            Some(password) => format!("redis+unix://{path}?pass={password}"),
            None => format!("redis+unix://{path}"),
        }
    }

    /// Starts it, after [`kill`](Self::kill) too.
    #[track_caller]
    pub(crate) fn run(&mut self) {
        let (path, folder) = (self.path(), self.folder.path("."));
        let (path, folder) = (path.to_str().expect("UTF-8"), folder.to_str().expect("UTF-8"));
        let mut command =
            vec!["redis-server", "--port", "0", "--unixsocket", path, "--dir", folder];
        command.extend(["--save", "", "--appendonly", "no"]);
        command.extend(self.password.iter().flat_map(|password| ["--requirepass", password]));
        let tls = self.tls_options();
        command.extend(tls.iter().map(String::as_str));
        let password = self.password;
        let is_ready = || is_ready(path, password).unwrap_or(false);
        self.program = Some(Program::start_until(&command, "KILL", Folder::new(), is_ready));
    }

    /// Ends it by SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.program = None;
    }

    /// Stops it without closing anything.
    #[track_caller]
    pub(crate) fn freeze(&self) {
        self.program.as_ref().expect("a Redis that runs").signal("STOP");
    }

    /// Lets it go on.
    #[track_caller]
    pub(crate) fn thaw(&self) {
        self.program.as_ref().expect("a Redis that runs").signal("CONT");
    }

    /// Says something to it, as a client of its own; gives the answer's first bytes.
    #[track_caller]
    pub(crate) fn say(&self, command: &[&[u8]]) -> Vec<u8> {
        RedisClient::connect(self).say(command)
    }
}

/// A client of its own.
pub(crate) struct RedisClient(UnixStream);

impl RedisClient {
    #[track_caller]
    pub(crate) fn connect(redis: &RedisServer) -> Self {
        let stream = UnixStream::connect(redis.path()).expect("a Redis that runs");
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        Self(stream)
    }

    /// Says something; gives the answer's first bytes.
    #[track_caller]
    pub(crate) fn say(&mut self, command: &[&[u8]]) -> Vec<u8> {
        let mut bytes = format!("*{}\r\n", command.len()).into_bytes();
        for part in command {
            bytes.extend(format!("${}\r\n", part.len()).into_bytes());
            bytes.extend(*part);
            bytes.extend(b"\r\n");
        }
        self.0.write_all(&bytes).unwrap();
        let mut answer = vec![0; 4096];
        let count = self.0.read(&mut answer).unwrap();
        answer.truncate(count);
        answer
    }
}

fn is_ready(path: &str, password: Option<&str>) -> std::io::Result<bool> {
    let mut stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    stream.write_all(b"PING\r\n")?;
    let mut answer = [0; 16];
    let count = stream.read(&mut answer)?;
    let expected: &[u8] = if password.is_some() { b"-NOAUTH" } else { b"+PONG" };
    Ok(answer[..count].starts_with(expected))
}
