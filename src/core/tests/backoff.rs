//! The cycle of losing and connecting again: when, how often, and what is said of it.

use super::*;
use crate::error::Stage;

fn refuse(world: &mut World) {
    let error = Error::new(ErrorKind::Connect(Stage::Tcp), "refused");
    world.lose(world.last_link, Loss::Failed(error));
}

/// Lets attempts fail until some time has passed; gives the pauses between them.
fn outage(world: &mut World, lasting: Duration) -> Vec<Duration> {
    let end = world.now + lasting;
    let mut pauses = Vec::new();
    while world.now < end {
        refuse(world);
        pauses.push(world.advance_to_deadline());
    }
    pauses
}

#[test]
fn a_day_without_a_server_costs_an_attempt_each_few_seconds_and_never_more() {
    let mut world = World::new();
    world.connect("/");
    let day = Duration::from_secs(24 * 3600);
    let pauses = outage(&mut world, day);
    // Between 2.5 s and 5 s each, spread evenly: 3.75 s in the middle.
    assert!((22_000..24_000).contains(&pauses.len()), "{} attempts", pauses.len());
    assert!(pauses.iter().all(|pause| *pause >= Duration::from_millis(500)));
    assert!(pauses.iter().all(|pause| *pause <= Duration::from_secs(5)));
    assert!(pauses[3..].iter().all(|pause| *pause >= Duration::from_millis(2500)));
    world.open();
    assert!(world.log().contains(&format!("manager: reconnect {}", pauses.len())));
}

#[test]
fn attempts_are_numbered_from_one_and_each_failure_is_told() {
    let mut world = World::new();
    world.connect("/");
    refuse(&mut world);
    assert_eq!(
        world.log(),
        ["/: connect_error cannot connect, TCP", "manager: error cannot connect, TCP"]
    );
    world.advance_to_deadline();
    refuse(&mut world);
    world.advance_to_deadline();
    world.open();
    assert_eq!(
        world.log(),
        [
            "manager: attempt 1",
            "/: connect_error cannot connect, TCP",
            "manager: error cannot connect, TCP",
            "manager: attempt failed cannot connect, TCP",
            "manager: attempt 2",
            "manager: open",
            "manager: reconnect 2",
        ]
    );
}

#[test]
fn a_loss_is_followed_by_an_attempt_and_the_namespaces_are_joined_again() {
    let (mut world, _) = World::joined();
    world.drop_link();
    assert_eq!(world.log(), ["/: disconnect transport close", "manager: close transport close"]);
    let pause = world.advance_to_deadline();
    assert!(pause >= Duration::from_millis(500) && pause <= Duration::from_millis(1500));
    world.open();
    world.receive("40{\"sid\":\"b\"}");
    assert_eq!(
        world.log(),
        ["manager: attempt 1", "manager: open", "manager: reconnect 1", "/: connect b"]
    );
}

#[test]
fn a_session_that_does_not_last_does_not_reset_the_pauses() {
    let (mut world, _) = World::joined();
    let mut pauses = Vec::new();
    for _ in 0..20 {
        world.advance(Duration::from_millis(4999));
        world.drop_link();
        pauses.push(world.advance_to_deadline());
        world.open();
        world.receive("40{\"sid\":\"b\"}");
    }
    assert!(pauses[3..].iter().all(|pause| *pause >= Duration::from_millis(2500)), "{pauses:?}");

    world.advance(Duration::from_secs(5));
    world.drop_link();
    assert!(world.advance_to_deadline() <= Duration::from_millis(1500));
}

#[test]
fn whether_a_session_has_lasted_is_found_out_at_its_end_and_wakes_nobody() {
    let mut world = World::with(|options| options.randomization_factor = 0.0);
    world.connect("/");
    let delays = |world: &mut World| {
        [(); 4].map(|()| {
            refuse(world);
            world.advance_to_deadline().as_secs()
        })
    };
    assert_eq!(delays(&mut world), [1, 2, 4, 5]);
    world.open();
    world.receive("40{\"sid\":\"x\"}");
    assert_eq!(world.client.next_deadline(), world.client.engine().unwrap().deadline());
    world.advance(Duration::from_secs(5));
    world.drop_link();
    world.advance_to_deadline();
    // The second of the delays: the first was that after the session.
    assert_eq!(delays(&mut world), [2, 4, 5, 5]);
}

#[test]
fn after_the_last_attempt_nothing_happens_until_somebody_asks() {
    let mut world = World::with(|options| options.reconnection_attempts = Some(2));
    let root = world.connect("/");
    for _ in 0..2 {
        refuse(&mut world);
        world.advance_to_deadline();
    }
    world.log();
    refuse(&mut world);
    assert_eq!(
        world.log(),
        [
            "/: connect_error cannot connect, TCP",
            "manager: error cannot connect, TCP",
            "manager: attempt failed cannot connect, TCP",
            "manager: reconnect failed",
        ]
    );
    world.assert_at_rest();
    assert!(!world.client.is_connecting(root));
    assert!(world.rooms > 0, "those who wait are told");

    world.connect("/");
    world.open();
    world.receive("40{\"sid\":\"late\"}");
    assert_eq!(world.log(), ["manager: open", "/: connect late"]);
    world.drop_link();
    world.advance_to_deadline();
    assert!(world.log().contains(&"manager: attempt 1".to_owned()));
}

#[test]
fn no_attempts_at_all_are_permitted() {
    let mut world = World::with(|options| options.reconnection_attempts = Some(0));
    world.connect("/");
    refuse(&mut world);
    world.assert_at_rest();
}

#[test]
fn without_reconnection_a_loss_is_the_end_until_somebody_asks() {
    let mut world = World::with(|options| options.reconnection = false);
    let root = world.join("/");
    world.drop_link();
    world.assert_at_rest();
    assert!(!world.client.is_connecting(root));
    world.log();
    world.join("/");
    assert_eq!(world.log(), ["manager: open", "/: connect /1"]);
}

#[test]
fn switching_reconnection_off_ends_the_wait() {
    let (mut world, root) = World::joined();
    world.drop_link();
    assert!(world.client.is_connecting(root));
    let rooms = world.rooms;
    world.run(|client, _| client.change_options(|options| options.reconnection = false));
    world.assert_at_rest();
    assert!(!world.client.is_connecting(root) && world.rooms > rooms);
}

#[test]
fn connecting_a_socket_does_not_shorten_the_wait_but_opening_the_connection_does() {
    let (mut world, _) = World::joined();
    world.drop_link();
    let deadline = world.client.next_deadline();
    world.connect("/");
    world.connect("/other");
    assert_eq!(world.client.next_deadline(), deadline);
    assert_eq!(world.alive(), []);

    world.run(Client::open);
    assert_eq!(world.alive().len(), 1);
    world.open();
    assert_eq!(world.sent(), ["40", "40/other,"]);
    world.drop_link();
    assert!(world.client.next_deadline().is_some(), "it reconnects as before");
}

#[test]
fn an_attempt_that_hangs_is_cut_at_the_timeout_and_the_error_names_the_stage() {
    for (reached, stage) in
        [(None, Stage::Dns), (Some(Stage::Tcp), Stage::Tcp), (Some(Stage::Tls), Stage::Tls)]
    {
        let mut world = World::new();
        world.connect("/");
        if let Some(stage) = reached {
            world.run(|client, _| client.note_reached(LinkId(1), stage.into()));
            world.run(|client, _| client.note_reached(LinkId(1), Stage::Dns.into()));
            world.run(|client, _| client.note_reached(LinkId(9), Stage::Http.into()));
        }
        assert_eq!(world.advance_to_deadline(), Duration::from_secs(20));
        assert_eq!(world.news(), [format!("/: connect_error cannot connect, {stage}")]);
        assert_eq!(world.alive(), []);
    }
}

#[test]
fn a_server_that_accepts_and_says_nothing_is_cut_at_the_timeout() {
    let mut world = World::new();
    world.connect("/");
    world.connected();
    assert_eq!(world.advance_to_deadline(), Duration::from_secs(20));
    assert_eq!(world.news(), ["/: connect_error cannot connect, Engine.IO"]);
}

#[test]
fn the_error_of_a_connect_timeout_is_a_timeout() {
    let mut world = World::new();
    world.connect("/");
    world.sleep(Duration::from_secs(20));
    let now = world.now;
    world.client.expire(now);
    let errors = std::iter::from_fn(|| world.client.poll_output())
        .filter_map(|output| match output {
            Output::Status { status: Status::ConnectError(error), .. } => Some(error),
            _ => None,
        })
        .collect::<Vec<_>>();
    assert_eq!(errors.len(), 1);
    assert!(errors[0].is_timeout(), "{}", errors[0]);
    assert_eq!(errors[0].stage(), Some(Stage::Dns));
    assert_eq!(errors[0].elapsed(), Some(Duration::from_secs(20)));
}

#[test]
fn a_server_that_closes_before_the_handshake_is_noticed_at_once() {
    let mut world = World::new();
    world.connect("/");
    world.connected();
    world.drop_link();
    assert_eq!(world.news(), ["/: connect_error cannot connect, Engine.IO"]);
    assert!(world.advance_to_deadline() <= Duration::from_millis(1500));
}

#[test]
fn options_of_zero_are_no_loop_without_a_pause() {
    let mut world = World::with(|options| {
        options.connect_timeout = Some(Duration::ZERO);
        options.namespace_timeout = Some(Duration::ZERO);
        options.reconnection_delay = Duration::ZERO;
        options.reconnection_delay_max = Duration::ZERO;
    });
    world.connect("/");
    for _ in 0..100 {
        world.sleep(Duration::from_millis(1));
        world.run(Client::expire);
    }
    assert!(world.links.len() <= 101, "{}", world.links.len());
}

#[test]
fn a_second_transport_is_tried_where_the_first_fails() {
    let mut world = World::with(|options| {
        options.transports = vec![Transport::WebSocket, Transport::Polling];
        options.try_all_transports = true;
    });
    world.connect("/");
    refuse(&mut world);
    assert_eq!(world.log(), Vec::<String>::new());
    assert_eq!(world.links[&world.last_link].transport, Transport::Polling);
    world.handshake.upgrade_to_websocket = true;
    world.open();
    assert_eq!(world.log(), ["manager: open"]);
    assert_eq!(world.links.len(), 2, "there is no upgrade to what just failed");
    world.drop_link();
    world.advance_to_deadline();
    assert_eq!(world.links[&world.last_link].transport, Transport::WebSocket);
}

#[test]
fn a_remembered_websocket_that_fails_leaves_the_whole_list() {
    let mut world = World::with(|options| {
        options.transports = vec![Transport::Polling, Transport::WebSocket];
        options.try_all_transports = true;
        options.remember_upgrade = true;
    });
    world.handshake.upgrade_to_websocket = true;
    world.connect("/");
    world.open();
    let websocket = world.last_link;
    world.connected();
    world.receive("3probe");
    world.receive_on(LinkId(1), &["6"]);
    assert!(world.log().contains(&"manager: upgrade websocket".to_owned()));

    // How a session ends says nothing about the next one.
    world.lose(websocket, closed_link());
    world.advance_to_deadline();
    assert_eq!(world.links[&world.last_link].transport, Transport::WebSocket);
    refuse(&mut world);
    assert_eq!(world.links[&world.last_link].transport, Transport::Polling, "the whole list");
    refuse(&mut world);
    assert_eq!(world.links[&world.last_link].transport, Transport::WebSocket, "the rest of it");
    refuse(&mut world);
    world.advance_to_deadline();
    assert_eq!(world.links[&world.last_link].transport, Transport::Polling);
}

#[test]
fn a_websocket_that_worked_is_remembered_however_its_session_ended() {
    type End = fn(&mut World);
    let ends: [(&str, End); 5] = [
        ("closed", |world| world.drop_link()),
        ("failed", |world| {
            let error = Error::new(ErrorKind::Transport, "reset by peer");
            world.lose(world.last_link, Loss::Failed(error));
        }),
        ("silent", |world| world.advance(INTERVAL + TIMEOUT)),
        ("ended by the engine", |world| world.receive("1")),
        ("no packet", |world| world.receive("4?")),
    ];
    for (what, end) in ends {
        let mut world = World::polling();
        world.run(|client, _| client.change_options(|options| options.remember_upgrade = true));
        world.connect("/");
        world.open();
        world.receive_on(LinkId(1), &["40{\"sid\":\"a\"}"]);
        world.connected();
        world.receive("3probe");
        world.receive_on(LinkId(1), &["6"]);
        for _ in 0..2 {
            end(&mut world);
            assert_eq!(world.sessions + 1, {
                world.advance_to_deadline();
                world.sessions
            });
            assert_eq!(world.links[&world.last_link].transport, Transport::WebSocket, "{what}");
            world.open();
            world.receive("40{\"sid\":\"a\"}");
        }
        // An attempt that fails is a failure, and so is a session that stays on long-polling.
        end(&mut world);
        world.advance_to_deadline();
        world.drop_link();
        world.advance_to_deadline();
        assert_eq!(world.links[&world.last_link].transport, Transport::Polling, "{what}");
        world.handshake.upgrade_to_websocket = false;
        world.open();
        world.drop_link();
        world.advance_to_deadline();
        assert_eq!(world.links[&world.last_link].transport, Transport::Polling, "{what}");
    }
}

#[test]
fn closing_the_engine_counts_as_a_loss() {
    let (mut world, _) = World::joined();
    world.run(Client::close_engine);
    assert_eq!(world.log(), ["/: disconnect forced close", "manager: close forced close"]);
    assert_eq!(world.alive(), []);
    world.advance_to_deadline();
    world.open();
    assert!(world.log().contains(&"manager: reconnect 1".to_owned()));
}

#[test]
fn only_a_failure_moves_on_to_the_next_transport() {
    let ends: [fn(&mut World); 2] =
        [|world| world.run(Client::close_engine), |world| world.advance(Duration::from_secs(20))];
    for end in ends {
        let mut world = World::with(|options| {
            options.transports = vec![Transport::WebSocket, Transport::Polling];
            options.try_all_transports = true;
        });
        world.connect("/");
        end(&mut world);
        assert_eq!(world.links.len(), 1);
        assert_eq!(world.news().len(), 1);
    }
}

#[test]
fn only_disconnecting_the_last_socket_starts_the_pauses_afresh() {
    for (is_last, longest) in [(true, 1500), (false, 5000)] {
        let mut world = World::new();
        let root = world.connect("/");
        let other = world.connect("/other");
        outage(&mut world, SECOND * 60);
        world.disconnect(other);
        if is_last {
            world.disconnect(root);
            world.connect_id(root);
        }
        refuse(&mut world);
        let pause = world.advance_to_deadline().as_millis();
        assert!((longest / 3..=longest).contains(&pause), "{pause} ms, {is_last}");
    }
}
