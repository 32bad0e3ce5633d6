//! What waits, for how long, and what becomes of it; acknowledgements across connections.

use std::time::Duration;

use serde_json::json;
use siot::{EngineEvent, PacketType};

use crate::support::{
    Client, LIMIT, Server, Via, eventually, over_each_transport, recv_within, shared,
};

over_each_transport!(
    what_waits_can_be_seen_and_dropped,
    what_waits_survives_disconnecting,
    a_volatile_event_is_never_kept,
    each_acknowledgement_has_a_number_of_its_own,
    flags_hold_for_one_call,
    an_answer_to_a_session_that_has_ended_goes_nowhere,
    an_answer_after_leaving_costs_the_others_nothing,
    the_data_of_an_event_is_not_changed_by_sending_it,
);

fn what_waits_can_be_seen_and_dropped(via: Via) {
    let client = Client::idle(via.builder(shared().url()));
    client.emit("tick", (0, 0)).unwrap();
    let answer = client.emit_with_ack("sum", (1, 2)).unwrap();
    assert_eq!(client.send_buffer(), [r#"["tick",0,0]"#, r#"["sum",1,2]"#]);
    assert_eq!((client.clear_send_buffer(), client.send_buffer().len()), (2, 0));
    assert!(answer.wait::<u32>().unwrap_err().is_disconnected());
    assert_eq!((client.receive_buffer_len(), client.clear_receive_buffer()), (0, 0));
    client.connect();
    client.connected();
    client.works();
}

fn what_waits_survives_disconnecting(via: Via) {
    let server = Server::start(json!({}));
    let client = via.connect(server.url());
    client.disconnect();
    client.disconnected();
    client.emit("tick", (0, 0)).unwrap();
    client.connect();
    client.disconnect();
    client.emit("tick", (0, 1)).unwrap();
    assert_eq!(client.send_buffer().len(), 2);
    client.connect();
    client.connected();
    client.works();
    let ticks = server.cmd("ticks");
    assert_eq!((&ticks["total"], &ticks["inOrder"]), (&json!(2), &json!(true)));
}

fn a_volatile_event_is_never_kept(via: Via) {
    let server = Server::start(json!({}));
    // The session is open, and the namespace is not joined.
    let client = Client::start(via.builder(format!("{}/late", server.url())));
    client.manager().wait_open(LIMIT).unwrap();
    client.volatile().emit("tick", (0, 0)).unwrap();
    let lost = client.volatile().emit_with_ack("sum", (1, 2)).unwrap();
    assert!(lost.wait::<u32>().unwrap_err().is_disconnected());
    client.connected();
    client.works();
    assert_eq!(server.cmd("ticks")["total"], 0);
    assert_eq!(client.manager().counters().send_dropped, 2);
}

/// The numbers of the acknowledgements that were asked for.
fn numbers(packets: &siot::Subscription<EngineEvent>) -> Vec<u32> {
    let messages = packets.try_iter().filter_map(|event| match event {
        EngineEvent::PacketCreate(packet) if packet.packet_type() == PacketType::Message => {
            Some(packet.text()?.to_owned())
        }
        _ => None,
    });
    let number = |text: String| {
        let digits: String =
            text.strip_prefix('2')?.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok()
    };
    messages.filter_map(number).collect()
}

fn each_acknowledgement_has_a_number_of_its_own(via: Via) {
    let server = Server::start(json!({}));
    let client = Client::idle(via.builder(server.url()));
    let packets = client.manager().engine_events();
    client.connect();
    client.connected();
    client.works();
    let unanswered = client.emit_with_ack("never-ack", ()).unwrap();
    client.works();
    client.emit("close-engine", ()).unwrap();
    assert!(unanswered.wait::<()>().unwrap_err().is_disconnected());
    client.disconnected();
    client.reconnected();
    client.works();
    assert_eq!(numbers(&packets), [0, 1, 2, 3]);
}

fn flags_hold_for_one_call(via: Via) {
    let server = Server::start(json!({}));
    let client = Client::idle(via.builder(server.url()));
    client.volatile().emit("tick", (0, 0)).unwrap();
    client.emit("tick", (0, 0)).unwrap();
    let limit = client.timeout(Duration::from_millis(30)).emit_with_ack("sum", (1, 2)).unwrap();
    let mut patient = client.emit_with_ack("sum", (3, 4)).unwrap();
    assert!(limit.wait::<u32>().unwrap_err().is_timeout());
    client.connect();
    client.connected();
    assert_eq!(patient.wait_timeout::<u32>(LIMIT).unwrap(), 7);
    assert_eq!(server.cmd("ticks")["total"], 1);
}

fn an_answer_to_a_session_that_has_ended_goes_nowhere(via: Via) {
    let server = Server::start(json!({}));
    let client = via.connect(server.url());
    let questions = client.subscribe("question");
    client.emit("ask-me", 1).unwrap();
    let question = recv_within(questions.receiver(), LIMIT);
    client.manager().close_engine();
    client.disconnected();
    assert!(question.ack("too late").unwrap_err().is_disconnected());
    client.reconnected();
    assert!(question.ack("again").is_err());
    client.works();
    assert!(client.status.try_recv().is_none(), "the new connection was lost");
}

fn an_answer_after_leaving_costs_the_others_nothing(via: Via) {
    let server = Server::start(json!({}));
    let root = via.connect(server.url());
    let admin = root.manager().socket("/admin").unwrap();
    admin.wait_connected(LIMIT).unwrap();
    let questions = admin.subscribe("question");
    admin.emit("ask-me", 1).unwrap();
    let question = recv_within(questions.receiver(), LIMIT);
    admin.disconnect();
    assert!(question.ack("too late").unwrap_err().is_disconnected());
    root.works();
    eventually(LIMIT, "one socket", || server.cmd("sessions")["sockets"] == json!({"/": 1}));
    assert!(root.status.try_recv().is_none(), "the connection was lost");
}

fn the_data_of_an_event_is_not_changed_by_sending_it(via: Via) {
    let client = via.connect(shared().url());
    let bytes = siot::Binary::from(vec![1, 2, 3]);
    let value = siot::Value::from(vec![bytes.clone(), bytes]);
    let before = value.clone();
    for _ in 0..2 {
        assert_eq!(client.ask::<siot::Value>("echo", &value), before);
    }
    assert_eq!(value, before);
}
