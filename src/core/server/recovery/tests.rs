use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

const LIMITS: RecoveryLimits = RecoveryLimits {
    max_disconnection: Duration::from_secs(120),
    unnoticed: Duration::from_secs(45),
    bytes: 10_000,
    sockets: 3,
};

fn at(seconds: u64) -> Timestamp {
    Timestamp(Duration::from_secs(seconds))
}

fn names(all: &[&str]) -> Vec<Arc<str>> {
    all.iter().map(|name| Arc::from(*name)).collect()
}

fn to(rooms: &[&str], except: &[&str]) -> Selection {
    Selection { rooms: names(rooms), except: names(except) }
}

fn lost(id: &str, rooms: &[&str]) -> LostSocket<u8> {
    let rooms = [&[id], rooms].concat();
    LostSocket { id: id.into(), rooms: names(&rooms), data: 7 }
}

/// Emits an event with this word, and gives what it is called.
fn emit(recovery: &mut RecoveryStore<u8>, word: &str, selection: &Selection, now: u64) -> String {
    let (messages, offset) = encode(recovery, word);
    recovery.keep(selection, &messages, at(now));
    offset
}

/// The same, volatile.
fn encode(recovery: &mut RecoveryStore<u8>, word: &str) -> (Arc<[Packet]>, String) {
    let mut event = Payload { json: format!("[\"{word}\"]"), attachments: Vec::new() };
    recovery.number(&mut event);
    let text = format!("2{}", event.json);
    let offset = event.json.rsplit('"').nth(1).unwrap_or_default().to_owned();
    (Arc::from([Packet::Text(text.as_str().into())]), offset)
}

/// The words of the events that a client missed.
fn missed(restored: Result<RestoredSocket<u8>, NotRestored<u8>>) -> Vec<String> {
    read(&restored.expect("it is not restored")).into_iter().map(|(word, _)| word).collect()
}

/// The same, each with what it is called.
fn read(restored: &RestoredSocket<u8>) -> Vec<(String, String)> {
    let events = restored.missed.iter().map(|messages| match &messages[..] {
        [Packet::Text(text)] => {
            let words: Vec<&str> = text.as_str().split('"').collect();
            (words[1].to_owned(), words[3].to_owned())
        }
        other => panic!("{other:?}"),
    });
    events.collect()
}

/// One client, who has joined.
fn joined() -> RecoveryStore<u8> {
    let mut recovery = RecoveryStore::new("run", LIMITS);
    let since = recovery.position();
    recovery.begin("secret", SocketKey(1), since);
    recovery
}

#[test]
fn a_client_that_comes_back_gets_what_it_missed() {
    let mut recovery = joined();
    let told = emit(&mut recovery, "one", &to(&[], &[]), 1);
    assert_eq!(told, "run-1");
    assert_eq!(recovery.connected("secret"), Some(SocketKey(1)));
    assert_eq!(recovery.lose("secret", lost("id", &["room"]), at(2)), []);
    assert_eq!(recovery.connected("secret"), None);
    for (word, selection) in [
        ("all", to(&[], &[])),
        ("mine", to(&["id"], &[])),
        ("ours", to(&["other", "room"], &[])),
        ("others", to(&["other"], &[])),
        ("not-mine", to(&[], &["id"])),
        ("not-ours", to(&["room"], &["room"])),
    ] {
        emit(&mut recovery, word, &selection, 3);
    }
    let restored = recovery.restore("secret", Some("run-1"), at(100)).unwrap();
    assert_eq!(restored.socket, lost("id", &["room"]));
    assert_eq!((restored.load.packets, restored.since), (3, EventOffset(1)));
    assert_eq!(missed(Ok(restored)), ["all", "mine", "ours"]);
    // Nobody else is it.
    assert_eq!(recovery.restore("secret", Some("run-1"), at(100)), Err(NotRestored::Unknown));
}

#[test]
fn a_client_that_loses_its_connection_again_before_it_has_got_what_it_missed_gets_it_again() {
    let mut recovery = joined();
    emit(&mut recovery, "one", &to(&[], &[]), 1);
    assert_eq!(recovery.lose("secret", lost("id", &[]), at(2)), []);
    emit(&mut recovery, "two", &to(&[], &[]), 3);
    emit(&mut recovery, "for-others", &to(&["other"], &[]), 3);
    for second in 4..8 {
        let restored = recovery.restore("secret", Some("run-1"), at(second)).unwrap();
        recovery.begin("secret", SocketKey(second), restored.since);
        assert_eq!(missed(Ok(restored)), ["two"]);
        assert_eq!(recovery.lose("secret", lost("id", &[]), at(second)), []);
    }
    // What is over goes: the client, and what was kept for it.
    assert_eq!(recovery.expire(at(100_000)).len(), 1);
    assert_eq!((recovery.kept(), recovery.deadline()), (Load::default(), None));
}

#[test]
fn a_client_that_got_no_event_yet_is_restored_from_where_it_joined() {
    let mut recovery = RecoveryStore::new("run", LIMITS);
    recovery.begin("other", SocketKey(0), EventOffset::default());
    emit(&mut recovery, "before", &to(&[], &[]), 1);
    let since = recovery.position();
    recovery.begin("secret", SocketKey(1), since);
    assert_eq!(recovery.lose("secret", lost("id", &[]), at(2)), []);
    emit(&mut recovery, "after", &to(&[], &[]), 3);
    assert_eq!(missed(recovery.restore("secret", None, at(4))), ["after"]);
}

#[test]
fn the_number_of_an_event_that_is_not_kept_is_a_place_too() {
    let mut recovery = joined();
    emit(&mut recovery, "kept", &to(&[], &[]), 1);
    let (_, volatile) = encode(&mut recovery, "volatile");
    assert_eq!(volatile, "run-2");
    assert_eq!(recovery.lose("secret", lost("id", &[]), at(2)), []);
    emit(&mut recovery, "after", &to(&[], &[]), 3);
    assert_eq!(missed(recovery.restore("secret", Some(&volatile), at(4))), ["after"]);
}

#[test]
fn a_long_quiet_connection_is_restored_though_its_last_event_is_gone() {
    let mut recovery = joined();
    let told = emit(&mut recovery, "old", &to(&[], &[]), 1);
    assert_eq!(recovery.expire(at(100_000)), []);
    assert_eq!(recovery.kept(), Load::default());
    assert_eq!(recovery.lose("secret", lost("id", &[]), at(100_000)), []);
    emit(&mut recovery, "new", &to(&[], &[]), 100_001);
    assert_eq!(missed(recovery.restore("secret", Some(&told), at(100_002))), ["new"]);
}

#[test]
fn an_event_that_was_on_its_way_when_the_connection_broke_is_there_as_long_as_the_client_may_be_away()
 {
    let mut recovery = joined();
    emit(&mut recovery, "unheard", &to(&[], &[]), 0);
    // The loss is noticed by a heartbeat.
    assert_eq!(recovery.lose("secret", lost("id", &[]), at(45)), []);
    emit(&mut recovery, "missed", &to(&[], &[]), 164);
    assert_eq!(missed(recovery.restore("secret", None, at(164))), ["unheard", "missed"]);
}

#[test]
fn what_another_run_has_numbered_counts_as_nothing() {
    for told in
        ["other-1", "run-99", "run-+1", "run-", "run", "", "run-1 ", "run-99999999999999999999"]
    {
        let mut recovery = joined();
        emit(&mut recovery, "one", &to(&[], &[]), 1);
        assert_eq!(recovery.lose("secret", lost("id", &[]), at(2)), []);
        assert_eq!(missed(recovery.restore("secret", Some(told), at(3))), ["one"], "{told:?}");
    }
}

#[test]
fn what_was_told_before_the_socket_joined_is_not_sent_again() {
    let mut recovery = joined();
    let told = emit(&mut recovery, "one", &to(&[], &[]), 1);
    emit(&mut recovery, "two", &to(&[], &[]), 1);
    // The same client, with a new socket, says what the old one was told.
    let since = recovery.position();
    recovery.begin("new", SocketKey(2), since);
    assert_eq!(recovery.lose("new", lost("id2", &[]), at(2)), []);
    assert_eq!(missed(recovery.restore("new", Some(&told), at(3))), [""; 0]);
}

#[test]
fn a_client_that_may_have_missed_what_is_gone_is_not_restored() {
    let mut recovery = joined();
    let told = emit(&mut recovery, "one", &to(&[], &[]), 1);
    assert_eq!(recovery.lose("secret", lost("id", &[]), at(2)), []);
    for _ in 0..1000 {
        emit(&mut recovery, "more", &to(&["another room"], &[]), 3);
        assert!(recovery.kept().bytes <= LIMITS.bytes);
    }
    let refused = recovery.restore("secret", Some(&told), at(4));
    assert_eq!(refused, Err(NotRestored::Gone(lost("id", &[]))));
    assert_eq!(recovery.kept(), Load::default());
}

#[test]
fn one_event_that_is_too_large_is_not_kept() {
    let mut recovery = joined();
    emit(&mut recovery, &"x".repeat(LIMITS.bytes), &to(&[], &[]), 1);
    assert_eq!(recovery.kept(), Load::default());
    assert_eq!(recovery.lose("secret", lost("id", &[]), at(2)), []);
    assert!(matches!(recovery.restore("secret", None, at(3)), Err(NotRestored::Gone(_))));
}

#[test]
fn a_client_that_does_not_come_back_in_time_is_forgotten() {
    let mut recovery = joined();
    assert_eq!(recovery.lose("secret", lost("id", &[]), at(2)), []);
    assert_eq!(recovery.deadline(), Some(at(122)));
    assert_eq!(recovery.expire(at(121)), []);
    assert_eq!(recovery.restore("secret", None, at(122)), Err(NotRestored::Unknown));
    assert_eq!(recovery.expire(at(122)), [lost("id", &[])]);
    assert_eq!(recovery.deadline(), None);
}

#[test]
fn one_that_came_back_and_was_lost_again_has_its_whole_time() {
    let mut recovery = joined();
    recovery.begin("another", SocketKey(0), EventOffset::default());
    for begin in [2, 100] {
        assert_eq!(recovery.lose("secret", lost("id", &[]), at(begin)), []);
        let restored = recovery.restore("secret", None, at(begin + 1)).unwrap();
        recovery.begin("secret", SocketKey(begin), restored.since);
    }
    assert_eq!(recovery.lose("secret", lost("id", &[]), at(110)), []);
    assert_eq!(recovery.expire(at(229)), []);
    assert_eq!(recovery.expire(at(230)), [lost("id", &[])]);
}

#[test]
fn of_those_that_are_away_so_many_are_kept() {
    let mut recovery = RecoveryStore::new("run", LIMITS);
    for number in 0..5 {
        let name = format!("id{number}");
        recovery.begin(&name, SocketKey(number), EventOffset::default());
        let dropped = recovery.lose(&name, lost(&name, &[]), at(number));
        let expected = number.checked_sub(3).map(|first| lost(&format!("id{first}"), &[]));
        assert_eq!(dropped, expected.into_iter().collect::<Vec<_>>());
    }
    // Who left for good is nobody that could come back.
    assert_eq!(recovery.forget("id4"), Some(lost("id4", &[])));
    assert_eq!(recovery.lose("id4", lost("id4", &[]), at(9)), [lost("id4", &[])]);
    assert_eq!(recovery.expire(at(1000)).len(), 2);
    assert_eq!(recovery.deadline(), None);
}

#[test]
fn who_left_for_good_makes_room_for_one_that_is_away() {
    let mut recovery = RecoveryStore::new("run", LIMITS);
    for number in 0..5 {
        let name = format!("id{number}");
        recovery.begin(&name, SocketKey(number), EventOffset::default());
        if number == 3 {
            assert_eq!(recovery.forget("id0"), Some(lost("id0", &[])));
        }
        let dropped = recovery.lose(&name, lost(&name, &[]), at(number));
        let expected = if number == 4 { vec![lost("id1", &[])] } else { vec![] };
        assert_eq!(dropped, expected, "{number}");
    }
}

#[test]
fn what_is_emitted_while_the_only_client_is_on_its_way_back_is_not_missed_in_silence() {
    let mut recovery = joined();
    assert_eq!(recovery.lose("secret", lost("id", &[]), at(1)), []);
    let restored = recovery.restore("secret", None, at(2)).unwrap();
    // Nobody is known at this moment, so that it is not kept.
    emit(&mut recovery, "between", &to(&[], &[]), 2);
    recovery.begin("secret", SocketKey(2), restored.since);
    assert_eq!(recovery.lose("secret", lost("id", &[]), at(3)), []);
    let refused = recovery.restore("secret", None, at(4));
    assert_eq!(refused, Err(NotRestored::Gone(lost("id", &[]))));
}

#[test]
fn an_event_is_kept_for_as_long_as_a_client_may_ask_for_it() {
    let mut recovery = joined();
    emit(&mut recovery, "one", &to(&[], &[]), 1);
    emit(&mut recovery, "two", &to(&[], &[]), 2);
    assert_eq!(recovery.deadline(), Some(at(2 + 120 + 45)));
    assert_eq!(recovery.expire(at(166)), []);
    assert_eq!(recovery.kept().packets, 1);
    assert_eq!(recovery.expire(at(167)), []);
    assert_eq!((recovery.kept(), recovery.deadline()), (Load::default(), None));
}

#[test]
fn each_byte_of_an_event_and_of_its_rooms_counts_and_all_may_be_used() {
    let kept = |word: &str, selection: Selection, bytes: usize| {
        let mut recovery = RecoveryStore::new("run", RecoveryLimits { bytes, ..LIMITS });
        recovery.begin("secret", SocketKey(1), EventOffset::default());
        emit(&mut recovery, word, &selection, 1);
        recovery.kept().bytes
    };
    let all = |word: &str, selection| kept(word, selection, usize::MAX);
    let least = all("e", to(&["r"], &["x"]));
    assert_eq!(all("eleven-more-", to(&["r"], &["x"])), least + 11);
    assert_eq!(all("e", to(&["r-and-ten-more"], &["x"])), least + 13);
    assert_eq!(all("e", to(&["r"], &["x-and-ten-more"])), least + 13);
    assert!(least > all("e", to(&[], &[])) + 2 * size_of::<Arc<str>>());
    assert_eq!(kept("e", to(&["r"], &["x"]), least), least);
    assert_eq!(kept("e", to(&["r"], &["x"]), least - 1), 0);
}

#[test]
fn nothing_is_kept_where_nobody_could_ask_for_it() {
    let mut recovery = RecoveryStore::new("run", LIMITS);
    emit(&mut recovery, "one", &to(&[], &[]), 1);
    assert_eq!((recovery.kept(), recovery.deadline()), (Load::default(), None));
    let mut recovery = joined();
    emit(&mut recovery, "one", &to(&[], &[]), 1);
    assert_eq!(recovery.kept().packets, 1);
    assert_eq!(recovery.forget("secret"), None);
    assert_eq!((recovery.kept(), recovery.deadline()), (Load::default(), None));
}

#[test]
fn only_a_loss_is_recoverable() {
    use DisconnectReason as R;
    for reason in [R::TransportClose, R::TransportError, R::PingTimeout, R::ServerShuttingDown] {
        assert!(is_recoverable(reason));
    }
    for reason in [R::ClientNamespaceDisconnect, R::ServerNamespaceDisconnect, R::ParseError] {
        assert!(!is_recoverable(reason));
    }
}

/// What happens in a namespace of three clients.
#[derive(Clone, Debug)]
enum Happening {
    Emit {
        rooms: Vec<&'static str>,
        except: Vec<&'static str>,
        is_volatile: bool,
    },
    /// The connection of a client breaks; what was sent from now on does not get through.
    Break(usize),
    /// The server notices.
    Notice(usize),
    Return(usize),
    Pass(u64),
}

const ROOMS: [&str; 5] = ["a", "b", "id0", "id1", "id2"];

fn happening() -> impl Strategy<Value = Happening> {
    let some = || proptest::sample::subsequence(ROOMS.to_vec(), 0..3);
    prop_oneof![
        6 => (some(), some(), any::<bool>())
            .prop_map(|(rooms, except, is_volatile)| Happening::Emit { rooms, except, is_volatile }),
        1 => (0..3_usize).prop_map(Happening::Break),
        2 => (0..3_usize).prop_map(Happening::Notice),
        2 => (0..3_usize).prop_map(Happening::Return),
        1 => (0..60_u64).prop_map(Happening::Pass),
    ]
}

/// A client, as it sees itself.
#[derive(Debug, Default)]
struct Client {
    told: Option<String>,
    got: Vec<String>,
    /// What it should have.
    expected: Vec<String>,
    is_broken: bool,
    is_lost: bool,
}

impl Client {
    fn rooms(number: usize) -> Vec<&'static str> {
        [&["id0", "a"][..], &["id1", "a", "b"], &["id2"]][number].to_vec()
    }
}

proptest! {
    #[test]
    fn who_is_restored_has_every_event_once_and_in_order(
        happenings in proptest::collection::vec(happening(), 0..80),
    ) {
        let mut recovery: RecoveryStore<u8> = RecoveryStore::new("run", LIMITS);
        let mut clients: [Client; 3] = Default::default();
        for number in 0..3 {
            recovery.begin(&format!("p{number}"), SocketKey(number), EventOffset::default());
        }
        let (mut now, mut count) = (0, 0);
        for happening in happenings {
            match happening {
                Happening::Emit { rooms, except, is_volatile } => {
                    count += 1;
                    let word = format!("e{count}");
                    let selection = to(&rooms, &except);
                    let told = if is_volatile {
                        encode(&mut recovery, &word).1
                    } else {
                        emit(&mut recovery, &word, &selection, now)
                    };
                    for (number, client) in clients.iter_mut().enumerate() {
                        let own: BTreeSet<&str> = Client::rooms(number).into_iter().collect();
                        let is_in = |names: &[&str]| names.iter().any(|name| own.contains(name));
                        let is_for = (rooms.is_empty() || is_in(&rooms)) && !is_in(&except);
                        if !is_for || (is_volatile && client.is_broken) {
                            continue;
                        }
                        client.expected.push(word.clone());
                        if !client.is_broken {
                            client.got.push(word.clone());
                            client.told = Some(told.clone());
                        }
                    }
                }
                Happening::Break(number) => clients[number].is_broken = true,
                Happening::Notice(number) => {
                    let client = &mut clients[number];
                    if client.is_broken && !client.is_lost {
                        client.is_lost = true;
                        let rooms = Client::rooms(number);
                        let dropped =
                            recovery.lose(&format!("p{number}"), lost(rooms[0], &rooms[1..]), at(now));
                        prop_assert_eq!(dropped, []);
                    }
                }
                Happening::Return(number) => {
                    let client = &mut clients[number];
                    if !client.is_broken {
                        continue;
                    }
                    let pid = format!("p{number}");
                    prop_assert_eq!(recovery.connected(&pid).is_some(), !client.is_lost);
                    let restored = recovery.restore(&pid, client.told.as_deref(), at(now));
                    prop_assert!(client.is_lost || restored == Err(NotRestored::Unknown));
                    if let Ok(restored) = restored {
                        recovery.begin(&pid, SocketKey(9), restored.since);
                        for (word, told) in read(&restored) {
                            client.got.push(word);
                            client.told = Some(told);
                        }
                    } else if client.is_lost {
                        let since = recovery.position();
                        recovery.begin(&pid, SocketKey(9), since);
                        client.got = client.expected.clone();
                    } else {
                        continue;
                    }
                    client.is_broken = false;
                    client.is_lost = false;
                    prop_assert_eq!(&client.got, &client.expected);
                }
                Happening::Pass(seconds) => {
                    now += seconds;
                    drop(recovery.expire(at(now)));
                }
            }
            prop_assert!(recovery.kept().bytes <= LIMITS.bytes);
        }
    }
}
