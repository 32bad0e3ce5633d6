//! Events that are kept on disk until the server has them.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use siot::{Binary, ErrorKind, FileStore, Fsync, Outbox, OutboxOptions, Socket};

use crate::support::folder::Folder;
use crate::support::{Client, LIMIT, Server, Via, alone, eventually, over_each_transport, threads};

over_each_transport!(
    what_is_emitted_without_a_server_arrives_when_there_is_one_also_after_a_restart,
    a_server_that_ends_again_and_again_gets_each_event_once_and_in_order,
    binary_survives_the_disk,
);

const BYTES: u64 = 1024 * 1024;

fn open(socket: &Socket, folder: &Folder, options: OutboxOptions) -> Outbox {
    let store = FileStore::open(folder.path("outbox"), BYTES).unwrap();
    Outbox::open(socket, store, options).unwrap()
}

/// The values that a server has applied, in its order. The last line may be half there while the server writes it.
fn applied(file: &Path) -> Vec<u32> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole.lines().map(|line| line.rsplit(' ').next().unwrap().parse().unwrap()).collect()
}

fn what_is_emitted_without_a_server_arrives_when_there_is_one_also_after_a_restart(via: Via) {
    let folder = Folder::new();
    let file = folder.path("readings");
    let server = Server::start(json!({ "outboxed": file }));
    server.kill();
    let client = Client::start(via.builder(server.url()));
    let outbox = open(&client, &folder, OutboxOptions::new());
    (0..20).for_each(|value| outbox.emit("outboxed", value).unwrap());
    assert_eq!(outbox.status().events, 20);
    outbox.close(LIMIT).unwrap();
    drop(client);
    server.restart();
    let client = Client::connect(via.builder(server.url()));
    let outbox = open(&client, &folder, OutboxOptions::new());
    (20..40).for_each(|value| outbox.emit("outboxed", value).unwrap());
    outbox.flush(LIMIT).unwrap();
    assert_eq!(outbox.status().events, 0);
    assert_eq!(applied(&file), (0..40).collect::<Vec<_>>());
}

fn a_server_that_ends_again_and_again_gets_each_event_once_and_in_order(via: Via) {
    let folder = Folder::new();
    let file = folder.path("readings");
    let server = Server::start(json!({ "outboxed": file }));
    let client = Client::connect(via.builder(server.url()));
    let every = Fsync::Every(Duration::from_millis(20));
    let outbox = open(&client, &folder, OutboxOptions::new().fsync(every));
    for round in 0..4 {
        (0..200).for_each(|value| outbox.emit("outboxed", round * 200 + value).unwrap());
        let some = usize::try_from(round * 200 + 20).unwrap();
        eventually(LIMIT, "some of them", || applied(&file).len() > some);
        server.kill();
        server.restart();
    }
    outbox.flush(LIMIT).unwrap();
    outbox.close(LIMIT).unwrap();
    assert_eq!(applied(&file), (0..800).collect::<Vec<_>>());
}

fn binary_survives_the_disk(via: Via) {
    let folder = Folder::new();
    let server = Server::start(json!({}));
    let client = Client::connect(via.builder(server.url()));
    let outbox = open(&client, &folder, OutboxOptions::new());
    let photo = Binary::from(crate::support::pattern(3, 4, 0, 5_000));
    let other = Binary::from(crate::support::pattern(3, 4, 1, 10));
    // The server takes the key for the acknowledgement, and never acknowledges.
    outbox.emit("blob", (3, 4, photo, other)).unwrap();
    eventually(LIMIT, "the blob", || server.cmd("blobs")["total"] == 1);
    assert_eq!(server.cmd("blobs")["bad"], 0);
    assert_eq!(outbox.status().events, 1);
}

#[test]
fn it_has_one_thread_that_ends_with_it_and_leaves_the_file_to_the_next() {
    alone(|| {
        let folder = Folder::new();
        let socket = siot::Builder::new("http://127.0.0.1:9").auto_connect(false).build().unwrap();
        let count = || threads().iter().filter(|name| *name == "siot-outbox").count();
        let outbox = open(&socket, &folder, OutboxOptions::new());
        outbox.emit("outboxed", 1).unwrap();
        // A thread has its name a moment after it was started.
        eventually(LIMIT, "one thread", || count() == 1);
        let second = FileStore::open(folder.path("outbox"), BYTES).unwrap_err();
        assert_eq!(second.kind(), ErrorKind::Storage);
        drop(outbox);
        // The kernel lists a thread for a moment after it has ended.
        eventually(LIMIT, "no thread", || count() == 0);
        let outbox = open(&socket, &folder, OutboxOptions::new());
        assert_eq!(outbox.status().events, 1);
        outbox.close(LIMIT).unwrap();
        assert!(!folder.path("outbox-wal").exists());
    });
}

#[test]
fn an_idle_outbox_does_nothing() {
    alone(|| {
        let folder = Folder::new();
        let socket = siot::Builder::new("http://127.0.0.1:9").auto_connect(false).build().unwrap();
        let outbox = open(&socket, &folder, OutboxOptions::new());
        outbox.emit("outboxed", 1).unwrap();
        let switches = || {
            let tasks = fs::read_dir("/proc/self/task").unwrap().map(|task| task.unwrap().path());
            let of = |path: std::path::PathBuf| fs::read_to_string(path).unwrap_or_default();
            let ours = tasks.filter(|task| of(task.join("comm")).trim() == "siot-outbox");
            let status: String = ours.map(|task| of(task.join("status"))).collect();
            let lines = status.lines().filter(|line| line.contains("voluntary_ctxt_switches"));
            lines.map(|line| line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()).sum()
        };
        let mut before: u64 = switches();
        // It comes to rest, and stays there.
        eventually(LIMIT, "a second of rest", || {
            std::thread::sleep(Duration::from_secs(1));
            let now = switches();
            std::mem::replace(&mut before, now) == now
        });
    });
}
