//! How a query cuts event time.

use prost_types::Duration;

use super::unknown_number;
use crate::error::{Error, Result};
use crate::time::SECOND_NS;
use crate::window::calendar::{Calendar, Unit};
use crate::window::tumbling::Tumbling;
use crate::wire::v1;
use crate::wire::v1::window::Kind;

/// Most windows of a hopping kind that one instant lies in.
const MAX_OVERLAP: i64 = 10_000;

/// Windows of a query.
#[derive(Clone, Debug)]
pub enum WindowSpec {
    /// Equal, side by side.
    Tumbling(Tumbling),
    /// Equal, one beginning each step.
    Hopping(Hopping),
    /// Of a calendar.
    Calendar(Calendar),
    /// Rows of an entity with no long gap.
    Session(Session),
    /// So wide, back from each time that a group has rows at.
    Sliding(Tumbling),
    /// Between edges, ascending, at least two.
    Edges(Vec<i64>),
}

/// Rows of an entity with no gap longer than these windows are wide, the last at most as much later than the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// Longest gap.
    pub gap: Tumbling,
    /// Longest session; none: no bound.
    pub longest: Option<Tumbling>,
}

/// Equal windows, one beginning each step, made of panes: the longest pieces of time that lie whole in or out of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hopping {
    /// Panes.
    pub pane: Tumbling,
    /// Where windows begin.
    pub step: Tumbling,
    /// Panes of a window.
    pub width_panes: u64,
    /// Panes of a step.
    pub step_panes: u64,
}

/// Checks a window; none: the whole range.
pub(super) fn of(window: Option<v1::Window>) -> Result<Option<WindowSpec>> {
    let Some(v1::Window { kind }) = window else {
        return Ok(None);
    };
    Ok(Some(match kind {
        None => {
            return Err(Error::invalid(
                "WINDOW_MISSING",
                "spec.window",
                "a window names exactly one kind, got none",
            ));
        }
        Some(Kind::Whole(v1::WholeWindow {})) => return Ok(None),
        Some(Kind::Tumbling(v1::TumblingWindow { width })) => {
            WindowSpec::Tumbling(tumbling(width, "spec.window.tumbling", "width")?)
        }
        Some(Kind::Hopping(v1::HoppingWindow { width, step })) => {
            let field = "spec.window.hopping";
            WindowSpec::Hopping(hopping(
                tumbling(width, field, "width")?,
                tumbling(step, field, "step")?,
            )?)
        }
        Some(Kind::Sliding(v1::SlidingWindow { width })) => {
            WindowSpec::Sliding(tumbling(width, "spec.window.sliding", "width")?)
        }
        Some(Kind::Session(v1::SessionWindow { gap, max_length })) => {
            let field = "spec.window.session";
            let longest = max_length.map(|length| tumbling(Some(length), field, "max_length"));
            WindowSpec::Session(Session {
                gap: tumbling(gap, field, "gap")?,
                longest: longest.transpose()?,
            })
        }
        Some(Kind::Calendar(calendar)) => WindowSpec::Calendar(calendar_of(&calendar)?),
    }))
}

/// Windows of a length, which is positive.
fn tumbling(length: Option<Duration>, window: &str, part: &str) -> Result<Tumbling> {
    let field = format!("{window}.{part}");
    let invalid = |found: String| {
        let message = format!("{part} must be positive, got {found}");
        Error::invalid("BAD_WIDTH", field.as_str(), message)
    };
    let length = length.ok_or_else(|| invalid("none".to_owned()))?;
    if !(-999_999_999..=999_999_999).contains(&length.nanos)
        || length.seconds.signum() * i64::from(length.nanos.signum()) < 0
    {
        return Err(Error::invalid(
            "BAD_DURATION",
            field,
            format!(
                "a duration has less than a second of nanos, of the sign of its seconds, got {} s and {} ns",
                length.seconds, length.nanos
            ),
        ));
    }
    let length_ns = length
        .seconds
        .checked_mul(SECOND_NS)
        .and_then(|ns| ns.checked_add(length.nanos.into()))
        .ok_or_else(|| {
            let message = format!(
                "{part} fits 64 bits of nanoseconds, about 292 years, got {} s",
                length.seconds
            );
            Error::invalid("BAD_WIDTH", field.as_str(), message)
        })?;
    Tumbling::new(length_ns).ok_or_else(|| invalid(format!("{length_ns} ns")))
}

fn hopping(width: Tumbling, step: Tumbling) -> Result<Hopping> {
    let field = "spec.window.hopping.step";
    let (width_ns, step_ns) = (width.width_ns(), step.width_ns());
    if step_ns > width_ns {
        let message = format!("a step is at most the width of {width_ns} ns, got {step_ns} ns");
        return Err(Error::invalid("BAD_STEP", field, message));
    }
    let (mut pane_ns, mut rest) = (width_ns, step_ns);
    while rest > 0 {
        (pane_ns, rest) = (rest, pane_ns % rest);
    }
    if width_ns / pane_ns > MAX_OVERLAP {
        let message = format!(
            "width and step have a common part of at least a {MAX_OVERLAP}th of the width, got {width_ns} ns and {step_ns} ns"
        );
        return Err(Error::invalid("BAD_STEP", field, message));
    }
    let pane = Tumbling::new(pane_ns).ok_or_else(|| Error::internal("panes without a width"))?;
    Ok(Hopping {
        pane,
        step,
        width_panes: (width_ns / pane_ns) as u64,
        step_panes: (step_ns / pane_ns) as u64,
    })
}

fn calendar_of(calendar: &v1::CalendarWindow) -> Result<Calendar> {
    let field = |part: &str| format!("spec.window.calendar.{part}");
    let invalid = |part: &str, message: String| Err(Error::invalid("BAD_CALENDAR", field(part), message));
    let unit = match v1::CalendarUnit::try_from(calendar.unit) {
        Err(_) => return Err(unknown_number(&field("unit"), calendar.unit)),
        Ok(v1::CalendarUnit::Unspecified) => {
            return invalid("unit", "a calendar has a unit, got none".to_owned());
        }
        Ok(v1::CalendarUnit::Hour) => Unit::Hour,
        Ok(v1::CalendarUnit::Day) => Unit::Day,
        Ok(v1::CalendarUnit::Week) => Unit::Week,
        Ok(v1::CalendarUnit::Month) => Unit::Month,
        Ok(v1::CalendarUnit::Quarter) => Unit::Quarter,
        Ok(v1::CalendarUnit::Year) => Unit::Year,
    };
    let or_one = |number: u32| if number == 0 { 1 } else { number };
    let (week_start, month) = (or_one(calendar.week_start), or_one(calendar.year_start_month));
    if week_start > 7 {
        return invalid(
            "week_start",
            format!("a week starts on 1 (Monday) to 7, got {week_start}"),
        );
    }
    if month > 12 {
        return invalid(
            "year_start_month",
            format!("a year starts in month 1 to 12, got {month}"),
        );
    }
    let zone = if calendar.time_zone.is_empty() {
        "UTC"
    } else {
        &calendar.time_zone
    };
    let shown: String = zone.chars().take(64).collect();
    Calendar::new(unit, zone, week_start, month).map_or_else(
        || {
            let message = format!("a time zone has an IANA name, such as Europe/Berlin, got {shown:?}");
            invalid("time_zone", message)
        },
        Ok,
    )
}
