//! `siot serve`.

use serde_json::{Value, json};
use siot::Socket;

use super::{Running, run, siot, start};
use crate::support::wait::{LIMIT, recv_within};

/// Starts a server with these arguments; gives its URL too.
#[track_caller]
fn serve(args: &[&str]) -> (Running, String) {
    let serving = start(siot(&[&["serve", "127.0.0.1:0"], args].concat()));
    let said = recv_within(&serving.err, LIMIT);
    let url = said.strip_prefix("siot: listening at ").unwrap_or_else(|| panic!("{said}"));
    let url = url.to_owned();
    (serving, url)
}

#[track_caller]
fn connect(url: &str) -> Socket {
    let socket = siot::Builder::new(url).force_new(true).build().unwrap();
    socket.wait_connected(LIMIT).unwrap();
    socket
}

/// Waits for the acknowledgement, and so for what the event has brought about.
#[track_caller]
fn ask(socket: &Socket, event: &str, args: Value) {
    let args = siot::ArgList(args.as_array().unwrap().iter().cloned().map(from_json).collect());
    socket.timeout(LIMIT).emit_with_ack(event, args).unwrap().wait::<()>().unwrap();
}

fn from_json(value: Value) -> siot::Value {
    serde_json::from_value(value).unwrap()
}

#[test]
fn an_echo_is_answered_and_each_event_is_a_line() {
    let (serving, url) = serve(&[]);
    let said = run(&["emit", &url, "echo", "1", "\"a\"", "--ack"]).ended_with(0);
    assert_eq!(said.out, "1 \"a\"\n");
    run(&["emit", &url, "two words", "[1,{}]", "--ack"]).ended_with(0);
    assert_eq!(serving.line(), "echo 1 \"a\"");
    assert_eq!(serving.line(), "\"two words\" [1,{}]");
    let [came, gone] = [(); 2].map(|()| recv_within(&serving.err, LIMIT));
    assert!(came.contains(" has come, from 127.0.0.1:"), "{came}");
    assert!(gone.ends_with(" has gone, client namespace disconnect"), "{gone}");
    serving.signal("TERM");
    assert_eq!(serving.end().ended_with(0).out, "");
}

#[test]
fn with_json_a_line_is_an_object() {
    let (serving, url) = serve(&["--json", "--namespace", "/other"]);
    run(&["emit", &format!("{url}/other"), "photo", "{\"$base64\":\"/9g=\"}", "--ack"])
        .ended_with(0);
    let object: Value = serde_json::from_str(&serving.line()).unwrap();
    let expected = (&json!("photo"), &json!([{ "$base64": "/9g=" }]), &json!(true));
    assert_eq!((&object["event"], &object["args"], &object["ack"]), expected);
    run(&["emit", &format!("{url}/nowhere"), "x"]).ended_with(5);
    serving.signal("INT");
    serving.end().ended_with(0);
}

#[test]
fn others_and_rooms_get_what_is_for_them() {
    let (_serving, url) = serve(&[]);
    let (ann, ben, cat) = (connect(&url), connect(&url), connect(&url));
    let of = |socket: &Socket| socket.subscribe_any();
    let (to_ann, to_ben, to_cat) = (of(&ann), of(&ben), of(&cat));
    ask(&ben, "join", json!(["r"]));
    ask(&cat, "join", json!(["r"]));
    ask(&cat, "leave", json!(["r"]));
    ask(&ann, "say", json!(["r", "hi"]));
    ask(&ann, "broadcast", json!([1, "all"]));
    assert_eq!(recv_within(to_ben.receiver(), LIMIT).json(), r#"["say","r","hi"]"#);
    assert_eq!(recv_within(to_ben.receiver(), LIMIT).json(), r#"["broadcast",1,"all"]"#);
    assert_eq!(recv_within(to_cat.receiver(), LIMIT).json(), r#"["broadcast",1,"all"]"#);
    ask(&ben, "broadcast", json!([2]));
    assert_eq!(recv_within(to_ann.receiver(), LIMIT).json(), r#"["broadcast",2]"#);
}

#[test]
fn who_is_there_at_the_end_has_what_is_left_for_it() {
    let (serving, url) = serve(&[]);
    let listening = start(siot(&["listen", &url, "--once"]));
    listening.connected();
    run(&["emit", &url, "broadcast", "\"last\"", "--ack"]).ended_with(0);
    serving.signal("TERM");
    let said = serving.end().ended_with(0);
    assert!(said.err.ends_with(" has gone, server shutting down\n"), "{said:?}");
    assert_eq!(listening.end().ended_with(6).out, "broadcast \"last\"\n");
}

#[test]
fn an_address_that_cannot_be_had_is_a_sentence() {
    let (_serving, url) = serve(&[]);
    let address = url.strip_prefix("http://").unwrap();
    for (address, code) in [(address, 7), ("no such host:1", 2)] {
        let said = run(&["serve", address]).ended_with(code);
        assert!(said.err.starts_with(&format!("siot: error: {address}: ")), "{said:?}");
    }
}
