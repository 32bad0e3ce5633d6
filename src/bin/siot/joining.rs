//! From a socket to one that is connected, and what is said of its connection.

use std::time::Duration;

use crossbeam_channel::{Receiver, after, never, select};
use siot::{Socket, Status, Subscription, Update};

use crate::args::connection::{Attempts, ConnectionArgs};
use crate::clock::Deadline;
use crate::exit::{self, EarlyEnd, Exit, Outcome};
use crate::messages::Messages;
use crate::stop::Stop;

/// Connects, and waits until the namespace is joined; `Some` when it was stopped before.
pub(crate) fn join(
    connection: &ConnectionArgs,
    Attempts { retry, once }: Attempts,
    socket: &Socket,
    statuses: &Subscription<Status>,
    stop: &Receiver<Stop>,
    deadline: Deadline,
    messages: Messages,
) -> Outcome<Option<Stop>> {
    // Behind what limits each step of the attempt.
    let limit = connection.connect_timeout.saturating_mul(2) + Duration::from_secs(1);
    let late = if retry { never() } else { after(limit) };
    let up = deadline.reached();
    socket.connect();
    loop {
        let status = select! {
            recv(statuses.receiver()) -> status => status,
            recv(stop) -> stop => return Ok(stop.ok()),
            recv(up) -> _ => {
                let text = "the time is up, and there is no connection";
                return Err(EarlyEnd::new(Exit::Timeout, text));
            }
            recv(late) -> _ => return Err(EarlyEnd::new(Exit::Connect, "no connection in time")),
        };
        match status {
            Ok(Status::Connected { .. }) => break,
            Ok(status) => {
                if let Some(failure) = of(&status, messages) {
                    let mut text = failure.text;
                    if failure.exit == Exit::Refused && !connection.has_credentials() {
                        text += "; ";
                        text += NO_CREDENTIALS;
                    }
                    return Err(EarlyEnd::new(connecting(failure.exit), text));
                }
            }
            Err(_) => return Err(EarlyEnd::new(Exit::Connect, "the connection was closed")),
        }
    }
    if retry == once {
        socket.manager().update(Update::new().reconnection(!once))?;
    }
    Ok(None)
}

/// What is added to a refusal.
pub(crate) const NO_CREDENTIALS: &str = "of credentials, none were sent: --auth-file or SIOT_AUTH";

/// Says what is new; gives why the connection has ended for good, if it has.
pub(crate) fn of(status: &Status, messages: Messages) -> Option<EarlyEnd> {
    let next = status.retry_in();
    match status {
        Status::Connected { id, .. } => messages.say(format_args!("connected again as {id}")),
        Status::ConnectError(error) => match next {
            Some(next) => {
                let (words, wait) = (exit::words(error), next.as_secs_f64());
                messages.say(format_args!("{words}; next attempt in {wait:.1} s"));
            }
            None => return Some(EarlyEnd::connecting(error)),
        },
        Status::Disconnected { reason, error, .. } => {
            let cause = error.as_ref().map(|error| format!(": {error:#}")).unwrap_or_default();
            let text = format!("disconnected, {reason}{cause}");
            match next {
                Some(next) => {
                    messages
                        .say(format_args!("{text}; next attempt in {:.1} s", next.as_secs_f64()));
                }
                None => return Some(EarlyEnd::new(Exit::Lost, text)),
            }
        }
        Status::Error(error) => messages.say(format_args!("the server reports: {error}")),
        Status::Dropped { events, reason, .. } => {
            messages.say(format_args!("{events} events are lost: {reason}"));
        }
        _ => {}
    }
    None
}

/// Before there was a connection, its loss is that of the attempt.
fn connecting(exit: Exit) -> Exit {
    if exit == Exit::Lost { Exit::Connect } else { exit }
}
