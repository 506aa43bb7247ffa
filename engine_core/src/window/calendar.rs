//! Hours, days, weeks, months, quarters and years of a time zone, by the IANA time zone database that is compiled in.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// Unit of a calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// From one full hour of the zone to the next. A shift by half an hour makes one longer.
    Hour,
    /// From the first instant of a date to that of the next: 23 to 25 hours, and other lengths where clocks were set otherwise.
    Day,
    /// Seven days.
    Week,
    /// A month.
    Month,
    /// Three months.
    Quarter,
    /// Twelve months.
    Year,
}

/// A calendar.
#[derive(Clone, Debug)]
pub struct Calendar {
    unit: Unit,
    zone: TimeZone,
    /// 1 (Monday) to 7.
    week_start: i8,
    /// First month of a year, 1 to 12.
    year_start_month: i8,
}

const HOUR_NS: i64 = 3_600_000_000_000;

impl Calendar {
    /// A calendar of an IANA zone; none if there is no such zone, or the week does not start on 1 to 7, or the year in 1 to 12.
    pub fn new(unit: Unit, zone: &str, week_start: u32, year_start_month: u32) -> Option<Self> {
        let week_start = i8::try_from(week_start).ok().filter(|day| (1..=7).contains(day))?;
        let year_start_month = i8::try_from(year_start_month)
            .ok()
            .filter(|month| (1..=12).contains(month))?;
        Some(Self {
            unit,
            zone: TimeZone::get(zone).ok()?,
            week_start,
            year_start_month,
        })
    }

    /// Days of UTC.
    pub fn utc() -> Self {
        Self {
            unit: Unit::Day,
            zone: TimeZone::UTC,
            week_start: 1,
            year_start_month: 1,
        }
    }

    /// The same time of day so many days and months earlier, or what clocks showed instead; of a month without that day its last.
    pub fn back(&self, time: i64, days: i64, months: i64) -> i64 {
        let local = self.zone.to_datetime(timestamp(time));
        let span = jiff::ToSpan::days(days).months(months);
        let earlier = self.zone.to_zoned_datetime(local.saturating_sub(span));
        earlier.map_or(i64::MIN, |earlier| nanoseconds(earlier.timestamp()))
    }

    /// Starts of windows in a row, Unix nanoseconds, ascending: that of the window of `first`, and all after it until one is past
    /// `last`, which may be the greatest integer where that window's end lies past time.
    pub fn edges(&self, first: i64, last: i64) -> Vec<i64> {
        if self.unit == Unit::Hour {
            return self.hours(first, last);
        }
        let local = self.zone.to_datetime(timestamp(first)).date();
        let mut date = self.floor(local);
        // Where a zone skipped a date, or set its clocks back over midnight, the date's first instant may lie behind the time.
        while self.start(date) > first {
            date = self.floor(date.saturating_sub(jiff::ToSpan::day(1)));
        }
        let mut edges = vec![self.start(date)];
        while edges[edges.len() - 1] <= last && edges[edges.len() - 1] != i64::MAX {
            date = self.next(date);
            let start = self.start(date);
            // A date that a zone skipped has no instant of its own.
            if start > edges[edges.len() - 1] {
                edges.push(start);
            }
        }
        edges
    }

    /// The first date of the window of a date.
    fn floor(&self, date: Date) -> Date {
        let months = match self.unit {
            Unit::Hour | Unit::Day => return date,
            Unit::Week => {
                let weekday = date.weekday().to_monday_one_offset();
                let behind = (weekday - self.week_start).rem_euclid(7);
                return date.saturating_sub(jiff::ToSpan::days(i64::from(behind)));
            }
            Unit::Month => 1,
            Unit::Quarter => 3,
            Unit::Year => 12,
        };
        let behind = (date.month() - self.year_start_month).rem_euclid(months);
        date.first_of_month()
            .saturating_sub(jiff::ToSpan::months(i64::from(behind)))
    }

    /// The first date of the window after that which begins on a date.
    fn next(&self, date: Date) -> Date {
        date.saturating_add(match self.unit {
            Unit::Hour | Unit::Day => jiff::ToSpan::days(1),
            Unit::Week => jiff::ToSpan::days(7),
            Unit::Month => jiff::ToSpan::months(1),
            Unit::Quarter => jiff::ToSpan::months(3),
            Unit::Year => jiff::ToSpan::months(12),
        })
    }

    /// First instant of a date. Where midnight was skipped it is the end of the gap, where it came twice the first.
    fn start(&self, date: Date) -> i64 {
        let midnight = date.to_zoned_datetime(self.zone.clone());
        midnight.map_or(i64::MAX, |midnight| nanoseconds(midnight.timestamp()))
    }

    fn hours(&self, first: i64, last: i64) -> Vec<i64> {
        // How far behind the full hour the clocks of the zone are.
        let behind = |time: i64| {
            let offset = i64::from(self.zone.to_offset(timestamp(time)).seconds()) * 1_000_000_000;
            time.rem_euclid(HOUR_NS).wrapping_add(offset).rem_euclid(HOUR_NS)
        };
        let mut edges = vec![first.saturating_sub(behind(first))];
        while edges[edges.len() - 1] <= last && edges[edges.len() - 1] != i64::MAX {
            let next = edges[edges.len() - 1].saturating_add(HOUR_NS);
            let late = behind(next);
            edges.push(if late == 0 {
                next
            } else {
                next.saturating_add(HOUR_NS - late)
            });
        }
        edges
    }
}

fn timestamp(time: i64) -> Timestamp {
    Timestamp::from_nanosecond(time.into()).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Instants past time are its ends.
fn nanoseconds(timestamp: Timestamp) -> i64 {
    timestamp.as_nanosecond().clamp(i64::MIN.into(), i64::MAX.into()) as i64
}

#[cfg(test)]
mod tests {
    use jiff::civil::Weekday;
    use proptest::prelude::*;

    use super::*;

    const ZONES: [&str; 20] = [
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "America/Sao_Paulo",
        "Australia/Lord_Howe",
        "Asia/Kolkata",
        "Asia/Kathmandu",
        "Pacific/Apia",
        "Pacific/Kwajalein",
        "Africa/Casablanca",
        "America/St_Johns",
        "Asia/Tehran",
        "Europe/London",
        "Europe/Dublin",
        "Asia/Gaza",
        "America/Havana",
        "Atlantic/Azores",
        "Antarctica/Troll",
        "Asia/Tokyo",
        "Pacific/Chatham",
    ];

    fn at(text: &str) -> i64 {
        nanoseconds(text.parse().unwrap())
    }

    fn edges(unit: Unit, zone: &str, first: &str, last: &str) -> Vec<String> {
        let edges = Calendar::new(unit, zone, 1, 1).unwrap().edges(at(first), at(last));
        edges.into_iter().map(|edge| timestamp(edge).to_string()).collect()
    }

    #[test]
    fn days_have_the_hours_that_clocks_give_them() {
        let spring = edges(
            Unit::Day,
            "Europe/Berlin",
            "2024-03-30T23:30:00Z",
            "2024-03-31T21:59:59Z",
        );
        assert_eq!(spring, ["2024-03-30T23:00:00Z", "2024-03-31T22:00:00Z"]);
        let autumn = edges(
            Unit::Day,
            "Europe/Berlin",
            "2024-10-27T00:00:00Z",
            "2024-10-27T22:59:59Z",
        );
        assert_eq!(autumn, ["2024-10-26T22:00:00Z", "2024-10-27T23:00:00Z"]);
        // Midnight was skipped.
        let skipped = edges(
            Unit::Day,
            "America/Sao_Paulo",
            "2018-11-04T03:00:00Z",
            "2018-11-04T03:00:00Z",
        );
        assert_eq!(skipped, ["2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"]);
        // A whole date was skipped.
        let apia = edges(
            Unit::Day,
            "Pacific/Apia",
            "2011-12-30T09:59:59Z",
            "2011-12-30T10:00:00Z",
        );
        assert_eq!(
            apia,
            ["2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z"]
        );
    }

    #[test]
    fn leap_days_belong_to_their_month() {
        let months = edges(Unit::Month, "UTC", "2024-02-29T23:59:59Z", "2024-03-01T00:00:00Z");
        assert_eq!(
            months,
            ["2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z", "2024-04-01T00:00:00Z"]
        );
    }

    #[test]
    fn weeks_and_years_start_where_they_are_told_to() {
        let start = |unit, week_start, month, time: &str| {
            let calendar = Calendar::new(unit, "UTC", week_start, month).unwrap();
            timestamp(calendar.edges(at(time), at(time))[0]).to_string()
        };
        // A Wednesday.
        assert_eq!(start(Unit::Week, 1, 1, "2024-05-15T10:00:00Z"), "2024-05-13T00:00:00Z");
        assert_eq!(start(Unit::Week, 7, 1, "2024-05-15T10:00:00Z"), "2024-05-12T00:00:00Z");
        assert_eq!(start(Unit::Week, 3, 1, "2024-05-15T10:00:00Z"), "2024-05-15T00:00:00Z");
        assert_eq!(
            start(Unit::Quarter, 1, 1, "2024-05-15T10:00:00Z"),
            "2024-04-01T00:00:00Z"
        );
        assert_eq!(
            start(Unit::Quarter, 1, 2, "2024-04-15T10:00:00Z"),
            "2024-02-01T00:00:00Z"
        );
        assert_eq!(start(Unit::Year, 1, 10, "2024-05-15T10:00:00Z"), "2023-10-01T00:00:00Z");
        assert_eq!(start(Unit::Year, 1, 4, "2024-05-15T10:00:00Z"), "2024-04-01T00:00:00Z");
    }

    #[test]
    fn hours_are_those_of_the_zone() {
        let kathmandu = edges(
            Unit::Hour,
            "Asia/Kathmandu",
            "2024-01-01T00:00:00Z",
            "2024-01-01T00:20:00Z",
        );
        assert_eq!(
            kathmandu,
            ["2023-12-31T23:15:00Z", "2024-01-01T00:15:00Z", "2024-01-01T01:15:00Z"]
        );
        // Clocks went from 02:00 to 01:30.
        let lord_howe = edges(
            Unit::Hour,
            "Australia/Lord_Howe",
            "2024-04-06T14:00:00Z",
            "2024-04-06T15:00:00Z",
        );
        assert_eq!(lord_howe, ["2024-04-06T14:00:00Z", "2024-04-06T15:30:00Z"]);
    }

    #[test]
    fn dates_lie_back_on_the_clocks_of_the_zone() {
        let berlin = Calendar::new(Unit::Day, "Europe/Berlin", 1, 1).unwrap();
        let back = |time, days, months| timestamp(berlin.back(at(time), days, months)).to_string();
        // Midnight of summer time, and of winter time the week before.
        assert_eq!(back("2024-04-01T22:00:00Z", 7, 0), "2024-03-25T23:00:00Z");
        assert_eq!(back("2024-02-28T23:00:00Z", 0, 12), "2023-02-27T23:00:00Z");
        assert_eq!(
            Calendar::utc().back(at("2024-02-29T05:00:00Z"), 0, 12),
            at("2023-02-28T05:00:00Z")
        );
    }

    #[test]
    fn what_is_no_calendar_is_none() {
        assert!(Calendar::new(Unit::Day, "Mars/Olympus", 1, 1).is_none());
        assert!(Calendar::new(Unit::Week, "UTC", 8, 1).is_none());
        assert!(Calendar::new(Unit::Week, "UTC", 0, 1).is_none());
        assert!(Calendar::new(Unit::Year, "UTC", 1, 13).is_none());
    }

    #[test]
    fn the_ends_of_time_have_windows() {
        for zone in ZONES {
            for unit in [
                Unit::Day,
                Unit::Week,
                Unit::Month,
                Unit::Quarter,
                Unit::Year,
                Unit::Hour,
            ] {
                let calendar = Calendar::new(unit, zone, 1, 1).unwrap();
                let late = calendar.edges(i64::MAX - 1, i64::MAX);
                assert_eq!(late[late.len() - 1], i64::MAX);
                let early = calendar.edges(i64::MIN, i64::MIN);
                assert_eq!(early[0], i64::MIN);
            }
        }
    }

    proptest! {
        #[test]
        fn a_time_lies_in_its_window(
            zone in prop::sample::select(&ZONES[..]),
            unit in prop::sample::select(vec![Unit::Day, Unit::Week, Unit::Month, Unit::Quarter, Unit::Year, Unit::Hour]),
            first in -1_500_000_000i64..3_000_000_000,
            days in 0i64..40,
            week_start in 1u32..=7,
            month in 1u32..=12,
        ) {
            let calendar = Calendar::new(unit, zone, week_start, month).unwrap();
            let (first, last) = (first * 1_000_000_000, (first + days * 86_400) * 1_000_000_000);
            let edges = calendar.edges(first, last);
            prop_assert!(edges.windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert!(edges[0] <= first && edges[1] > first);
            prop_assert!(edges[edges.len() - 1] > last && edges[edges.len() - 2] <= last);
            if unit != Unit::Hour {
                for &edge in &edges {
                    // The local date changes there.
                    let date = |time| calendar.zone.to_datetime(timestamp(time)).date();
                    prop_assert!(date(edge) > date(edge - 1) || zone == "Pacific/Kwajalein" || zone == "Pacific/Apia", "{}", timestamp(edge));
                    if unit == Unit::Week {
                        prop_assert_eq!(date(edge).weekday(), Weekday::from_monday_one_offset(week_start as i8).unwrap());
                    }
                }
            }
            // However the span is cut, the same edges.
            let middle = first + (last - first) / 2;
            let later = calendar.edges(middle, last);
            prop_assert!(edges.ends_with(&later));
        }
    }
}
