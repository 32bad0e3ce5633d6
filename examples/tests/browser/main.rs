//! The page of the gateway, in a browser.

#[path = "../support/program.rs"]
mod program;
mod webdriver;

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

use siot::{Builder, Socket};

use self::program::command;
use self::webdriver::{Browser, LIMIT};

/// The gateway, which ends when this is dropped.
struct Gateway {
    child: Child,
    url: String,
    /// What it prints has to go somewhere.
    _output: BufReader<ChildStdout>,
}

impl Gateway {
    fn start() -> Self {
        let script = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../tests/servers/node_modules/socket.io-client/dist/socket.io.min.js"
        );
        let mut child = command("gateway")
            .args(["--listen", "127.0.0.1:0", "--script", script])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let url = line.trim().rsplit(' ').next().unwrap().to_owned();
        Self { child, url, _output: output }
    }

    /// A thing of the LAN.
    fn connect(&self) -> Socket {
        let socket = Builder::new(&self.url).force_new(true).build().unwrap();
        socket.wait_connected(LIMIT).unwrap();
        socket
    }

    fn tell_to_end(&mut self) {
        let told = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(told.success());
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn shows(text: &str) -> String {
    format!("document.body.innerText.includes({text:?})")
}

#[test]
fn the_page_of_the_gateway_shows_live_readings_and_switches_a_lamp() {
    let mut gateway = Gateway::start();
    let (sensor, lamp) = (gateway.connect(), gateway.connect());
    let switches = lamp.subscribe("switch");
    lamp.timeout(LIMIT).emit_with_ack("lamp", "fan").unwrap().wait::<()>().unwrap();
    let measure = |name: &str, value: f64| sensor.emit("reading", (name, value)).unwrap();

    // A reading of before, and those that come.
    measure("kitchen", 21.5);
    sensor.timeout(LIMIT).emit_with_ack("watch", ()).unwrap().wait::<serde_json::Value>().unwrap();
    let browser = Browser::start();
    browser.open(&gateway.url);
    browser.wait_until(&format!(
        "{} && document.getElementById('state').textContent === 'connected'",
        shows("kitchen: 21.5 °C")
    ));
    measure("kitchen", 22.5);
    measure("hall", -3.0);
    browser.wait_until(&format!(
        "{} && {} && !{}",
        shows("kitchen: 22.5 °C"),
        shows("hall: -3 °C"),
        shows("21.5")
    ));

    // A person switches it, and the lamp does it.
    let is_checked = "document.getElementById('fan').checked";
    for on in [true, false] {
        browser.click("#fan");
        let told = switches.recv_timeout(LIMIT).unwrap();
        assert_eq!(told.arg::<bool>(0).unwrap(), on);
        told.ack(()).unwrap();
        browser.wait_until(&format!("{is_checked} === {on}"));
    }
    // The cloud switches it, since it is warm, and the page shows that.
    measure("kitchen", 31.5);
    let told = switches.recv_timeout(LIMIT).unwrap();
    told.ack(()).unwrap();
    browser.wait_until(is_checked);
    // Nobody is there to do it: the switch goes back.
    lamp.manager().close(LIMIT);
    browser.click("#fan");
    browser.wait_until(is_checked);

    gateway.tell_to_end();
    browser.wait_until(&shows("not connected: "));
}
