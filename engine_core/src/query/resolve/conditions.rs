//! Conditions over the columns of a query.

use super::Columns;
use super::literals::fitted;
use super::numbers::{compare_f64, compare_f64_with_integer, compare_i64, compare_i64_with_double};
use crate::error::{Error, Result};
use crate::query::spec::filters::{ColumnTest, Spot, Test};
use crate::query::spec::{FilterSpec, Literal};
use crate::scan::Type;
use crate::scan::block::Sought;
use crate::scan::filter::{CodeTest, Condition};
use crate::scan::pattern::{Pattern, TextTest};
use crate::store::text_hash;
use crate::wire::v1::ComparisonOperator as Operator;

/// Of more texts that a test seeks, filters would rule out hardly a block: one in fifty passes for each.
const MOST_SOUGHT: usize = 64;

impl Columns<'_> {
    /// A condition over the columns.
    pub fn condition(&mut self, filter: &FilterSpec) -> Result<Condition> {
        let mut all = |parts: &[FilterSpec]| parts.iter().map(|part| self.condition(part)).collect::<Result<_>>();
        Ok(match filter {
            FilterSpec::All(parts) => Condition::All(all(parts)?),
            FilterSpec::Any(parts) => Condition::Any(all(parts)?),
            FilterSpec::Not(part) => Condition::Not(Box::new(self.condition(part)?)),
            FilterSpec::Column(test) => self.test(test).map_err(|error| test.spot.explain(error))?,
        })
    }

    fn test(&mut self, test: &ColumnTest) -> Result<Condition> {
        let ColumnTest { spot, column, test } = test;
        let place = self.place(column, &spot.part("column"))?;
        match test {
            Test::Null(is_null) => Ok(Condition::Null(place, *is_null)),
            Test::Compare(operator, value) => self.comparison(place, column, *operator, value, spot),
            Test::In(values) => self.in_set(place, column, values, spot),
            Test::Like(pattern) => self.like(place, column, pattern, spot),
            Test::Has(pattern, _) if self.columns[place].data_type == Type::Text => {
                self.like(place, column, pattern, spot)
            }
            Test::Has(_, value) => self.comparison(place, column, Operator::Equal, value, spot),
        }
    }

    fn like(&mut self, place: usize, column: &str, pattern: &Pattern, spot: &Spot) -> Result<Condition> {
        if self.columns[place].data_type != Type::Text {
            let message = format!("texts are matched with a pattern, column {column:?} has none");
            return Err(Error::invalid("TYPE_MISMATCH", spot.part("column"), message));
        }
        self.text(place, TextTest::Like(pattern.clone()))
    }

    fn comparison(
        &mut self,
        place: usize,
        column: &str,
        operator: Operator,
        value: &Literal,
        spot: &Spot,
    ) -> Result<Condition> {
        let data_type = self.columns[place].data_type;
        let mismatch = || self.mismatch(place, column, value, &spot.part("value"));
        let value = fitted(value, data_type).ok_or_else(mismatch)?;
        Ok(match (data_type, &*value) {
            (Type::F64, Literal::F64(value)) => compare_f64(place, operator, *value),
            (Type::F64, Literal::I64(value)) => compare_f64_with_integer(place, operator, *value),
            (Type::I64, Literal::I64(value)) | (Type::Timestamp, Literal::Timestamp(value)) => {
                compare_i64(place, operator, *value)
            }
            (Type::I64, Literal::F64(value)) => compare_i64_with_double(place, operator, *value),
            (Type::Bool, Literal::Bool(value)) => compare_i64(place, operator, i64::from(*value)),
            (Type::Text, Literal::Text(value)) => {
                let (test, negated) = match operator {
                    Operator::Equal | Operator::Unspecified => (TextTest::In(vec![value.clone()]), false),
                    Operator::NotEqual => (TextTest::In(vec![value.clone()]), true),
                    Operator::Less => (TextTest::Below(value.clone(), false), false),
                    Operator::LessOrEqual => (TextTest::Below(value.clone(), true), false),
                    Operator::Greater => (TextTest::Above(value.clone(), false), false),
                    Operator::GreaterOrEqual => (TextTest::Above(value.clone(), true), false),
                };
                negated_if(negated, self.text(place, test)?)
            }
            _ => return Err(mismatch()),
        })
    }

    fn in_set(&mut self, place: usize, column: &str, values: &[Literal], spot: &Spot) -> Result<Condition> {
        let data_type = self.columns[place].data_type;
        let mismatch = |at: usize| {
            let field = spot.part(&format!("values[{at}]"));
            self.mismatch(place, column, &values[at], &field)
        };
        let fitted = |at: usize| fitted(&values[at], data_type).ok_or_else(|| mismatch(at));
        Ok(match data_type {
            Type::F64 => {
                let mut set = Vec::new();
                for at in 0..values.len() {
                    match &*fitted(at)? {
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
                for at in 0..values.len() {
                    match (data_type, &*fitted(at)?) {
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
                for at in 0..values.len() {
                    match &*fitted(at)? {
                        Literal::Text(value) => set.push(value.clone()),
                        _ => return Err(mismatch(at)),
                    }
                }
                set.sort_unstable();
                set.dedup();
                self.text(place, TextTest::In(set))?
            }
        })
    }

    /// Evaluates a test of strings once on the column's dictionary.
    fn text(&mut self, place: usize, test: TextTest) -> Result<Condition> {
        let Some(strings) = &self.columns[place].strings else {
            return Err(Error::internal("a test of strings on another column"));
        };
        let answers = match &test {
            TextTest::In(texts) => strings.read(|view| {
                let codes: Vec<u32> = texts.iter().filter_map(|text| view.code(text)).collect();
                let len = codes.iter().max().map_or(0, |greatest| *greatest as usize + 1);
                let mut answers = vec![false; len];
                codes.into_iter().for_each(|code| answers[code as usize] = true);
                answers
            }),
            _ => strings.answers(|text| test.passes(text), self.control)?,
        };
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
        Ok(Condition::Text(place, test, codes, sought))
    }

    fn mismatch(&self, place: usize, column: &str, value: &Literal, field: &str) -> Error {
        let wants = match (self.columns[place].data_type, value) {
            (Type::F64 | Type::I64, Literal::Quoted(_)) => "a number without quotes",
            (Type::F64 | Type::I64, Literal::Word(_)) => "a number",
            (Type::F64 | Type::I64, _) => "a number (f64 or i64)",
            (Type::Bool, Literal::Quoted(_) | Literal::Word(_)) => "true or false, without quotes",
            (Type::Bool, _) => "a boolean",
            (Type::Timestamp, Literal::Quoted(_) | Literal::Word(_)) => "a timestamp of RFC 3339 in quotes",
            (Type::Timestamp, _) => "timestamp_ns",
            (Type::Text, _) => "text",
        };
        let got = match value {
            Literal::Quoted(text) => format!("{:?}", text.chars().take(64).collect::<String>()),
            Literal::Word(word) => word.chars().take(64).collect(),
            typed => typed.type_name().to_owned(),
        };
        let message = format!("column {column:?} is compared with {wants}, got {got}");
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
