//! Malformed packets from a real server: the right reason, and life goes on.

use siot::{Binary, DisconnectReason, ErrorKind, Value};

use crate::support::{Client, LIMIT, Via, over_each_transport, recv_within, shared};

over_each_transport!(
    broken_packets_are_parse_errors,
    broken_attachments_are_parse_errors,
    odd_packets_are_no_reason_to_part,
    placeholders_may_repeat_and_attachments_be_unused,
    one_attachment_may_be_meant_20_000_times,
    half_a_packet_is_forgotten_with_its_connection,
    a_late_refusal_is_reported,
    an_end_for_another_namespace_is_ignored,
    a_flood_of_answers_nobody_waits_for_is_survived,
);

/// Socket.IO packets that break the connection, and why.
const BROKEN: &[&str] = &[
    "",
    "7[]",
    "x",
    "-",
    "{}",
    // EVENT: without data, not a list, cut off, with something behind it, without a name.
    "2",
    "2{}",
    "25",
    "2\"a\"",
    "2[\"open",
    "2[\"a\"]]",
    "2[\"a\"] x",
    "2[\"a\",]",
    "2['a']",
    "2[]",
    "2[null]",
    "2[{}]",
    "2[[\"a\"]]",
    // Names that are the protocol's own.
    "2[\"connect\"]",
    "2[\"connect_error\"]",
    "2[\"disconnect\"]",
    "2[\"disconnec\\u0074\"]",
    // Other types with data of the wrong kind.
    "0[]",
    "0\"sid\"",
    "4[]",
    "3[]",
    "31",
    "31{}",
    "3-1[]",
    "31.5[]",
    // The number of attachments.
    "5[\"a\"]",
    "5-[\"a\"]",
    "5-1-[\"a\"]",
    "51.5-[\"a\"]",
    "51e1-[\"a\"]",
    "511-[\"a\"]",
    "5999999999-[\"a\"]",
    "5999999999999999999999999999999-[\"a\"]",
    "6999999999-1[]",
    "51",
    "51-",
];

#[track_caller]
fn is_parse_error(client: &Client, case: &str) {
    let (reason, error) = client.disconnected();
    assert_eq!(reason, DisconnectReason::ParseError, "{case:?}: {error:?}");
    let error = error.unwrap();
    assert_eq!(error.kind(), ErrorKind::Protocol, "{case:?}: {error}");
    client.reconnected();
}

fn broken_packets_are_parse_errors(via: Via) {
    let client = via.connect(shared().url());
    for packet in BROKEN {
        client.emit("raw", packet).unwrap();
        is_parse_error(&client, packet);
    }
    client.works();
}

fn broken_attachments_are_parse_errors(via: Via) {
    let client = via.connect(shared().url());
    let bytes = Binary::from([1, 2, 3]);
    // The attachment that a placeholder means does not exist.
    for number in ["1", "-1", "\"0\"", "0.5", "1e0", "null", "18446744073709551616", "[]"] {
        let text = format!(r#"51-["e",{{"_placeholder":true,"num":{number}}}]"#);
        client.emit("raw", (&text, &bytes)).unwrap();
        is_parse_error(&client, &text);
    }
    let text = r#"51-["e",{"_placeholder":true}]"#;
    client.emit("raw", (text, &bytes)).unwrap();
    is_parse_error(&client, text);
    // Text in the place of an attachment; an attachment unasked for; one too many.
    let text = r#"51-["e",{"_placeholder":true,"num":0}]"#;
    client.emit("raw", (text, r#"2["e"]"#)).unwrap();
    is_parse_error(&client, "text instead");
    client.emit("raw", &bytes).unwrap();
    is_parse_error(&client, "unasked");
    client.emit("raw", (text, &bytes, &bytes)).unwrap();
    is_parse_error(&client, "one too many");
    client.works();
}

fn odd_packets_are_no_reason_to_part(via: Via) {
    let client = via.connect(shared().url());
    let id = client.id();
    let any = client.subscribe_any();
    let odd = [
        // For namespaces that are not joined.
        r#"2/none,["e"]"#,
        r#"0/none,{"sid":"x"}"#,
        // Without a comma behind its namespace.
        r#"2/none["e"]"#,
        // A second CONNECT.
        r#"0{"sid":"other"}"#,
        // Answers that nobody waits for.
        "318446744073709551615[]",
        "3000000000000000000000000000000000000000000009[]",
    ];
    for packet in odd {
        client.emit("raw", packet).unwrap();
    }
    client.works();
    assert_eq!(client.id(), id);
    assert!(client.status.try_recv().is_none());
    // Names that look dangerous are data; an id beyond all numbers is none.
    for (packet, name) in [
        ("2[\"__proto__\",1]", "__proto__"),
        ("2[\"a\\r\\nX: 1\\u0000\",1]", "a\r\nX: 1\0"),
        ("299999999999999999999999999999[\"huge\",1]", "huge"),
        ("2/,[\"slash\",1]", "slash"),
        ("218446744073709551615[\"last\",1]", "last"),
    ] {
        client.emit("raw", packet).unwrap();
        let event = recv_within(any.receiver(), LIMIT);
        assert_eq!((event.name(), event.args::<u32>().unwrap()), (name, 1));
        assert_eq!(event.wants_ack(), name == "last");
    }
    client.works();
}

fn placeholders_may_repeat_and_attachments_be_unused(via: Via) {
    let client = via.connect(shared().url());
    let any = client.subscribe_any();
    let twice = r#"51-["e",{"_placeholder":true,"num":0},{"num":0,"_placeholder":true}]"#;
    client.emit("raw", (twice, Binary::from([7]))).unwrap();
    let (a, b): (Binary, Binary) = recv_within(any.receiver(), LIMIT).args().unwrap();
    assert_eq!((a, b), (Binary::from([7]), Binary::from([7])));
    client.emit("raw", (r#"52-["e",1]"#, Binary::from([7]), Binary::default())).unwrap();
    assert_eq!(recv_within(any.receiver(), LIMIT).args::<u32>().unwrap(), 1);
    client.works();
}

fn one_attachment_may_be_meant_20_000_times(via: Via) {
    let client = via.connect(shared().url());
    let any = client.subscribe_any();
    let all = vec![r#"{"_placeholder":true,"num":0}"#; 20_000].join(",");
    let text = format!(r#"51-["e",[{all}]]"#);
    client.emit("raw", (text, Binary::from(vec![1; 100_000]))).unwrap();
    let parts: Vec<Value> = recv_within(any.receiver(), LIMIT).args().unwrap();
    assert_eq!(parts.len(), 20_000);
    // A copy for each would be 2 GB.
    let first = parts[0].as_binary().unwrap().as_ptr();
    assert!(parts.iter().all(|part| part.as_binary().unwrap().as_ptr() == first));
}

fn half_a_packet_is_forgotten_with_its_connection(via: Via) {
    let client = via.connect(shared().url());
    let any = client.subscribe_any();
    let half = r#"52-["e",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#;
    client.emit("raw", (half, Binary::from([1]))).unwrap();
    client.emit("close-engine", ()).unwrap();
    client.disconnected();
    client.reconnected();
    client.works();
    assert!(any.try_recv().is_none());
}

fn a_late_refusal_is_reported(via: Via) {
    let client = via.connect(shared().url());
    for (packet, message) in
        [("4", "no reason given"), ("4\"words\"", "words"), (r#"4{"message":"m"}"#, "m")]
    {
        client.emit("raw", packet).unwrap();
        let error = client.connect_error();
        assert_eq!(error.kind(), ErrorKind::Refused);
        assert!(error.message().contains(message), "{error}");
    }
}

fn an_end_for_another_namespace_is_ignored(via: Via) {
    let client = via.connect(shared().url());
    client.emit("raw", "1/none,").unwrap();
    client.emit("raw", r#"1/none,{"reason":"bye"}"#).unwrap();
    client.works();
    for packet in ["1", r#"1{"reason":"bye"}"#] {
        client.emit("raw", packet).unwrap();
        assert_eq!(client.disconnected().0, DisconnectReason::IoServerDisconnect);
        client.connect();
        client.connected();
    }
}

fn a_flood_of_answers_nobody_waits_for_is_survived(via: Via) {
    let client = via.connect(shared().url());
    for _ in 0..20 {
        client.emit("raw", siot::ArgList(vec!["3999999[]"; 500])).unwrap();
    }
    client.works();
    assert_eq!(client.manager().counters().ignored, 10_000);
}
