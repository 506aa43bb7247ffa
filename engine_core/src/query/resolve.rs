//! Names of a query looked up in a stream's schema: columns, types, conditions.

use std::sync::Arc;

use super::spec::{FilterSpec, Literal};
use crate::column::schema::{ENTITY, TIME};
use crate::column::{ColumnType, Schema};
use crate::error::{Error, Result};
use crate::scan::block::Sought;
use crate::scan::filter::{CodeTest, Condition, TextTest};
use crate::scan::strings::{Strings, Texts};
use crate::scan::{Column, Scan, Type};
use crate::store::{Stream, text_hash};
use crate::wire::v1::ComparisonOperator as Operator;

/// Of more texts that a test seeks, filters would rule out hardly a block: one in fifty passes for each.
const MOST_SOUGHT: usize = 64;

/// The columns a query reads, each once.
#[derive(Debug)]
pub struct Columns<'a> {
    stream: &'a Arc<Stream>,
    schema: &'a Schema,
    scan: &'a Scan,
    names: Vec<String>,
    /// Tests that seek texts in rows, so far.
    seeking: usize,
    /// The columns, by place.
    pub columns: Vec<Column>,
}

impl<'a> Columns<'a> {
    /// None yet. The scan must have been taken before, so that dictionaries hold every code in it.
    pub fn new(stream: &'a Arc<Stream>, schema: &'a Schema, scan: &'a Scan) -> Self {
        Self {
            stream,
            schema,
            scan,
            names: Vec::new(),
            seeking: 0,
            columns: Vec::new(),
        }
    }

    /// Place of the column of this name; `field` is where the request names it.
    pub fn place(&mut self, name: &str, field: &str) -> Result<usize> {
        let name = if self.schema.is_entity(name) { "entity" } else { name };
        if let Some(place) = self.names.iter().position(|known| known == name) {
            return Ok(place);
        }
        let column = self.find(name, field)?;
        self.names.push(name.to_owned());
        self.columns.push(column);
        Ok(self.columns.len() - 1)
    }

    fn find(&self, name: &str, field: &str) -> Result<Column> {
        let plain = |stored, data_type| Column {
            stored,
            data_type,
            strings: None,
        };
        let text = |stored, texts, may_meet| Column {
            stored,
            data_type: Type::Text,
            strings: Some(Arc::new(Strings::new(self.stream, texts, may_meet))),
        };
        if name == "time" {
            return Ok(plain(TIME, Type::Timestamp));
        }
        if name == "entity" {
            return Ok(text(ENTITY, Texts::Entity, false));
        }
        let spec = self.schema.column(name).ok_or_else(|| self.unknown(name, field))?;
        Ok(match spec.column_type {
            ColumnType::F64 => plain(spec.id, Type::F64),
            ColumnType::I64 => plain(spec.id, Type::I64),
            ColumnType::Bool => plain(spec.id, Type::Bool),
            ColumnType::Timestamp => plain(spec.id, Type::Timestamp),
            ColumnType::Label => text(ENTITY, Texts::Label(spec.id), false),
            ColumnType::State => return Err(Error::unsupported(field)),
            // A symbol column past its bound holds texts, and a text column may hold codes from before it was one.
            ColumnType::Symbol | ColumnType::Text => {
                let known = self.stream.all_symbols().into_iter().find(|(id, _)| *id == spec.id);
                let texts = known.map_or(Texts::Rows, |(_, symbols)| Texts::Symbol(symbols));
                text(spec.id, texts, self.scan.has_texts(spec.id))
            }
        })
    }

    fn unknown(&self, name: &str, field: &str) -> Error {
        let known = ["time", "entity"]
            .into_iter()
            .chain(self.schema.columns.iter().map(|column| column.name.as_str()));
        let near = known
            .map(|known| (distance(known, name), known))
            .filter(|&(distance, known)| distance <= 1 + known.chars().count() / 4)
            .min();
        let hint = near.map_or(String::new(), |(_, known)| format!("; did you mean {known:?}?"));
        let shown: String = name.chars().take(64).collect();
        Error::invalid(
            "UNKNOWN_COLUMN",
            field,
            format!("the stream has no column {shown:?}{hint}"),
        )
    }

    /// A condition over the columns.
    pub fn condition(&mut self, filter: &FilterSpec) -> Result<Condition> {
        Ok(match filter {
            FilterSpec::All(parts) => {
                Condition::All(parts.iter().map(|part| self.condition(part)).collect::<Result<_>>()?)
            }
            FilterSpec::Any(parts) => {
                Condition::Any(parts.iter().map(|part| self.condition(part)).collect::<Result<_>>()?)
            }
            FilterSpec::Not(part) => Condition::Not(Box::new(self.condition(part)?)),
            FilterSpec::Compare {
                field,
                column,
                operator,
                value,
            } => {
                let place = self.place(column, &format!("{field}.column"))?;
                let mismatch = || self.mismatch(place, column, value, &format!("{field}.value"));
                match (self.columns[place].data_type, value) {
                    (Type::F64, Literal::F64(value)) => compare_f64(place, *operator, *value),
                    (Type::F64, Literal::I64(value)) => compare_f64_with_integer(place, *operator, *value),
                    (Type::I64, Literal::I64(value)) | (Type::Timestamp, Literal::Timestamp(value)) => {
                        compare_i64(place, *operator, *value)
                    }
                    (Type::I64, Literal::F64(value)) => compare_i64_with_double(place, *operator, *value),
                    (Type::Bool, Literal::Bool(value)) => compare_i64(place, *operator, i64::from(*value)),
                    (Type::Text, Literal::Text(value)) => {
                        let (test, negated) = match operator {
                            Operator::Equal | Operator::Unspecified => (TextTest::In(vec![value.clone()]), false),
                            Operator::NotEqual => (TextTest::In(vec![value.clone()]), true),
                            Operator::Less => (TextTest::Below(value.clone(), false), false),
                            Operator::LessOrEqual => (TextTest::Below(value.clone(), true), false),
                            Operator::Greater => (TextTest::Above(value.clone(), false), false),
                            Operator::GreaterOrEqual => (TextTest::Above(value.clone(), true), false),
                        };
                        negated_if(negated, self.text(place, test))
                    }
                    _ => return Err(mismatch()),
                }
            }
            FilterSpec::In { field, column, values } => {
                let place = self.place(column, &format!("{field}.column"))?;
                self.in_set(place, column, values, field)?
            }
        })
    }

    fn in_set(&mut self, place: usize, column: &str, values: &[Literal], field: &str) -> Result<Condition> {
        let literals = values;
        let mismatch = |at: usize| self.mismatch(place, column, &literals[at], &format!("{field}.values[{at}]"));
        let values = values.iter().enumerate();
        Ok(match self.columns[place].data_type {
            Type::F64 => {
                let mut set = Vec::new();
                for (at, value) in values {
                    match value {
                        Literal::F64(value) => set.push(*value),
                        Literal::I64(value) if (*value as f64) as i128 == i128::from(*value) => set.push(*value as f64),
                        // Equal to no double.
                        Literal::I64(_) => {}
                        _ => return Err(mismatch(at)),
                    }
                }
                set.sort_by(f64::total_cmp);
                Condition::F64In(place, set)
            }
            data_type @ (Type::I64 | Type::Bool | Type::Timestamp) => {
                let mut set = Vec::new();
                for (at, value) in values {
                    match (data_type, value) {
                        (Type::I64, Literal::I64(value)) | (Type::Timestamp, Literal::Timestamp(value)) => {
                            set.push(*value);
                        }
                        (Type::Bool, Literal::Bool(value)) => set.push(i64::from(*value)),
                        (Type::I64, Literal::F64(value)) => {
                            if value.fract() == 0.0 && value.abs() <= 2f64.powi(63) {
                                set.extend(i64::try_from(*value as i128));
                            }
                        }
                        _ => return Err(mismatch(at)),
                    }
                }
                set.sort_unstable();
                Condition::I64In(place, set)
            }
            Type::Text => {
                let mut set = Vec::new();
                for (at, value) in values {
                    match value {
                        Literal::Text(value) => set.push(value.clone()),
                        _ => return Err(mismatch(at)),
                    }
                }
                set.sort_unstable();
                set.dedup();
                self.text(place, TextTest::In(set))
            }
        })
    }

    /// Evaluates a test of strings once on the column's dictionary.
    fn text(&mut self, place: usize, test: TextTest) -> Condition {
        let Some(strings) = &self.columns[place].strings else {
            return Condition::Text(place, test, CodeTest::new(Vec::new(), false), None);
        };
        let answers = strings.read(|view| match &test {
            TextTest::In(texts) => {
                let codes: Vec<u32> = texts.iter().filter_map(|text| view.code(text)).collect();
                let len = codes.iter().max().map_or(0, |greatest| *greatest as usize + 1);
                let mut answers = vec![false; len];
                codes.into_iter().for_each(|code| answers[code as usize] = true);
                answers
            }
            TextTest::Below(..) | TextTest::Above(..) => (0..strings.known())
                .map(|code| code > 0 && test.passes(view.text(code)))
                .collect(),
        });
        let codes = CodeTest::new(answers, !strings.is_label());
        let sought = match &test {
            TextTest::In(texts) if strings.bound().is_none() && texts.len() <= MOST_SOUGHT => {
                self.seeking += 1;
                Some(Sought {
                    number: self.seeking - 1,
                    hashes: texts.iter().map(|text| text_hash(text)).collect(),
                })
            }
            _ => None,
        };
        Condition::Text(place, test, codes, sought)
    }

    fn mismatch(&self, place: usize, column: &str, value: &Literal, field: &str) -> Error {
        let wants = match self.columns[place].data_type {
            Type::F64 | Type::I64 => "a number (f64 or i64)",
            Type::Bool => "a boolean",
            Type::Timestamp => "timestamp_ns",
            Type::Text => "text",
        };
        let message = format!("column {column:?} is compared with {wants}, got {}", value.type_name());
        Error::invalid("TYPE_MISMATCH", field, message)
    }
}

fn negated_if(negated: bool, condition: Condition) -> Condition {
    if negated {
        Condition::Not(Box::new(condition))
    } else {
        condition
    }
}

fn compare_i64(place: usize, operator: Operator, value: i64) -> Condition {
    let within = |low, high| Condition::I64Within(place, low, high);
    // Nothing lies in a range whose end comes first.
    let nothing = || within(i64::MAX, i64::MIN);
    match operator {
        Operator::Equal | Operator::Unspecified => within(value, value),
        Operator::NotEqual => Condition::Not(Box::new(within(value, value))),
        Operator::Less => value.checked_sub(1).map_or_else(nothing, |high| within(i64::MIN, high)),
        Operator::LessOrEqual => within(i64::MIN, value),
        Operator::Greater => value.checked_add(1).map_or_else(nothing, |low| within(low, i64::MAX)),
        Operator::GreaterOrEqual => within(value, i64::MAX),
    }
}

/// Exact, also where the double is no integer or out of reach of integers.
fn compare_i64_with_double(place: usize, operator: Operator, value: f64) -> Condition {
    let floor = value.floor();
    let limit = 2f64.powi(63);
    if floor < -limit || floor >= limit {
        let holds = match operator {
            Operator::NotEqual => true,
            Operator::Equal | Operator::Unspecified => false,
            Operator::Less | Operator::LessOrEqual => value > 0.0,
            Operator::Greater | Operator::GreaterOrEqual => value < 0.0,
        };
        return if holds {
            Condition::I64Within(place, i64::MIN, i64::MAX)
        } else {
            Condition::I64Within(place, i64::MAX, i64::MIN)
        };
    }
    let whole = floor as i64;
    if floor == value {
        return compare_i64(place, operator, whole);
    }
    match operator {
        Operator::Equal | Operator::Unspecified => Condition::I64Within(place, i64::MAX, i64::MIN),
        Operator::NotEqual => Condition::I64Within(place, i64::MIN, i64::MAX),
        Operator::Less | Operator::LessOrEqual => compare_i64(place, Operator::LessOrEqual, whole),
        Operator::Greater | Operator::GreaterOrEqual => compare_i64(place, Operator::Greater, whole),
    }
}

fn compare_f64(place: usize, operator: Operator, value: f64) -> Condition {
    let within = |low, high| Condition::F64Within(place, low, high);
    let (least, greatest) = (f64::NEG_INFINITY, f64::INFINITY);
    match operator {
        Operator::Equal | Operator::Unspecified => within(value, value),
        Operator::NotEqual => Condition::Not(Box::new(within(value, value))),
        Operator::Less if value == least => within(greatest, least),
        Operator::Less => within(least, value.next_down()),
        Operator::LessOrEqual => within(least, value),
        Operator::Greater if value == greatest => within(greatest, least),
        Operator::Greater => within(value.next_up(), greatest),
        Operator::GreaterOrEqual => within(value, greatest),
    }
}

/// Exact, also where the integer is no double.
fn compare_f64_with_integer(place: usize, operator: Operator, value: i64) -> Condition {
    let near = value as f64;
    let (rounded, value) = (near as i128, i128::from(value));
    if rounded == value {
        return compare_f64(place, operator, near);
    }
    let up = rounded > value;
    match operator {
        Operator::Equal | Operator::Unspecified => Condition::F64Within(place, f64::INFINITY, f64::NEG_INFINITY),
        Operator::NotEqual => Condition::F64Within(place, f64::NEG_INFINITY, f64::INFINITY),
        Operator::Less | Operator::LessOrEqual if up => compare_f64(place, Operator::Less, near),
        Operator::Less | Operator::LessOrEqual => compare_f64(place, Operator::LessOrEqual, near),
        Operator::Greater | Operator::GreaterOrEqual if up => compare_f64(place, Operator::GreaterOrEqual, near),
        Operator::Greater | Operator::GreaterOrEqual => compare_f64(place, Operator::Greater, near),
    }
}

/// Edits between two names (Levenshtein), for suggestions. Names have at most 255 bytes; longer ones are cut.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(255).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().take(255).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn edits_are_counted() {
        assert_eq!(distance("value", "valeu"), 2);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("same", "same"), 0);
    }

    const OPERATORS: [Operator; 6] = [
        Operator::Equal,
        Operator::NotEqual,
        Operator::Less,
        Operator::LessOrEqual,
        Operator::Greater,
        Operator::GreaterOrEqual,
    ];

    fn holds(condition: &Condition, as_f64: f64, as_i64: i64) -> bool {
        match condition {
            Condition::F64Within(_, low, high) => as_f64 >= *low && as_f64 <= *high,
            Condition::I64Within(_, low, high) => as_i64 >= *low && as_i64 <= *high,
            Condition::Not(part) => !holds(part, as_f64, as_i64),
            _ => panic!("a comparison of numbers"),
        }
    }

    /// Order of an integer and a double, exact.
    fn order(integer: i64, double: f64) -> std::cmp::Ordering {
        if double >= 2f64.powi(63) {
            return std::cmp::Ordering::Less;
        }
        if double < -(2f64.powi(63)) {
            return std::cmp::Ordering::Greater;
        }
        let floor = double.floor();
        i128::from(integer).cmp(&(floor as i128)).then(if double > floor {
            std::cmp::Ordering::Less
        } else {
            std::cmp::Ordering::Equal
        })
    }

    fn expected(operator: Operator, order: std::cmp::Ordering) -> bool {
        match operator {
            Operator::Equal | Operator::Unspecified => order.is_eq(),
            Operator::NotEqual => order.is_ne(),
            Operator::Less => order.is_lt(),
            Operator::LessOrEqual => order.is_le(),
            Operator::Greater => order.is_gt(),
            Operator::GreaterOrEqual => order.is_ge(),
        }
    }

    proptest! {
        #[test]
        fn integers_and_doubles_compare_exactly(
            integer in prop_oneof![any::<i64>(), -3i64..3, (1i64 << 53)..(1i64 << 53) + 9, Just(i64::MAX), Just(i64::MIN)],
            step in -3i64..=3, half: bool, wild in prop_oneof![Just(f64::INFINITY), Just(f64::NEG_INFINITY), Just(1e300), Just(-1e300)],
            choose_wild in 0..4,
        ) {
            let mut double = integer.saturating_add(step) as f64 + if half { 0.5 } else { 0.0 };
            if choose_wild == 0 {
                double = wild;
            }
            for operator in OPERATORS {
                let condition = compare_i64_with_double(0, operator, double);
                prop_assert_eq!(holds(&condition, 0.0, integer), expected(operator, order(integer, double)));
                let condition = compare_f64_with_integer(0, operator, integer);
                prop_assert_eq!(holds(&condition, double, 0), expected(operator, order(integer, double).reverse()));
                let condition = compare_i64(0, operator, integer);
                prop_assert_eq!(holds(&condition, 0.0, step), expected(operator, step.cmp(&integer)));
                let condition = compare_f64(0, operator, double);
                let other = step as f64;
                prop_assert_eq!(holds(&condition, other, 0), expected(operator, other.partial_cmp(&double).unwrap()));
            }
        }
    }
}
