//! Arithmetic mean.

use std::sync::Arc;

use super::shared::Sums;
use super::{Found, Kind, Measure, Of, Want};
use crate::aggregate::Aggregate;
use crate::error::Result;
use crate::query::output::Output;
use crate::query::state::Keep;
use crate::wire::v1;

pub(super) const KIND: Kind = Kind {
    number: v1::MeasureKind::Mean,
    name: "mean",
    of: Of::Number,
    parameters: &[],
    make: |_, _| Ok(Arc::new(Mean)),
};

#[derive(Debug)]
struct Mean;

impl Measure for Mean {
    fn wants(&self) -> Vec<Want> {
        vec![Want::of_column(Keep::Mean)]
    }

    fn finish(&self, found: &Found<'_>) -> Result<Output> {
        Ok(match found.states[0].sums()? {
            Sums::Doubles(states) => Output::f64s(found.name, states.iter().map(Aggregate::finish)),
            Sums::Integers(states) => Output::f64s(found.name, states.iter().map(Aggregate::finish)),
        })
    }
}
