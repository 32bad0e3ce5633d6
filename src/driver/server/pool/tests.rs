use std::sync::mpsc::{Receiver, Sender, channel};

use super::super::tasks::TakesTurns;
use super::*;

impl Workers {
    /// Waits until there are so many threads, all of which rest.
    fn settle(&self, count: usize) {
        while {
            let state = lock(&self.state);
            (state.threads, state.resting) != (count, count)
        } {
            std::thread::yield_now();
        }
    }
}

const LIMIT: Duration = Duration::from_secs(60);

fn pool(workers: usize, most: usize) -> Arc<Workers> {
    Workers::new(PoolSize { workers, most, stack_size: 256 * 1024 }, |_| ())
}

/// Something with so many bits of work, that tells of each.
struct Bits {
    left: Mutex<u32>,
    name: &'static str,
    done: Mutex<Sender<&'static str>>,
}

impl TakesTurns for Bits {
    fn take_turn(&self) -> bool {
        let mut left = lock(&self.left);
        *left -= 1;
        let _ = lock(&self.done).send(self.name);
        *left > 0
    }
}

fn order_of(pool: &Workers, bits: &[(&'static str, u32)]) -> Receiver<&'static str> {
    let (done, order) = channel();
    for (name, count) in bits {
        let left = Mutex::new(*count);
        let done = Mutex::new(done.clone());
        pool.submit(Task::Turn(Arc::new(Bits { left, name, done })));
    }
    order
}

#[test]
fn one_thread_serves_all_in_turn() {
    let pool = pool(1, 1);
    let (begin, gate) = channel::<()>();
    // Nothing begins before all of it waits.
    pool.submit(Task::Once(Box::new(move || _ = gate.recv())));
    let order = order_of(&pool, &[("a", 3), ("b", 2), ("c", 1)]);
    begin.send(()).unwrap();
    let order: Vec<_> = order.iter().take(6).collect();
    assert_eq!(order, ["a", "b", "c", "a", "b", "a"]);
    assert_eq!(pool.threads(), 1);
    pool.end(|| ());
}

#[test]
fn there_are_no_more_threads_than_are_allowed() {
    let pool = pool(2, 3);
    let (begin, gate) = channel::<()>();
    let gate = Arc::new(Mutex::new(gate));
    for _ in 0..10 {
        let gate = Arc::clone(&gate);
        pool.submit(Task::Once(Box::new(move || _ = lock(&gate).recv())));
    }
    assert_eq!(pool.threads(), 2);
    drop(begin);
    pool.end(|| ());
}

#[test]
fn a_handler_that_waits_gives_its_place_to_another_up_to_the_bound() {
    let pool = pool(1, 2);
    let (tell, told) = channel();
    let (answer, answered) = channel::<()>();
    let first = Arc::clone(&pool);
    let waits = tell.clone();
    pool.submit(Task::Once(Box::new(move || {
        let wait = first.begin_wait().unwrap();
        assert!(wait.is_some());
        waits.send("waits").unwrap();
        answered.recv().unwrap();
        drop(wait);
        waits.send("has its answer").unwrap();
    })));
    assert_eq!(told.recv_timeout(LIMIT), Ok("waits"));
    assert_eq!(pool.threads(), 1, "there is nothing for another one");
    let second = Arc::clone(&pool);
    pool.submit(Task::Once(Box::new(move || {
        let error = second.begin_wait().err().expect("nobody would be left");
        assert_eq!(error.kind(), ErrorKind::Resource);
        tell.send("cannot wait").unwrap();
        answer.send(()).unwrap();
    })));
    assert_eq!(told.recv_timeout(LIMIT), Ok("cannot wait"));
    assert_eq!(told.recv_timeout(LIMIT), Ok("has its answer"));
    assert!(pool.begin_wait().unwrap().is_none(), "no thread of the pool");
    pool.end(|| ());
}

#[test]
fn a_handler_may_wait_again_and_again() {
    let pool = pool(1, 2);
    let (tell, told) = channel();
    let own = Arc::clone(&pool);
    pool.submit(Task::Once(Box::new(move || {
        for _ in 0..3 {
            tell.send(own.begin_wait().is_ok()).unwrap();
        }
    })));
    assert_eq!(told.iter().collect::<Vec<_>>(), [true; 3]);
    pool.end(|| ());
}

#[test]
fn what_waits_is_done_before_the_end_and_what_comes_late_too() {
    let pool = pool(1, 1);
    let (begin, gate) = channel::<()>();
    pool.submit(Task::Once(Box::new(move || _ = gate.recv())));
    let order = order_of(&pool, &[("a", 1)]);
    pool.end(|| ());
    let late = order_of(&pool, &[("late", 1)]);
    begin.send(()).unwrap();
    assert_eq!(order.recv_timeout(LIMIT), Ok("a"));
    assert_eq!(late.recv_timeout(LIMIT), Ok("late"));
}

#[test]
fn a_panic_ends_no_thread() {
    let pool = pool(1, 1);
    pool.submit(Task::Once(Box::new(|| std::panic::resume_unwind(Box::new(())))));
    assert_eq!(order_of(&pool, &[("a", 1)]).recv_timeout(LIMIT), Ok("a"));
    pool.end(|| ());
}

#[test]
fn what_is_gathered_begins_when_all_is_there_whatever_happens() {
    let pool = pool(1, 1);
    let (tell, told) = channel();
    let submit = |name: &'static str| {
        let tell = tell.clone();
        pool.submit(Task::Once(Box::new(move || tell.send(name).unwrap())));
    };
    pool.gathering(|| {
        submit("first");
        submit("second");
        assert_eq!(pool.threads(), 0, "nothing has begun");
    });
    assert_eq!(told.iter().take(2).collect::<Vec<_>>(), ["first", "second"]);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        pool.gathering(|| {
            submit("third");
            std::panic::resume_unwind(Box::new(()))
        })
    }));
    assert!(panicked.is_err());
    assert_eq!(told.recv_timeout(LIMIT), Ok("third"));
    submit("fourth");
    assert_eq!(told.recv_timeout(LIMIT), Ok("fourth"));
    pool.end(|| ());
}

/// Dropped, it would run the program's code, under whatever is locked.
#[test]
fn what_is_submitted_behind_the_end_is_done() {
    let pool = pool(1, 1);
    let (tell, told) = channel();
    pool.end({
        let tell = tell.clone();
        move || tell.send("the end").unwrap()
    });
    pool.submit(Task::Once(Box::new(move || tell.send("late").unwrap())));
    assert_eq!(told.recv_timeout(LIMIT), Ok("the end"));
    assert_eq!(told.recv_timeout(LIMIT), Ok("late"));
    assert!(told.recv().is_err(), "once");
}

#[test]
fn threads_that_nobody_needs_end_and_the_others_stay() {
    let pool = pool(4, 4);
    let (began, begins) = channel();
    let (ended, ends) = channel::<()>();
    let gates: Vec<_> = (0..4)
        .map(|_| {
            let (open, gate) = channel::<()>();
            let (began, ended) = (began.clone(), ended.clone());
            pool.submit(Task::Once(Box::new(move || {
                began.send(()).unwrap();
                let _ = gate.recv();
                drop(ended);
            })));
            open
        })
        .collect();
    drop(ended);
    assert_eq!(begins.iter().take(4).count(), 4);
    assert!(pool.end_unneeded(), "all four were needed");
    assert_eq!(pool.threads(), 4);
    drop(gates);
    assert!(ends.recv().is_err());
    pool.settle(4);
    assert!(pool.end_unneeded(), "they rest only since then");
    assert_eq!(pool.threads(), 4);
    // Of four that rest, one has something to do.
    assert_eq!(order_of(&pool, &[("a", 1)]).recv_timeout(LIMIT), Ok("a"));
    pool.settle(4);
    assert!(pool.end_unneeded());
    pool.settle(1);
    assert!(!pool.end_unneeded(), "the last one ends");
    pool.settle(0);
    assert_eq!(order_of(&pool, &[("b", 1)]).recv_timeout(LIMIT), Ok("b"));
    pool.end(|| ());
}

#[test]
fn whoever_looks_at_threads_is_told_when_there_are_some_and_once() {
    let (tell, told) = channel();
    let size = PoolSize { workers: 2, most: 2, stack_size: 256 * 1024 };
    let pool = Workers::new(size, move |_| tell.send(()).unwrap());
    for _ in 0..3 {
        assert_eq!(order_of(&pool, &[("a", 1), ("b", 1)]).iter().count(), 2);
    }
    assert_eq!(told.try_iter().count(), 1);
    while pool.end_unneeded() {
        std::thread::yield_now();
    }
    assert_eq!(order_of(&pool, &[("a", 1)]).iter().count(), 1);
    assert_eq!(told.try_iter().count(), 1);
    pool.end(|| ());
}

/// A guest and a thread of the pool that rests, of which one may be at work at a time.
#[test]
fn a_guest_does_what_waits_and_nobody_else_beyond_the_bound() {
    let pool = pool(1, 1);
    assert_eq!(order_of(&pool, &[("a", 1)]).recv_timeout(LIMIT), Ok("a"));
    pool.settle(1);
    let (tell, told) = channel();
    let again = Arc::clone(&pool);
    let ((), has_kept) = pool.keeping(|| {
        pool.submit(Task::Once(Box::new(move || {
            let (tell_second, told_second) = channel();
            again.submit(Task::Once(Box::new(move || {
                let _ = tell_second.send(());
                tell.send(std::thread::current().id()).unwrap();
            })));
            // The thread that rests is told, and finds that there is no room for it.
            let second = told_second.recv_timeout(Duration::from_millis(100));
            assert!(second.is_err(), "two at a time");
        })));
    });
    assert!(has_kept);
    assert_eq!(pool.take_part(), 2);
    assert_eq!(told.recv_timeout(LIMIT), Ok(std::thread::current().id()));
    pool.settle(1);
    pool.end(|| ());
}

#[test]
fn what_was_kept_is_left_to_others_where_there_is_no_room_for_a_guest() {
    let pool = pool(1, 1);
    let busy = keep_busy(&pool);
    let (order, has_kept) = pool.keeping(|| order_of(&pool, &[("kept", 1)]));
    assert!(has_kept);
    assert_eq!(pool.take_part(), 0);
    assert!(order.try_recv().is_err());
    drop(busy);
    assert_eq!(order.recv_timeout(LIMIT), Ok("kept"));
    pool.end(|| ());
}

#[test]
fn so_many_tasks_are_done_at_a_time_and_so_many_with_those_that_wait_for_answers() {
    let pool = pool(2, 4);
    for (active, awaiting, has_porter, has_room) in [
        (1, 0, false, true),
        (2, 0, false, false),
        (2, 1, false, true),
        (3, 1, false, false),
        (3, 2, false, true),
        (4, 3, false, false),
        // The one at the door comes on top.
        (2, 0, true, true),
        (3, 0, true, false),
    ] {
        let state = WorkQueue { active, awaiting, has_porter, ..WorkQueue::default() };
        let case = (active, awaiting, has_porter);
        assert_eq!(pool.has_room(&state), has_room, "{case:?}");
    }
}

#[test]
fn a_thread_has_10_seconds_without_work_and_the_door_50_milliseconds() {
    assert_eq!(PoolLook::Unneeded.pause(), Duration::from_secs(10));
    assert_eq!(PoolLook::Door.pause(), Duration::from_millis(50));
}

#[test]
fn who_waits_at_the_door_is_held_up_where_nobody_is_free() {
    let pool = pool(2, 4);
    for (at_the_door, resting, waking, active, is_held_up) in [
        (0, 0, 0, 2, false),
        (1, 0, 0, 2, true),
        (1, 0, 0, 1, true),
        (1, 1, 0, 1, false),
        (1, 0, 1, 1, false),
        (1, 1, 1, 1, false),
        // A guest is at as much as there may be at a time.
        (1, 1, 0, 2, true),
    ] {
        let state = WorkQueue { resting, waking, active, at_the_door, ..WorkQueue::default() };
        let case = (at_the_door, resting, waking, active);
        assert_eq!(pool.is_door_held_up(&state), is_held_up, "{case:?}");
    }
}

#[test]
fn what_is_gathered_is_done_at_the_same_time_as_far_as_there_are_threads() {
    let pool = pool(3, 3);
    let (done, all_done) = channel();
    let all_there = Arc::new(std::sync::Barrier::new(3));
    pool.gathering(|| {
        for _ in 0..3 {
            let (done, all_there) = (done.clone(), Arc::clone(&all_there));
            pool.submit(Task::Once(Box::new(move || {
                all_there.wait();
                done.send(()).unwrap();
            })));
        }
    });
    for _ in 0..3 {
        all_done.recv_timeout(LIMIT).unwrap();
    }
    pool.end(|| ());
}

/// Tells when it begins, and stays until the sender is dropped.
fn keep_busy(pool: &Workers) -> Sender<()> {
    let (release, gate) = channel::<()>();
    let (tell, told) = channel();
    pool.submit(Task::Once(Box::new(move || {
        tell.send(()).unwrap();
        let _ = gate.recv();
    })));
    told.recv_timeout(LIMIT).unwrap();
    release
}

#[test]
fn who_waits_at_the_door_is_let_in_by_one_more_thread_and_nobody_else_is() {
    let (look, looks) = channel();
    let size = PoolSize { workers: 2, most: 8, stack_size: 256 * 1024 };
    let pool = Workers::new(size, move |what| look.send(what).unwrap());
    let busy = [keep_busy(&pool), keep_busy(&pool)];
    assert_eq!(looks.try_iter().collect::<Vec<_>>(), [PoolLook::Unneeded]);
    let (done, order) = channel();
    let tells = |name: &'static str| {
        let done = done.clone();
        Box::new(move || done.send(name).unwrap())
    };
    pool.submit(Task::Once(tells("another")));
    pool.submit(Task::AtTheDoor(tells("first")));
    assert_eq!(looks.try_recv(), Ok(PoolLook::Door));
    pool.submit(Task::AtTheDoor(tells("second")));
    assert!(looks.try_recv().is_err(), "it is looked once for all");
    assert!(order.try_recv().is_err(), "nothing is done before");
    assert!(pool.look(PoolLook::Door), "it is looked again");
    assert_eq!(order.recv_timeout(LIMIT), Ok("first"));
    assert_eq!(order.recv_timeout(LIMIT), Ok("second"));
    while pool.threads() > 2 {
        std::thread::yield_now();
    }
    assert!(!pool.look(PoolLook::Door), "nobody waits any more");
    assert!(order.try_recv().is_err(), "the others wait");
    drop(busy);
    assert_eq!(order.recv_timeout(LIMIT), Ok("another"));
    pool.end(|| ());
}

#[test]
fn a_guest_that_is_the_last_one_does_what_is_done_at_the_end() {
    let pool = pool(1, 1);
    let (tell, told) = channel();
    let ends = Arc::clone(&pool);
    pool.keeping(|| {
        pool.submit(Task::Once(Box::new(move || {
            ends.end({
                let tell = tell.clone();
                move || tell.send("the end").unwrap()
            });
            tell.send("the handler").unwrap();
        })));
    });
    assert_eq!(pool.take_part(), 1);
    assert_eq!(told.iter().collect::<Vec<_>>(), ["the handler", "the end"]);
}

#[test]
fn the_thread_at_the_door_is_one_of_those_that_there_may_be() {
    let pool = pool(1, 1);
    let busy = keep_busy(&pool);
    let (done, told) = channel();
    pool.submit(Task::AtTheDoor(Box::new(move || done.send(()).unwrap())));
    assert!(pool.look(PoolLook::Door));
    assert_eq!(pool.threads(), 1);
    drop(busy);
    told.recv_timeout(LIMIT).unwrap();
    assert!(!pool.look(PoolLook::Door));
    pool.end(|| ());
}

#[test]
fn no_thread_goes_to_the_door_where_nobody_waits() {
    let pool = pool(1, 1);
    let (tell, told) = channel();
    {
        // A thread that ends would be the last one, and tell.
        let mut state = lock(&pool.state);
        state.is_over = true;
        state.last = Some(Box::new(move || tell.send("a thread has ended").unwrap()));
    }
    assert!(!pool.look(PoolLook::Door));
    drop(pool);
    assert!(told.recv().is_err());
}

#[test]
fn what_waits_behind_a_handler_is_done_when_that_begins_to_wait() {
    let pool = pool(1, 2);
    let (begin, gate) = channel::<()>();
    let (answer, answered) = channel::<()>();
    let (tell, told) = channel();
    let own = Arc::clone(&pool);
    pool.submit(Task::Once(Box::new(move || {
        gate.recv().unwrap();
        let wait = own.begin_wait().unwrap();
        let is_answered = answered.recv_timeout(LIMIT).is_ok();
        drop(wait);
        tell.send((is_answered, own.is_own_thread())).unwrap();
    })));
    pool.submit(Task::Once(Box::new(move || answer.send(()).unwrap())));
    begin.send(()).unwrap();
    assert_eq!(told.recv(), Ok((true, true)));
    assert!(!pool.is_own_thread());
    pool.end(|| ());
}

#[test]
fn one_that_rests_is_asked_before_another_is_started() {
    let pool = pool(2, 2);
    for _ in 0..2 {
        assert_eq!(order_of(&pool, &[("a", 1)]).recv_timeout(LIMIT), Ok("a"));
        assert_eq!(pool.threads(), 1);
        pool.settle(1);
    }
    pool.end(|| ());
}

#[test]
fn it_is_the_last_thread_that_does_what_is_last() {
    let pool = pool(2, 2);
    let (tell, told) = channel();
    let (begin, gate) = channel::<()>();
    let first = tell.clone();
    pool.submit(Task::Once(Box::new(move || {
        gate.recv().unwrap();
        first.send("the first").unwrap();
    })));
    assert_eq!(order_of(&pool, &[("a", 1)]).recv_timeout(LIMIT), Ok("a"));
    assert_eq!(pool.threads(), 2);
    pool.end(move || tell.send("the last").unwrap());
    while pool.threads() > 1 {
        std::thread::yield_now();
    }
    begin.send(()).unwrap();
    assert_eq!(told.iter().collect::<Vec<_>>(), ["the first", "the last"]);
}

#[test]
fn threads_that_rest_end_with_the_pool() {
    let pool = pool(1, 1);
    assert_eq!(order_of(&pool, &[("a", 1)]).recv_timeout(LIMIT), Ok("a"));
    pool.settle(1);
    let (tell, told) = channel();
    pool.end(move || tell.send("the last").unwrap());
    assert_eq!(told.recv_timeout(LIMIT), Ok("the last"));
}
