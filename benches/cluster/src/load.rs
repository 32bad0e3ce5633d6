//! Three servers of each kind in turn, and their clients.

use std::io::Read as _;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use siot::{Builder, Socket, Transport};

const LIMIT: Duration = Duration::from_secs(120);
const CLIENTS: u64 = 100;
const EVENTS: u64 = 2000;
const ROUNDS: usize = 3;
const PINGS: usize = 300;

/// A server in a process of its own.
struct Node {
    child: Child,
    port: u16,
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Measures, and prints a table.
pub(crate) fn run(socket: &str, script: &str) {
    println!(
        "| servers | deliveries | per CPU second of the servers | µs of CPU each | latency at the own server, ms | at another, ms |"
    );
    println!("|---|---|---|---|---|---|");
    for kind in ["siot", "Node.js"] {
        let nodes: Vec<Node> = (0..3).map(|_| start(kind, socket, script)).collect();
        measure(kind, &nodes);
    }
}

fn start(kind: &str, socket: &str, script: &str) -> Node {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    let own = std::env::current_exe().expect("this program");
    let mut command = match kind {
        "siot" => Command::new(own),
        _ => Command::new("node"),
    };
    match kind {
        "siot" => command.args(["node", &port.to_string(), socket]),
        _ => command.args([
            script,
            &port.to_string(),
            "node",
            &json!({ "path": socket }).to_string(),
        ]),
    };
    let child = command.stdin(Stdio::null()).spawn().expect("a server");
    Node { child, port }
}

fn connect(port: u16) -> Socket {
    let builder = Builder::new(format!("http://127.0.0.1:{port}/"));
    let builder = builder.transports([Transport::WebSocket]).force_new(true).no_proxy();
    let socket = builder.reconnection_delay(Duration::from_millis(20)).build().expect("options");
    socket.wait_connected(LIMIT).expect("a connection");
    socket
}

fn ask(socket: &Socket, operation: &Value) -> Value {
    socket.timeout(LIMIT).emit_with_ack("do", operation).expect("sent").wait().expect("an answer")
}

fn join(socket: &Socket, room: &str) {
    let asked = socket.timeout(LIMIT).emit_with_ack("join", room).expect("sent");
    asked.wait::<()>().expect("joined");
}

/// The processor time that a process has taken.
fn cpu(node: &Node) -> Duration {
    let mut stat = String::new();
    let path = format!("/proc/{}/stat", node.child.id());
    std::fs::File::open(path).and_then(|mut file| file.read_to_string(&mut stat)).expect("procfs");
    let columns = stat.rsplit_once(')').expect("a name").1;
    let ticks = |at| columns.split_whitespace().nth(at).and_then(|text| text.parse::<u64>().ok());
    Duration::from_millis(10 * (ticks(11).expect("ticks") + ticks(12).expect("ticks")))
}

fn measure(kind: &str, nodes: &[Node]) {
    let commanders: Vec<Socket> = nodes.iter().map(|node| connect(node.port)).collect();
    for commander in &commanders {
        while ask(commander, &json!({ "op": "count" })) != json!(3) {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    let count = Arc::new(AtomicU64::new(0));
    let (told, tells) = channel();
    let all = 3 * CLIENTS * EVENTS;
    let mut clients = Vec::new();
    for node in nodes {
        for _ in 0..CLIENTS {
            let client = connect(node.port);
            let (count, told) = (Arc::clone(&count), told.clone());
            let heard = move |_| {
                if (count.fetch_add(1, Ordering::Relaxed) + 1) % all == 0 {
                    let _ = told.send(());
                }
            };
            client.on("n", heard).expect("a callback");
            join(&client, "hall");
            clients.push(client);
        }
    }
    let best = (0..ROUNDS).map(|_| {
        let before: Duration = nodes.iter().map(cpu).sum();
        ask(&commanders[0], &json!({ "op": "flood", "to": ["hall"], "event": "n", "args": ["x".repeat(100)], "count": EVENTS }));
        tells.recv_timeout(LIMIT).expect("all deliveries");
        nodes.iter().map(cpu).sum::<Duration>() - before
    });
    let best = best.min().expect("a round").as_secs_f64();
    let latency = |at: usize| latency(&commanders[0], nodes[at].port);
    let (own, other) = (latency(0), latency(1));
    let each = all as f64;
    println!(
        "| {kind} | {all} | {:.0} | {:.2} | {own:.2} | {other:.2} |",
        each / best,
        best / each * 1e6
    );
}

/// The median time until a client at this port has what is emitted at the server of the commander, in ms.
fn latency(commander: &Socket, port: u16) -> f64 {
    let client = connect(port);
    let room = format!("room of {port}");
    join(&client, &room);
    let pings = client.subscribe("ping");
    let mut times: Vec<f64> = (0..PINGS)
        .map(|number| {
            let start = Instant::now();
            let operation =
                json!({ "op": "emit", "to": [room], "event": "ping", "args": [number] });
            commander.emit("do", &operation).expect("sent");
            pings.recv_timeout(LIMIT).expect("a ping");
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
