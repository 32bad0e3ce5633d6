//! What carries the events of an outbox to the server.

use crossbeam_channel::Sender;

use crate::client::socket::Socket;
use crate::error::Result;
use crate::payload::Payload;

/// What became of an event.
pub(super) struct Arrival {
    pub(super) number: u64,
    pub(super) result: Result<()>,
}

/// The way to the server. Events arrive in the order in which they are handed to it.
pub(super) trait Carrier: Send {
    /// Takes an event, which gets the key, and brings the answer. An event whose answer is an error
    /// may have arrived or not.
    fn carry(
        &self,
        number: u64,
        key: String,
        payload: Payload,
        answers: &Sender<Arrival>,
    ) -> Result<()>;
}

impl Carrier for Socket {
    fn carry(
        &self,
        number: u64,
        key: String,
        payload: Payload,
        answers: &Sender<Arrival>,
    ) -> Result<()> {
        let answers = answers.clone();
        let ack = self.reliable(key).emit_encoded(payload)?;
        // Where the outbox is gone, nobody wants the answer.
        ack.forward(move |reply| _ = answers.send(Arrival { number, result: reply.map(drop) }));
        Ok(())
    }
}
