//! One server of a cluster, whoever wrote it, and the clients of a test.

use serde_json::{Value, json};
use siot::{Event, Subscription};

use crate::support::{Client, LIMIT, Via, recv_within};

/// A server of a cluster. What it does it is asked by a client of its own, which is in none of the tests' rooms: its handler of
/// `do` takes an operation (see [`siot_member`](crate::siot_member)) and acknowledges with what has come of it.
///
/// Its other handlers: `join` is about rooms, and acknowledged; events of other servers are noted, and `who` of theirs is answered with
/// its name.
pub(crate) struct Member {
    pub(crate) name: &'static str,
    pub(crate) url: String,
    commander: Client,
    /// What ends with it.
    #[cfg_attr(not(feature = "redis"), allow(dead_code))]
    server: Box<dyn std::any::Any + Send + Sync>,
}

impl Member {
    #[track_caller]
    pub(crate) fn new(
        name: &'static str,
        url: String,
        server: impl std::any::Any + Send + Sync,
    ) -> Self {
        let commander = Client::connect(Via::WebSocket.builder(&*url));
        Self { name, url, commander, server: Box::new(server) }
    }

    /// Has it do something, whatever comes of that.
    #[track_caller]
    pub(crate) fn tries(&self, operation: Value) -> Value {
        let asked = self.asks(&operation);
        asked.unwrap_or_else(|error| panic!("{}: {operation}: {error}", self.name))
    }

    /// The same where it may be gone.
    pub(crate) fn asks(&self, operation: &Value) -> siot::Result<Value> {
        self.commander.timeout(LIMIT).emit_with_ack("do", operation)?.wait()
    }

    /// Has it do something, which is to succeed.
    #[track_caller]
    pub(crate) fn does(&self, operation: Value) -> Value {
        let answer = self.tries(operation.clone());
        assert!(answer.get("failed").is_none(), "{}: {operation}: {answer}", self.name);
        answer
    }

    /// What ends with it.
    #[cfg(feature = "redis")]
    #[track_caller]
    pub(crate) fn server<T: 'static>(&self) -> &T {
        self.server.downcast_ref().expect("a server of this kind")
    }

    /// The id of the socket of its own client.
    pub(crate) fn commander(&self) -> String {
        self.commander.id().expect("an id")
    }
}

/// A client of a test, in some rooms, which answers `ask` with its name.
pub(crate) struct Guest {
    pub(crate) name: String,
    client: Client,
    events: Subscription<Event>,
}

impl Guest {
    /// By WebSocket.
    #[track_caller]
    pub(crate) fn enter(member: &Member, name: &str, rooms: &[&str]) -> Self {
        Self::enter_via(Via::WebSocket, member, name, rooms)
    }

    #[track_caller]
    pub(crate) fn enter_via(via: Via, member: &Member, name: &str, rooms: &[&str]) -> Self {
        let client = Client::connect(via.builder(&member.url));
        if via == Via::Upgrade {
            client.upgraded();
        }
        let events = client.subscribe_any();
        let answer = name.to_owned();
        client.on("ask", move |event| event.ack((&answer, "second")).unwrap()).unwrap();
        for room in rooms {
            let () = client.timeout(LIMIT).emit_with_ack("join", room).unwrap().wait().unwrap();
        }
        Self { name: name.to_owned(), client, events }
    }

    pub(crate) fn id(&self) -> String {
        self.client.id().expect("an id")
    }

    /// The next event.
    #[track_caller]
    pub(crate) fn next(&self) -> Event {
        recv_within(self.events.receiver(), LIMIT)
    }

    /// The events that come before the next `end`, each as it came.
    #[track_caller]
    pub(crate) fn until_end(&self) -> Vec<String> {
        std::iter::from_fn(|| Some(self.next()).filter(|event| event.name() != "end"))
            .map(|event| event.json().to_owned())
            .collect()
    }

    /// Waits until it is disconnected.
    #[track_caller]
    pub(crate) fn leaves(&self) {
        self.client.disconnected();
    }

    /// Waits until it is connected again.
    #[cfg(feature = "redis")]
    #[track_caller]
    pub(crate) fn comes_back(&self) {
        self.client.reconnected();
    }
}

/// An operation for whom the rooms name.
pub(crate) fn to(op: &str, rooms: &[&str], more: Value) -> Value {
    let mut operation = json!({ "op": op, "to": rooms });
    let (Value::Object(operation_map), Value::Object(more)) = (&mut operation, more) else {
        panic!("no objects");
    };
    operation_map.extend(more);
    operation
}
