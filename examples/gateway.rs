//! A gateway of a LAN: a client of its cloud, and the server of its own page, sensors and lamps, at once.
//!
//! ```sh
//! cargo run --example gateway [-- URL] [--listen ADDRESS] [--script FILE]
//! ```
//!
//! The URL is that of your cloud; without one it has a small cloud of its own. With `--listen 0.0.0.0:3000` it
//! serves the LAN until SIGTERM or SIGINT; without it, it tries a sensor, a lamp and a page itself, and ends. A cloud of
//! yours gets `reading` with a sensor and a value, and may emit `switch` with a lamp and true or false, which is
//! acknowledged once the lamp has done it. The page, `gateway.html`, needs the JavaScript client: `--script` names it, such as
//! `node_modules/socket.io-client/dist/socket.io.min.js`.

use std::collections::BTreeMap;
use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use siot::server::{HttpReply, HttpRequest, Server, ServerNamespace};
use siot::{Builder, Event, Limits, Socket, WhenFull};
use siot_examples::{Arguments, ExampleServer, until_told};

const LIMIT: Duration = Duration::from_secs(10);

/// The last value of each sensor, for a page that is opened later.
type Readings = Arc<Mutex<BTreeMap<String, f64>>>;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::read(include_str!("gateway.rs"), &["--listen", "--script"]);
    let listen: Option<SocketAddr> = arguments.option("--listen");
    let cloud = ExampleServer::of(&arguments, Server::builder(), cool)?;
    let script: Option<PathBuf> = arguments.option("--script");
    let script = script.map(std::fs::read_to_string).transpose()?;
    let page = move |request: &HttpRequest| page(request, script.as_deref());
    let lan = Server::builder().fallback(page);
    // In the background, and again until there is a network: the LAN works without it.
    let uplink = Builder::new(cloud.url())
        .limits(Limits::new().send_events(1000).when_send_full(WhenFull::DropOldest))
        .auto_connect(false)
        .build()?;
    let address = listen.unwrap_or(([127, 0, 0, 1], 0).into());
    let lan = lan.bind_with(address, |lan| serve(lan, &uplink))?;
    follow(&uplink, &lan)?;
    uplink.connect();

    let url = format!("http://{}", lan.local_addrs()[0]);
    println!("the LAN is served at {url}");
    if listen.is_some() {
        until_told()?;
    } else {
        uplink.wait_connected(cloud.limit())?;
        try_out(&url, cloud.limit())?;
    }
    lan.close(LIMIT);
    for event in uplink.manager().close(LIMIT) {
        println!("not delivered: {}", event.json());
    }
    println!("closed");
    Ok(())
}

/// What a browser gets.
fn page(request: &HttpRequest, script: Option<&str>) -> HttpReply {
    match (request.path(), script) {
        ("/", _) => HttpReply::ok("text/html; charset=utf-8", include_str!("gateway.html")),
        ("/client.js", Some(script)) => HttpReply::ok("text/javascript", script.to_owned()),
        _ => HttpReply::new(404),
    }
}

/// What the LAN can do.
fn serve(lan: &Server, uplink: &Socket) {
    let readings = Readings::default();
    let (uplink, last) = (uplink.clone(), Arc::clone(&readings));
    lan.on("reading", move |socket, event| {
        let (sensor, value): (String, f64) = event.args()?;
        socket.to("page").emit("reading", (&sensor, value))?;
        // Kept while there is no network; the oldest give way.
        uplink.emit("reading", (&sensor, value))?;
        last.lock().unwrap_or_else(PoisonError::into_inner).insert(sensor, value);
        Ok::<_, siot::Error>(())
    });
    lan.on("watch", move |socket, event| {
        // First the room, then the state: what comes between is told twice rather than never.
        socket.join("page");
        let last = readings.lock().unwrap_or_else(PoisonError::into_inner).clone();
        event.ack(last)
    });
    lan.on("lamp", |socket, event| {
        socket.join(&lamp_room(&event.arg::<String>(0)?));
        event.ack(())
    });
    // The page asks the gateway, in whose handler the lamp is asked.
    lan.on("switch", |socket, event| {
        let (lamp, on): (String, bool) = event.args()?;
        event.ack(switch(&socket.namespace(), &lamp, on)?)
    });
}

/// What the cloud may ask for.
fn follow(uplink: &Socket, lan: &Server) -> siot::Result<()> {
    let lan = (**lan).clone();
    uplink.on("switch", move |event| {
        if let Err(error) = follow_one(&event, &lan) {
            println!("cannot do {}: {error:#}", event.json());
        }
    })?;
    Ok(())
}

fn follow_one(event: &Event, lan: &ServerNamespace) -> siot::Result<()> {
    let (lamp, on): (String, bool) = event.args()?;
    let done = switch(lan, &lamp, on)?;
    if event.wants_ack() { event.ack(done) } else { Ok(()) }
}

/// Asks all lamps of this name; `true`: there are some, and all have done it. Pages are told.
fn switch(lan: &ServerNamespace, lamp: &str, on: bool) -> siot::Result<bool> {
    let asked = lan.to(&lamp_room(lamp)).timeout(LIMIT).emit_with_ack("switch", on)?;
    let replies = asked.wait()?.answers;
    let done = !replies.is_empty() && replies.iter().all(|reply| reply.answer.is_ok());
    if done {
        lan.to("page").emit("switched", (lamp, on))?;
    }
    Ok(done)
}

fn lamp_room(lamp: &str) -> String {
    format!("lamp {lamp}")
}

/// A sensor, a lamp and a page.
fn try_out(url: &str, limit: Duration) -> Result<(), Box<dyn Error>> {
    let connect = || Builder::new(url).force_new(true).build();
    let (page, fan, sensor) = (connect()?, connect()?, connect()?);
    let [readings, switched] = ["reading", "switched"].map(|event| page.subscribe(event));
    fan.on("switch", |event| {
        println!("  the fan is told: {}", event.json());
        // It fails when the gateway has gone meanwhile.
        let _ = event.ack(());
    })?;
    fan.timeout(limit).emit_with_ack("lamp", "fan")?.wait::<()>()?;
    let last = page.timeout(limit).emit_with_ack("watch", ())?;
    println!("the page knows {:?}", last.wait::<BTreeMap<String, f64>>()?);

    sensor.emit("reading", ("kitchen", 31.5))?;
    let (name, value): (String, f64) = readings.recv_timeout(limit)?.args()?;
    println!("the page shows {name}: {value} °C");
    // The cloud has the reading too, and finds it warm.
    let (lamp, on): (String, bool) = switched.recv_timeout(limit)?.args()?;
    println!("the page shows {lamp}: {on}, as the cloud wants it");
    let off = page.timeout(limit).emit_with_ack("switch", ("fan", false))?;
    println!("the page has switched it off: {}", off.wait::<bool>()?);
    for socket in [page, fan, sensor] {
        socket.manager().close(limit);
    }
    Ok(())
}

/// A cloud that has a fan switched on where it is warm.
fn cool(cloud: &Server) {
    cloud.on("reading", |gateway, event| {
        let (_, celsius): (String, f64) = event.args()?;
        if celsius > 30.0 { gateway.emit("switch", ("fan", true)) } else { Ok(()) }
    });
}
