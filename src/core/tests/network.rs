//! A change of the network, and who waits for the next attempt.

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

/// A client that waits for a long time after an attempt that failed with this error.
fn waiting(error: Error) -> World {
    let mut world = World::with(|options| {
        options.reconnection_delay = SECOND;
        options.reconnection_delay_max = 10 * MINUTE;
    });
    world.connect("/");
    for _ in 0..10 {
        world.lose(world.last_link, Loss::Failed(refused()));
        world.advance_to_deadline();
    }
    world.lose(world.last_link, Loss::Failed(error));
    world
}

fn refused() -> Error {
    Error::new(ErrorKind::Connect(crate::error::Stage::Tcp), "refused")
}

#[test]
fn a_wait_ends_soon_after_a_change_and_not_at_the_same_moment_everywhere() {
    let mut world = waiting(refused());
    let mut delays = std::collections::BTreeSet::new();
    for _ in 0..50 {
        let links = world.links.len();
        // So long that nothing else than the change matters.
        world.advance(2 * SECOND);
        assert_eq!(world.links.len(), links);
        world.run(Client::network_changed);
        let delay = world.advance_to_deadline();
        assert!(delay <= SECOND && world.links.len() == links + 1, "{delay:?}");
        delays.insert(delay.as_millis() / 100);
        world.lose(world.last_link, Loss::Failed(refused()));
    }
    assert!(delays.len() >= 7, "{delays:?}");
}

#[test]
fn changes_in_quick_succession_are_no_attempts_in_quick_succession() {
    let mut world = waiting(refused());
    let (start, before) = (world.now, world.links.len());
    while world.now < start + MINUTE {
        world.run(Client::network_changed);
        world.advance(Duration::from_millis(10));
        if world.alive().contains(&world.last_link) {
            world.lose(world.last_link, Loss::Failed(refused()));
        }
    }
    let attempts = world.links.len() - before;
    assert!((30..=60).contains(&attempts), "{attempts}");
}

#[test]
fn what_the_server_asks_for_is_waited_for_whatever_changes() {
    let mut world = waiting(refused().with_retry_after(30 * SECOND));
    let links = world.links.len();
    world.run(Client::network_changed);
    world.advance(29 * SECOND);
    world.run(Client::network_changed);
    assert_eq!(world.links.len(), links);
    world.advance(5 * SECOND);
    assert_eq!(world.links.len(), links + 1);
}

#[test]
fn who_does_not_wait_is_left_alone() {
    let mut world = World::new();
    world.run(Client::network_changed);
    assert_eq!(world.client.next_deadline(), None);
    let root = world.connect("/");
    let deadline = world.client.next_deadline();
    world.run(Client::network_changed);
    assert_eq!((world.client.next_deadline(), world.links.len()), (deadline, 1));
    world.open();
    world.receive("40{\"sid\":\"x\"}");
    let deadline = world.client.next_deadline();
    world.run(Client::network_changed);
    assert_eq!((world.client.next_deadline(), world.links.len()), (deadline, 1));
    world.disconnect(root);
    world.run(Client::network_changed);
    assert_eq!(world.links.len(), 1);
}
