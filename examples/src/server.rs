//! The server that an example talks to.

use std::cell::Cell;
use std::io;
use std::time::Duration;

use super::Arguments;
use super::peer::{Options, Peer};

/// How long the server's user has for what the example asks for.
const PATIENCE: Duration = Duration::from_secs(300);

/// A server on loopback that was started for the example, or the user's, whose URL was given.
pub struct Server {
    url: String,
    ours: Option<Peer>,
    /// The user was told to start it again.
    awaited: Cell<bool>,
}

impl Server {
    /// For an example with no options: reads the command line, as [`Arguments::read`] does.
    pub fn start(source: &str, options: Options) -> io::Result<Self> {
        Self::of(&Arguments::read(source, &[]), options)
    }

    /// The user's server, or else one of ours with these options.
    pub fn of(arguments: &Arguments, options: Options) -> io::Result<Self> {
        let (url, ours) = if let Some(url) = arguments.url() {
            (url.to_owned(), None)
        } else {
            let peer = options.start()?;
            (peer.url(), Some(peer))
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
    pub fn stop(&self) {
        match &self.ours {
            Some(peer) => peer.stop(),
            None => println!("now stop your server, please"),
        }
        self.awaited.set(false);
    }

    /// Brings the server back, or asks the user to, once.
    pub fn resume(&self) -> io::Result<()> {
        match &self.ours {
            Some(peer) => peer.resume()?,
            None if self.awaited.replace(true) => {}
            None => println!("now start your server again, please"),
        }
        Ok(())
    }
}
