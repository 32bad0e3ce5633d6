//! A server under attack, and one who uses it meanwhile.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use siot::ArgList;
use siot::server::{Server, ServerBuilder};

use super::raw_http::RawHttp;
use crate::raw_client::RawClient;
use crate::support::{LIMIT, alone, eventually, fds, threads};

/// How many threads of ours have panicked.
static PANICS: AtomicUsize = AtomicUsize::new(0);

/// How much more memory the process may have than before.
const BUDGET: usize = 48 * 1024 * 1024;

/// Runs the calling test's closure in a process of its own, one such test at a time: they take all the processors that
/// there are, and others count on some.
#[track_caller]
pub(super) fn attack<F: FnOnce()>(body: F) {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    alone(body);
}

/// A server with a client that only wants its answers. For a process of its own.
pub(super) struct Ground {
    pub(super) server: Server,
    pub(super) address: SocketAddr,
    bystander: RawClient,
    asked: u32,
    clients: usize,
    fds: usize,
    memory: usize,
}

impl Ground {
    #[track_caller]
    pub(super) fn new(options: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Self {
        std::panic::set_hook(Box::new(|panic| {
            let thread = std::thread::current();
            eprintln!("{panic}");
            if thread.name().is_some_and(|name| name.starts_with("siot-")) {
                PANICS.fetch_add(1, Ordering::SeqCst);
            }
        }));
        let server = options(Server::builder()).bind("127.0.0.1:0").expect("a server");
        server.on("echo", |_, event| event.ack(event.args::<ArgList>()?));
        let address = server.local_addrs()[0];
        let mut bystander = RawClient::websocket(&format!("http://localhost:{}", address.port()));
        bystander.say("40");
        bystander.expect("40{");
        let mut ground =
            Self { server, address, bystander, asked: 0, clients: 1, fds: 0, memory: 0 };
        ground.ask();
        ground.fds = fds();
        ground.memory = memory();
        ground
    }

    pub(super) fn connect(&self) -> RawHttp {
        RawHttp::connect(self.address)
    }

    /// The other client gets its answer, within a second on a machine that has nothing else to do.
    #[track_caller]
    pub(super) fn ask(&mut self) -> Duration {
        self.asked += 1;
        let began = Instant::now();
        self.bystander.say(&format!(r#"42{0}["echo",{0}]"#, self.asked));
        let answer = self.bystander.expect("43");
        assert_eq!(answer, format!("43{0}[{0}]", self.asked));
        began.elapsed()
    }

    /// The other client gets an event of this name.
    #[track_caller]
    pub(super) fn stands_behind(&mut self, event: &str) {
        self.bystander.expect(&format!("42[\"{event}\""));
    }

    /// Nothing is left of the attack but what the other client has.
    #[track_caller]
    pub(super) fn is_unharmed(&mut self) {
        self.stands();
        let clients = self.clients;
        eventually(LIMIT, "only the other client is left", || self.server.clients() == clients);
        eventually(LIMIT, "no descriptor is left", || fds() <= self.fds);
        self.ask();
    }

    /// The other client is served, and nothing has grown beyond its bound.
    #[track_caller]
    pub(super) fn stands(&mut self) {
        self.ask();
        assert_eq!(PANICS.load(Ordering::SeqCst), 0, "a thread has panicked");
        // A thread that has just been started bears the name of the one that started it, for a moment.
        eventually(LIMIT, "one thread that serves, and one that follows it", || {
            let ours = threads();
            let count = |name| ours.iter().filter(|other| *other == name).count();
            (1..=2).contains(&count("siot-serve")) && count("siot-work") <= 32
        });
        let grown = memory().saturating_sub(self.memory);
        assert!(grown < BUDGET, "{} KiB more", grown / 1024);
    }
}

/// How much memory the process has, in bytes.
pub(super) fn memory() -> usize {
    let status = std::fs::read_to_string("/proc/self/statm").expect("procfs");
    let pages = status.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok());
    pages.expect("a number of pages") * 4096
}
