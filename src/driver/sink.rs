//! Where what a listener gets goes.

use std::sync::Arc;

use super::consumer::PushBack;
use super::dispatch::Callback;
use crate::core::load::Load;
use crate::event::incoming::Incoming;
use crate::sync::account::{AccountId, ONLY, SECOND};
use crate::sync::deliver::Deliver;
use crate::sync::mailbox::{Brought, Mailbox};
use crate::sync::readiness::Readiness;

/// Where what a listener gets goes.
pub(crate) enum Sink<T> {
    /// To a subscription.
    Mailbox(Arc<Mailbox<T>>),
    /// To a subscription that gets other things too, in one order.
    Mixed(Arc<dyn Mixed<T>>),
    /// To the dispatch thread, on this account.
    Callback(Arc<Callback<T>>, AccountId),
}

/// A mailbox for things of several kinds. It is a trait so that a program that never subscribes to
/// everything has none of its code.
pub(crate) trait Mixed<T>: Send + Sync {
    /// Brings one. What is said to be dropped are events.
    fn bring(&self, item: T) -> Brought<Incoming>;

    /// Nothing is brought any more; what is there can be read.
    fn close(&self);

    /// Nobody has it any more.
    fn end(&self);

    /// How much was lost for want of room.
    fn lost(&self) -> usize;

    /// How many events wait in it, and of how many bytes.
    fn load(&self) -> Load;

    /// Adds a descriptor that is to be readable while something waits in it.
    fn add_poller(&self, readiness: &Arc<Readiness>);

    /// The same mailbox, as a consumer that may push back.
    fn consumer(self: Arc<Self>) -> Arc<dyn PushBack>;
}

impl<T: Into<Incoming>> Mixed<T> for Mailbox<Incoming> {
    fn bring(&self, item: T) -> Brought<Incoming> {
        let item = item.into();
        let mut brought = Self::bring(self, item.account(), item);
        brought.dropped.retain(|dropped| matches!(dropped, Incoming::Event(_)));
        brought.count.evicted = brought.dropped.len().saturating_sub(brought.count.refused);
        brought
    }

    fn close(&self) {
        Self::close(self);
    }

    fn end(&self) {
        Self::close(self);
        drop([self.close_account(ONLY), self.close_account(SECOND)]);
    }

    fn lost(&self) -> usize {
        Self::lost(self)
    }

    fn load(&self) -> Load {
        PushBack::load(self)
    }

    fn add_poller(&self, readiness: &Arc<Readiness>) {
        Self::add_poller(self, readiness);
    }

    fn consumer(self: Arc<Self>) -> Arc<dyn PushBack> {
        self
    }
}

impl<T> Clone for Sink<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Mailbox(mailbox) => Self::Mailbox(Arc::clone(mailbox)),
            Self::Mixed(mailbox) => Self::Mixed(Arc::clone(mailbox)),
            Self::Callback(callback, account) => Self::Callback(Arc::clone(callback), *account),
        }
    }
}

impl<T> Sink<T> {
    /// Whether both lead to the same consumer.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Mailbox(one), Self::Mailbox(other)) => Arc::ptr_eq(one, other),
            (Self::Mixed(one), Self::Mixed(other)) => Arc::ptr_eq(one, other),
            (Self::Callback(one, _), Self::Callback(other, _)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }
}

impl<T: Deliver> Sink<T> {
    /// Ends a subscription; what is there can be read.
    pub(super) fn close(&self) {
        match self {
            Self::Mailbox(mailbox) => mailbox.close(),
            Self::Mixed(mailbox) => mailbox.close(),
            Self::Callback(..) => {}
        }
    }

    /// Ends a subscription that nobody has any more, with what is there, or a callback.
    pub(super) fn end(&self) {
        match self {
            Self::Mailbox(mailbox) => {
                mailbox.close();
                drop(mailbox.close_account(ONLY));
            }
            Self::Mixed(mailbox) => mailbox.end(),
            Self::Callback(callback, _) => callback.withdraw(),
        }
    }
}
