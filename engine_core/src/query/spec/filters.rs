//! Conditions on rows, checked but for their columns.

use super::patterns::Patterns;
use super::{at_most, unknown_number};
use crate::column::schema::MAX_TEXT_BYTES;
use crate::error::{Error, Result};
use crate::scan::pattern::{BadPattern, Pattern};
use crate::wire::v1;

/// Most conditions of one `all` or `any`.
pub const MAX_LIST: usize = 256;
/// Most values of one set.
pub const MAX_SET: usize = 10_000;

/// A condition.
#[derive(Clone, Debug)]
pub enum FilterSpec {
    /// A test of a column.
    Column(ColumnTest),
    /// All hold.
    All(Vec<Self>),
    /// One holds.
    Any(Vec<Self>),
    /// The opposite.
    Not(Box<Self>),
}

/// A test of a column.
#[derive(Clone, Debug)]
pub struct ColumnTest {
    /// Where the request says it.
    pub spot: Spot,
    /// Column.
    pub column: String,
    /// What is asked of its values.
    pub test: Test,
}

/// What is asked of a value.
#[derive(Clone, Debug)]
pub enum Test {
    /// How it compares with this.
    Compare(v1::ComparisonOperator, Literal),
    /// Whether it is one of these.
    In(Vec<Literal>),
    /// Whether it is null or, if so said, is not.
    Null(bool),
    /// Whether it matches.
    Like(Pattern),
    /// Whether it has this: of texts somewhere in them, of others as all they are.
    Has(Pattern, Literal),
}

/// Where a request says something.
#[derive(Clone, Debug)]
pub enum Spot {
    /// At this path.
    Field(String),
    /// In the text at this path, at this character from 1.
    Text(String, usize),
}

impl Spot {
    /// Path of a part of it; a text has none.
    pub fn part(&self, name: &str) -> String {
        match self {
            Self::Field(path) => format!("{path}.{name}"),
            Self::Text(path, _) => path.clone(),
        }
    }

    /// The same error, which says the character of a text.
    pub fn explain(&self, error: Error) -> Error {
        match self {
            Self::Field(_) => error,
            Self::Text(_, character) => {
                let message = format!("character {character}: {}", error.message());
                Error::new(error.kind(), error.reason(), message).at(error.field())
            }
        }
    }
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
    /// As a text says it, in quotes: a string, or a timestamp of RFC 3339.
    Quoted(String),
    /// As a text says it, without quotes: a number, a boolean or a string.
    Word(String),
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
            Self::Quoted(_) => "a quoted text",
            Self::Word(_) => "a word",
        }
    }
}

/// Checks a condition; `field` is its path.
pub(super) fn of(filter: v1::Filter, field: &str, patterns: &mut Patterns) -> Result<FilterSpec> {
    use v1::filter::Condition;
    let column = |name: &str, column, test| {
        FilterSpec::Column(ColumnTest {
            spot: Spot::Field(format!("{field}.{name}")),
            column,
            test,
        })
    };
    let mut list = |list: v1::FilterList, name: &str| -> Result<Vec<FilterSpec>> {
        let field = format!("{field}.{name}.filters");
        at_most(&field, "conditions", list.filters.len(), MAX_LIST)?;
        let filters = list.filters.into_iter().enumerate();
        filters
            .map(|(at, filter)| of(filter, &format!("{field}[{at}]"), patterns))
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
        Some(Condition::Compare(compare)) => {
            let operator = operator_of(compare.operator, &format!("{field}.compare.operator"))?;
            let value = literal_of(compare.value, &format!("{field}.compare.value"))?;
            column("compare", compare.column, Test::Compare(operator, value))
        }
        Some(Condition::In(set)) => {
            let field = format!("{field}.in.values");
            at_most(&field, "values", set.values.len(), MAX_SET)?;
            let values = set.values.into_iter().enumerate();
            let values = values.map(|(at, value)| literal_of(Some(value), &format!("{field}[{at}]")));
            column("in", set.column, Test::In(values.collect::<Result<_>>()?))
        }
        Some(Condition::All(filters)) => FilterSpec::All(list(filters, "all")?),
        Some(Condition::Any(filters)) => FilterSpec::Any(list(filters, "any")?),
        Some(Condition::Not(filter)) => FilterSpec::Not(Box::new(of(*filter, &format!("{field}.not"), patterns)?)),
        Some(Condition::Null(null)) => column("null", null.column, Test::Null(null.is_null)),
        Some(Condition::Match(text_match)) => {
            let pattern = pattern_of(&text_match, &format!("{field}.match"), patterns)?;
            column("match", text_match.column, Test::Like(pattern))
        }
    })
}

fn operator_of(number: i32, field: &str) -> Result<v1::ComparisonOperator> {
    match v1::ComparisonOperator::try_from(number) {
        Err(_) => Err(unknown_number(field, number)),
        Ok(v1::ComparisonOperator::Unspecified) => Err(Error::invalid(
            "OPERATOR_MISSING",
            field,
            "a comparison says how to compare",
        )),
        Ok(operator) => Ok(operator),
    }
}

fn pattern_of(text_match: &v1::TextMatch, field: &str, patterns: &mut Patterns) -> Result<Pattern> {
    use v1::TextMatchKind as Kind;
    let (kind, pattern) = (text_match.kind, &text_match.pattern);
    let made = match Kind::try_from(kind) {
        Err(_) => return Err(unknown_number(&format!("{field}.kind"), kind)),
        Ok(Kind::Unspecified) => {
            let message = "a match says how the pattern matches";
            return Err(Error::invalid("MATCH_KIND_MISSING", format!("{field}.kind"), message));
        }
        Ok(Kind::Prefix) => Pattern::prefix(pattern),
        Ok(Kind::Contains) => Pattern::contains(pattern),
        Ok(Kind::Regex) => patterns.regex(pattern, field)?,
    };
    made.map_err(|bad| bad_pattern(pattern, bad, format!("{field}.pattern")))
}

/// The error of a pattern that is none, which says the character.
pub(super) fn bad_pattern(pattern: &str, bad: BadPattern, field: String) -> Error {
    let message = match bad.offset {
        Some(offset) => format!("character {}: {}", characters(pattern, offset) + 1, bad.message),
        None => bad.message,
    };
    Error::invalid("BAD_PATTERN", field, message)
}

/// Characters of a text before a byte.
fn characters(text: &str, offset: usize) -> usize {
    text.char_indices().take_while(|(at, _)| *at < offset).count()
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
