//! Conditions on rows of an answer.

use std::cmp::Ordering;

use super::nested;
use super::output::{Output, OutputValues};
use super::spec::filters::{ColumnTest, Test};
use super::spec::{FilterSpec, Literal};
use crate::error::{Error, Result};
use crate::scan::pattern::Pattern;
use crate::wire::v1::ComparisonOperator as Operator;

/// A condition whose columns are known by place.
pub(super) enum Having<'a> {
    Compare(usize, Operator, &'a Literal),
    In(usize, &'a [Literal]),
    Null(usize, bool),
    /// By rank of the text, each of which is asked once.
    Like(usize, Vec<bool>),
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
}

impl<'a> Having<'a> {
    /// Finds the columns of a condition, and that values are of their types.
    pub(super) fn new(filter: &'a FilterSpec, outputs: &[Output]) -> Result<Self> {
        let all = |parts: &'a [FilterSpec]| -> Result<Vec<Self>> {
            parts.iter().map(|part| Self::new(part, outputs)).collect()
        };
        Ok(match filter {
            FilterSpec::Column(test) => Self::test(test, outputs)?,
            FilterSpec::All(parts) => Self::All(all(parts)?),
            FilterSpec::Any(parts) => Self::Any(all(parts)?),
            FilterSpec::Not(part) => Self::Not(Box::new(Self::new(part, outputs)?)),
        })
    }

    fn test(test: &'a ColumnTest, outputs: &[Output]) -> Result<Self> {
        let ColumnTest { spot, column, test } = test;
        let place = outputs
            .iter()
            .position(|output| output.name == *column)
            .ok_or_else(|| {
                let shown: String = column.chars().take(64).collect();
                let message = format!("an answer is filtered by its own columns, {shown:?} is none of them");
                Error::invalid("UNKNOWN_COLUMN", spot.part("column"), message)
            })?;
        let output = &outputs[place];
        if matches!(output.values, OutputValues::Nested(..)) {
            return Err(nested::refused(column, "a condition", spot.part("column")));
        }
        match test {
            Test::Compare(operator, value) => {
                check(output, value, &spot.part("value"))?;
                Ok(Self::Compare(place, *operator, value))
            }
            Test::In(values) => {
                for (at, value) in values.iter().enumerate() {
                    check(output, value, &spot.part(&format!("values[{at}]")))?;
                }
                Ok(Self::In(place, values))
            }
            Test::Null(is_null) => Ok(Self::Null(place, *is_null)),
            Test::Like(pattern) => Self::like(place, output, pattern, &spot.part("column")),
            Test::Has(pattern, _) if matches!(output.values, OutputValues::Text(..)) => {
                Self::like(place, output, pattern, &spot.part("column"))
            }
            Test::Has(_, value) => {
                check(output, value, &spot.part("value"))?;
                Ok(Self::Compare(place, Operator::Equal, value))
            }
        }
    }

    fn like(place: usize, output: &Output, pattern: &Pattern, field: &str) -> Result<Self> {
        let OutputValues::Text(_, texts) = &output.values else {
            let message = format!("texts are matched with a pattern, column {:?} has none", output.name);
            return Err(Error::invalid("TYPE_MISMATCH", field, message));
        };
        Ok(Self::Like(
            place,
            texts.iter().map(|text| pattern.matches(text)).collect(),
        ))
    }

    /// Whether it holds for a row; none: it neither holds nor fails, because of a null or a NaN.
    pub(super) fn holds(&self, outputs: &[Output], row: usize) -> Option<bool> {
        match self {
            Self::Compare(place, operator, value) => {
                let order = compare(&outputs[*place], row, value)?;
                Some(match operator {
                    Operator::Equal | Operator::Unspecified => order.is_eq(),
                    Operator::NotEqual => order.is_ne(),
                    Operator::Less => order.is_lt(),
                    Operator::LessOrEqual => order.is_le(),
                    Operator::Greater => order.is_gt(),
                    Operator::GreaterOrEqual => order.is_ge(),
                })
            }
            Self::In(place, values) => {
                if !outputs[*place].is_known(row) {
                    return None;
                }
                let is_equal = |value| compare(&outputs[*place], row, value) == Some(Ordering::Equal);
                Some(values.iter().any(is_equal))
            }
            Self::Null(place, is_null) => Some(outputs[*place].is_valid(row) != *is_null),
            Self::Like(place, answers) => match &outputs[*place].values {
                OutputValues::Text(ranks, _) if outputs[*place].is_valid(row) => Some(answers[ranks[row] as usize]),
                _ => None,
            },
            Self::All(parts) => {
                let mut all = Some(true);
                for part in parts {
                    match part.holds(outputs, row) {
                        Some(false) => return Some(false),
                        None => all = None,
                        Some(true) => {}
                    }
                }
                all
            }
            Self::Any(parts) => {
                let mut any = Some(false);
                for part in parts {
                    match part.holds(outputs, row) {
                        Some(true) => return Some(true),
                        None => any = None,
                        Some(false) => {}
                    }
                }
                any
            }
            Self::Not(part) => part.holds(outputs, row).map(|holds| !holds),
        }
    }
}

fn check(output: &Output, value: &Literal, field: &str) -> Result<()> {
    let (fits, wants) = match &output.values {
        OutputValues::F64(_) | OutputValues::I64(_) => (
            matches!(value, Literal::F64(_) | Literal::I64(_)),
            "a number (f64 or i64)",
        ),
        OutputValues::Bool(_) => (matches!(value, Literal::Bool(_)), "a boolean"),
        OutputValues::Time(_) => (matches!(value, Literal::Timestamp(_)), "timestamp_ns"),
        OutputValues::Text(..) => (matches!(value, Literal::Text(_)), "text"),
        OutputValues::Nested(..) => (false, "nothing"),
    };
    if fits {
        return Ok(());
    }
    let message = format!(
        "column {:?} is compared with {wants}, got {}",
        output.name,
        value.type_name()
    );
    Err(Error::invalid("TYPE_MISMATCH", field, message))
}

/// Order of a row's value and a literal; none of a null or NaN.
fn compare(output: &Output, row: usize, value: &Literal) -> Option<Ordering> {
    if !output.is_known(row) {
        return None;
    }
    match (&output.values, value) {
        (OutputValues::F64(values), Literal::F64(value)) => values[row].partial_cmp(value),
        (OutputValues::F64(values), Literal::I64(value)) => order(*value, values[row]).map(Ordering::reverse),
        (OutputValues::I64(values), Literal::I64(value)) => Some(values[row].cmp(value)),
        (OutputValues::I64(values), Literal::F64(value)) => order(values[row], *value),
        (OutputValues::Bool(values), Literal::Bool(value)) => Some(values[row].cmp(value)),
        (OutputValues::Time(values), Literal::Timestamp(value)) => Some(values[row].cmp(value)),
        (OutputValues::Text(ranks, texts), Literal::Text(value)) => {
            Some(texts[ranks[row] as usize].as_str().cmp(value.as_str()))
        }
        _ => None,
    }
}

/// Order of an integer and a double, exact.
fn order(integer: i64, double: f64) -> Option<Ordering> {
    if double.is_nan() {
        return None;
    }
    let limit = 2f64.powi(63);
    if double >= limit {
        return Some(Ordering::Less);
    }
    if double < -limit {
        return Some(Ordering::Greater);
    }
    let floor = double.floor();
    let whole = integer.cmp(&(floor as i64));
    Some(whole.then(if double > floor {
        Ordering::Less
    } else {
        Ordering::Equal
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::spec::filters::Spot;

    fn outputs() -> Vec<Output> {
        vec![
            Output::f64s("f", [Some(1.5), None, Some(f64::NAN)].into_iter()),
            Output::i64s("i", [Some(3), Some(-1), None].into_iter()),
            Output::new(
                "t",
                OutputValues::Text(vec![0, 0, 1], vec!["a".to_owned(), "b".to_owned()]),
                vec![true, false, true],
            ),
        ]
    }

    fn compare(column: &str, operator: Operator, value: Literal) -> FilterSpec {
        test("compare", column, Test::Compare(operator, value))
    }

    fn test(name: &str, column: &str, test: Test) -> FilterSpec {
        FilterSpec::Column(ColumnTest {
            spot: Spot::Field(format!("spec.having.{name}")),
            column: column.to_owned(),
            test,
        })
    }

    fn holds(filter: &FilterSpec) -> Vec<Option<bool>> {
        let outputs = outputs();
        let having = Having::new(filter, &outputs).unwrap();
        (0..3).map(|row| having.holds(&outputs, row)).collect()
    }

    #[test]
    fn nulls_and_nan_neither_hold_nor_fail() {
        let above = compare("f", Operator::Greater, Literal::I64(1));
        assert_eq!(holds(&above), [Some(true), None, None]);
        assert_eq!(
            holds(&FilterSpec::Not(Box::new(above.clone()))),
            [Some(false), None, None]
        );
        let below = compare("i", Operator::Less, Literal::F64(2.5));
        assert_eq!(holds(&below), [Some(false), Some(true), None]);
        assert_eq!(
            holds(&FilterSpec::Any(vec![above.clone(), below.clone()])),
            [Some(true), Some(true), None]
        );
        assert_eq!(holds(&FilterSpec::All(vec![above, below])), [Some(false), None, None]);
        let set = test("in", "i", Test::In(vec![Literal::F64(3.0), Literal::I64(7)]));
        assert_eq!(holds(&set), [Some(true), Some(false), None]);
        let like = test("match", "t", Test::Like(Pattern::prefix("a").unwrap()));
        assert_eq!(holds(&like), [Some(true), None, Some(false)]);
        assert_eq!(holds(&FilterSpec::Not(Box::new(like))), [Some(false), None, Some(true)]);
    }

    #[test]
    fn a_test_for_null_holds_or_fails() {
        for (column, null_row) in [("f", 1), ("i", 2), ("t", 1)] {
            let wanted: Vec<Option<bool>> = (0..3).map(|row| Some(row == null_row)).collect();
            assert_eq!(holds(&test("null", column, Test::Null(true))), wanted);
            let not = FilterSpec::Not(Box::new(test("null", column, Test::Null(false))));
            assert_eq!(holds(&not), wanted);
        }
    }

    #[test]
    fn columns_and_types_are_those_of_the_answer() {
        let refusal = |filter: &FilterSpec| {
            let error = Having::new(filter, &outputs()).err().unwrap();
            (error.reason(), error.field().to_owned())
        };
        let unknown = compare("g", Operator::Equal, Literal::I64(1));
        assert_eq!(
            refusal(&unknown),
            ("UNKNOWN_COLUMN", "spec.having.compare.column".to_owned())
        );
        let text = compare("f", Operator::Equal, Literal::Text("a".to_owned()));
        assert_eq!(
            refusal(&text),
            ("TYPE_MISMATCH", "spec.having.compare.value".to_owned())
        );
        let like = test("match", "i", Test::Like(Pattern::prefix("a").unwrap()));
        assert_eq!(refusal(&like), ("TYPE_MISMATCH", "spec.having.match.column".to_owned()));
    }

    #[test]
    fn integers_and_doubles_compare_exactly() {
        assert_eq!(order(i64::MAX, 2f64.powi(63)), Some(Ordering::Less));
        assert_eq!(order(i64::MIN, -(2f64.powi(63))), Some(Ordering::Equal));
        assert_eq!(order(3, 3.5), Some(Ordering::Less));
        assert_eq!(order(-3, -3.5), Some(Ordering::Greater));
        assert_eq!(order((1 << 53) + 1, 2f64.powi(53)), Some(Ordering::Greater));
        assert_eq!(order(0, f64::NAN), None);
    }
}
