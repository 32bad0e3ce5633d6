//! Acknowledgements in both directions.

use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{never, select};
use serde_json::{Value as Json, json};
use siot::{Binary, ErrorKind};

use crate::support::{LIMIT, Via, over_each_transport, recv_within, shared};

over_each_transport!(
    an_answer_decodes_into_what_is_asked_for,
    an_answer_may_have_no_argument_or_many,
    an_answer_may_hold_binary,
    questions_of_the_server_are_answered,
    a_question_is_answered_at_most_once,
    only_the_first_answer_counts,
    an_answer_nobody_asked_for_is_counted,
    no_answer_is_a_timeout,
    an_answer_after_the_timeout_is_ignored,
    the_timeout_of_the_builder_holds_for_all,
    a_wait_may_have_a_limit_of_its_own,
    an_answer_can_be_asked_for_again,
    an_answer_comes_by_channel,
    a_dropped_wait_is_no_obstacle,
    many_questions_are_outstanding,
    many_threads_get_their_own_answers,
    a_disconnection_ends_the_wait,
    an_unsent_event_waits_for_the_connection,
    an_unsent_event_is_withdrawn_at_its_timeout,
);

fn an_answer_decodes_into_what_is_asked_for(via: Via) {
    let client = via.connect(shared().url());
    assert_eq!(client.ask::<u32>("sum", (1, 2)), 3);
    assert_eq!(client.ask::<f64>("sum", (1.25, 2)).to_bits(), 3.25_f64.to_bits());
    assert_eq!(client.ask::<String>("sum", ("1", "2")), "12");
    assert_eq!(client.ask::<Json>("echo", json!({"a": [null]})), json!({"a": [null]}));
    // The server's handler finds a value where it looks for one, and its function behind it.
    assert_eq!(client.ask::<(Json, Option<u8>)>("echo", json!(null)), (Json::Null, None));
    assert_eq!(client.ask::<([u8; 3], Option<u8>)>("echo", [1, 2, 3]), ([1, 2, 3], None));
    assert_eq!(client.ask::<[u8; 3]>("echo", ([1, 2, 3], 4)), [1, 2, 3]);
    let wrong = client.emit_with_ack("sum", (1, 2)).unwrap().wait_timeout::<String>(LIMIT);
    assert_eq!(wrong.unwrap_err().kind(), ErrorKind::Payload);
}

fn an_answer_may_have_no_argument_or_many(via: Via) {
    let client = via.connect(shared().url());
    client.ask::<()>("ack-none", ());
    let none = client.emit_with_ack("ack-none", ()).unwrap().receiver();
    assert!(recv_within(&none, LIMIT).unwrap().is_empty());
    let many: (String, u32, Json, Vec<u32>, Option<u8>, bool) = client.ask("ack-many", ());
    assert_eq!(many, ("one".into(), 2, json!({"three": 3}), vec![4], None, true));
    assert_eq!(client.ask::<String>("ack-many", ()), "one");
    let reply = client.emit_with_ack("ack-many", ()).unwrap().receiver();
    let reply = recv_within(&reply, LIMIT).unwrap();
    assert_eq!(reply.json(), r#"["one",2,{"three":3},[4],null,true]"#);
    assert_eq!((reply.len(), reply.arg::<u32>(1).unwrap()), (6, 2));
}

fn an_answer_may_hold_binary(via: Via) {
    let client = via.connect(shared().url());
    let (first, deep, empty): (Binary, siot::Value, Binary) = client.ask("with-binary-ack", ());
    assert_eq!((first, empty), (Binary::from([1, 2, 3]), Binary::default()));
    assert_eq!(deep["deep"][0], Binary::from([4]).into());
    assert_eq!(deep["deep"][1], "text".into());
    let back: (Binary, u32) = client.ask("echo", (Binary::from([0x1e; 700]), 5));
    assert_eq!(back, (Binary::from([0x1e; 700]), 5));
}

fn questions_of_the_server_are_answered(via: Via) {
    let client = via.connect(shared().url());
    let questions = client.subscribe("question");
    let answers = client.subscribe("answered");
    client.emit("ask-me", ("how", Binary::from([1]))).unwrap();
    let question = recv_within(questions.receiver(), LIMIT);
    assert!(question.wants_ack());
    assert_eq!(question.args::<(String, Binary)>().unwrap(), ("how".into(), Binary::from([1])));
    question.ack(("so", Binary::from([2]), Binary::default())).unwrap();
    let answer: (String, Binary, Binary) = recv_within(answers.receiver(), LIMIT).args().unwrap();
    assert_eq!(answer, ("so".into(), Binary::from([2]), Binary::default()));

    client.emit("ask-me", ()).unwrap();
    recv_within(questions.receiver(), LIMIT).ack(()).unwrap();
    assert!(recv_within(answers.receiver(), LIMIT).is_empty());
    client.emit("ask-me", ()).unwrap();
    recv_within(questions.receiver(), LIMIT).ack([1, 2]).unwrap();
    assert_eq!(recv_within(answers.receiver(), LIMIT).json(), r#"["answered",[1,2]]"#);
    client.emit("ask-me", ()).unwrap();
    recv_within(questions.receiver(), LIMIT).ack(json!(null)).unwrap();
    assert_eq!(recv_within(answers.receiver(), LIMIT).json(), r#"["answered",null]"#);
}

fn a_question_is_answered_at_most_once(via: Via) {
    let client = via.connect(shared().url());
    let questions = client.subscribe("question");
    let answers = client.subscribe("answered");
    client.emit("ask-me", ()).unwrap();
    let question = recv_within(questions.receiver(), LIMIT);
    question.clone().ack("first").unwrap();
    assert_eq!(question.ack("second").unwrap_err().kind(), ErrorKind::InvalidOption);
    assert_eq!(recv_within(answers.receiver(), LIMIT).args::<String>().unwrap(), "first");
    client.works();
    assert!(answers.try_recv().is_none());
}

fn only_the_first_answer_counts(via: Via) {
    let client = via.connect(shared().url());
    assert_eq!(client.ask::<String>("ack-twice", ()), "first");
    client.works();
    assert_eq!(client.manager().counters().ignored, 1);
}

fn an_answer_nobody_asked_for_is_counted(via: Via) {
    let client = via.connect(shared().url());
    for id in [777, 999_999_999_999_u64] {
        client.emit("ack-unasked", id).unwrap();
    }
    client.emit("raw", "399999999999999999999999999999[]").unwrap();
    client.works();
    assert_eq!(client.manager().counters().ignored, 3);
}

fn no_answer_is_a_timeout(via: Via) {
    let client = via.connect(shared().url());
    let limit = Duration::from_millis(100);
    let start = Instant::now();
    let ack = client.timeout(limit).emit_with_ack("never-ack", ()).unwrap();
    let error = ack.wait::<()>().unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert!(start.elapsed() >= limit);
    client.works();
}

fn an_answer_after_the_timeout_is_ignored(via: Via) {
    let client = via.connect(shared().url());
    if via == Via::Upgrade {
        // An event that waits for the end of an upgrade is taken back when its time has passed.
        client.upgraded();
    }
    // Long enough to be sent.
    let emitter = client.timeout(Duration::from_secs(2));
    let late = emitter.emit_with_ack("ack-kept", ()).unwrap();
    assert!(late.wait::<()>().unwrap_err().is_timeout());
    client.emit("give-kept", ()).unwrap();
    // The answer to this one comes after that of the first.
    client.works();
    assert_eq!(client.manager().counters().ignored, 1);
}

fn the_timeout_of_the_builder_holds_for_all(via: Via) {
    let socket =
        via.builder(shared().url()).ack_timeout(Duration::from_millis(50)).build().unwrap();
    socket.wait_connected(LIMIT).unwrap();
    let error = socket.emit_with_ack("never-ack", ()).unwrap().wait::<()>().unwrap_err();
    assert!(error.is_timeout(), "{error}");
    let patient = socket.timeout(LIMIT).emit_with_ack("ack-late", 200).unwrap();
    assert_eq!(patient.wait::<(String, u32)>().unwrap().1, 200);
}

fn a_wait_may_have_a_limit_of_its_own(via: Via) {
    let client = via.connect(shared().url());
    let mut ack = client.emit_with_ack("never-ack", ()).unwrap();
    let error = ack.wait_timeout::<()>(Duration::from_millis(30)).unwrap_err();
    assert!(error.is_timeout() && error.message().ends_with("within 30 ms"), "{error}");
}

fn an_answer_can_be_asked_for_again(via: Via) {
    let client = via.connect(shared().url());
    let mut ack = client.emit_with_ack("ack-kept", ()).unwrap();
    assert!(ack.try_wait::<()>().is_none());
    assert!(ack.wait_timeout::<()>(Duration::from_millis(10)).unwrap_err().is_timeout());
    client.emit("give-kept", ()).unwrap();
    assert_eq!(ack.wait_timeout::<(String, u32)>(LIMIT).unwrap(), ("late".to_owned(), 300));
    // As another type too, and by each way.
    assert_eq!(ack.try_wait::<u32>().unwrap().unwrap_err().kind(), ErrorKind::Payload);
    assert_eq!(ack.try_wait::<String>().unwrap().unwrap(), "late");
    assert_eq!(ack.wait::<(String, u32)>().unwrap().1, 300);
}

fn an_answer_comes_by_channel(via: Via) {
    let client = via.connect(shared().url());
    let late = client.emit_with_ack("ack-kept", ()).unwrap().receiver();
    let mut soon = client.emit_with_ack("sum", (1, 2)).unwrap().receiver();
    let mut order = Vec::new();
    for _ in 0..2 {
        select! {
            recv(late) -> reply => order.push(reply.unwrap().unwrap().arg::<u32>(1).unwrap()),
            recv(soon) -> reply => {
                order.push(reply.unwrap().unwrap().args::<u32>().unwrap());
                soon = never();
                client.emit("give-kept", ()).unwrap();
            }
            default(LIMIT) => panic!("no answer"),
        }
    }
    assert_eq!(order, [3, 300]);
    // An answer that is there already.
    let ack = client.emit_with_ack("sum", (2, 2)).unwrap();
    client.works();
    assert_eq!(recv_within(&ack.receiver(), LIMIT).unwrap().args::<u32>().unwrap(), 4);
}

fn a_dropped_wait_is_no_obstacle(via: Via) {
    let client = via.connect(shared().url());
    drop(client.emit_with_ack("sum", (1, 2)).unwrap());
    drop(client.emit_with_ack("sum", (1, 2)).unwrap().receiver());
    client.works();
}

fn many_questions_are_outstanding(via: Via) {
    let client = via.connect(shared().url());
    let count = u32::try_from(via.scaled(5000)).unwrap();
    let acks: Vec<_> = (0..count).map(|n| client.emit_with_ack("sum", (n, n)).unwrap()).collect();
    for (n, mut ack) in (0..count).zip(acks) {
        assert_eq!(ack.wait_timeout::<u32>(LIMIT).unwrap(), 2 * n);
    }
}

fn many_threads_get_their_own_answers(via: Via) {
    let client = via.connect(shared().url());
    let count = via.scaled(200);
    thread::scope(|scope| {
        for id in 0..8 {
            let client = &client;
            scope.spawn(move || {
                for n in 0..count {
                    assert_eq!(client.ask::<(usize, usize)>("echo", (id, n)), (id, n));
                }
            });
        }
    });
}

fn a_disconnection_ends_the_wait(via: Via) {
    let client = via.settle(shared().url());
    let waiting: Vec<_> = (0..3).map(|_| client.emit_with_ack("never-ack", ()).unwrap()).collect();
    let by_channel = client.emit_with_ack("never-ack", ()).unwrap().receiver();
    client.works();
    client.emit("kick", ()).unwrap();
    for mut ack in waiting {
        assert!(ack.wait_timeout::<()>(LIMIT).unwrap_err().is_disconnected());
    }
    assert!(recv_within(&by_channel, LIMIT).unwrap_err().is_disconnected());

    // One's own disconnection does so as well.
    client.disconnected();
    client.connect();
    client.connected();
    let mut ack = client.emit_with_ack("never-ack", ()).unwrap();
    client.works();
    client.disconnect();
    assert!(ack.wait_timeout::<()>(LIMIT).unwrap_err().is_disconnected());
}

fn an_unsent_event_waits_for_the_connection(via: Via) {
    let client = crate::support::Client::idle(via.builder(shared().url()));
    let mut ack = client.emit_with_ack("sum", (20, 22)).unwrap();
    client.connect();
    assert_eq!(ack.wait_timeout::<u32>(LIMIT).unwrap(), 42);
}

fn an_unsent_event_is_withdrawn_at_its_timeout(via: Via) {
    let client = crate::support::Client::idle(via.builder(shared().url()));
    let any = client.subscribe("late-answer");
    let emitter = client.timeout(Duration::from_millis(30));
    let ack = emitter.emit_with_ack("send-me", ("late-answer", 1)).unwrap();
    assert!(ack.wait::<()>().unwrap_err().is_timeout());
    client.connect();
    client.connected();
    client.works();
    assert!(any.try_recv().is_none(), "a withdrawn event was sent");
}
