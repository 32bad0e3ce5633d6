//! The figures as a table of Markdown.

use std::fmt::Write;

use crate::modes::{Figures, Mode};
use crate::plan::Case;
use crate::servers::Server;

type Pick = fn(&Figures) -> f64;

pub(crate) fn table(cases: &[Case], empty: &[u64], rounds: usize) -> String {
    let mut table = format!(
        "The lowest of {rounds} rounds; in brackets how many times as much as the limit. Processor time is that of the server for \
         each unit, all its threads, user's and system's.\n\n| what | figure |"
    );
    Server::ALL.iter().for_each(|server| table += &format!(" {} |", server.title()));
    table += "\n|---|---|";
    table += &"---:|".repeat(Server::ALL.len());
    table += "\n";
    let lowest = |case: &Case, pick: Pick| -> Vec<f64> {
        let of = |server: usize| case.rounds.iter().map(move |round| pick(&round[server]));
        (0..Server::ALL.len()).map(|server| of(server).fold(f64::INFINITY, f64::min)).collect()
    };
    for case in cases {
        let title = case.mode.title();
        if case.mode == Mode::Idle {
            row(&mut table, title, "memory, kB", 1e3, &lowest(case, |it| it.memory));
            continue;
        }
        row(&mut table, title, "CPU, µs", 1e3, &lowest(case, |it| it.cpu));
        if case.mode == Mode::Taken {
            row(&mut table, title, "the most memory, MB", 1e6, &lowest(case, |it| it.memory));
        }
    }
    let empty: Vec<f64> = empty.iter().map(|kilobytes| *kilobytes as f64 * 1024.0).collect();
    row(&mut table, "a server that nobody visits", "memory, MB", 1e6, &empty);
    table
}

fn row(table: &mut String, title: &str, figure: &str, unit: f64, values: &[f64]) {
    let _ = write!(table, "| {title} | {figure} |");
    for (server, value) in values.iter().enumerate() {
        let shown = value / unit;
        let digits = match shown {
            ..10.0 => 2,
            ..100.0 => 1,
            _ => 0,
        };
        let _ = write!(table, " {shown:.digits$}");
        if server > 0 {
            let _ = write!(table, " ({:.2} ×)", value / values[0]);
        }
        table.push_str(" |");
    }
    table.push('\n');
}
