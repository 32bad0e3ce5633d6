//! Namespaces that no user has a handle of any more: they leave nothing behind.

use rustix::time::{ClockId, clock_gettime};

use super::*;
use crate::core::client::namespace::{Auth, Phase};
use crate::core::load::Load;

/// Joined to `/`, and to another namespace, which was then forgotten.
fn forgotten() -> (World, NamespaceId) {
    let (mut world, _) = World::joined();
    let other = world.join("/other");
    world.log();
    world.forget(other);
    (world, other)
}

#[test]
fn a_forgotten_namespace_is_left_and_frees_its_place() {
    let (mut world, _) = forgotten();
    assert_eq!(world.sent(), ["41/other,"]);
    assert_eq!(world.log(), ["/other: disconnect io client disconnect"]);
    assert_eq!(world.client.count_namespaces(), 1);
    world.advance(Duration::from_secs(6));
    assert_eq!(world.client.next_deadline(), world.client.engine().unwrap().deadline());
}

#[test]
fn a_namespace_that_was_never_joined_frees_its_place_at_once() {
    let (mut world, _) = World::joined();
    for name in ["/a", "/b"] {
        let id = world.client.namespace_id(name);
        world.emit_with_ack(id, "[]", 1, Some(SECOND)).unwrap();
        world.forget(id);
        assert_eq!(world.client.count_namespaces(), 1);
        assert_eq!(world.news(), ["ack 1 failed: disconnected"]);
    }
}

#[test]
fn the_end_of_the_session_frees_the_places_of_the_forgotten() {
    let endings: [fn(&mut World); 3] = [
        |world| world.drop_link(),
        |world| world.run(Client::close),
        |world| world.run(Client::close_engine),
    ];
    for end in endings {
        let (mut world, _) = forgotten();
        let joining = world.connect("/joining");
        world.forget(joining);
        assert_eq!(world.client.count_namespaces(), 2);
        end(&mut world);
        assert_eq!(world.client.count_namespaces(), 1);
    }
    let mut world = World::new();
    let root = world.join("/");
    world.forget(root);
    assert_eq!(world.client.count_namespaces(), 0);
    world.assert_at_rest();
}

#[test]
fn a_namespace_that_is_forgotten_while_it_joins_is_undone_first() {
    for answer in ["40/other,{\"sid\":\"x\"}", "44/other,\"no\"", "41/other,"] {
        let (mut world, _) = World::joined();
        let other = world.connect("/other");
        world.emit(other, "[\"kept\"]").unwrap();
        world.sent();
        world.forget(other);
        assert_eq!(world.sent(), Vec::<String>::new());
        assert_eq!(world.namespace(other).buffered(), Load::default());
        world.receive(answer);
        let undone = answer.starts_with("40");
        assert_eq!(world.sent(), if undone { vec!["41/other,"] } else { vec![] }, "{answer}");
        assert_eq!(world.client.count_namespaces(), 1, "{answer}");
        assert_eq!(world.log(), Vec::<String>::new(), "{answer}");
    }
}

#[test]
fn a_forgotten_namespace_whose_connect_is_never_answered_frees_its_place_at_the_limit() {
    let (mut world, _) = World::joined();
    let other = world.connect("/other");
    world.forget(other);
    world.advance(Duration::from_secs(20));
    assert_eq!(world.client.count_namespaces(), 1);
    assert_eq!(world.log(), Vec::<String>::new());
}

#[test]
fn no_namespace_gets_the_number_of_another() {
    let (mut world, _) = World::joined();
    let mut ids = Vec::new();
    for name in ["/a", "/a", "/b", "/a"] {
        let id = world.join(name);
        assert!(!ids.contains(&id), "{ids:?}, {id:?}");
        ids.push(id);
        world.forget(id);
    }
    assert_eq!(world.client.count_namespaces(), 1);
}

#[test]
fn a_namespace_that_was_just_forgotten_is_joined_again_once_the_server_has_dealt_with_that() {
    let (mut world, _) = World::joined();
    let old = world.join("/other");
    world.deaf = true;
    world.forget(old);
    assert_eq!(world.sent(), ["41/other,"]);
    let new = world.connect("/other");
    assert_eq!(world.sent(), Vec::<String>::new());
    world.confirm_on(world.last_link);
    assert_eq!(world.sent(), ["40/other,"]);
    world.receive("40/other,{\"sid\":\"x\"}");
    assert_eq!(world.namespace(new).phase, Phase::Joined);
    assert_eq!(world.namespace(old).phase, Phase::Idle);
}

#[test]
fn a_namespace_that_is_forgotten_and_wanted_again_before_the_answer_is_undone_and_done() {
    let (mut world, _) = World::joined();
    let old = world.connect("/other");
    world.forget(old);
    let new = world.connect("/other");
    assert_eq!(world.sent(), ["40/other,"]);
    world.receive("40/other,{\"sid\":\"x\"}");
    assert_eq!(world.sent(), ["41/other,", "40/other,"]);
    world.receive("40/other,{\"sid\":\"y\"}");
    assert_eq!(world.log(), ["/other: connect y"]);
    assert_eq!(world.namespace(new).phase, Phase::Joined);
}

#[test]
fn a_new_namespace_inherits_nothing_of_the_forgotten_one() {
    for deaf in [true, false] {
        let (mut world, _) = World::joined();
        world.deaf = deaf;
        let old = world.client.namespace_id("/other");
        world.client.set_auth(old, Auth::Fixed(payload("{\"token\":1}")), world.now);
        world.client.set_retries(old, Some(3));
        world.run(|client, _| client.set_shows_outgoing(old, true));
        world.join("/other");
        world.forget(old);
        world.sent();
        let new = world.connect("/other");
        world.confirm_on(world.last_link);
        assert_eq!(world.sent(), ["40/other,"]);
        world.receive("40/other,{\"sid\":\"x\"}");
        world.log();
        world.emit(new, "[\"a\"]").unwrap();
        assert_eq!(world.sent(), ["42/other,[\"a\"]"]);
        assert_eq!(world.log(), Vec::<String>::new());
    }
}

#[test]
fn what_still_comes_for_a_namespace_that_was_forgotten_is_not_for_its_successor() {
    let mut world = World::new();
    world.join("/");
    let before = world.join("/x");
    world.forget(before);
    let after = world.connect("/x");
    world.receive("42/x,[\"late\"]");
    world.receive("40/x,{\"sid\":\"b\"}");
    world.receive("42/x,[\"its own\"]");
    assert!(world.namespace(after).status().is_some());
    let news = world.news();
    assert!(!news.iter().any(|line| line.contains("late")), "{news:?}");
    assert_eq!(news.last().unwrap(), "/x: event [\"its own\"]");
    // In another session nothing can come for the one before.
    world.drop_link();
    world.advance_to_deadline();
    world.open();
    world.receive("42/x,[\"early\"]");
    world.receive("40/x,{\"sid\":\"c\"}");
    assert!(world.news().contains(&"/x: event [\"early\"]".to_owned()));
}

#[test]
fn a_late_answer_to_a_namespace_that_is_gone_is_no_answer_to_its_successor() {
    for deaf in [true, false] {
        let (mut world, _) = World::joined();
        world.deaf = deaf;
        let old = world.join("/other");
        world.emit_with_ack(old, "[\"a\"]", 1, None).unwrap();
        world.forget(old);
        let new = world.connect("/other");
        // What was emitted is dealt with, and then that the namespace was left.
        world.confirm_on(world.last_link);
        world.confirm_on(world.last_link);
        world.receive("40/other,{\"sid\":\"x\"}");
        world.sent();
        world.emit_with_ack(new, "[\"b\"]", 2, None).unwrap();
        assert_eq!(world.sent(), ["42/other,1[\"b\"]"]);
        world.log();
        world.receive("43/other,0[\"of a\"]");
        assert_eq!(world.log(), Vec::<String>::new());
        world.receive("43/other,1[\"of b\"]");
        assert_eq!(world.log(), ["ack 2: [\"of b\"]"]);
    }
}

#[test]
fn calls_for_a_namespace_that_is_gone_do_nothing() {
    type Call = fn(&mut World, NamespaceId);
    let calls: [Call; 12] = [
        |world, id| world.connect_id(id),
        |world, id| world.disconnect(id),
        |world, id| world.forget(id),
        |world, id| world.client.set_auth(id, Auth::Ask, world.now),
        |world, id| world.run(|client, now| client.auth(id, 0, Ok(payload("{}")), now)),
        |world, id| world.run(|client, _| client.set_retries(id, Some(1))),
        |world, id| world.run(|client, _| client.set_shows_outgoing(id, true)),
        |world, id| assert_eq!(world.run(|client, _| client.clear_send_buffer(id)), 0),
        |world, id| assert_eq!(world.run(|client, _| client.clear_receive_buffer(id)), 0),
        |world, id| {
            let error = Error::new(ErrorKind::Disconnected, "");
            world.run(|client, _| client.fail_all_acks(id, &error));
        },
        |world, id| {
            let error = world.emit(id, "[]").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Disconnected);
        },
        |world, id| {
            let reply = world.run(|client, now| client.reply(id, 0, 1, payload("[]"), now));
            assert!(matches!(reply, Err(NotTaken::Error(error)) if error.is_disconnected()));
        },
    ];
    // Alone, or with a successor.
    for has_successor in [false, true] {
        for (number, call) in calls.into_iter().enumerate() {
            let (mut world, old) = forgotten();
            let new = has_successor.then(|| {
                world.connect("/other");
                world.receive("40/other,{\"sid\":\"x\"}");
                world.client.namespace_id("/other")
            });
            world.sent();
            world.log();
            call(&mut world, old);
            assert_eq!(world.sent(), Vec::<String>::new(), "{number}");
            assert_eq!(world.log(), Vec::<String>::new(), "{number}");
            assert!(!world.client.is_connecting(old), "{number}");
            assert_eq!(world.namespace(old).phase, Phase::Idle, "{number}");
            if let Some(new) = new {
                assert_eq!(world.namespace(new).phase, Phase::Joined, "{number}");
            }
            assert_eq!(world.client.count_namespaces(), 1 + usize::from(has_successor));
            assert_eq!(world.alive(), [LinkId(1)], "{number}");
        }
    }
}

/// The processor time of this thread, which other threads and processes have no part in.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap()
}

/// Makes and forgets so many namespaces, and then has as many: the time that it takes.
fn time_of(many: usize) -> Duration {
    let (mut world, root) = World::joined();
    let begin = processor_time();
    let run = |world: &mut World, number: usize| {
        let id = world.client.namespace_id(&format!("/{number}"));
        world.client.connect(id, world.now);
        id
    };
    for number in 0..many {
        let id = run(&mut world, number);
        world.client.forget(id, world.now);
    }
    world.settle();
    world.receive("2");
    world.advance(Duration::from_secs(20));
    assert_eq!(world.client.count_namespaces(), 1);
    for number in 0..many {
        run(&mut world, number);
    }
    world.settle();
    world.emit(root, "[]").unwrap();
    world.run(Client::shut_down);
    world.assert_at_rest();
    processor_time().saturating_sub(begin)
}

#[test]
fn many_namespaces_take_no_time_that_grows_with_their_square() {
    // Eight times as many would take 64 times as long.
    let (few, many) = (time_of(2_500), time_of(20_000));
    assert!(many < few * 32, "{few:?} and {many:?}");
}
