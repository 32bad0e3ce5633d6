//! Each operation, from each member of whatever cluster.

use serde_json::{Value, json};

use crate::member::{Guest, Member, to};
use crate::support::{LIMIT, Via, eventually};

/// On each member one guest in the hall, one in hall and kitchen, and one in neither, each connected in another way.
struct Party {
    guests: Vec<[Guest; 3]>,
}

impl Party {
    #[track_caller]
    fn gather(members: &[Member]) -> Self {
        Self::gather_via([Via::WebSocket, Via::Polling, Via::Upgrade], members)
    }

    #[track_caller]
    fn gather_via([hall, both, none]: [Via; 3], members: &[Member]) -> Self {
        let enter = |via, member: &Member, place: &str, rooms: &[&str]| {
            Guest::enter_via(via, member, &format!("{} {place}", member.name), rooms)
        };
        let guests = members.iter().map(|member| {
            [
                enter(hall, member, "hall", &["hall"]),
                enter(both, member, "both", &["hall", "kitchen"]),
                enter(none, member, "none", &[]),
            ]
        });
        Self { guests: guests.collect() }
    }

    fn all(&self) -> impl Iterator<Item = &Guest> {
        self.guests.iter().flatten()
    }

    fn of_place(&self, place: usize) -> Vec<&str> {
        self.guests.iter().map(|guests| &*guests[place].name).collect()
    }
}

/// Events reach exactly whom they should, once, in the order of their sender.
#[track_caller]
pub(crate) fn events_reach_exactly_whom_they_should(members: &[Member]) {
    let party = Party::gather(members);
    for sender in members {
        let emit = |rooms: &[&str], event: &str, more: Value| {
            let mut operation = to("emit", rooms, more);
            operation["event"] = json!(event);
            sender.does(operation);
        };
        emit(&[], "all", json!({ "args": [1.5, null, { "é": ["\"", -1] }] }));
        emit(&["hall"], "hall", json!({}));
        emit(&["hall", "kitchen"], "hall or kitchen", json!({ "args": [7] }));
        emit(&["hall"], "hall but kitchen", json!({ "except": ["kitchen"] }));
        emit(&[], "no hall", json!({ "except": ["hall", "nowhere"] }));
        emit(&["nowhere"], "nobody", json!({}));
        emit(&[], "local", json!({ "local": true }));
        for guest in party.all() {
            emit(&[&guest.id()], "you", json!({ "args": [guest.name] }));
        }
        for number in 0..50 {
            emit(&[["hall", "kitchen"][number % 2]], "n", json!({ "args": [number] }));
        }
        emit(&[], "end", json!({}));
        for (member, guests) in members.iter().zip(&party.guests) {
            for (place, guest) in guests.iter().enumerate() {
                let mut expected = vec![r#"["all",1.5,null,{"é":["\"",-1]}]"#.to_owned()];
                let mut expect = |is_meant: bool, event: &str| {
                    expected.extend(is_meant.then(|| event.to_owned()));
                };
                expect(place < 2, r#"["hall"]"#);
                expect(place < 2, r#"["hall or kitchen",7]"#);
                expect(place == 0, r#"["hall but kitchen"]"#);
                expect(place == 2, r#"["no hall"]"#);
                expect(member.name == sender.name, r#"["local"]"#);
                expect(true, &json!(["you", guest.name]).to_string());
                for number in 0..50 {
                    expect(
                        place == 1 || place == 0 && number % 2 == 0,
                        &format!(r#"["n",{number}]"#),
                    );
                }
                assert_eq!(guest.until_end(), expected, "{} from {}", guest.name, sender.name);
            }
        }
    }
}

/// What is volatile reaches all who have nothing else to be written.
#[track_caller]
pub(crate) fn what_is_volatile_reaches_who_is_idle(members: &[Member]) {
    // Who polls is between two requests at times, and then misses it.
    let party = Party::gather_via([Via::WebSocket; 3], members);
    for sender in members {
        let emit = |event: &str, volatile: bool| {
            let all = json!({ "volatile": volatile, "event": event });
            sender.does(to("emit", &[], all));
            party.all().map(|guest| guest.next().json().to_owned()).collect::<Vec<_>>()
        };
        for (event, volatile) in [("before", false), ("volatile", true), ("after", false)] {
            let expected = json!([event]).to_string();
            assert!(emit(event, volatile).iter().all(|came| *came == expected), "{}", sender.name);
        }
    }
}

/// Clients of all members answer, and nobody else.
#[track_caller]
pub(crate) fn clients_answer_whoever_asks(members: &[Member]) {
    let party = Party::gather(members);
    for asker in members {
        let mut expected = [party.of_place(0), party.of_place(1)].concat();
        expected.sort_unstable();
        let answer = asker.does(to("ask", &["hall"], json!({ "event": "ask", "args": ["?"] })));
        assert_eq!(answer, json!({ "answers": expected, "missing": null }), "{}", asker.name);
        let answer = asker.does(to("ask", &["nowhere"], json!({ "event": "ask" })));
        assert_eq!(answer, json!({ "answers": [], "missing": null }), "{}", asker.name);
    }
}

/// Sockets are found wherever they are.
#[track_caller]
pub(crate) fn sockets_are_found_wherever_they_are(members: &[Member]) {
    let party = Party::gather(members);
    for asker in members {
        assert_eq!(asker.does(json!({ "op": "count" })), json!(members.len()), "{}", asker.name);
        let fetched = asker.does(to("fetch", &["hall"], json!({ "except": ["kitchen"] })));
        let mut expected: Vec<Value> = Vec::new();
        for guests in &party.guests {
            let id = guests[0].id();
            let mut rooms = ["hall", &*id];
            rooms.sort_unstable();
            expected.push(json!({ "id": id, "rooms": rooms, "data": { "joined": "hall" } }));
        }
        expected.sort_by_key(|socket| socket["id"].to_string());
        assert_eq!(fetched, json!({ "sockets": expected, "missing": null }), "{}", asker.name);
        let mut rooms: Vec<String> = party.all().map(Guest::id).collect();
        rooms.extend(members.iter().map(Member::commander));
        rooms.extend(["hall".to_owned(), "kitchen".to_owned()]);
        rooms.sort();
        assert_eq!(asker.does(json!({ "op": "rooms" })), json!(rooms), "{}", asker.name);
    }
}

/// Sockets join, leave and are disconnected from anywhere.
#[track_caller]
pub(crate) fn sockets_are_moved_from_anywhere(members: &[Member]) {
    let party = Party::gather(members);
    let ids = |places: &[usize]| {
        let mut ids: Vec<String> = party
            .guests
            .iter()
            .flat_map(|guests| places.iter().map(|place| guests[*place].id()))
            .collect();
        ids.sort();
        ids
    };
    let found = |asker: &Member, room: &str| -> Vec<String> {
        let fetched = asker.does(to("fetch", &[room], json!({})));
        let sockets = fetched["sockets"].as_array().unwrap().iter();
        sockets.map(|socket| socket["id"].as_str().unwrap().to_owned()).collect()
    };
    for (number, actor) in members.iter().enumerate() {
        let room = format!("room {number}");
        let everywhere = |what: &str, expected: &[String]| {
            eventually(LIMIT, &format!("{what} by {}", actor.name), || {
                members.iter().all(|member| found(member, &room) == expected)
            });
        };
        actor.does(to("join", &["hall"], json!({ "rooms": [room] })));
        everywhere("joined", &ids(&[0, 1]));
        actor.does(to("leave", &["kitchen"], json!({ "rooms": [room] })));
        everywhere("left", &ids(&[0]));
    }
    // Each disconnects those of one place of the next one.
    for (number, actor) in members.iter().enumerate() {
        let next = &party.guests[(number + 1) % members.len()];
        actor.does(to(
            "disconnect",
            &[&next[1].id(), &next[2].id()],
            json!({ "close": number == 0 }),
        ));
        next[1].leaves();
        next[2].leaves();
    }
    for actor in members {
        let hall = ids(&[0]);
        eventually(LIMIT, "only those are left who were not disconnected", || {
            found(actor, "hall") == hall
        });
    }
}

/// Events of servers for servers reach all others, once, in order.
#[track_caller]
pub(crate) fn servers_hear_each_other(members: &[Member]) {
    for sender in members {
        for number in 0..20 {
            let args = json!([number, { "from": sender.name }]);
            sender.does(json!({ "op": "server_emit", "event": "note", "args": args }));
        }
        let mut others: Vec<_> = members.iter().map(|member| member.name).collect();
        others.retain(|name| *name != sender.name);
        others.sort_unstable();
        let answers = sender.does(json!({ "op": "server_ask", "event": "who" }));
        assert_eq!(answers, json!({ "answers": others, "missing": null }), "{}", sender.name);
        let expected: Vec<_> =
            (0..20).map(|number| json!(["note", number, { "from": sender.name }])).collect();
        for member in members {
            // They were answered after those were noted, but for the sender's own, which there are none of.
            let expected = if member.name == sender.name { vec![] } else { expected.clone() };
            assert_eq!(member.does(json!({ "op": "noted" })), json!(expected), "{}", member.name);
        }
    }
}
