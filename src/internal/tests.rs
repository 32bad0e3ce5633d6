//! Many devices that lose their server at once: how many attempts they make, all together.

use std::time::Duration;

use super::Device;
use crate::client::builder::Builder;

const DEVICES: u32 = 3000;
const SPREAD: Duration = Duration::from_secs(100);

/// How long a time is in which attempts are counted.
const WINDOW: Duration = Duration::from_secs(10);

/// Runs a fleet whose server closes all connections at these seconds, and takes none in these; gives the
/// most attempts in a window, as a multiple of the steady rate, from the first end on.
fn run(builder: &Builder, closes: &[u64], away: std::ops::Range<u64>) -> f64 {
    let end = Duration::from_secs(closes.iter().max().max(Some(&away.end)).unwrap() + 300);
    let mut windows = vec![0_u32; usize::try_from(end.as_secs() / WINDOW.as_secs()).unwrap() + 1];
    for number in 0..DEVICES {
        let mut device = Device::new(builder, number.into());
        let mut now = Duration::ZERO;
        device.connect(now);
        while now < end {
            if device.is_trying() {
                if now.as_secs() >= closes[0] {
                    windows[usize::try_from(now.as_secs() / WINDOW.as_secs()).unwrap()] += 1;
                }
                let refuses = away.contains(&now.as_secs());
                if refuses {
                    device.refuse(now);
                } else {
                    device.accept(now);
                }
                continue;
            }
            let close = closes.iter().map(|at| Duration::from_secs(*at)).find(|at| *at > now);
            let close = close.filter(|_| device.is_connected());
            let Some(next) = device.next_deadline().into_iter().chain(close).min() else { break };
            now = next;
            if close == Some(now) { device.close(now) } else { device.expire(now) }
        }
    }
    let steady = f64::from(DEVICES) * WINDOW.as_secs_f64() / SPREAD.as_secs_f64();
    f64::from(windows.into_iter().max().unwrap()) / steady
}

fn spread() -> Builder {
    Builder::new("http://localhost").reconnection_spread(SPREAD)
}

#[test]
fn a_fleet_never_makes_more_than_twice_the_attempts_that_one_sets() {
    let restart = run(&spread(), &[300], 0..0);
    assert!(restart > 0.8 && restart <= 1.3, "{restart}");
    let outage = run(&spread(), &[300], 300..3900);
    assert!(outage > 1.2 && outage <= 1.8, "{outage}");
}

#[test]
fn a_server_that_crashes_whenever_the_fleet_is_back_meets_no_more() {
    for pause in [7, 30, 101, 150] {
        let closes: Vec<u64> = (0..20).map(|crash| 300 + crash * pause).collect();
        let most = run(&spread(), &closes, 0..0);
        assert!(most > 0.5 && most <= 2.0, "every {pause} s: {most}");
    }
}

#[test]
fn long_delays_without_a_spread_are_many_times_as_many() {
    let builder = Builder::new("http://localhost").reconnection_delay_max(SPREAD);
    let most = run(&builder, &[300], 0..0);
    assert!(most > 5.0, "{most}");
}
