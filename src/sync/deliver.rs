//! What can lie in a mailbox, and who is told when it is taken out of a channel.

use std::sync::Weak;

use super::account::{AccountId, ONLY};

/// What can lie in a mailbox.
///
/// It is public for the bound of [`Subscription`](crate::Subscription) alone: it has no name outside
/// of this crate, and so no implementations there.
#[allow(unreachable_pub)]
pub trait Deliver: Send + Sized + 'static {
    /// What it counts, in bytes.
    #[doc(hidden)]
    fn size(&self) -> usize;

    /// The account that it is entered on, in a mailbox that has an account for each kind.
    #[doc(hidden)]
    fn account(&self) -> AccountId {
        ONLY
    }

    /// Where one can wait for a consumer that pushes back: has the mailbox told when this is
    /// dropped, because nobody else tells it what is taken out of a channel.
    #[doc(hidden)]
    const ADD_RECEIPT: Option<fn(Self, &Receipts) -> Self> = None;
}

/// Told of what was taken out of a channel.
pub(super) trait Settle: Send + Sync {
    fn settle(&self);
}

/// Makes the receipts of a mailbox. One that is not kept must not be made: its end takes the mailbox's lock.
#[allow(unreachable_pub)]
pub struct Receipts(pub(super) Weak<dyn Settle>);

impl Receipts {
    pub(crate) fn issue(&self) -> Receipt {
        Receipt(Weak::clone(&self.0))
    }
}

/// Tells a mailbox, when it is dropped, that something was taken out of its channel.
#[allow(unreachable_pub)]
pub struct Receipt(Weak<dyn Settle>);

impl Drop for Receipt {
    fn drop(&mut self) {
        if let Some(mailbox) = self.0.upgrade() {
            mailbox.settle();
        }
    }
}
