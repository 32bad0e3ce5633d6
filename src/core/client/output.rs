//! What the state machines ask of their owner.

use std::sync::Arc;

use crate::core::ids::{LinkId, NamespaceId};
use crate::error::Result;
use crate::event::status::{ManagerEvent, Status};
use crate::options::Transport;
use crate::payload::Payload;
use crate::proto::socket_packet::SocketPacket;

/// What the owner has to do.
#[derive(Debug)]
pub(crate) enum Output<A> {
    /// Wait until those who hear of attempts were told of this one, then call `Client::told`.
    Tell { question: u32 },
    /// Find out what an attempt is made with, then call `Client::prepared`. It is the first one (0), or
    /// the attempt of this number to reconnect.
    Prepare { question: u32, attempt: u32 },
    /// Open a transport: for a new session, or for the one of this id, which is to move to it.
    Dial { link: LinkId, transport: Transport, upgrade: Option<String> },
    /// Wake the threads of a link: there is work for them.
    Wake(LinkId),
    /// Stop the threads of a link at once.
    Stop(LinkId),
    /// Ask for the credentials of a namespace, then call `Client::auth`.
    AskAuth { namespace: NamespaceId, question: u32 },
    /// Deliver an event, which came in this membership of its namespace.
    Event { namespace: NamespaceId, membership: u32, packet: SocketPacket },
    /// Tell a namespace's users how it stands.
    Status { namespace: NamespaceId, name: Arc<str>, status: Status },
    /// Tell the connection's users how it stands.
    Manager(ManagerEvent),
    /// Resolve an acknowledgement.
    Acked { ack: A, result: Result<SocketPacket> },
    /// Tell those who want to know that an event is ready: the session writes it next.
    Sent { namespace: NamespaceId, payload: Payload },
    /// Something has changed that those may wait for who wait for room, or for the end of something: they look
    /// again.
    Changed,
}
