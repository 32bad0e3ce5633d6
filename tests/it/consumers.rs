//! Consumers of different speed, beside each other.

use std::time::Duration;

use siot::Limits;

use crate::support::consumer::Pace;
use crate::support::{Client, Via, over_each_transport, shared};

over_each_transport!(
    consumers_of_every_speed_get_the_same_events_in_the_same_order,
    a_consumer_that_is_away_gets_what_it_has_missed,
    a_consumer_that_is_away_keeps_no_event_from_another,
    a_callback_that_is_away_keeps_no_event_from_a_reader,
    namespaces_have_consumers_of_their_own_speed,
    a_client_that_reads_nothing_does_not_hold_up_another,
);

fn consumers_of_every_speed_get_the_same_events_in_the_same_order(via: Via) {
    let client = via.connect(shared().url());
    let consumers = [
        client.consumer("flood", Pace::Fast),
        client.slow_consumer("flood", Duration::from_millis(1)),
        client.callback("flood", Pace::Fast),
        client.callback("flood", Pace::Slow(Duration::from_millis(1))),
    ];
    client.emit("flood", (100, 10)).unwrap();
    for consumer in &consumers {
        assert!(consumer.numbers(100).into_iter().eq(0..100));
    }
}

fn a_consumer_that_is_away_gets_what_it_has_missed(via: Via) {
    let client = via.connect(shared().url());
    let (reader, callback) =
        (client.consumer("flood", Pace::Away), client.callback("flood", Pace::Away));
    client.emit("flood", (50, 10)).unwrap();
    client.works();
    // A callback has taken the event that it is busy with.
    assert_eq!(callback.numbers(1), [0]);
    assert_eq!((reader.taken(), callback.taken()), (Vec::new(), Vec::new()));
    reader.set_pace(Pace::Fast);
    callback.set_pace(Pace::Fast);
    assert!(reader.numbers(50).into_iter().eq(0..50));
    assert!(callback.numbers(49).into_iter().eq(1..50));
}

fn a_consumer_that_is_away_keeps_no_event_from_another(via: Via) {
    let client = via.connect(shared().url());
    let away = client.consumer("flood", Pace::Away);
    let (fast, callback) =
        (client.consumer("flood", Pace::Fast), client.callback("flood", Pace::Fast));
    client.emit("flood", (100, 10)).unwrap();
    assert!(fast.numbers(100).into_iter().eq(0..100));
    assert!(callback.numbers(100).into_iter().eq(0..100));
    assert_eq!(away.taken(), [0; 0]);
}

fn a_callback_that_is_away_keeps_no_event_from_a_reader(via: Via) {
    let client = via.connect(shared().url());
    let (away, fast) = (client.callback("flood", Pace::Away), client.consumer("flood", Pace::Fast));
    client.emit("flood", (100, 10)).unwrap();
    assert!(fast.numbers(100).into_iter().eq(0..100));
    assert_eq!(away.numbers(1), [0]);
}

fn namespaces_have_consumers_of_their_own_speed(via: Via) {
    let client = via.connect(shared().url());
    let [admin, orders] = ["/admin", "/orders"].map(|name| client.connect_in(name));
    let away = admin.consumer("flood", Pace::Away);
    let slow = orders.slow_consumer("flood", Duration::from_millis(1));
    let fast = client.consumer("flood", Pace::Fast);
    for client in [&admin, &orders, &client] {
        client.emit("flood", (100, 10)).unwrap();
    }
    for consumer in [&fast, &slow] {
        assert!(consumer.numbers(100).into_iter().eq(0..100));
    }
    assert_eq!(away.taken(), [0; 0]);
    away.set_pace(Pace::Fast);
    assert!(away.numbers(100).into_iter().eq(0..100));
}

fn a_client_that_reads_nothing_does_not_hold_up_another(via: Via) {
    let limits = Limits::new().receive_events(1);
    let full = Client::connect(via.builder(shared().url()).limits(limits));
    let _away = full.consumer("flood", Pace::Away);
    full.emit("flood", (100, 10)).unwrap();
    let [one, other] = via.connect_each(shared().url());
    let consumers = [&one, &other].map(|client| client.consumer("flood", Pace::Fast));
    for client in [&one, &other] {
        client.emit("flood", (100, 10)).unwrap();
    }
    for consumer in &consumers {
        assert!(consumer.numbers(100).into_iter().eq(0..100));
    }
}
