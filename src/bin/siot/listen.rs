//! `siot listen`: prints the events that come.

use crossbeam_channel::{Receiver, select};
use siot::{ArgList, Event, Socket, Status, Subscription, Value};

use crate::args::ListenArgs;
use crate::clock::Deadline;
use crate::exit::{EarlyEnd, Exit, Outcome};
use crate::format::Lines;
use crate::messages::Messages;
use crate::stop::Stop;
use crate::{joining, json, output, stop};

pub(crate) fn run(args: &ListenArgs, messages: Messages) -> Outcome {
    let stop = stop::signals_and_reader()?;
    let mut listener = Printing::new(args, messages)?;
    let socket = args.connection.socket(args.attempts.retry)?;
    let events = socket.subscribe_any();
    let deadline = args.timeout.map_or(Deadline::NEVER, Deadline::of);
    let end = listener.listen(&socket, &events, &stop, deadline);
    socket.manager().close(deadline.farewell());
    match end {
        // What came before the end is there still.
        Err(failure) if matches!(failure.exit, Exit::Lost | Exit::Refused) => {
            let mut rest = events.iter().map(|event| listener.take(&event));
            rest.find_map(Outcome::transpose).unwrap_or(Err(failure))
        }
        end => end,
    }
}

struct Printing<'a> {
    args: &'a ListenArgs,
    answer: ArgList,
    lines: Lines,
    /// How many events may still come; `None` is any number.
    left: Option<u64>,
    messages: Messages,
}

impl<'a> Printing<'a> {
    fn new(args: &'a ListenArgs, messages: Messages) -> Outcome<Self> {
        let answer: Result<Vec<Value>, String> =
            args.answer.iter().map(|text| json::parse(text)).collect();
        Ok(Self {
            args,
            answer: answer
                .map_err(|error| EarlyEnd::usage(format!("--answer: no JSON: {error}")))?
                .into(),
            lines: Lines::new(args.format, args.save.clone())?,
            left: args.count,
            messages,
        })
    }

    fn listen(
        &mut self,
        socket: &Socket,
        events: &Subscription<Event>,
        stop: &Receiver<Stop>,
        deadline: Deadline,
    ) -> Outcome {
        let late = deadline.reached();
        let statuses: Subscription<Status> = socket.status();
        let ListenArgs { connection, attempts, .. } = self.args;
        let joined =
            joining::join(connection, *attempts, socket, &statuses, stop, deadline, self.messages)?;
        if let Some(stop) = joined {
            return Ok(stop.cut_short());
        }
        let id = socket.id().unwrap_or_default();
        self.messages.say(format_args!("connected to {} as {id}", connection.place()));
        loop {
            select! {
                recv(events.receiver()) -> event => {
                    let event = event.map_err(|_| closed())?;
                    if let Some(exit) = self.take(&event)? {
                        return Ok(exit);
                    }
                }
                recv(statuses.receiver()) -> status => {
                    let status = status.map_err(|_| closed())?;
                    if let Some(failure) = joining::of(&status, self.messages) {
                        return Err(failure);
                    }
                }
                recv(stop) -> stop => return Ok(match stop {
                    // Listening without an end is ended so.
                    Ok(Stop::Signal(_)) | Err(_) if self.left.is_none() => Exit::Success,
                    Ok(stop) => stop.cut_short(),
                    Err(_) => Exit::Failed,
                }),
                recv(late) -> _ => return match self.left {
                    None => Ok(Exit::Success),
                    Some(left) => {
                        let missing = if left == 1 { "event is" } else { "events are" };
                        let text = format!("the time is up, and {left} {missing} missing");
                        Err(EarlyEnd::new(Exit::Timeout, text))
                    }
                },
            }
        }
    }

    /// Answers and prints an event, if it is wanted; gives how to end, if it was the last.
    fn take(&mut self, event: &Event) -> Outcome<Option<Exit>> {
        let wanted = &self.args.events;
        if !wanted.is_empty() && !wanted.iter().any(|name| name == event.name()) {
            return Ok(None);
        }
        let line = match self.lines.event(event) {
            Ok(line) => line,
            // Of one event that cannot be shown; a full disk ends it.
            Err(failure) if failure.exit == Exit::Failed => {
                self.messages.error(format_args!("{:?}: {}", event.name(), failure.text));
                return Ok(None);
            }
            Err(failure) => return Err(failure),
        };
        if !output::line(&line)? {
            return Ok(Some(Exit::Success));
        }
        if event.wants_ack() && !self.args.answer.is_empty() {
            if let Err(error) = event.ack(&self.answer) {
                self.messages.error(format_args!("no answer to {:?}: {error:#}", event.name()));
            }
        }
        self.left = self.left.map(|left| left - 1);
        Ok((self.left == Some(0)).then_some(Exit::Success))
    }
}

fn closed() -> EarlyEnd {
    EarlyEnd::new(Exit::Lost, "the connection was closed")
}
