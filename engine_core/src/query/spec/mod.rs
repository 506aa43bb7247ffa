//! The contract's QuerySpec, checked: what is served, within its bounds. What is not served yet answers UNIMPLEMENTED and
//! names the field; nothing is ignored. Columns are looked up later, by `resolve`.

pub mod filters;
mod keys;
mod measures;
mod patterns;
mod text;
mod windows;

use std::sync::Arc;

use prost::Message;

pub use keys::{KeySpec, Made};
pub use measures::MeasureSpec;
use measures::Measures;
pub use windows::{Hopping, Session, WindowSpec};

use super::measures::Of;
use super::nested;
use super::plan::Top;
use crate::aggregate::between::Bounds;
use crate::error::{Error, Result};
use crate::time::TimeRange;
use crate::wire::v1;
pub use filters::{FilterSpec, Literal};
use patterns::Patterns;
pub(super) use text::written;

/// Most keys to group by.
pub const MAX_GROUP_KEYS: usize = 16;
/// Most measures.
pub const MAX_MEASURES: usize = 64;
/// Most order keys: as many as an answer can have columns, with both ends of sessions or each measure compared.
pub const MAX_ORDER_KEYS: usize = 2 + MAX_GROUP_KEYS + 3 * MAX_MEASURES;

/// A query within the contract's bounds.
#[derive(Clone, Debug)]
pub struct Spec {
    /// Stream id.
    pub stream: String,
    /// Range of event time.
    pub range: TimeRange,
    /// Rows to take.
    pub filter: Option<FilterSpec>,
    /// Windows; none: the whole range.
    pub window: Option<WindowSpec>,
    /// What to group by.
    pub group_by: Vec<KeySpec>,
    /// What to compute.
    pub measures: Vec<MeasureSpec>,
    /// Rows that some of them alone take, each once.
    pub measure_filters: Vec<FilterSpec>,
    /// Bounds that some of them have, each once.
    pub bounds: Vec<Arc<Bounds>>,
    /// Order keys: name in the answer, and whether the greatest comes first.
    pub order_by: Vec<(String, bool)>,
    /// Rows of the answer to keep.
    pub having: Option<FilterSpec>,
    /// What stands in windows without rows; none: they are left out.
    pub fill: Option<FillSpec>,
    /// Groups of a window to keep; none: all.
    pub top: Option<Top>,
    /// The period that the answer is compared with.
    pub compare: Option<Period>,
    /// Most rows to return.
    pub limit: Option<u64>,
    /// Commit that the answer is as of; none: the newest.
    pub as_of: Option<u64>,
    /// Rows to scan, groups, bytes; 0: the server's limit.
    pub budget: v1::Budget,
    /// As it was said, which tells it from other queries.
    pub message: Arc<[u8]>,
    /// How to go about it.
    pub hints: v1::QueryHints,
}

impl Spec {
    /// Checks a message.
    pub fn new(message: v1::QuerySpec) -> Result<Self> {
        let said = message.encode_to_vec().into();
        // Destructured without `..`, so that a field added to the contract is not forgotten here.
        let v1::QuerySpec {
            stream,
            range,
            filter,
            filter_text,
            window,
            group_by,
            measures,
            order_by,
            limit,
            having,
            fill,
            fill_value,
            compare,
            as_of,
            sample,
            top_groups,
            other,
            budget,
            hints,
        } = message;
        if sample != 0.0 {
            return Err(Error::unsupported("spec.sample"));
        }
        crate::column::schema::check_stream_id("spec.stream", &stream)?;
        let window = windows::of(window)?;
        let mut patterns = Patterns::default();
        let Measures {
            specs: measures,
            filters: measure_filters,
            bounds,
        } = measures::of(measures, &mut patterns)?;
        let over_windows = measures
            .iter()
            .position(|measure| measure.kind.of == Of::NumberOverWindows);
        let is_side_by_side = matches!(window, Some(WindowSpec::Tumbling(_) | WindowSpec::Calendar(_)));
        if let Some(at) = over_windows.filter(|_| !is_side_by_side) {
            let name = measures[at].kind.name;
            let message = format!("{name} runs over tumbling windows or those of a calendar, the query has neither");
            return Err(Error::invalid(
                "WINDOW_MISSING",
                format!("spec.measures[{at}].kind"),
                message,
            ));
        }
        let among = measures.iter().position(|spec| spec.measure.is_among_groups());
        if let (Some(at), Some(WindowSpec::Sliding(_))) = (among, &window) {
            let name = measures[at].kind.name;
            let message = format!("{name} is of all groups of a window, a sliding one is of one group");
            return Err(Error::invalid(
                "WINDOW_NOT_TAKEN",
                format!("spec.measures[{at}].kind"),
                message,
            ));
        }
        let fill = fill_of(fill, fill_value, window.as_ref())?;
        let group_by = keys::of(group_by, &mut patterns)?;
        let order_by = order_by_of(order_by)?;
        let top = top_of(top_groups, other, &group_by, &order_by, window.as_ref())?;
        let compare = compare
            .map(|compare| period_of(compare, window.as_ref(), top))
            .transpose()?;
        let mut specs = measures.iter();
        if let Some(nested) = specs.find(|spec| compare.is_some() && spec.measure.is_nested()) {
            return Err(nested::refused(&nested.name, "a comparison", "spec.compare".to_owned()));
        }
        Ok(Self {
            stream,
            range: range_of(range)?,
            filter: filter_of(filter, &filter_text, "spec", &mut patterns)?,
            window,
            group_by,
            measures,
            measure_filters,
            bounds,
            order_by,
            having: having
                .map(|having| filters::of(having, "spec.having", &mut patterns))
                .transpose()?,
            fill,
            top,
            compare,
            limit: (limit > 0).then_some(limit),
            as_of: (as_of > 0).then_some(as_of),
            budget: budget.unwrap_or_default(),
            hints: hints.unwrap_or_default(),
            message: said,
        })
    }
}

/// A period to compare with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// As long as the range, just before it.
    Previous,
    /// A week before.
    SameWeekday,
    /// The same dates a year before.
    YearAgo,
}

fn period_of(compare: v1::Comparison, window: Option<&WindowSpec>, top: Option<Top>) -> Result<Period> {
    let field = "spec.compare.period";
    let period = match v1::ComparisonPeriod::try_from(compare.period) {
        Err(_) => return Err(unknown_number(field, compare.period)),
        Ok(v1::ComparisonPeriod::Unspecified) => {
            return Err(Error::invalid(
                "BAD_COMPARISON",
                field,
                "a comparison says with which period, got none",
            ));
        }
        Ok(v1::ComparisonPeriod::Previous) => Period::Previous,
        Ok(v1::ComparisonPeriod::SameWeekday) => Period::SameWeekday,
        Ok(v1::ComparisonPeriod::YearAgo) => Period::YearAgo,
    };
    let overlaps = matches!(
        window,
        Some(WindowSpec::Hopping(_) | WindowSpec::Session(_) | WindowSpec::Sliding(_))
    );
    if overlaps || top.is_some() {
        let rule = "windows that are compared lie side by side, and groups are not the top ones of each";
        return Err(Error::invalid("BAD_COMPARISON", "spec.compare", rule));
    }
    Ok(period)
}

/// What stands in windows without rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FillSpec {
    /// Null.
    Null,
    /// The value before.
    Previous,
    /// On the line between the neighbours.
    Linear,
    /// A number.
    Constant(f64),
}

fn fill_of(fill: i32, value: f64, window: Option<&WindowSpec>) -> Result<Option<FillSpec>> {
    let filled = match v1::Fill::try_from(fill) {
        Err(_) => return Err(unknown_number("spec.fill", fill)),
        Ok(v1::Fill::Unspecified | v1::Fill::None) => None,
        Ok(v1::Fill::Null) => Some(FillSpec::Null),
        Ok(v1::Fill::Previous) => Some(FillSpec::Previous),
        Ok(v1::Fill::Linear) => Some(FillSpec::Linear),
        Ok(v1::Fill::Zero) => Some(FillSpec::Constant(0.0)),
        Ok(v1::Fill::Constant) => Some(FillSpec::Constant(value)),
    };
    let invalid = |field: &str, rule: &str| Err(Error::invalid("BAD_FILL", field, rule));
    if value != 0.0 && fill != v1::Fill::Constant as i32 {
        return invalid("spec.fill_value", "a value to fill with is taken by CONSTANT alone");
    }
    if !value.is_finite() {
        return invalid("spec.fill_value", "a value to fill with is a finite number");
    }
    if filled.is_some() && matches!(window, None | Some(WindowSpec::Session(_) | WindowSpec::Sliding(_))) {
        return invalid(
            "spec.fill",
            "windows without rows are put in among tumbling, hopping or calendar windows",
        );
    }
    Ok(filled)
}

fn top_of(
    groups: u32,
    has_other: bool,
    group_by: &[KeySpec],
    order_by: &[(String, bool)],
    window: Option<&WindowSpec>,
) -> Result<Option<Top>> {
    let invalid = |field: &str, rule: &str| Err(Error::invalid("BAD_TOP_GROUPS", field, rule));
    if groups == 0 {
        return if has_other {
            invalid(
                "spec.other",
                "the other groups are those that top_groups leaves, got no top_groups",
            )
        } else {
            Ok(None)
        };
    }
    if group_by.is_empty() || order_by.is_empty() {
        return invalid(
            "spec.top_groups",
            "the top groups are those of group_by by the first key of order_by",
        );
    }
    if matches!(window, Some(WindowSpec::Session(_) | WindowSpec::Sliding(_))) {
        return Err(Error::unsupported("spec.top_groups"));
    }
    Ok(Some(Top { groups, has_other }))
}

/// Checks the encoding asked for.
pub fn check_format(format: i32) -> Result<()> {
    match v1::AnswerFormat::try_from(format) {
        Ok(v1::AnswerFormat::Unspecified | v1::AnswerFormat::Arrow) => Ok(()),
        Ok(v1::AnswerFormat::Rows) => Err(Error::unsupported("format")),
        Err(_) => Err(unknown_number("format", format)),
    }
}

pub(super) fn unknown_number(field: &str, number: i32) -> Error {
    Error::invalid(
        "UNKNOWN_ENUM",
        field,
        format!("{field} is a value of its enum, got {number}"),
    )
}

/// What both the tree and the text take.
fn filter_of(tree: Option<v1::Filter>, text: &str, field: &str, patterns: &mut Patterns) -> Result<Option<FilterSpec>> {
    let tree = tree.map(|filter| filters::of(filter, &format!("{field}.filter"), patterns));
    let tree = tree.transpose()?;
    let text = text::parse(text, &format!("{field}.filter_text"), patterns)?;
    Ok(match (tree, text) {
        (Some(tree), Some(text)) => Some(FilterSpec::All(vec![tree, text])),
        (tree, text) => tree.or(text),
    })
}

/// Which rows a request is of that is no query, but says so as queries do.
pub(super) fn rows_of(
    range: Option<v1::TimeRange>,
    filter: Option<v1::Filter>,
    filter_text: &str,
) -> Result<(TimeRange, Option<FilterSpec>)> {
    let filter = filter_of(filter, filter_text, "spec", &mut Patterns::default())?;
    Ok((range_of(range)?, filter))
}

fn range_of(range: Option<v1::TimeRange>) -> Result<TimeRange> {
    let v1::TimeRange { start_ns, end_ns } = range.unwrap_or_default();
    let range = TimeRange {
        start: start_ns.unwrap_or(i64::MIN),
        end: end_ns.unwrap_or(i64::MAX),
    };
    if range.end < range.start {
        return Err(Error::invalid(
            "RANGE_REVERSED",
            "spec.range.end_ns",
            format!("a range ends at or after its start {}, got {}", range.start, range.end),
        ));
    }
    Ok(range)
}

fn order_by_of(keys: Vec<v1::OrderBy>) -> Result<Vec<(String, bool)>> {
    at_most("spec.order_by", "order keys", keys.len(), MAX_ORDER_KEYS)?;
    let mut order: Vec<(String, bool)> = Vec::with_capacity(keys.len());
    for (at, v1::OrderBy { column, descending }) in keys.into_iter().enumerate() {
        if order.iter().any(|(name, _)| *name == column) {
            let field = format!("spec.order_by[{at}].column");
            let message = format!("each column is ordered by once, {column:?} stands twice");
            return Err(Error::invalid("DUPLICATE_ORDER_KEY", field, message));
        }
        order.push((column, descending));
    }
    Ok(order)
}

fn at_most(field: &str, what: &str, found: usize, most: usize) -> Result<()> {
    if found > most {
        let message = format!("at most {most} {what} are taken, got {found}");
        return Err(Error::invalid("TOO_MANY", field, message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    fn good() -> v1::QuerySpec {
        v1::QuerySpec {
            stream: "cpu".to_owned(),
            measures: vec![v1::Measure {
                kind: v1::MeasureKind::Count as i32,
                ..Default::default()
            }],
            ..Default::default()
        }
    }

    fn refusal(change: impl FnOnce(&mut v1::QuerySpec)) -> (Kind, &'static str, String) {
        let mut spec = good();
        change(&mut spec);
        let error = Spec::new(spec).unwrap_err();
        (error.kind(), error.reason(), error.field().to_owned())
    }

    fn unserved(field: &str, change: impl FnOnce(&mut v1::QuerySpec)) {
        assert_eq!(refusal(change), (Kind::Unsupported, "NOT_SERVED", field.to_owned()));
    }

    fn invalid(reason: &str, field: &str, change: impl FnOnce(&mut v1::QuerySpec)) {
        let (kind, found, at) = refusal(change);
        assert_eq!((kind, found, at.as_str()), (Kind::InvalidArgument, reason, field));
    }

    #[test]
    fn what_is_not_served_is_named() {
        unserved("spec.sample", |spec| spec.sample = f64::NAN);
        assert_eq!(check_format(2).unwrap_err().kind(), Kind::Unsupported);
    }

    #[test]
    fn numbers_outside_an_enum_are_refused() {
        invalid("UNKNOWN_ENUM", "spec.fill", |spec| spec.fill = 99);
        invalid("UNKNOWN_ENUM", "spec.measures[0].kind", |spec| {
            spec.measures[0].kind = -1;
        });
        assert_eq!(check_format(9).unwrap_err().reason(), "UNKNOWN_ENUM");
    }

    #[test]
    fn rules_of_the_contract_are_kept() {
        invalid("BAD_STREAM_ID", "spec.stream", |spec| spec.stream = String::new());
        invalid("MEASURE_MISSING", "spec.measures", |spec| spec.measures.clear());
        invalid("TOO_MANY", "spec.measures", |spec| {
            spec.measures = vec![v1::Measure::default(); 65];
        });
        invalid("DUPLICATE_MEASURE", "spec.measures[1].name", |spec| {
            spec.measures.push(spec.measures[0].clone());
        });
        invalid("COLUMN_MISSING", "spec.measures[0].column", |spec| {
            spec.measures[0].kind = v1::MeasureKind::Sum as i32;
        });
        invalid("BAD_QUANTILE", "spec.measures[0].quantile", |spec| {
            spec.measures[0].kind = v1::MeasureKind::Quantile as i32;
            spec.measures[0].quantile = f64::NAN;
        });
        invalid("PARAMETER_NOT_TAKEN", "spec.measures[0].quantile", |spec| {
            spec.measures[0].quantile = 0.5;
        });
        invalid("PARAMETER_NOT_TAKEN", "spec.measures[0].threshold", |spec| {
            spec.measures[0].threshold = 1.0;
        });
        invalid("PARAMETER_NOT_TAKEN", "spec.measures[0].count", |spec| {
            spec.measures[0].count = 1;
        });
        invalid("PARAMETER_NOT_TAKEN", "spec.measures[0].formula", |spec| {
            spec.measures[0].formula = "x".to_owned();
        });
        invalid("COLUMN_NOT_TAKEN", "spec.measures[0].second_column", |spec| {
            spec.measures[0].second_column = "x".to_owned();
        });
        let number = |spec: &mut v1::QuerySpec, kind: v1::MeasureKind| {
            spec.measures[0].kind = kind as i32;
            spec.measures[0].column = "x".to_owned();
        };
        invalid("COLUMN_MISSING", "spec.measures[0].second_column", |spec| {
            number(spec, v1::MeasureKind::Ratio);
        });
        invalid("BAD_THRESHOLD", "spec.measures[0].threshold", |spec| {
            number(spec, v1::MeasureKind::Rank);
            spec.measures[0].threshold = f64::NAN;
        });
        invalid("BAD_COUNT", "spec.measures[0].count", |spec| {
            number(spec, v1::MeasureKind::Moving);
        });
        invalid("WINDOW_MISSING", "spec.measures[0].kind", |spec| {
            number(spec, v1::MeasureKind::Cumulative);
        });
        let formula = |text: &str| v1::Measure {
            kind: v1::MeasureKind::Formula as i32,
            formula: text.to_owned(),
            ..Default::default()
        };
        invalid("BAD_FORMULA", "spec.measures[1].formula", |spec| {
            spec.measures.push(formula("count +"));
        });
        invalid("UNKNOWN_MEASURE", "spec.measures[1].formula", |spec| {
            spec.measures.push(formula("count / total"));
        });
        invalid("UNKNOWN_MEASURE", "spec.measures[1].formula", |spec| {
            spec.measures.push(formula("formula + 1"));
        });
        invalid("COLUMN_NOT_TAKEN", "spec.measures[1].column", |spec| {
            spec.measures.push(v1::Measure {
                column: "x".to_owned(),
                ..formula("count")
            });
        });
        invalid("RANGE_REVERSED", "spec.range.end_ns", |spec| {
            spec.range = Some(v1::TimeRange {
                start_ns: Some(5),
                end_ns: Some(4),
            });
        });
        invalid("DUPLICATE_GROUP_KEY", "spec.group_by[1].column", |spec| {
            let key = v1::GroupKey {
                column: "a".to_owned(),
                ..Default::default()
            };
            spec.group_by = vec![key.clone(), key];
        });
        invalid("WINDOW_MISSING", "spec.window", |spec| {
            spec.window = Some(v1::Window::default());
        });
        invalid("CONDITION_MISSING", "spec.filter", |spec| {
            spec.filter = Some(v1::Filter::default());
        });
    }

    #[test]
    fn filters_keep_their_rules() {
        use v1::filter::Condition;
        let filtered = |reason: &str, part: &str, condition: Condition| {
            let filter = v1::Filter {
                condition: Some(condition),
            };
            invalid(reason, &format!("spec.filter.not.{part}"), |spec| {
                let not = Condition::Not(Box::new(filter));
                spec.filter = Some(v1::Filter { condition: Some(not) });
            });
        };
        let like = |kind, pattern: &str| {
            Condition::Match(v1::TextMatch {
                column: "a".to_owned(),
                kind,
                pattern: pattern.to_owned(),
            })
        };
        filtered("MATCH_KIND_MISSING", "match.kind", like(0, "a"));
        filtered("UNKNOWN_ENUM", "match.kind", like(9, "a"));
        filtered("BAD_PATTERN", "match.pattern", like(1, &"a".repeat(4_097)));
        filtered("BAD_PATTERN", "match.pattern", like(2, &"a".repeat(4_097)));
        filtered("BAD_PATTERN", "match.pattern", like(3, "é("));
        let compare = |operator| {
            Condition::Compare(v1::Comparator {
                operator,
                ..Default::default()
            })
        };
        filtered("OPERATOR_MISSING", "compare.operator", compare(0));
        filtered("UNKNOWN_ENUM", "compare.operator", compare(7));
        filtered("NULL_IN_FILTER", "compare.value", compare(1));
        let mut spec = good();
        spec.filter = Some(v1::Filter {
            condition: Some(like(3, "é(")),
        });
        assert_eq!(Spec::new(spec).unwrap_err().message(), "character 2: unclosed group");
        let filters = vec![
            v1::Filter {
                condition: Some(like(3, "a"))
            };
            33
        ];
        filtered(
            "TOO_MANY",
            "any.filters[32].match",
            Condition::Any(v1::FilterList { filters }),
        );
    }

    #[test]
    fn regular_expressions_of_the_tree_and_of_the_text_are_counted_together() {
        let like = v1::filter::Condition::Match(v1::TextMatch {
            column: "a".to_owned(),
            kind: v1::TextMatchKind::Regex as i32,
            pattern: "b".to_owned(),
        });
        let mut spec = good();
        spec.filter = Some(v1::Filter { condition: Some(like) });
        spec.filter_text = "matches(a, 'b') ".repeat(31);
        assert!(Spec::new(spec.clone()).is_ok());
        spec.filter_text = "matches(a, 'b') ".repeat(32);
        let error = Spec::new(spec).unwrap_err();
        assert_eq!((error.reason(), error.field()), ("TOO_MANY", "spec.filter_text"));
        let mut spec = good();
        spec.measures[0].filter_text = "matches(a, 'b') ".repeat(20);
        spec.filter_text = "matches(a, 'b') ".repeat(12);
        assert!(Spec::new(spec.clone()).is_ok());
        spec.filter_text = "matches(a, 'b') ".repeat(13);
        let error = Spec::new(spec).unwrap_err();
        assert_eq!((error.reason(), error.field()), ("TOO_MANY", "spec.filter_text"));
    }

    #[test]
    fn a_width_is_positive_and_one_duration() {
        let field = "spec.window.tumbling.width";
        for (reason, width) in [
            ("BAD_WIDTH", None),
            ("BAD_WIDTH", Some((0, 0))),
            ("BAD_WIDTH", Some((-1, 0))),
            ("BAD_WIDTH", Some((i64::MAX, 0))),
            ("BAD_DURATION", Some((0, 1_000_000_000))),
            ("BAD_DURATION", Some((1, -1))),
        ] {
            invalid(reason, field, |spec| {
                let width = width.map(|(seconds, nanos)| prost_types::Duration { seconds, nanos });
                let kind = Some(v1::window::Kind::Tumbling(v1::TumblingWindow { width }));
                spec.window = Some(v1::Window { kind });
            });
        }
    }

    #[test]
    fn windows_keep_their_rules() {
        let duration = |seconds: i64| Some(prost_types::Duration { seconds, nanos: 0 });
        let window = |reason: &str, field: &str, kind: v1::window::Kind| {
            invalid(reason, field, |spec| {
                spec.window = Some(v1::Window { kind: Some(kind) });
            });
        };
        let hopping = |width, step| {
            v1::window::Kind::Hopping(v1::HoppingWindow {
                width: duration(width),
                step: duration(step),
            })
        };
        window("BAD_WIDTH", "spec.window.hopping.width", hopping(0, 1));
        window("BAD_WIDTH", "spec.window.hopping.step", hopping(1, 0));
        window("BAD_STEP", "spec.window.hopping.step", hopping(1, 2));
        window("BAD_STEP", "spec.window.hopping.step", hopping(10_001, 10_000));
        let session = v1::window::Kind::Session(v1::SessionWindow::default());
        window("BAD_WIDTH", "spec.window.session.gap", session);
        let calendar = |unit: v1::CalendarUnit, zone: &str, week_start, year_start_month| {
            v1::window::Kind::Calendar(v1::CalendarWindow {
                unit: unit as i32,
                time_zone: zone.to_owned(),
                week_start,
                year_start_month,
            })
        };
        use v1::CalendarUnit::{Day, Unspecified};
        for (part, kind) in [
            ("unit", calendar(Unspecified, "", 0, 0)),
            ("time_zone", calendar(Day, "Mars/Olympus", 0, 0)),
            ("week_start", calendar(Day, "", 8, 0)),
            ("year_start_month", calendar(Day, "", 0, 13)),
        ] {
            window("BAD_CALENDAR", &format!("spec.window.calendar.{part}"), kind);
        }
        invalid("WINDOW_MISSING", "spec.measures[0].kind", |spec| {
            spec.measures[0].kind = v1::MeasureKind::Cumulative as i32;
            spec.measures[0].column = "x".to_owned();
            spec.window = Some(v1::Window {
                kind: Some(hopping(2, 1)),
            });
        });
    }

    #[test]
    fn measures_are_named_by_kind_and_column() {
        let mut spec = good();
        spec.measures.push(v1::Measure {
            kind: v1::MeasureKind::Mean as i32,
            column: "value".to_owned(),
            ..Default::default()
        });
        let names: Vec<_> = Spec::new(spec)
            .unwrap()
            .measures
            .into_iter()
            .map(|measure| measure.name)
            .collect();
        assert_eq!(names, ["count", "mean_value"]);
    }
}
