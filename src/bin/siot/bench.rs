//! `siot bench`: round trips by acknowledgement, and how fast events can be sent.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, select};
use serde_json::json;
use siot::{AckReply, ManagerEvent, Socket, Status, Subscription, Transport};

use crate::args::BenchArgs;
use crate::args::connection::Attempts;
use crate::clock::Deadline;
use crate::exit::{EarlyEnd, Exit, Outcome};
use crate::messages::Messages;
use crate::stop::Stop;
use crate::{joining, output, stop};

/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(10);
/// What is behind all that was sent may wait long for its answer.
const LAST_LIMIT: Duration = Duration::from_secs(60);
/// A server that offers no upgrade does not say so.
const UPGRADE_LIMIT: Duration = Duration::from_secs(2);
const FAREWELL: Duration = Duration::from_secs(2);
/// The most round trips whose times are kept, of 4 bytes each.
const MOST_TIMES: usize = 4 << 20;

pub(crate) fn run(args: &BenchArgs, messages: Messages) -> Outcome {
    let stop = stop::signals_and_reader()?;
    let socket = args.connection.socket(args.retry)?;
    let (statuses, news) = (socket.status(), socket.manager().events());
    let joined = joining::join(
        &args.connection,
        Attempts { retry: args.retry, once: true },
        &socket,
        &statuses,
        &stop,
        Deadline::NEVER,
        messages,
    )?;
    if let Some(stop) = joined {
        return Ok(stop.cut_short());
    }
    wait_for_upgrade(args, &news);
    let transport = socket.manager().transport();
    let mut bench = Measurement {
        socket: &socket,
        statuses: &statuses,
        event: &args.event,
        text: "x".repeat(args.size as usize),
        stop,
        stopped: None,
    };
    let result = bench.measure(args);
    let stopped = bench.stopped;
    // What waits in vain after a loss is given back by this, and is of no interest.
    socket.manager().close(FAREWELL);
    let (trips, emits) = result?;
    let by = transport.map(|transport| transport.to_string()).unwrap_or_default();
    print(args, &by, &trips, &emits)?;
    Ok(stopped.map_or(Exit::Success, Stop::cut_short))
}

/// Lets a session settle on the transport that it stays with.
fn wait_for_upgrade(args: &BenchArgs, news: &Subscription<ManagerEvent>) {
    if args.connection.transports != [Transport::Polling, Transport::WebSocket] {
        return;
    }
    let deadline = Instant::now() + UPGRADE_LIMIT;
    while let Ok(event) = news.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        if matches!(event, ManagerEvent::Upgrade(_) | ManagerEvent::UpgradeError(_)) {
            return;
        }
    }
}

struct Measurement<'a> {
    socket: &'a Socket,
    statuses: &'a Subscription<Status>,
    event: &'a str,
    text: String,
    stop: Receiver<Stop>,
    stopped: Option<Stop>,
}

/// How long each round trip took, in microseconds, in ascending order; and all together.
struct Trips {
    micros: Vec<u32>,
    took: Duration,
}

/// How many events were sent, and how long it was until the server had read them.
struct Emits {
    count: u64,
    took: Duration,
}

impl Measurement<'_> {
    fn measure(&mut self, args: &BenchArgs) -> Outcome<(Trips, Emits)> {
        let trips = self.round_trips(args.window as usize, args.time)?;
        Ok((trips, self.emits(args.time)?))
    }

    /// Keeps so many round trips under way for this time.
    fn round_trips(&mut self, window: usize, time: Duration) -> Outcome<Trips> {
        let mut micros = Vec::new();
        let mut under_way = VecDeque::with_capacity(window);
        let start = Instant::now();
        loop {
            let goes_on = start.elapsed() < time
                && self.stopped.is_none()
                && micros.len() + under_way.len() < MOST_TIMES;
            while goes_on && under_way.len() < window {
                under_way.push_back((Instant::now(), self.ask(LIMIT)?));
            }
            let Some((since, answer)) = under_way.pop_front() else { break };
            if !self.wait(&answer)? {
                break;
            }
            micros.push(u32::try_from(since.elapsed().as_micros()).unwrap_or(u32::MAX));
        }
        let took = start.elapsed();
        micros.sort_unstable();
        Ok(Trips { micros, took })
    }

    /// Emits for this time, and asks then whether all has come.
    fn emits(&mut self, time: Duration) -> Outcome<Emits> {
        let (start, mut count) = (Instant::now(), 0);
        while start.elapsed() < time && self.stopped.is_none() {
            let emitted = self.socket.timeout(LIMIT).emit(self.event, &*self.text);
            emitted.map_err(|error| self.lost().unwrap_or_else(|| error.into()))?;
            // What is emitted behind a loss would wait for a connection that does not come.
            self.lost().map_or(Ok(()), Err)?;
            count += 1;
            self.stopped = self.stopped.or(self.stop.try_recv().ok());
        }
        if self.stopped.is_none() {
            let last = self.ask(LAST_LIMIT)?;
            self.wait(&last)?;
        }
        Ok(Emits { count, took: start.elapsed() })
    }

    /// How the connection was lost, if it was.
    fn lost(&self) -> Option<EarlyEnd> {
        let mut news = std::iter::from_fn(|| self.statuses.try_recv());
        news.find_map(|status| match status {
            Status::Disconnected { reason, .. } => {
                Some(EarlyEnd::new(Exit::Lost, format!("disconnected: {reason}")))
            }
            _ => None,
        })
    }

    fn ask(&self, limit: Duration) -> Outcome<Receiver<siot::Result<AckReply>>> {
        Ok(self.socket.timeout(limit).emit_with_ack(self.event, &*self.text)?.receiver())
    }

    /// `false`: it was stopped before.
    fn wait(&mut self, answer: &Receiver<siot::Result<AckReply>>) -> Outcome<bool> {
        select! {
            recv(answer) -> reply => match reply {
                Ok(Ok(_)) => Ok(true),
                Ok(Err(error)) if error.is_timeout() => Err(EarlyEnd::new(
                    Exit::Timeout,
                    format!("no answer to {:?}: does the server acknowledge it?", self.event),
                )),
                Ok(Err(error)) => Err(error.into()),
                Err(_) => Err(EarlyEnd::new(Exit::Lost, "no answer")),
            },
            recv(self.stop) -> stop => {
                self.stopped = stop.ok();
                Ok(false)
            }
        }
    }
}

fn per_second(count: f64, time: Duration) -> f64 {
    count / time.as_secs_f64().max(1e-9)
}

/// The time that this part of the round trips did not exceed, in milliseconds.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn percentile(micros: &[u32], part: f64) -> f64 {
    let rank = (micros.len() as f64 * part).ceil() as usize;
    let value = micros.get(rank.saturating_sub(1).min(micros.len().saturating_sub(1)));
    f64::from(value.copied().unwrap_or_default()) / 1000.0
}

#[allow(clippy::cast_precision_loss, reason = "nobody counts to 2^53 here")]
fn print(args: &BenchArgs, by: &str, trips: &Trips, emits: &Emits) -> Outcome<()> {
    let part = |part| percentile(&trips.micros, part);
    let trip_rate = per_second(trips.micros.len() as f64, trips.took);
    let emit_rate = per_second(emits.count as f64, emits.took);
    let text = if args.json {
        json!({
            "transport": by,
            "size": args.size,
            "window": args.window,
            "round_trips": trips.micros.len(),
            "round_trips_per_second": trip_rate,
            "latency_ms": {
                "p50": part(0.5), "p90": part(0.9), "p99": part(0.99), "p99.9": part(0.999),
                "max": part(1.0),
            },
            "emits": emits.count,
            "emits_per_second": emit_rate,
        })
        .to_string()
    } else {
        let megabytes = emit_rate * f64::from(args.size) / 1e6;
        format!(
            "round trips  {trip_rate:.0} per second: {} of {} bytes by {by}, {} under way\n\
             latency      p50 {:.2} ms, p90 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms, max {:.2} ms\n\
             emits        {emit_rate:.0} per second: {}, {megabytes:.1} MB/s",
            trips.micros.len(),
            args.size,
            args.window,
            part(0.5),
            part(0.9),
            part(0.99),
            part(0.999),
            part(1.0),
            emits.count,
        )
    };
    output::line(&text).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_the_time_that_this_part_did_not_exceed() {
        let micros: Vec<u32> = (1..=100).map(|n| n * 1000).collect();
        let of = |part| format!("{:.1}", percentile(&micros, part));
        assert_eq!([of(0.5), of(0.99), of(0.999), of(1.0)], ["50.0", "99.0", "100.0", "100.0"]);
        assert_eq!(format!("{:.1}", percentile(&[], 0.5)), "0.0");
        assert_eq!(format!("{:.1}", percentile(&[7000], 0.01)), "7.0");
    }
}
