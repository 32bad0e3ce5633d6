//! The channel that a mailbox has in place of its queue, once somebody wants one for `select!`.

use std::sync::{Mutex, Weak};
use std::time::Instant;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};

use super::deliver::{Deliver, Receipts, Settle};
use super::lock::lock;

/// What a mailbox needs of its channel. It is a trait so that a program that never asks for a channel
/// has none of its code.
pub(super) trait Outlet<T>: Send + Sync {
    fn send(&self, item: T);
    fn try_receive(&self) -> Option<T>;
    fn receive(&self, deadline: Option<Instant>) -> Result<T, RecvTimeoutError>;
    fn len(&self) -> usize;
    /// Nothing is sent any more: the channel ends behind what is in it.
    fn close(&self);
    fn receiver(&self) -> &Receiver<T>;
}

/// A channel, both ends.
pub(super) struct ChannelOutlet<T> {
    /// There until it is closed.
    sender: Mutex<Option<Sender<T>>>,
    receiver: Receiver<T>,
    /// Told of what is taken out.
    mailbox: Receipts,
}

impl<T: Deliver> ChannelOutlet<T> {
    pub(super) fn new(mailbox: Weak<dyn Settle>) -> Self {
        let (sender, receiver) = unbounded();
        Self { sender: Mutex::new(Some(sender)), receiver, mailbox: Receipts(mailbox) }
    }
}

impl<T: Deliver> Outlet<T> for ChannelOutlet<T> {
    fn send(&self, item: T) {
        let item = match T::ADD_RECEIPT {
            Some(add) => add(item, &self.mailbox),
            None => item,
        };
        if let Some(sender) = &*lock(&self.sender) {
            // There is room for everything, and a receiver.
            let _ = sender.try_send(item);
        }
    }

    fn try_receive(&self) -> Option<T> {
        self.receiver.try_recv().ok()
    }

    fn receive(&self, deadline: Option<Instant>) -> Result<T, RecvTimeoutError> {
        match deadline {
            None => self.receiver.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(deadline) => self.receiver.recv_deadline(deadline),
        }
    }

    fn len(&self) -> usize {
        self.receiver.len()
    }

    fn close(&self) {
        *lock(&self.sender) = None;
    }

    fn receiver(&self) -> &Receiver<T> {
        &self.receiver
    }
}
