//! `siot`, the command: listens, emits, measures, serves, and finds out what is wrong on the way to a server.

mod args;
mod bench;
mod clock;
mod doctor;
mod emit;
mod exit;
mod flags;
mod format;
mod input;
mod joining;
mod json;
mod listen;
mod messages;
mod output;
mod progress;
mod serve;
mod stop;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{ArgMatches, CommandFactory, FromArgMatches};

use crate::args::{Command, CommandLine, ManArgs, Talk};
use crate::exit::{EarlyEnd, Exit, Outcome};
use crate::messages::Messages;

fn main() -> ExitCode {
    clock::start();
    let matches = match CommandLine::command().try_get_matches() {
        Ok(matches) => matches,
        Err(error) => return shown(&error),
    };
    let command = match CommandLine::from_arg_matches(&matches) {
        Ok(line) => line.command,
        Err(error) => return shown(&error),
    };
    let messages = Messages::new(command.talk());
    match run(&command, &matches, messages) {
        Ok(exit) => ExitCode::from(exit.code()),
        Err(failure) => {
            messages.error(&failure.text);
            ExitCode::from(failure.exit.code())
        }
    }
}

fn run(command: &Command, matches: &ArgMatches, messages: Messages) -> Outcome {
    match command {
        Command::Listen(listen) => listen::run(listen, messages),
        Command::Emit(emit) => {
            let order = matches.subcommand_matches("emit");
            emit::run(emit, &input::arguments(emit, order)?, messages)
        }
        Command::Doctor(doctor) => doctor::run(doctor),
        Command::Bench(bench) => bench::run(bench, messages),
        Command::Serve(serve) => serve::run(serve, messages),
        Command::Completions(completions) => {
            let mut script = Vec::new();
            clap_complete::generate(
                completions.shell,
                &mut CommandLine::command(),
                "siot",
                &mut script,
            );
            output::bytes(&script).map(|_| Exit::Success)
        }
        Command::Man(man) => manual(man),
    }
}

/// Prints the manual page of the whole or of one command.
fn manual(man: &ManArgs) -> Outcome {
    let mut command = CommandLine::command();
    command.build();
    if let Some(name) = &man.command {
        let found = command.get_subcommands().find(|command| command.get_name() == name).cloned();
        command = found.ok_or_else(|| EarlyEnd::usage(format!("there is no command {name:?}")))?;
    }
    let mut page = Vec::new();
    render(command, &mut page).map_err(|error| EarlyEnd::local("the manual page", error))?;
    output::bytes(&page).map(|_| Exit::Success)
}

/// Its synopsis is the usage of `--help`: the renderer's own has options without values, and arguments in another order.
fn render(mut command: clap::Command, page: &mut Vec<u8>) -> io::Result<()> {
    let usage = command.render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ").replace('\\', "\\e").replace('-', "\\-");
    let usage = usage.lines().map(str::trim).collect::<Vec<_>>().join("\n.br\n");
    let (is_whole, has_version) = (command.has_subcommands(), command.get_version().is_some());
    let man = clap_mangen::Man::new(command);
    man.render_title(page)?;
    man.render_name_section(page)?;
    write!(page, ".SH SYNOPSIS\n{usage}\n")?;
    man.render_description_section(page)?;
    man.render_options_section(page)?;
    if is_whole {
        man.render_subcommands_section(page)?;
    }
    man.render_extra_section(page)?;
    if has_version { man.render_version_section(page) } else { Ok(()) }
}

/// Help goes to standard output, an error of the command line to standard error.
fn shown(error: &clap::Error) -> ExitCode {
    // Nobody may be there to read it.
    let _ = error.print();
    let _ = io::stdout().flush();
    u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from)
}

impl Command {
    fn talk(&self) -> Option<Talk> {
        match self {
            Self::Listen(args) => Some(args.talk),
            Self::Emit(args) => Some(args.talk),
            Self::Doctor(args) => Some(args.talk),
            Self::Bench(args) => Some(args.talk),
            Self::Serve(args) => Some(args.talk),
            Self::Completions(_) | Self::Man(_) => None,
        }
    }
}
