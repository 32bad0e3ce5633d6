//! Programs with a loop of their own: descriptors that are readable while something waits.

use std::os::fd::AsFd;
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use siot::{Ack, ErrorKind, Limits, ReadyFd, Socket, Status, Subscription};

use crate::support::{LIMIT, Via, alone, eventually, fds, over_each_transport, shared};

over_each_transport!(
    one_descriptor_serves_all_subscriptions_of_a_manager,
    a_flood_is_taken_by_a_loop_which_blocks_afterwards,
    a_loop_gets_its_events_though_another_subscription_is_full,
    the_end_of_the_connection_is_readable,
    an_answer_is_waited_for_by_its_descriptor,
    a_descriptor_is_readable_whatever_becomes_of_the_answer,
);

fn poll_for(fd: impl AsFd, limit: Duration) -> bool {
    let limit = Timespec::try_from(limit).unwrap();
    let mut fds = [PollFd::new(&fd, PollFlags::IN)];
    loop {
        match poll(&mut fds, Some(&limit)) {
            Ok(ready) => return ready > 0,
            Err(error) => assert_eq!(error, rustix::io::Errno::INTR),
        }
    }
}

fn is_readable(fd: &ReadyFd) -> bool {
    poll_for(fd, Duration::ZERO)
}

/// Waits until something is readable, which must not take for ever.
#[track_caller]
fn wait_readable(fd: &ReadyFd) {
    assert!(poll_for(fd, LIMIT), "nothing became readable");
}

fn socket(via: Via) -> Socket {
    let socket = via.builder(shared().url()).build().unwrap();
    socket.wait_connected(LIMIT).unwrap();
    socket
}

/// Takes the numbers of all events that wait.
fn numbers(subscription: &Subscription) -> Vec<u32> {
    subscription.try_iter().map(|event| event.arg(0).unwrap()).collect()
}

fn one_descriptor_serves_all_subscriptions_of_a_manager(via: Via) {
    let socket = socket(via);
    let before = socket.subscribe("echo");
    let ready = socket.manager().ready_fd().unwrap();
    assert!(!is_readable(&ready));
    // What is made later counts as well, in other namespaces too.
    let admin = socket.manager().socket("/admin").unwrap();
    let (status, floods) = (admin.status(), admin.subscribe("flood"));
    wait_readable(&ready);
    assert!(matches!(status.try_recv(), Some(Status::Connected { .. })));
    assert!(!is_readable(&ready));

    socket.emit("echo", 7).unwrap();
    wait_readable(&ready);
    assert_eq!(numbers(&before), [7]);
    assert!(!is_readable(&ready));

    admin.emit("flood", (3, 10)).unwrap();
    let mut taken = Vec::new();
    while taken.len() < 3 {
        wait_readable(&ready);
        taken.extend(numbers(&floods));
    }
    assert_eq!(taken, [0, 1, 2]);
    assert!(!is_readable(&ready));

    // What is dropped with something in it is no reason any more.
    socket.emit("echo", 8).unwrap();
    wait_readable(&ready);
    drop(before);
    assert!(!is_readable(&ready));
}

fn a_flood_is_taken_by_a_loop_which_blocks_afterwards(via: Via) {
    const COUNT: u32 = 5000;
    let socket = socket(via);
    let floods = socket.subscribe("flood");
    let ready = floods.ready_fd().unwrap();
    socket.emit("flood", (COUNT, 10)).unwrap();
    let (mut taken, mut polls) = (Vec::new(), 0);
    while taken.len() < COUNT as usize {
        wait_readable(&ready);
        polls += 1;
        let new = numbers(&floods);
        assert!(!new.is_empty(), "woken for nothing, the {polls}. time");
        taken.extend(new);
    }
    assert!(taken.into_iter().eq(0..COUNT));
    assert!(!poll_for(&ready, Duration::from_millis(50)));
}

fn a_loop_gets_its_events_though_another_subscription_is_full(via: Via) {
    let limits = Limits::new().receive_events(5);
    let socket = via.builder(shared().url()).limits(limits).build().unwrap();
    socket.wait_connected(LIMIT).unwrap();
    let full = socket.subscribe("flood");
    let echoes = socket.subscribe("echo");
    let ready = echoes.ready_fd().unwrap();
    socket.emit("flood", (50, 10)).unwrap();
    eventually(LIMIT, "it is full", || full.len() >= 5);
    socket.emit("echo", 7).unwrap();
    wait_readable(&ready);
    assert_eq!(numbers(&echoes), [7]);
}

fn the_end_of_the_connection_is_readable(via: Via) {
    let socket = socket(via);
    let echoes = socket.subscribe("echo");
    let (own, of_all) = (echoes.ready_fd().unwrap(), socket.manager().ready_fd().unwrap());
    assert!(!is_readable(&own) && !is_readable(&of_all) && !echoes.is_closed());
    let waiter = thread::spawn({
        let (own, of_all) = (own.clone(), of_all.clone());
        move || (poll_for(&own, LIMIT), poll_for(&of_all, LIMIT))
    });
    socket.manager().close(LIMIT);
    assert_eq!(waiter.join().unwrap(), (true, true));
    assert!(echoes.try_recv().is_none() && echoes.is_closed());
    // It stays so, and is so from the start for who comes later.
    assert!(is_readable(&own) && is_readable(&of_all));
    let late = socket.subscribe("echo");
    assert!(is_readable(&late.ready_fd().unwrap()));
    assert!(is_readable(&socket.manager().ready_fd().unwrap()));
}

fn an_answer_is_waited_for_by_its_descriptor(via: Via) {
    let limits = Limits::new().receive_events(5);
    let socket = via.builder(shared().url()).limits(limits).build().unwrap();
    socket.wait_connected(LIMIT).unwrap();
    let mut ack = socket.emit_with_ack("ack-kept", ()).unwrap();
    let ready = ack.ready_fd().unwrap();
    assert!(!is_readable(&ready) && ack.try_wait::<(String, u32)>().is_none());
    socket.emit("give-kept", ()).unwrap();
    wait_readable(&ready);
    assert_eq!(ack.try_wait::<(String, u32)>().unwrap().unwrap().1, 300);
    // It stays so, and is so for who comes later, as the answer can be asked for again.
    assert!(is_readable(&ready) && is_readable(&ack.ready_fd().unwrap()));

    // Many at a time, in any order; also behind what nobody takes.
    let full = socket.subscribe("flood");
    socket.emit("flood", (50, 10)).unwrap();
    let acks: Vec<_> = (0..50).map(|n| socket.emit_with_ack("sum", (n, 1)).unwrap()).collect();
    for (mut ack, sum) in acks.into_iter().zip(1..51).rev() {
        wait_readable(&ack.ready_fd().unwrap());
        assert_eq!(ack.try_wait::<u32>().unwrap().unwrap(), sum);
    }
    assert!(full.len() >= 5);
}

fn a_descriptor_is_readable_whatever_becomes_of_the_answer(via: Via) {
    let error = |mut ack: Ack| ack.try_wait::<()>().unwrap().unwrap_err().kind();
    let socket = socket(via);
    let moment = Duration::from_millis(50);
    let late = socket.timeout(moment).emit_with_ack("never-ack", ()).unwrap();
    wait_readable(&late.ready_fd().unwrap());
    assert_eq!(error(late), ErrorKind::Timeout);

    // Nobody holds the answer any more.
    let dropped = socket.emit_with_ack("sum", (1, 2)).unwrap();
    let ready = dropped.ready_fd().unwrap();
    drop(dropped);
    wait_readable(&ready);

    let passed_on = socket.emit_with_ack("sum", (1, 2)).unwrap();
    let ready = passed_on.ready_fd().unwrap();
    let answers = passed_on.receiver();
    wait_readable(&ready);
    assert_eq!(answers.try_recv().unwrap().unwrap().arg::<u32>(0).unwrap(), 3);

    let unanswered = socket.emit_with_ack("never-ack", ()).unwrap();
    let ready = unanswered.ready_fd().unwrap();
    assert!(!is_readable(&ready));
    let waiter = thread::spawn(move || poll_for(&ready, LIMIT));
    socket.manager().close(moment);
    assert!(waiter.join().unwrap());
    assert_eq!(error(unanswered), ErrorKind::Disconnected);
}

#[test]
fn an_answer_is_readable_when_the_last_handle_is_gone() {
    let socket = socket(Via::WebSocket);
    let unanswered = socket.emit_with_ack("never-ack", ()).unwrap();
    let ready = unanswered.ready_fd().unwrap();
    drop(socket);
    wait_readable(&ready);
}

#[test]
fn whoever_polls_hears_that_the_subscription_is_gone() {
    let socket = socket(Via::WebSocket);
    let echoes = socket.subscribe("echo");
    let ready = echoes.ready_fd().unwrap();
    let waiter = thread::spawn(move || poll_for(&ready, LIMIT));
    drop(echoes);
    assert!(waiter.join().unwrap());
}

#[test]
fn the_last_handle_may_be_gone_while_somebody_polls() {
    let socket = socket(Via::WebSocket);
    let ready = socket.manager().ready_fd().unwrap();
    let waiter = thread::spawn(move || poll_for(&ready, LIMIT));
    drop(socket);
    assert!(waiter.join().unwrap());
}

#[test]
fn a_descriptor_is_there_only_while_somebody_wants_one() {
    alone(|| {
        let socket = socket(Via::WebSocket);
        let (echoes, status) = (socket.subscribe("echo"), socket.status());
        let before = fds();
        let ack = socket.emit_with_ack("never-ack", ()).unwrap();
        assert_eq!(fds(), before);
        let of_all = socket.manager().ready_fd();
        let all = [echoes.ready_fd(), status.ready_fd(), ack.ready_fd(), of_all];
        let again = (echoes.ready_fd().unwrap(), ack.ready_fd().unwrap());
        assert_eq!(fds(), before + 4);
        drop((all, again));
        assert_eq!(fds(), before);
        socket.emit("echo", 1).unwrap();
        assert_eq!(echoes.recv_timeout(LIMIT).unwrap().arg::<u32>(0).unwrap(), 1);
    });
}
