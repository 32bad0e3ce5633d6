//! Dates as HTTP headers have them, and the civil date of a point in time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::calendar::CivilDate;

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

const DAY: u64 = 24 * 60 * 60;

/// Reads a date in any of the forms that servers use, the way of RFC 6265 §5.1.1: its parts are
/// told by their looks, in whatever order they come.
pub(super) fn parse(text: &str) -> Option<SystemTime> {
    let (mut time, mut day, mut month, mut year) = (None, None, None, None);
    let is_delimiter = |c: char| !(c.is_ascii_alphanumeric() || c == ':');
    for token in text.split(is_delimiter).filter(|token| !token.is_empty()) {
        let number = || token.parse::<i64>().ok().filter(|_| token.len() <= 4);
        if time.is_none() && token.contains(':') {
            time = Some(clock(token)?);
        } else if day.is_none() && token.len() <= 2 && number().is_some() {
            day = number();
        } else if month.is_none() && month_of(token).is_some() {
            month = month_of(token);
        } else if year.is_none() && number().is_some() {
            year = number();
        }
    }
    let year = match year? {
        year @ 70..=99 => year + 1900,
        year @ 0..=69 => year + 2000,
        year => year,
    };
    let (day, month) = (day?, month?);
    if !(1..=31).contains(&day) || !(1601..=9999).contains(&year) {
        return None;
    }
    // What is before 1970 is its first day.
    let days = u64::try_from(CivilDate { year, month, day }.to_day()).unwrap_or(0);
    let seconds = days.checked_mul(DAY)?.checked_add(time?)?;
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

/// `1970-01-01`.
#[cfg(any(test, feature = "rustls", feature = "native-tls"))]
pub(super) fn civil(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    // It always fits: a day has many seconds.
    let days = i64::try_from(seconds / DAY).unwrap_or_default();
    let CivilDate { year, month, day } = CivilDate::of_day(days);
    format!("{year:04}-{month:02}-{day:02}")
}

/// The seconds of `hh:mm:ss`.
fn clock(text: &str) -> Option<u64> {
    let mut parts = text.split(':').map(|part| part.parse::<u64>().ok());
    let (hours, minutes, seconds) = (parts.next()??, parts.next()??, parts.next()??);
    let sound = hours < 24 && minutes < 60 && seconds <= 60 && parts.next().is_none();
    sound.then_some(hours * 3600 + minutes * 60 + seconds)
}

/// From 1 to 12.
fn month_of(token: &str) -> Option<i64> {
    let start = token.get(..3)?;
    let index = MONTHS.iter().position(|month| month.eq_ignore_ascii_case(start))?;
    i64::try_from(index + 1).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_every_form_are_read() {
        for (text, seconds) in [
            ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777),
            ("Sunday, 06-Nov-94 08:49:37 GMT", 784_111_777),
            ("Sun Nov  6 08:49:37 1994", 784_111_777),
            ("Thu, 01-Jan-1970 00:00:00 GMT", 0),
            ("Mon, 01 Jan 1601 00:00:00 GMT", 0),
            ("Thu, 29 Feb 2024 23:59:60 GMT", 1_709_251_200),
            ("Fri, 31 Dec 9999 23:59:59 GMT", 253_402_300_799),
        ] {
            let time = parse(text).map(|time| time.duration_since(UNIX_EPOCH).unwrap().as_secs());
            assert_eq!(time, Some(seconds), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "0",
            "120",
            "Sun, 06 Nov 1994",
            "06 Nov 1994 24:00:00",
            "6 x 94 1:1:1",
            "32 Nov 1994 08:49:37",
            "06 Nov 1500 08:49:37",
            "06 Nov 99999 08:49:37",
            "06 Nov 1994 99999999999999999999:00:00",
            "ä Nov 1994 1:2:3",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_civil_date_is_that_of_the_calendar() {
        for (seconds, date) in [
            (0, "1970-01-01"),
            (951_782_400, "2000-02-29"),
            (951_868_800, "2000-03-01"),
            (1_735_689_599, "2024-12-31"),
            (4_102_444_800, "2100-01-01"),
        ] {
            assert_eq!(civil(UNIX_EPOCH + Duration::from_secs(seconds)), date);
        }
    }
}
