//! What goes first at each connection of a namespace, before all that waits.

use super::Client;
use crate::core::ids::NamespaceId;
use crate::core::waiting::{Sendable, Waiting};
use crate::error::{Error, ErrorKind, Result};
use crate::payload::Payload;

impl<A> Client<A> {
    /// Has an event sent first at each connection from the next one on, in the place of the one of this
    /// name.
    pub(crate) fn send_at_connect(
        &mut self,
        id: NamespaceId,
        name: &str,
        event: Payload,
    ) -> Result<()> {
        self.check_not_over()?;
        self.check_attachments(&event)?;
        let limits = self.options.limits.clone();
        let Some(namespace) = self.namespace_mut(id) else { return Ok(()) };
        let others = namespace.first.iter().filter(|(of, _)| **of != *name);
        let (count, bytes) = others
            .fold((1, event.size()), |(count, bytes), (_, it)| (count + 1, bytes + it.size()));
        if count > limits.send_events || bytes > limits.send_bytes {
            let what = format!("{count} events of {bytes} bytes are to go first");
            return Err(Error::new(ErrorKind::BufferFull, what));
        }
        match namespace.first.iter_mut().find(|(of, _)| **of == *name) {
            Some((_, before)) => *before = event,
            None => namespace.first.push((name.into(), event)),
        }
        Ok(())
    }

    /// Nothing goes first any more.
    pub(crate) fn clear_at_connect(&mut self, id: NamespaceId) {
        if let Some(namespace) = self.namespace_mut(id) {
            namespace.first.clear();
        }
    }

    /// Makes ready what goes first in the membership that has begun.
    pub(super) fn send_first(&mut self, id: NamespaceId) {
        for (_, event) in self.namespace(id).first.clone() {
            let order = self.next_order();
            let content = Sendable::First(event);
            // What waits may be urgent.
            self.make_ready(Waiting { urgent: true, ..Waiting::new(id, content, order) });
        }
    }
}
