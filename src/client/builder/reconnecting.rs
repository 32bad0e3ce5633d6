//! Options of coming back: when, how often, and after what.

use std::time::Duration;

use super::Builder;
use crate::options::Rejection;

impl Builder {
    /// Whether to connect again after a failed attempt or a lost connection. Default: `true`.
    ///
    /// With `false` nothing else follows by itself either: see
    /// [`reconnect_after`](Builder::reconnect_after).
    pub fn reconnection(mut self, reconnection: bool) -> Self {
        self.changes = self.changes.reconnection(reconnection);
        self
    }

    /// How many attempts to reconnect in a row may fail; `None` is any number. Default: `None`.
    #[doc(alias = "reconnectionAttempts")]
    pub fn reconnection_attempts(mut self, attempts: impl Into<Option<u32>>) -> Self {
        self.changes = self.changes.reconnection_attempts(attempts);
        self
    }

    /// The first delay before an attempt to reconnect; it doubles with each. Default: 1 s.
    ///
    /// It is also what a program that calls [`Manager::open`](crate::Manager::open) or
    /// [`Socket::connect`](crate::Socket::connect) whenever an attempt has failed has to wait for: the
    /// first such call has its attempt at once, the others this long, but no longer than a second (give or
    /// take [`randomization_factor`](Builder::randomization_factor)), after the failure, until a
    /// session has lasted.
    #[doc(alias = "reconnectionDelay")]
    pub fn reconnection_delay(mut self, delay: Duration) -> Self {
        self.changes = self.changes.reconnection_delay(delay);
        self
    }

    /// The longest delay before an attempt to reconnect. Default: 5 s. For a fleet of devices,
    /// minutes are kinder to the server; see [`reconnection_spread`](Builder::reconnection_spread).
    #[doc(alias = "reconnectionDelayMax")]
    pub fn reconnection_delay_max(mut self, delay: Duration) -> Self {
        self.changes = self.changes.reconnection_delay_max(delay);
        self
    }

    /// By which part of itself a delay varies at random, from 0 to 1. Default: 0.5.
    #[doc(alias = "randomizationFactor")]
    pub fn randomization_factor(mut self, factor: f64) -> Self {
        self.changes = self.changes.randomization_factor(factor);
        self
    }

    /// For fleets: the time that all devices together take to come back. Default: `None`, and the
    /// delays are those of [`reconnection_delay`](Builder::reconnection_delay).
    ///
    /// The first attempt after a loss is anywhere within this time, and each further one half of it to
    /// one and a half later, at random: one attempt for each device in this time, from the first
    /// second of an outage on and however long it lasts. The server has to bear as many attempts
    /// per second as there are devices, divided by this time; where all of them lose it at once, it is at
    /// times one and a half times as many, and never twice. 100,000 devices with five minutes are 333
    /// per second.
    ///
    /// It takes the place of `reconnection_delay` and
    /// [`randomization_factor`](Builder::randomization_factor), and holds for
    /// [`reconnect_after`](Builder::reconnect_after) too. A server that asks to be left alone for
    /// longer (`Retry-After`) is. [`Manager::open`](crate::Manager::open) goes at once, for
    /// a device whose user waits.
    ///
    /// With exponential delays alone, however long the longest, a fleet makes its first five attempts
    /// within the first seconds. `examples/fleet.rs` shows both.
    ///
    /// ```no_run
    /// # fn main() -> siot::Result<()> {
    /// use std::time::Duration;
    ///
    /// let socket = siot::Builder::new("https://example.com/devices")
    ///     .reconnection_spread(Duration::from_secs(300))
    ///     .spread_first_attempt(true)
    ///     .build()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Zero is an error of kind [`ErrorKind::InvalidOption`](crate::ErrorKind::InvalidOption).
    pub fn reconnection_spread(mut self, spread: impl Into<Option<Duration>>) -> Self {
        self.changes = self.changes.reconnection_spread(spread);
        self
    }

    /// Whether the very first attempt is spread too, over the time of
    /// [`reconnection_spread`](Builder::reconnection_spread), which is then to be set: for devices that
    /// start together when power comes back. Default: `false`.
    ///
    /// Whoever waits for the connection waits longer by that.
    pub fn spread_first_attempt(mut self, spread: bool) -> Self {
        self.options.spread_first_attempt = spread;
        self
    }

    /// How long a session has to last until the delays start from the beginning, and the membership of a
    /// namespace until those of [`reconnect_after`](Builder::reconnect_after) do. `None`, which is the default, is as
    /// long as the longest delay, which is [`reconnection_delay_max`](Builder::reconnection_delay_max), or
    /// [`reconnection_spread`](Builder::reconnection_spread) where that is longer.
    ///
    /// So a server that crashes whenever its clients are back does not have them all back at once.
    ///
    /// Zero is an error of kind [`ErrorKind::InvalidOption`](crate::ErrorKind::InvalidOption).
    pub fn reconnection_reset_after(mut self, lasting: impl Into<Option<Duration>>) -> Self {
        self.changes = self.changes.reconnection_reset_after(lasting);
        self
    }

    /// After what the socket comes back by itself although the server has turned it away. Default: after
    /// nothing, as in JavaScript: the socket then stays away until
    /// [`Socket::connect`](crate::Socket::connect).
    ///
    /// A server that restarts may refuse a namespace which it makes a moment later, a middleware may
    /// refuse everybody while the database starts, a new version may put its clients out to have them
    /// back: a device that nobody can reach should come back then.
    ///
    /// The delays are the usual ones ([`reconnection_delay`](Builder::reconnection_delay) and what
    /// belongs to it), for each namespace by itself. They grow until a membership has lasted
    /// ([`reconnection_reset_after`](Builder::reconnection_reset_after)). Credentials are those of that
    /// moment: [`Socket::set_auth`](crate::Socket::set_auth) counts, and
    /// [`auth_with`](Builder::auth_with) is asked. [`Status::retry_in`](crate::Status::retry_in)
    /// says when the next attempt is. Meanwhile the socket is [active](crate::Socket::is_active), keeps
    /// what is emitted, and [`wait_connected`](crate::Socket::wait_connected) waits on;
    /// [`Socket::disconnect`](crate::Socket::disconnect) ends it. A connection that no other namespace
    /// needs is closed, with reason `forced close`, and opened again for the attempt.
    ///
    /// With [`reconnection`](Builder::reconnection) off there is none of this. With
    /// [`reconnection_attempts`](Builder::reconnection_attempts) the socket stays away once it was turned
    /// away after so many of these attempts in a row, none of which led to a membership that lasted.
    ///
    /// Without this option a program may call `connect()` itself when it is told of a refusal or the end.
    /// The first such call has its effect at once. Until a membership has lasted, the others wait for
    /// the same delays, so that it is no tight loop.
    ///
    /// It belongs to the socket, and holds for sockets of the same connection that have no options of
    /// their own ([`Manager::socket`](crate::Manager::socket)).
    ///
    /// ```no_run
    /// # fn main() -> siot::Result<()> {
    /// use siot::{Builder, Rejection};
    ///
    /// let socket = Builder::new("http://localhost:3000/devices")
    ///     .reconnect_after([Rejection::Refused, Rejection::IoServerDisconnect])
    ///     .build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn reconnect_after(mut self, rejections: impl IntoIterator<Item = Rejection>) -> Self {
        self.socket = self.socket.reconnect_after(rejections);
        self
    }
}
