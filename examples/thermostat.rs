//! A thermostat, and its own tests, which need no network: events and statuses made by hand, and a server that fails on command.
//!
//! ```sh
//! cargo run --example thermostat [-- URL]
//! cargo test --test thermostat
//! ```
//!
//! A server of yours emits `target` with a temperature, which is acknowledged with true or false, and gets `heating` with
//! true or false.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use siot::server::Server;
use siot::{Ack, Builder, Event, Result, Socket, Status};
use siot_examples::ExampleServer;

/// What decides: no network is needed to try it.
#[derive(Debug)]
struct Thermostat {
    target: f64,
    heats: bool,
}

impl Thermostat {
    fn new() -> Self {
        Self { target: 18.0, heats: false }
    }

    /// Takes the temperature that the server wants, unless nobody can want it.
    fn take_target(&mut self, event: &Event) -> Result<()> {
        let target: f64 = event.arg(0)?;
        let is_sane = (5.0..30.0).contains(&target);
        if is_sane {
            self.target = target;
        }
        event.ack(is_sane)
    }

    /// Switches the heating; gives what it is to be from now on, if that changes.
    fn measure(&mut self, celsius: f64) -> Option<bool> {
        let heats = celsius < self.target - if self.heats { 0.0 } else { 0.5 };
        (std::mem::replace(&mut self.heats, heats) != heats).then_some(heats)
    }
}

/// The light on the housing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Light {
    Green,
    /// Off-line, and it tries again by itself.
    Yellow,
    /// Off-line, until somebody comes.
    Red,
}

fn light(status: &Status) -> Option<Light> {
    match status {
        Status::Connected { .. } => Some(Light::Green),
        Status::ConnectError(_) | Status::Disconnected { .. } => {
            Some(if status.retry_in().is_some() { Light::Yellow } else { Light::Red })
        }
        _ => None,
    }
}

/// The connection of a thermostat.
struct Device {
    thermostat: Arc<Mutex<Thermostat>>,
    socket: Socket,
}

impl Device {
    /// Connects in the background, with these options.
    fn start(builder: Builder) -> Result<Self> {
        let thermostat = Arc::new(Mutex::new(Thermostat::new()));
        let socket = builder.auto_connect(false).build()?;
        let taking = Arc::clone(&thermostat);
        socket.on("target", move |event| {
            let mut thermostat = taking.lock().unwrap_or_else(PoisonError::into_inner);
            if let Err(error) = thermostat.take_target(&event) {
                println!("{} is no target: {error:#}", event.json());
            }
        })?;
        socket.connect();
        Ok(Self { thermostat, socket })
    }

    /// Acts upon what was measured, and tells the server, now or when there is one again.
    fn measure(&self, celsius: f64) -> Result<()> {
        let mut thermostat = self.thermostat.lock().unwrap_or_else(PoisonError::into_inner);
        let switched = thermostat.measure(celsius);
        drop(thermostat);
        switched.map_or(Ok(()), |heats| self.socket.emit("heating", heats))
    }
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let server = ExampleServer::start(include_str!("thermostat.rs"), want_warmth)?;
    let device = Device::start(Builder::new(server.url()))?;
    let statuses = device.socket.status();
    let targets = device.socket.subscribe("target");
    let status = statuses.recv_timeout(server.limit())?;
    println!("the light is {:?}", light(&status));
    let target: f64 = targets.recv_timeout(server.limit())?.arg(0)?;
    println!("the server wants {target} °C");
    for celsius in [19.0, 20.6, 21.1, 20.4] {
        println!("{celsius} °C");
        device.measure(celsius)?;
    }
    device.socket.manager().close(server.limit());
    Ok(())
}

/// What the server does.
fn want_warmth(server: &Server) {
    server.on_connection(|socket| {
        let wanted = socket.timeout(Duration::from_secs(10)).emit_with_ack("target", 21.0);
        match wanted.and_then(Ack::wait::<bool>) {
            Ok(taken) => println!("  server: the target was taken: {taken}"),
            Err(error) => println!("  server: no answer: {error:#}"),
        }
    });
    server.on("heating", |_, event| {
        println!("  server: heating: {}", event.arg::<bool>(0)?);
        Ok::<_, siot::Error>(())
    });
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};

    use siot::testing::{self, TestServer};
    use siot::{DisconnectReason, ErrorKind, Stage, Subscription};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    #[test]
    fn a_target_is_taken_unless_nobody_can_want_it() {
        let mut thermostat = Thermostat::new();
        for (target, is_taken) in [(21.0, true), (60.0, false), (f64::MIN, false)] {
            let (event, answer) = testing::event_with_ack("target", target).unwrap();
            thermostat.take_target(&event).unwrap();
            assert_eq!(answer.args::<bool>().unwrap(), Some(is_taken), "{target}");
        }
        let (nonsense, answer) = testing::event_with_ack("target", "warm").unwrap();
        thermostat.take_target(&nonsense).unwrap_err();
        assert!(!answer.is_given());
        assert!((thermostat.target - 21.0).abs() < f64::EPSILON);
    }

    #[test]
    fn the_light_tells_whether_somebody_has_to_come() {
        let refused = testing::refusal("unknown device", &()).unwrap();
        let nobody = testing::error(ErrorKind::Connect(Stage::Tcp), "nobody listens");
        let soon = Some(Duration::from_secs(5));
        for (status, expected) in [
            (testing::connected("id", false), Light::Green),
            (testing::connect_error(nobody, soon), Light::Yellow),
            (testing::connect_error(refused, None), Light::Red),
            (testing::disconnected(DisconnectReason::PingTimeout, None, soon), Light::Yellow),
        ] {
            assert_eq!(light(&status), Some(expected), "{status:?}");
        }
    }

    /// A server that wants 21 °C, and what it hears of the heating.
    fn server() -> (TestServer, Receiver<bool>) {
        let (told, heard) = channel();
        let brisk = Server::builder()
            .ping_interval(Duration::from_millis(100))
            .ping_timeout(Duration::from_millis(200));
        let server = TestServer::start(brisk, move |server| {
            let told = told.clone();
            server.on_connection(|socket| drop(socket.emit("target", 21.0)));
            server.on("heating", move |_, event| {
                // The test may be over.
                let _ = told.send(event.arg(0)?);
                Ok::<_, siot::Error>(())
            });
        });
        (server.unwrap(), heard)
    }

    fn device(server: &TestServer) -> Device {
        let soon = Duration::from_millis(10);
        let builder = Builder::new(server.url()).force_new(true);
        Device::start(builder.reconnection_delay(soon).reconnection_delay_max(soon)).unwrap()
    }

    fn next_light(statuses: &Subscription<Status>) -> Option<Light> {
        light(&statuses.recv_timeout(LIMIT).unwrap())
    }

    #[test]
    fn what_happens_in_an_outage_is_told_after_it() {
        let (server, heard) = server();
        let device = device(&server);
        let statuses = device.socket.status();
        assert_eq!(next_light(&statuses), Some(Light::Green));
        server.stop().unwrap();
        assert_eq!(next_light(&statuses), Some(Light::Yellow));
        device.measure(10.0).unwrap();
        device.measure(30.0).unwrap();
        server.resume().unwrap();
        assert_eq!([(); 2].map(|()| heard.recv_timeout(LIMIT).unwrap()), [true, false]);
    }

    #[test]
    fn a_server_that_falls_silent_is_noticed() {
        let (server, _) = server();
        let device = device(&server);
        let statuses = device.socket.status();
        assert_eq!(next_light(&statuses), Some(Light::Green));
        server.go_silent().unwrap();
        // Within the server's two times for heartbeats.
        assert_eq!(next_light(&statuses), Some(Light::Yellow));
    }
}
