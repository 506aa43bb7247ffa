//! What groups are told apart by: columns, and what is made of them.

use std::sync::Arc;

use super::filters::bad_pattern;
use super::patterns::Patterns;
use super::{MAX_GROUP_KEYS, at_most, unknown_number};
use crate::column::schema::MAX_NAME_BYTES;
use crate::error::{Error, Result};
use crate::scan::capture::Capture;
use crate::window::parts::{Part, Parts};
use crate::wire::v1;

/// A key of groups.
#[derive(Clone, Debug)]
pub struct KeySpec {
    /// Name in the answer.
    pub name: String,
    /// Of which column.
    pub column: String,
    /// What is made of it; none: it is taken as it is.
    pub made: Option<Made>,
}

/// What is made of a column.
#[derive(Clone, Debug)]
pub enum Made {
    /// A part of its instants.
    Part(Arc<Parts>),
    /// Bins of its numbers, of this width.
    Bins(f64),
    /// What a group of a regular expression takes out of its texts.
    Capture(Capture),
}

impl Made {
    /// What people call it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Part(_) => "a part of time",
            Self::Bins(_) => "a bin",
            Self::Capture(_) => "a capture",
        }
    }
}

pub(super) fn of(keys: Vec<v1::GroupKey>, patterns: &mut Patterns) -> Result<Vec<KeySpec>> {
    at_most("spec.group_by", "keys to group by", keys.len(), MAX_GROUP_KEYS)?;
    let mut specs: Vec<KeySpec> = Vec::with_capacity(keys.len());
    for (at, key) in keys.into_iter().enumerate() {
        let field = format!("spec.group_by[{at}]");
        if key.column.is_empty() {
            let message = "a group key names a column, got none";
            return Err(Error::invalid("COLUMN_MISSING", format!("{field}.column"), message));
        }
        let spec = key_of(key, &field, patterns)?;
        if let Some(other) = specs.iter().find(|other| other.name == spec.name) {
            let (part, message) = if other.column == spec.column && spec.made.is_none() {
                (
                    "column",
                    format!("each column is grouped by once, {:?} stands twice", spec.column),
                )
            } else {
                (
                    "name",
                    format!("keys have names of their own, {:?} stands twice", spec.name),
                )
            };
            return Err(Error::invalid(
                "DUPLICATE_GROUP_KEY",
                format!("{field}.{part}"),
                message,
            ));
        }
        specs.push(spec);
    }
    Ok(specs)
}

fn key_of(key: v1::GroupKey, field: &str, patterns: &mut Patterns) -> Result<KeySpec> {
    let v1::GroupKey {
        column,
        name,
        time_part,
        time_zone,
        bin_width,
        capture,
    } = key;
    let bad = |part: &str, message: String| Error::invalid("BAD_GROUP_KEY", format!("{field}.{part}"), message);
    if name.len() > MAX_NAME_BYTES {
        let message = format!("a name has at most {MAX_NAME_BYTES} bytes, got {}", name.len());
        return Err(bad("name", message));
    }
    let set = [
        ("time_part", time_part != 0),
        ("bin_width", bin_width != 0.0),
        ("capture", !capture.is_empty()),
    ];
    let mut set = set.iter().filter(|(_, set)| *set).map(|(part, _)| *part);
    if let (Some(first), Some(second)) = (set.next(), set.next()) {
        let message = format!("one thing is made of a column to group by, got {first} and {second}");
        return Err(bad(second, message));
    }
    if !time_zone.is_empty() && time_part == 0 {
        return Err(bad(
            "time_zone",
            "a time zone goes with a time_part, got none".to_owned(),
        ));
    }
    let (made, own_name) = if time_part != 0 {
        let (part, word) = part_of(time_part, field)?;
        let own_name = if column == "time" {
            word.to_owned()
        } else {
            format!("{word}_{column}")
        };
        let zone = if time_zone.is_empty() { "UTC" } else { &time_zone };
        let parts = Parts::new(part, zone).ok_or_else(|| {
            let shown: String = zone.chars().take(64).collect();
            let message = format!("a time zone has an IANA name, such as Europe/Berlin, got {shown:?}");
            bad("time_zone", message)
        })?;
        (Some(Made::Part(Arc::new(parts))), own_name)
    } else if bin_width != 0.0 {
        if !(bin_width.is_finite() && bin_width > 0.0) {
            let message = format!("a bin's width is positive and finite, got {bin_width}");
            return Err(bad("bin_width", message));
        }
        (Some(Made::Bins(bin_width)), format!("bin_{column}"))
    } else if capture.is_empty() {
        (None, column.clone())
    } else {
        let field = format!("{field}.capture");
        let made = patterns.counted(&field, || Capture::new(&capture))?;
        let made = made.map_err(|bad| bad_pattern(&capture, bad, field))?;
        (Some(Made::Capture(made)), format!("capture_{column}"))
    };
    Ok(KeySpec {
        name: if name.is_empty() { own_name } else { name },
        column,
        made,
    })
}

fn part_of(number: i32, field: &str) -> Result<(Part, &'static str)> {
    Ok(match v1::TimePart::try_from(number) {
        Err(_) | Ok(v1::TimePart::Unspecified) => return Err(unknown_number(&format!("{field}.time_part"), number)),
        Ok(v1::TimePart::HourOfDay) => (Part::HourOfDay, "hour_of_day"),
        Ok(v1::TimePart::DayOfWeek) => (Part::DayOfWeek, "day_of_week"),
        Ok(v1::TimePart::DayOfMonth) => (Part::DayOfMonth, "day_of_month"),
        Ok(v1::TimePart::DayOfYear) => (Part::DayOfYear, "day_of_year"),
        Ok(v1::TimePart::IsoWeek) => (Part::IsoWeek, "iso_week"),
        Ok(v1::TimePart::Month) => (Part::Month, "month"),
        Ok(v1::TimePart::Quarter) => (Part::Quarter, "quarter"),
        Ok(v1::TimePart::Year) => (Part::Year, "year"),
    })
}
