//! `siot listen`.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{run, siot, start};
use crate::support::folder::Folder;
use crate::support::hostile::HostileOptions;
use crate::support::program::free_port;
use crate::support::raw::{RawConnection, RawPeer};
use crate::support::wait::LIMIT;
use crate::support::{Server, eventually};

/// Has the server emit an event to all of `/`.
fn emit(server: &Server, event: &str, args: Value) {
    server.command(json!({ "cmd": "emit", "nsp": "/", "event": event, "args": args }));
}

#[test]
fn events_are_lines_as_they_were_sent() {
    let server = Server::start(json!({}));
    let listening = start(siot(&["listen", &server.url()]));
    listening.connected();
    emit(&server, "temperature", json!(["kitchen", 21.5, { "a": [null], "z": 1 }]));
    emit(&server, "two words", json!([]));
    emit(&server, "photo", json!(["door", { "$bytes": "/9g=" }]));
    assert_eq!(listening.line(), r#"temperature "kitchen" 21.5 {"a":[null],"z":1}"#);
    assert_eq!(listening.line(), r#""two words""#);
    assert_eq!(listening.line(), r#"photo "door" "<2 bytes>""#);
    listening.signal("TERM");
    let said = listening.end().ended_with(0);
    assert_eq!((said.out.as_str(), said.err.as_str()), ("", ""));
    eventually(LIMIT, "it has said goodbye", || server.sessions() == 0);
}

#[test]
fn with_json_a_line_is_an_object() {
    let server = Server::start(json!({}));
    let listening = start(siot(&["listen", &server.url(), "--json", "--count", "2"]));
    listening.connected();
    emit(&server, "photo", json!(["door\u{7f}", { "$bytes": "/9g=" }]));
    emit(&server, "none", json!([]));
    let line = listening.line();
    let object: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(object["event"], "photo");
    assert_eq!(object["args"], json!(["door\u{7f}", { "$base64": "/9g=" }]));
    assert!(object["time"].as_f64().unwrap() > 1.6e9, "{line}");
    assert!(line.contains(r"\u007f"), "{line}");
    let object: Value = serde_json::from_str(&listening.line()).unwrap();
    assert_eq!(object["args"], json!([]));
    assert_eq!(listening.end().ended_with(0).out, "");
}

#[test]
fn it_ends_after_as_many_of_the_named_events_as_asked_for() {
    let server = Server::start(json!({}));
    let listening = start(siot(&["listen", &server.url(), "a", "b", "-c", "3", "--raw"]));
    listening.connected();
    for event in ["a", "other", "b", "a", "a"] {
        emit(&server, event, json!(["text", 1]));
    }
    let said = listening.end().ended_with(0);
    assert_eq!(said.out, "a text 1\nb text 1\na text 1\n");
}

#[test]
fn a_reader_who_leaves_ends_it_quietly_and_at_once() {
    let server = Server::start(json!({}));
    let script = r#""$0" listen "$1" | head -n 1; echo the end"#;
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", script, env!("CARGO_BIN_EXE_siot"), &server.url()]);
    let running = start(shell);
    running.connected();
    emit(&server, "a", json!([1]));
    assert_eq!(running.line(), "a 1");
    // No second event comes that would find the pipe broken.
    assert_eq!(running.line(), "the end");
    assert_eq!(running.end().ended_with(0).err, "");
}

#[test]
fn a_time_that_is_up_is_a_failure_only_if_something_is_missing() {
    let server = Server::start(json!({}));
    let url = server.url();
    let missing = run(&["listen", &url, "--count", "1", "--timeout", "4s"]).ended_with(4);
    assert!(missing.err.contains("the time is up, and 1 event is missing"), "{missing:?}");
    let start = Instant::now();
    run(&["listen", &url, "--timeout", "3.5"]).ended_with(0);
    assert!(start.elapsed() >= Duration::from_millis(3500));
}

#[test]
fn the_time_counts_while_there_is_no_connection() {
    let silent = RawPeer::start(RawConnection::hold);
    let nobody = format!("http://127.0.0.1:{}", free_port());
    let start = Instant::now();
    for args in [
        &["listen", &silent.url(), "--count", "1"][..],
        &["listen", &silent.url()],
        &["listen", &nobody, "--count", "1", "--retry"],
        &["emit", &silent.url(), "a"],
        &["emit", &silent.url(), "a", "--lines"],
        &["emit", &nobody, "a", "--retry"],
    ] {
        let said = run(&[args, &["--timeout", "500ms"]].concat()).ended_with(4);
        assert!(said.err.contains("the time is up, and there is no connection"), "{said:?}");
    }
    // An attempt to connect may take 20 s by itself.
    assert!(start.elapsed() < Duration::from_secs(18), "{:?}", start.elapsed());
}

#[test]
fn a_signal_before_all_has_come_is_told_by_the_code() {
    let server = Server::start(json!({}));
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let listening = start(siot(&["listen", &server.url(), "--count", "1"]));
        listening.connected();
        listening.signal(signal);
        listening.end().ended_with(code);
    }
}

#[test]
fn a_signal_ends_it_while_it_connects() {
    let server = HostileOptions::v4().heartbeats_only().start();
    let listening = start(siot(&["listen", &server.url()]));
    let session = server.session();
    listening.signal("INT");
    listening.end().ended_with(130);
    drop(session);
}

#[test]
fn it_comes_back_after_a_loss_and_says_so() {
    let server = Server::start(json!({}));
    // By polling there may be no connection to cut, and nothing that is lost.
    let listening = start(siot(&["listen", &server.url(), "--transports", "websocket"]));
    listening.connected();
    server.command(json!({ "cmd": "drop" }));
    let said = listening.err.recv_timeout(LIMIT).unwrap();
    assert!(said.starts_with("siot: disconnected, transport "), "{said}");
    let said = listening.err.recv_timeout(LIMIT).unwrap();
    assert!(said.starts_with("siot: connected again as "), "{said}");
    emit(&server, "a", json!([1]));
    assert_eq!(listening.line(), "a 1");
}

#[test]
fn a_server_that_disconnects_ends_it() {
    let server = Server::start(json!({}));
    let listening = start(siot(&["listen", &server.url()]));
    listening.connected();
    server.command(json!({ "cmd": "disconnect-all", "nsp": "/", "close": true }));
    let said = listening.end().ended_with(6);
    assert!(said.err.contains("io server disconnect"), "{said:?}");
}

#[test]
fn what_came_before_the_end_is_printed() {
    let server = Server::start(json!({}));
    // Nobody reads before standard input ends.
    let script = r#"exec 3<&0; "$0" listen "$1" < /dev/null | { cat <&3; wc -l; }"#;
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", script, env!("CARGO_BIN_EXE_siot"), &server.url()]);
    let mut running = start(shell);
    running.connected();
    // More than a pipe holds.
    for n in 0..100 {
        emit(&server, "a", json!([n, "x".repeat(2000)]));
    }
    server.command(json!({ "cmd": "disconnect-all", "nsp": "/", "close": true }));
    eventually(LIMIT, "the end", || server.sessions() == 0);
    drop(running.stdin.take());
    let said = running.end();
    assert_eq!(said.out.trim(), "100", "{said:?}");
}

#[test]
fn with_once_a_loss_is_the_end() {
    let server = Server::start(json!({}));
    let by = ["--once", "--transports", "websocket"];
    let listening = start(siot(&[&["listen", &server.url()][..], &by].concat()));
    listening.connected();
    server.command(json!({ "cmd": "drop" }));
    listening.end().ended_with(6);
}

#[test]
fn events_that_ask_are_answered() {
    let server = HostileOptions::v4().start();
    let answers = ["--answer", "\"yes\"", "--answer", "2", "--transports", "websocket"];
    let listening = start(siot(&[&["listen", &server.url(), "--json"][..], &answers].concat()));
    listening.connected();
    let session = server.session();
    assert_eq!(session.next(), "40");
    session.send(r#"427["question",1]"#);
    assert_eq!(session.next(), r#"437["yes",2]"#);
    let object: Value = serde_json::from_str(&listening.line()).unwrap();
    assert_eq!((&object["args"], &object["ack"]), (&json!([1]), &json!(true)));
}

#[test]
fn binary_goes_into_files_that_are_never_written_over() {
    let server = Server::start(json!({}));
    let folder = Folder::new();
    let path = folder.path("photos");
    let args = ["listen", &server.url(), "-q", "--count", "1", "--save", path.to_str().unwrap()];
    let mut listening = start(siot(&args));
    let there = |_: &str| server.cmd("sessions")["sockets"]["/"] == 1;
    eventually(LIMIT, "it is connected", || there(""));
    emit(&server, "photo", json!([{ "$bytes": "/9g=" }]));
    let line = listening.line();
    let file = path.join("000001.bin");
    assert_eq!(line, format!(r#"photo {{"$file":"{}"}}"#, file.display()));
    assert_eq!(std::fs::read(&file).unwrap(), [0xff, 0xd8]);
    listening.end().ended_with(0);
    listening = start(siot(&args));
    eventually(LIMIT, "it is connected", || there(""));
    emit(&server, "photo", json!([{ "$bytes": "AA==" }]));
    let said = listening.end().ended_with(7);
    assert!(said.err.contains("000001.bin"), "{said:?}");
    assert_eq!(std::fs::read(&file).unwrap(), [0xff, 0xd8]);
}

#[test]
fn what_a_peer_makes_up_ends_no_line_and_moves_no_cursor() {
    let server = HostileOptions::v4().start();
    let listening = start(siot(&["listen", &server.url(), "--transports", "websocket"]));
    listening.connected();
    let session = server.session();
    session.send("42[\"a\\u001b[2J\\n\u{9b}\", \n\"\u{202e}\"]");
    session.send("42[\"last\"]");
    assert_eq!(listening.line(), "\"a\\u001b[2J\\n\\u009b\" \"\\u202e\"");
    assert_eq!(listening.line(), "last");
}

#[test]
fn an_event_that_cannot_be_shown_is_told_and_the_next_ones_come() {
    let server = HostileOptions::v4().start();
    // What looks like an attachment has to be decoded, which has its limits.
    let (open, close) = ("[".repeat(300), "]".repeat(300));
    let deep = format!("42[\"deep\",{open}\"_placeholder\"{close}]");
    for json in [&[][..], &["--json"]] {
        let args = ["listen", &server.url(), "--transports", "websocket"];
        let listening = start(siot(&[&args[..], json].concat()));
        listening.connected();
        let session = server.session();
        session.send(&deep);
        session.send("42[\"last\"]");
        if json.is_empty() {
            let said = listening.err.recv_timeout(LIMIT).unwrap();
            assert!(said.starts_with("siot: error: \"deep\": payload"), "{said}");
            assert_eq!(listening.line(), "last");
        } else {
            let object: Value = serde_json::from_str(&listening.line()).unwrap();
            assert!(object["error"].is_string() && object["json"].is_string(), "{object}");
            assert!(listening.line().contains(r#""event":"last""#));
        }
    }
}

#[test]
fn a_full_disk_is_told() {
    let server = Server::start(json!({}));
    let script = r#""$0" listen "$1" > /dev/full"#;
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", script, env!("CARGO_BIN_EXE_siot"), &server.url()]);
    let running = start(shell);
    running.connected();
    emit(&server, "a", json!([1]));
    let said = running.end().ended_with(7);
    assert!(said.err.contains("standard output: No space left"), "{said:?}");
}
