//! Sentinels, which know which Redis is the master.

use std::time::Duration;

use redis::{Client, Connection, ConnectionAddr, Value};

use super::dialling::{CONNECT, dial, failed, first_of, moved, nowhere};
use crate::error::{Error, ErrorKind, Result};

/// How long a sentinel may take to be connected to, and to answer. The next one may be quicker.
const SENTINEL: Duration = Duration::from_secs(1);

/// Sentinels, and how the master is spoken to.
#[derive(Clone)]
pub(super) struct Sentinels {
    all: Vec<Client>,
    /// Its host is the name by which the sentinels know it.
    master: Client,
    name: Box<str>,
}

impl Sentinels {
    pub(super) fn new(master: Client, all: Vec<Client>) -> Result<Self> {
        let name = match master.get_connection_info().addr() {
            ConnectionAddr::Tcp(host, _) | ConnectionAddr::TcpTls { host, .. } => {
                host.as_str().into()
            }
            _ => return Err(nowhere("a path is no name that sentinels know")),
        };
        Ok(Self { all, master, name })
    }

    /// Where certificates matter.
    #[cfg(feature = "rustls")]
    pub(super) fn clients(&mut self) -> impl Iterator<Item = &mut Client> {
        self.all.iter_mut().chain([&mut self.master])
    }

    /// Makes a connection to the master.
    pub(super) fn dial(&self, answer: Duration) -> Result<Connection> {
        first_of(&self.all, |sentinel| {
            let (host, port) = self.ask(sentinel)?;
            let mut connection = dial(&moved(&self.master, &host, port)?, CONNECT, answer)?;
            // A sentinel that was cut off names one that is none any more.
            match redis::cmd("ROLE").query::<Vec<Value>>(&mut connection) {
                Ok(role) if is_master(&role) => Ok(connection),
                Ok(_) => Err(Error::new(
                    ErrorKind::Transport,
                    "what sentinels call the master of Redis is none",
                )),
                Err(error) => Err(failed("the master of Redis does not tell its role", &error)),
            }
        })
    }

    /// Where the master is, as this sentinel has it.
    fn ask(&self, sentinel: &Client) -> Result<(String, u16)> {
        let mut connection = dial(sentinel, SENTINEL, SENTINEL)?;
        let asked =
            redis::cmd("SENTINEL").arg("get-master-addr-by-name").arg(&*self.name).to_owned();
        let address: Option<(String, u16)> = asked
            .query(&mut connection)
            .map_err(|error| failed("a sentinel of Redis does not answer", &error))?;
        address.ok_or_else(|| {
            let what = format!("sentinels know no Redis by the name {:?}", self.name);
            Error::new(ErrorKind::Transport, what)
        })
    }
}

fn is_master(role: &[Value]) -> bool {
    matches!(role.first(), Some(Value::BulkString(name)) if name == b"master")
}
