//! Who does what was kept for the thread that leads, and who leads meanwhile.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, ThreadId};

use super::*;
use crate::driver::server::hub_options::HubOptions;
use crate::driver::server::parts::{Hub, IoCommand};
use crate::driver::server::pool::PoolSize;
use crate::driver::server::tasks::Task;
use crate::driver::server::testing::{options, server};

const LIMIT: Duration = Duration::from_secs(60);

/// A server of which nobody serves the connections yet.
fn leadership() -> (Arc<Leadership>, Box<Io>, Arc<Hub>) {
    let pool = PoolSize { workers: 2, most: 4, stack_size: 256 * 1024 };
    let io = server(HubOptions { pool, ..options() });
    let hub = Arc::clone(&io.hub);
    (Leadership::new(&hub.pool, 0).unwrap(), Box::new(io), hub)
}

/// A step leaves something to be done, which tells of its thread.
fn keep(hub: &Hub, tell: &Sender<ThreadId>) {
    let tell = tell.clone();
    let task = Task::Once(Box::new(move || tell.send(thread::current().id()).unwrap()));
    assert!(hub.pool.keeping(|| hub.pool.submit(task)).1);
}

/// A step leaves something that takes until the sender is dropped; the receiver hears that it has begun.
fn keep_long(hub: &Hub) -> (Sender<()>, Receiver<()>) {
    let ((release, gate), (tell, begun)) = (channel::<()>(), channel());
    let task = Task::Once(Box::new(move || {
        tell.send(()).unwrap();
        let _ = gate.recv();
    }));
    hub.pool.keeping(|| hub.pool.submit(task));
    (release, begun)
}

fn eventually(mut has_come: impl FnMut() -> bool) {
    let began = std::time::Instant::now();
    while !has_come() {
        assert!(began.elapsed() < LIMIT, "it has not come");
        thread::yield_now();
    }
}

#[test]
fn the_thread_that_leads_does_what_was_kept_and_comes_back() {
    let (leadership, mut io, hub) = leadership();
    let (tell, told) = channel();
    for _ in 0..3 {
        keep(&hub, &tell);
        io = leadership.attend(io).expect("nobody else leads");
        assert_eq!(told.try_recv(), Ok(thread::current().id()));
        assert_eq!(leadership.away_since.load(Ordering::SeqCst), PRESENT);
    }
    leadership.end(io);
}

#[test]
fn who_is_away_for_too_long_is_relieved_and_then_follows() {
    let (leadership, io, hub) = leadership();
    let (release, begun) = keep_long(&hub);
    let (tell, told) = channel();
    keep(&hub, &tell);
    let leader = Arc::clone(&leadership);
    let leaves = thread::spawn(move || leader.attend(io).is_some());
    begun.recv_timeout(LIMIT).unwrap();
    eventually(|| leadership.away_since.load(Ordering::SeqCst) == PRESENT);
    assert!(told.recv_timeout(LIMIT).is_ok(), "others do what it was to do alone");
    assert!(lock(&leadership.io).is_none(), "somebody else has them");
    drop(release);
    assert!(!leaves.join().unwrap(), "the lead is lost");
    assert!(leadership.begin_to_follow(), "nobody else does");
    assert!(!leadership.begin_to_follow(), "one is enough");
    let follower = Arc::clone(&leadership);
    let (tell, ended) = channel();
    thread::spawn(move || tell.send(follower.follow().is_none()));
    hub.command(IoCommand::End(now()));
    assert_eq!(ended.recv_timeout(LIMIT), Ok(true));
    assert!(!leadership.begin_to_follow(), "the server has ended");
}

#[test]
fn of_two_who_would_end_an_absence_one_does() {
    let (leadership, ..) = leadership();
    for since in [5, 6] {
        leadership.away_since.store(since, Ordering::SeqCst);
        assert!(!leadership.end_absence(since - 1), "that one is over");
        assert!(leadership.end_absence(since));
        assert!(!leadership.end_absence(since));
    }
}

/// Follows in a thread, which tells when it has ended.
fn follow(leadership: &Arc<Leadership>) -> Receiver<()> {
    let (tell, ended) = channel();
    let this = Arc::clone(leadership);
    thread::spawn(move || {
        drop(this.follow());
        let _ = tell.send(());
    });
    ended
}

/// In how long the follower looks.
fn looks_in(leadership: &Leadership) -> Duration {
    let left = rustix::time::timerfd_gettime(&leadership.timer).unwrap().it_value;
    Duration::try_from(left).unwrap()
}

/// The timer goes off at once.
fn ring(leadership: &Leadership) {
    leadership.set_timer(Duration::from_nanos(1));
}

#[test]
fn who_begins_to_follow_looks_in_a_while_or_when_somebody_has_left_meanwhile() {
    for is_watched in [false, true] {
        let (leadership, ..) = leadership();
        leadership.is_watched.store(is_watched, Ordering::SeqCst);
        let soon = GRACE * 1000;
        leadership.set_timer(soon);
        assert!(leadership.begin_to_follow());
        assert_eq!(looks_in(&leadership) <= soon, is_watched);
    }
}

#[test]
fn a_follower_whom_nobody_needed_for_a_while_ends() {
    let (leadership, ..) = leadership();
    assert!(leadership.begin_to_follow());
    leadership.is_watched.store(true, Ordering::SeqCst);
    ring(&leadership);
    let ended = follow(&leadership);
    eventually(|| looks_in(&leadership) > GRACE);
    assert!(ended.try_recv().is_err(), "the leader had left meanwhile");
    ring(&leadership);
    assert_eq!(ended.recv_timeout(LIMIT), Ok(()));
    assert!(leadership.begin_to_follow(), "nobody follows");
}

#[test]
fn the_leader_has_two_milliseconds_before_it_is_relieved() {
    let (leadership, ..) = leadership();
    let began = now();
    leadership.away_since.store(nanos(began), Ordering::SeqCst);
    ring(&leadership);
    assert_eq!(follow(&leadership).recv_timeout(LIMIT), Ok(()));
    assert_eq!(leadership.away_since.load(Ordering::SeqCst), PRESENT);
    assert!(now().since(began) >= GRACE);
}

#[test]
fn a_leader_whose_handler_waits_is_relieved_at_once() {
    let (leadership, ..) = leadership();
    // It has but left.
    let later = nanos(now() + Duration::from_secs(3600));
    leadership.away_since.store(later, Ordering::SeqCst);
    let ended = follow(&leadership);
    LED.set(Some(Arc::clone(&leadership)));
    hand_over();
    LED.set(None);
    assert_eq!(ended.recv_timeout(LIMIT), Ok(()));
    assert_eq!(leadership.away_since.load(Ordering::SeqCst), PRESENT);
}

#[test]
fn a_leader_that_comes_back_and_leaves_again_at_the_last_moment_is_watched() {
    let (leadership, ..) = leadership();
    leadership.is_watched.store(true, Ordering::SeqCst);
    leadership.away_since.store(1, Ordering::SeqCst);
    let follower = lock(&leadership.follower);
    ring(&leadership);
    let ended = follow(&leadership);
    eventually(|| !leadership.is_watched.load(Ordering::SeqCst));
    // It has, or is about to have, seen the former absence.
    thread::sleep(Duration::from_millis(5));
    leadership.away_since.store(2, Ordering::SeqCst);
    drop(follower);
    assert_eq!(ended.recv_timeout(LIMIT), Ok(()));
    assert_eq!(leadership.away_since.load(Ordering::SeqCst), PRESENT);
}
