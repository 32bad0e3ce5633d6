//! The delays between attempts to connect.

use std::time::Duration;

use crate::options::ManagerOptions;

/// No options make it shorter, so that no loop of attempts is without a pause.
const SHORTEST: Duration = Duration::from_millis(1);

/// The longest delay by hand, give or take the jitter.
const LONGEST_BY_HAND: Duration = Duration::from_secs(1);

/// An exponential backoff with jitter: `delay · 2ⁿ`, plus or minus up to `randomization_factor` of
/// it. It saturates: no outage is long enough to make it zero. Where it would pass `delay_max` it is
/// spread below that instead, so that a fleet that lost its server does not come back in step.
///
/// With a spread there is no exponent: a fleet whose first attempts are seconds apart makes them all
/// within seconds. The first delay is anywhere within the spread, the others are half of it to one and
/// a half, so that each device makes one attempt per spread and no two keep step.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    exponent: u32,
}

impl Backoff {
    /// The next delay. `random` is uniform in `[0, 1)`.
    pub(crate) fn next(&mut self, options: &ManagerOptions, random: f64) -> Duration {
        let delay = match options.reconnection_spread {
            None => exponential(self.exponent, options, random),
            Some(spread) => {
                let part = if self.exponent == 0 { random } else { 0.5 + random };
                scale(spread, part).unwrap_or(spread)
            }
        };
        self.exponent = self.exponent.saturating_add(1);
        delay.max(SHORTEST)
    }

    /// Starts from the beginning again.
    pub(crate) fn reset(&mut self) {
        self.exponent = 0;
    }
}

/// The delay before an attempt that a program makes by itself, over and over: one each second is no
/// tight loop, however long the delays are otherwise.
pub(super) fn delay_by_hand(options: &ManagerOptions, random: f64) -> Duration {
    let delay = options.reconnection_delay.min(options.reconnection_delay_max);
    let jitter = 1.0 + options.randomization_factor.clamp(0.0, 1.0) * (2.0 * random - 1.0);
    delay.min(LONGEST_BY_HAND).mul_f64(jitter).max(SHORTEST)
}

fn exponential(exponent: u32, options: &ManagerOptions, random: f64) -> Duration {
    let max = options.reconnection_delay_max;
    let factor = options.randomization_factor.clamp(0.0, 1.0);
    let jittered = 2_u32
        .checked_pow(exponent)
        .and_then(|power| options.reconnection_delay.checked_mul(power))
        .and_then(|base| scale(base, 1.0 + factor * (2.0 * random - 1.0)));
    match jittered {
        Some(delay) if delay <= max => delay,
        _ => scale(max, 1.0 - factor * random).unwrap_or(max),
    }
}

fn scale(duration: Duration, by: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(duration.as_secs_f64() * by).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> ManagerOptions {
        ManagerOptions::default()
    }

    #[test]
    fn delays_double_up_to_the_maximum() {
        let mut backoff = Backoff::default();
        let plain = ManagerOptions { randomization_factor: 0.0, ..options() };
        let delays: Vec<u64> = (0..5).map(|_| backoff.next(&plain, 0.5).as_secs()).collect();
        assert_eq!(delays, [1, 2, 4, 5, 5]);
    }

    #[test]
    fn jitter_stays_within_its_factor() {
        for step in 0..100 {
            let random = f64::from(step) / 100.0;
            let delay = Backoff::default().next(&options(), random);
            assert!(delay >= Duration::from_millis(500) && delay <= Duration::from_millis(1500));
        }
    }

    #[test]
    fn an_outage_of_a_year_never_gives_a_short_delay() {
        let mut backoff = Backoff::default();
        for _ in 0..3 {
            backoff.next(&options(), 0.0);
        }
        for step in 0..100_000_u32 {
            let random = f64::from(step % 1000) / 1000.0;
            let delay = backoff.next(&options(), random);
            assert!(delay >= Duration::from_millis(2500) && delay <= Duration::from_secs(5));
        }
    }

    #[test]
    fn a_fleet_at_the_maximum_is_spread() {
        let delays: std::collections::BTreeSet<u128> = (0..1000_u32)
            .map(|device| {
                let mut backoff = Backoff { exponent: 20 };
                backoff.next(&options(), f64::from(device) / 1000.0).as_millis() / 100
            })
            .collect();
        assert!(delays.len() >= 25, "{delays:?}");
    }

    #[test]
    fn huge_options_do_not_overflow() {
        for reconnection_spread in [None, Some(Duration::MAX)] {
            let options = ManagerOptions {
                reconnection_delay: Duration::MAX,
                reconnection_delay_max: Duration::MAX,
                randomization_factor: 1.0,
                reconnection_spread,
                ..ManagerOptions::default()
            };
            let mut backoff = Backoff::default();
            for random in [0.0, 0.5, 0.999] {
                backoff.next(&options, random);
            }
        }
    }

    #[test]
    fn a_spread_is_filled_by_the_first_delays_and_kept_by_the_others() {
        let spread = Duration::from_secs(300);
        let options = ManagerOptions { reconnection_spread: Some(spread), ..options() };
        for step in 0..100 {
            let random = f64::from(step) / 100.0;
            let mut backoff = Backoff::default();
            let first = backoff.next(&options, random);
            assert!(first >= SHORTEST && first.abs_diff(spread.mul_f64(random)) <= SHORTEST);
            for _ in 0..3 {
                assert_eq!(backoff.next(&options, random), spread.mul_f64(0.5 + random));
            }
        }
    }
}
