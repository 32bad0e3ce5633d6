//! Which servers are measured in what, in which order.

use crate::modes::{Figures, Mode};
use crate::process::Process;
use crate::servers::Server;
use crate::{Result, USAGE, report};

/// One line of the table.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) mode: Mode,
    /// What each server came to in each round, in the order of [`Server::ALL`].
    pub(crate) rounds: Vec<Vec<Figures>>,
}

#[derive(Debug)]
pub(crate) struct Plan {
    rounds: usize,
    modes: Vec<Mode>,
}

impl Plan {
    pub(crate) fn parse(words: &[&str]) -> Result<Self> {
        let mut plan = Self { rounds: 3, modes: Mode::ALL.to_vec() };
        for pair in words.chunks(2) {
            match *pair {
                ["--rounds", number] => plan.rounds = number.parse()?,
                ["--only", modes] => {
                    let find = |name| Mode::ALL.into_iter().find(|mode| mode.name() == name);
                    plan.modes = modes.split(',').map(find).collect::<Option<_>>().ok_or(USAGE)?;
                }
                _ => return Err(USAGE.into()),
            }
        }
        if plan.rounds == 0 { Err(USAGE.into()) } else { Ok(plan) }
    }

    /// All servers take turns, so that what else the machine does is everyone's share.
    pub(crate) fn run(&self) -> Result<()> {
        let case = |mode: &Mode| Case { mode: *mode, rounds: Vec::new() };
        let mut cases: Vec<Case> = self.modes.iter().map(case).collect();
        for round in 1..=self.rounds {
            for case in &mut cases {
                eprintln!("round {round} of {}: {}", self.rounds, case.mode.title());
                let figures = Server::ALL.iter().map(|server| measure(*server, case.mode));
                case.rounds.push(figures.collect::<Result<_>>()?);
            }
        }
        let empty = Server::ALL.map(|server| Process::start(server)?.memory("VmRSS"));
        let empty = empty.into_iter().collect::<Result<Vec<_>>>()?;
        print!("{}", report::table(&cases, &empty, self.rounds));
        Ok(())
    }
}

fn measure(server: Server, mode: Mode) -> Result<Figures> {
    let process = Process::start(server)?;
    mode.measure(&process)
        .map_err(|error| format!("{}, {}: {error}", server.title(), mode.title()).into())
}
