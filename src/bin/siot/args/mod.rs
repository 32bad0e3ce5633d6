//! The command line. What stands here as documentation is what `--help` and the manual pages say.
#![allow(clippy::doc_markdown, reason = "help is no Markdown")]

pub(crate) mod connection;
pub(crate) mod duration;

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args, Parser, Subcommand, ValueHint};
use clap_complete::Shell;

use siot::{ParserKind, Transport};

use self::connection::{Attempts, ConnectionArgs, one_of};
use self::duration::duration;
use crate::clock::Deadline;
use crate::exit::CODES;

/// Talks to Socket.IO servers: listens, emits, finds out what is wrong; and is one.
///
/// Data goes to standard output, messages to standard error.
#[derive(Debug, Parser)]
#[command(name = "siot", version, after_help = CODES, arg_required_else_help = true)]
pub(crate) struct CommandLine {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Listen(ListenArgs),
    Emit(EmitArgs),
    Doctor(DoctorArgs),
    Bench(BenchArgs),
    Serve(ServeArgs),
    Completions(CompletionsArgs),
    Man(ManArgs),
}

const LISTEN_EXAMPLES: &str = "\
Examples:
  siot listen http://localhost:3000
  siot listen https://example.com/orders order cancelled --json | jq .args
  siot listen http://localhost:3000 temperature --count 1 --timeout 60
  SIOT_AUTH='{\"token\":\"…\"}' siot listen https://example.com/admin

A line has the event's name and its arguments in JSON; with --json it is an object with `time` (Unix \
seconds), `event` and `args`, where binary is {\"$base64\":\"…\"}. Without --count, a signal ends it with 0.";

/// Prints the events that come, one a line
#[derive(Args, Debug)]
#[command(after_help = LISTEN_EXAMPLES, after_long_help = with_codes(LISTEN_EXAMPLES))]
pub(crate) struct ListenArgs {
    /// The events to print; all when none is named
    #[arg(value_name = "EVENT", index = 2)]
    pub(crate) events: Vec<String>,
    /// End after so many events
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,
    /// End so long after the start, connecting included: with 4 if --count is not reached or there is no connection by then
    #[arg(short, long, value_name = "TIME", value_parser = duration)]
    pub(crate) timeout: Option<Duration>,
    /// Acknowledge events that ask for it, with this JSON; repeat it for more arguments
    #[arg(short, long, value_name = "JSON")]
    pub(crate) answer: Vec<String>,
    /// Put binary into files in this folder, and their names where it stood
    #[arg(short, long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    pub(crate) save: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) format: Format,
    #[command(flatten)]
    pub(crate) talk: Talk,
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
    #[command(flatten)]
    pub(crate) attempts: Attempts,
}

const EMIT_EXAMPLES: &str = "\
Examples:
  siot emit http://localhost:3000 temperature '\"kitchen\"' 21.5
  siot emit http://localhost:3000 say --text \"$WORDS\"
  siot emit http://localhost:3000 sum 1 2 --ack
  siot emit http://localhost:3000 photo '{\"door\":1}' --binary front.jpg --ack --timeout 5m
  sensor | siot emit http://localhost:3000 reading --lines
  siot listen http://a --json | siot emit http://b --events

An argument is JSON: 21.5, true, '\"text\"', '{\"a\":[1]}'. With --text each is a string as it stands. \
An object {\"$base64\":\"…\"} is binary, at any depth. Arguments and --binary keep their order. A signal ends it; a second one, at once.";

/// Sends an event, or one for each line of standard input
///
/// With --ack it ends with 0 when the server has answered each event, and prints the answers. Without it, the events were
/// written to the connection in order; whether the server has acted on them nobody can tell.
#[derive(Args, Debug)]
#[command(after_help = EMIT_EXAMPLES, after_long_help = with_codes(EMIT_EXAMPLES))]
#[command(group = ArgGroup::new("input").args(["lines", "from_events"]))]
pub(crate) struct EmitArgs {
    /// The event's name
    #[arg(value_name = "EVENT", index = 2, required_unless_present = "from_events")]
    pub(crate) event: Option<String>,
    /// The event's arguments
    #[arg(value_name = "JSON", index = 3, allow_negative_numbers = true)]
    pub(crate) args: Vec<String>,
    /// An argument of the bytes in this file; `-` is standard input
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) binary: Vec<PathBuf>,
    /// Arguments and lines are text instead of JSON
    #[arg(long)]
    pub(crate) text: bool,
    /// One event for each line of standard input, which is the last argument
    #[arg(short, long)]
    pub(crate) lines: bool,
    /// One event for each line of standard input, an object with `event` and `args`
    #[arg(long = "events", id = "from_events", conflicts_with_all = ["event", "args", "binary", "text", "lines"])]
    pub(crate) from_events: bool,
    /// Wait for the server's answer to each event, and print it
    #[arg(short, long)]
    pub(crate) ack: bool,
    /// Tell of a line that is no event and go on behind it; it ends with 1 then
    #[arg(long, requires = "input")]
    pub(crate) skip_invalid: bool,
    /// How long it may take from the start, connecting included, until the event is delivered; with --lines and --events
    /// each from its line on. 30s if it is not given, and with --retry no limit then until there is a connection
    #[arg(short, long, value_name = "TIME", value_parser = duration)]
    timeout: Option<Duration>,
    #[command(flatten)]
    pub(crate) format: Format,
    #[command(flatten)]
    pub(crate) talk: Talk,
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
    #[command(flatten)]
    pub(crate) attempts: Attempts,
}

impl EmitArgs {
    /// How long an event may take.
    pub(crate) fn limit(&self) -> Duration {
        self.timeout.unwrap_or(Duration::from_secs(30))
    }

    /// When there has to be a connection.
    pub(crate) fn connecting(&self) -> Deadline {
        match self.timeout {
            None if self.attempts.retry => Deadline::NEVER,
            _ => Deadline::of(self.limit()),
        }
    }

    /// When the only event has to be delivered; to be asked once there is a connection.
    pub(crate) fn delivery(&self) -> Deadline {
        match self.timeout {
            None if self.attempts.retry => Deadline::after(self.limit()),
            _ => Deadline::of(self.limit()),
        }
    }
}

const DOCTOR_EXAMPLES: &str = "\
Examples:
  siot doctor https://example.com/orders
  siot doctor https://192.168.1.5 --ca ca.pem --wait 30s
  siot doctor wss://example.com --json | jq 'select(.level != \"ok\")'

It ends with 0 when all is well or there are warnings only, with 1 when something fails though there is a \
connection, and with 3 or 5 when there is none.";

/// Walks the way to a server, and says how far it goes and what to try
///
/// DNS, TCP, proxy, TLS with the chain of certificates, HTTP, Engine.IO, the namespace, each with its time; the
/// transports, the upgrade from one to the other, the revision of the protocol, heartbeats and the clock. It goes on
/// behind what fails, as far as that is possible, and sums up.
#[derive(Args, Debug)]
#[command(after_help = DOCTOR_EXAMPLES, after_long_help = with_codes(DOCTOR_EXAMPLES))]
pub(crate) struct DoctorArgs {
    /// How long to wait for a heartbeat
    #[arg(short, long, value_name = "TIME", value_parser = duration, default_value = "3s")]
    pub(crate) wait: Duration,
    /// Print a JSON object for each finding
    #[arg(short, long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) talk: Talk,
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
}

const BENCH_EXAMPLES: &str = "\
Examples:
  siot bench http://localhost:3000
  siot bench http://localhost:3000 --event echo --size 10000 --time 30s --json

The server has to acknowledge the event: io.on('connection', s => s.on('echo', (data, ack) => ack?.(data))).
Try it on servers of your own only.";

/// Measures round trips by acknowledgement, and how fast events can be sent
#[derive(Args, Debug)]
#[command(after_help = BENCH_EXAMPLES, after_long_help = with_codes(BENCH_EXAMPLES))]
pub(crate) struct BenchArgs {
    /// The event to emit
    #[arg(short, long, value_name = "EVENT", default_value = "echo")]
    pub(crate) event: String,
    /// The length of its argument, a text, in bytes
    #[arg(short, long, value_name = "BYTES", default_value_t = 32, value_parser = clap::value_parser!(u32).range(..=16_000_000))]
    pub(crate) size: u32,
    /// How many round trips are under way at a time
    #[arg(short = 'w', long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) window: u32,
    /// How long each of both measurements lasts
    #[arg(short, long, value_name = "TIME", value_parser = duration, default_value = "3s")]
    pub(crate) time: Duration,
    /// Print one JSON object
    #[arg(short, long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) talk: Talk,
    /// Try until there is a connection, instead of ending when the first attempt fails
    #[arg(long)]
    pub(crate) retry: bool,
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
}

const SERVE_EXAMPLES: &str = "\
Examples:
  siot serve
  siot serve 0.0.0.0:3000 --json | jq .args
  siot serve [::]:443 --cert cert.pem --key key.pem --origin https://app.example
  siot bench http://localhost:3000

`echo` is acknowledged with its arguments. `broadcast` goes to all others of the namespace, as it came. `join` and `leave` \
are for the room that their argument names, and `say`, whose first argument is a room, goes to the others in it. \
What asks for an acknowledgement gets one. Lines are as those of siot listen. A signal ends it with 0.";

/// Serves: prints the events that come, echoes, passes on to others and to rooms
///
/// For clients of all versions, to try things with. Events on standard output, who comes and goes on standard error.
#[derive(Args, Debug)]
#[command(after_help = SERVE_EXAMPLES, after_long_help = with_codes(SERVE_EXAMPLES))]
pub(crate) struct ServeArgs {
    /// Where to listen, HOST:PORT; a port alone is that of this machine, for itself only, and 0 any that is free
    #[arg(value_name = "ADDR", default_value = "127.0.0.1:3000")]
    pub(crate) address: String,
    /// Serve this namespace too; repeat it for more
    #[arg(short, long, value_name = "NAME")]
    pub(crate) namespace: Vec<String>,
    /// The path of the requests, which is not the namespace
    #[arg(long, value_name = "PATH", default_value = "/socket.io/")]
    pub(crate) path: String,
    /// The transports that may be used
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "polling,websocket",
        value_parser = one_of::<Transport>(&["polling", "websocket"]))]
    pub(crate) transports: Vec<Transport>,
    /// How packets are written
    #[arg(long, value_name = "PARSER", default_value = "json",
        value_parser = one_of::<ParserKind>(&["json", "msgpack", "plain-json"]))]
    pub(crate) parser: ParserKind,
    /// Let pages of this origin in, such as https://app.example; `*` is any. Without it, no other page is
    #[arg(long, value_name = "ORIGIN")]
    pub(crate) origin: Vec<String>,
    /// The certificate of this server, with its chain
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "key")]
    pub(crate) cert: Option<PathBuf>,
    /// The key of that
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "cert")]
    pub(crate) key: Option<PathBuf>,
    /// Put binary into files in this folder, and their names where it stood
    #[arg(short, long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    pub(crate) save: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) format: Format,
    #[command(flatten)]
    pub(crate) talk: Talk,
}

/// Prints a completion script for a shell
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  siot completions bash > /etc/bash_completion.d/siot")]
pub(crate) struct CompletionsArgs {
    /// The shell
    pub(crate) shell: Shell,
}

/// Prints the manual page, of siot or of one of its commands
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  siot man > siot.1\n  siot man emit | man -l -")]
pub(crate) struct ManArgs {
    /// One of the commands
    #[arg(value_name = "COMMAND")]
    pub(crate) command: Option<String>,
}

/// How data is printed.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Format {
    /// Print each line as a JSON object
    #[arg(short, long)]
    pub(crate) json: bool,
    /// Print arguments that are text as they are, without quotes
    #[arg(short, long, conflicts_with = "json")]
    pub(crate) raw: bool,
}

/// How much is said on standard error.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Talk {
    /// Say nothing but errors
    #[arg(short, long, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Say what happens on the connection; twice: each packet
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

fn with_codes(examples: &str) -> String {
    format!("{examples}\n\n{CODES}")
}
