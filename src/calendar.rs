//! The Gregorian calendar: days counted from 1970-01-01, and their dates.
//!
//! Years are counted from March here, so that the leap day is their last one. 400 of them, an era,
//! have always the same number of days.

/// The days of 400 years.
const DAYS_OF_ERA: i64 = 146_097;

/// The days from 0000-03-01 to 1970-01-01.
const DAYS_TO_1970: i64 = 719_468;

/// A day of a year. The year before the year 1 is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CivilDate {
    pub(crate) year: i64,
    /// From 1 to 12.
    pub(crate) month: i64,
    /// From 1 to 31.
    pub(crate) day: i64,
}

impl CivilDate {
    /// The date of a day, for up to 10^15 days before and after 1970.
    #[cfg(any(test, feature = "rustls", feature = "native-tls", feature = "msgpack"))]
    pub(crate) fn of_day(days: i64) -> Self {
        let days = days + DAYS_TO_1970;
        let (era, of_era) = (days.div_euclid(DAYS_OF_ERA), days.rem_euclid(DAYS_OF_ERA));
        let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let from_march = (5 * of_year + 2) / 153;
        let day = of_year - (153 * from_march + 2) / 5 + 1;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        Self { year: era * 400 + year + i64::from(month <= 2), month, day }
    }

    /// The day of a date, for up to 10^12 years. A day beyond the end of its month is one of the
    /// next month.
    pub(crate) fn to_day(self) -> i64 {
        let Self { year, month, day } = self;
        let (year, from_march) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
        let (era, year) = (year.div_euclid(400), year.rem_euclid(400));
        let of_year = (153 * from_march + 2) / 5 + day - 1;
        era * DAYS_OF_ERA + year * 365 + year / 4 - year / 100 + of_year - DAYS_TO_1970
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_dates_are_those_of_the_calendar() {
        for (day, (year, month, of_month)) in [
            (0, (1970, 1, 1)),
            (-1, (1969, 12, 31)),
            (11_016, (2000, 2, 29)),
            (11_017, (2000, 3, 1)),
            (47_540, (2100, 2, 28)),
            (47_541, (2100, 3, 1)),
            (-719_468, (0, 3, 1)),
            (-719_469, (0, 2, 29)),
            (-719_529, (-1, 12, 31)),
        ] {
            let date = CivilDate { year, month, day: of_month };
            assert_eq!(CivilDate::of_day(day), date);
            assert_eq!(date.to_day(), day, "{date:?}");
        }
        assert_eq!(CivilDate { year: 2023, month: 2, day: 31 }.to_day(), 19_419);
    }

    #[test]
    fn each_day_of_two_eras_is_the_one_after_the_day_before() {
        let mut before = CivilDate::of_day(-DAYS_OF_ERA - 1);
        for day in -DAYS_OF_ERA..DAYS_OF_ERA {
            let date = CivilDate::of_day(day);
            assert_eq!(date.to_day(), day);
            let is_next = match (date.month, date.day) {
                (1, 1) => (before.year, before.month, before.day) == (date.year - 1, 12, 31),
                (_, 1) => before.month == date.month - 1 && before.day >= 28,
                _ => (before.month, before.day) == (date.month, date.day - 1),
            };
            assert!(is_next, "{before:?}, {date:?}");
            before = date;
        }
    }
}
