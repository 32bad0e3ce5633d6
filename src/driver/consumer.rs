//! Who gets events and may push back, so that the reader holds still.

use std::sync::Arc;

use super::dispatch::Dispatcher;
use super::listener_id::ListenerId;
use crate::event::Event;
use crate::sync::account::{Account, AccountId, ONLY};
use crate::sync::mailbox::Mailbox;

/// A consumer that may push back.
#[derive(Clone)]
pub(super) struct Consumer {
    pub(super) id: ConsumerId,
    /// Which it is, as it is told to the user.
    pub(super) what: String,
    pub(super) mailbox: Option<Arc<Mailbox<Event>>>,
}

/// By what a consumer is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ConsumerId {
    Subscription(ListenerId),
    /// A callback, or the callbacks for acknowledgements.
    Callback(AccountId),
}

impl Consumer {
    pub(super) fn subscription(
        id: ListenerId,
        what: String,
        mailbox: &Arc<Mailbox<Event>>,
    ) -> Self {
        let mailbox = Some(Arc::clone(mailbox));
        Self { id: ConsumerId::Subscription(id), what, mailbox }
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
            (_, Some(mailbox)) => mailbox.recheck(ONLY),
            (ConsumerId::Callback(account), None) => dispatcher.recheck(account),
            (ConsumerId::Subscription(_), None) => false,
        }
    }

    /// Looks at what waits for it.
    pub(super) fn look<R>(
        &self,
        dispatcher: &Dispatcher,
        look: impl FnOnce(&Account) -> R,
    ) -> Option<R> {
        match (self.id, &self.mailbox) {
            (_, Some(mailbox)) => mailbox.look(ONLY, look),
            (ConsumerId::Callback(account), None) => dispatcher.look(account, look),
            (ConsumerId::Subscription(_), None) => None,
        }
    }
}
