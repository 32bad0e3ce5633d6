//! Whatever happens, in whatever order: see `core/server/world` for what has to hold.

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::world::script::play;
use super::super::world::{SessionWorld, usual_options};
use crate::options::Transport;
use crate::proto::dialect::choice::{V3_DIALECT, V4_DIALECT};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn any_inputs_in_any_order_end_well(bytes in vec(any::<u8>(), 1..150)) {
        play(&bytes);
    }
}

/// What is tried in each order: `which` and `how` of [`SessionWorld::act`].
const ACTS: [(u8, u8); 12] = [
    (0, 0),  // GET
    (4, 0),  // what is being written is
    (6, 0),  // the GET is lost
    (7, 0),  // POST begins
    (14, 0), // it says something
    (8, 0),  // it ends
    (11, 0), // a WebSocket
    (12, 0), // its probe
    (13, 0), // the word that the client has moved
    (19, 0), // the WebSocket is lost
    (22, 0), // a message to the client
    (26, 0), // the server closes
];

/// What has happened before: nothing, a WebSocket, its probe, and a POST and messages besides.
const BEFORE: [&[(u8, u8)]; 4] = [
    &[],
    &[(0, 0), (11, 0)],
    &[(0, 0), (11, 0), (12, 0)],
    &[(22, 0), (0, 0), (7, 0), (11, 0), (12, 0), (22, 0)],
];

#[test]
fn an_upgrade_among_anything_else_loses_nothing() {
    for (dialect, length) in [(V4_DIALECT, 4), (V3_DIALECT, 3)] {
        let orders = ACTS.len().pow(length);
        for (before, number) in BEFORE.iter().flat_map(|it| (0..orders).map(move |n| (it, n))) {
            let mut world = SessionWorld::open(dialect, Transport::Polling, false, usual_options());
            before.iter().for_each(|(which, how)| world.act(*which, *how));
            let mut rest = number;
            for _ in 0..length {
                let (which, how) = ACTS[rest % ACTS.len()];
                world.act(which, how);
                rest /= ACTS.len();
            }
            world.drain();
        }
    }
}
