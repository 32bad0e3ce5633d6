//! `siot emit`.

use std::io::Write;

use serde_json::{Value, json};

use super::{DeafServer, fed, run, siot, start};
use crate::support::folder::Folder;
use crate::support::raw::RawPeer;
use crate::support::wait::LIMIT;
use crate::support::{Server, eventually};

/// The events that the server has seen: names and arguments.
fn seen(server: &Server) -> Vec<Value> {
    server.entries("events").iter().map(|event| json!([event["name"], event["args"]])).collect()
}

#[test]
fn arguments_keep_their_order_and_types() {
    let server = Server::start(json!({}));
    let folder = Folder::new();
    let file = folder.path("photo.jpg");
    std::fs::write(&file, [0xff, 0xd8, 0xff]).unwrap();
    let file = file.to_str().unwrap();
    let args = ["photo", "-5", "--binary", file, "\"text\"", r#"{"a":[true,{"$base64":"AQI="}]}"#];
    let said = run(&[&["emit", &server.url()][..], &args].concat()).ended_with(0);
    assert_eq!((said.out.as_str(), said.err.as_str()), ("", ""));
    let expected =
        json!(["photo", [-5, { "$bytes": 3 }, "text", { "a": [true, { "$bytes": 2 }] }]]);
    let shown = seen(&server)[0].to_string();
    // What is inside of other data the server shows as it is.
    assert!(
        shown.starts_with(r#"["photo",[-5,{"$bytes":3},"text",{"a":[true,"#),
        "{shown} {expected}"
    );
    eventually(LIMIT, "it has said goodbye", || server.sessions() == 0);
}

#[test]
fn a_text_that_is_no_json_is_refused_with_what_to_do() {
    let said = run(&["emit", "http://127.0.0.1:1", "say", "hello"]).ended_with(2);
    assert!(said.err.contains(r#"'"hello"'"#) && said.err.contains("--text"), "{said:?}");
    let said = run(&["emit", "http://127.0.0.1:1", "say", "1", "2,5"]).ended_with(2);
    assert!(said.err.starts_with("siot: error: argument 2: '2,5' is no JSON: "), "{said:?}");
    let server = Server::start(json!({}));
    run(&["emit", &server.url(), "say", "--text", "hello", "5"]).ended_with(0);
    assert_eq!(seen(&server), [json!(["say", ["hello", "5"]])]);
}

#[test]
fn an_answer_is_printed() {
    let server = Server::start(json!({}));
    let url = server.url();
    let out = |args: &[&str]| run(&[&["emit", &url][..], args].concat()).ended_with(0).out;
    assert_eq!(out(&["sum", "20", "22", "--ack"]), "42\n");
    assert_eq!(out(&["ack-many", "--ack"]), "\"one\" 2 {\"three\":3} [4] null true\n");
    assert_eq!(out(&["ack-none", "--ack", "--json"]), "{\"args\":[]}\n");
    assert_eq!(out(&["echo", "--ack", "--raw", "\"a b\""]), "a b\n");
    let deep =
        r#"{"args":[{"$base64":"AQID"},{"deep":[{"$base64":"BA=="},"text"]},{"$base64":""}]}"#;
    assert_eq!(out(&["with-binary-ack", "--ack", "--json"]), format!("{deep}\n"));
}

#[test]
fn each_end_has_its_code() {
    let server = Server::start(json!({}));
    let url = server.url();
    let with =
        |path: &str, args: &[&str]| run(&[&["emit", &format!("{url}{path}")][..], args].concat());
    let late = with("", &["never-ack", "--ack", "--timeout", "4s"]).ended_with(4);
    assert!(late.err.contains("siot: error: timeout: "), "{late:?}");
    let refused = with("/forbidden", &["a"]).ended_with(5);
    assert!(refused.err.contains("forbidden by the test server"), "{refused:?}");
    with("", &["kick-hard", "--ack"]).ended_with(6);
    with("", &["connect"]).ended_with(2);
    with("", &["a", "--binary", "/no/such/file"]).ended_with(7);
    run(&["emit", "localhost", "a"]).ended_with(2);
    server.kill();
    let away = with("", &["a"]).ended_with(3);
    assert!(away.err.contains("cannot connect, TCP"), "{away:?}");
}

#[test]
fn lines_are_events_in_their_order() {
    let server = Server::start(json!({}));
    let url = server.url();
    let said =
        fed(&["emit", &url, "echo", "0", "--lines", "--ack"], "1\n\"two\"\n[3]").ended_with(0);
    assert_eq!(said.out, "0 1\n0 \"two\"\n0 [3]\n");
    let said = fed(&["emit", &url, "a", "--lines", "--text"], "x y\n\n").ended_with(0);
    assert_eq!((said.out.as_str(), said.err.as_str()), ("", ""));
    assert_eq!(seen(&server)[3..], [json!(["a", ["x y"]]), json!(["a", [""]])]);
}

#[test]
fn a_wrong_line_ends_it_behind_those_before() {
    let server = Server::start(json!({}));
    let said = fed(&["emit", &server.url(), "a", "--lines"], "1\n2\nthree\n4\n").ended_with(2);
    assert!(said.err.contains("line 3"), "{said:?}");
    assert_eq!(seen(&server), [json!(["a", [1]]), json!(["a", [2]])]);
}

#[test]
fn a_line_whose_event_fails_is_named() {
    let server = Server::start(json!({}));
    // It counts from the beginning, and a slow machine takes some of it to connect.
    let args = ["emit", &server.url(), "--events", "--ack", "--timeout", "4s"];
    let said = fed(&args, "{\"event\":\"echo\"}\n{\"event\":\"never-ack\"}\n").ended_with(4);
    let expected = "siot: error: line 2 of standard input (\"never-ack\"): timeout: ";
    assert!(said.err.starts_with(expected), "{said:?}");
}

#[test]
fn lines_may_end_as_other_systems_end_them() {
    let server = Server::start(json!({}));
    fed(&["emit", &server.url(), "a", "--lines", "--text"], "x\r\n\r\ny\rz").ended_with(0);
    let texts = ["x", "", "y\rz"].map(|text| json!(["a", [text]]));
    assert_eq!(seen(&server), texts);
}

#[test]
fn wrong_lines_can_be_skipped_and_are_told() {
    let server = Server::start(json!({}));
    let args = ["emit", &server.url(), "a", "--lines", "--skip-invalid"];
    let said = fed(&args, "1\ntwo\n3\n").ended_with(1);
    assert!(said.err.starts_with("siot: error: line 2 of standard input: no JSON"), "{said:?}");
    assert_eq!(said.err.lines().count(), 1, "{said:?}");
    assert_eq!(seen(&server), [json!(["a", [1]]), json!(["a", [3]])]);
    fed(&args, "4\n").ended_with(0);
    run(&["emit", &server.url(), "a", "--skip-invalid"]).ended_with(2);
}

#[test]
fn many_lines_are_all_delivered() {
    let server = Server::start(json!({}));
    let numbers: Vec<String> = (0..20_000).map(|n| n.to_string()).collect();
    fed(&["emit", &server.url(), "tick", "0", "--lines"], &numbers.join("\n")).ended_with(0);
    let ticks = server.cmd("ticks");
    assert_eq!((&ticks["total"], &ticks["inOrder"]), (&json!(20_000), &json!(true)), "{ticks}");
}

#[test]
fn what_listen_prints_is_what_emit_takes() {
    let server = Server::start(json!({}));
    let events = r#"{"time":1.5,"event":"a","args":[1,{"$base64":"AQID"}]}
{"event":"b"}
"#;
    fed(&["emit", &server.url(), "--events"], events).ended_with(0);
    assert_eq!(seen(&server), [json!(["a", [1, { "$bytes": 3 }]]), json!(["b", []])]);
    for wrong in ["[]", "{}", r#"{"event":1}"#, r#"{"event":"a","args":1}"#] {
        let said = fed(&["emit", &server.url(), "--events"], wrong).ended_with(2);
        assert!(said.err.contains("line 1"), "{said:?}");
    }
}

#[test]
fn standard_input_can_be_an_argument() {
    let server = Server::start(json!({}));
    fed(&["emit", &server.url(), "a", "--binary", "-", "1"], "abc").ended_with(0);
    assert_eq!(seen(&server), [json!(["a", [{ "$bytes": 3 }, 1]])]);
}

#[test]
fn a_signal_while_it_waits_for_a_line_lets_what_was_read_arrive() {
    let server = Server::start(json!({}));
    let mut emitting = start(siot(&["emit", &server.url(), "a", "--lines"]));
    let mut stdin = emitting.stdin.take().unwrap();
    stdin.write_all(b"1\n").unwrap();
    eventually(LIMIT, "the event", || !seen(&server).is_empty());
    emitting.signal("TERM");
    emitting.end().ended_with(143);
    drop(stdin);
    assert_eq!(seen(&server), [json!(["a", [1]])]);
}

#[test]
fn what_is_emitted_does_not_depend_on_who_reads_the_output() {
    let server = Server::start(json!({}));
    let script = r#""$0" emit "$1" a --lines | echo gone >&2"#;
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", script, env!("CARGO_BIN_EXE_siot"), &server.url()]);
    let mut running = start(shell);
    assert_eq!(running.err.recv_timeout(LIMIT).unwrap(), "gone");
    running.stdin.as_mut().unwrap().write_all(b"1\n").unwrap();
    running.end().ended_with(0);
    // The shell waits for all of the pipe.
    assert_eq!(seen(&server), [json!(["a", [1]])]);
}

#[test]
fn a_signal_cuts_the_wait_for_delivery_short() {
    let server = DeafServer::start();
    let url = server.url();
    let args = ["emit", &url, "a", "--binary", "-", "--timeout", "1h"];
    let mut emitting = start(siot(&[&args[..], &DeafServer::OPTIONS, &["-vv"]].concat()));
    let mut stdin = emitting.stdin.take().unwrap();
    stdin.write_all(&vec![7; 32 << 20]).unwrap();
    drop(stdin);
    // The event is on its way.
    while !emitting.err.recv_timeout(LIMIT).unwrap().contains("_placeholder") {}
    emitting.signal("INT");
    emitting.end().ended_with(130);
}

#[test]
fn an_event_that_nobody_reads_is_not_delivered() {
    let server = DeafServer::start();
    let url = server.url();
    let args = ["emit", &url, "a", "--binary", "-", "--timeout", "5s"];
    let args = [&args[..], &DeafServer::OPTIONS].concat();
    let mut emitting = start(siot(&args));
    // More than the buffers of a connection hold.
    let mut stdin = emitting.stdin.take().unwrap();
    stdin.write_all(&vec![7; 32 << 20]).unwrap();
    drop(stdin);
    let said = emitting.end().ended_with(1);
    assert!(said.err.contains("not delivered"), "{said:?}");
}

#[test]
fn a_server_of_another_kind_is_no_connection() {
    let peer = RawPeer::start(|mut connection| {
        connection.read_request()?;
        connection.respond(200, "", b"<html>It works!</html>")
    });
    let said = run(&["emit", &peer.url(), "a"]).ended_with(3);
    assert!(said.err.starts_with("siot: error: "), "{said:?}");
    assert_eq!(said.err.lines().count(), 1, "{said:?}");
}
