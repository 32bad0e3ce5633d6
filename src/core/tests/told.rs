//! What errors tell of silence, of stages and of limits.

use super::*;
use crate::core::client::namespace::Auth;
use crate::error::Stage;

#[track_caller]
fn error(world: &mut World) -> Error {
    world.error.take().expect("an error")
}

#[test]
fn a_ping_that_does_not_come_tells_of_the_silence() {
    let (mut world, _) = World::joined();
    world.advance(SECOND * 30);
    world.receive("2");
    world.advance(SECOND * 15);
    world.receive("42[\"a\"]");
    world.advance(INTERVAL + TIMEOUT);
    let error = error(&mut world);
    assert_eq!(
        error.message(),
        "the server sent no ping for 45 s (pingInterval 25 s, pingTimeout 20 s); what came last, 30 s \
         ago, was a message"
    );
    assert_eq!((error.kind(), error.is_timeout()), (ErrorKind::Transport, true));
    assert_eq!(error.elapsed(), Some(SECOND * 75));
    assert!(error.hint().is_some_and(|hint| hint.contains("slept")), "{error}");
}

#[test]
fn an_unanswered_ping_tells_of_the_silence() {
    let mut world = World::old();
    world.connect("/");
    world.open();
    world.receive("40");
    world.advance(INTERVAL + TIMEOUT);
    let error = error(&mut world);
    assert_eq!(
        error.message(),
        "the server did not answer a ping within 20 s (pingInterval 25 s, pingTimeout 20 s); what came \
         last, 45 s ago, was a message"
    );
}

#[test]
fn who_is_behind_is_the_reason_of_a_ping_that_is_not_read() {
    let (mut world, _) = World::joined();
    let why = Error::new(ErrorKind::BufferFull, "a consumer is behind");
    world.run(|client, _| client.stall(&why));
    world.advance(INTERVAL + TIMEOUT);
    assert_eq!(error(&mut world).kind(), ErrorKind::BufferFull);
}

/// Opens a session, is silent for a while, and loses it.
fn quiet_session(world: &mut World, quiet: Duration) -> Error {
    world.open();
    world.receive("40{\"sid\":\"b\"}");
    world.advance(quiet);
    world.drop_link();
    let error = error(world);
    world.advance_to_deadline();
    error
}

#[test]
fn a_session_that_ends_after_the_same_silence_again_hints_at_a_proxy() {
    let is_proxy =
        |error: &Error| error.hint().is_some_and(|hint| hint.contains("proxy_read_timeout"));
    let mut world = World::new();
    world.connect("/");
    let first = quiet_session(&mut world, SECOND * 20);
    assert!(!is_proxy(&first) && first.hint().is_some(), "{first}");
    assert!(!is_proxy(&quiet_session(&mut world, SECOND * 10)));
    let again = quiet_session(&mut world, SECOND * 10 + SECOND / 5);
    assert!(is_proxy(&again), "{again}");
    assert!(again.hint().is_some_and(|hint| hint.contains("for 10 s")), "{again}");
    // What is over at once is idle for no time.
    for _ in 0..3 {
        assert!(!is_proxy(&quiet_session(&mut world, Duration::ZERO)));
    }
}

#[test]
fn a_silence_begins_with_what_came_or_was_sent_last() {
    let (mut world, root) = World::joined();
    let quiet = |world: &World| world.client.engine().unwrap().quiet(world.now).unwrap();
    world.advance(SECOND * 10);
    assert_eq!(quiet(&world), SECOND * 10);
    world.emit(root, "[1]").unwrap();
    assert_eq!(world.sent(), ["42[1]"]);
    world.advance(SECOND * 3);
    assert_eq!(quiet(&world), SECOND * 3);
    world.receive("42[2]");
    world.advance(SECOND * 2);
    assert_eq!(quiet(&world), SECOND * 2);
}

#[test]
fn what_was_sent_or_came_ends_a_silence() {
    let is_proxy =
        |error: &Error| error.hint().is_some_and(|hint| hint.contains("proxy_read_timeout"));
    let mut world = World::new();
    let root = world.connect("/");
    for round in 0..4 {
        world.open();
        world.receive("40{\"sid\":\"b\"}");
        world.advance(SECOND * 10);
        if round % 2 == 0 {
            world.emit(root, "[\"a\"]").unwrap();
        } else {
            world.receive("42[\"a\"]");
        }
        world.advance(SECOND * u32::from(round % 2 == 0));
        world.drop_link();
        let error = error(&mut world);
        assert!(!is_proxy(&error), "{error}");
        world.advance_to_deadline();
    }
}

#[test]
fn a_connect_that_is_too_large_is_named_without_what_is_in_it() {
    let mut world = World::new();
    world.handshake.max_payload = Some(100);
    let id = world.client.namespace_id("/admin?token=secret");
    let auth =
        Payload { json: format!("{{\"a\":\"{}\"}}", "x".repeat(200)), attachments: Vec::new() };
    world.run(|client, now| client.set_auth(id, Auth::Fixed(auth), now));
    world.connect_id(id);
    world.open();
    let error = error(&mut world);
    assert_eq!((error.kind(), error.stage()), (ErrorKind::TooLarge, None));
    let text = error.to_string();
    assert!(text.contains("a CONNECT of 2") && text.contains("for \"/admin\""), "{text}");
    assert!(
        text.contains("takes 100") && !text.contains("secret") && !text.contains("xx"),
        "{text}"
    );
}

#[test]
fn an_attempt_whose_time_is_up_tells_what_has_not_come() {
    for (stage, part) in [
        (Stage::Dns, "name server has not answered"),
        (Stage::Tcp, "no address has answered"),
        (Stage::Tls, "TLS handshake is not complete"),
        (Stage::Http, "request is not answered"),
        (Stage::Engine, "no handshake of Engine.IO has come"),
    ] {
        let mut world = World::new();
        world.connect("/");
        let link = world.last_link;
        world.run(|client, _| client.note_reached(link, stage.into()));
        world.advance(SECOND * 20);
        let error = error(&mut world);
        assert_eq!((error.kind(), error.is_timeout()), (ErrorKind::Connect(stage), true));
        assert!(error.message().contains("the connect timeout of 20 s"), "{error}");
        assert!(error.message().contains(part) && error.hint().is_some(), "{error}");
    }
}

#[test]
fn a_session_that_fails_for_a_reason_of_its_own_tells_that_one() {
    let (mut world, _) = World::joined();
    world.run(|client, _| client.stall(&Error::new(ErrorKind::BufferFull, "a consumer is behind")));
    world.lose(world.last_link, Loss::Failed(Error::new(ErrorKind::Transport, "reset")));
    let error = error(&mut world);
    assert_eq!(error.message(), "reset");
    assert!(error.hint().is_some_and(|hint| hint.contains("TRACE")), "{error}");
}

#[test]
fn what_to_try_depends_on_who_failed() {
    let hint = |loss: fn(Error) -> Loss, kind: ErrorKind, is_open: bool| {
        let mut world = World::new();
        world.connect("/");
        if is_open {
            world.open();
        }
        world.lose(world.last_link, loss(Error::new(kind, "no")));
        error(&mut world).hint().unwrap_or_default().to_owned()
    };
    assert!(hint(Loss::Failed, ErrorKind::Connect(Stage::Proxy), false).contains("is it a proxy"));
    assert!(hint(Loss::Failed, ErrorKind::Connect(Stage::Http), false).contains("`path` option"));
    assert!(hint(Loss::Closed, ErrorKind::Transport, true).contains("did the server end"));
}
