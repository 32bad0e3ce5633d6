//! What errors say.

use super::*;

#[test]
fn an_error_is_one_word_wide() {
    assert_eq!(size_of::<Error>(), size_of::<usize>());
}

#[test]
fn display_gives_kind_context_and_hint_and_the_cause_where_that_is_asked_for() {
    let error = Error::new(ErrorKind::Connect(Stage::Tcp), "10.0.0.1:80")
        .with_source("connection refused")
        .with_hint("is the server running?");
    let plain = "cannot connect, TCP: 10.0.0.1:80 (is the server running?)";
    assert_eq!(error.to_string(), plain);
    assert_eq!(
        format!("{error:#}"),
        "cannot connect, TCP: 10.0.0.1:80: connection refused (is the server running?)"
    );
    assert_eq!(error.source().map(ToString::to_string).as_deref(), Some("connection refused"));
    assert_eq!(error.stage(), Some(Stage::Tcp));
}

#[test]
fn a_cause_whose_words_the_message_has_is_not_displayed_again() {
    let cause = Error::new(ErrorKind::Connect(Stage::Tcp), "10.0.0.1:80")
        .with_source("connection refused")
        .with_hint("is the server running?");
    let error = Error::new(ErrorKind::Timeout, format!("too late, the last: {}", cause.words()))
        .with_source(cause)
        .with_hint("is the server running?");
    assert_eq!(
        format!("{error:#}"),
        "timeout: too late, the last: cannot connect, TCP: 10.0.0.1:80: connection refused (is the \
         server running?)"
    );
}

#[test]
fn an_error_of_the_programs_own_is_told_by_its_cause() {
    let error = Error::other("no token today");
    assert_eq!(error.to_string(), "an error of the program's own");
    assert_eq!(format!("{error:#}"), "an error of the program's own: no token today");
}

#[test]
fn debug_is_for_people_and_has_the_fields_where_they_are_asked_for() {
    let error = Error::new(ErrorKind::Timeout, "not connected within 5 s")
        .with_source(Error::new(ErrorKind::Connect(Stage::Tcp), "10.0.0.1:80"))
        .with_hint("is the server running?");
    let expected = "timeout: not connected within 5 s: cannot connect, TCP: 10.0.0.1:80 (is the \
                    server running?)";
    assert_eq!(format!("{error:?}"), expected);
    assert_eq!(format!("{:?}", Some(&error)), format!("Some({expected})"));
    let fields = format!("{error:#?}");
    assert!(fields.contains("kind: Timeout") && fields.contains("hint: Some("), "{fields}");
}

#[test]
fn what_a_server_says_is_displayed_in_one_line_and_given_raw() {
    let said = "no\nERROR root: all is lost \u{1b}[2J\u{2028}\u{202e}\0 \"it's\" C:\\ ä€";
    let error = Error::new(ErrorKind::Refused, said);
    assert_eq!(error.message(), said);
    assert_eq!(
        error.to_string(),
        "refused by the server: no\\nERROR root: all is lost \\u{1b}[2J\\u{2028}\\u{202e}\\0 \
         \"it's\" C:\\ ä€"
    );
}

#[test]
fn a_shared_error_takes_more_context() {
    let shared = Error::new(ErrorKind::Connect(Stage::Tls), "late").with_source("a cause");
    let address = SocketAddr::from(([10, 0, 0, 1], 80));
    let error = shared.clone().timed_out();
    let error = error.with_attempt(Some(address), Duration::from_millis(7));
    assert_eq!(error.to_string(), "cannot connect, TLS: late [10.0.0.1:80, after 7 ms]");
    assert_eq!((error.stage(), error.is_timeout()), (Some(Stage::Tls), true));
    assert_eq!(format!("{shared:#}"), "cannot connect, TLS: late: a cause");
    assert!(!shared.is_timeout());
}

#[test]
fn what_ends_an_attempt_has_its_stage_and_what_ends_a_session_has_none() {
    let of = |kind| Error::new(kind, "x");
    let attempt = |error: Error| (error.kind(), error.stage());
    let (http, engine) = (Stage::Http, Stage::Engine);
    for (kind, expected) in [
        (ErrorKind::Transport, (ErrorKind::Connect(engine), Some(engine))),
        (ErrorKind::Connect(http), (ErrorKind::Connect(http), Some(http))),
        (ErrorKind::Protocol, (ErrorKind::Protocol, Some(engine))),
        (ErrorKind::Refused, (ErrorKind::Refused, Some(Stage::Namespace))),
    ] {
        let error = of(kind).of_attempt(engine);
        assert_eq!(attempt(error.clone()), expected);
        let lost = error.of_session();
        assert!(!matches!(lost.kind(), ErrorKind::Connect(_)), "{lost}");
        assert_eq!(lost.stage().is_some(), kind == ErrorKind::Refused, "{lost}");
    }
    let upgrade = of(ErrorKind::Connect(http)).of_upgrade();
    assert_eq!(attempt(upgrade), (ErrorKind::Transport, Some(http)));
    let dialled = of(ErrorKind::Connect(Stage::Tcp)).of_session();
    assert_eq!(dialled.to_string(), "transport error: no connection for a request, TCP: x");
}

#[test]
fn times_are_rounded_for_reading() {
    for (millis, expected) in
        [(0, "0 ms"), (7, "7 ms"), (2_000, "2 s"), (9_999, "9999 ms"), (620_499, "620 s")]
    {
        assert_eq!(Rounded(Duration::from_millis(millis)).to_string(), expected);
    }
}

#[test]
fn a_mistake_of_the_caller_is_fatal_and_a_lost_connection_is_not() {
    assert!(Error::new(ErrorKind::InvalidOption, "x").is_fatal());
    let lost = Error::new(ErrorKind::Connect(Stage::Http), "x");
    assert!(!lost.is_fatal() && lost.fatal().is_fatal());
}

#[test]
fn a_snippet_is_escaped_and_short() {
    assert_eq!(snippet(b"a\r\n\0"), "a\\r\\n\\0");
    assert!(snippet(&[b'x'; 1000]).len() < 70);
}
