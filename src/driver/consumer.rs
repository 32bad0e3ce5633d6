//! Who gets events and may push back, so that the reader holds still.

use std::sync::Arc;

use super::dispatch::Dispatcher;
use super::listener_id::ListenerId;
use crate::core::load::Load;
use crate::sync::account::{Account, AccountId, ONLY};
use crate::sync::deliver::Deliver;
use crate::sync::mailbox::Mailbox;

/// A consumer that may push back.
#[derive(Clone)]
pub(super) struct Consumer {
    pub(super) id: ConsumerId,
    /// Which it is, as it is told to the user.
    pub(super) what: String,
    pub(super) mailbox: Option<Arc<dyn PushBack>>,
}

/// The mailbox of a subscription to events, whatever else lies in it.
pub(crate) trait PushBack: Send + Sync {
    /// Brings its account up to date; `true`: the reader should hold still for it.
    fn recheck(&self) -> bool;

    /// How many events wait in it, and of how many bytes.
    fn load(&self) -> Load;
}

impl<T: Deliver> PushBack for Mailbox<T> {
    fn recheck(&self) -> bool {
        Self::recheck(self, ONLY)
    }

    fn load(&self) -> Load {
        self.look(ONLY, load).unwrap_or_default()
    }
}

/// How many events wait on an account, and of how many bytes.
pub(super) fn load(account: &Account) -> Load {
    Load { packets: account.len(), bytes: account.bytes() }
}

/// By what a consumer is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ConsumerId {
    Subscription(ListenerId),
    /// A callback, or the callbacks for acknowledgements.
    Callback(AccountId),
}

impl Consumer {
    pub(super) fn subscription(id: ListenerId, what: String, mailbox: Arc<dyn PushBack>) -> Self {
        Self { id: ConsumerId::Subscription(id), what, mailbox: Some(mailbox) }
    }

    pub(super) fn callback(account: AccountId, what: String) -> Self {
        Self { id: ConsumerId::Callback(account), what, mailbox: None }
    }

    /// The callbacks for acknowledgements.
    pub(super) fn acks(account: AccountId) -> Self {
        Self {
            id: ConsumerId::Callback(account),
            what: "the callbacks for acknowledgements".to_owned(),
            mailbox: None,
        }
    }

    /// Brings its account up to date; `true`: the reader should hold still for it.
    pub(super) fn recheck(&self, dispatcher: &Dispatcher) -> bool {
        match (self.id, &self.mailbox) {
            (_, Some(mailbox)) => mailbox.recheck(),
            (ConsumerId::Callback(account), None) => dispatcher.recheck(account),
            (ConsumerId::Subscription(_), None) => false,
        }
    }

    /// How many events wait for it, and of how many bytes.
    pub(super) fn load(&self, dispatcher: &Dispatcher) -> Load {
        match (self.id, &self.mailbox) {
            (_, Some(mailbox)) => mailbox.load(),
            (ConsumerId::Callback(account), None) => {
                dispatcher.look(account, load).unwrap_or_default()
            }
            (ConsumerId::Subscription(_), None) => Load::default(),
        }
    }
}
