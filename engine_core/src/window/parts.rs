//! Parts of instants by the clocks of a time zone: the hour, the day of the week, the month. A part is worked out once for all
//! instants of an hour or a day.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::time::SECOND_NS;

/// Which part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// 0 to 23.
    HourOfDay,
    /// 1 (Monday) to 7.
    DayOfWeek,
    /// 1 to 31.
    DayOfMonth,
    /// 1 to 366.
    DayOfYear,
    /// 1 to 53, by ISO 8601.
    IsoWeek,
    /// 1 to 12.
    Month,
    /// 1 to 4.
    Quarter,
    /// 1677 to 2262.
    Year,
}

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// A part of instants in a time zone.
#[derive(Clone, Debug)]
pub struct Parts {
    part: Part,
    /// From when on, in Unix nanoseconds, clocks are so many seconds ahead of UTC; ascending, the first from the beginning of time.
    offsets: Vec<(i64, i64)>,
}

/// Instants in a row that have a part in common: the first, the last, and the part.
type Stretch = (i64, i64, i64);

impl Parts {
    /// Of an IANA zone; none if there is no such zone.
    pub fn new(part: Part, zone: &str) -> Option<Self> {
        let zone = TimeZone::get(zone).ok()?;
        let first = Timestamp::from_nanosecond(i64::MIN.into()).ok()?;
        let mut offsets = vec![(i64::MIN, i64::from(zone.to_offset(first).seconds()))];
        for transition in zone.following(first) {
            // Rules go on for ever, times do not.
            let Ok(at) = i64::try_from(transition.timestamp().as_nanosecond()) else {
                break;
            };
            offsets.push((at, transition.offset().seconds().into()));
        }
        Some(Self { part, offsets })
    }

    /// The part of an instant.
    pub fn of(&self, time: i64) -> i64 {
        self.stretch(time).2
    }

    /// The part that all instants from one to another have, if that is seen at once.
    pub fn of_all(&self, first: i64, last: i64) -> Option<i64> {
        let (_, end, part) = self.stretch(first);
        (last <= end).then_some(part)
    }

    /// Puts the part in the place of each instant.
    pub fn apply(&self, times: &mut [i64]) {
        let (mut first, mut last, mut part) = (1, 0, 0);
        for time in times {
            if *time < first || *time > last {
                (first, last, part) = self.stretch(*time);
            }
            *time = part;
        }
    }

    /// The instants around one that have its part, within an hour or a day and one offset.
    fn stretch(&self, time: i64) -> Stretch {
        let behind = self.offsets.partition_point(|(start, _)| *start <= time);
        let (start, offset) = self.offsets[behind.saturating_sub(1)];
        let end = self.offsets.get(behind).map_or(i64::MAX, |(next, _)| next - 1);
        let local = time.div_euclid(SECOND_NS) + offset;
        let day = local.div_euclid(DAY);
        let length = if self.part == Part::HourOfDay { HOUR } else { DAY };
        let begun = local.div_euclid(length) * length - offset;
        let first = begun.saturating_mul(SECOND_NS).max(start);
        let last = (begun + length).saturating_mul(SECOND_NS).saturating_sub(1).min(end);
        // Saturated where the hour or day reaches past the ends of time.
        let last = if last == i64::MAX - 1 { i64::MAX } else { last };
        let part = match self.part {
            Part::HourOfDay => local.rem_euclid(DAY) / HOUR,
            Part::DayOfWeek => weekday(day),
            Part::DayOfMonth => civil(day).2,
            Part::DayOfYear => day_of_year(day),
            Part::IsoWeek => (day_of_year(day - weekday(day) + 4) - 1) / 7 + 1,
            Part::Month => civil(day).1,
            Part::Quarter => (civil(day).1 - 1) / 3 + 1,
            Part::Year => civil(day).0,
        };
        (first, last, part)
    }
}

/// Day of the week of a day since 1970, which began on a Thursday.
fn weekday(day: i64) -> i64 {
    (day + 3).rem_euclid(7) + 1
}

/// Year, month and day of a day since 1970, counted in years that begin in March: Howard Hinnant, chrono-compatible low-level date
/// algorithms.
fn civil(day: i64) -> (i64, i64, i64) {
    let day = day + 719_468;
    let (era, of_era) = (day.div_euclid(146_097), day.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, of_year - (153 * from_march + 2) / 5 + 1)
}

fn day_of_year(day: i64) -> i64 {
    let (year, month, of_month) = civil(day);
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let before = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334][(month - 1) as usize];
    before + of_month + i64::from(is_leap && month > 2)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: [Part; 8] = [
        Part::HourOfDay,
        Part::DayOfWeek,
        Part::DayOfMonth,
        Part::DayOfYear,
        Part::IsoWeek,
        Part::Month,
        Part::Quarter,
        Part::Year,
    ];
    const ZONES: [&str; 9] = [
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "America/Sao_Paulo",
        "Australia/Lord_Howe",
        "Asia/Kathmandu",
        "Pacific/Apia",
        "Africa/Casablanca",
        "Europe/Dublin",
    ];

    /// As the library of calendars has it.
    fn expected(part: Part, zone: &str, time: i64) -> i64 {
        let at = Timestamp::from_nanosecond(time.into()).unwrap();
        let local = TimeZone::get(zone).unwrap().to_datetime(at);
        match part {
            Part::HourOfDay => local.hour().into(),
            Part::DayOfWeek => local.date().weekday().to_monday_one_offset().into(),
            Part::DayOfMonth => local.day().into(),
            Part::DayOfYear => local.date().day_of_year().into(),
            Part::IsoWeek => local.date().iso_week_date().week().into(),
            Part::Month => local.month().into(),
            Part::Quarter => i64::from(local.month() - 1) / 3 + 1,
            Part::Year => local.year().into(),
        }
    }

    fn check(zone: &str, times: &[i64]) {
        for part in ALL {
            let parts = Parts::new(part, zone).unwrap();
            let mut found = times.to_vec();
            parts.apply(&mut found);
            for (&time, &found) in times.iter().zip(&found) {
                assert_eq!(found, expected(part, zone, time), "{part:?} of {time} in {zone}");
                assert_eq!(found, parts.of(time));
                let (first, last, _) = parts.stretch(time);
                assert!((first..=last).contains(&time), "{time} in {first}..={last}");
                assert_eq!(parts.of_all(time, last), Some(found));
                for edge in [first, last] {
                    assert_eq!(found, expected(part, zone, edge), "{part:?} of {edge} in {zone}");
                }
            }
        }
    }

    #[test]
    fn parts_are_right_around_every_change_of_clocks() {
        for zone in ZONES {
            let parts = Parts::new(Part::Year, zone).unwrap();
            let around = parts.offsets[1..]
                .iter()
                .flat_map(|&(at, _)| [-HOUR, -1, 0, 1, HOUR].map(|seconds| at + seconds * SECOND_NS));
            let times: Vec<i64> = around.chain([i64::MIN, -1, 0, i64::MAX]).collect();
            check(zone, &times);
        }
    }

    #[test]
    fn an_unknown_zone_is_none() {
        assert!(Parts::new(Part::Year, "Mars/Olympus").is_none());
    }

    proptest! {
        #[test]
        fn parts_of_any_instants_are_those_of_the_calendar(zone in prop::sample::select(&ZONES[..]), times in prop::collection::vec(any::<i64>(), 1..20)) {
            check(zone, &times);
        }
    }
}
