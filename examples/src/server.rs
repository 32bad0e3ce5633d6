//! The server that an example talks to.

use std::cell::Cell;
use std::time::Duration;

use siot::Result;
use siot::server::{Server, ServerBuilder};
use siot::testing::TestServer;

use super::{Arguments, events};

/// How long the server's user has for what the example asks for.
const PATIENCE: Duration = Duration::from_secs(300);

/// A server on loopback that was started for the example, or the user's, whose URL was given.
pub struct ExampleServer {
    url: String,
    ours: Option<TestServer>,
    /// The user was told to start it again.
    awaited: Cell<bool>,
}

impl ExampleServer {
    /// For an example with no options: reads the command line, as [`Arguments::read`] does. Without a URL there, a
    /// server is started, with the events of `events.rs` and with what `prepare` adds.
    pub fn start(source: &str, prepare: impl Fn(&Server) + Send + Sync + 'static) -> Result<Self> {
        Self::of(&Arguments::read(source, &[]), Server::builder(), prepare)
    }

    /// The user's server, or else one of ours with these options.
    pub fn of(
        arguments: &Arguments,
        builder: ServerBuilder,
        prepare: impl Fn(&Server) + Send + Sync + 'static,
    ) -> Result<Self> {
        Self::of_either(arguments, || TestServer::start(builder, with_events(prepare)))
    }

    /// The same, but that ours is as servers 1.x and 2.x are.
    pub fn of_old(
        arguments: &Arguments,
        prepare: impl Fn(&Server) + Send + Sync + 'static,
    ) -> Result<Self> {
        Self::of_either(arguments, || {
            TestServer::start_old(Server::builder(), with_events(prepare))
        })
    }

    fn of_either(
        arguments: &Arguments,
        start: impl FnOnce() -> Result<TestServer>,
    ) -> Result<Self> {
        let (url, ours) = if let Some(url) = arguments.url() {
            (url.to_owned(), None)
        } else {
            let server = start()?;
            (server.url().to_owned(), Some(server))
        };
        Ok(Self { url, ours, awaited: Cell::default() })
    }

    /// The URL of the server.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// How long what the example asks for may take: minutes where a user has to do something.
    pub fn limit(&self) -> Duration {
        if self.ours.is_some() { Duration::from_secs(10) } else { PATIENCE }
    }

    /// Takes the server away. The user's is not ours to stop: the user is asked to.
    pub fn stop(&self) -> Result<()> {
        self.awaited.set(false);
        match &self.ours {
            Some(server) => server.stop()?,
            None => println!("now stop your server, please"),
        }
        Ok(())
    }

    /// Brings the server back, or asks the user to, once.
    pub fn resume(&self) -> Result<()> {
        match &self.ours {
            Some(server) => server.resume()?,
            None if self.awaited.replace(true) => {}
            None => println!("now start your server again, please"),
        }
        Ok(())
    }
}

fn with_events(prepare: impl Fn(&Server)) -> impl Fn(&Server) {
    move |server| {
        events::add_to(server);
        prepare(server);
    }
}
