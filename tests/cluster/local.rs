//! A cluster within one process.

use crossbeam_channel::{bounded, unbounded};
use siot::server::{LocalCluster, Server};

use crate::member::Member;
use crate::operations;
use crate::siot_member;
use crate::support::{LIMIT, alone, eventually, recv_within, threads};

/// Three servers.
fn members() -> [Member; 3] {
    let cluster = LocalCluster::new();
    ["a", "b", "c"].map(|name| siot_member::start(name, &cluster))
}

#[test]
fn events_reach_exactly_whom_they_should() {
    operations::events_reach_exactly_whom_they_should(&members());
}

#[test]
fn what_is_volatile_reaches_who_is_idle() {
    operations::what_is_volatile_reaches_who_is_idle(&members());
}

#[test]
fn clients_answer_whoever_asks() {
    operations::clients_answer_whoever_asks(&members());
}

#[test]
fn sockets_are_found_wherever_they_are() {
    operations::sockets_are_found_wherever_they_are(&members());
}

#[test]
fn sockets_are_moved_from_anywhere() {
    operations::sockets_are_moved_from_anywhere(&members());
}

#[test]
fn servers_hear_each_other() {
    operations::servers_hear_each_other(&members());
}

fn server(cluster: &LocalCluster) -> Server {
    Server::builder().adapter(cluster).bind("127.0.0.1:0").expect("a server")
}

#[test]
fn what_servers_tell_and_hear_is_counted() {
    let cluster = LocalCluster::new();
    let [one, other] = [(); 2].map(|()| server(&cluster));
    for number in 0..3 {
        one.emit("news", number).unwrap();
    }
    let stats = || [&one, &other].map(|server| server.cluster_stats().unwrap());
    eventually(LIMIT, "three are heard", || stats()[1].heard == 3);
    let [teller, hearer] = stats();
    assert!(teller.is_connected && hearer.is_connected);
    assert_eq!((teller.told, teller.heard, hearer.told), (3, 0, 0));
}

#[test]
fn who_has_ended_is_a_member_no_more_and_the_others_are() {
    let cluster = LocalCluster::new();
    let [one, two, three] = [(); 3].map(|()| server(&cluster));
    let count = |server: &Server| server.of("/").count_servers().unwrap();
    assert_eq!(count(&one), 3);
    // It is still held, and may hear nothing.
    assert!(three.close(LIMIT));
    assert_eq!((count(&one), count(&two)), (2, 2));
    one.emit("news", ()).unwrap();
    eventually(LIMIT, "it is heard", || two.cluster_stats().is_some_and(|stats| stats.heard == 1));
    assert_eq!(three.cluster_stats().unwrap().heard, 0);
}

#[test]
fn events_of_other_servers_that_find_no_room_are_counted() {
    let cluster = LocalCluster::new();
    let teller = server(&cluster);
    let builder = Server::builder().adapter(&cluster).receive_events(4);
    let hearer = builder.bind("127.0.0.1:0").unwrap();
    let (began, begins) = unbounded();
    let (go_on, stuck) = bounded::<()>(0);
    hearer.on_server_event("note", move |_| {
        let _ = began.send(());
        let _ = stuck.recv();
    });
    teller.server_side_emit("note", 0).unwrap();
    recv_within(&begins, LIMIT);
    for number in 1..10 {
        teller.server_side_emit("note", number).unwrap();
    }
    let dropped = || hearer.cluster_stats().unwrap().dropped;
    eventually(LIMIT, "four wait", || dropped() == 5);
    drop(go_on);
    for _ in 0..4 {
        recv_within(&begins, LIMIT);
    }
    assert_eq!((dropped(), begins.is_empty()), (5, true));
}

#[test]
fn its_thread_ends_with_the_last_who_holds_it() {
    alone(|| {
        let cluster = LocalCluster::new();
        let is_there = || threads().iter().any(|name| name == "siot-cluster");
        let servers = [server(&cluster), server(&cluster)];
        drop(cluster);
        // It has its name when it runs.
        eventually(LIMIT, "its thread", is_there);
        for server in servers {
            assert!(is_there() && server.close(LIMIT));
        }
        eventually(LIMIT, "no thread", || !is_there());
    });
}
