//! Events and acknowledgements, both ways.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crossbeam_channel::unbounded;
use serde_json::{Value, json};
use siot::ArgList;

use crate::host::Host;
use crate::support::{JsClient, LIMIT, Via, recv_within};

for_each_client!(
    events_pass_in_order,
    an_event_is_acknowledged,
    a_handler_waits_for_the_answer_of_its_own_client,
    binary_comes_back_as_it_was,
    a_catch_all_sees_every_event_first,
);

fn events_pass_in_order(version: u32, via: Via) {
    let host = Host::start(|builder| builder);
    let client = JsClient::connect(version, via, &host.url);
    for number in 0..100 {
        client.emit("back", json!([number, { "a": [null, "é\u{1e}\n\"😀"] }]));
    }
    for number in 0..100 {
        assert_eq!(client.event("event"), json!([number, { "a": [null, "é\u{1e}\n\"😀"] }]));
    }
}

fn an_event_is_acknowledged(version: u32, via: Via) {
    let host = Host::start(|builder| builder);
    let client = JsClient::connect(version, via, &host.url);
    assert_eq!(client.ask("echo", json!([])), json!([]));
    assert_eq!(
        client.ask("echo", json!(["a", { "b": 1.5 }, null])),
        json!(["a", { "b": 1.5 }, null])
    );
    let asked: Vec<_> = (0..50).map(|number| client.begin_ask("echo", json!([number]))).collect();
    for (number, asked) in asked.into_iter().enumerate() {
        assert_eq!(client.answer(asked), json!([number]));
    }
}

fn a_handler_waits_for_the_answer_of_its_own_client(version: u32, via: Via) {
    let host = Host::start(|builder| builder.workers(1));
    let client = JsClient::connect(version, via, &host.url);
    client.emit("question", json!(["why?", [1, 2]]));
    assert_eq!(client.event("ask"), json!(["why?", [1, 2]]));
    assert_eq!(client.event("conclusion"), json!(["why?", [1, 2]]));
}

fn binary_comes_back_as_it_was(version: u32, via: Via) {
    let host = Host::start(|builder| builder);
    let client = JsClient::connect(version, via, &host.url);
    let bytes = |length: u32| -> Value {
        let bytes: Vec<_> = (0..length).map(|n| n.to_le_bytes()[n as usize % 2]).collect();
        json!({ "$bytes": STANDARD.encode(bytes) })
    };
    for args in [
        json!([bytes(3)]),
        json!(["photo", { "deep": [bytes(1), "text", bytes(0)] }, bytes(200_000)]),
    ] {
        assert_eq!(client.ask("echo", args.clone()), args);
        client.emit("back", args.clone());
        assert_eq!(client.event("event"), args);
        client.emit("question", args.clone());
        assert_eq!(client.event("conclusion"), args);
    }
}

fn a_catch_all_sees_every_event_first(version: u32, via: Via) {
    let host = Host::start(|builder| builder);
    let (seen, sights) = unbounded();
    let seen_by_name = seen.clone();
    host.server.on_any(move |_, event| {
        let _ = seen.send(format!("any {} {}", event.name(), event.json()));
    });
    host.server.on("named", move |_, event| {
        let _ = seen_by_name.send(format!("named {}", event.args::<ArgList>().unwrap().0.len()));
    });
    let client = JsClient::connect(version, via, &host.url);
    client.emit("unheard", json!([1]));
    client.emit("named", json!([1, 2]));
    let lines: Vec<_> = (0..3).map(|_| recv_within(&sights, LIMIT)).collect();
    let expected = [r#"any unheard ["unheard",1]"#, r#"any named ["named",1,2]"#, "named 2"];
    assert_eq!(lines, expected);
}
