//! `siot serve`: a server to try things with.

use std::net::Ipv4Addr;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded, select};
use siot::server::{Server, ServerNamespace, ServerSocket};
use siot::{ArgList, Cors, ErrorKind, Event, ServerTls};

use crate::args::ServeArgs;
use crate::exit::{EarlyEnd, Exit, Outcome};
use crate::format::Lines;
use crate::messages::Messages;
use crate::stop::Stop;
use crate::{output, stop};

/// How many events may wait to be printed. Behind them handlers wait, and then who sends.
const UNPRINTED: usize = 64;

/// How long clients have for what is left for them at the end.
const FAREWELL: Duration = Duration::from_secs(5);

pub(crate) fn run(args: &ServeArgs, messages: Messages) -> Outcome {
    let stop = stop::signals_and_reader()?;
    let mut printing =
        PrintedEvents { lines: Lines::new(args.format, args.save.clone())?, messages };
    let (came, events) = bounded(UNPRINTED);
    let server = start(args, |server| {
        attend(server, &came, messages);
        for name in &args.namespace {
            attend(&server.of(name), &came, messages);
        }
    })?;
    drop(came);
    let scheme = if args.cert.is_some() { "https" } else { "http" };
    for address in server.local_addrs() {
        messages.say(format_args!("listening at {scheme}://{address}"));
    }
    let end = printing.follow(&events, &stop);
    server.close(FAREWELL);
    drop(server);
    // Handlers that run still bring what came before the end; without them, nobody could bring any more.
    end.and_then(|exit| {
        while let Ok(event) = events.recv_timeout(FAREWELL) {
            if !printing.print(&event)? {
                break;
            }
        }
        Ok(exit)
    })
}

fn start(args: &ServeArgs, prepare: impl FnOnce(&Server)) -> Outcome<Server> {
    let cors = args.origin.iter().fold(Cors::new(), |cors, origin| match origin.as_str() {
        "*" => cors.any_origin(),
        origin => cors.origin(origin),
    });
    let mut builder = Server::builder()
        .path(&args.path)
        .transports(args.transports.iter().copied())
        .parser(args.parser)
        .allow_eio3(true)
        .cors(cors);
    if let (Some(cert), Some(key)) = (&args.cert, &args.key) {
        builder = builder.tls(ServerTls::files(cert, key));
    }
    let server = match args.address.parse::<u16>() {
        Ok(port) => builder.bind_with((Ipv4Addr::LOCALHOST, port), prepare),
        Err(_) => builder.bind_with(&*args.address, prepare),
    };
    server.map_err(|error| {
        let is_taken = error.kind() == ErrorKind::Resource;
        let failure = EarlyEnd::from(error).about(&args.address);
        if is_taken { EarlyEnd { exit: Exit::Local, ..failure } } else { failure }
    })
}

/// Says what a namespace does: tells of all that happens, and plays its part.
fn attend(namespace: &ServerNamespace, came: &Sender<Event>, messages: Messages) {
    namespace.on_connection(move |socket| {
        let from = socket.handshake().address();
        let from = from.map_or("nowhere".to_owned(), |address| address.to_string());
        messages.say(format_args!("{} has come, from {from}", socket.id()));
    });
    namespace.on_disconnect(move |socket, reason| {
        messages.say(format_args!("{} has gone, {reason}", socket.id()));
    });
    let came = came.clone();
    namespace.on_any(move |socket, event| {
        // It fails when nobody prints any more.
        let _ = came.send(event.clone());
        play(socket, &event)
    });
}

fn play(socket: &ServerSocket, event: &Event) -> siot::Result<()> {
    let name = event.name();
    match name {
        "echo" if event.wants_ack() => return event.ack(event.args::<ArgList>()?),
        "broadcast" => drop(socket.broadcast().emit(name, event.args::<ArgList>()?)?),
        "join" => socket.join(&event.arg::<String>(0)?),
        "leave" => socket.leave(&event.arg::<String>(0)?),
        "say" => {
            let room: String = event.arg(0)?;
            drop(socket.to(&room).emit(name, event.args::<ArgList>()?)?);
        }
        _ => {}
    }
    if event.wants_ack() { event.ack(()) } else { Ok(()) }
}

struct PrintedEvents {
    lines: Lines,
    messages: Messages,
}

impl PrintedEvents {
    fn follow(&mut self, events: &Receiver<Event>, stop: &Receiver<Stop>) -> Outcome {
        loop {
            select! {
                recv(events) -> event => {
                    let event = event.map_err(|_| EarlyEnd::new(Exit::Failed, "the server has ended"))?;
                    if !self.print(&event)? {
                        return Ok(Exit::Success);
                    }
                }
                // Serving without an end is ended so.
                recv(stop) -> _ => return Ok(Exit::Success),
            }
        }
    }

    /// `false`: nobody reads any more.
    fn print(&mut self, event: &Event) -> Outcome<bool> {
        match self.lines.event(event) {
            Ok(line) => output::line(&line),
            // Of one event that cannot be shown; a full disk ends it.
            Err(failure) if failure.exit == Exit::Failed => {
                self.messages.error(format_args!("{:?}: {}", event.name(), failure.text));
                Ok(true)
            }
            Err(failure) => Err(failure),
        }
    }
}
