//! How far an attempt to connect has come, for the error that its time is up.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use super::{Error, ErrorKind, Stage};

/// How far an attempt to connect has come.
#[derive(Clone, Debug)]
pub(crate) struct Reached {
    pub(crate) stage: Stage,
    /// The address that is connected.
    pub(crate) address: Option<SocketAddr>,
    /// The addresses that are not.
    pub(crate) tried: Vec<Tried>,
}

/// An address that is not connected.
#[derive(Clone, Debug)]
pub(crate) struct Tried {
    pub(crate) address: SocketAddr,
    /// Why not, in words; `None`: it has not answered yet.
    pub(crate) failure: Option<String>,
}

impl From<Stage> for Reached {
    fn from(stage: Stage) -> Self {
        Self { stage, address: None, tried: Vec::new() }
    }
}

/// What to try with a server that takes connections, and says nothing.
const NO_ANSWER: &str = "the server takes connections and does not answer: is it overloaded, or no web \
                         server?";

impl Reached {
    /// The error of an attempt whose time was up here; `what` says which limit it had.
    pub(crate) fn too_late(&self, what: &str) -> Error {
        let (missing, hint) = match self.stage {
            Stage::Prepare => (
                "the function of `before_attempt` has not answered",
                "it runs on a thread of its own: does it wait without a limit?",
            ),
            Stage::Dns => (
                "the name server has not answered",
                "is there a network, and does its name server answer?",
            ),
            Stage::Tcp => (
                "no address has answered",
                "is the address right, or does a firewall swallow what is sent there?",
            ),
            Stage::Proxy => ("the proxy has not answered", "is the proxy right, or overloaded?"),
            Stage::Tls => ("the TLS handshake is not complete", NO_ANSWER),
            Stage::Http => ("the request is not answered", NO_ANSWER),
            // What else is known decides about the hint.
            Stage::Engine => ("no handshake of Engine.IO has come", ""),
            Stage::Namespace => ("the namespace is not joined", ""),
        };
        let tried = listed(&self.tried);
        let missing = if tried.is_empty() { missing } else { &*tried };
        let error = Error::new(ErrorKind::Connect(self.stage), format!("{what}: {missing}"))
            .with_source(io::Error::from(io::ErrorKind::TimedOut))
            .timed_out();
        if hint.is_empty() { error } else { error.with_hint(hint) }
    }
}

/// What is known of each address.
pub(crate) fn listed(tried: &[Tried]) -> String {
    tried.iter().map(Tried::to_string).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.address, self.failure.as_deref().unwrap_or("no answer"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_that_takes_too_long_tells_what_it_has_come_to() {
        let mut reached = Reached::from(Stage::Tcp);
        reached.tried =
            vec![Tried { address: SocketAddr::from(([10, 0, 0, 1], 80)), failure: None }];
        let error = reached.too_late("not done within 1s");
        assert_eq!((error.stage(), error.is_timeout()), (Some(Stage::Tcp), true));
        assert_eq!(error.message(), "not done within 1s: 10.0.0.1:80: no answer");
        assert!(error.hint().is_some_and(|hint| hint.contains("firewall")), "{error}");
    }
}
