//! What a client takes of the heap of its server: idle, and idle again after it was used.

use std::net::TcpStream;
use std::sync::{Arc, Mutex};

use siot::Event;
use siot::server::{Server, ServerSocket};
use tungstenite::{Message, WebSocket};

use super::server::uncounted;
use super::{KIB, LIMIT, alone, kept, live, quiet};

/// Tables double at 448 entries, and are as empty as they ever are just behind that.
const CLIENTS: usize = 450;

/// What each of them may take.
const MOST: usize = 2 * KIB;

/// A client, of which nothing counts.
struct Client(WebSocket<TcpStream>);

impl Client {
    /// Opens a session and joins the namespace `/`.
    fn join(server: &Server) -> Self {
        let address = server.local_addrs()[0];
        let url = format!("ws://{address}/socket.io/?EIO=4&transport=websocket");
        let stream = TcpStream::connect(address).unwrap();
        let (websocket, _) = tungstenite::client(url, stream).unwrap();
        let mut client = Self(websocket);
        client.hear("0{");
        client.say("40");
        client.hear("40{");
        client
    }

    fn say(&mut self, text: &str) {
        self.0.send(Message::text(text)).unwrap();
    }

    fn hear(&mut self, beginning: &str) {
        let message = self.0.read().unwrap();
        let text = message.to_text().unwrap();
        assert!(text.starts_with(beginning), "{text}");
    }

    /// Sends events, and gets an answer and an event for each.
    fn use_it(&mut self) {
        for number in 0..5 {
            self.say(&format!(r#"42{number}["echo","{}"]"#, "x".repeat(200)));
            self.hear(r#"42["said","#);
            self.hear(&format!("43{number}["));
        }
    }
}

fn serve() -> Server {
    let echo = |socket: &ServerSocket, event: Event| {
        let text: String = event.arg(0)?;
        socket.emit("said", &text)?;
        event.ack(text)
    };
    let handlers = |server: &Server| {
        server.on_connection(|_| ());
        server.on("echo", echo);
    };
    // No heartbeat falls into it, however long it takes: the clients here know of none.
    let builder = Server::builder().ping_interval(LIMIT).ping_timeout(LIMIT);
    builder.bind_with(("127.0.0.1", 0), handlers).unwrap()
}

#[test]
fn an_idle_client_takes_little_of_its_server_also_after_use() {
    let _alone = alone();
    let server = serve();
    // The first one starts what all share.
    let mut clients = uncounted(|| vec![Client::join(&server)]);
    uncounted(|| clients[0].use_it());
    quiet();
    let before = live();
    uncounted(|| clients.extend((0..CLIENTS).map(|_| Client::join(&server))));
    let each = kept(before, MOST * CLIENTS) / CLIENTS;
    assert!((KIB / 2..=MOST).contains(&each), "{each} bytes, idle");

    uncounted(|| clients.iter_mut().for_each(Client::use_it));
    let each = kept(before, MOST * CLIENTS) / CLIENTS;
    assert!((KIB / 2..=MOST).contains(&each), "{each} bytes, after use");
    uncounted(|| drop(clients));
}

/// A program may keep sockets of which nobody needs anything any more.
#[test]
fn a_socket_that_has_ended_takes_less_than_before() {
    let _alone = alone();
    let server = serve();
    let kept = Arc::new(Mutex::new(Vec::<ServerSocket>::with_capacity(2 * CLIENTS)));
    let keeps = Arc::clone(&kept);
    server.on_connection(move |socket| keeps.lock().unwrap().push(socket.clone()));
    let mut clients: Vec<_> = uncounted(|| (0..CLIENTS).map(|_| Client::join(&server)).collect());
    quiet();
    let before = live();
    uncounted(|| clients.iter_mut().for_each(|client| client.say("41")));
    while !server.is_empty() {
        std::thread::yield_now();
    }
    quiet();
    let after = live();
    assert_eq!(kept.lock().unwrap().len(), CLIENTS);
    let less = before.saturating_sub(after) / CLIENTS;
    assert!(less > 0, "{before} bytes before, {after} after: {less} less for each");
    uncounted(|| drop(clients));
}
