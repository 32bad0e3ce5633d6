//! Events and statuses in one row.

use super::Event;
use super::status::Status;
use crate::sync::account::{AccountId, ONLY, SECOND};
use crate::sync::deliver::{Deliver, Receipts};

/// What comes by a subscription to everything ([`Socket::subscribe_all`](crate::Socket::subscribe_all)).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Incoming {
    /// An event of the server.
    Event(Event),
    /// News of the connection.
    Status(Status),
}

impl From<Event> for Incoming {
    fn from(event: Event) -> Self {
        Self::Event(event)
    }
}

impl From<Status> for Incoming {
    fn from(status: Status) -> Self {
        Self::Status(status)
    }
}

impl Deliver for Incoming {
    fn size(&self) -> usize {
        match self {
            Self::Event(event) => event.size(),
            Self::Status(status) => status.size(),
        }
    }

    fn account(&self) -> AccountId {
        match self {
            Self::Event(_) => ONLY,
            Self::Status(_) => SECOND,
        }
    }

    const ADD_RECEIPT: Option<fn(Self, &Receipts) -> Self> =
        Some(|incoming, receipts| match incoming {
            Self::Event(event) => Self::Event(event.with_receipt(receipts)),
            // Nobody waits for room for a status.
            Self::Status(_) => incoming,
        });
}
