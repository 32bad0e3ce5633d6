//! What a program is handed, made by hand.

use std::time::Duration;

use siot::{Binary, DisconnectReason, DropReason, ErrorKind, Stage, Status, testing};

#[test]
fn an_event_is_read_as_one_that_has_come() {
    let args = ("é\u{1e}", Binary::from([1, 2]), None::<u8>);
    let event = testing::event_in("/orders", "photo \"1\"", &args).unwrap();
    assert_eq!((event.namespace(), event.name(), event.len()), ("/orders", "photo \"1\"", 3));
    let read: (String, Binary, Option<u8>) = event.args().unwrap();
    assert_eq!((&*read.0, read.1, read.2), args);
    assert!(!event.wants_ack());
    assert_eq!(event.ack(()).unwrap_err().kind(), ErrorKind::InvalidOption);
    assert_eq!(testing::event("plain", ()).unwrap().namespace(), "/");
    let unwritable = std::collections::HashMap::from([((1, 2), 3)]);
    assert_eq!(testing::event("x", unwritable).unwrap_err().kind(), ErrorKind::Payload);
}

#[test]
fn an_acknowledgement_is_given_once() {
    let (event, given) = testing::event_with_ack("ask", ()).unwrap();
    assert!(event.wants_ack() && !given.is_given());
    assert_eq!(given.args::<u8>().unwrap(), None);
    event.clone().ack((7, Binary::from([3]))).unwrap();
    assert_eq!(given.args::<(u8, Binary)>().unwrap(), Some((7, Binary::from([3]))));
    assert_eq!(given.args::<String>().unwrap_err().kind(), ErrorKind::Payload);
    assert_eq!(event.ack(8).unwrap_err().kind(), ErrorKind::InvalidOption);
    assert_eq!(given.reply().unwrap().arg::<u8>(0).unwrap(), 7);
}

#[test]
fn answers_errors_and_statuses_say_what_they_were_given() {
    let reply = testing::ack_reply(("done", 1.5)).unwrap();
    assert_eq!((reply.json(), reply.len()), (r#"["done",1.5]"#, 2));
    let refused = testing::refusal("not you", &[1, 2]).unwrap();
    assert_eq!((refused.kind(), refused.message()), (ErrorKind::Refused, "not you"));
    assert_eq!((refused.data(), refused.stage()), (Some("[1,2]"), Some(Stage::Namespace)));

    let soon = Some(Duration::from_secs(3));
    let lost = testing::error(ErrorKind::Transport, "reset");
    for (status, retry_in) in [
        (testing::connected("x", true), None),
        (testing::connect_error(refused, None), None),
        (testing::connect_error(lost.clone(), soon), soon),
        (testing::disconnected(DisconnectReason::PingTimeout, Some(lost), soon), soon),
        (testing::dropped(2, 30, DropReason::Expired), None),
    ] {
        assert_eq!(status.retry_in(), retry_in, "{status:?}");
    }
    let connected = testing::connected("x", true);
    assert!(matches!(connected, Status::Connected { id, recovered: true, .. } if id == "x"));
}
