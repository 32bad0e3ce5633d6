//! Programs that connect again whenever something has failed, at once and over and over.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::core::client::namespace::Auth;
use crate::options::Rejection;

/// What a program does when it is told of a failure.
type Handler = fn(&mut World, NamespaceId);

const HANDLERS: [Handler; 5] = [
    |world, id| world.connect_id(id),
    |world, id| {
        world.connect_id(id);
        world.connect_id(id);
    },
    |world, id| {
        world.disconnect(id);
        world.connect_id(id);
    },
    |world, id| {
        world.connect_id(id);
        world.run(Client::open);
    },
    |world, id| {
        world.connect_id(id);
        world.run(Client::close);
        world.run(Client::open);
    },
];

/// What a server does to an attempt.
const SERVERS: [fn(&mut World); 5] = [
    |world| world.drop_link(),
    |world| {
        open(world);
        world.drop_link();
    },
    |world| {
        open(world);
        world.receive("44{\"message\":\"no\"}");
    },
    |world| {
        open(world);
        world.receive("40{\"sid\":\"x\"}");
        world.receive("41");
    },
    |world| {
        open(world);
        world.receive("40{\"sid\":\"x\"}");
        world.drop_link();
    },
];

/// The server opens the session, unless there is one in which the namespace is to be joined later.
fn open(world: &mut World) {
    if world.client.cycle() == Cycle::Connecting {
        world.open();
    }
}

fn pauses(times: &[Timestamp]) -> Vec<Duration> {
    times.windows(2).map(|pair| pair[1].since(pair[0])).collect()
}

#[test]
fn whatever_a_program_does_at_once_after_each_failure_it_makes_no_tight_loop() {
    for (h, handler) in HANDLERS.into_iter().enumerate() {
        for (s, server) in SERVERS.into_iter().enumerate() {
            for reconnection in [true, false] {
                let mut world = World::with(|options| options.reconnection = reconnection);
                let id = world.connect("/");
                for _ in 0..30 {
                    server(&mut world);
                    if !world.promises().is_empty() {
                        handler(&mut world, id);
                    }
                    if world.client.cycle() != Cycle::Connecting {
                        world.advance_to_deadline();
                    }
                }
                let pauses = pauses(&world.dialled);
                let what = format!("handler {h}, server {s}, {reconnection}: {pauses:?}");
                // One by `connect()` goes at once, and one or two by `open()`.
                let short = pauses.iter().filter(|pause| **pause < SECOND / 2).count();
                assert!(short <= 3 && pauses.len() > 10, "{what}");
            }
        }
    }
}

#[test]
fn the_first_connect_after_a_rejection_goes_at_once_and_the_others_back_off() {
    for rejection in ["44{\"message\":\"no\"}", "41"] {
        let (mut world, root) = World::joined();
        let mut pauses = Vec::new();
        world.receive(rejection);
        if rejection != "41" {
            world.disconnect(root);
            world.connect_id(root);
            world.open();
            world.receive(rejection);
        }
        for _ in 0..10 {
            world.connect_id(root);
            assert!(world.client.is_connecting(root));
            let waits = world.client.cycle() != Cycle::Connecting;
            pauses.push(if waits { world.advance_to_deadline() } else { Duration::ZERO });
            world.open();
            if rejection == "41" {
                world.receive("40{\"sid\":\"x\"}");
            }
            world.receive(rejection);
        }
        assert_eq!(pauses[0], Duration::ZERO, "{pauses:?}");
        assert!(pauses[1] >= SECOND / 2 && pauses[1] <= SECOND * 3 / 2, "{pauses:?}");
        assert!(pauses[4..].iter().all(|pause| *pause >= SECOND * 5 / 2), "{pauses:?}");
    }
}

#[test]
fn a_connect_that_comes_late_goes_at_once() {
    let (mut world, root) = World::joined();
    for _ in 0..5 {
        world.receive("41");
        world.advance(Duration::from_secs(5));
        world.connect_id(root);
        assert_eq!(world.client.cycle(), Cycle::Connecting);
        world.open();
        world.receive("40{\"sid\":\"x\"}");
    }
}

#[test]
fn a_membership_that_lasts_gives_the_next_connect_at_once_again() {
    let (mut world, root) = World::joined();
    for _ in 0..5 {
        world.advance(Duration::from_secs(5));
        world.receive("41");
        world.connect_id(root);
        assert_eq!(world.client.cycle(), Cycle::Connecting);
        world.open();
        world.receive("40{\"sid\":\"x\"}");
    }
}

#[test]
fn in_a_session_of_others_too_connect_backs_off() {
    let (mut world, _) = World::joined();
    let other = world.join("/other");
    let mut sent = Vec::new();
    for _ in 0..100 {
        world.receive("41/other,");
        world.connect_id(other);
        sent.extend(world.sent());
        world.receive("40/other,{\"sid\":\"x\"}");
    }
    assert_eq!(sent, ["40/other,"], "the first goes at once");
    world.advance(Duration::from_millis(1500));
    assert_eq!(world.sent(), ["40/other,"]);
}

#[test]
fn credentials_that_always_fail_are_not_asked_for_at_full_speed() {
    let (mut world, _) = World::joined();
    let other = world.client.namespace_id("/other");
    world.client.set_auth(other, Auth::Ask, world.now);
    world.connect_id(other);
    for _ in 0..100 {
        if let Some((id, asked)) = world.asked.pop() {
            let none = Err(Error::new(ErrorKind::Payload, "none"));
            world.run(|client, now| client.auth(id, asked, none, now));
        }
        world.connect_id(other);
    }
    let asked = world.log().iter().filter(|line| *line == "/other: ask").count();
    assert_eq!(asked, 2);
}

#[test]
fn a_wait_for_the_programs_own_attempt_is_one_to_be_connected() {
    let mut world = World::with(|options| options.reconnection = false);
    let root = world.connect("/");
    world.drop_link();
    assert_eq!(world.promises(), [None]);
    world.connect_id(root);
    world.drop_link();
    world.connect_id(root);
    assert!(world.client.is_connecting(root));
    assert_eq!(world.client.next_attempt(), world.client.next_deadline());
    world.log();
    world.advance_to_deadline();
    assert_eq!(world.log(), Vec::<String>::new(), "it is no attempt to reconnect");
    world.open();
    world.receive("40{\"sid\":\"x\"}");
    assert_eq!(world.log(), ["manager: open", "/: connect x"]);

    world.advance(Duration::from_secs(5));
    world.drop_link();
    world.connect_id(root);
    assert_eq!(world.client.cycle(), Cycle::Connecting, "it has lasted");
}

#[test]
fn after_a_session_that_has_lasted_and_was_closed_the_first_attempt_by_hand_is_made_at_once() {
    for (lasting, at_once) in [(4, false), (5, true)] {
        let mut world = World::with(|options| options.reconnection = false);
        let root = world.connect("/");
        world.drop_link();
        world.connect_id(root);
        world.open();
        world.receive("40{\"sid\":\"x\"}");
        world.advance(Duration::from_secs(lasting));
        world.disconnect(root);
        world.connect_id(root);
        world.dial();
        world.drop_link();
        world.connect_id(root);
        assert_eq!(world.client.cycle() == Cycle::Connecting, at_once, "{lasting}");
    }
}

#[test]
fn opening_by_hand_cuts_each_long_wait_short() {
    let long = Duration::from_secs(3600);
    let mut world = World::with(|options| {
        options.reconnection_delay_max = long;
        options.reconnection_spread = Some(long);
    });
    world.connect("/");
    for _ in 0..10 {
        world.drop_link();
        world.advance(Duration::from_millis(1500));
        world.run(Client::open);
        assert_eq!(world.client.cycle(), Cycle::Connecting);
    }
}

#[test]
fn a_program_that_closes_and_opens_by_itself_is_not_held_up() {
    let (mut world, root) = World::joined();
    for _ in 0..10 {
        world.disconnect(root);
        world.connect_id(root);
        assert_eq!(world.client.cycle(), Cycle::Connecting);
        world.open();
        world.receive("40{\"sid\":\"x\"}");
        world.run(Client::close_engine);
        world.run(Client::open);
        assert_eq!(world.client.cycle(), Cycle::Connecting);
        world.open();
        world.receive("40{\"sid\":\"x\"}");
    }
}

/// What happens to an attempt: the server's part, what the program does when it is told of a failure, and
/// for how many seconds a connection that came about lasts before.
type Round = (usize, Option<usize>, u64);

fn rounds() -> impl Strategy<Value = Vec<Round>> {
    let handler = proptest::option::of(0..HANDLERS.len());
    vec((0..SERVERS.len(), handler, prop_oneof![9 => Just(0), 1 => 0..20_u64]), 1..60)
}

/// The least pause: half of the usual delay, by its jitter.
const LEAST: Duration = Duration::from_millis(500);

proptest! {
    /// The connection and the namespace have a pause each, of their own. At once go the first attempt after
    /// the connection has failed, and those after the namespace was turned away for the first time and, where
    /// the program opens the connection though the namespace has to wait, for the second; then one for each
    /// pause that has passed. What the program cuts short itself has not failed.
    #[test]
    fn no_schedule_makes_attempts_without_pauses(
        rounds in rounds(),
        reconnection in any::<bool>(),
        spread in proptest::option::of(Just(30 * SECOND)),
        returns in any::<bool>(),
    ) {
        let mut world = World::with(|options| {
            options.reconnection = reconnection;
            options.reconnection_spread = spread;
        });
        let id = world.client.namespace_id("/");
        if returns {
            let both = [Rejection::Refused, Rejection::IoServerDisconnect];
            world.client.set_reconnect_after(id, both.into_iter().collect());
        }
        world.connect("/");
        let mut cut_short = 0;
        for (server, handler, lasts) in rounds {
            if lasts > 0 {
                open(&mut world);
                world.receive("40{\"sid\":\"x\"}");
                world.advance(Duration::from_secs(lasts));
            }
            SERVERS[server](&mut world);
            if let (Some(handler), false) = (handler, world.promises().is_empty()) {
                let before = world.dialled.len();
                HANDLERS[handler](&mut world, id);
                cut_short += (world.dialled.len() - before).saturating_sub(1);
            }
            if world.client.cycle() != Cycle::Connecting && world.client.next_deadline().is_some() {
                world.advance_to_deadline();
            }
            if world.client.cycle() == Cycle::Idle {
                world.connect_id(id);
            }
        }
        let pauses = pauses(&world.dialled);
        // The first delay of a spread may be of any length.
        let counted = pauses.iter().filter(|pause| spread.is_none() || pause.is_zero()).count();
        let passed = pauses.iter().sum::<Duration>().as_millis() / LEAST.as_millis();
        let most = 3 + 2 * passed + cut_short as u128;
        prop_assert!(counted as u128 <= most, "more than {}: {:?}", most, pauses);
    }
}

#[test]
fn switching_reconnection_off_leaves_the_programs_own_attempt_alone() {
    let spread = |options: &mut ManagerOptions| {
        options.reconnection_spread = Some(30 * SECOND);
        options.spread_first_attempt = true;
    };
    let mut world = World::with(spread);
    world.connect("/");
    assert_eq!(world.client.cycle(), Cycle::Waiting);
    world.run(|client, _| client.change_options(|options| options.reconnection = false));
    assert_eq!(world.client.cycle(), Cycle::Waiting);
    world.advance_to_deadline();
    assert_eq!(world.client.cycle(), Cycle::Connecting);
    // Only the first attempt of all is spread.
    world.run(Client::close);
    world.run(Client::open);
    assert_eq!(world.client.cycle(), Cycle::Connecting);
}

#[test]
fn opening_by_hand_never_puts_the_next_attempt_off() {
    let mut world = World::with(|options| options.reconnection_delay_max = SECOND);
    world.connect("/");
    let (mut sooner, mut as_planned) = (0, 0);
    for _ in 0..100 {
        world.drop_link();
        let planned = world.client.next_deadline().expect("an attempt follows");
        world.run(Client::open);
        if world.client.cycle() == Cycle::Waiting {
            let at = world.client.next_deadline().expect("it is tried later");
            assert!(at <= planned);
            sooner += usize::from(at < planned);
            as_planned += usize::from(at == planned);
            world.advance_to_deadline();
        }
    }
    assert!(sooner > 0 && as_planned > 0, "{sooner} sooner, {as_planned} as planned");
}
