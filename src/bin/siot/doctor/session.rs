//! What sessions of this library meet: each stage, the move to WebSocket, a heartbeat.

use std::time::{Duration, Instant};

use siot::{
    EngineEvent, EngineInfo, Error, ErrorKind, ManagerEvent, PacketType, Socket, Stage, Status,
    Subscription, Transport,
};

use super::report::{Finding, Rating, Report};
use crate::args::DoctorArgs;
use crate::exit::Outcome;
use crate::joining;

/// How long saying goodbye may take.
const FAREWELL: Duration = Duration::from_secs(2);

/// What came of an attempt to connect.
#[derive(Default)]
pub(super) struct Examined {
    pub(super) uses_proxy: bool,
    pub(super) has_opened: bool,
    /// Of a session that was open long enough to be asked.
    pub(super) engine: Option<EngineInfo>,
    pub(super) error: Option<Error>,
}

/// Connects once by one transport, and reports each step when it is over.
pub(super) fn examine(
    args: &DoctorArgs,
    transport: Transport,
    report: &mut Report,
) -> Outcome<Examined> {
    let builder = args.connection.builder()?.transports([transport]);
    let socket = args.connection.socket_of(builder)?;
    let mut walk = AttemptLog {
        report,
        step: None,
        examined: Examined::default(),
        limit: args.connection.connect_timeout.saturating_mul(2),
    };
    if let Err(error) = walk.go(&socket)? {
        let check = walk.step.map_or_else(|| "connect".to_owned(), |(stage, _)| stage.to_string());
        let took = walk.step.map(|(_, since)| since.elapsed());
        let finding = Finding::of_error(check, &error);
        let is_unknown = error.kind() == ErrorKind::Refused && !args.connection.has_credentials();
        let finding = if is_unknown { finding.hint(joining::NO_CREDENTIALS) } else { finding };
        walk.report.add(match took {
            Some(took) => finding.took(took),
            None => finding,
        })?;
        walk.examined.error = Some(error);
    } else {
        let start = Instant::now();
        socket.manager().close(FAREWELL);
        walk.report.add(Finding::ok("closed", "").took(start.elapsed()))?;
    }
    Ok(walk.examined)
}

/// An attempt on its way.
struct AttemptLog<'a> {
    report: &'a mut Report,
    /// The stage that it is at, and since when.
    step: Option<(Stage, Instant)>,
    examined: Examined,
    limit: Duration,
}

impl AttemptLog<'_> {
    /// Goes as far as it can: to a joined namespace, or to what is in the way.
    fn go(&mut self, socket: &Socket) -> Outcome<Result<(), Error>> {
        let (news, statuses) = (socket.manager().events(), socket.status());
        socket.connect();
        if let Err(error) = self.open(&news)? {
            return Ok(Err(error));
        }
        self.examined.engine = socket.manager().engine();
        let end = match statuses.recv_timeout(self.limit) {
            Ok(Status::ConnectError(error) | Status::Disconnected { error: Some(error), .. })
            | Err(error) => Err(error),
            Ok(_) if socket.is_connected() => Ok(()),
            Ok(_) => Err(Error::other("the server has ended the connection")),
        };
        if end.is_ok() {
            self.enter(None)?;
        }
        Ok(end)
    }

    /// Up to an open session.
    fn open(&mut self, news: &Subscription<ManagerEvent>) -> Outcome<Result<(), Error>> {
        loop {
            match news.recv_timeout(self.limit) {
                Ok(ManagerEvent::Stage(stage)) => {
                    self.examined.uses_proxy |= stage == Stage::Proxy;
                    self.enter(Some(stage))?;
                }
                Ok(ManagerEvent::Open) => {
                    self.examined.has_opened = true;
                    self.enter(Some(Stage::Namespace))?;
                    return Ok(Ok(()));
                }
                Ok(ManagerEvent::Warning(warning)) => {
                    let detail = format!("{warning:#}");
                    self.report.add(Finding::new(Rating::Warning, "connect", detail))?;
                }
                Ok(ManagerEvent::Error(error)) | Err(error) => return Ok(Err(error)),
                Ok(_) => {}
            }
        }
    }

    /// Reports the step that is over.
    fn enter(&mut self, next: Option<Stage>) -> Outcome<()> {
        if let Some((stage, since)) = self.step {
            self.report.add(Finding::ok(stage.to_string(), "").took(since.elapsed()))?;
        }
        self.step = next.map(|stage| (stage, Instant::now()));
        Ok(())
    }
}

/// Tries to move a session from long-polling to WebSocket.
pub(super) fn upgrade(args: &DoctorArgs, report: &mut Report) -> Outcome<()> {
    let transports = [Transport::Polling, Transport::WebSocket];
    let builder = args.connection.builder()?.transports(transports);
    let socket = args.connection.socket_of(builder)?;
    let news = socket.manager().events();
    socket.connect();
    let limit = args.connection.connect_timeout;
    let mut start = Instant::now();
    let finding = loop {
        match news.recv_timeout(limit) {
            Ok(ManagerEvent::Open) => start = Instant::now(),
            Ok(ManagerEvent::Upgrade(transport)) => {
                break Finding::ok("upgrade", format!("to {transport}")).took(start.elapsed());
            }
            Ok(ManagerEvent::UpgradeError(error)) => {
                let detail = format!("the session stays on long-polling: {error:#}");
                let hint = "a proxy on the way may take no WebSocket; --transports polling saves the attempt";
                break Finding::new(Rating::Warning, "upgrade", detail).hint(hint);
            }
            Ok(ManagerEvent::Error(error)) => break Finding::of_error("upgrade", &error),
            Ok(_) => {}
            Err(_) => {
                let detail = "the server offers none, or does not answer";
                break Finding::new(Rating::Warning, "upgrade", detail);
            }
        }
    };
    socket.manager().close(FAREWELL);
    report.add(finding)
}

/// Waits for a heartbeat, where one is due in time.
pub(super) fn heartbeat(
    args: &DoctorArgs,
    examined: &[Examined],
    report: &mut Report,
) -> Outcome<()> {
    let engine = examined.iter().find_map(|examined| examined.engine.as_ref());
    let interval = engine.and_then(|engine| engine.ping_interval);
    let (Some(engine), Some(interval)) = (engine, interval) else {
        return report.add(Finding::skipped("heartbeat", "there was no session to look at"));
    };
    if interval > args.wait {
        let wait = interval.as_secs() + 2;
        let detail = format!("each {} s: --wait {wait}s waits for one", interval.as_secs());
        return report.add(Finding::skipped("heartbeat", detail));
    }
    let transport = engine.transport;
    let builder = args.connection.builder()?.transports([transport]);
    let socket = args.connection.socket_of(builder)?;
    let packets = socket.manager().engine_events();
    socket.connect();
    let start = Instant::now();
    let limit = args.wait + args.connection.connect_timeout;
    let finding = loop {
        let left = limit.saturating_sub(start.elapsed());
        match packets.recv_timeout(left) {
            Ok(EngineEvent::Packet(packet))
                if matches!(packet.packet_type(), PacketType::Ping | PacketType::Pong) =>
            {
                break Finding::ok("heartbeat", "").took(start.elapsed());
            }
            Ok(_) => {}
            Err(_) => {
                let detail = format!("none within {} s", start.elapsed().as_secs());
                break Finding::new(Rating::Failed, "heartbeat", detail)
                    .hint("something on the way may hold packets back: a proxy that buffers?");
            }
        }
    };
    socket.manager().close(FAREWELL);
    report.add(finding)
}
