//! What the thread of an outbox hands to its socket, and when.

use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, unbounded};

use super::memory_store::MemoryStore;
use crate::error::{Error, ErrorKind, Result};
use crate::options::WhenFull;
use crate::outbox::carrier::{Arrival, Carrier};
use crate::outbox::handle::Outbox;
use crate::outbox::options::{Fsync, OutboxOptions};
use crate::payload::Payload;

const LIMIT: Duration = Duration::from_secs(60);

/// A carrier whose test sees what it is given, and answers.
struct Wire(Sender<Carried>);

struct Carried {
    number: u64,
    key: String,
    payload: Payload,
    answers: Sender<Arrival>,
}

impl Carrier for Wire {
    fn carry(
        &self,
        number: u64,
        key: String,
        payload: Payload,
        answers: &Sender<Arrival>,
    ) -> Result<()> {
        if payload.json.contains("too large") {
            return Err(Error::new(ErrorKind::TooLarge, "for this server"));
        }
        let carried = Carried { number, key, payload, answers: answers.clone() };
        self.0.send(carried).map_err(|_| Error::new(ErrorKind::Disconnected, "the test is over"))
    }
}

impl Carried {
    fn answer(self, result: Result<()>) {
        self.answers.send(Arrival { number: self.number, result }).unwrap();
    }
}

fn open(store: &MemoryStore, options: OutboxOptions) -> (Outbox, Receiver<Carried>) {
    let (sender, carried) = unbounded();
    let outbox = Outbox::over(Box::new(Wire(sender)), Box::new(store.clone()), options).unwrap();
    (outbox, carried)
}

fn take(carried: &Receiver<Carried>, count: usize) -> Vec<Carried> {
    (0..count).map(|_| carried.recv_timeout(LIMIT).expect("an event")).collect()
}

fn numbers(carried: &[Carried]) -> Vec<u64> {
    carried.iter().map(|carried| carried.number).collect()
}

fn answer_all(carried: Vec<Carried>) {
    for carried in carried {
        carried.answer(Ok(()));
    }
}

fn lost() -> Error {
    Error::new(ErrorKind::Disconnected, "the connection is closed")
}

#[test]
fn each_event_has_its_key_and_the_window_bounds_what_is_under_way() {
    let store = MemoryStore::new(100);
    let (outbox, carried) = open(&store, OutboxOptions::new().window(3));
    outbox.emit("reading", ("kitchen", crate::Binary::from(vec![1, 2]))).unwrap();
    outbox.emit("ready", ()).unwrap();
    (3..=10).for_each(|n| outbox.emit("n", n).unwrap());
    let mut first = take(&carried, 3);
    assert!(carried.is_empty());
    let texts: Vec<&str> = first.iter().map(|carried| &*carried.payload.json).collect();
    let reading = r#"["reading","kitchen",{"_placeholder":true,"num":0}]"#;
    assert_eq!(texts, [reading, r#"["ready"]"#, r#"["n",3]"#]);
    assert_eq!(first[0].key, "memory-1");
    assert_eq!(first[0].payload.attachments[0], [1, 2][..]);
    first.remove(1).answer(Ok(()));
    assert_eq!(numbers(&take(&carried, 1)), [4]);
    answer_all(first);
    assert_eq!(numbers(&take(&carried, 2)), [5, 6]);
}

#[test]
fn what_was_not_acknowledged_is_sent_again_in_order_once_nothing_is_under_way() {
    let store = MemoryStore::new(100);
    let (outbox, carried) = open(&store, OutboxOptions::new().window(3));
    (1..=5).for_each(|n| outbox.emit("n", n).unwrap());
    let [one, two, three] = take(&carried, 3).try_into().ok().unwrap();
    two.answer(Ok(()));
    let four = take(&carried, 1).remove(0);
    three.answer(Err(lost()));
    one.answer(Ok(()));
    // The fourth is still under way: the third must not come behind it.
    assert!(carried.recv_timeout(Duration::from_millis(300)).is_err());
    four.answer(Err(lost()));
    let again = take(&carried, 3);
    assert_eq!(numbers(&again), [3, 4, 5]);
    assert_eq!((&*again[0].key, &*again[0].payload.json), ("memory-3", r#"["n",3]"#));
    answer_all(again);
    outbox.flush(LIMIT).unwrap();
    outbox.close(LIMIT).unwrap();
    assert!(store.disk.lock().unwrap().records.is_empty());
}

#[test]
fn a_new_outbox_begins_with_what_the_last_one_left() {
    let store = MemoryStore::new(100);
    let (outbox, carried) = open(&store, OutboxOptions::new());
    (1..=4).for_each(|n| outbox.emit("n", n).unwrap());
    let mut taken = take(&carried, 4);
    taken.remove(1).answer(Ok(()));
    outbox.close(LIMIT).unwrap();
    let (outbox, carried) = open(&store, OutboxOptions::new());
    assert_eq!(outbox.status().events, 3);
    let again = take(&carried, 3);
    assert_eq!(numbers(&again), [1, 3, 4]);
    assert_eq!((&*again[1].key, &*again[1].payload.json), ("memory-3", r#"["n",3]"#));
}

#[test]
fn acknowledged_events_are_removed_together() {
    let store = MemoryStore::new(1_000);
    let (outbox, carried) = open(&store, OutboxOptions::new());
    for n in 0..320 {
        outbox.emit("n", n).unwrap();
        take(&carried, 1).remove(0).answer(Ok(()));
    }
    outbox.flush(LIMIT).unwrap();
    outbox.close(LIMIT).unwrap();
    let disk = store.disk.lock().unwrap();
    // One for each 32, one at the end, and one for each five seconds that this takes.
    assert!(disk.records.is_empty() && (10..=20).contains(&disk.removals), "{}", disk.removals);
    assert_eq!(disk.syncs, 320);
}

#[test]
fn events_of_one_time_are_synced_together() {
    let store = MemoryStore::new(1_000);
    let options = OutboxOptions::new().fsync(Fsync::Every(Duration::from_millis(50)));
    let (outbox, _carried) = open(&store, options);
    let started = std::time::Instant::now();
    (0..100).for_each(|n| outbox.emit("n", n).unwrap());
    while store.disk.lock().unwrap().syncs == 0 {
        assert!(started.elapsed() < LIMIT, "nothing is synced");
        std::thread::yield_now();
    }
    outbox.sync().unwrap();
    let syncs = store.disk.lock().unwrap().syncs;
    assert!(syncs as u128 <= started.elapsed().as_millis() / 50 + 1, "{syncs}");
    // With nothing to sync nothing is.
    outbox.sync().unwrap();
    assert_eq!(store.disk.lock().unwrap().syncs, syncs);
}

#[test]
fn a_full_store_refuses_or_drops_the_oldest_that_is_not_under_way() {
    let store = MemoryStore::new(5);
    let (outbox, carried) = open(&store, OutboxOptions::new().window(2));
    (1..=5).for_each(|n| outbox.emit("n", n).unwrap());
    let error = outbox.emit("n", 6).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BufferFull);
    let [one, two] = take(&carried, 2).try_into().ok().unwrap();
    // What is acknowledged makes room before anything else does.
    one.answer(Ok(()));
    let three = take(&carried, 1).remove(0);
    outbox.emit("n", 6).unwrap();
    outbox.close(LIMIT).unwrap();
    drop((two, three, carried));

    let dropping = OutboxOptions::new().window(2).when_full(WhenFull::DropOldest);
    let (outbox, carried) = open(&store, dropping);
    let under_way = take(&carried, 2);
    assert_eq!(numbers(&under_way), [2, 3]);
    (7..=9).for_each(|n| outbox.emit("n", n).unwrap());
    let status = outbox.status();
    assert_eq!((status.events, status.dropped), (5, 3));
    answer_all(under_way);
    assert_eq!(numbers(&take(&carried, 2)), [7, 8]);
    drop(outbox);

    // All of it under way.
    let (outbox, carried) = open(&store, dropping.window(64));
    let under_way = take(&carried, 3);
    (10..=11).for_each(|n| outbox.emit("n", n).unwrap());
    let rest = take(&carried, 2);
    assert_eq!(outbox.emit("n", 12).unwrap_err().kind(), ErrorKind::BufferFull);
    drop((under_way, rest));
}

#[test]
fn an_event_that_the_server_can_never_take_is_given_up_and_the_others_go_on() {
    let store = MemoryStore::new(100);
    let (outbox, carried) = open(&store, OutboxOptions::new());
    outbox.emit("n", 1).unwrap();
    outbox.emit("n", "too large").unwrap();
    outbox.emit("n", 3).unwrap();
    let [one, three] = take(&carried, 2).try_into().ok().unwrap();
    assert_eq!((one.number, three.number), (1, 3));
    one.answer(Err(Error::new(ErrorKind::TooLarge, "for the server that is there now")));
    three.answer(Ok(()));
    outbox.flush(LIMIT).unwrap();
    assert_eq!(outbox.status().undeliverable, 2);
    outbox.close(LIMIT).unwrap();
    assert!(store.disk.lock().unwrap().records.is_empty());
}

#[test]
fn an_event_that_the_connection_ends_with_is_given_up_when_that_was_so_again_and_again() {
    let store = MemoryStore::new(100);
    let (outbox, carried) = open(&store, OutboxOptions::new().window(2));
    outbox.emit("n", 1).unwrap();
    outbox.emit("n", 2).unwrap();
    let undeliverable = || Err(Error::new(ErrorKind::Undeliverable, "the connection ended"));
    for round in 0..5 {
        let [one, two] = take(&carried, 2).try_into().ok().unwrap();
        assert_eq!((one.number, two.number), (1, 2), "{round}");
        assert_eq!(outbox.status().undeliverable, 0, "{round}");
        one.answer(undeliverable());
        two.answer(if round < 4 { Err(lost()) } else { Ok(()) });
    }
    outbox.flush(LIMIT).unwrap();
    assert_eq!(outbox.status().undeliverable, 1);
}

#[test]
fn a_disk_that_fails_is_tried_again_and_damage_is_told() {
    let store = MemoryStore::new(100);
    let (outbox, carried) = open(&store, OutboxOptions::new());
    store.fail(Some(ErrorKind::Storage));
    assert_eq!(outbox.emit("n", 0).unwrap_err().kind(), ErrorKind::Storage);
    store.fail(None);
    outbox.emit("n", 1).unwrap();
    take(&carried, 1).remove(0).answer(Ok(()));
    outbox.flush(LIMIT).unwrap();
    store.fail(Some(ErrorKind::Damaged));
    // A failure of the store is seen where it is read next.
    assert_eq!(outbox.emit("n", 2).unwrap_err().kind(), ErrorKind::Damaged);
    outbox.close(LIMIT).unwrap();
}

#[test]
fn damage_ends_the_sending_and_waits_and_emits_say_so() {
    let store = MemoryStore::new(100);
    let (outbox, carried) = open(&store, OutboxOptions::new().window(1));
    outbox.emit("n", 1).unwrap();
    let one = take(&carried, 1).remove(0);
    outbox.emit("n", 2).unwrap();
    store.fail(Some(ErrorKind::Damaged));
    one.answer(Ok(()));
    assert_eq!(outbox.flush(LIMIT).unwrap_err().kind(), ErrorKind::Damaged);
    assert_eq!(outbox.emit("n", 3).unwrap_err().kind(), ErrorKind::Damaged);
    assert_eq!(outbox.status().failure.unwrap().kind(), ErrorKind::Damaged);
}

#[test]
fn options_that_cannot_work_are_refused() {
    let store = MemoryStore::new(100);
    for options in [
        OutboxOptions::new().window(0),
        OutboxOptions::new().window(65),
        OutboxOptions::new().fsync(Fsync::Every(Duration::ZERO)),
    ] {
        let (sender, _carried) = unbounded();
        let refused = Outbox::over(Box::new(Wire(sender)), Box::new(store.clone()), options);
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidOption);
    }
}

#[test]
fn waiting_for_delivery_ends_with_its_limit() {
    let store = MemoryStore::new(100);
    let (outbox, _carried) = open(&store, OutboxOptions::new());
    outbox.flush(Duration::ZERO).unwrap();
    outbox.emit("n", 1).unwrap();
    assert!(outbox.flush(Duration::from_millis(1)).unwrap_err().is_timeout());
    assert_eq!(outbox.emit("connect", ()).unwrap_err().kind(), ErrorKind::ReservedEvent);
}
