//! Consumers that have all that they may have, and what the kernel keeps from them.

use std::fs;

use siot::Subscription;

use super::wait::{LIMIT, eventually};

/// Waits until as many events wait for a subscription: the reader then holds still for it, unless
/// something is awaited.
#[track_caller]
pub(crate) fn until_full(subscription: &Subscription, bound: usize) {
    // Nothing tells it but the subscription: whoever reads from one makes room.
    eventually(LIMIT, "a full consumer", || subscription.len() >= bound);
}

/// How many bytes the kernel keeps that were written at this port of loopback, since nobody reads them.
pub(crate) fn unread_bytes_from(port: u16) -> u64 {
    queued_bytes(1, port, 0)
}

/// The same for what was written by those who are connected to this port.
pub(crate) fn unread_bytes_to(port: u16) -> u64 {
    queued_bytes(2, port, 0)
}

/// The same, and what has come there and is not read.
pub(crate) fn unread_bytes_to_and_at(port: u16) -> u64 {
    queued_bytes(2, port, 0) + queued_bytes(1, port, 1)
}

/// Of the connections with this port in that column, what is on its way out (queue 0) or has come in (queue 1).
fn queued_bytes(column_of_address: usize, port: u16, queue: usize) -> u64 {
    let at_port = format!(":{port:04X}");
    let table = fs::read_to_string("/proc/net/tcp").expect("procfs");
    let queues = table.lines().skip(1).filter_map(|line| {
        let columns: Vec<_> = line.split_whitespace().collect();
        // 01: the connection is established.
        let is_meant = columns[column_of_address].ends_with(&at_port) && columns[3] == "01";
        let bytes = columns[4].split(':').nth(queue)?;
        is_meant.then(|| u64::from_str_radix(bytes, 16).expect("a number of bytes"))
    });
    queues.sum()
}
