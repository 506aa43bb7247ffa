//! The contract's QuerySpec, checked: what is served, within its bounds. What is not served yet answers UNIMPLEMENTED and
//! names the field; nothing is ignored. Columns are looked up later, by `resolve`.

use std::sync::Arc;

use super::measures::{Asked, Kind, Measure, Of};
use crate::column::schema::MAX_TEXT_BYTES;
use crate::error::{Error, Result};
use crate::time::{SECOND_NS, TimeRange};
use crate::window::tumbling::Tumbling;
use crate::wire::v1;

/// Most keys to group by.
pub const MAX_GROUP_KEYS: usize = 16;
/// Most measures.
pub const MAX_MEASURES: usize = 64;
/// Most conditions of one `all` or `any`.
pub const MAX_LIST: usize = 256;
/// Most values of one set.
pub const MAX_SET: usize = 10_000;
/// Most order keys: as many as an answer can have columns.
pub const MAX_ORDER_KEYS: usize = 1 + MAX_GROUP_KEYS + MAX_MEASURES;

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
    pub window: Option<Tumbling>,
    /// Names of the columns to group by.
    pub group_by: Vec<String>,
    /// What to compute.
    pub measures: Vec<MeasureSpec>,
    /// Order keys: name in the answer, and whether the greatest comes first.
    pub order_by: Vec<(String, bool)>,
    /// Most rows to return.
    pub limit: Option<u64>,
    /// Rows to scan, groups, bytes; 0: the server's limit.
    pub budget: v1::Budget,
    /// How to go about it.
    pub hints: v1::QueryHints,
}

/// A condition with the path of its field.
#[derive(Clone, Debug)]
pub enum FilterSpec {
    /// A column against a value.
    Compare {
        /// Path of the comparator.
        field: String,
        /// Column.
        column: String,
        /// How.
        operator: v1::ComparisonOperator,
        /// With what.
        value: Literal,
    },
    /// A column against a set.
    In {
        /// Path of the set.
        field: String,
        /// Column.
        column: String,
        /// The values.
        values: Vec<Literal>,
    },
    /// All hold.
    All(Vec<Self>),
    /// One holds.
    Any(Vec<Self>),
    /// The opposite.
    Not(Box<Self>),
}

/// A value that is not null.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// Double, not NaN.
    F64(f64),
    /// Integer.
    I64(i64),
    /// Boolean.
    Bool(bool),
    /// String.
    Text(String),
    /// Unix nanoseconds.
    Timestamp(i64),
}

impl Literal {
    /// Its type in words.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::F64(_) => "f64",
            Self::I64(_) => "i64",
            Self::Bool(_) => "boolean",
            Self::Text(_) => "text",
            Self::Timestamp(_) => "timestamp_ns",
        }
    }
}

/// One measure.
#[derive(Clone, Debug)]
pub struct MeasureSpec {
    /// Its kind.
    pub kind: &'static Kind,
    /// What to compute.
    pub measure: Arc<dyn Measure>,
    /// Of which column; none: of rows, or of other measures.
    pub column: Option<String>,
    /// Of which second column.
    pub second_column: Option<String>,
    /// Name in the answer.
    pub name: String,
}

impl Spec {
    /// Checks a message.
    pub fn new(message: v1::QuerySpec) -> Result<Self> {
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
            compare,
            as_of,
            sample,
            top_groups,
            other,
            budget,
            hints,
        } = message;
        let unserved = [
            ("spec.filter_text", !filter_text.is_empty()),
            ("spec.having", having.is_some()),
            ("spec.compare", compare.is_some()),
            ("spec.as_of", as_of != 0),
            ("spec.sample", sample != 0.0),
            ("spec.top_groups", top_groups != 0),
            ("spec.other", other),
        ];
        if let Some((field, _)) = unserved.iter().find(|(_, set)| *set) {
            return Err(Error::unsupported(*field));
        }
        match v1::Fill::try_from(fill) {
            Ok(v1::Fill::Unspecified | v1::Fill::None) => {}
            Ok(_) => return Err(Error::unsupported("spec.fill")),
            Err(_) => return Err(unknown_number("spec.fill", fill)),
        }
        crate::column::schema::check_stream_id("spec.stream", &stream)?;
        let window = window_of(window)?;
        let measures = measures_of(measures)?;
        if window.is_none()
            && let Some(at) = measures
                .iter()
                .position(|measure| measure.kind.of == Of::NumberOverWindows)
        {
            let message = format!("{} runs over windows, the query has none", measures[at].kind.name);
            return Err(Error::invalid(
                "WINDOW_MISSING",
                format!("spec.measures[{at}].kind"),
                message,
            ));
        }
        Ok(Self {
            stream,
            range: range_of(range)?,
            filter: filter.map(|filter| filter_of(filter, "spec.filter")).transpose()?,
            window,
            group_by: group_by_of(group_by)?,
            measures,
            order_by: order_by_of(order_by)?,
            limit: (limit > 0).then_some(limit),
            budget: budget.unwrap_or_default(),
            hints: hints.unwrap_or_default(),
        })
    }
}

/// Checks the encoding asked for.
pub fn check_format(format: i32) -> Result<()> {
    match v1::AnswerFormat::try_from(format) {
        Ok(v1::AnswerFormat::Unspecified | v1::AnswerFormat::Arrow) => Ok(()),
        Ok(v1::AnswerFormat::Rows) => Err(Error::unsupported("format")),
        Err(_) => Err(unknown_number("format", format)),
    }
}

fn unknown_number(field: &str, number: i32) -> Error {
    Error::invalid(
        "UNKNOWN_ENUM",
        field,
        format!("{field} is a value of its enum, got {number}"),
    )
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

fn window_of(window: Option<v1::Window>) -> Result<Option<Tumbling>> {
    use v1::window::Kind;
    let Some(v1::Window { kind }) = window else {
        return Ok(None);
    };
    let width = match kind {
        None => {
            return Err(Error::invalid(
                "WINDOW_MISSING",
                "spec.window",
                "a window names exactly one kind, got none",
            ));
        }
        Some(Kind::Whole(v1::WholeWindow {})) => return Ok(None),
        Some(Kind::Tumbling(v1::TumblingWindow { width })) => width,
        Some(Kind::Hopping(_)) => return Err(Error::unsupported("spec.window.hopping")),
        Some(Kind::Sliding(_)) => return Err(Error::unsupported("spec.window.sliding")),
        Some(Kind::Session(_)) => return Err(Error::unsupported("spec.window.session")),
        Some(Kind::Calendar(_)) => return Err(Error::unsupported("spec.window.calendar")),
    };
    let field = "spec.window.tumbling.width";
    let invalid = |found: String| Error::invalid("BAD_WIDTH", field, format!("width must be positive, got {found}"));
    let width = width.ok_or_else(|| invalid("none".to_owned()))?;
    if !(-999_999_999..=999_999_999).contains(&width.nanos)
        || width.seconds.signum() * i64::from(width.nanos.signum()) < 0
    {
        return Err(Error::invalid(
            "BAD_DURATION",
            field,
            format!(
                "a duration has less than a second of nanos, of the sign of its seconds, got {} s and {} ns",
                width.seconds, width.nanos
            ),
        ));
    }
    let width_ns = width
        .seconds
        .checked_mul(SECOND_NS)
        .and_then(|ns| ns.checked_add(width.nanos.into()))
        .ok_or_else(|| {
            let message = format!(
                "width fits 64 bits of nanoseconds, about 292 years, got {} s",
                width.seconds
            );
            Error::invalid("BAD_WIDTH", field, message)
        })?;
    Tumbling::new(width_ns)
        .map(Some)
        .ok_or_else(|| invalid(format!("{width_ns} ns")))
}

fn group_by_of(keys: Vec<v1::GroupKey>) -> Result<Vec<String>> {
    at_most("spec.group_by", "keys to group by", keys.len(), MAX_GROUP_KEYS)?;
    let mut names: Vec<String> = Vec::with_capacity(keys.len());
    for (at, v1::GroupKey { column }) in keys.into_iter().enumerate() {
        let field = format!("spec.group_by[{at}].column");
        if column.is_empty() {
            return Err(Error::invalid(
                "COLUMN_MISSING",
                field,
                "a group key names a column, got none",
            ));
        }
        if names.contains(&column) {
            let message = format!("each column is grouped by once, {column:?} stands twice");
            return Err(Error::invalid("DUPLICATE_GROUP_KEY", field, message));
        }
        names.push(column);
    }
    Ok(names)
}

fn measures_of(measures: Vec<v1::Measure>) -> Result<Vec<MeasureSpec>> {
    if measures.is_empty() {
        return Err(Error::invalid(
            "MEASURE_MISSING",
            "spec.measures",
            "a query has 1 to 64 measures, got none",
        ));
    }
    at_most("spec.measures", "measures", measures.len(), MAX_MEASURES)?;
    let mut specs: Vec<MeasureSpec> = Vec::with_capacity(measures.len());
    for (at, measure) in measures.into_iter().enumerate() {
        let spec = measure_of(measure, &format!("spec.measures[{at}]"))?;
        if let Some(other) = specs.iter().position(|other| other.name == spec.name) {
            return Err(Error::invalid(
                "DUPLICATE_MEASURE",
                format!("spec.measures[{at}].name"),
                format!(
                    "names of measures are distinct, {:?} is also that of measure {other}",
                    spec.name
                ),
            ));
        }
        specs.push(spec);
    }
    check_reads(&specs)?;
    Ok(specs)
}

fn measure_of(message: v1::Measure, field: &str) -> Result<MeasureSpec> {
    let v1::Measure {
        kind,
        column,
        name,
        quantile,
        second_column,
        threshold,
        count,
        formula,
        filter,
    } = message;
    let at = |part: &str| format!("{field}.{part}");
    let number = v1::MeasureKind::try_from(kind).map_err(|_| unknown_number(&at("kind"), kind))?;
    if number == v1::MeasureKind::Unspecified {
        return Err(Error::invalid(
            "MEASURE_KIND_MISSING",
            at("kind"),
            "a measure says what to compute",
        ));
    }
    let kind = Kind::find(number).ok_or_else(|| Error::unsupported(at("kind")))?;
    if filter.is_some() {
        return Err(Error::unsupported(at("filter")));
    }
    let asked = Asked {
        quantile,
        threshold,
        count,
        formula,
    };
    let measure = kind.measure(&asked, field)?;
    let column_is_wrong = match kind.of {
        Of::RowsOrColumn => None,
        Of::Measures => (!column.is_empty()).then_some(("COLUMN_NOT_TAKEN", "of other measures, not of a column")),
        _ => column.is_empty().then_some(("COLUMN_MISSING", "of a column, got none")),
    };
    if let Some((reason, rule)) = column_is_wrong {
        return Err(Error::invalid(reason, at("column"), format!("{} is {rule}", kind.name)));
    }
    let second_is_wrong = match (kind.of == Of::TwoNumbers, second_column.is_empty()) {
        (true, true) => Some(("COLUMN_MISSING", "of two columns, got no second")),
        (false, false) => Some(("COLUMN_NOT_TAKEN", "not of two columns")),
        _ => None,
    };
    if let Some((reason, rule)) = second_is_wrong {
        return Err(Error::invalid(
            reason,
            at("second_column"),
            format!("{} is {rule}", kind.name),
        ));
    }
    let name = match (name.is_empty(), column.is_empty()) {
        (false, _) => {
            crate::column::schema::check_name(&at("name"), &name)?;
            name
        }
        (true, true) => kind.name.to_owned(),
        (true, false) => format!("{}_{column}", kind.name),
    };
    Ok(MeasureSpec {
        kind,
        measure,
        column: (!column.is_empty()).then_some(column),
        second_column: (!second_column.is_empty()).then_some(second_column),
        name,
    })
}

/// A formula is of measures before it, or of any that is none.
fn check_reads(specs: &[MeasureSpec]) -> Result<()> {
    for (at, spec) in specs.iter().enumerate() {
        for name in spec.measure.reads() {
            let other = specs.iter().position(|other| other.name == name);
            let rule = match other {
                None => "is none",
                Some(other) if other >= at && specs[other].kind.of == Of::Measures => "does not come before it",
                Some(_) => continue,
            };
            return Err(Error::invalid(
                "UNKNOWN_MEASURE",
                format!("spec.measures[{at}].{}", spec.kind.name),
                format!("a formula is of the query's other measures, {name:?} {rule}"),
            ));
        }
    }
    Ok(())
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

fn filter_of(filter: v1::Filter, field: &str) -> Result<FilterSpec> {
    use v1::filter::Condition;
    let list = |list: v1::FilterList, name: &str| -> Result<Vec<FilterSpec>> {
        let field = format!("{field}.{name}.filters");
        at_most(&field, "conditions", list.filters.len(), MAX_LIST)?;
        let filters = list.filters.into_iter().enumerate();
        filters
            .map(|(at, filter)| filter_of(filter, &format!("{field}[{at}]")))
            .collect()
    };
    Ok(match filter.condition {
        None => {
            return Err(Error::invalid(
                "CONDITION_MISSING",
                field,
                "a filter has exactly one condition, got none",
            ));
        }
        Some(Condition::Compare(v1::Comparator {
            column,
            operator,
            value,
        })) => {
            let field = format!("{field}.compare");
            let operator = match v1::ComparisonOperator::try_from(operator) {
                Err(_) => return Err(unknown_number(&format!("{field}.operator"), operator)),
                Ok(v1::ComparisonOperator::Unspecified) => {
                    let field = format!("{field}.operator");
                    return Err(Error::invalid(
                        "OPERATOR_MISSING",
                        field,
                        "a comparison says how to compare",
                    ));
                }
                Ok(operator) => operator,
            };
            FilterSpec::Compare {
                value: literal_of(value, &format!("{field}.value"))?,
                field,
                column,
                operator,
            }
        }
        Some(Condition::In(v1::InSet { column, values })) => {
            let field = format!("{field}.in");
            at_most(&format!("{field}.values"), "values", values.len(), MAX_SET)?;
            let values = values.into_iter().enumerate();
            let values = values.map(|(at, value)| literal_of(Some(value), &format!("{field}.values[{at}]")));
            FilterSpec::In {
                values: values.collect::<Result<_>>()?,
                field,
                column,
            }
        }
        Some(Condition::All(filters)) => FilterSpec::All(list(filters, "all")?),
        Some(Condition::Any(filters)) => FilterSpec::Any(list(filters, "any")?),
        Some(Condition::Not(filter)) => FilterSpec::Not(Box::new(filter_of(*filter, &format!("{field}.not"))?)),
        Some(Condition::Null(_)) => return Err(Error::unsupported(format!("{field}.null"))),
        Some(Condition::Match(_)) => return Err(Error::unsupported(format!("{field}.match"))),
    })
}

fn literal_of(value: Option<v1::Value>, field: &str) -> Result<Literal> {
    use v1::value::Kind;
    Ok(match value.and_then(|value| value.kind) {
        None => {
            return Err(Error::invalid(
                "NULL_IN_FILTER",
                field,
                "a column is compared with a value that is not null, got none",
            ));
        }
        Some(Kind::F64(value)) if value.is_nan() => {
            return Err(Error::invalid(
                "NAN_IN_FILTER",
                field,
                "a column is compared with a number, got NaN",
            ));
        }
        Some(Kind::F64(value)) => Literal::F64(value),
        Some(Kind::I64(value)) => Literal::I64(value),
        Some(Kind::Boolean(value)) => Literal::Bool(value),
        Some(Kind::Text(value)) if value.len() > MAX_TEXT_BYTES => {
            let message = format!("a text has at most {MAX_TEXT_BYTES} bytes, got {}", value.len());
            return Err(Error::invalid("TEXT_TOO_LONG", field, message));
        }
        Some(Kind::Text(value)) => Literal::Text(value),
        Some(Kind::TimestampNs(value)) => Literal::Timestamp(value),
    })
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
        unserved("spec.filter_text", |spec| spec.filter_text = "a = 1".to_owned());
        unserved("spec.having", |spec| spec.having = Some(v1::Filter::default()));
        unserved("spec.fill", |spec| spec.fill = v1::Fill::Zero as i32);
        unserved("spec.compare", |spec| spec.compare = Some(v1::Comparison::default()));
        unserved("spec.as_of", |spec| spec.as_of = 1);
        unserved("spec.sample", |spec| spec.sample = f64::NAN);
        unserved("spec.top_groups", |spec| spec.top_groups = 1);
        unserved("spec.other", |spec| spec.other = true);
        use v1::window::Kind::{Calendar, Hopping, Session, Sliding};
        for (field, kind) in [
            ("spec.window.hopping", Hopping(v1::HoppingWindow::default())),
            ("spec.window.sliding", Sliding(v1::SlidingWindow::default())),
            ("spec.window.session", Session(v1::SessionWindow::default())),
            ("spec.window.calendar", Calendar(v1::CalendarWindow::default())),
        ] {
            unserved(field, |spec| spec.window = Some(v1::Window { kind: Some(kind) }));
        }
        use v1::filter::Condition::{Match, Null};
        unserved("spec.filter.null", |spec| {
            spec.filter = Some(v1::Filter {
                condition: Some(Null(v1::NullTest::default())),
            });
        });
        unserved("spec.filter.not.match", |spec| {
            let inner = v1::Filter {
                condition: Some(Match(v1::TextMatch::default())),
            };
            spec.filter = Some(v1::Filter {
                condition: Some(v1::filter::Condition::Not(Box::new(inner))),
            });
        });
        for kind in [
            v1::MeasureKind::Histogram,
            v1::MeasureKind::Box,
            v1::MeasureKind::DistinctSketch,
            v1::MeasureKind::TopK,
        ] {
            unserved("spec.measures[0].kind", |spec| spec.measures[0].kind = kind as i32);
        }
        unserved("spec.measures[0].filter", |spec| {
            spec.measures[0].filter = Some(v1::Filter::default());
        });
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
            let key = v1::GroupKey { column: "a".to_owned() };
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
