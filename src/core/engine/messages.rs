//! What a session and its owner tell each other.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::shipment::Shipment;
use crate::core::ids::LinkId;
use crate::error::Error;
use crate::event::status::DisconnectReason;
use crate::proto::text::MessageText;

/// Where a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SessionState {
    Opening,
    Open,
    Closing,
    Closed,
}

/// What a session tells its owner.
#[derive(Debug)]
pub(crate) enum Notice {
    /// The handshake is done.
    Opened,
    /// A text message came.
    Text(MessageText),
    /// A binary message came.
    Binary(Bytes),
    /// The server pinged.
    Pinged,
    /// The server answered a ping, after so long.
    Ponged(Duration),
    /// A second link is needed, to upgrade the session to WebSocket.
    Probe,
    /// The session moved to this link.
    Upgraded(LinkId),
    /// The upgrade failed; the session stays where it is.
    UpgradeFailed(Error),
    /// The link has something to do: to write, to poll again, or to end.
    Wake(LinkId),
    /// The link has to stop at once.
    Stop(LinkId),
    /// Packets were written: there is room in the queue.
    Room,
    /// So many events were written, and nobody will ever know whether the peer has read them.
    LetGo(usize),
    /// The peer has dealt with all farewells.
    Parted,
    /// A second handshake came, and was ignored.
    SecondHandshake,
    /// The session ended.
    Closed(DisconnectReason, Option<Error>),
}

/// How a link ended, in the words of its transport.
#[derive(Debug)]
pub(crate) enum Loss {
    /// The peer closed it.
    Closed(Error),
    /// It failed.
    Failed(Error),
}

/// What the writer of a link has to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Write the packets of this, report `written`, and ask for more. Where it `asks`, write a ping of the WebSocket
    /// behind them, and report `confirmed` when its pong has come.
    Write(Arc<Shipment>),
    /// Have the peer say that it has dealt with all that was written before, report `written`, and ask
    /// for more; when it has said so, report `confirmed`. By WebSocket alone: who posts knows it from the
    /// answer.
    Confirm,
    /// Nothing now; there will be a wake-up.
    Wait,
    /// Close the transport in good order.
    Finish,
    /// End: the session has left this link.
    Stop,
}

/// What the reader of long-polling has to do.
#[cfg(any(feature = "polling", test))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PollTurn {
    /// Send the next request.
    Now,
    /// Nothing now; there will be a wake-up.
    Wait,
    /// End: there is no such session any more.
    End,
}
