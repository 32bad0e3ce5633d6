//! Who does what was kept for the thread that leads, and who leads meanwhile. What they know of each other is tried in the tests
//! of the shift.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
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

/// A step leaves something that takes until the sender is dropped.
fn keep_long(hub: &Hub) -> Sender<()> {
    let (release, gate) = channel::<()>();
    let task = Task::Once(Box::new(move || {
        let _ = gate.recv();
    }));
    hub.pool.keeping(|| hub.pool.submit(task));
    release
}

/// Follows in a thread, which tells when that has ended, and whether it leads then.
fn follow(leadership: &Arc<Leadership>) -> Receiver<bool> {
    let (tell, ended) = channel();
    let this = Arc::clone(leadership);
    thread::spawn(move || tell.send(this.follow().is_some()));
    ended
}

#[test]
fn the_thread_that_leads_does_what_was_kept_and_comes_back() {
    let (leadership, mut io, hub) = leadership();
    // It never looks, and relieves nobody, whatever time this takes.
    assert!(leadership.begin_to_follow());
    let (tell, told) = channel();
    for _ in 0..3 {
        keep(&hub, &tell);
        io = leadership.attend(io).expect("nobody else leads");
        assert_eq!(told.try_recv(), Ok(thread::current().id()));
    }
    leadership.end(io);
}

#[test]
fn who_is_away_for_too_long_is_relieved_and_then_follows() {
    let (leadership, io, hub) = leadership();
    let release = keep_long(&hub);
    let (tell, told) = channel();
    keep(&hub, &tell);
    let leader = Arc::clone(&leadership);
    let leaves = thread::spawn(move || leader.attend(io).is_some());
    let other = told.recv_timeout(LIMIT).expect("others do what it was to do alone");
    assert_ne!(other, leaves.thread().id());
    drop(release);
    assert!(!leaves.join().unwrap(), "somebody else leads");
    assert!(leadership.begin_to_follow(), "nobody follows yet");
    assert!(!leadership.begin_to_follow(), "one is enough");
    let ended = follow(&leadership);
    hub.command(IoCommand::End(now()));
    assert_eq!(ended.recv_timeout(LIMIT), Ok(false));
    assert!(!leadership.begin_to_follow(), "the server has ended");
}

#[test]
fn a_follower_sleeps_until_its_timer_goes_off() {
    let (leadership, ..) = leadership();
    assert!(leadership.begin_to_follow());
    let ended = follow(&leadership);
    let soon = ended.recv_timeout(Duration::from_millis(50));
    assert_eq!(soon, Err(RecvTimeoutError::Timeout));
    leadership.set_timer(AT_ONCE);
    assert_eq!(ended.recv_timeout(LIMIT), Ok(false), "nobody has left for so long");
}

#[test]
fn a_leader_whose_handler_waits_is_relieved_at_once() {
    let (leadership, io, _hub) = leadership();
    // For this one no time will have passed.
    let later = now() + Duration::from_secs(3600);
    let absence = lock(&leadership.shift).leave(io, later);
    let ended = follow(&leadership);
    LED.set(Some((Arc::clone(&leadership), absence)));
    hand_over();
    LED.set(None);
    assert_eq!(ended.recv_timeout(LIMIT), Ok(true));
    assert!(lock(&leadership.shift).come_back(absence).is_none());
}

#[test]
fn who_leads_keeps_the_deadlines_and_is_not_woken_for_its_own() {
    let (leadership, io, hub) = leadership();
    let _serves = play(Role::Server);
    assert!(!hub.timers.is_looked_at_here());
    hub.command(IoCommand::End(now()));
    assert!(!leadership.lead(io), "the server has ended");
    assert!(hub.timers.is_looked_at_here());
}
