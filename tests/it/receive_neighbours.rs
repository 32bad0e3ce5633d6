//! A consumer that is not read takes nothing from the one beside it, whatever its policy.

use std::time::Duration;

use crossbeam_channel::select;
use siot::{Buffer, Event, Limits, Subscription, WhenFull};

use crate::support::consumer::{Consumer, Pace};
use crate::support::full::until_full;
use crate::support::{CaseName, Client, LIMIT, Via, over_each_transport, shared_each};

over_each_transport!(
    a_reader_gets_everything_beside_a_subscription_that_is_not_read,
    a_reader_gets_everything_beside_a_callback_that_does_not_return,
    a_callback_gets_everything_beside_a_subscription_that_is_not_read,
    a_select_gets_everything_beside_a_subscription_that_is_not_read,
    a_reader_of_all_events_gets_everything_beside_one_of_some,
    a_reader_in_another_namespace_gets_everything,
    a_reader_gets_a_burst_beside_one_that_waits_for_room,
    consumers_of_every_speed_get_the_same_whatever_room_they_have,
);

const BOUND: usize = 10;
const POLICIES: [WhenFull; 3] = [WhenFull::Wait, WhenFull::DropOldest, WhenFull::DropNewest];

fn connect(via: Via, url: String, policy: WhenFull) -> Client {
    let limits = Limits::new().receive_events(BOUND).when_receive_full(policy);
    Client::connect(via.builder(url).limits(limits))
}

/// Runs a test with servers of both revisions and with each policy.
fn with_each(via: Via, test: impl Fn(&Client, WhenFull)) {
    for server in shared_each() {
        for policy in POLICIES {
            let _name = CaseName::new((server, policy));
            test(&connect(via, server.url(), policy), policy);
        }
    }
}

/// Has a hundred numbers sent, a few at a time, so that one who reads never has too many. Who reads
/// gets the first of them `next`.
#[track_caller]
fn send(client: &Client, mut next: impl FnMut() -> Event) {
    for start in (0..100).step_by(BOUND / 2) {
        let numbers = start..start + BOUND / 2;
        for n in numbers.clone() {
            client.emit("send-me", ("news", n)).unwrap();
        }
        for n in numbers {
            assert_eq!(next().arg::<usize>(0).unwrap(), n);
        }
    }
}

/// What one that was not read has in the end.
#[track_caller]
fn check_unread(unread: &Subscription, policy: WhenFull) {
    let left: Vec<usize> = unread.try_iter().map(|event| event.arg(0).unwrap()).collect();
    let (expected, lost) = match policy {
        WhenFull::DropOldest => (90..100, 90),
        WhenFull::DropNewest => (0..10, 90),
        _ => (0..100, 0),
    };
    assert!(left.iter().copied().eq(expected), "{left:?}");
    assert_eq!(unread.lost(), lost);
}

fn a_reader_gets_everything_beside_a_subscription_that_is_not_read(via: Via) {
    with_each(via, |client, policy| {
        let unread = client.subscribe("news");
        let reader = client.subscribe("news");
        send(client, || reader.recv_timeout(LIMIT).unwrap());
        check_unread(&unread, policy);
        assert_eq!(reader.lost(), 0);
        assert_eq!(client.manager().counters().receive_dropped, unread.lost());
    });
}

fn a_reader_gets_everything_beside_a_callback_that_does_not_return(via: Via) {
    with_each(via, |client, policy| {
        let busy = client.callback("news", Pace::Away);
        let reader = client.subscribe("news");
        // The first is the one that it is busy with.
        client.emit("send-me", ("news", "first")).unwrap();
        reader.recv_timeout(LIMIT).unwrap();
        assert_eq!(busy.next().arg::<String>(0).unwrap(), "first");
        send(client, || reader.recv_timeout(LIMIT).unwrap());
        busy.set_pace(Pace::Fast);
        let expected = match policy {
            WhenFull::DropOldest => 90..100,
            WhenFull::DropNewest => 0..10,
            _ => 0..100,
        };
        assert!(busy.numbers(expected.len()).into_iter().eq(expected));
        client.manager().close(LIMIT);
        assert_eq!(busy.taken(), [0; 0]);
    });
}

fn a_callback_gets_everything_beside_a_subscription_that_is_not_read(via: Via) {
    with_each(via, |client, policy| {
        let unread = client.subscribe("news");
        let callback = client.callback("news", Pace::Fast);
        send(client, || callback.next());
        check_unread(&unread, policy);
    });
}

fn a_select_gets_everything_beside_a_subscription_that_is_not_read(via: Via) {
    with_each(via, |client, policy| {
        let unread = client.subscribe("news");
        // One that was read by `select!` before, and is no more, is one that is not read.
        let abandoned = client.subscribe("news");
        assert!(abandoned.receiver().is_empty());
        let reader = client.subscribe("news");
        send(client, || {
            select! {
                recv(reader.receiver()) -> event => event.unwrap(),
                recv(client.status.receiver()) -> status => panic!("{status:?}"),
                default(LIMIT) => panic!("nothing came"),
            }
        });
        check_unread(&unread, policy);
        check_unread(&abandoned, policy);
    });
}

fn a_reader_of_all_events_gets_everything_beside_one_of_some(via: Via) {
    with_each(via, |client, policy| {
        let unread = client.subscribe("news");
        let reader = client.subscribe_any();
        send(client, || reader.recv_timeout(LIMIT).unwrap());
        check_unread(&unread, policy);
    });
}

fn a_reader_in_another_namespace_gets_everything(via: Via) {
    with_each(via, |client, policy| {
        let unread = client.subscribe("news");
        let admin = client.connect_in("/admin");
        let reader = admin.subscribe("news");
        for n in 0..100 {
            client.emit("send-me", ("news", n)).unwrap();
        }
        send(&admin, || reader.recv_timeout(LIMIT).unwrap());
        client.works();
        check_unread(&unread, policy);
    });
}

/// With the policy to wait nothing paces the server but the consumers themselves.
fn a_reader_gets_a_burst_beside_one_that_waits_for_room(via: Via) {
    for server in shared_each() {
        let _name = CaseName::new(server);
        let client = connect(via, server.url(), WhenFull::Wait);
        let few = Buffer::new().events(3).when_full(WhenFull::DropOldest);
        let (waits, newest) =
            (client.subscribe("flood"), client.buffer(few).unwrap().subscribe("flood"));
        let (reader, busy) = (client.subscribe("flood"), client.callback("flood", Pace::Away));
        let end = client.subscribe("flood-end");
        client.emit("flood", (500, 50)).unwrap();
        for n in 0..500 {
            assert_eq!(reader.recv_timeout(LIMIT).unwrap().arg::<usize>(0).unwrap(), n);
        }
        end.recv_timeout(LIMIT).unwrap();
        let kept: Vec<usize> = newest.try_iter().map(|event| event.arg(0).unwrap()).collect();
        assert_eq!((kept, newest.lost()), (vec![497, 498, 499], 497));
        until_full(&waits, 500);
        let late = Consumer::reading(waits, Pace::Fast);
        busy.set_pace(Pace::Fast);
        for consumer in [&late, &busy] {
            assert!(consumer.numbers(500).into_iter().eq(0..500));
        }
    }
}

fn consumers_of_every_speed_get_the_same_whatever_room_they_have(via: Via) {
    let slow = Pace::Slow(Duration::from_micros(200));
    for server in shared_each() {
        for (bound, reserve) in [(1, 0), (2, 2000), (7, 10_000), (100, 0)] {
            let _name = CaseName::new((server, bound, reserve));
            let limits = Limits::new().receive_events(bound).receive_reserve(reserve);
            let client = Client::connect(via.builder(server.url()).limits(limits));
            let consumers = [
                client.consumer("flood", Pace::Fast),
                client.consumer("flood", slow),
                client.callback("flood", slow),
                Consumer::reading(client.subscribe_any(), Pace::Fast),
            ];
            client.emit("flood", (300, 20)).unwrap();
            for consumer in &consumers {
                assert!(consumer.numbers(300).into_iter().eq(0..300));
            }
            client.works();
        }
    }
}
