//! The bounds of everything that could grow.

/// What happens to an event that finds its buffer full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhenFull {
    /// Nothing is lost: the sender waits.
    ///
    /// Outgoing: while connected, `emit` blocks until there is room or the connection ends. It fails
    /// with [`ErrorKind::BufferFull`](crate::ErrorKind::BufferFull) where nobody can tell for how
    /// long: while not connected, where the room is taken by events of namespaces that are not, and
    /// where a consumer of received events is so far behind that nothing is read any more
    /// ([`Limits::receive_reserve`]).
    /// Incoming: siot stops reading, so that TCP slows the server down, but only while nobody waits
    /// for what comes behind the events; see [`Limits::receive_reserve`].
    #[default]
    Wait,
    /// The new event is refused. Outgoing: `emit` fails with
    /// [`ErrorKind::BufferFull`](crate::ErrorKind::BufferFull), and [`Event::ack`](crate::Event::ack) does.
    /// Incoming: the event is dropped and
    /// counted.
    DropNewest,
    /// The oldest event in the buffer makes room for the new one, and is counted. Incoming: the oldest
    /// of the same consumer. Outgoing: whichever
    /// namespace of the connection it is of; one that was sent and awaits its acknowledgement, to be
    /// sent again if need be, is the last to go.
    /// Events give way to answers ([`Event::ack`](crate::Event::ack)) as well.
    DropOldest,
}

/// The bounds of the buffers of one connection.
///
/// The sum is what a connection can hold at most:
///
/// | what waits                            | at most                                                    |
/// |---------------------------------------|------------------------------------------------------------|
/// | a message that is being received      | [`max_message`](Self::max_message), with each attachment    |
/// | what was read in one go               | [`receive_bytes`](Self::receive_bytes), but 64 to 256 KiB, and one message |
/// | what events of a flood keep of what was read with them | [`receive_bytes`](Self::receive_bytes), but 128 KiB to 1 MiB, and a quarter; with large messages between small ones three times that |
/// | received events, for all consumers    | [`receive_total`](Self::receive_total), and one event for each consumer |
/// | …beyond the bounds of their consumers | [`receive_reserve`](Self::receive_reserve)                 |
/// | events that came before CONNECT was answered | [`receive_bytes`](Self::receive_bytes), for each namespace |
/// | answers for callbacks of acknowledgements | [`acks`](Self::acks) and [`receive_bytes`](Self::receive_bytes), within [`receive_total`](Self::receive_total) |
/// | answers that an [`Ack`](crate::Ack) holds | one message for each `Ack` that the program keeps |
/// | what is shown: to each observer, and to each consumer of what is sent | [`receive_bytes`](Self::receive_bytes) |
/// | statuses and other news, for each consumer | 64 of them                                            |
/// | what the open session has to write    | [`send_bytes`](Self::send_bytes)                           |
/// | what waits to be handed to a session  | [`send_bytes`](Self::send_bytes), one event for each namespace, and what a lost session had still to write |
/// | what is being written, kept to be handed back | 64 KiB, and one event                              |
/// | what was written, kept until it is confirmed | [`unconfirmed_bytes`](Self::unconfirmed_bytes)       |
/// | the same of sessions that were lost   | [`unconfirmed_bytes`](Self::unconfirmed_bytes)              |
/// | what was sent and awaits its acknowledgement, kept likewise | [`send_bytes`](Self::send_bytes), for each namespace |
///
/// Bytes are those of texts and attachments. The administration of an event takes some 200 bytes besides.
///
/// The least for `max_message`, `send_events`, `send_bytes`, `receive_events`, `receive_bytes` and
/// `receive_total` is 1, and for `stack_size` 256 KiB. With less, building is an error of kind
/// [`ErrorKind::InvalidOption`](crate::ErrorKind::InvalidOption). The others may be 0.
///
/// ```
/// use siot::{Limits, WhenFull};
///
/// let limits = Limits::new().send_bytes(64 * 1024).when_send_full(WhenFull::DropOldest);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "give it to `Builder::limits`"]
pub struct Limits {
    pub(crate) max_message: usize,
    pub(crate) max_attachments: usize,
    pub(crate) send_events: usize,
    pub(crate) send_bytes: usize,
    pub(crate) when_send_full: WhenFull,
    pub(crate) unconfirmed_bytes: usize,
    pub(crate) receive_events: usize,
    pub(crate) receive_bytes: usize,
    pub(crate) when_receive_full: WhenFull,
    pub(crate) receive_total: usize,
    pub(crate) receive_reserve: usize,
    pub(crate) acks: usize,
    pub(crate) stack_size: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_message: 1024 * 1024,
            max_attachments: 10,
            send_events: 1024,
            send_bytes: 1024 * 1024,
            when_send_full: WhenFull::Wait,
            unconfirmed_bytes: 1024 * 1024,
            receive_events: 1024,
            receive_bytes: 1024 * 1024,
            when_receive_full: WhenFull::Wait,
            receive_total: 16 * 1024 * 1024,
            receive_reserve: 48 * 1024 * 1024,
            acks: 65_536,
            stack_size: 512 * 1024,
        }
    }
}

impl Limits {
    /// The default limits.
    pub fn new() -> Self {
        Self::default()
    }

    /// The largest incoming packet, in bytes: its text and each of its attachments.
    ///
    /// A larger one ends the connection with `transport error`. Default: 1 MiB.
    pub fn max_message(mut self, bytes: usize) -> Self {
        self.max_message = bytes;
        self
    }

    /// The most attachments (binary values) of one packet, in both directions.
    ///
    /// JavaScript servers close the connection above 10. Default: 10.
    pub fn max_attachments(mut self, count: usize) -> Self {
        self.max_attachments = count;
        self
    }

    /// The most that waits to be sent, on each of two accounts of the connection. One is of the events
    /// that all its namespaces keep, because they are not joined or to send them again
    /// ([`retries`](crate::Builder::retries), [`reliable`](crate::Socket::reliable)): it counts events. The other is of what the open session
    /// has to write: it counts packets, so that an event with 10 attachments is 11. Default: 1,024.
    ///
    /// A namespace that keeps nothing may always keep one event, whatever others keep; and what a session
    /// had still to write when it was lost comes back to its namespaces on top. Until that is sent, the
    /// buffer is full.
    pub fn send_events(mut self, count: usize) -> Self {
        self.send_events = count;
        self
    }

    /// The most bytes that wait to be sent, in texts and attachments, on each of the two accounts. One
    /// event of any size always fits into an empty buffer. Default: 1 MiB.
    pub fn send_bytes(mut self, bytes: usize) -> Self {
        self.send_bytes = bytes;
        self
    }

    /// What happens to an outgoing event when the send buffer is full, for all namespaces of the
    /// connection. Default: [`WhenFull::Wait`].
    pub fn when_send_full(mut self, policy: WhenFull) -> Self {
        self.when_send_full = policy;
        self
    }

    /// The most that is kept of what was written by WebSocket until the server is known to have read it, so that
    /// [`Manager::close`](crate::Manager::close) and
    /// [`Socket::take_unconfirmed`](crate::Socket::take_unconfirmed) can hand it back: in bytes of texts and attachments,
    /// and 32 more for each event (200 in a session that was lost). There are two accounts of this size: one of the open
    /// session, and one of those that were lost. The last that was written at once, at most 64 KiB or one event, comes on
    /// top. Default: 1 MiB.
    ///
    /// When half of it is unconfirmed, the server is asked by a ping of the WebSocket, and again behind the answer to
    /// its heartbeat, where anything is. If it has answered such a ping before, no more is written than this before it
    /// confirms some: what is emitted meanwhile waits in the send buffer. On a way that takes long, this bounds how much
    /// can be sent, as a window does: with a round trip of half a second, to 1 to 2 MB per second. If the server has never
    /// answered one, the oldest are let go, and counted
    /// ([`Counters::send_unconfirmed`](crate::Counters::send_unconfirmed)).
    ///
    /// Events with an acknowledgement are kept by [`send_bytes`](Self::send_bytes), and volatile ones not at all. 0 is for
    /// who wants neither: nothing is kept, and no ping sent for it.
    pub fn unconfirmed_bytes(mut self, bytes: usize) -> Self {
        self.unconfirmed_bytes = bytes;
        self
    }

    /// The most received events that wait for one consumer: a subscription, or a callback. Each has a
    /// buffer of its own; [`Buffer`](crate::Buffer) sets the bounds of one. Default: 1,024.
    ///
    /// For each namespace, as many wait at most that come before the server's answer to CONNECT (and
    /// as many bytes as [`receive_bytes`](Self::receive_bytes)). Further ones are dropped, whatever the
    /// policy, and counted ([`Counters::ignored`](crate::Counters::ignored)).
    pub fn receive_events(mut self, count: usize) -> Self {
        self.receive_events = count;
        self
    }

    /// The most bytes of received events that wait for one consumer, in texts and attachments. One
    /// event of any size always fits into an empty buffer. Default: 1 MiB.
    ///
    /// They may take more memory: what comes over WebSocket in a flood stays where it was read into, and an event that waits
    /// keeps all that was read with it, 256 KiB at most, and as much more as the largest message in that has. What a connection
    /// lends in this way is limited to as much again, but 128 KiB to 1 MiB (up to three times that where messages of more than
    /// 64 KiB are between small ones that wait); beyond that events are copied. What it has left after a flood is freed with
    /// the next message or heartbeat.
    pub fn receive_bytes(mut self, bytes: usize) -> Self {
        self.receive_bytes = bytes;
        self
    }

    /// The most bytes of received events, in texts and attachments, that wait for all consumers of one
    /// connection together, in all its namespaces. What lies in the reserve
    /// ([`receive_reserve`](Self::receive_reserve)) is not counted. Default: 16 MiB.
    ///
    /// When it is used up, each consumer for which something waits counts as full, and what follows is
    /// as its policy has it. One for which nothing waits still gets one event.
    pub fn receive_total(mut self, bytes: usize) -> Self {
        self.receive_total = bytes;
        self
    }

    /// The most bytes of received events that wait beyond the bounds of their consumers, where these
    /// have the policy [`WhenFull::Wait`], for all consumers of one connection together. An event
    /// counts 200 bytes more here than its text and attachments, and again for each consumer that gets
    /// it. Default: 48 MiB, which is some 110,000 events of 200 bytes for one consumer.
    ///
    /// With that policy, siot stops reading before an event for a consumer that is full. But
    /// acknowledgements, answers to CONNECT and heartbeats come behind the events, and a server may
    /// read only once what it has written is read. So while one of them is due, while an `emit` waits
    /// for room, or while another consumer of events has taken all of its own and waits, siot reads
    /// on, into this reserve. Its memory is not allocated before.
    ///
    /// When the reserve is used up, siot stops reading until half of it is free. What is awaited fails
    /// at once with [`ErrorKind::BufferFull`](crate::ErrorKind::BufferFull), in an error that names the
    /// consumer. A session that is lost because its heartbeat could not be read says so in
    /// [`Status::Disconnected`](crate::Status::Disconnected). 0 is no reserve.
    pub fn receive_reserve(mut self, bytes: usize) -> Self {
        self.receive_reserve = bytes;
        self
    }

    /// What happens to a received event when its consumer's buffer is full, for all consumers of the
    /// connection that have no policy of their own
    /// ([`Buffer::when_full`](crate::Buffer::when_full)). Default: [`WhenFull::Wait`].
    pub fn when_receive_full(mut self, policy: WhenFull) -> Self {
        self.when_receive_full = policy;
        self
    }

    /// The most acknowledgements that one namespace waits for at a time; 0 allows none. Beyond that an
    /// emit that asks for one fails with
    /// [`ErrorKind::BufferFull`](crate::ErrorKind::BufferFull). Default: 65,536.
    ///
    /// It is also the most answers that wait for the callbacks of
    /// [`Socket::emit_with_callback`](crate::Socket::emit_with_callback), for all namespaces of the
    /// connection together. Beyond that siot stops reading, as for events of policy
    /// [`WhenFull::Wait`].
    pub fn acks(mut self, count: usize) -> Self {
        self.acks = count;
        self
    }

    /// The stack size of siot's threads, in bytes. Default: 512 KiB, of which only what is used
    /// takes memory (some 20 kB on x86-64); the least that is taken is 256 KiB, twice what a
    /// handshake needs in a build without optimisation. A thread that opens a WebSocket by TLS, and
    /// leaves it to another then, has four times as much and 64 KiB, where that is at most 40 MiB.
    ///
    /// Callbacks run on such a thread.
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = bytes;
        self
    }
}
