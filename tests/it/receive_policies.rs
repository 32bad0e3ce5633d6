//! What gives way where a buffer is full, for each consumer by itself, and who is told.

use crossbeam_channel::{Receiver, Sender, unbounded};
use siot::{Buffer, ErrorKind, Limits, ListenerId, Subscription, WhenFull};

use crate::support::{
    CaseName, Client, LIMIT, Via, over_each_transport, recv_within, shared, shared_each,
};

over_each_transport!(
    each_consumer_keeps_what_its_own_policy_says,
    a_policy_of_the_connection_is_that_of_each_consumer,
    what_is_lost_is_counted_until_the_consumer_is_gone,
);

/// A callback that is busy with the first event until it is let go.
struct Busy {
    id: ListenerId,
    let_go: Sender<()>,
    taken: Receiver<usize>,
}

impl Busy {
    #[track_caller]
    fn on(client: &Client, buffer: Buffer) -> Self {
        let (let_go, gate) = unbounded::<()>();
        let (take, taken) = unbounded();
        let busy = move |event: siot::Event| {
            // The test may have ended.
            let _ = take.send(event.arg(0).unwrap());
            let _ = gate.recv();
        };
        let id = client.buffer(buffer).unwrap().on("flood", busy).unwrap();
        Self { id, let_go, taken }
    }

    /// Lets it go; gives what it is called with then.
    #[track_caller]
    fn take(&self, count: usize) -> Vec<usize> {
        for _ in 0..=count {
            self.let_go.send(()).unwrap();
        }
        (0..count).map(|_| recv_within(&self.taken, LIMIT)).collect()
    }
}

fn numbers(subscription: &Subscription) -> Vec<usize> {
    subscription.try_iter().map(|event| event.arg(0).unwrap()).collect()
}

fn each_consumer_keeps_what_its_own_policy_says(via: Via) {
    for server in shared_each() {
        let _name = CaseName::new(server);
        let client = via.connect(server.url());
        let few = |events, policy| Buffer::new().events(events).when_full(policy);
        let subscribe = |buffer| client.buffer(buffer).unwrap().subscribe("flood");
        let oldest = subscribe(few(3, WhenFull::DropOldest));
        let newest = subscribe(few(5, WhenFull::DropNewest));
        let all = client.buffer(few(1, WhenFull::DropOldest)).unwrap().subscribe_any();
        let in_channel = subscribe(few(4, WhenFull::DropOldest));
        assert!(in_channel.receiver().is_empty());
        let waits = client.subscribe("flood");
        let busy = Busy::on(&client, few(7, WhenFull::DropOldest));
        client.emit("flood", (1, 10)).unwrap();
        assert_eq!(recv_within(&busy.taken, LIMIT), 0);
        client.works();
        // It waits behind the one that is busy.
        let behind = Busy::on(&client, few(6, WhenFull::DropNewest));
        client.emit("flood", (100, 10)).unwrap();
        client.works();

        assert_eq!(numbers(&oldest), [97, 98, 99]);
        assert_eq!(numbers(&newest), [0, 0, 1, 2, 3]);
        assert_eq!(
            all.try_iter().map(|event| event.name().to_owned()).collect::<Vec<_>>(),
            ["flood-end"]
        );
        assert_eq!(numbers(&in_channel), [96, 97, 98, 99]);
        assert!(numbers(&waits).into_iter().eq([0].into_iter().chain(0..100)));
        let lost = [&oldest, &newest, &all, &in_channel, &waits].map(Subscription::lost);
        assert_eq!(lost, [98, 96, 102, 97, 0]);
        assert_eq!([&busy, &behind].map(|busy| client.lost(busy.id)), [Some(93), Some(94)]);
        let sum = lost.iter().sum::<usize>() + 93 + 94;
        assert_eq!(client.manager().counters().receive_dropped, sum);
        // Each has its turn in the order of the events.
        let first = behind.let_go.clone();
        (0..6).for_each(|_| first.send(()).unwrap());
        assert_eq!(busy.take(7), [93, 94, 95, 96, 97, 98, 99]);
        assert_eq!(behind.take(6), [0, 1, 2, 3, 4, 5]);
        client.manager().close(LIMIT);
        assert!(busy.taken.is_empty() && behind.taken.is_empty());
    }
}

fn a_policy_of_the_connection_is_that_of_each_consumer(via: Via) {
    for server in shared_each() {
        for (policy, kept) in [(WhenFull::DropOldest, 90..100), (WhenFull::DropNewest, 0..10)] {
            let _name = CaseName::new((server, policy));
            let limits = Limits::new().receive_events(10).when_receive_full(policy);
            let client = Client::connect(via.builder(server.url()).limits(limits));
            let subscription = client.subscribe("flood");
            let busy = Busy::on(&client, Buffer::new());
            client.emit("flood", (1, 10)).unwrap();
            assert_eq!(recv_within(&busy.taken, LIMIT), 0);
            subscription.recv_timeout(LIMIT).unwrap();
            client.emit("flood", (100, 10)).unwrap();
            client.works();
            assert!(numbers(&subscription).into_iter().eq(kept.clone()));
            assert_eq!((subscription.lost(), client.lost(busy.id)), (90, Some(90)));
            assert_eq!(client.manager().counters().receive_dropped, 180);
            assert!(busy.take(10).into_iter().eq(kept));
        }
    }
}

fn what_is_lost_is_counted_until_the_consumer_is_gone(via: Via) {
    let client = via.connect(shared().url());
    let one = Buffer::new().events(1).when_full(WhenFull::DropNewest);
    let busy = Busy::on(&client, one);
    let subscription = client.buffer(one).unwrap().subscribe("flood");
    client.emit("flood", (1, 10)).unwrap();
    assert_eq!(recv_within(&busy.taken, LIMIT), 0);
    client.emit("flood", (10, 10)).unwrap();
    client.works();
    assert_eq!((subscription.lost(), client.lost(busy.id)), (10, Some(9)));
    // Over the end of a session too.
    client.manager().close_engine();
    client.reconnected();
    client.emit("flood", (10, 10)).unwrap();
    client.works();
    assert_eq!((subscription.lost(), client.lost(busy.id)), (20, Some(19)));
    assert!(client.off(busy.id));
    assert_eq!(client.lost(busy.id), None);
    drop(subscription);
    assert_eq!(client.manager().counters().receive_dropped, 39);
    assert_eq!(busy.take(0), [0; 0]);
}

#[test]
fn a_buffer_without_room_is_refused() {
    let client = Client::idle(Via::WebSocket.builder(shared().url()));
    for buffer in [Buffer::new().events(0), Buffer::new().bytes(0)] {
        let error = client.buffer(buffer).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidOption, "{error}");
        let error = client.manager().engine_events_with(buffer).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidOption, "{error}");
    }
}
