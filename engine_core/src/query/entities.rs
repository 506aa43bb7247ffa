//! The entities that a filter leaves: what else there is need not be looked at.

use std::sync::Arc;

use super::spec::filters::{ColumnTest, Test};
use super::spec::{FilterSpec, Literal};
use crate::column::{ColumnType, Dictionary, NULL_CODE, Schema};
use crate::error::Result;
use crate::scan::control::Control;
use crate::scan::pattern::Pattern;
use crate::scan::strings::{Strings, Texts};
use crate::store::Stream;
use crate::wire::v1::ComparisonOperator as Operator;

/// Entities that a filter leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Left {
    /// Their codes, ascending.
    pub(super) codes: Vec<u32>,
    /// Whether the filter takes all of their rows.
    pub(super) whole: bool,
}

/// The entities that can have rows the filter takes; none if it may take rows of any. The snapshot must have been
/// taken before, so that the dictionary holds every code in it.
///
/// # Errors
/// What the control says meanwhile.
pub(super) fn entities(
    stream: &Arc<Stream>,
    schema: &Schema,
    filter: &FilterSpec,
    control: &Control,
) -> Result<Option<Left>> {
    let leaving = Leaving {
        stream,
        schema,
        control,
    };
    leaving.of(filter)
}

/// What is asked of the strings of entities, or of a label of theirs.
enum Asked<'a> {
    In(Vec<&'a str>),
    Like(&'a Pattern),
    Null(bool),
}

impl Asked<'_> {
    /// Whether what passes may be nearly everything.
    fn is_wide(&self) -> bool {
        !matches!(self, Self::In(_))
    }
}

struct Leaving<'a> {
    stream: &'a Arc<Stream>,
    schema: &'a Schema,
    control: &'a Control,
}

impl Leaving<'_> {
    fn of(&self, filter: &FilterSpec) -> Result<Option<Left>> {
        Ok(match filter {
            FilterSpec::Column(test) => match asked(test) {
                Some(asked) => self.of_column(&test.column, &asked)?,
                None => None,
            },
            FilterSpec::All(parts) => {
                let sets: Vec<Option<Left>> = parts.iter().map(|part| self.of(part)).collect::<Result<_>>()?;
                let whole = sets.iter().all(|set| set.as_ref().is_some_and(|set| set.whole));
                let codes = sets.into_iter().flatten().map(|set| set.codes);
                let codes = codes.reduce(|left, right| {
                    let is_in_both = |code: &u32| right.binary_search(code).is_ok();
                    left.into_iter().filter(is_in_both).collect()
                });
                codes.map(|codes| Left { codes, whole })
            }
            FilterSpec::Any(parts) => {
                let sets: Result<Option<Vec<Left>>> = parts.iter().map(|part| self.of(part)).collect();
                let Some(sets) = sets? else { return Ok(None) };
                let whole = sets.iter().all(|set| set.whole);
                let mut codes: Vec<u32> = sets.into_iter().flat_map(|set| set.codes).collect();
                codes.sort_unstable();
                codes.dedup();
                Some(Left { codes, whole })
            }
            // What is left by a `not` is all but some.
            FilterSpec::Not(_) => None,
        })
    }

    /// Entities of which the text, or the value of a label, passes; none also where that is most of them, which would be to no avail.
    fn of_column(&self, column: &str, asked: &Asked<'_>) -> Result<Option<Left>> {
        let (codes, all) = if self.schema.is_entity(column) {
            self.of_entities(asked)?
        } else {
            let spec = self.schema.column(column);
            match spec.filter(|spec| spec.column_type == ColumnType::Label) {
                Some(spec) => self.of_label(Texts::Label(spec.id), asked)?,
                None => return Ok(None),
            }
        };
        let is_left = !asked.is_wide() || codes.len() * 2 <= all;
        Ok(is_left.then_some(Left { codes, whole: true }))
    }

    /// Codes of entities that pass, ascending, and how many there are.
    fn of_entities(&self, asked: &Asked<'_>) -> Result<(Vec<u32>, usize)> {
        let all = self.stream.entities().dictionary.len();
        let codes = match asked {
            Asked::In(texts) => codes_of(&self.stream.entities().dictionary, texts),
            Asked::Like(pattern) => {
                let strings = Strings::new(self.stream, Texts::Entity, false);
                passing(&strings.answers(|text| pattern.matches(text), self.control)?)
            }
            Asked::Null(true) => vec![NULL_CODE],
            Asked::Null(false) => (NULL_CODE + 1..all).collect(),
        };
        Ok((codes, all as usize))
    }

    /// The same by the values of a label.
    fn of_label(&self, label: Texts, asked: &Asked<'_>) -> Result<(Vec<u32>, usize)> {
        let strings = Strings::new(self.stream, label, false);
        let mut answers = match asked {
            Asked::In(texts) => {
                let mut answers = vec![false; strings.known() as usize];
                let codes = strings.read(|view| texts.iter().filter_map(|text| view.code(text)).collect::<Vec<_>>());
                codes.into_iter().for_each(|code| answers[code as usize] = true);
                answers
            }
            Asked::Like(pattern) => strings.answers(|text| pattern.matches(text), self.control)?,
            Asked::Null(is_null) => vec![!is_null; strings.known() as usize],
        };
        answers[NULL_CODE as usize] = matches!(asked, Asked::Null(true));
        let all = self.stream.entities().dictionary.len();
        let value = |series: u32| strings.by_series().get(series as usize).copied().unwrap_or(NULL_CODE);
        let codes = (0..all).filter(|&series| answers[value(series) as usize]).collect();
        Ok((codes, all as usize))
    }
}

/// What of a test can be asked of entities, if anything. Comparisons by order may take any number.
fn asked(test: &ColumnTest) -> Option<Asked<'_>> {
    Some(match &test.test {
        Test::Compare(Operator::Equal, value) => Asked::In(texts_of(std::slice::from_ref(value))?),
        Test::In(values) => Asked::In(texts_of(values)?),
        Test::Null(is_null) => Asked::Null(*is_null),
        Test::Like(pattern) | Test::Has(pattern, _) => Asked::Like(pattern),
        Test::Compare(..) => return None,
    })
}

/// The values as texts; none if one is no text, which is refused when the condition is made.
fn texts_of(values: &[Literal]) -> Option<Vec<&str>> {
    fn text(value: &Literal) -> Option<&str> {
        match value {
            Literal::Text(text) | Literal::Quoted(text) | Literal::Word(text) => Some(text),
            _ => None,
        }
    }
    values.iter().map(text).collect()
}

/// Codes of those texts that have one, ascending.
fn codes_of(dictionary: &Dictionary, texts: &[&str]) -> Vec<u32> {
    let mut codes: Vec<u32> = texts.iter().filter_map(|text| dictionary.get(text)).collect();
    codes.retain(|&code| code != NULL_CODE);
    codes.sort_unstable();
    codes.dedup();
    codes
}

/// Codes whose answer is yes, ascending.
fn passing(answers: &[bool]) -> Vec<u32> {
    let codes = (0u32..).zip(answers);
    codes.filter(|(_, answer)| **answer).map(|(code, _)| code).collect()
}
