//! Which clients are measured in what, in which order.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::clients::Maker;
use crate::measure::Figures;
use crate::modes::Mode;
use crate::{Result, USAGE, plot, report, server};

/// Who is at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counterpart {
    /// One that is faster than any client.
    Fast,
    /// The reference server.
    Node,
}

/// One line of the table.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) mode: Mode,
    pub(crate) counterpart: Counterpart,
    /// What each client came to in each round, in the order of [`Maker::ALL`].
    pub(crate) rounds: Vec<Vec<Figures>>,
}

#[derive(Debug)]
pub(crate) struct Plan {
    rounds: usize,
    modes: Vec<Mode>,
    /// Where the plot goes.
    plot: Option<PathBuf>,
    /// Where and when it is.
    title: String,
}

impl Plan {
    pub(crate) fn parse(words: &[&str]) -> Result<Self> {
        let mut plan = Self {
            rounds: 5,
            modes: Mode::ALL.to_vec(),
            plot: None,
            title: "Here and now".to_owned(),
        };
        for pair in words.chunks(2) {
            match *pair {
                ["--rounds", number] => plan.rounds = number.parse()?,
                ["--plot", file] => plan.plot = Some(file.into()),
                ["--title", title] => title.clone_into(&mut plan.title),
                ["--only", modes] => {
                    let modes = modes.split(',').map(Mode::parse);
                    plan.modes = modes.collect::<Option<_>>().ok_or(USAGE)?;
                }
                _ => return Err(USAGE.into()),
            }
        }
        if plan.rounds == 0 { Err(USAGE.into()) } else { Ok(plan) }
    }

    /// All clients take turns, so that what else the machine does is everyone's share.
    pub(crate) fn run(&self) -> Result<()> {
        let fast = server::start()?;
        let node = NodeServer::start()?;
        let mut cases = self.cases();
        for round in 1..=self.rounds {
            for case in &mut cases {
                eprintln!("round {round} of {}: {}", self.rounds, case.mode.title());
                let url = match case.counterpart {
                    Counterpart::Fast => &fast,
                    Counterpart::Node => &node.url,
                };
                let run = |maker: &Maker| run(*maker, case.mode, url);
                let figures = Maker::ALL.iter().map(run).collect::<Result<_>>()?;
                case.rounds.push(figures);
            }
        }
        println!("{}", report::table(&self.title, &cases, self.rounds));
        if let Some(plot) = &self.plot {
            std::fs::write(plot, plot::draw(&cases))?;
        }
        Ok(())
    }

    /// Where the server's part counts, or limits, the reference server is tried as well.
    fn cases(&self) -> Vec<Case> {
        let both = [Mode::Flood, Mode::Connect];
        let modes = self.modes.iter().copied();
        modes
            .flat_map(|mode| {
                let node = both.contains(&mode).then_some(Counterpart::Node);
                [Some(Counterpart::Fast), node].into_iter().flatten().map(move |counterpart| Case {
                    mode,
                    counterpart,
                    rounds: Vec::new(),
                })
            })
            .collect()
    }
}

/// Measures a client in a process of its own.
fn run(maker: Maker, mode: Mode, url: &str) -> Result<Figures> {
    let count = mode.count().to_string();
    let mut command = match maker {
        Maker::Node => {
            let mut command = Command::new("node");
            command.arg(script("client.js"));
            command
        }
        _ => {
            let mut command = Command::new(std::env::current_exe()?);
            command.args(["drive", maker.name()]);
            command
        }
    };
    let output = command.args([mode.name(), url, &count]).stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(format!("{} failed in {:?}", maker.title(), mode.title()).into());
    }
    Figures::parse(std::str::from_utf8(&output.stdout)?.trim())
}

fn script(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("node").join(name)
}

/// The reference server. It ends when this does.
struct NodeServer {
    process: Child,
    url: String,
}

impl NodeServer {
    fn start() -> Result<Self> {
        let mut command = Command::new("node");
        command.arg(script("server.js")).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn()?;
        let output = process.stdout.take().ok_or("no output")?;
        let mut port = String::new();
        BufReader::new(output).read_line(&mut port)?;
        Ok(Self { process, url: format!("http://127.0.0.1:{}", port.trim()) })
    }
}

impl Drop for NodeServer {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}
