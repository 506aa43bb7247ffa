//! Conditions on rows, checked but for their columns.

use super::{at_most, unknown_number};
use crate::column::schema::MAX_TEXT_BYTES;
use crate::error::{Error, Result};
use crate::wire::v1;

/// Most conditions of one `all` or `any`.
pub const MAX_LIST: usize = 256;
/// Most values of one set.
pub const MAX_SET: usize = 10_000;

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

/// Checks a condition; `field` is its path.
pub(super) fn of(filter: v1::Filter, field: &str) -> Result<FilterSpec> {
    use v1::filter::Condition;
    let list = |list: v1::FilterList, name: &str| -> Result<Vec<FilterSpec>> {
        let field = format!("{field}.{name}.filters");
        at_most(&field, "conditions", list.filters.len(), MAX_LIST)?;
        let filters = list.filters.into_iter().enumerate();
        filters
            .map(|(at, filter)| of(filter, &format!("{field}[{at}]")))
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
        Some(Condition::Not(filter)) => FilterSpec::Not(Box::new(of(*filter, &format!("{field}.not"))?)),
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
