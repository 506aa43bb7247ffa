//! What keys make of columns, worked out for one cell: by the library of calendars and by hand.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use marigram_core::wire::v1;
use v1::TimePart as Part;

use super::Cell;

/// A regular expression, and what its first group takes out of a text.
type Capture = (&'static str, fn(&str) -> Option<String>);

const CAPTURES: [Capture; 4] = [
    ("^(.)", |text| text.chars().next().map(String::from)),
    ("a(b)?", |text| text.contains("ab").then(|| "b".to_owned())),
    ("(n*)$", |text| {
        Some(text.chars().rev().take_while(|&char| char == 'n').collect())
    }),
    (r#"host="h(\d)"#, |text| {
        text.split("host=\"h")
            .nth(1)
            .and_then(|rest| rest.chars().next())
            .map(String::from)
    }),
];

/// A key of a column as it is.
pub(crate) fn plain(column: &str) -> v1::GroupKey {
    v1::GroupKey {
        column: column.to_owned(),
        ..Default::default()
    }
}

/// A part of a time.
pub(crate) fn part(column: &str, part: Part, zone: &str) -> v1::GroupKey {
    v1::GroupKey {
        time_part: part as i32,
        time_zone: zone.to_owned(),
        ..plain(column)
    }
}

/// Bins of numbers.
pub(crate) fn bins(column: &str, bin_width: f64) -> v1::GroupKey {
    v1::GroupKey {
        bin_width,
        ..plain(column)
    }
}

/// What one of the known regular expressions takes out of texts.
pub(crate) fn capture(column: &str, at: usize) -> v1::GroupKey {
    v1::GroupKey {
        capture: CAPTURES[at].0.to_owned(),
        ..plain(column)
    }
}

/// What a key makes of a cell of its column.
pub(crate) fn made(key: &v1::GroupKey, cell: Cell) -> Cell {
    if let Some((_, taken)) = CAPTURES.iter().find(|(pattern, _)| *pattern == key.capture) {
        return match cell {
            Cell::Text(text) => taken(&text).map_or(Cell::Null, Cell::Text),
            _ => Cell::Null,
        };
    }
    match (cell, key.time_part(), key.bin_width) {
        (Cell::Time(time), part, _) if part != Part::Unspecified => Cell::I64(part_of(part, &key.time_zone, time)),
        (Cell::F64(value), _, width) if width > 0.0 => Cell::F64((value / width).floor() * width + 0.0),
        (Cell::I64(value), _, width) if width > 0.0 => Cell::F64((value as f64 / width).floor() * width + 0.0),
        (cell, ..) => cell,
    }
}

fn part_of(part: Part, zone: &str, time: i64) -> i64 {
    let zone = TimeZone::get(if zone.is_empty() { "UTC" } else { zone }).unwrap();
    let local = zone.to_datetime(Timestamp::from_nanosecond(time.into()).unwrap());
    match part {
        Part::HourOfDay => local.hour().into(),
        Part::DayOfWeek => local.date().weekday().to_monday_one_offset().into(),
        Part::DayOfMonth => local.day().into(),
        Part::DayOfYear => local.date().day_of_year().into(),
        Part::IsoWeek => local.date().iso_week_date().week().into(),
        Part::Month => local.month().into(),
        Part::Quarter => (i64::from(local.month()) + 2) / 3,
        Part::Year => local.year().into(),
        Part::Unspecified => panic!("no part"),
    }
}
