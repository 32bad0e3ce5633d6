//! How a connection stands, and what has passed by it, in figures.

mod line;
#[cfg(feature = "serde")]
mod record;

use std::time::Duration;

use crate::error::Error;
use crate::options::Transport;

/// How a connection stands, and what has passed by it since it was built; see
/// [`Manager::stats`](crate::Manager::stats).
///
/// Sums begin with the manager and go on over all its sessions. Times are by a clock that steps of the wall
/// clock do not change, and that goes on while the device sleeps.
///
/// They are displayed as one line for a log, and with the feature `serde` they are `Serialize`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Stats {
    /// How many sessions were opened: the first, and one with each reconnection.
    pub connects: u64,
    /// How many sessions have ended, for whatever reason.
    pub disconnects: u64,
    /// How many attempts to connect have failed.
    pub failed_attempts: u64,
    /// For how long the session has been open; `None` while none is.
    pub connected_for: Option<Duration>,
    /// The transport of the open session.
    pub transport: Option<Transport>,
    /// How long it is until the next attempt to connect starts by itself, as
    /// [`Manager::next_attempt`](crate::Manager::next_attempt) tells it.
    pub next_attempt: Option<Duration>,
    /// Why an attempt failed or a session was lost, the last time. It stays when the connection is back.
    pub last_error: Option<Error>,
    /// How long ago that was.
    pub last_error_age: Option<Duration>,
    /// The last time that an answer took in this session: to a heartbeat of this side (servers 1.x and
    /// 2.x), or to an event that asked for an acknowledgement. The latter has in it what the server's handler
    /// took, and what waited in this side's buffers before it. `None` before the first: servers since 3.0
    /// send the heartbeats themselves, and there only acknowledgements tell.
    pub round_trip: Option<Duration>,
    /// The same, smoothed: each new one counts for an eighth, as TCP has it.
    pub round_trip_smoothed: Option<Duration>,
    /// How long ago the last byte came from the server, in this session or an earlier one. By long-polling,
    /// the last that was a packet.
    pub last_received: Option<Duration>,
    /// What has come.
    pub received: TrafficStats,
    /// What has gone out.
    pub sent: TrafficStats,
    /// What waits to be sent: what is ready, what waits for its namespace to be joined, and what is sent again
    /// until it is acknowledged. Of what is handed to the transport, packets are counted.
    pub send_queue: QueueStats,
    /// What was received, and waits for the subscriptions and callbacks to take it; counted for each.
    pub receive_queue: QueueStats,
    /// How many acknowledgements are awaited.
    pub awaited_acks: usize,
    /// What was dropped.
    pub counters: Counters,
}

/// What has passed in one direction; see [`Stats`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrafficStats {
    /// How many events, and answers to events: those that came for a joined namespace, and those that were
    /// handed to a transport.
    pub events: u64,
    /// The bytes of their texts and attachments, as the program sees them.
    pub bytes: u64,
    /// The bytes that went through the connections to the server, or to the proxy: the above in its packets,
    /// with heartbeats, HTTP and TLS, but without TCP and IP, and without what opens a connection before TLS.
    pub wire_bytes: u64,
}

/// What waits; see [`Stats`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueStats {
    /// How many events.
    pub events: usize,
    /// The bytes of their texts and attachments.
    pub bytes: usize,
}

/// What was dropped since a connection was built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Received packets that were ignored: those for namespaces that are not joined, acknowledgements
    /// that nobody waits for (any more), events before the answer to CONNECT that found no room
    /// ([`Limits::receive_events`](crate::Limits::receive_events)), and whatever else makes no sense
    /// when it comes.
    pub ignored: usize,
    /// Outgoing events that were dropped: those that [`Status::Dropped`](crate::Status::Dropped) tells
    /// of, volatile ones, and those whose buffer was cleared or whose socket has ended. It is the sum of
    /// the seven that follow.
    pub send_dropped: usize,
    /// Of these, those that gave way to newer ones
    /// ([`DropReason::GaveWay`](crate::DropReason::GaveWay)).
    pub send_gave_way: usize,
    /// Of these, those whose time to live was over ([`DropReason::Expired`](crate::DropReason::Expired)).
    pub send_expired: usize,
    /// Of these, those that the server does not take
    /// ([`DropReason::TooLarge`](crate::DropReason::TooLarge)).
    pub send_too_large: usize,
    /// Of these, those that were given up without an acknowledgement
    /// ([`DropReason::Unacknowledged`](crate::DropReason::Unacknowledged)).
    pub send_unacknowledged: usize,
    /// Of these, answers whose session ended
    /// ([`DropReason::SessionEnded`](crate::DropReason::SessionEnded)).
    pub send_session_ended: usize,
    /// Of these, volatile ones that could not go out at once.
    pub send_volatile: usize,
    /// Of these, those that the program gave up: it cleared their buffer, or dropped their socket.
    pub send_discarded: usize,
    /// Outgoing events that were written, and of which nobody will know whether the server has read them: a session was
    /// lost before it confirmed them, or it answers no pings of the WebSocket, and they had to give way
    /// ([`Limits::unconfirmed_bytes`](crate::Limits::unconfirmed_bytes)). No part of `send_dropped`: they may have arrived.
    pub send_unconfirmed: usize,
    /// Received events that full buffers dropped, counted for each consumer that lost one. What is
    /// only shown (events that are sent, statuses, packets) is not counted here: a subscription
    /// tells it itself ([`Subscription::lost`](crate::Subscription::lost)). It is the sum of the two that follow.
    pub receive_dropped: usize,
    /// Of these, those that gave way to newer ones
    /// ([`WhenFull::DropOldest`](crate::WhenFull::DropOldest)).
    pub receive_gave_way: usize,
    /// Of these, those that found no room ([`WhenFull::DropNewest`](crate::WhenFull::DropNewest)).
    pub receive_refused: usize,
}

#[cfg(test)]
mod tests;
