//! What the doctor finds, as it is printed.

use std::io::{self, IsTerminal};
use std::time::Duration;

use siot::Error;

use crate::exit::{self, Outcome};
use crate::flags;
use crate::json::printable;
use crate::messages::is_colorful;
use crate::output;

/// How good or bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rating {
    Ok,
    /// It was seen, of a peer that was not verified.
    Shown,
    /// It was not looked at.
    Skipped,
    Warning,
    Failed,
}

impl Rating {
    fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Shown => "shown",
            Self::Skipped => "skipped",
            Self::Warning => "warning",
            Self::Failed => "FAILED",
        }
    }

    fn color(self) -> &'static str {
        match self {
            Self::Ok => "32",
            Self::Shown | Self::Skipped => "2",
            Self::Warning => "33",
            Self::Failed => "31",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug)]
pub(super) struct Finding {
    level: Rating,
    check: String,
    detail: String,
    took: Option<Duration>,
    hint: Option<String>,
}

impl Finding {
    pub(super) fn new(level: Rating, check: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            level,
            check: check.into(),
            detail: flags::named(&detail.into()),
            took: None,
            hint: None,
        }
    }

    pub(super) fn ok(check: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(Rating::Ok, check, detail)
    }

    pub(super) fn skipped(check: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(Rating::Skipped, check, detail)
    }

    pub(super) fn of_error(check: impl Into<String>, error: &Error) -> Self {
        let finding = Self::new(Rating::Failed, check, exit::words(error));
        match error.hint() {
            Some(hint) => finding.hint(hint),
            None => finding,
        }
    }

    pub(super) fn took(mut self, time: Duration) -> Self {
        self.took = Some(time);
        self
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(flags::named(&hint.into()));
        self
    }
}

/// Prints findings as they come, and counts them.
pub(super) struct Report {
    json: bool,
    color: bool,
    section: String,
    verified: bool,
    warnings: usize,
    failures: usize,
    /// What to try, each once.
    hints: Vec<String>,
    /// Whether somebody reads it still.
    is_read: bool,
}

impl Report {
    pub(super) fn new(json: bool) -> Self {
        Self {
            json,
            color: !json && is_colorful(io::stdout().is_terminal()),
            section: String::new(),
            verified: true,
            warnings: 0,
            failures: 0,
            hints: Vec::new(),
            is_read: true,
        }
    }

    /// Findings from now on are about this.
    pub(super) fn section(&mut self, name: &str) -> Outcome<()> {
        name.clone_into(&mut self.section);
        if self.json { Ok(()) } else { self.line(name) }
    }

    /// Whether what is found from now on is of a peer that was verified.
    pub(super) fn trust(&mut self, verified: bool) {
        self.verified = verified;
    }

    pub(super) fn add(&mut self, mut finding: Finding) -> Outcome<()> {
        if !self.verified && finding.level == Rating::Ok {
            finding.level = Rating::Shown;
            finding.detail = format!("not verified: {}", finding.detail);
        }
        match finding.level {
            Rating::Warning => self.warnings += 1,
            Rating::Failed => self.failures += 1,
            Rating::Ok | Rating::Shown | Rating::Skipped => {}
        }
        let line = if self.json { self.object(&finding) } else { self.text(&finding) };
        if let Some(hint) = finding.hint.filter(|hint| !self.hints.contains(hint)) {
            self.hints.push(hint);
        }
        self.line(&line)
    }

    fn text(&self, finding: &Finding) -> String {
        let Finding { level, check, detail, took, .. } = finding;
        let label = format!("{:<7}", level.name());
        let label =
            if self.color { format!("\x1b[{}m{label}\x1b[0m", level.color()) } else { label };
        let took = took.map_or(" ".repeat(9), |took| format!("{:>6} ms", took.as_millis()));
        let line = format!("{check:<11} {took}  {}", printable(detail));
        format!("  {label} {}", line.trim_end())
    }

    fn object(&self, finding: &Finding) -> String {
        #[allow(clippy::cast_precision_loss, reason = "nobody waits for 2^53 microseconds")]
        let took = finding.took.map(|took| took.as_micros() as f64 / 1000.0);
        printable(
            &serde_json::json!({
                "section": self.section,
                "level": finding.level.name().to_lowercase(),
                "check": finding.check,
                "detail": finding.detail,
                "ms": took,
                "hint": finding.hint,
            })
            .to_string(),
        )
    }

    /// Whether something failed.
    pub(super) fn has_failures(&self) -> bool {
        self.failures > 0
    }

    /// Sums up, for people.
    pub(super) fn sum_up(&mut self) -> Outcome<()> {
        if self.json {
            return Ok(());
        }
        let count = |count: usize, what: &str| match count {
            1 => format!("1 {what}"),
            _ => format!("{count} {what}s"),
        };
        let verdict = match (self.failures, self.warnings) {
            (0, 0) => "all is well".to_owned(),
            (0, warnings) => count(warnings, "warning"),
            (failures, 0) => count(failures, "failure"),
            (failures, warnings) => {
                format!("{}, {}", count(failures, "failure"), count(warnings, "warning"))
            }
        };
        self.line(&verdict)?;
        for hint in std::mem::take(&mut self.hints) {
            self.line(&format!("  try: {}", printable(&hint)))?;
        }
        Ok(())
    }

    fn line(&mut self, line: &str) -> Outcome<()> {
        if self.is_read {
            self.is_read = output::line(line)?;
        }
        Ok(())
    }

    /// Whether anybody reads what is printed.
    pub(super) fn is_read(&self) -> bool {
        self.is_read
    }
}
