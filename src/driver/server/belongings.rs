//! What the program has attached to one socket.

use std::any::Any;
use std::sync::{Arc, Mutex};

use super::own_listeners::OwnListeners;
use crate::error::Result;
use crate::event::Event;
use crate::event::status::DisconnectReason;

/// Values, one of each type.
pub(crate) type SocketData = Vec<Arc<dyn Any + Send + Sync>>;

/// A function that lets events of one socket through, or does not.
pub(crate) type Middleware = Arc<Mutex<dyn FnMut(&Event) -> Result<()> + Send>>;

/// A function for the end of one socket.
pub(crate) type OwnEnd = Box<dyn FnOnce(DisconnectReason) + Send>;

/// Why nothing more is attached.
#[derive(Clone, Copy)]
pub(crate) enum AttachingEnd {
    /// The handlers of the end were called.
    Ended(DisconnectReason),
    /// Nothing is called any more: it never joins, or the program takes what comes itself.
    Closed,
}

/// What the program has attached to one socket. Made when it is first needed.
#[derive(Default)]
pub(crate) struct Belongings {
    pub(crate) listeners: OwnListeners,
    pub(crate) middlewares: Vec<Middleware>,
    pub(crate) disconnecting: Vec<OwnEnd>,
    pub(crate) disconnect: Vec<OwnEnd>,
    pub(crate) data: SocketData,
    /// What other servers of a cluster are told: JSON.
    pub(crate) shared: Option<Box<str>>,
}
