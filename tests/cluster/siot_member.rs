//! A server of ours as a member of a cluster.
//!
//! Operations: `emit`, `flood` (so many in a row, with their numbers), `ask`, `fetch`, `join`, `leave`, `disconnect` for `to`, `except`, `local`, `volatile`; `server_emit`,
//! `server_ask`, `noted`, `count`, `rooms`.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use siot::server::{Adapter, Broadcast, BroadcastReply, ClusterAnswers, Server};
use siot::{AckReply, ArgList};

use crate::member::Member;
use crate::support::LIMIT;

type Noted = Arc<Mutex<Vec<Value>>>;

/// Starts one.
#[track_caller]
pub(crate) fn start(name: &'static str, adapter: impl Into<Adapter>) -> Member {
    let server = bind(name.to_owned(), 0, adapter, LIMIT);
    let url = format!("http://{}", server.local_addrs()[0]);
    Member::new(name, url, server)
}

/// The server of one, at this port, which waits for others for so long.
#[track_caller]
pub(crate) fn bind(
    name: String,
    port: u16,
    adapter: impl Into<Adapter>,
    cluster_timeout: Duration,
) -> Server {
    let builder = Server::builder().adapter(adapter).cluster_timeout(cluster_timeout);
    let server = builder.bind_with(("127.0.0.1", port), |server| serve(name, server));
    server.expect("a server")
}

/// Gives it the handlers of a member.
fn serve(name: String, server: &Server) {
    let noted = Noted::default();
    let root = server.of("/");
    let taken = Arc::clone(&noted);
    server.on("do", move |_, event| {
        let operation: Value = event.arg(0)?;
        let done = perform(&root, &operation, &taken);
        event.ack(done.unwrap_or_else(|error| json!({ "failed": error.to_string() })))
    });
    server.on("join", |socket, event| {
        socket.join(&event.arg::<String>(0)?);
        socket.share_data(&json!({ "joined": event.arg::<String>(0)? }))?;
        event.ack(())
    });
    server.on_server_event("note", move |event| {
        noted.lock().unwrap().push(serde_json::from_str(event.json()).unwrap());
    });
    server.on_server_event("who", move |event| event.ack((&name, "second")));
}

fn perform(
    root: &siot::server::ServerNamespace,
    operation: &Value,
    noted: &Noted,
) -> siot::Result<Value> {
    let text = |name: &str| operation[name].as_str().unwrap_or_default().to_owned();
    let args = || -> ArgList {
        ArgList(serde_json::from_value(operation["args"].clone()).unwrap_or_default())
    };
    let many = broadcast(root.all(), operation);
    Ok(match &*text("op") {
        "emit" => {
            let report = many.emit(&text("event"), args())?;
            assert!(!report.is_unpublished);
            json!({})
        }
        "flood" => {
            for number in 0..operation["count"].as_u64().unwrap() {
                let report = many.emit(&text("event"), (&operation["args"][0], number))?;
                assert!(!report.is_unpublished);
            }
            json!({})
        }
        "ask" => replies(&many.timeout(LIMIT).emit_with_ack(&text("event"), args())?.wait()?),
        "fetch" => {
            let fetched = many.fetch_sockets()?;
            let mut sockets: Vec<Value> = Vec::new();
            for socket in &fetched.answers {
                let mut rooms: Vec<_> = socket.rooms().iter().map(ToString::to_string).collect();
                rooms.sort();
                let data: Value = socket.data()?;
                sockets.push(json!({ "id": socket.id(), "rooms": rooms, "data": data }));
            }
            sockets.sort_by_key(|socket| socket["id"].to_string());
            json!({ "sockets": sockets, "missing": fetched.missing.map(|error| error.to_string()) })
        }
        "join" => rooms(operation, |room| many.sockets_join(room)),
        "leave" => rooms(operation, |room| many.sockets_leave(room)),
        "disconnect" => {
            many.disconnect_sockets(operation["close"] == true);
            json!({})
        }
        "server_emit" => {
            root.server_side_emit(&text("event"), args())?;
            json!({})
        }
        "server_ask" => {
            let came = root.server_side_emit_with_ack(&text("event"), args())?.wait()?;
            let first = |reply: &AckReply| reply.arg::<Value>(0).unwrap_or_default();
            sorted(came.answers.iter().map(first), came.missing.as_ref())
        }
        "noted" => std::mem::take(&mut *noted.lock().unwrap()).into(),
        "count" => root.count_servers()?.into(),
        "rooms" => {
            let rooms = root.fetch_rooms()?.complete()?;
            rooms.iter().map(ToString::to_string).collect::<Vec<_>>().into()
        }
        other => panic!("no operation {other:?}"),
    })
}

/// Those whom an operation is for.
fn broadcast(mut all: Broadcast, operation: &Value) -> Broadcast {
    let names = |list: &str| -> Vec<String> {
        serde_json::from_value(operation[list].clone()).unwrap_or_default()
    };
    for room in names("to") {
        all = all.to(&room);
    }
    for room in names("except") {
        all = all.except(&room);
    }
    if operation["local"] == true {
        all = all.local();
    }
    if operation["volatile"] == true { all.volatile() } else { all }
}

fn rooms(operation: &Value, each: impl Fn(&str)) -> Value {
    let rooms: Vec<String> = serde_json::from_value(operation["rooms"].clone()).unwrap();
    for room in &rooms {
        each(room);
    }
    json!({})
}

fn replies(came: &ClusterAnswers<BroadcastReply>) -> Value {
    let first = |reply: &BroadcastReply| match &reply.answer {
        Ok(answer) => answer.arg::<Value>(0).unwrap_or_default(),
        Err(error) => json!({ "failed": error.to_string() }),
    };
    sorted(came.answers.iter().map(first), came.missing.as_ref())
}

fn sorted(answers: impl Iterator<Item = Value>, missing: Option<&siot::Error>) -> Value {
    let mut answers: Vec<Value> = answers.collect();
    answers.sort_by_key(ToString::to_string);
    json!({ "answers": answers, "missing": missing.map(ToString::to_string) })
}
