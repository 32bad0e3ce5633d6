//! Times on the command line.

use std::time::Duration;

/// More than anyone waits for, and little enough to be added to any time.
const MOST: Duration = Duration::from_secs(366 * 24 * 3600);

/// Reads `5`, `0.5`, `500ms`, `5s`, `2m` or `1h`; a number alone is in seconds.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let unit_at = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let seconds = match unit {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err("the units are ms, s, m and h".into()),
    };
    let number: f64 = number.parse().map_err(|_| "a time looks like 5, 0.5, 500ms, 2m")?;
    match Duration::try_from_secs_f64(number * seconds) {
        Ok(time) if !time.is_zero() && time <= MOST => Ok(time),
        _ => Err("a time is more than zero and at most a year".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_unit_or_is_in_seconds() {
        for (text, millis) in [
            ("5", 5000),
            ("0.5", 500),
            ("500ms", 500),
            ("1.5s", 1500),
            ("2m", 120_000),
            ("1h", 3_600_000),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in ["", "0", "-1", "s", "1d", "1e99", "nan", "inf", "1 s", "9000000h"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
