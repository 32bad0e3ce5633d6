//! How soon the next poll follows an answer.
//!
//! A server holds a request of long-polling until it has something to say. One that answers each at
//! once, with nothing but a NOOP, would be asked as fast as it answers. So after a few such answers in
//! a row there are pauses, which grow until something else comes.
//!
//! There is a pause once, too, where the session is about to leave long-polling: it gives way to that.

use std::time::Duration;

use crate::core::time::Timestamp;
use crate::proto::packet::Packet;

/// An answer that comes sooner than this came at once. During an upgrade servers send a NOOP every
/// 100 ms to a request that waits.
const AT_ONCE: Duration = Duration::from_millis(50);

/// So many such answers in a row are followed by the next request at once: an upgrade takes one or
/// two, and is not to be held up.
const FREE: u32 = 5;

/// The first pause. Each one is twice as long as the one before.
const SHORTEST: Duration = Duration::from_millis(10);

const LONGEST: Duration = Duration::from_secs(1);

/// How long no request follows the first answer that comes during an upgrade, unless that ends before. A server that has no
/// request to answer lets the session move at once; where it has one, the move waits up to 100 ms for a NOOP.
const GIVEN_WAY: Duration = Duration::from_millis(100);

/// The pace of the requests of one link.
#[derive(Debug, Default)]
pub(super) struct Pacing {
    /// When the request was sent that is under way.
    asked: Option<Timestamp>,
    /// Its answer has brought something other than a NOOP.
    useful: bool,
    /// How many answers in a row came at once and brought nothing.
    empty: u32,
    /// Until when to wait with the next one, after answers that brought nothing.
    rest: Option<Timestamp>,
    /// Until when an upgrade is given way to: once, as it may take long or come to nothing.
    way: Option<Timestamp>,
    /// Until when there is a rest for either reason.
    until: Option<Timestamp>,
}

impl Pacing {
    /// A packet came with the answer.
    pub(super) fn received(&mut self, packet: &Packet) {
        self.useful |= *packet != Packet::Noop;
    }

    /// The request under way, if there was one, is answered. `true`: the next one is under way from
    /// now on. `false`: there is a rest before it. `moves`: an upgrade is under way.
    pub(super) fn request(&mut self, now: Timestamp, moves: bool) -> bool {
        if let Some(asked) = self.asked.take() {
            let is_empty = !self.useful && now < asked + AT_ONCE;
            self.empty = if is_empty { self.empty.saturating_add(1) } else { 0 };
            self.rest = self.empty.checked_sub(FREE + 1).map(|pauses| now + pause(pauses));
            if moves {
                self.way.get_or_insert(now + GIVEN_WAY);
            }
        }
        self.until = self.rest.max(self.way.filter(|_| moves)).filter(|until| now < *until);
        if self.until.is_some() {
            return false;
        }
        self.rest = None;
        self.asked = Some(now);
        self.useful = false;
        true
    }

    /// Until when there is a rest.
    pub(super) fn rests_until(&self) -> Option<Timestamp> {
        self.until
    }
}

/// The pause after so many others.
fn pause(before: u32) -> Duration {
    let factor = 2_u32.checked_pow(before).unwrap_or(u32::MAX);
    SHORTEST.checked_mul(factor).map_or(LONGEST, |pause| pause.min(LONGEST))
}
