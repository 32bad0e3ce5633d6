//! What is compared: each client does the same things, as its documentation says they are done.

mod by_hand;
mod raw;
mod rust_socketio;
mod siot;
mod threaded;

use self::by_hand::ByHand;
use crate::Result;
use crate::measure::Figures;
use crate::modes::{Mode, measure};

/// A connection to the namespace `/`, over WebSocket.
pub(crate) trait Client: Sized {
    /// Returns when the server has answered CONNECT.
    fn connect(url: &str) -> Result<Self>;

    /// Emits `ask` with an acknowledgement and waits for it.
    fn ask(&mut self, text: &str) -> Result<()>;

    /// Emits `note`. May be written later, but without being asked again.
    fn note(&mut self, text: &str) -> Result<()>;

    /// Asks how many notes the server has had, behind all of them.
    fn count_notes(&mut self) -> Result<usize>;

    /// Has the server emit `item` so many times, and waits until all have come; gives how many did.
    fn take_items(&mut self, count: usize) -> Result<usize>;

    /// Has the server emit `blob` so many times, with an attachment of [`BLOB`](crate::modes::BLOB) bytes each, and waits until all
    /// have come; gives how many did.
    fn take_blobs(&mut self, count: usize) -> Result<usize>;

    fn close(self) -> Result<()>;
}

/// Which client is to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Maker {
    Raw,
    Threaded,
    Siot,
    RustSocketIo,
    Node,
}

impl Maker {
    pub(crate) const ALL: [Self; 5] =
        [Self::Raw, Self::Threaded, Self::Siot, Self::RustSocketIo, Self::Node];

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|maker| maker.name() == name)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Raw => "tungstenite",
            Self::Threaded => "threaded",
            Self::Siot => "siot",
            Self::RustSocketIo => "rust_socketio",
            Self::Node => "node",
        }
    }

    /// How it is called in tables.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Raw => "raw tungstenite",
            Self::Threaded => "with a thread",
            Self::Siot => "siot",
            Self::RustSocketIo => "rust_socketio",
            Self::Node => "socket.io-client",
        }
    }

    /// Measures it in this process; Node's client has a program of its own.
    pub(crate) fn drive(self, mode: Mode, url: &str, count: usize) -> Result<Figures> {
        match self {
            Self::Raw => measure::<ByHand<raw::Raw>>(mode, url, count),
            Self::Threaded => measure::<ByHand<threaded::Threaded>>(mode, url, count),
            Self::Siot => measure::<siot::Siot>(mode, url, count),
            Self::RustSocketIo => measure::<rust_socketio::RustSocketIo>(mode, url, count),
            Self::Node => Err("the JavaScript client is driven by node/client.js".into()),
        }
    }
}
