//! The descriptor of an answer is readable from when that is here, whoever comes first.

use std::os::fd::AsFd;
use std::sync::Barrier;
use std::thread;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::*;
use crate::error::{Error, ErrorKind};

fn is_readable_within(readiness: Arc<Readiness>, seconds: i64) -> bool {
    let ready = crate::sync::readiness::ReadyFd::new(readiness);
    let fd = ready.as_fd();
    poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&Timespec { tv_sec: seconds, tv_nsec: 0 }))
        .unwrap()
        > 0
}

fn answer() -> Result<AckReply> {
    Err(Error::new(ErrorKind::Timeout, "no answer"))
}

#[test]
fn it_is_readable_from_when_the_answer_is_here() {
    let slot = AckSlot::default();
    let before = slot.readiness().unwrap();
    assert!(!is_readable_within(Arc::clone(&before), 0));
    slot.resolve(answer());
    assert!(is_readable_within(before, 0));
    // So is one that is made later, also after the answer was looked at.
    assert!(slot.answer().is_some() && is_readable_within(slot.readiness().unwrap(), 0));
}

#[test]
fn it_is_readable_also_where_the_answer_is_passed_on() {
    let slot = AckSlot::default();
    let ready = slot.readiness().unwrap();
    slot.forward(Box::new(|_| ()));
    assert!(!is_readable_within(Arc::clone(&ready), 0));
    slot.resolve(answer());
    assert!(is_readable_within(ready, 0));
}

#[test]
fn no_answer_is_missed_that_comes_while_somebody_asks() {
    for _ in 0..2000 {
        let (slot, start) = (AckSlot::default(), Barrier::new(2));
        thread::scope(|scope| {
            scope.spawn(|| {
                start.wait();
                slot.resolve(answer());
            });
            start.wait();
            assert!(is_readable_within(slot.readiness().unwrap(), 60));
            assert!(slot.is_here());
        });
    }
}

#[test]
fn an_answer_is_passed_on_when_it_comes_or_at_once_where_it_is_here() {
    for is_here_first in [true, false] {
        let (slot, (tell, told)) = (AckSlot::default(), std::sync::mpsc::channel());
        let forward = Box::new(move |answer: Result<AckReply>| tell.send(answer.is_err()).unwrap());
        if is_here_first {
            slot.resolve(answer());
            slot.forward(forward);
        } else {
            slot.forward(forward);
            assert!(told.try_recv().is_err());
            slot.resolve(answer());
        }
        assert_eq!(told.try_iter().collect::<Vec<_>>(), [true]);
    }
}
