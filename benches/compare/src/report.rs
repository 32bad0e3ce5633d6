//! The figures as a table of Markdown.

use std::fmt::Write;

use crate::clients::Maker;
use crate::measure::Figures;
use crate::modes::{Mode, SIZE};
use crate::plan::{Case, Counterpart};

type Pick = fn(&Figures) -> Option<u64>;

/// What of the figures of a mode is shown, and how.
struct Column {
    name: &'static str,
    pick: Pick,
    /// How many of the measured unit make one of the shown.
    unit: f64,
}

const CPU: Column = Column { name: "CPU, µs each", pick: |it| it.cpu, unit: 1e3 };
const WALL: Column = Column { name: "time, µs each", pick: |it| it.wall, unit: 1e3 };
const MEDIAN: Column = Column { name: "median, µs", pick: |it| it.median, unit: 1e3 };
const RSS: Column = Column { name: "memory, kB each", pick: |it| it.rss, unit: 1e3 };

impl Mode {
    fn columns(self) -> &'static [Column] {
        match self {
            Self::Ask | Self::Sparse | Self::Connect => &[CPU, MEDIAN],
            Self::Burst | Self::Flood | Self::Blobs => &[CPU, WALL],
            Self::Idle => &[RSS],
        }
    }
}

/// The middle one of the rounds of a client.
pub(crate) fn middle(case: &Case, client: usize, pick: Pick) -> Option<u64> {
    let mut values: Vec<u64> =
        case.rounds.iter().filter_map(|round| pick(&round[client])).collect();
    values.sort_unstable();
    values.get(values.len() / 2).copied()
}

pub(crate) fn table(title: &str, cases: &[Case], rounds: usize) -> String {
    let mut table = format!(
        "{title}. Medians of {rounds} rounds, events of {SIZE} bytes; in brackets how many times as much as raw \
         tungstenite.\n\n|"
    );
    let heads = ["what", "figure"].into_iter().chain(Maker::ALL.map(Maker::title));
    heads.for_each(|head| table += &format!(" {head} |"));
    table += "\n|---|---|";
    table += &"---:|".repeat(Maker::ALL.len());
    table += "\n";
    for case in cases {
        for column in case.mode.columns() {
            row(&mut table, case, column);
        }
    }
    table
}

fn row(table: &mut String, case: &Case, column: &Column) {
    let of = match case.counterpart {
        Counterpart::Fast => "",
        Counterpart::Node => ", Node's server",
    };
    table.push_str(&format!("| {}{of} | {} |", case.mode.title(), column.name));
    let raw = middle(case, 0, column.pick);
    for client in 0..Maker::ALL.len() {
        let cell = match (middle(case, client, column.pick), raw) {
            (Some(value), Some(raw)) if client > 0 && raw > 0 => {
                format!("{} ({:.2} ×)", shown(value, column), value as f64 / raw as f64)
            }
            (Some(value), _) => shown(value, column),
            (None, _) => "–".to_owned(),
        };
        let _ = write!(table, " {cell} |");
    }
    table.push('\n');
}

/// Three digits that count.
fn shown(value: u64, column: &Column) -> String {
    let value = value as f64 / column.unit;
    match value {
        ..10.0 => format!("{value:.2}"),
        ..100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}
