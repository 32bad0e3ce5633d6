//! Which thread of a link is woken, by what, and when the link is over.

use super::*;
use crate::driver::client::testing::{self, Played, emit};
use crate::error::Stage;
use crate::options::Limits;
use crate::proto::packet::{Packet, Probe};

const LINK: LinkId = LinkId(7);

/// A driver with a link of these threads.
fn with_link(sides: &[Side]) -> Arc<Driver> {
    let driver = testing::driver(9, Limits::new());
    driver.run_with(|monitor, _| {
        let address = Arc::clone(&monitor.address);
        let link = monitor.links.get_or_add(LINK, || Box::new(Link::to(address)));
        for side in sides {
            let waker = Arc::new(Waker::new().unwrap());
            let attempt = Arc::new(Attempt::new(waker, None));
            *link.lane(*side) = Some(Lane { attempt, asleep: false });
        }
    });
    driver
}

/// What is done for a reader that sleeps, when there is something to write.
fn rouse(monitor: &mut Monitor, now: Timestamp) -> &'static str {
    monitor.set_asleep(LINK, Side::Reader, true);
    let mut actions = Vec::new();
    monitor.links.get_mut(LINK).unwrap().rouse(now, &mut actions);
    assert_eq!(actions.len(), 1);
    match actions.pop() {
        Some(Action::Write(..)) => "write",
        Some(Action::Wake(_)) => "wake",
        _ => "something else",
    }
}

const MOMENT: Duration = Duration::from_nanos(1);

#[test]
fn on_a_quiet_link_the_caller_writes_and_on_a_busy_one_its_thread() {
    let driver = with_link(&[Side::Reader]);
    let mut monitor = driver.lock();
    let start = now();
    assert_eq!(rouse(&mut monitor, start), "wake", "nothing is shared yet");
    assert!(monitor.links.get(LINK).unwrap().shared().is_none());
    monitor.share(LINK, SharedWire::taken());
    assert!(monitor.links.get(LINK).unwrap().shared().is_some());
    let start = start + QUIET;
    assert_eq!(rouse(&mut monitor, start), "write");
    let start = start + QUIET.checked_sub(MOMENT).unwrap();
    assert_eq!(rouse(&mut monitor, start), "wake");
    let start = start + QUIET;
    assert_eq!(rouse(&mut monitor, start), "write");
    monitor.written(LINK, start + QUIET);
    assert_eq!(rouse(&mut monitor, start + QUIET + QUIET / 2), "wake", "it has just written");
}

#[test]
fn only_threads_that_sleep_are_woken_and_each_once() {
    let driver = with_link(&[Side::Reader, Side::Writer]);
    let mut monitor = driver.lock();
    for (sleeping, woken) in
        [(&[][..], 0), (&[Side::Writer], 1), (&[Side::Reader, Side::Writer], 2)]
    {
        for side in sleeping {
            monitor.set_asleep(LINK, *side, true);
        }
        for count in [woken, 0] {
            let mut actions = Vec::new();
            monitor.links.get_mut(LINK).unwrap().rouse(now(), &mut actions);
            assert_eq!(actions.len(), count);
        }
    }
}

#[test]
fn a_link_is_over_when_the_last_of_its_threads_has_ended() {
    for order in [[Side::Reader, Side::Writer], [Side::Writer, Side::Reader]] {
        let driver = with_link(&order);
        for (side, is_left) in order.into_iter().zip([true, false]) {
            driver.end(LINK, side);
            assert_eq!(driver.lock().links.get(LINK).is_some(), is_left, "{side:?}");
        }
    }
}

#[test]
fn cancelling_a_link_ends_the_calls_of_all_its_threads() {
    let driver = with_link(&[Side::Reader, Side::Writer]);
    let mut monitor = driver.lock();
    let link = monitor.links.get_mut(LINK).unwrap();
    link.cancel();
    for side in [Side::Reader, Side::Writer] {
        let lane = link.lane(side).as_ref().unwrap();
        assert!(lane.attempt.waker().is_cancelled(), "{side:?}");
    }
}

#[test]
fn stages_are_news_while_a_session_is_on_its_way_and_warnings_always_are() {
    let driver = with_link(&[Side::Reader]);
    let (_, news) = driver.subscribe_manager();
    driver.hear(LINK, Side::Reader, News::Stage(Stage::Tls));
    assert_eq!(news.len(), 0, "long-polling dials later too");
    driver.hear(LINK, Side::Reader, News::Warning(Error::new(ErrorKind::Transport, "slow")));
    assert_eq!(news.len(), 1);
    // No thread is started: the actions are left alone.
    driver.gather(&mut Vec::new(), |monitor, now, _| monitor.core.open(now));
    driver.hear(LINK, Side::Reader, News::Stage(Stage::Tls));
    assert_eq!(news.len(), 2);
}

#[test]
fn how_far_an_attempt_has_come_is_told_by_its_reader() {
    let driver = with_link(&[Side::Reader]);
    assert!(driver.lock().links.get(LINK).unwrap().reached().is_some());
    let driver = with_link(&[Side::Writer]);
    assert!(driver.lock().links.get(LINK).unwrap().reached().is_none());
}

/// Whether the session is alive when a batch that was just taken is overdue, unless something of it has moved since.
fn lives_on_when_overdue(moves: impl FnOnce(&Driver, LinkId)) -> bool {
    let played = Played::joined(Limits::new());
    played.driver.emit(played.namespace, emit(None), None).unwrap();
    played.take();
    let taken = now();
    while now() <= taken {}
    moves(&played.driver, played.link);
    played.driver.run(|core, _| {
        // The peer is heard, and reads nothing.
        let ping = Packet::Ping(Probe::Heartbeat);
        core.received(played.link, ping, taken + Duration::from_secs(40));
        core.expire(taken + Duration::from_secs(45));
    });
    played.driver.stats().disconnects == 0
}

#[test]
fn what_moves_of_a_batch_puts_off_its_deadline_if_it_is_of_the_one_who_writes() {
    assert!(!lives_on_when_overdue(|_, _| ()));
    assert!(lives_on_when_overdue(Driver::progressed));
    assert!(lives_on_when_overdue(|driver, link| driver.hear(link, Side::Writer, News::Room)));
    assert!(!lives_on_when_overdue(|driver, link| driver.hear(link, Side::Reader, News::Room)));
}

#[test]
fn links_that_do_not_end_are_cut_at_the_limit() {
    let driver = with_link(&[Side::Reader]);
    driver.wait_closed(Duration::from_millis(10));
    let mut monitor = driver.lock();
    let lane = monitor.links.get_mut(LINK).unwrap().lane(Side::Reader).as_ref().unwrap();
    assert!(lane.attempt.waker().is_cancelled());
}

#[test]
fn how_far_a_link_has_come_is_noted_for_the_error_that_may_end_it() {
    let played = Played::connecting(Limits::new());
    played.add_link();
    let way = ("127.0.0.1:1".parse().unwrap(), "127.0.0.1:9".parse().unwrap());
    let mut monitor = played.driver.lock();
    monitor.links.get_mut(played.link).unwrap().lead_by(way);
    monitor.note_reached(played.link);
    assert_eq!(monitor.core.engine().unwrap().so_far().address, Some(way.1));
}
