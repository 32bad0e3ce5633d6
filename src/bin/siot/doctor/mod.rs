//! `siot doctor`: walks the way to a server, and says how far it goes.

mod authority;
mod certificates;
mod date;
mod probe;
mod report;
mod session;
mod tunnel;

use siot::{EngineInfo, Error, ErrorKind, Stage, Transport};

use self::report::{Finding, Rating, Report};
use self::session::Examined;
use crate::args::DoctorArgs;
use crate::exit::{Exit, Outcome};

pub(crate) fn run(args: &DoctorArgs) -> Outcome {
    let mut report = Report::new(args.json);
    let transports = &args.connection.transports;
    let mut examined = Vec::new();
    for &transport in transports {
        report.section(&format!("{} by {transport}", args.connection.place()))?;
        examined.push(session::examine(args, transport, &mut report)?);
        if !report.is_read() {
            return Ok(Exit::Success);
        }
    }
    report.section("the server")?;
    describe(&examined, &mut report)?;
    let uses_proxy = examined.iter().any(|examined| examined.uses_proxy);
    let is_tls = |error: &Error| error.kind() == ErrorKind::Connect(Stage::Tls);
    let untrusted = examined.iter().any(|examined| examined.error.as_ref().is_some_and(is_tls));
    probe::examine(&args.connection, uses_proxy, untrusted, &mut report)?;
    report.section("the session")?;
    if transports.contains(&Transport::Polling) && transports.contains(&Transport::WebSocket) {
        let all = |is_so: fn(&Examined) -> bool| examined.iter().all(is_so);
        if all(|examined| examined.error.is_none()) {
            session::upgrade(args, &mut report)?;
        } else if all(|examined| examined.has_opened) {
            let why = "both of the transports work, but the namespace is not joined";
            report.add(Finding::skipped("upgrade", why))?;
        } else {
            let why = "not both of the transports work";
            report.add(Finding::skipped("upgrade", why))?;
        }
    }
    session::heartbeat(args, &examined, &mut report)?;
    report.sum_up()?;
    Ok(verdict(&examined, &report))
}

fn verdict(examined: &[Examined], report: &Report) -> Exit {
    let errors: Vec<_> = examined.iter().filter_map(|examined| examined.error.as_ref()).collect();
    if errors.len() < examined.len() {
        return if report.has_failures() { Exit::Failed } else { Exit::Success };
    }
    let is_refused = errors.iter().all(|error| error.kind() == ErrorKind::Refused);
    if is_refused { Exit::Refused } else { Exit::Connect }
}

/// What the server has said of itself.
fn describe(examined: &[Examined], report: &mut Report) -> Outcome<()> {
    let engine: Option<&EngineInfo> = examined.iter().find_map(|examined| examined.engine.as_ref());
    let Some(engine) = engine else {
        return report.add(Finding::skipped("revision", "there was no session to look at"));
    };
    let servers = if engine.protocol < 4 { "1.x and 2.x" } else { "3.x and 4.x" };
    let revision = format!("Engine.IO {}, as servers {servers} speak it", engine.protocol);
    report.add(Finding::ok("revision", revision))?;
    let seconds = |time: Option<std::time::Duration>| time.unwrap_or_default().as_secs_f64();
    let (interval, timeout) = (seconds(engine.ping_interval), seconds(engine.ping_timeout));
    let rhythm = format!("each {interval} s, at most {timeout} s late");
    report.add(Finding::ok("heartbeats", rhythm))?;
    if interval + timeout > 120.0 {
        let detail = format!("a dead connection is noticed after {} s only", interval + timeout);
        report.add(
            Finding::new(Rating::Warning, "heartbeats", detail)
                .hint("lower `pingInterval` and `pingTimeout` of the server"),
        )?;
    }
    match engine.max_payload {
        Some(bytes) => report.add(Finding::ok("messages", format!("up to {bytes} bytes"))),
        None => Ok(()),
    }
}
