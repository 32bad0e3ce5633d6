//! A cluster within one process.

use siot::server::LocalCluster;

use crate::member::Member;
use crate::operations;
use crate::siot_member;

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
