//! A cluster within one process.

use siot::server::{LocalCluster, Server};

use crate::member::Member;
use crate::operations;
use crate::siot_member;
use crate::support::{LIMIT, eventually};

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
