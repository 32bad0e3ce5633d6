//! What a change of the network means for a connection that waits.

use std::time::Duration;

use super::{Client, Cycle};
use crate::core::client::timer::Timer;
use crate::core::time::Timestamp;
use crate::sync::logging::log_later;

/// By how much attempts are spread that follow from a change of the network: it may be that of many
/// devices.
const SPREAD: Duration = Duration::from_secs(1);

impl<A> Client<A> {
    /// The network has changed, and may be better now: a wait for the next attempt ends soon, but not
    /// before the server wants that.
    pub(crate) fn network_changed(&mut self, now: Timestamp) {
        if self.cycle != Cycle::Waiting {
            return;
        }
        let at = (now + SPREAD.mul_f64(self.random.f64())).max(self.no_sooner);
        if self.timers.at(Timer::Reconnect).is_some_and(|planned| at < planned) {
            log_later!(Debug, "the network has changed: the next attempt is made sooner");
            self.timers.set(Timer::Reconnect, Some(at));
        }
    }
}
