//! JavaScript's dates as text.

use crate::calendar::CivilDate;

/// The latest moment that a `Date` can hold, in milliseconds; the earliest is as far away.
const LAST: i64 = 8_640_000_000_000_000;

const MILLIS_OF_DAY: i64 = 86_400_000;

/// The moment as `Date.toISOString` writes it; `None` where that is no date.
pub(super) fn iso(millis: i64) -> Option<String> {
    if !(-LAST..=LAST).contains(&millis) {
        return None;
    }
    let CivilDate { year, month, day } = CivilDate::of_day(millis.div_euclid(MILLIS_OF_DAY));
    let time = millis.rem_euclid(MILLIS_OF_DAY);
    let (hours, minutes) = (time / 3_600_000, time / 60_000 % 60);
    let (seconds, rest) = (time / 1000 % 60, time % 1000);
    let year = match year {
        0..=9999 => format!("{year:04}"),
        _ => format!("{year:+07}"),
    };
    Some(format!("{year}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}.{rest:03}Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_written_as_javascript_does() {
        // From Node.js: new Date(x).toISOString()
        for (millis, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (951_868_800_000, "2000-03-01T00:00:00.000Z"),
            (1_700_000_000_123, "2023-11-14T22:13:20.123Z"),
            (4_107_542_399_999, "2100-02-28T23:59:59.999Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
            (253_402_300_800_000, "+010000-01-01T00:00:00.000Z"),
            (-62_167_219_200_000, "0000-01-01T00:00:00.000Z"),
            (-62_167_219_200_001, "-000001-12-31T23:59:59.999Z"),
            (LAST, "+275760-09-13T00:00:00.000Z"),
            (-LAST, "-271821-04-20T00:00:00.000Z"),
        ] {
            assert_eq!(iso(millis).as_deref(), Some(expected), "{millis}");
        }
        for millis in [LAST + 1, -LAST - 1, i64::MAX, i64::MIN] {
            assert_eq!(iso(millis), None);
        }
    }
}
