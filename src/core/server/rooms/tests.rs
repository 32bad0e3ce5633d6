use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

fn selection(rooms: &[&str], except: &[&str]) -> Selection {
    let all = |names: &[&str]| names.iter().map(|name| Arc::from(*name)).collect();
    Selection { rooms: all(rooms), except: all(except) }
}

/// Three sockets, of which two are in `a`, two in `b`.
fn three() -> Rooms<u64> {
    let mut rooms = Rooms::default();
    for number in 0..3 {
        rooms.enter(SocketKey(number), format!("id{number}").into(), number);
    }
    for (number, room) in [(0, "a"), (1, "a"), (1, "b"), (2, "b")] {
        assert!(rooms.join(SocketKey(number), room));
    }
    rooms
}

#[test]
fn a_selection_names_each_socket_once_but_for_those_excepted() {
    let rooms = three();
    for (wanted, except, chosen) in [
        (&[][..], &[][..], &[0, 1, 2][..]),
        (&["a"], &[], &[0, 1]),
        (&["a", "b"], &[], &[0, 1, 2]),
        (&["a", "b"], &["b"], &[0]),
        (&[], &["a"], &[2]),
        (&["id1"], &[], &[1]),
        (&["id1", "b"], &["id2"], &[1]),
        (&["id1", "id0"], &[], &[0, 1]),
        (&["none"], &[], &[]),
        (&["a"], &["none"], &[0, 1]),
    ] {
        assert_eq!(rooms.select(&selection(wanted, except)), chosen, "{wanted:?} {except:?}");
    }
}

#[test]
fn those_of_a_room_come_in_their_order_though_it_is_named_as_one_of_them() {
    let mut rooms = three();
    assert!(rooms.join(SocketKey(0), "id2") && rooms.join(SocketKey(1), "id2"));
    assert_eq!(rooms.select(&selection(&["id2"], &[])), [0, 1, 2]);
}

#[test]
fn a_room_is_there_while_somebody_is_in_it() {
    let mut rooms = three();
    assert!(rooms.is_room("a") && rooms.is_room("id0") && !rooms.is_room("none"));
    assert_eq!((rooms.socket(SocketKey(2)), rooms.socket(SocketKey(3))), (Some(&2), None));
    let homes = |rooms: &Rooms<u64>| rooms.homes().cloned().collect::<Vec<_>>();
    assert_eq!(homes(&rooms), ["id0", "id1", "id2"].map(Arc::from));
    rooms.leave(SocketKey(0), "id0");
    assert!(!rooms.is_room("id0"));
    assert_eq!(homes(&rooms), ["id1", "id2"].map(Arc::from));
    rooms.exit(SocketKey(0));
    rooms.exit(SocketKey(1));
    assert!(!rooms.is_room("a") && rooms.is_room("b"));
}

#[test]
fn memory_is_given_back_once_most_of_it_is_not_needed_and_not_before() {
    let mut map: HashMap<Arc<str>, u32> =
        (0..1000).map(|number| (number.to_string().into(), number)).collect();
    map.retain(|name, _| name.len() < 3 || name.starts_with(['1', '2', '3', '4']));
    let before = map.capacity();
    give_back(&mut map);
    assert_eq!((map.len(), map.capacity()), (500, before));
    map.retain(|name, _| name.len() < 2);
    give_back(&mut map);
    assert!(map.len() == 10 && map.capacity() < 100, "{}", map.capacity());
}

#[test]
fn a_socket_that_is_gone_joins_nothing() {
    let mut rooms = three();
    let left = rooms.exit(SocketKey(1));
    assert_eq!(left.iter().map(|room| &**room).collect::<Vec<_>>(), ["id1", "a", "b"]);
    assert!(!rooms.join(SocketKey(1), "a"));
    assert_eq!(rooms.select(&selection(&["a", "b", "id1"], &[])), [0, 2]);
    assert!(rooms.exit(SocketKey(1)).is_empty());
    assert_eq!(rooms.len(), 2);
}

#[test]
fn a_socket_may_leave_the_room_of_its_own_id_and_come_back() {
    let mut rooms = three();
    rooms.leave(SocketKey(0), "id0");
    assert_eq!(rooms.select(&selection(&["id0"], &[])), [0_u64; 0]);
    assert_eq!(rooms.of(SocketKey(0)).len(), 1);
    rooms.join(SocketKey(0), "id0");
    assert_eq!(rooms.select(&selection(&["id0"], &[])), [0]);
}

#[test]
fn an_empty_room_is_forgotten() {
    let mut rooms = three();
    for number in 0..10_000 {
        rooms.join(SocketKey(0), &number.to_string());
    }
    rooms.exit(SocketKey(0));
    rooms.exit(SocketKey(1));
    assert_eq!(rooms.names().map(|name| &**name).collect::<Vec<_>>(), ["b"]);
    assert!(rooms.members.capacity() < 100);
}

#[test]
fn sockets_that_are_gone_leave_nothing() {
    let mut rooms = Rooms::default();
    for key in 0..10_000 {
        rooms.enter(SocketKey(key), format!("id{key}").into(), key);
        rooms.join(SocketKey(key), &format!("of{key}"));
    }
    for key in 0..10_000 {
        rooms.exit(SocketKey(key));
    }
    assert!(rooms.sockets.is_empty());
    assert!(rooms.members.capacity() < 100 && rooms.by_id.capacity() < 100);
}

/// What is done to the rooms, and to a model of them.
#[derive(Clone, Debug)]
enum Step {
    Enter(u64),
    Exit(u64),
    Join(u64, usize),
    Leave(u64, usize),
}

const NAMES: [&str; 6] = ["a", "b", "c", "id0", "id1", "id2"];

fn step() -> impl Strategy<Value = Step> {
    let room = 0..NAMES.len();
    prop_oneof![
        (0..4_u64).prop_map(Step::Enter),
        (0..4_u64).prop_map(Step::Exit),
        (0..4_u64, room.clone()).prop_map(|(key, room)| Step::Join(key, room)),
        (0..4_u64, room).prop_map(|(key, room)| Step::Leave(key, room)),
    ]
}

proptest! {
    #[test]
    fn whatever_is_joined_and_left_a_selection_is_that_of_a_simple_model(
        steps in proptest::collection::vec(step(), 0..60),
        wanted in proptest::sample::subsequence(NAMES.to_vec(), 0..4),
        except in proptest::sample::subsequence(NAMES.to_vec(), 0..3),
    ) {
        let mut rooms = Rooms::default();
        let mut model: BTreeMap<u64, BTreeSet<String>> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Enter(key) if !model.contains_key(&key) => {
                    rooms.enter(SocketKey(key), format!("id{key}").into(), key);
                    model.insert(key, [format!("id{key}")].into());
                }
                Step::Enter(_) => {}
                Step::Exit(key) => {
                    rooms.exit(SocketKey(key));
                    model.remove(&key);
                }
                Step::Join(key, room) => {
                    let known = model.get_mut(&key);
                    prop_assert_eq!(rooms.join(SocketKey(key), NAMES[room]), known.is_some());
                    known.map(|names| names.insert(NAMES[room].to_owned()));
                }
                Step::Leave(key, room) => {
                    rooms.leave(SocketKey(key), NAMES[room]);
                    model.get_mut(&key).map(|names| names.remove(NAMES[room]));
                }
            }
        }
        let chosen: Vec<u64> = model
            .iter()
            .filter(|(_, names)| {
                let is_in = |room: &&str| names.contains(*room);
                (wanted.is_empty() || wanted.iter().any(is_in)) && !except.iter().any(is_in)
            })
            .map(|(key, _)| *key)
            .collect();
        prop_assert_eq!(rooms.select(&selection(&wanted, &except)), chosen);
        prop_assert_eq!(rooms.len(), model.len());
        for (key, names) in model {
            let of: BTreeSet<String> = rooms.of(SocketKey(key)).iter().map(std::string::ToString::to_string).collect();
            prop_assert_eq!(of, names);
        }
    }
}
