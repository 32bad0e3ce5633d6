//! `siot emit`: sends events, and waits until they are delivered.

use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, bounded, select};
use siot::{Socket, Status, Subscription, Value};

use crate::args::EmitArgs;
use crate::clock::Deadline;
use crate::exit::{EarlyEnd, Exit, Outcome};
use crate::format::Lines;
use crate::input::{self, EventInput};
use crate::messages::Messages;
use crate::progress::ProgressLine;
use crate::stop::Stop;
use crate::{joining, output, stop};

pub(crate) fn run(args: &EmitArgs, values: &[Value], messages: Messages) -> Outcome {
    let stop = stop::signals()?;
    let socket = args.connection.socket(args.attempts.retry)?;
    let statuses = socket.status();
    let mut sender = Sender {
        args,
        socket: &socket,
        statuses,
        stop,
        lines: Lines::new(args.format, None)?,
        progress: None,
        deadline: args.connecting(),
        messages,
    };
    let result = sender.send_all(values);
    let limit = match (&result, sender.deadline.left()) {
        (Ok(_), Some(left)) if !left.is_zero() => left,
        _ => sender.deadline.farewell(),
    };
    let closed = sender.close(limit);
    match result? {
        cut_short @ Exit::Signal(_) => Ok(cut_short),
        exit => closed.map(|end| if end == Exit::Success { exit } else { end }),
    }
}

struct Sender<'a> {
    args: &'a EmitArgs,
    socket: &'a Socket,
    statuses: Subscription<Status>,
    stop: Receiver<Stop>,
    lines: Lines,
    /// Of the event that is on its way.
    progress: Option<ProgressLine>,
    /// Of the connection at first, and then of the event that is on its way.
    deadline: Deadline,
    messages: Messages,
}

impl Sender<'_> {
    /// Emits what there is to emit, each behind the answer to the one before if answers are awaited.
    fn send_all(&mut self, values: &[Value]) -> Outcome {
        let connection = &self.args.connection;
        let joined = joining::join(
            connection,
            self.args.attempts,
            self.socket,
            &self.statuses,
            &self.stop,
            self.deadline,
            self.messages,
        )?;
        if let Some(stop) = joined {
            return Ok(stop.cut_short());
        }
        if let Some(name) = self.args.event.as_deref().filter(|_| !self.args.lines) {
            self.deadline = self.args.delivery();
            return self.send(EventInput::new(name, values.to_vec()));
        }
        self.send_lines(values)
    }

    /// Emits an event for each line of standard input.
    fn send_lines(&mut self, values: &[Value]) -> Outcome {
        let mut end = Exit::Success;
        let lines = input::lines()?;
        loop {
            let line = select! {
                recv(lines) -> line => line,
                recv(self.statuses.receiver()) -> status => {
                    self.hear(status.ok().as_ref())?;
                    continue;
                }
                recv(self.stop) -> stop => return Ok(stop.map_or(Exit::Failed, Stop::cut_short)),
            };
            self.deadline = Deadline::after(self.args.limit());
            // It ends with standard input.
            let Ok(line) = line else { return Ok(end) };
            let line = line?;
            let item = match input::item(&line, self.args, values) {
                Ok(item) => item,
                Err(failure) if self.args.skip_invalid => {
                    self.messages.error(failure.text);
                    end = Exit::Failed;
                    continue;
                }
                Err(failure) => return Err(failure),
            };
            let what = format!("{line} ({:?})", item.name);
            match self.send(item).map_err(|failure| failure.about(&what))? {
                Exit::Success => {}
                exit => return Ok(exit),
            }
        }
    }

    fn send(&mut self, item: EventInput) -> Outcome {
        let limit = self.deadline.left().unwrap_or_else(|| self.args.limit());
        if limit.is_zero() {
            return Err(EarlyEnd::new(Exit::Timeout, "the time is up, and nothing is sent"));
        }
        let emitter = self.socket.timeout(limit);
        let name = item.name.clone();
        let (manager, bytes) = (self.socket.manager(), item.binary_bytes());
        self.progress = ProgressLine::start(self.messages, manager, bytes);
        if !self.args.ack {
            emitter.emit(&name, item.args())?;
            return Ok(Exit::Success);
        }
        let reply = emitter.emit_with_ack(&name, item.args())?.receiver();
        loop {
            select! {
                recv(reply) -> reply => {
                    let reply = reply.map_err(|_| EarlyEnd::new(Exit::Lost, "no answer"))??;
                    let line = self.lines.reply(&reply)?;
                    return output::line(&line).map(|_| Exit::Success);
                }
                recv(self.statuses.receiver()) -> status => self.hear(status.ok().as_ref())?,
                recv(self.stop) -> stop => return Ok(stop.map_or(Exit::Failed, Stop::cut_short)),
            }
        }
    }

    fn hear(&self, status: Option<&Status>) -> Outcome<()> {
        match status.and_then(|status| joining::of(status, self.messages)) {
            Some(failure) => Err(failure),
            None => Ok(()),
        }
    }

    /// Waits until all is delivered, and says goodbye. That can be cut short too.
    fn close(self, limit: Duration) -> Outcome {
        let (sender, closed) = bounded(1);
        let manager = self.socket.manager().clone();
        // It ends with the process, if not before.
        thread::Builder::new()
            .name("close".into())
            .spawn(move || sender.send(manager.close(limit).len()))
            .map_err(|error| EarlyEnd::local("the end", error))?;
        select! {
            recv(closed) -> undelivered => match undelivered {
                Ok(0) => Ok(Exit::Success),
                Ok(1) => Err(EarlyEnd::new(Exit::Failed, "the event was not delivered")),
                Ok(count) => {
                    let text = format!("{count} events were not delivered");
                    Err(EarlyEnd::new(Exit::Failed, text))
                }
                Err(_) => Err(EarlyEnd::new(Exit::Failed, "the connection did not end")),
            },
            recv(self.stop) -> stop => Ok(stop.map_or(Exit::Failed, Stop::cut_short)),
        }
    }
}
