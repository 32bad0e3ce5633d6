//! What waits to be sent: what goes first, what is replaced, what is dropped and told, what is taken
//! back.

use std::time::Duration;

use serde_json::json;
use siot::{
    Binary, DropReason, ErrorKind, Limits, Socket, Status, UndeliveredEvent, Unsent, WhenFull,
};

use crate::support::{Client, LIMIT, Server, Via, eventually, over_each_transport};

over_each_transport!(
    what_goes_first_precedes_the_backlog_at_each_connection,
    what_is_urgent_goes_before_what_waits,
    of_one_key_only_the_newest_is_sent,
    what_is_no_longer_worth_it_is_dropped_and_told,
    flags_are_chosen_at_run_time,
    flags_that_exclude_each_other_are_refused,
    what_waits_is_counted_taken_back_and_sent_again,
    a_flood_of_drops_is_told_in_sums,
);

/// The names of the events that the server has handled, but for those that ask whether it works.
fn seen(server: &Server) -> Vec<String> {
    let names = server.entries("events").into_iter();
    let names = names.filter_map(|event| event["name"].as_str().map(str::to_owned));
    names.filter(|name| name != "sum").collect()
}

/// What the server has handled once the client is connected and everything has arrived.
fn seen_after_connect(client: &Client, server: &Server) -> Vec<String> {
    client.connect();
    client.reconnected();
    client.works();
    seen(server)
}

fn what_goes_first_precedes_the_backlog_at_each_connection(via: Via) {
    let server = Server::start(json!({}));
    let client = Client::idle(via.builder(server.url()));
    client.on_connect_first("device", "old").unwrap();
    client.on_connect_first("photo", Binary::from(vec![1, 2, 3])).unwrap();
    client.on_connect_first("device", "new").unwrap();
    client.emit("reading", 1).unwrap();
    client.urgent().emit("alarm", ()).unwrap();
    assert_eq!(seen_after_connect(&client, &server), ["device", "photo", "alarm", "reading"]);
    assert_eq!(server.entries("events")[0]["args"], json!(["new"]));
    client.cut_off(&server);
    client.reconnected();
    client.works();
    assert_eq!(seen(&server)[4..], ["device", "photo"]);
    client.clear_connect_first();
    client.cut_off(&server);
    client.reconnected();
    client.works();
    assert_eq!(seen(&server).len(), 6);
    let error = client.on_connect_first("connect", ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ReservedEvent);
    client.manager().close(LIMIT);
    assert!(client.on_connect_first("device", ()).unwrap_err().is_disconnected());
}

fn what_is_urgent_goes_before_what_waits(via: Via) {
    let server = Server::start(json!({}));
    let client = Client::idle(via.builder(server.url()));
    for number in 1..=2 {
        client.emit(&format!("normal {number}"), ()).unwrap();
        client.urgent().emit(&format!("urgent {number}"), ()).unwrap();
    }
    let order = seen_after_connect(&client, &server);
    assert_eq!(order, ["urgent 1", "urgent 2", "normal 1", "normal 2"]);
}

fn of_one_key_only_the_newest_is_sent(via: Via) {
    let server = Server::start(json!({}));
    let client = Client::idle(via.builder(server.url()));
    let replaced = client.coalesce("position").emit_with_ack("position", 1).unwrap();
    client.emit("reading", 1).unwrap();
    client.coalesce("level").emit("level", 1).unwrap();
    client.coalesce("position").emit("position", 2).unwrap();
    assert_eq!(replaced.wait::<()>().unwrap_err().kind(), ErrorKind::Withdrawn);
    assert_eq!(seen_after_connect(&client, &server), ["reading", "level", "position"]);
    assert_eq!(server.entries("events")[2]["args"], json!([2]));
    assert_eq!(client.manager().counters().send_dropped, 0);
    client.coalesce("position").emit("position", 3).unwrap();
    client.works();
    assert_eq!(seen(&server).len(), 4, "what was sent is not concerned");
}

fn what_is_no_longer_worth_it_is_dropped_and_told(via: Via) {
    let server = Server::start(json!({}));
    let client = Client::idle(via.builder(server.url()));
    let moment = Duration::from_millis(1);
    let late = client.ttl(moment).emit_with_ack("short", "1234").unwrap();
    client.ttl(LIMIT * 10).emit("long", ()).unwrap();
    match client.next_status() {
        Status::Dropped { events: 1, bytes: 16, reason: DropReason::Expired, .. } => {}
        other => panic!("{other:?}"),
    }
    assert_eq!(late.wait::<()>().unwrap_err().kind(), ErrorKind::Timeout);
    assert_eq!(client.manager().counters().send_dropped, 1);
    assert_eq!(seen_after_connect(&client, &server), ["long"]);
}

fn flags_are_chosen_at_run_time(via: Via) {
    let server = Server::start(json!({}));
    let client = Client::idle(via.builder(server.url()).ack_timeout(LIMIT));
    let patient = client.timeout(Duration::from_millis(1)).with_timeout(None);
    let answer = patient.emit_with_ack("sum", (1, 2)).unwrap();
    for (name, is_alarm, key) in
        [("a", false, Some("k")), ("b", true, None), ("c", false, Some("k"))]
    {
        client.emitter().with_urgent(is_alarm).with_coalesce(key).emit(name, ()).unwrap();
    }
    let lost = client.emitter().with_volatile(true);
    lost.emit("d", ()).unwrap();
    lost.with_volatile(false).with_ttl(LIMIT * 10).with_ttl(None).emit("e", ()).unwrap();
    assert_eq!(client.waiting().events, 4);
    client.connect();
    client.reconnected();
    assert_eq!(answer.wait::<u32>().unwrap(), 3);
    let answered = client.emitter().with_timeout(LIMIT).emit_with_ack("sum", (1, 2)).unwrap();
    assert_eq!(answered.wait::<u32>().unwrap(), 3);
    eventually(LIMIT, "all of them", || seen(&server) == ["b", "c", "e"]);
}

fn flags_that_exclude_each_other_are_refused(via: Via) {
    let flags: [fn(&Socket) -> siot::Emitter; 3] =
        [Socket::urgent, |socket| socket.ttl(LIMIT), |socket| socket.coalesce("key")];
    let plain = Client::idle(via.builder("http://localhost:1"));
    let retrying = Client::idle(via.builder("http://localhost:1").retries(3));
    for flag in flags {
        for emitter in [flag(&plain).volatile(), flag(&retrying)] {
            let error = emitter.emit("x", ()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidOption);
        }
        flag(&plain).emit("x", ()).unwrap();
    }
    let error = plain.ttl(Duration::ZERO).emit("x", ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidOption);
    assert_eq!((plain.waiting().events, retrying.waiting().events), (3, 0));
}

fn what_waits_is_counted_taken_back_and_sent_again(via: Via) {
    for retries in [None, Some(3)] {
        let server = Server::start(json!({}));
        let builder = via.builder(server.url());
        let builder = match retries {
            Some(retries) => builder.retries(retries).ack_timeout(LIMIT),
            None => builder,
        };
        let client = Client::idle(builder);
        client.emit("sum", (1, 2)).unwrap();
        let photo = client.emit_with_ack("photo", Binary::from(vec![1, 2, 3])).unwrap();
        let Unsent { events, bytes, .. } = client.waiting();
        let json = [r#"["sum",1,2]"#, r#"["photo",{"_placeholder":true,"num":0}]"#];
        assert_eq!((events, bytes), (2, json[0].len() + json[1].len() + 3));
        let taken = client.take_waiting();
        assert_eq!(taken.iter().map(UndeliveredEvent::json).collect::<Vec<_>>(), json);
        assert!(taken.iter().all(|event| !event.was_sent()));
        assert_eq!(photo.wait::<()>().unwrap_err().kind(), ErrorKind::Withdrawn);
        assert_eq!(client.waiting(), Unsent::default());
        assert_eq!(client.manager().counters().send_dropped, 0);
        // One that the server acknowledges where that is asked for, and one that it does not.
        client.emit_again(&taken[usize::from(retries.is_none())]).unwrap();
        assert_eq!(client.waiting().events, 1);
        let photos = usize::from(retries.is_none());
        assert_eq!(seen_after_connect(&client, &server), &["photo"][..photos]);
        assert_eq!(server.entries("events").len(), 2, "it, and the one that asks whether it works");
        assert_eq!(client.waiting(), Unsent::default());
    }
}

fn a_flood_of_drops_is_told_in_sums(via: Via) {
    let server = Server::start(json!({}));
    let limits = Limits::new().send_events(2).when_send_full(WhenFull::DropOldest);
    let client = Client::idle(via.builder(server.url()).limits(limits));
    for _ in 0..10_002 {
        client.emit("reading", 1).unwrap();
    }
    let mut sums = Vec::new();
    while sums.iter().sum::<usize>() < 10_000 {
        match client.next_status() {
            Status::Dropped { events, bytes, reason: DropReason::GaveWay, .. } => {
                assert_eq!(bytes, events * r#"["reading",1]"#.len());
                sums.push(events);
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((sums[0], sums.iter().sum::<usize>()), (1, 10_000));
    assert_eq!(client.manager().counters().send_dropped, 10_000);
    assert_eq!(client.status.len(), 0);
    client.connect();
    client.connected();
    eventually(LIMIT, "both arrive", || seen(&server).len() == 2);
}
