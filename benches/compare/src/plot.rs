//! The processor time for each message as bars, in SVG.

use std::fmt::Write;

use crate::clients::Maker;
use crate::plan::{Case, Counterpart};
use crate::report::middle;

const WIDTH: usize = 720;
/// Where the bars begin.
const LEFT: usize = 250;
const BAR: usize = 14;
const COLOURS: [&str; Maker::ALL.len()] = ["#9aa0a6", "#5f6368", "#1a73e8", "#e8710a", "#188038"];

/// Of each case: how much processor time a message takes, as a part of the most that a client takes.
pub(crate) fn draw(cases: &[Case]) -> String {
    let cpu = |case: &Case, client| middle(case, client, |figures| figures.cpu);
    let cases: Vec<&Case> = cases.iter().filter(|case| cpu(case, 0).is_some()).collect();
    let group = BAR * Maker::ALL.len() + 12;
    let height = 50 + group * cases.len();
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"10\" y=\"20\" font-size=\"14\">processor time for each message or connection, in µs (less is better)</text>\n"
    );
    for (client, maker) in Maker::ALL.iter().enumerate() {
        let x = LEFT + client * 96;
        let _ = writeln!(
            svg,
            "<rect x=\"{x}\" y=\"28\" width=\"10\" height=\"10\" fill=\"{}\"/><text x=\"{}\" y=\"37\">{}</text>",
            COLOURS[client],
            x + 14,
            maker.title()
        );
    }
    for (index, case) in cases.into_iter().enumerate() {
        let top = 48 + index * group;
        let of = if case.counterpart == Counterpart::Node { " (Node's server)" } else { "" };
        let _ = writeln!(svg, "<text x=\"10\" y=\"{}\">{}{of}</text>", top + 30, case.mode.title());
        let values: Vec<f64> = (0..Maker::ALL.len())
            .map(|client| cpu(case, client).unwrap_or_default() as f64 / 1e3)
            .collect();
        let most = values.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        for (client, value) in values.iter().enumerate() {
            let (y, length) = (top + client * BAR, value / most * (WIDTH - LEFT - 70) as f64);
            let _ = writeln!(
                svg,
                "<rect x=\"{LEFT}\" y=\"{y}\" width=\"{length:.0}\" height=\"{}\" fill=\"{}\"/>\
                 <text x=\"{:.0}\" y=\"{}\" font-size=\"11\">{value:.2}</text>",
                BAR - 2,
                COLOURS[client],
                LEFT as f64 + length + 4.0,
                y + BAR - 4,
            );
        }
    }
    svg + "</svg>\n"
}
