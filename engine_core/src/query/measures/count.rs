//! Rows, or values of a column that are neither null nor NaN.

use std::sync::Arc;

use super::shared::{Sums, count, unexpected};
use super::{Found, Kind, Measure, Of, Want};
use crate::aggregate::Aggregate;
use crate::error::Result;
use crate::query::output::Output;
use crate::query::state::{Keep, States};
use crate::wire::v1;

pub(super) const KIND: Kind = Kind {
    number: v1::MeasureKind::Count,
    name: "count",
    of: Of::RowsOrColumn,
    parameters: &[],
    make: |_, _| Ok(Arc::new(Count)),
};

#[derive(Debug)]
struct Count;

impl Measure for Count {
    fn wants(&self) -> Vec<Want> {
        vec![Want::of_column(Keep::Count)]
    }

    fn finish(&self, found: &Found<'_>) -> Result<Output> {
        let counts: Vec<u64> = match found.states[0].states {
            States::Count(states) => states.iter().map(Aggregate::finish).collect(),
            // A sum of the same column knows its count.
            States::MeanF64(_) | States::MeanI64(_) => match found.states[0].sums()? {
                Sums::Doubles(states) => states.iter().map(|state| state.count).collect(),
                Sums::Integers(states) => states.iter().map(|state| state.count).collect(),
            },
            _ => return Err(unexpected()),
        };
        Ok(Output::i64s(found.name, counts.into_iter().map(count)))
    }
}
