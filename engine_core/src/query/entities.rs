//! The entities that a filter leaves: what else there is need not be looked at.

use std::sync::Arc;

use super::spec::{FilterSpec, Literal};
use crate::column::{ColumnType, NULL_CODE, Schema};
use crate::store::{Entities, Stream};
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
pub(super) fn entities(stream: &Arc<Stream>, schema: &Schema, filter: &FilterSpec) -> Option<Left> {
    let entities = stream.entities();
    taken(&entities, schema, filter)
}

fn taken(entities: &Entities, schema: &Schema, filter: &FilterSpec) -> Option<Left> {
    match filter {
        FilterSpec::Compare {
            column,
            operator: Operator::Equal,
            value,
            ..
        } => of_column(entities, schema, column, std::slice::from_ref(value)),
        FilterSpec::In { column, values, .. } => of_column(entities, schema, column, values),
        FilterSpec::All(parts) => {
            let mut sets: Vec<Left> = Vec::new();
            sets.extend(parts.iter().filter_map(|part| taken(entities, schema, part)));
            let whole = sets.len() == parts.len() && sets.iter().all(|set| set.whole);
            let codes = sets.into_iter().map(|set| set.codes).reduce(|left, right| {
                let is_in_both = |code: &u32| right.binary_search(code).is_ok();
                left.into_iter().filter(is_in_both).collect()
            });
            codes.map(|codes| Left { codes, whole })
        }
        FilterSpec::Any(parts) => {
            let sets: Option<Vec<Left>> = parts.iter().map(|part| taken(entities, schema, part)).collect();
            let sets = sets?;
            let whole = sets.iter().all(|set| set.whole);
            let mut codes: Vec<u32> = sets.into_iter().flat_map(|set| set.codes).collect();
            codes.sort_unstable();
            codes.dedup();
            Some(Left { codes, whole })
        }
        // What is left by a `not` is all but some, and comparisons by order may take any number.
        FilterSpec::Compare { .. } | FilterSpec::Not(_) => None,
    }
}

/// Entities whose text, or whose value of a label, is one of these.
fn of_column(entities: &Entities, schema: &Schema, column: &str, values: &[Literal]) -> Option<Left> {
    let texts: Vec<&str> = values
        .iter()
        .map(|value| match value {
            Literal::Text(text) => Some(text.as_str()),
            // Refused when the condition is made.
            _ => None,
        })
        .collect::<Option<_>>()?;
    let mut codes: Vec<u32> = if schema.is_entity(column) {
        texts.iter().filter_map(|text| entities.dictionary.get(text)).collect()
    } else {
        let spec = schema
            .column(column)
            .filter(|spec| spec.column_type == ColumnType::Label)?;
        let Some(label) = entities.series.label(spec.id) else {
            return Some(Left {
                codes: Vec::new(),
                whole: true,
            });
        };
        let mut values: Vec<u32> = texts.iter().filter_map(|text| label.values.get(text)).collect();
        values.retain(|&code| code != NULL_CODE);
        values.sort_unstable();
        let is_taken = |series: &u32| values.binary_search(&label.code(*series)).is_ok();
        (0..entities.dictionary.len()).filter(is_taken).collect()
    };
    codes.retain(|&code| code != NULL_CODE);
    codes.sort_unstable();
    codes.dedup();
    Some(Left { codes, whole: true })
}
