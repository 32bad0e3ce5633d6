//! The server's connection state recovery.

use super::*;
use crate::core::client::namespace::Auth;

/// Connected to a server that keeps the session for a while.
fn recoverable() -> (World, NamespaceId) {
    let mut world = World::new();
    let root = world.connect("/");
    world.open();
    world.receive("40{\"sid\":\"a\",\"pid\":\"private\"}");
    world.sent();
    world.log();
    (world, root)
}

fn reconnect(world: &mut World) -> Vec<String> {
    world.drop_link();
    world.advance_to_deadline();
    world.open();
    world.log();
    world.sent()
}

#[test]
fn the_server_is_told_where_its_events_stopped() {
    let (mut world, root) = recoverable();
    assert_eq!(reconnect(&mut world), ["40{\"pid\":\"private\"}"]);
    world.receive("40{\"sid\":\"a\",\"pid\":\"private\"}");
    assert_eq!(world.log(), ["/: connect a recovered"]);

    world.receive("42[\"m\",1,\"first\"]");
    world.receive("42[\"m\",2,\"second\"]");
    world.receive("42[\"volatile\",3]");
    world.receive("427[\"asks\",\"no offset\"]");
    assert_eq!(reconnect(&mut world), ["40{\"pid\":\"private\",\"offset\":\"second\"}"]);
    world.receive("42[\"missed\",\"third\"]");
    assert_eq!(world.log(), Vec::<String>::new());
    world.receive("40{\"sid\":\"a\",\"pid\":\"private\"}");
    assert_eq!(world.log(), ["/: event [\"missed\",\"third\"]", "/: connect a recovered"]);
    assert_eq!(world.namespace(root).id.as_deref(), Some("a"));
    assert_eq!(reconnect(&mut world), ["40{\"pid\":\"private\",\"offset\":\"third\"}"]);
}

#[test]
fn a_server_that_forgot_begins_anew() {
    let (mut world, _) = recoverable();
    world.receive("42[\"m\",\"offset\"]");
    reconnect(&mut world);
    world.receive("40{\"sid\":\"b\",\"pid\":\"other\"}");
    assert_eq!(world.log(), ["/: connect b"]);
    assert_eq!(reconnect(&mut world), ["40{\"pid\":\"other\"}"]);
    world.receive("40{\"sid\":\"c\"}");
    assert_eq!(world.log(), ["/: connect c"]);
    assert_eq!(reconnect(&mut world), ["40"]);
}

#[test]
fn without_recovery_no_offset_is_kept() {
    let (mut world, _) = World::joined();
    world.receive("42[\"m\",\"text\"]");
    assert_eq!(reconnect(&mut world), ["40"]);
}

#[test]
fn credentials_are_kept_and_win() {
    for (auth, sent) in [
        ("{}", "40{\"pid\":\"private\",\"offset\":\"o\"}"),
        (" { } ", "40{\"pid\":\"private\",\"offset\":\"o\"} "),
        ("{\"token\":1e400}", "40{\"pid\":\"private\",\"offset\":\"o\",\"token\":1e400}"),
        ("{\"pid\":\"mine\"}", "40{\"pid\":\"private\",\"offset\":\"o\",\"pid\":\"mine\"}"),
    ] {
        let (mut world, root) = recoverable();
        world.client.set_auth(root, Auth::Fixed(payload(auth)), world.now);
        world.receive("42[\"m\",\"o\"]");
        assert_eq!(reconnect(&mut world), [sent]);
    }
}

#[test]
fn deep_credentials_survive_the_merge() {
    let (mut world, root) = recoverable();
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(500), "]".repeat(500));
    world.client.set_auth(root, Auth::Fixed(payload(&deep)), world.now);
    assert_eq!(reconnect(&mut world), [format!("40{{\"pid\":\"private\",{}", &deep[1..])]);
}

#[test]
fn what_looks_like_text_is_escaped() {
    let mut world = World::new();
    world.connect("/");
    world.open();
    world.receive("40{\"sid\":\"a\",\"pid\":\"\\\"\\u0000\"}");
    world.sent();
    world.receive("42[\"m\",\"\\\"\\n\"]");
    assert_eq!(reconnect(&mut world), ["40{\"pid\":\"\\\"\\u0000\",\"offset\":\"\\\"\\n\"}"]);
}

#[test]
fn a_recovery_with_more_events_than_can_be_held_is_none() {
    let mut world =
        World::with(|options| options.limits = options.limits.clone().receive_events(2));
    world.connect("/");
    world.open();
    world.receive("40{\"sid\":\"a\",\"pid\":\"private\"}");
    reconnect(&mut world);
    for number in 0..3 {
        world.receive(&format!("42[{number},\"o\"]"));
    }
    world.receive("40{\"sid\":\"a\",\"pid\":\"private\"}");
    assert_eq!(
        world.log(),
        ["/: event [0,\"o\"]", "/: event [1,\"o\"]", "/: connect a"],
        "it would not be true that nothing is missing"
    );
    reconnect(&mut world);
    world.receive("40{\"sid\":\"a\",\"pid\":\"private\"}");
    assert_eq!(world.log(), ["/: connect a recovered"]);
}

#[test]
fn a_name_of_the_session_that_is_too_long_is_not_kept() {
    for (length, is_kept) in [(256, true), (257, false)] {
        let mut world = World::new();
        world.connect("/");
        world.open();
        let pid = "p".repeat(length);
        world.receive(&format!("40{{\"sid\":\"a\",\"pid\":\"{pid}\"}}"));
        world.receive("42[\"m\",\"offset\"]");
        world.sent();
        let [connect] = &reconnect(&mut world)[..] else { panic!("one CONNECT") };
        assert_eq!(connect.contains(&pid), is_kept, "{connect}");
        assert_eq!(connect == "40", !is_kept, "{connect}");
    }
}

#[test]
fn an_offset_that_is_too_long_ends_the_recovery_and_not_the_connection() {
    let (mut world, _) = recoverable();
    world.receive("42[\"m\",\"first\"]");
    world.receive(&format!("42[\"m\",\"{}\"]", "x".repeat(256)));
    world.receive("42[\"m\",\"second\"]");
    assert_eq!(reconnect(&mut world), ["40{\"pid\":\"private\",\"offset\":\"second\"}"]);

    world.receive("40{\"sid\":\"a\",\"pid\":\"private\"}");
    world.receive(&format!("42[\"m\",\"{}\"]", "x".repeat(1_000_000)));
    world.receive("42[\"m\",\"third\"]");
    // Something may be missing that the server cannot tell from this offset.
    assert_eq!(reconnect(&mut world), ["40"]);
    world.receive("40{\"sid\":\"b\",\"pid\":\"next\"}");
    assert_eq!(world.log(), ["/: connect b"]);
    world.receive("42[\"m\",\"fourth\"]");
    assert_eq!(reconnect(&mut world), ["40{\"pid\":\"next\",\"offset\":\"fourth\"}"]);
}
