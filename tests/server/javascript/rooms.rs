//! Rooms, and events for many.

use serde_json::json;

use crate::host::Host;
use crate::support::{JsClient, LIMIT, Via};

for_each_client!(an_event_for_many_reaches_those_who_are_meant, many_acknowledge);

fn an_event_for_many_reaches_those_who_are_meant(version: u32, via: Via) {
    let host = Host::start(|builder| builder);
    host.server.on("spread", |socket, event| {
        socket.broadcast().emit("others", ())?;
        socket.to("hall").emit("others in the hall", ())?;
        let server = socket.namespace();
        server.to("hall").emit("hall", ())?;
        server.to("hall").to("kitchen").emit("hall or kitchen", ())?;
        server.to("hall").except("kitchen").emit("hall but kitchen", ())?;
        server.to(socket.id()).emit("self", ())?;
        server.except("hall").emit("no hall", ())?;
        server.emit("end", ())?;
        event.ack(())
    });
    // In the hall; in the hall and the kitchen; nowhere.
    let clients = [(); 3].map(|()| JsClient::connect(version, via, &host.url));
    for (client, rooms) in clients.iter().zip([&["hall"][..], &["hall", "kitchen"], &["left"]]) {
        for room in rooms {
            client.ask("join", json!([room]));
        }
    }
    clients[2].ask("leave", json!(["left"]));
    assert_eq!(host.server.rooms().len(), 2);
    clients[0].ask("spread", json!([]));
    let got = clients.each_ref().map(|client| {
        client.event("end");
        client.left_events()
    });
    assert_eq!(got[0], ["hall", "hall or kitchen", "hall but kitchen", "self"]);
    assert_eq!(got[1], ["others", "others in the hall", "hall", "hall or kitchen"]);
    assert_eq!(got[2], ["others", "no hall"]);
}

fn many_acknowledge(version: u32, via: Via) {
    let host = Host::start(|builder| builder);
    let clients = [(); 3].map(|()| JsClient::connect(version, via, &host.url));
    clients[1..].iter().for_each(|client| drop(client.ask("join", json!(["hall"]))));
    let answers = host.server.to("hall").timeout(LIMIT).emit_with_ack("ask", ("who?", 2)).unwrap();
    let replies = answers.wait().unwrap().complete().unwrap();
    let mut ids: Vec<_> = replies.iter().filter_map(|one| one.id.as_deref()).collect();
    ids.sort_unstable();
    let mut expected: Vec<_> =
        host.server.to("hall").sockets().iter().map(|one| one.id().to_owned()).collect();
    expected.sort();
    assert_eq!(ids, expected);
    for reply in replies {
        assert_eq!(reply.answer.unwrap().args::<(String, u32)>().unwrap(), ("who?".into(), 2));
    }
}
