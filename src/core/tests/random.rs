//! Whatever happens, in whatever order: no panic, nothing left over, nothing lost count of.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::core::world::audit::{Audit, Input, NAMESPACES, PACKETS};
use crate::options::WhenFull;

/// Whatever can happen. Sessions and memberships are to last for a while: most of what there is to go
/// wrong takes one.
fn input() -> impl Strategy<Value = Input> {
    let namespace = || 0..NAMESPACES.len();
    let millis = || prop_oneof![3 => 0..2000_u64, 1 => 0..60_000_u64];
    let emit = (namespace(), any::<bool>(), proptest::option::of(millis()), any::<bool>());
    prop_oneof![
        8 => namespace().prop_map(Input::Connect),
        2 => namespace().prop_map(Input::Disconnect),
        1 => namespace().prop_map(Input::Renew),
        16 => emit.prop_map(|(namespace, ack, timeout, volatile)| {
            Input::Emit { namespace, ack, timeout, volatile }
        }),
        1 => (namespace(), 0..3_u32).prop_map(|(namespace, membership)| Input::Reply(namespace, membership)),
        4 => proptest::bool::weighted(0.8).prop_map(Input::Auth),
        1 => Just(Input::Open),
        1 => Just(Input::Close),
        1 => Just(Input::CloseEngine),
        1 => namespace().prop_map(Input::TakeUnsent),
        4 => any::<usize>().prop_map(Input::Connected),
        8 => any::<usize>().prop_map(Input::Handshake),
        12 => received(&PACKETS[..4]),
        10 => received(&PACKETS),
        6 => any::<usize>().prop_map(Input::Written),
        2 => any::<usize>().prop_map(Input::Progressed),
        1 => any::<usize>().prop_map(Input::Lose),
        1 => any::<usize>().prop_map(Input::End),
        4 => millis().prop_map(Input::Advance),
        1 => millis().prop_map(Input::Sleep),
        1 => namespace().prop_map(Input::ClearSendBuffer),
        2 => any::<bool>().prop_map(Input::Slow),
        1 => any::<bool>().prop_map(Input::Accumulate),
        1 => any::<bool>().prop_map(Input::Deaf),
        2 => any::<usize>().prop_map(Input::Pong),
        1 => any::<bool>().prop_map(Input::Stubborn),
        1 => proptest::option::of(0..3_u32).prop_map(Input::Retries),
        1 => any::<bool>().prop_map(Input::Reconnection),
        1 => any::<bool>().prop_map(Input::Old),
    ]
}

/// The server says one of these.
fn received(packets: &'static [&'static str]) -> impl Strategy<Value = Input> {
    (any::<usize>(), select(packets))
        .prop_map(|(link, packet)| Input::Receive(link, packet.to_owned()))
}

/// What fills queues: memberships that last, and much that is emitted.
fn filling() -> impl Strategy<Value = Input> {
    let namespace = || 0..NAMESPACES.len();
    let emit = (namespace(), any::<bool>()).prop_map(|(namespace, ack)| Input::Emit {
        namespace,
        ack,
        timeout: None,
        volatile: false,
    });
    prop_oneof![
        4 => namespace().prop_map(Input::Connect),
        1 => namespace().prop_map(Input::Disconnect),
        12 => emit,
        4 => any::<usize>().prop_map(Input::Handshake),
        8 => received(&PACKETS[..12]),
        1 => any::<usize>().prop_map(Input::Written),
        1 => any::<bool>().prop_map(Input::Slow),
        1 => any::<bool>().prop_map(Input::Accumulate),
        1 => any::<bool>().prop_map(Input::Deaf),
        1 => Just(Input::Auth(true)),
    ]
}

fn options() -> impl Strategy<Value = ManagerOptions> {
    let transports = select(vec![
        vec![Transport::WebSocket],
        vec![Transport::Polling],
        vec![Transport::Polling, Transport::WebSocket],
        vec![Transport::WebSocket, Transport::Polling],
    ]);
    let policy = select(vec![WhenFull::Wait, WhenFull::DropNewest, WhenFull::DropOldest]);
    let spread = proptest::option::of(Just(10 * SECOND));
    let attempts = proptest::option::of(0..3_u32);
    let unconfirmed = select(vec![0, 150, 1_000_000]);
    (transports, policy, any::<bool>(), any::<bool>(), attempts, spread, unconfirmed).prop_map(
        |(transports, policy, all, remember, attempts, spread, unconfirmed)| {
            let mut options = ManagerOptions {
                transports,
                try_all_transports: all,
                remember_upgrade: remember,
                reconnection_attempts: attempts,
                reconnection_spread: spread,
                spread_first_attempt: spread.is_some(),
                ..ManagerOptions::default()
            };
            options.limits =
                options.limits.clone().send_events(4).receive_events(4).when_send_full(policy);
            options.limits = options.limits.clone().unconfirmed_bytes(unconfirmed);
            options
        },
    )
}

proptest! {
    #[test]
    fn an_emit_waits_only_where_something_under_way_makes_room(
        options in options(),
        inputs in prop_oneof![vec(filling(), 0..150), vec(input(), 0..150)],
        retries in any::<bool>(),
    ) {
        let mut audit = Audit::new(options);
        audit.world.client.change_options(|options| {
            options.limits = options.limits.clone().when_send_full(WhenFull::Wait);
        });
        if retries {
            for id in audit.ids.clone() {
                audit.world.client.set_retries(id, Some(1));
            }
        }
        for input in &inputs {
            audit.apply(input);
        }
        // As much as there can be: what is queued, and a try after the other.
        for _ in 0..20 {
            audit.finish_what_is_under_way();
        }
        audit.check();
        for id in &audit.ids {
            prop_assert!(!audit.world.waits(*id));
        }
    }

    #[test]
    fn any_inputs_in_any_order_end_well(
        options in options(),
        inputs in vec(input(), 0..150),
        hands_back in any::<bool>(),
    ) {
        let mut audit = Audit::new(options);
        for input in &inputs {
            audit.apply(input);
        }
        if hands_back {
            audit.apply(&Input::Finish);
        }
        audit.assert_ends_well();
    }
}
