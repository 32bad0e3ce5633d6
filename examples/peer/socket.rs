//! A client as the peer's handlers see it, and the events that every peer knows:
//!
//! | event   | what the peer does                                                              |
//! |---------|---------------------------------------------------------------------------------|
//! | `echo`  | gives the arguments back: as the acknowledgement, or else as an event `echo`      |
//! | `sum`   | acknowledges with the sum of the numbers                                          |
//! | `news`  | tells everyone in the namespace, by an event `news` with the same arguments       |
//! | `ask`   | asks the client: an event `question` with the same arguments, for acknowledgement; its answer comes back as an event `answer` |
//! | `leave` | puts the client out of the namespace                                              |

use std::sync::Arc;

use serde::Serialize;
use siot::internal::Payload;
use siot::{AckReply, ArgList, Result};

use super::Options;
use super::session::Session;

/// One client in one namespace.
#[derive(Clone)]
pub struct PeerSocket {
    session: Arc<Session>,
    namespace: String,
}

impl PeerSocket {
    pub(super) fn new(session: Arc<Session>, namespace: String) -> Self {
        Self { session, namespace }
    }

    /// Emits an event to this client.
    pub fn emit<T: Serialize>(&self, event: &str, args: T) -> Result<()> {
        self.session.send_event(&self.namespace, &Payload::event(event, &args)?, None);
        Ok(())
    }

    /// Emits an event to this client, and calls a function with its acknowledgement.
    pub fn emit_with_ack<T: Serialize>(
        &self,
        event: &str,
        args: T,
        callback: impl FnOnce(AckReply) + Send + 'static,
    ) -> Result<()> {
        let payload = Payload::event(event, &args)?;
        self.session.send_event(&self.namespace, &payload, Some(Box::new(callback)));
        Ok(())
    }

    /// Emits an event to everyone in the namespace.
    pub fn broadcast<T: Serialize>(&self, event: &str, args: T) -> Result<()> {
        self.session.broadcast(&self.namespace, &Payload::event(event, &args)?);
        Ok(())
    }

    /// Puts the client out of the namespace.
    pub fn disconnect(&self) {
        self.session.put_out(&self.namespace);
    }
}

/// Adds the events of the table above.
pub(super) fn with_events(options: Options) -> Options {
    options
        .on("echo", |socket, event| {
            let args: ArgList = event.args()?;
            if event.wants_ack() { event.ack(args) } else { socket.emit("echo", args) }
        })
        .on("sum", |_, event| {
            let numbers: ArgList<i64> = event.args()?;
            event.ack(numbers.0.iter().sum::<i64>())
        })
        .on("news", |socket, event| socket.broadcast("news", event.args::<ArgList>()?))
        .on("ask", |socket, event| {
            let client = socket.clone();
            socket.emit_with_ack("question", event.args::<ArgList>()?, move |answer| {
                // An answer that cannot be read is none.
                let _ = answer.args::<ArgList>().and_then(|args| client.emit("answer", args));
            })
        })
        .on("leave", |socket, _| {
            socket.disconnect();
            Ok(())
        })
}
