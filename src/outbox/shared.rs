//! What an outbox and its thread share.

use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use super::stock::Stock;
use crate::error::{Error, ErrorKind, Result, Rounded};
use crate::sync::lock::{Locked, lock};

pub(super) struct Shared {
    stock: Mutex<Stock>,
    /// The server has all, or there is a failure.
    changed: Condvar,
}

impl Shared {
    pub(super) fn new(stock: Stock) -> Self {
        Self { stock: Mutex::new(stock), changed: Condvar::new() }
    }

    pub(super) fn stock(&self) -> Locked<'_, Stock> {
        lock(&self.stock)
    }

    /// Changes something that may end a wait.
    pub(super) fn change(&self, change: impl FnOnce(&mut Stock)) {
        let mut stock = self.stock();
        change(&mut stock);
        if stock.waiting() == 0 || stock.failure().is_some() {
            self.changed.notify_all();
        }
    }

    /// Waits until the server has all.
    pub(super) fn wait_delivered(&self, limit: Duration) -> Result<()> {
        let deadline = Instant::now().checked_add(limit);
        let mut stock = self.stock();
        while stock.waiting() > 0 {
            if let Some(failure) = stock.failure() {
                return Err(failure.clone());
            }
            let left = deadline.map(|end| end.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                let waiting = stock.waiting();
                let limit = Rounded(limit);
                let what = format!("the server does not have {waiting} events within {limit}");
                return Err(Error::new(ErrorKind::Timeout, what));
            }
            stock = stock.wait(&self.changed, left);
        }
        Ok(())
    }
}
